"""The pages of the manual that people read from beginning to end: whole, and clean to who formats them."""

import dataclasses
import json
import re
import shlex
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import click
import pytest

from pco.commands.queue import VERBS
from pco.ground import config
from support import TOP


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All pages, made."""
    folder = tmp_path_factory.mktemp("man")
    subprocess.run([sys.executable, TOP / "share/man/make.py", folder], check=True)
    return folder


def test_each_incident_says_what_you_see_why_what_to_do_and_when_it_is_over() -> None:
    text = (TOP / "share/man/pco-runbook.7.md").read_text().partition("# Incidents\n")[2]
    incidents = re.split(r"^## ", text, flags=re.M)[1:]

    assert len(incidents) >= 15
    for incident in incidents:
        found = re.findall(r"^(See|Why|Do|Over): ", incident, re.M)
        assert found == ["See", "Why", "Do", "Over"], incident.partition("\n")[0]
        assert re.search(r"^    [$#] ", incident, re.M), incident.partition("\n")[0]


def test_every_chapter_that_a_box_of_the_checklist_or_a_check_names_is_there() -> None:
    text = (TOP / "share/man/pco-runbook.7.md").read_text()
    chapters = set(re.findall(r"^## (.+)$", text, re.M))
    source = "".join(path.read_text() for path in (TOP / "lib/pco/checks").glob("*.py"))

    named = set(re.findall(r"pco-runbook\(7\), ([A-Z][a-z]+(?: [a-z]+)*)", source))
    assert named
    assert named - chapters == set()


@pytest.mark.parametrize("name", ["pco-tutorial", "pco-runbook"])
def test_verbs_and_options_that_a_page_tells_to_type_are_there(name: str) -> None:
    lines = re.findall(r"^    [$#] (pco-[a-z]+)( .*)?$", (TOP / f"share/man/{name}.7.md").read_text(), re.M)
    assert lines
    for program, rest in lines:
        command = import_module(f"pco.commands.{program.removeprefix('pco-')}").main
        words = shlex.split(rest)
        if isinstance(command, click.Group) and words and not words[0].startswith("-"):
            found = command.get_command(click.Context(command), words.pop(0))
            assert found, rest
            command = found
        known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        assert {word for word in words if word.startswith("-")} <= known, rest


def test_pco_yaml_has_every_section_and_key_of_the_configuration(pages: Path) -> None:
    page = (pages / "pco.yaml.5").read_text().replace("\\-", "-")

    for section in dataclasses.fields(config.Config):
        assert re.search(rf"^ *#?{section.name}:", page, re.M), section.name
        if dataclasses.is_dataclass(section.type):
            for key in dataclasses.fields(section.type):
                assert re.search(rf"\b{key.name}:", page), f"{section.name}.{key.name}"


def test_no_page_makes_mandoc_warn(pages: Path) -> None:
    names = sorted(map(str, pages.iterdir()))
    said = subprocess.run(
        ["mandoc", "-T", "lint", "-W", "warning", *names], capture_output=True, text=True, check=False
    )

    assert said.stdout + said.stderr == ""


@pytest.mark.parametrize(
    "name", ["pco-runbook.7", "pco-tutorial.7", "pco.7", "pco-doctor.1", "pco-config.1", "pco-queue.1"]
)
def test_a_page_is_formatted_without_a_warning(pages: Path, name: str) -> None:
    done = subprocess.run(
        ["man", "--warnings=all", "-l", str(pages / name)],
        capture_output=True,
        text=True,
        check=True,
        env={"MANWIDTH": "80", "PATH": "/usr/bin:/bin"},
    )

    assert done.stderr == ""
    assert name.partition(".")[0].upper() in done.stdout.upper()


def test_the_recorded_walk_through_can_be_played_and_shows_programs_that_are_there() -> None:
    head, *events = map(json.loads, (TOP / "share/doc/walk-through.cast").read_text().splitlines())
    assert (head["version"], head["width"]) == (2, 110)
    assert [at for at, _, _ in events] == sorted(at for at, _, _ in events)
    typed = re.findall(r"\$ (pco-[a-z]+)(?: ([a-z]+))?", "".join(shown for _, _, shown in events))

    assert {("pco-queue", "approve"), ("pco-queue", "post"), ("pco-post", "")} <= set(typed)
    for program, verb in typed:
        assert (TOP / "bin" / program).exists()
        assert program != "pco-queue" or not verb or verb in VERBS
