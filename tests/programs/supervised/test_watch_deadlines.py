"""What pco-watch does when time passes: births that do not come, silence, time used up, reboots, clocks that jump."""

import json
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from pco.ground import attempt, boot, events, leavings
from pco.ground.leavings import Exit
from pco.ground.record import to_bytes
from pco.ground.ticket import State, Stop
from sessions import Yard, born, sh, until
from support import T0

FOREVER = sh("sleep 1000")


def look(yard: Yard) -> str:
    """One look; returns what was said."""
    return yard.site.run("pco-watch", "--once", "-v", timeout=30).stderr


def outcome(yard: Yard, key: str = "WEB-1") -> str:
    """How the last attempt ended."""
    last = yard.ticket(key).attempt
    return last.outcome if last else ""


def said(yard: Yard, event: str, boot: float, key: str = "WEB-1", **detail: str) -> None:
    """An event of the session at a clock value."""
    out = yard.out(key)
    (out / "events").mkdir(exist_ok=True)
    number = len(list((out / "events").iterdir()))
    value = {"schema": 1, "round": 1, "attempt": 1, "event": event, "at": "2026-11-22T12:00:00Z", "boot": boot}
    (out / "events" / f"{number:020d}-1.json").write_text(json.dumps({**value, "detail": detail}))


# Starting.


def test_a_session_that_is_only_just_starting_is_waited_for(yard: Yard) -> None:
    yard.claim("WEB-1", ago=2)

    look(yard)

    assert yard.state("WEB-1") is State.ACTIVE
    assert not (yard.home("WEB-1") / "fence").exists()


def test_a_session_that_was_never_born_is_fenced_off_and_tried_again(yard: Yard) -> None:
    yard.claim("WEB-1", ago=6)

    look(yard)

    assert (yard.state("WEB-1"), outcome(yard)) == (State.APPROVED, "never-started")
    assert (yard.home("WEB-1") / "fence").exists()


def test_a_session_that_is_born_after_the_fence_does_nothing(yard: Yard) -> None:
    yard.claim("WEB-1", sh("touch $PCO_ATTEMPT_DIR/ran"), ago=6)
    look(yard)

    yard.begin("WEB-1")

    until(lambda: (yard.out("WEB-1") / "birth").exists() and yard.tmux.list() == frozenset())
    assert not (yard.home("WEB-1") / "ran").exists()


def test_a_birth_that_was_faster_than_the_fence_is_judged_as_a_living_session(yard: Yard) -> None:
    yard.claim("WEB-1", ago=6)
    attempt.fence(yard.home("WEB-1"))
    born(yard.out("WEB-1"))
    said(yard, "started", boot.clock())

    look(yard)

    assert (yard.state("WEB-1"), outcome(yard)) == (State.APPROVED, "died")


def test_a_watcher_that_runs_notices_in_time_that_nothing_was_born(yard: Yard, watch: object) -> None:
    yard.claim("WEB-1", ago=4)
    yard.ring()

    yard.comes_to("WEB-1", State.APPROVED)

    assert outcome(yard) == "never-started"


def test_an_attempt_without_a_folder_has_never_started(yard: Yard) -> None:
    yard.claim("WEB-1", ago=6)
    (yard.home("WEB-1") / "launch.json").unlink()

    look(yard)

    assert outcome(yard) == "never-started"


def test_a_session_whose_agent_does_not_begin_is_ended(yard: Yard) -> None:
    slow = yard.site.home / "slow.git"
    for folder in ("objects", "refs"):
        (slow / folder).mkdir(parents=True)
    os.mkfifo(slow / "HEAD")
    yard.claim("WEB-1", ago=700, launch={"mirror": str(slow)})
    yard.begin("WEB-1")
    until((yard.out("WEB-1") / "bell").exists)

    watch = yard.watch()

    yard.comes_to("WEB-1", State.APPROVED)
    watch.terminate()
    assert outcome(yard) == "start-failed"


def test_a_clone_that_fails_is_tried_again_with_its_reason(yard: Yard, watch: object) -> None:
    yard.run("WEB-1", FOREVER, launch={"mirror": "/nowhere.git"})

    ticket = yard.comes_to("WEB-1", State.APPROVED)

    assert outcome(yard) == "start-failed"
    assert "cannot clone the mirror" in ticket.history[-1].why


# Silence, and time used up.


def test_a_session_without_a_sign_of_life_is_ended_and_tried_again(yard: Yard) -> None:
    yard.site.configure(sessions={"stall_after": "2s"})
    watch = yard.watch()
    yard.run("WEB-1", FOREVER)

    yard.comes_to("WEB-1", State.APPROVED)

    assert outcome(yard) == "stalled"
    assert yard.tmux.list() == frozenset()
    watch.terminate()


def test_a_screen_that_changes_is_a_sign_of_life(yard: Yard) -> None:
    yard.site.configure(sessions={"stall_after": "2s"})
    watch = yard.watch()
    yard.run("WEB-1", sh("for i in 1 2 3 4 5 6 7 8; do echo $i; sleep 0.5; done; pco-complete done"))

    yard.comes_to("WEB-1", State.COMPLETED)
    watch.terminate()


