"""What an agent can leave in its out/ to mislead or to break pco-watch: everything there is hostile."""

import json
import os
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pco.ground import boot, events, leavings, shape
from pco.ground.leavings import Birth, Exit
from pco.ground.ticket import SCHEMA, State
from sessions import Yard, born, sh, until
from support import a_ticket, put


@pytest.fixture
def out(yard: Yard) -> Path:
    """The out/ of WEB-1, which was born, whose agent began, and whose session has ended with exit 0."""
    yard.claim("WEB-1")
    return ended(yard, "WEB-1")


def ended(yard: Yard, key: str) -> Path:
    """An out/ as a session leaves it that handed over nothing."""
    out = born(yard.out(key))
    events.write(str(out), 1, 1, "started", {})
    leavings.write_exit(out, Exit(datetime.now(UTC), 0))
    return out


def complete(out: Path, summary: Any = "done", round: int = 1, n: int = 1) -> None:
    """Leave a completed event."""
    events.write(str(out), round, n, "completed", {"summary": summary})


def look(yard: Yard) -> str:
    """One look; returns what was said."""
    return yard.site.run("pco-watch", "--once", "-v", timeout=30).stderr


def large(path: Path) -> None:
    """A file of 900 MB that takes no room."""
    with open(path, "wb") as file:
        file.truncate(900 << 20)


HOSTILE = {
    "a link": lambda path: path.symlink_to("/etc/passwd"),
    "a FIFO": os.mkfifo,
    "a folder": Path.mkdir,
    "a large file": large,
    "deep JSON": lambda path: path.write_bytes(b"[" * 60_000),
    "no text": lambda path: path.write_bytes(b"\xff\xfe\x00"),
    "another shape": lambda path: path.write_text('{"schema": 1, "round": "x", "event": {"a": []}}'),
    "large numbers": lambda path: path.write_text('{"schema": 1, "round": 1e999, "code": ' + "9" * 5000 + "}"),
    "a socket": lambda path: socket.socket(socket.AF_UNIX).bind(_short(path)),
}


def _short(path: Path) -> str:
    os.chdir(path.parent)
    return path.name


@pytest.mark.parametrize("what", HOSTILE)
def test_a_strange_event_is_passed_over_and_the_others_count(yard: Yard, out: Path, what: str) -> None:
    HOSTILE[what](out / "events" / "00000000000000000001-1.json")
    complete(out)

    said = look(yard)

    assert "WEB-1: passed over: 00000000000000000001-1.json" in said
    assert yard.state("WEB-1") is State.COMPLETED


@pytest.mark.parametrize("what", HOSTILE)
def test_a_strange_exit_record_is_none(yard: Yard, out: Path, what: str) -> None:
    (out / "exit").unlink()
    HOSTILE[what](out / "exit")

    said = look(yard)

    ticket = yard.ticket("WEB-1")
    assert ticket.attempt and (ticket.attempt.outcome, ticket.state) == ("died", State.APPROVED)
    assert "passed over: out/exit" in said


@pytest.mark.parametrize("what", ["a link", "a FIFO", "a folder", "a large file", "no text", "a socket"])
def test_a_strange_screen_life_or_bundle_keeps_nobody_from_completing(yard: Yard, out: Path, what: str) -> None:
    for name in ("screen", "life", "work.bundle"):
        HOSTILE[what](out / name)
    complete(out)

    look(yard)

    ticket = yard.ticket("WEB-1")
    assert ticket.state is State.COMPLETED
    assert ticket.round.work and "bundle" in ticket.round.work.problem
    assert (yard.home("WEB-1") / "screen").exists() is (what == "no text")


def test_an_out_that_is_a_link_is_not_followed(yard: Yard, out: Path, tmp_path: Path) -> None:
    complete(out)
    out.rename(tmp_path / "elsewhere")
    out.symlink_to(tmp_path / "elsewhere")

    said = look(yard)

    assert "WEB-1: passed over: out: " in said
    assert yard.ticket("WEB-1").round.summary == ""


def test_an_events_folder_that_is_a_link_is_not_followed(yard: Yard, out: Path, tmp_path: Path) -> None:
    complete(out)
    (out / "events").rename(tmp_path / "elsewhere")
    (out / "events").symlink_to(tmp_path / "elsewhere")

    look(yard)

    assert yard.ticket("WEB-1").round.summary == ""


@pytest.mark.parametrize("summary", ["", " \n ", "\x1b\x00", None, 7, {"a": 1}])
def test_an_empty_completion_is_none(yard: Yard, out: Path, summary: Any) -> None:
    complete(out, summary)

    look(yard)

    assert yard.state("WEB-1") is State.FAILED


