"""The folder of an attempt, its events, and the agent that is any program."""

import errno
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pco.ground import attempt, boot, events, leavings
from pco.ground.attempt import Launch
from pco.ground.errors import BadConfig, BadData, SystemFault, TryLater
from pco.ground.leavings import Exit
from pco.outside import agents
from pco.outside.agents import Session, read_event
from support import T0

COMMAND = agents.named("command")
EVENT = {"schema": 1, "round": 1, "attempt": 2, "event": "blocked", "at": "2026-11-22T12:00:00Z", "detail": {}}


@pytest.fixture
def out(tmp_path: Path) -> int:
    """A descriptor of out/, which is the scratch folder."""
    (tmp_path / "events").mkdir()
    return leavings.open_out(tmp_path)


def test_launch_is_read_as_it_was_written(tmp_path: Path) -> None:
    launch = Launch("WEB-1", 1, 2, "/out", "/ws", "/m.git", "main", "pco/WEB-1", "/p.md", "/t", ("a", "b"), {"K": "v"})

    attempt.write_launch(tmp_path, launch)

    assert attempt.read_launch(tmp_path) == launch


def test_a_launch_that_is_not_there_and_one_that_is_torn_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(SystemFault):
        attempt.read_launch(tmp_path)
    (tmp_path / "launch.json").write_text("{")
    with pytest.raises(BadData):
        attempt.read_launch(tmp_path)


def test_only_the_first_birth_counts(tmp_path: Path, out: int) -> None:
    assert leavings.bear(tmp_path, T0)
    assert not leavings.bear(tmp_path, datetime.now(UTC))

    birth = leavings.read_birth(out)
    assert birth and (birth.at, birth.pid) == (T0, os.getpid())


def test_the_fence_may_be_made_twice(tmp_path: Path) -> None:
    assert not attempt.fenced(tmp_path)
    attempt.fence(tmp_path)
    attempt.fence(tmp_path)

    assert attempt.fenced(tmp_path)


def test_a_folder_that_is_gone_is_as_good_as_fenced_and_one_that_cannot_be_looked_into_is_not(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")

    assert attempt.fenced(tmp_path / "1.1")
    with pytest.raises(SystemFault):
        attempt.fenced(tmp_path / "loop" / "1.1")


def test_the_exit_record_is_read_as_it_was_written(tmp_path: Path, out: int) -> None:
    assert leavings.read_exit(out) is None
    record = Exit(T0, 143, "", 3, "TERM", "no bundle", 17.5)

    leavings.write_exit(tmp_path, record)

    assert leavings.read_exit(out) == record


@pytest.mark.parametrize("wrong", [{"code": 256}, {"code": -1}, {"code": True}, {"uncommitted": 1 << 40}, {"boot": -1}])
def test_an_exit_record_with_impossible_values_is_refused(tmp_path: Path, out: int, wrong: dict[str, Any]) -> None:
    (tmp_path / "exit").write_text(json.dumps({"at": "2026-11-22T12:00:00Z", "code": 0, **wrong}))

    with pytest.raises(BadData):
        leavings.read_exit(out)


def test_what_an_exit_record_says_is_made_harmless(tmp_path: Path, out: int) -> None:
    (tmp_path / "exit").write_text(
        json.dumps({"at": "2026-11-22T12:00:00Z", "code": 1, "error": "\x1b[2J" + "x" * 999})
    )

    record = leavings.read_exit(out)

    assert record and "\x1b" not in record.error and len(record.error) <= 500


@pytest.mark.parametrize("text", ["", "nan", "inf", "-1", "1e99", "x", "1" * 100])
def test_a_strange_sign_of_life_is_none(tmp_path: Path, out: int, text: str) -> None:
    (tmp_path / "life").write_text(text)

    assert leavings.read_life(out) == 0.0


def test_signs_of_life_follow_the_clock_that_nobody_sets(tmp_path: Path, out: int) -> None:
    before = boot.clock()

    leavings.write_life(tmp_path)

    assert before - 0.001 <= leavings.read_life(out) <= boot.clock() + 0.001  # it is written in milliseconds


def test_events_come_in_the_order_of_time_and_other_names_are_passed_over(tmp_path: Path, out: int) -> None:
    for name in ("00000000000000000002-7.json", "00000000000000000001-9.json", ".00000000000000000003-1", "x.json"):
        (tmp_path / "events" / name).write_text("{}")

    assert leavings.event_names(out) == ["00000000000000000001-9.json", "00000000000000000002-7.json"]


def test_an_event_is_read_as_it_was_written(tmp_path: Path, out: int) -> None:
    before = boot.clock()

    events.write(str(tmp_path), 1, 2, "completed", {"summary": "é\n"})

    (name,) = leavings.event_names(out)
    event = read_event(leavings.read_event(out, name))
    assert (event.kind, event.round, event.attempt, event.detail) == ("completed", 1, 2, {"summary": "é\n"})
    assert before <= event.boot <= boot.clock()


def test_ringing_where_nobody_listens_waits_for_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")

    events.ring(str(tmp_path / "fifo"))
    events.ring(str(tmp_path / "nothing"))

    assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize(
    "wrong",
    [
        {"schema": 2},
        {"event": "danced"},
        {"event": None},
        {"at": "yesterday"},
        {"detail": []},
        {"boot": -1},
        {"boot": float("nan")},
        {"round": 1.5},
        {"more": 1},
    ],
)
def test_what_is_no_event_is_refused(wrong: dict[str, Any]) -> None:
    assert read_event(json.dumps(EVENT).encode()).kind == "blocked"

    with pytest.raises(BadData):
        read_event(json.dumps({**EVENT, **wrong}).encode())


def test_a_command_gets_its_key_its_folder_and_the_prompt_as_a_file() -> None:
    session = Session(
        "WEB-1", 1, 2, Path("/s/1.2"), Path("/s/1.2/prompt.md"), Path("/s/ws"), Path("/o"), ("agent", "-x")
    )

    prepared = COMMAND.prepare(session)

    assert prepared.argv == ("agent", "-x")
    assert prepared.environment == {
        "PCO_KEY": "WEB-1",
        "PCO_ATTEMPT_DIR": "/s/1.2",
        "PCO_PROMPT": "/s/1.2/prompt.md",
    }


def test_without_a_command_there_is_no_agent() -> None:
    with pytest.raises(BadConfig, match="is empty"):
        COMMAND.prepare(Session("WEB-1", 1, 1, Path("/s"), Path("/p"), Path("/w"), Path("/o")))


@pytest.mark.parametrize(("code", "passing"), [(75, True), (0, False), (1, False), (143, False)])
def test_exit_75_is_the_error_that_passes(code: int, passing: bool) -> None:
    assert (COMMAND.outcome(Exit(T0, code), -1).kind == "passing-error") is passing


@pytest.mark.parametrize(
    ("number", "kind"),
    [(errno.EIO, TryLater), (errno.ESTALE, TryLater), (errno.EMFILE, TryLater)]
    + [(errno.ELOOP, BadData), (errno.EACCES, BadData), (errno.ENOTDIR, BadData)],
)
def test_what_the_machine_refuses_is_waited_for_and_what_a_session_can_do_is_strange(number: int, kind: type) -> None:
    strange = leavings.refused("exit", OSError(number, os.strerror(number)))

    assert type(strange) is kind
    assert str(strange) == f"out/exit: {os.strerror(number)}"