def test_a_session_that_waits_for_a_person_does_not_stall(yard: Yard) -> None:
    yard.site.configure(sessions={"stall_after": "20s", "max_duration": "50s"})
    yard.claim("WEB-1", FOREVER, ago=100)
    yard.begin("WEB-1")
    until(lambda: list(yard.out("WEB-1").glob("events/*.json")))
    said(yard, "blocked", boot.clock() - 90, what="Bash")

    look(yard)

    ticket = yard.ticket("WEB-1")
    assert ticket.state is State.ACTIVE
    assert ticket.blocked and ticket.blocked.what == "Bash"


def test_a_session_that_goes_on_after_it_waited_is_no_longer_blocked(yard: Yard) -> None:
    yard.run("WEB-1", FOREVER)
    until(lambda: list(yard.out("WEB-1").glob("events/*.json")))
    said(yard, "blocked", boot.clock(), what="Bash")
    look(yard)
    said(yard, "working", boot.clock())

    look(yard)

    ticket = yard.ticket("WEB-1")
    assert ticket.blocked is None and len(ticket.round.blocked) == 1


def test_a_session_whose_time_is_used_up_is_ended_and_failed(yard: Yard) -> None:
    yard.site.configure(sessions={"max_duration": "2s"})
    watch = yard.watch()
    yard.run("WEB-1", sh("while :; do date +%N; sleep 0.2; done"))

    ticket = yard.comes_to("WEB-1", State.FAILED)

    assert outcome(yard) == "too-long"
    assert "time is used up" in ticket.history[-1].why
    watch.terminate()


def test_why_a_session_is_ended_is_on_disk_before_it_is_ended(yard: Yard) -> None:
    yard.claim("WEB-1", sh("trap '' TERM; sleep 1000"), ago=100_000, launch={"grace": 5.0})
    yard.begin("WEB-1")
    until(lambda: list(yard.out("WEB-1").glob("events/*.json")))

    look(yard)

    last = yard.ticket("WEB-1").attempt
    assert last and last.ending == "too-long"
    assert yard.tmux.list() == {"WEB-1"}


def test_a_jump_of_the_wall_clock_ends_no_session(yard: Yard) -> None:
    yard.run("WEB-1", FOREVER)
    until(lambda: list(yard.out("WEB-1").glob("events/*.json")))
    look(yard)
    for years in (-20, 20):
        moved = yard.ticket("WEB-1").with_attempt(start=datetime.now(UTC) + timedelta(days=365 * years))
        yard.site.spool().path("WEB-1", State.ACTIVE).write_bytes(to_bytes(moved))
        for path in yard.out("WEB-1").rglob("*"):
            os.utime(path, (0, 0) if years < 0 else (4e9, 4e9))

        look(yard)

        assert yard.state("WEB-1") is State.ACTIVE


# Reboots.


def test_a_session_of_an_earlier_boot_was_ended_by_it_and_does_not_count(yard: Yard) -> None:
    yard.site.configure(sessions={"attempts": 1})
    yard.claim("WEB-1", boot_id="00000000-0000-0000-0000-000000000000", born=True)
    born(yard.out("WEB-1"))

    look(yard)

    assert (yard.state("WEB-1"), outcome(yard)) == (State.APPROVED, "reboot")


def test_a_summary_that_was_handed_over_before_the_reboot_counts(yard: Yard) -> None:
    yard.claim("WEB-1", boot_id="00000000-0000-0000-0000-000000000000")
    events.write(str(born(yard.out("WEB-1"))), 1, 1, "completed", {"summary": "done"})

    look(yard)

    assert yard.state("WEB-1") is State.COMPLETED


def test_a_request_to_stop_counts_after_a_reboot_too(yard: Yard) -> None:
    yard.claim("WEB-1", boot_id="00000000-0000-0000-0000-000000000000")
    stop = Stop(T0, "alice")
    yard.site.spool().update("WEB-1", lambda ticket: (replace(ticket, stop=stop), None))

    look(yard)

    assert yard.state("WEB-1") is State.REJECTED


# A runner that does not answer.


def test_nothing_is_decided_while_the_runner_does_not_answer(yard: Yard) -> None:
    yard.claim("WEB-1", ago=100_000, born=True)
    out = born(yard.out("WEB-1"))
    leavings.write_exit(out, Exit(datetime.now(UTC), 0))
    programs = yard.site.home / "programs"
    programs.mkdir()
    tmux = programs / "tmux"
    tmux.write_text("#!/bin/sh\necho 'error connecting to socket (Permission denied)' >&2; exit 1\n")
    tmux.chmod(0o755)
    environ = {**yard.site.environment(), "PATH": f"{programs}:{os.environ['PATH']}"}

    yard.site.run("pco-watch", "--once", env=environ)

    assert yard.state("WEB-1") is State.ACTIVE