def test_events_of_an_earlier_attempt_are_ignored(yard: Yard, out: Path) -> None:
    complete(out, round=1, n=2)
    complete(out, round=2, n=1)

    look(yard)

    assert yard.state("WEB-1") is State.FAILED


def test_a_summary_is_cleaned_before_anybody_sees_it(yard: Yard, out: Path) -> None:
    complete(out, "\x1b]0;evil\x07 done \u202e\n" + "x" * 10)

    look(yard)

    assert yard.ticket("WEB-1").round.summary == "]0;evil done \nxxxxxxxxxx"


def test_what_is_strange_is_said_once(yard: Yard, watch: object) -> None:
    yard.run(
        "WEB-1",
        sh(
            "ln -s /etc/passwd $PCO_ATTEMPT_DIR/out/events/1-1.json; for i in 1 2 3; do sleep 0.3; echo > $T; done; pco-complete done"
        ),
        launch={"environment": _with_trigger(yard)},
    )

    yard.comes_to("WEB-1", State.COMPLETED)

    assert yard.log.read_text().count("passed over") == 1


def _with_trigger(yard: Yard) -> dict[str, str]:
    home = yard.home("WEB-1")
    trigger = yard.site.home / "run" / "trigger"
    return {"PCO_ATTEMPT_DIR": str(home), "PATH": yard.path, "T": str(trigger)}


def test_thousands_of_events_do_not_keep_another_ticket_waiting(yard: Yard, out: Path) -> None:
    event = {"schema": 1, "round": 1, "attempt": 1, "event": "working", "at": "2026-11-22T12:00:00Z", "detail": {}}
    data = json.dumps(event)
    for n in range(5000):
        (out / "events" / f"{n:020d}-1.json").write_text(data)
    yard.claim("WEB-2")
    complete(ended(yard, "WEB-2"))
    complete(out)

    look(yard)

    assert yard.state("WEB-2") is State.COMPLETED


def test_a_hostile_bundle_is_refused_and_said_in_the_record(yard: Yard, out: Path) -> None:
    (out / "work.bundle").write_bytes(b"# v2 git bundle\n" + b"1" * 40 + b" refs/heads/main\n\nPACK")
    complete(out)

    look(yard)

    ticket = yard.ticket("WEB-1")
    assert ticket.state is State.COMPLETED
    assert ticket.round.work and "does not hold refs/heads/pco/WEB-1" in ticket.round.work.problem


def test_one_bad_ticket_does_not_stop_the_others(yard: Yard, out: Path) -> None:
    out.rename(out.with_name("gone"))
    out.write_text("a file")
    (yard.home("WEB-1") / "launch.json").write_text("[]")
    yard.claim("WEB-2")
    complete(ended(yard, "WEB-2"))

    said = look(yard)

    assert yard.state("WEB-2") is State.COMPLETED
    assert "WEB-1: passed over: " in said


def test_a_corrupt_record_is_set_aside_once_its_session_is_gone(yard: Yard, watch: object) -> None:
    yard.run("WEB-1", sh("sleep 1000"))
    yard.site.spool().path("WEB-1", State.ACTIVE).write_text("{torn")

    yard.ring()
    until(lambda: yard.state("WEB-1") is State.CORRUPT)

    assert yard.tmux.list() == frozenset()
    aside = yard.site.spool().aside("WEB-1")
    assert aside and aside.from_ is State.ACTIVE


def test_a_record_of_a_newer_pco_is_left_alone_and_the_others_go_on(yard: Yard, out: Path) -> None:
    record = yard.site.spool().path("WEB-2", State.ACTIVE)
    yard.claim("WEB-2")
    record.write_text(record.read_text().replace(f'"schema": {SCHEMA}', f'"schema": {SCHEMA + 1}', 1))
    complete(out)

    said = look(yard)

    assert f"schema {SCHEMA + 1} is newer" in said
    assert yard.state("WEB-2") is State.ACTIVE
    assert yard.state("WEB-1") is State.COMPLETED


def test_an_active_ticket_that_nobody_launched_goes_back_to_approved(yard: Yard) -> None:
    put(yard.site.spool(), a_ticket("WEB-1"), State.ACTIVE)

    look(yard)

    assert yard.state("WEB-1") is State.APPROVED


def test_a_session_whose_process_is_there_is_not_given_up_at_once(yard: Yard) -> None:
    yard.claim("WEB-1", ago=100, born=True)
    birth = Birth(datetime.now(UTC), os.getpid(), boot.boot_id())
    (born(yard.out("WEB-1")) / "birth").write_text(json.dumps(shape.dump(birth)))

    look(yard)

    assert yard.state("WEB-1") is State.ACTIVE
