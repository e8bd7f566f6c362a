"""Whether pco is well, and why not."""

from datetime import timedelta

import pytest

from pco.commands import watch
from pco.ground import config
from pco.ground.polled import Head
from pco.ground.ticket import Note, State
from pco.rules.budget import Purse
from pco.rules.health import PATIENCE, SILENCE, Disk, Facts, judge, overdue
from support import T0, TOP, WEB

LIMITS = config.Health()
WELL = Head(WEB, key="WEB", polled_at=T0 - timedelta(seconds=30))
MINUTE = timedelta(minutes=1)


def reasons(**facts: object) -> tuple[str, ...]:
    """The reasons for these facts, with a well Plane beside them."""
    return judge(Facts(**{"now": T0, "heads": (WELL,), **facts}), LIMITS).reasons


def test_pco_is_ok_when_all_is_well():
    facts = Facts(T0, (WELL,), (Disk("/var", 0.5),), outbox=(("WEB-1", T0 - MINUTE),), watching=True)

    judged = judge(facts, LIMITS)

    assert (judged.status, judged.reasons, judged.notes) == ("ok", (), ())


def test_what_is_not_known_is_not_complained_of():
    judged = judge(Facts(T0, watching=None), LIMITS)

    assert judged.status == "ok"
    assert judged.notes == ("no project of Plane is configured",)


def test_no_successful_poll_for_too_long_is_ill_health():
    old = Head(WEB, key="WEB", polled_at=T0 - 6 * MINUTE, error="503 Service Unavailable")

    assert reasons(heads=(old,)) == ("WEB: no successful poll for 6m: 503 Service Unavailable",)


def test_a_clock_that_went_back_after_the_last_poll_is_said():
    assert "the clock went back" in reasons(heads=(Head(WEB, key="WEB", polled_at=T0 + timedelta(hours=2)),))[0]
    assert reasons(heads=(Head(WEB, key="WEB", polled_at=T0 - 5 * MINUTE),)) == ()


def test_a_project_that_was_never_polled_is_ill_health():
    assert reasons(heads=(WELL, Head("another"))) == ("another: never polled with success",)


def test_many_failed_polls_in_a_row_are_ill_health_even_if_the_last_success_is_young():
    assert reasons(heads=(Head(WEB, key="WEB", polled_at=T0, failed=4),)) == ()
    assert reasons(heads=(Head(WEB, key="WEB", polled_at=T0, failed=5, error="no route"),)) == (
        "WEB: the last 5 polls failed: no route",
    )


def test_a_full_disk_is_ill_health():
    assert reasons(disks=(Disk("/var/spool/pco", 0.2),)) == ()
    assert reasons(disks=(Disk("/var/spool/pco", 0.19),)) == ("/var/spool/pco: 19% of the disk is free (wanted: 20%)",)


def test_memory_without_room_for_a_session_is_ill_health():
    assert reasons(memory=512 << 20) == reasons(memory=None) == ()
    assert reasons(memory=511 << 20) == ("511 MiB of memory are available (wanted for a session: 512 MiB)",)


def test_corrupt_tickets_are_ill_health_and_named_up_to_five():
    assert "WEB-1" in reasons(corrupt=("WEB-1",))[0]
    assert reasons(corrupt=tuple(f"WEB-{n}" for n in range(1, 8)))[0].startswith(
        "corrupt: WEB-1, WEB-2, WEB-3, WEB-4, WEB-5 …"
    )


def test_a_watch_that_is_not_running_is_ill_health():
    assert reasons(watching=True) == reasons(watching=None) == ()
    assert reasons(watching=False) == ("pco-watch is not running: nobody notices what sessions do",)


def test_a_watch_that_holds_its_lock_and_does_nothing_is_ill_health():
    assert reasons(watching=True, watched=T0 - SILENCE) == ()
    assert reasons(watching=True, watched=T0 - 3 * MINUTE) == ("pco-watch has done nothing for 3m: it hangs",)
    assert reasons(watching=None, watched=T0 - 3 * MINUTE) == ()


def test_the_silence_of_a_watch_is_what_its_unit_calls_too_long():
    unit = (TOP / "systemd" / "pco-watch.service").read_text()

    assert f"WatchdogSec={SILENCE // MINUTE}min\n" in unit
    assert timedelta(seconds=watch.RESCAN) < SILENCE


def test_each_unit_that_has_failed_is_named():
    assert reasons(failed=()) == reasons(failed=None) == ()
    assert [reason.split()[0] for reason in reasons(failed=("pco-poll.service", "pco-post.path"))] == [
        "pco-poll.service",
        "pco-post.path",
    ]


def test_a_comment_that_waits_for_more_than_ten_minutes_is_ill_health():
    assert reasons(outbox=(("WEB-1", T0 - 10 * MINUTE),)) == ()
    assert reasons(outbox=(("WEB-1", T0 - 11 * MINUTE), ("WEB-2", T0 - 20 * MINUTE))) == (
        "WEB-2 and 1 more wait in the outbox for 20m: the comment does not get into Plane",
    )


def test_what_cannot_be_read_is_ill_health():
    assert reasons(unreadable=("WEB-3: schema 9 is newer",)) == ("WEB-3: schema 9 is newer",)


def test_a_pause_is_good_to_know_but_no_ill_health():
    judged = judge(Facts(T0, (WELL,), paused=Note(T0, "anna", "release")), LIMITS)

    assert (judged.status, judged.notes) == ("ok", ("paused by anna: release (pco-queue resume)",))


@pytest.mark.parametrize("state", list(PATIENCE))
def test_a_ticket_is_overdue_after_the_patience_with_its_state(state):
    assert not overdue(state, T0 - PATIENCE[state], T0)
    assert overdue(state, T0 - PATIENCE[state] - timedelta(seconds=1), T0)
    assert not overdue(state, None, T0)


def test_what_has_finished_or_runs_is_never_overdue():
    assert not any(overdue(s, T0 - timedelta(days=99), T0) for s in (State.POSTED, State.REJECTED, State.ACTIVE))


def test_a_day_whose_money_is_used_up_is_good_to_know_and_no_ill_health():
    purse = Purse(config.Budget(daily_usd=100.0), today=100.5)

    judged = judge(Facts(T0, (WELL,), purse=purse), LIMITS)

    assert judged.status == "ok"
    assert judged.notes == (
        "today's budget is used up ($100.50 of $100.00, budget.daily_usd): approved tickets go on tomorrow",
    )
