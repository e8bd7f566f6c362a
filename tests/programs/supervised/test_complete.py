"""pco-complete: inside a session by the attempt's folder, outside by the spool."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pco.ground import events, leavings
from pco.ground.leavings import Exit
from pco.ground.ticket import State
from sessions import Yard
from support import a_ticket, put

LARGE = 256 << 10


@pytest.fixture
def inside(yard: Yard) -> Any:
    """Run pco-complete as inside the session of WEB-1, which was born and works."""
    yard.claim("WEB-1")
    out = yard.out("WEB-1")
    (out / "events").mkdir(parents=True)
    leavings.bear(out, datetime.now(UTC))
    environ = {"PATH": os.environ["PATH"], "PCO_NO_VENV": "1", "PCO_ATTEMPT_DIR": str(yard.home("WEB-1"))}

    def complete(*args: str, code: int = 0, **more: Any) -> Any:
        return yard.site.run("pco-complete", *args, code=code, env=environ, **more)

    complete.environ = environ  # type: ignore[attr-defined]
    return complete


def completed(yard: Yard) -> list[dict[str, Any]]:
    """The completed events of WEB-1."""
    found = [json.loads(path.read_bytes()) for path in sorted(yard.out("WEB-1").glob("events/*.json"))]
    return [event for event in found if event["event"] == "completed"]


def trigger(yard: Yard) -> int:
    """The FIFO that wakes pco-watch, opened as it does."""
    return os.open(yard.site.home / "run" / "trigger", os.O_RDWR | os.O_NONBLOCK)


# Inside.


def test_inside_the_summary_becomes_an_event_of_this_attempt(yard: Yard, inside: Any) -> None:
    woken = trigger(yard)

    said = inside("All done.\nPlease check.").stdout

    (event,) = completed(yard)
    assert (event["round"], event["attempt"]) == (1, 1)
    assert event["detail"] == {"summary": "All done.\nPlease check.", "by": "agent"}
    assert "handed over" in said
    assert os.read(woken, 10) == b"e"


def test_inside_neither_configuration_nor_spool_are_needed(yard: Yard, inside: Any) -> None:
    yard.site.config.unlink()

    inside("done")


def test_inside_the_bell_of_the_session_is_rung(yard: Yard, inside: Any) -> None:
    bell = yard.out("WEB-1") / "bell"
    os.mkfifo(bell)
    handle = os.open(bell, os.O_RDWR | os.O_NONBLOCK)

    inside("done")

    assert os.read(handle, 10) == b"e"


def test_inside_the_key_may_be_given_but_only_that_of_the_session(yard: Yard, inside: Any) -> None:
    assert "works on WEB-1, not on WEB-2" in inside("WEB-2", "done", code=65).stderr
    assert completed(yard) == []

    inside("WEB-1", "done")
    assert len(completed(yard)) == 1


def test_inside_a_second_summary_is_refused(yard: Yard, inside: Any) -> None:
    inside("one")

    assert "handed over before" in inside("two", code=65).stderr
    assert [event["detail"]["summary"] for event in completed(yard)] == ["one"]


def test_inside_other_events_do_not_count_as_completed(yard: Yard, inside: Any) -> None:
    events.write(str(yard.out("WEB-1")), 1, 1, "working", {"as": "completed", "summary": "x"})
    events.write(str(yard.out("WEB-1")), 1, 1, "completed", {"summary": " "})
    (yard.out("WEB-1") / "events" / "00000000000000000001-1.json").symlink_to("/etc/passwd")
    (yard.out("WEB-1") / "events" / "00000000000000000002-1.json").write_text('{"completed": "completed"')

    inside("done")


def test_inside_a_session_that_was_not_born_is_refused(yard: Yard, inside: Any) -> None:
    (yard.out("WEB-1") / "birth").unlink()

    assert "never begun" in inside("done", code=65).stderr
    assert completed(yard) == []


def test_inside_a_session_that_has_ended_is_refused(yard: Yard, inside: Any) -> None:
    leavings.write_exit(yard.out("WEB-1"), Exit(datetime.now(UTC), 0))

    assert "has ended" in inside("done", code=65).stderr


# The summary.


@pytest.mark.parametrize("empty", ["", "  \n\t ", "\x1b\x07", "\u200b\u202e"])
def test_an_empty_summary_is_refused_and_nothing_changed(yard: Yard, inside: Any, empty: str) -> None:
    assert "empty" in inside(empty, code=65).stderr
    assert completed(yard) == []


def test_a_summary_comes_from_standard_input_too(yard: Yard, inside: Any) -> None:
    inside("-", input="line one\nline two\n")

    assert completed(yard)[0]["detail"]["summary"] == "line one\nline two"


def test_a_list_is_a_summary_and_no_option(yard: Yard, inside: Any) -> None:
    inside("- verified x\n- quiet y")

    assert completed(yard)[0]["detail"]["summary"] == "- verified x\n- quiet y"


def test_a_summary_that_is_too_large_is_refused(yard: Yard, inside: Any) -> None:
    inside("-", input="x" * LARGE)
    assert "larger than 256 KiB" in inside("-", input="x" * (LARGE + 1), code=65).stderr
    assert len(completed(yard)) == 1


def test_a_summary_with_the_sessions_own_login_in_it_is_refused_and_does_not_repeat_it(
    yard: Yard, inside: Any, tmp_path: Path
) -> None:
    (tmp_path / "agent").write_text("login-of-no-form\n")
    inside.environ["CREDENTIALS_DIRECTORY"] = str(tmp_path)

    said = inside("Done, with login-of-no-form.", code=65).stderr

    assert "the summary has the credential agent in it; nothing was changed" in said
    assert "login-of-no-form" not in said
    assert completed(yard) == []


def test_bytes_that_are_no_text_are_replaced(yard: Yard, inside: Any) -> None:
    inside("-", input=None, stdin=_file(yard, b"caf\xe9 \xff ok\x00!"))

    assert completed(yard)[0]["detail"]["summary"] == "caf\ufffd \ufffd ok!"


def test_arguments_that_are_no_text_are_replaced(yard: Yard, inside: Any) -> None:
    inside("caf\udce9")

    assert completed(yard)[0]["detail"]["summary"] == "caf\ufffd"


def test_a_summary_without_quotes_gets_told_about_them(yard: Yard, inside: Any) -> None:
    assert "quotes" in inside("All", "is", "done", code=2).stderr


def test_a_key_alone_is_no_summary(yard: Yard, inside: Any) -> None:
    assert "What is the summary of WEB-1?" in inside("WEB-1", code=2).stderr


def _file(yard: Yard, content: bytes) -> Any:
    path = yard.site.home / "given"
    path.write_bytes(content)
    return open(path, "rb")


# Outside.


def test_outside_the_summary_goes_into_the_record_which_stays_active(yard: Yard) -> None:
    yard.claim("WEB-1")
    woken = trigger(yard)

    yard.site.run("pco-complete", "WEB-1", "by hand")

    ticket = yard.ticket("WEB-1")
    assert ticket.state is State.ACTIVE
    assert ticket.round.summary == "by hand" and ticket.round.summary_by
    assert os.read(woken, 10) == b"e"


def test_outside_who_handed_over_is_audited(yard: Yard) -> None:
    yard.claim("WEB-1")

    yard.site.run("pco-complete", "WEB-1", "by hand")

    (lines,) = [path.read_text() for path in (yard.site.home / "audit").iterdir()]
    record = json.loads(lines.splitlines()[-1])
    assert (record["event"], record["key"]) == ("summary", "WEB-1") and record["by"]


def test_outside_a_ticket_is_needed(yard: Yard) -> None:
    assert "Which ticket?" in yard.site.run("pco-complete", "done", code=2).stderr


def test_outside_an_unknown_key_names_the_nearest(yard: Yard) -> None:
    yard.claim("WEB-12")

    said = yard.site.run("pco-complete", "WEB-13", "done", code=65).stderr

    assert "no ticket WEB-13 (did you mean WEB-12?)" in said


@pytest.mark.parametrize("state", [State.PENDING, State.APPROVED, State.COMPLETED, State.POSTED, State.FAILED])
def test_outside_a_ticket_that_is_not_active_is_refused(yard: Yard, state: State) -> None:
    before = put(yard.site.spool(), a_ticket("WEB-1"), state)

    assert f"WEB-1 is {state}, not active" in yard.site.run("pco-complete", "WEB-1", "done", code=65).stderr
    assert yard.ticket("WEB-1") == before


def test_outside_a_second_summary_is_refused(yard: Yard) -> None:
    yard.claim("WEB-1")
    yard.site.run("pco-complete", "WEB-1", "one")

    assert "handed over before" in yard.site.run("pco-complete", "WEB-1", "two", code=65).stderr
    assert yard.ticket("WEB-1").round.summary == "one"


@pytest.mark.parametrize("key", ["../WEB-1", "WEB-1/..", "web-1", "WEB-", "-1"])
def test_what_is_no_key_never_becomes_a_path(yard: Yard, key: str) -> None:
    yard.claim("WEB-1")

    assert yard.site.run("pco-complete", "--", key, "done", code=None).returncode in (2, 65)
    assert yard.ticket("WEB-1").round.summary == ""


def test_without_a_watcher_nobody_waits(yard: Yard) -> None:
    yard.claim("WEB-1")
    Path(yard.site.home / "run" / "trigger").unlink()

    yard.site.run("pco-complete", "WEB-1", "done")
