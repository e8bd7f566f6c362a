"""pco-collect: what it takes in of a session whose unit has ended."""

import json
import os
from pathlib import Path

import pytest

from pco.ground import attempt, events
from pco.ground.ticket import State
from sessions import born, sh

OOM = {"MONITOR_SERVICE_RESULT": "oom-kill", "MONITOR_EXIT_CODE": "killed", "MONITOR_EXIT_STATUS": "9"}


@pytest.fixture
def left(yard):
    """An attempt whose session wrote elsewhere and is gone: its folder, and where it wrote."""
    out = yard.site.home / "agent" / "WEB-1" / "out" / "1.1-cafe"
    yard.claim("WEB-1", launch={"out": str(out)})
    (yard.home("WEB-1").parent / "current").symlink_to("1.1")
    return yard.home("WEB-1"), born(out)


def collect(yard, key="WEB-1", code=0, **environ):
    return yard.site.run("pco-collect", key, code=code, env={**yard.site.environment(), **environ})


def test_how_the_unit_ended_is_written_beside_the_prompt(yard, left):
    home, _ = left

    collect(yard, **OOM)

    result = attempt.read_result(home)
    assert (result.result, result.code, result.status) == ("oom-kill", "killed", "9")


def test_what_is_small_outlives_the_folder_of_the_session(yard, left):
    home, out = left
    (out / "screen").write_bytes(b"\x1b[31mred\x1b[0m\n")
    events.write(str(out), 1, 1, "working", {})

    collect(yard)

    assert (home / "out" / "screen").read_bytes() == b"\x1b[31mred\x1b[0m\n"
    assert json.loads((home / "out" / "birth").read_bytes())["pid"]
    assert len(list((home / "out" / "events").glob("*.json"))) == 1


def test_links_and_pipes_in_the_place_of_files_are_passed_over(yard, left, tmp_path):
    home, out = left
    (tmp_path / "secret").write_text("swordfish")
    (out / "screen").symlink_to(tmp_path / "secret")
    os.mkfifo(out / "exit")
    os.truncate(os.open(out / "life", os.O_CREAT | os.O_WRONLY), 1 << 40)

    collect(yard)

    assert sorted(path.name for path in (home / "out").iterdir()) == ["birth", "events"]


@pytest.mark.parametrize("where", [".", ".."])
def test_a_link_in_the_place_of_the_folder_is_not_followed(where, yard, left, tmp_path):
    home, out = left
    folder = out / where
    aside = tmp_path / "aside"
    Path(os.path.normpath(folder)).rename(aside)
    Path(os.path.normpath(folder)).symlink_to(aside)

    done = collect(yard)

    assert "cannot be kept" in done.stderr
    assert attempt.read_result(home)
    assert not (home / "out").exists()


def test_of_a_flood_of_events_the_last_are_kept(yard, left):
    home, out = left
    for n in range(1, 1101):
        (out / "events" / f"{n}-1.json").write_text("{}")

    collect(yard)

    kept = {path.name for path in (home / "out" / "events").iterdir()}
    assert len(kept) == 1000


def test_what_is_no_key_is_refused(yard):
    done = collect(yard, "../WEB-1", code=65)

    assert "is no ticket key" in done.stderr


def test_a_unit_that_failed_before_birth_is_judged_at_once_and_says_why(yard, watch):
    yard.site.configure(sessions={"start_within": "10m"})
    yard.claim("WEB-1", sh("true"))
    (yard.home("WEB-1").parent / "current").symlink_to("1.1")

    collect(yard, MONITOR_SERVICE_RESULT="exit-code")

    ticket = yard.comes_to("WEB-1", State.APPROVED)
    assert ticket.attempt.outcome == "never-started"
    assert "exit-code" in ticket.history[-1].why
