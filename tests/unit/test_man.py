"""The manual pages say what the code does."""

import dataclasses
import json
import re
import subprocess
import sys
from importlib import import_module
from typing import get_args

import click
import pytest

from pco.commands import overview
from pco.ground import config, ticket
from pco.ground.ticket import State
from pco.outside.agents.claude import program
from pco.pages import feeds
from pco.pages.clock import Clock
from pco.pages.snapshot import Snapshot
from pco.rules import rows
from pco.rules.health import Health
from pco.spool import MOVES
from support import T0, TOP

PROGRAMS = ["overview", *(row[0].removeprefix("pco-") for _, rows in overview.TASKS for row in rows)]


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("man")
    subprocess.run([sys.executable, TOP / "share/man/make.py", folder], check=True)
    return {path.name: path.read_text().replace("\\-", "-").replace("\\&", "") for path in folder.iterdir()}


def test_there_is_a_page_for_every_program_in_bin(pages):
    programs = {path.name for path in (TOP / "bin").iterdir()}
    assert {name.removesuffix(".1") for name in pages if name.endswith(".1")} == programs
    assert {row[0] for _, rows in overview.TASKS for row in rows} | {"pco"} == programs


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_page_has_its_sections_and_every_option(pages, program):
    page = pages["pco.1" if program == "overview" else f"pco-{program}.1"]
    for section in ("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "ENVIRONMENT", "EXIT STATUS", "SEE ALSO"):
        assert f".SH {section}\n" in page
    command = import_module(f"pco.commands.{program}").main
    if program == "hook":  # it does without click
        assert import_module("pco.commands.hook").HELP.splitlines()[2].rstrip(".") in page
        command = click.Command("hook")
    with click.Context(command) as context:
        names = [name for parameter in command.get_params(context) for name in parameter.opts if name.startswith("--")]
    assert [name for name in names if name not in page] == []
    if program != "overview":
        assert ".SH EXAMPLES\n" in page
        assert ".SH FILES\n" in page


def test_pco_spool_prints_the_table_of_moves(pages):
    page = pages["pco-spool.5"]
    table = page[page.index('.\\" begin moves') : page.index('.\\" end moves')]
    found = re.findall(r"\.TP\n\.B (.+) -> (.+)\n(.+?): (.+)", table)
    known = [
        (
            ", ".join(s.value if s else "(none)" for s in move.from_),
            ", ".join(s.value if s else "(none)" for s in move.to),
            "any program that holds the lock" if move.who == ("*",) else ", ".join(move.who),
            move.when,
        )
        for move in MOVES
    ]
    assert found == known


def test_pco_spool_names_every_state_and_every_field(pages):
    page = pages["pco-spool.5"]
    states = page[page.index('.\\" begin states') : page.index('.\\" end states')]
    assert re.findall(r"\.B (\w+)", states) == [state.value for state in State]
    table = page[page.index('.\\" begin record') : page.index('.\\" end record')]
    for kind in (ticket.Ticket, ticket.Round, ticket.Attempt, ticket.Post):
        for field in dataclasses.fields(kind):
            if not field.metadata.get("state"):
                assert f"\n{field.name.rstrip('_')}: " in table


def test_pco_spool_names_every_event(pages):
    from pco.ground import leavings

    page = pages["pco-spool.5"]
    events = page[page.index('.\\" begin events') : page.index('.\\" end events')]
    assert set(re.findall(r"\.B (\w+)", events)) == set(get_args(leavings.Kind))


def test_pco_claude_names_every_setting_with_what_holds_as_shipped(pages):
    page = pages["pco-claude.7"]
    listed = page[page.index('.\\" begin settings') : page.index('.\\" end settings')]
    named = dict(re.findall(r"^\.B (\w+)(.*)$", listed, flags=re.M))
    assert set(named) == {field.name for field in dataclasses.fields(config.Claude)}
    own = {field.name for field in dataclasses.fields(config.Overrides)}
    assert {name for name, rest in named.items() if rest.endswith(" *")} == own - {"permission_mode"}
    for field in dataclasses.fields(config.Claude):
        default = getattr(config.Claude(), field.name)
        shown = {(): "[]", "": "\\(dq\\(dq", True: "true"}.get(default, str(default)) if default != {} else "{}"
        said = named[field.name].removesuffix(" *").removeprefix(": ")
        assert (
            said in (shown, "") if default in (None, "") else float(said) == default if default == 0 else said == shown
        )


def test_pco_claude_names_every_permission_mode_and_the_versions(pages):
    page = pages["pco-claude.7"]
    modes = page[page.index('.\\" begin modes') : page.index('.\\" end modes')]
    assert re.findall(r"^\.B (\w+)", modes, flags=re.M) == list(get_args(config.PermissionMode))
    for version in (program.OLDEST, program.TESTED):
        assert f": {'.'.join(map(str, version))}\n" in page


def test_pco_claude_shows_screens_that_are_all_real(pages):
    page, source = pages["pco-claude.7"], (TOP / "share/man/pco-claude.7").read_text()
    used = set(re.findall("@SCREEN ([a-z-]+)", source))
    assert used == {path.stem for path in (TOP / "share/doc/screens").glob("*.ansi")}
    assert "@" not in re.sub(r"@/tmp/acme/\S+", "", page) and "\x1b" not in page
    scenes = (TOP / "share/demo/scenes.py").read_text()
    assert set(re.findall(r'\.keep(?:_now)?\("([a-z-]+)"\)', scenes)) == used


def test_the_environment_that_a_page_names_is_the_one_the_programs_read(pages):
    source = "".join((TOP / "lib/pco" / name).read_text() for name in ("command.py", "run.py"))

    for name in ("PCO_CONFIG", "PCO_LOG_LEVEL", "NO_COLOR"):
        assert f'"{name}"' in source
        assert f".B {name}\n" in pages["pco-poll.1"]


def test_pco_names_every_field_that_a_record_of_the_journal_can_have(pages):
    named = set(re.findall(r"PCO_[A-Z]+", (TOP / "lib/pco/ground/messages.py").read_text()))
    named |= set(re.findall(r"PCO_[A-Z]+", (TOP / "lib/pco/commands/alert.py").read_text()))
    named |= set(re.findall(r'"(PCO_AUDIT)"', (TOP / "lib/pco/run.py").read_text()))

    assert [name for name in named if name not in pages["pco.1"]] == []
    assert "systemd-journal" in pages["pco.1"]


def test_pco_dashboard_names_every_field_of_its_feeds(pages):
    page = pages["pco-dashboard.1"].replace("\\-", "-").partition(".SH FEEDS")[2]
    snapshot = Snapshot(Clock(T0), "1", Health("ok"), {})
    board, health = (json.loads(feed) for feed in (feeds.board(snapshot, []), feeds.health(snapshot)))

    told = [*board, *health, *health["ages"], *rows.NAMES, "finished_at"]
    assert not [name for name in told if not re.search(rf"\b{name}\b", page)]


def test_a_picture_becomes_a_line_with_what_it_shows(pages):
    page = pages["pco-tutorial.7"]

    assert page.count(".I Picture: The ") == 2
    assert "![" not in page and ".png" not in page
