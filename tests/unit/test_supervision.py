"""What becomes of an active ticket.  No clock, no disk: times are numbers given to the judge."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from pco.ground.config import Budget, Sessions
from pco.ground.leavings import Account, Exit, Outcome
from pco.ground.ticket import Attempt, Blocked, Cost, Forward, Noted, Round, State, Stop, Ticket, Trigger
from pco.rules import retry, supervision
from pco.rules.budget import Purse
from pco.rules.hearing import Heard
from pco.rules.supervision import CLONE_MARGIN, EXIT_MARGIN, LINGER, Seen, Step, Verdict
from support import T0, a_ticket

LIMITS = Sessions(
    start_within=timedelta(seconds=30),
    clone_within=timedelta(seconds=600),
    complete_grace=timedelta(seconds=30),
    stall_after=timedelta(seconds=1200),
    max_duration=timedelta(seconds=14400),
    idle_after=timedelta(seconds=900),
    turn_failed_after=timedelta(seconds=60),
    attempts=2,
)
BEGAN = 5000.0  # the clock at which the attempt began


def active(**changes: Any) -> Ticket:
    """An active ticket in its first attempt."""
    given = {"n": 1, "start": T0, "boot_id": "this", "boot_time": BEGAN, "born": True}
    return replace(a_ticket().with_round(attempts=(Attempt(**{**given, **changes}),)), state=State.ACTIVE)


def seen(after: float, alive: bool | None = True, **changes: Any) -> Seen:
    """What is seen `after` seconds; the session has begun its work and just gave a sign of life."""
    heard = changes.pop("heard", Heard(started=True, life=BEGAN + after))
    return Seen("this", BEGAN + after, alive, heard=heard, **{"born": True, **changes})


def judge(ticket: Ticket, what: Seen) -> Verdict:
    """As pco-watch does it: first take in what was told."""
    return supervision.judge(supervision.noted(ticket, what), what, LIMITS)


STOP = Stop(T0, "alice", "wrong ticket")
PAUSE = Stop(T0, "bob", "night", to="approved")
UNBORN = {"born": False, "heard": Heard()}


# Starting.


def test_a_session_that_is_not_there_yet_is_waited_for() -> None:
    assert judge(active(born=False), seen(1, alive=False, **UNBORN)) == Verdict(Step.WAIT, at=BEGAN + 30)


@pytest.mark.parametrize("alive", [True, False])
def test_a_session_that_was_not_born_in_time_is_fenced_off_before_anything_is_concluded(alive: bool) -> None:
    assert judge(active(born=False), seen(30, alive=alive, **UNBORN)).step is Step.FENCE


def test_behind_the_fence_an_unborn_session_has_never_started() -> None:
    verdict = judge(active(born=False), seen(30, alive=False, fenced=True, **UNBORN))

    assert (verdict.step, verdict.outcome, verdict.to) == (Step.MOVE, retry.NEVER_STARTED, State.APPROVED)


def test_behind_the_fence_what_hangs_unborn_is_ended() -> None:
    assert judge(active(born=False), seen(30, fenced=True, **UNBORN)) == Verdict(Step.END, retry.NEVER_STARTED)


def test_behind_the_fence_a_session_that_was_born_after_all_is_judged_as_a_living_one() -> None:
    assert judge(active(born=False), seen(31, fenced=True)).step is Step.WAIT


def test_a_session_that_met_the_fence_and_left_has_never_started() -> None:
    assert judge(active(), seen(31, alive=False, fenced=True, heard=Heard())).outcome == retry.NEVER_STARTED


def test_a_session_whose_agent_does_not_begin_is_ended_after_the_time_to_clone() -> None:
    due = 600 + CLONE_MARGIN

    assert judge(active(), seen(due - 1, heard=Heard())) == Verdict(Step.WAIT, at=BEGAN + due)
    assert judge(active(), seen(due, heard=Heard())) == Verdict(Step.END, retry.START_FAILED)


def test_a_clone_that_failed_is_a_failed_start_and_tried_again() -> None:
    exit = Exit(T0, 75, "cannot clone the mirror: it is gone")

    verdict = judge(active(), seen(9, alive=False, exit=exit, meaning=Outcome(retry.PASSING, "x")))

    assert (verdict.outcome, verdict.to, verdict.why) == (retry.START_FAILED, State.APPROVED, exit.error)


# Working.


def test_a_working_session_is_looked_at_again_when_it_would_have_stalled() -> None:
    assert judge(active(), seen(100)) == Verdict(Step.WAIT, at=BEGAN + 100 + 1200)


def test_a_session_without_a_sign_of_life_is_ended() -> None:
    assert judge(active(), seen(1300, heard=Heard(True, life=BEGAN + 100))) == Verdict(Step.END, retry.STALLED)


def test_a_session_without_any_event_stalls_from_its_beginning() -> None:
    assert judge(active(), seen(1199, heard=Heard(True))) == Verdict(Step.WAIT, at=BEGAN + 1200)


def test_a_session_that_waits_for_a_person_does_not_stall_and_its_time_stands_still() -> None:
    blocked = Heard(True, life=BEGAN + 50, since=BEGAN + 50)

    assert judge(active(), seen(1_000_000, heard=blocked)) == Verdict(Step.WAIT)


def test_a_session_that_takes_too_long_is_ended() -> None:
    assert judge(active(), seen(14400)) == Verdict(Step.END, retry.TOO_LONG)


def test_time_spent_waiting_for_a_person_is_added_to_the_time_allowed() -> None:
    waited = Heard(True, life=BEGAN + 15000, waited=1000.0)

    assert judge(active(), seen(15000, heard=waited)) == Verdict(Step.WAIT, at=BEGAN + 15400)
    assert judge(active(), seen(15400, heard=waited)) == Verdict(Step.END, retry.TOO_LONG)


def test_nothing_is_decided_while_the_runner_does_not_know() -> None:
    for ticket in (active(), active(born=False), replace(active(), stop=STOP)):
        assert judge(ticket, seen(99999, alive=None)) == Verdict(Step.WAIT)


def test_why_a_session_is_ended_stays_what_it_was_first() -> None:
    assert judge(active(ending=retry.STALLED), seen(14400)) == Verdict(Step.END, retry.STALLED)


def test_the_wall_clock_is_not_asked() -> None:
    long_ago = active(start=T0 - timedelta(days=3650))
    ahead = active(start=T0 + timedelta(days=3650))

    assert judge(long_ago, seen(100)) == judge(ahead, seen(100)) == judge(active(), seen(100))


# A conversation.


def waiting(after: float, **changes: Any) -> Seen:
    """An agent with hooks that has begun, and whose screen goes on to change."""
    return seen(after, heard=Heard(**{"started": True, "life": BEGAN + after, **changes}))


def test_an_agent_that_was_launched_and_does_not_say_that_it_has_started_is_ended() -> None:
    launched = Heard(launched=BEGAN + 100)

    assert judge(active(), seen(129, heard=launched)) == Verdict(Step.WAIT, at=BEGAN + 130)
    assert judge(active(), seen(130, heard=launched)) == Verdict(Step.END, retry.START_FAILED)


def test_while_it_clones_an_agent_need_not_have_started() -> None:
    assert judge(active(), seen(500, heard=Heard())).step is Step.WAIT


def test_an_agent_whose_turn_has_ended_is_idle_after_a_while_whatever_its_screen_shows() -> None:
    assert judge(active(), waiting(899, resting=BEGAN)) == Verdict(Step.WAIT, at=BEGAN + 900)
    assert judge(active(), waiting(900, resting=BEGAN)) == Verdict(Step.END, retry.IDLE)


def test_an_agent_at_rest_does_not_stall_and_its_time_stands_still() -> None:
    patient = replace(LIMITS, idle_after=timedelta(days=365))

    for after in (1300, 15_000):
        assert supervision.judge(active(), seen(after, heard=Heard(True, resting=BEGAN)), patient).step is Step.WAIT


def test_an_agent_that_waits_for_a_person_is_not_idle() -> None:
    assert judge(active(), waiting(5000, resting=BEGAN, since=BEGAN)) == Verdict(Step.WAIT)


def test_a_turn_that_failed_ends_the_session_after_a_while_and_it_is_tried_again() -> None:
    assert judge(active(), waiting(109, failing=BEGAN + 50)) == Verdict(Step.WAIT, at=BEGAN + 110)
    assert judge(active(), waiting(110, failing=BEGAN + 50)) == Verdict(Step.END, retry.PASSING)

    heard = Heard(True, failing=BEGAN + 50, failure="overloaded")
    verdict = judge(active(ending=retry.PASSING), seen(120, alive=False, heard=heard))

    assert (verdict.outcome, verdict.to) == (retry.PASSING, State.APPROVED)
    assert verdict.why == "its turn failed, and nobody spoke to it: the session was ended: overloaded"


def test_an_idle_session_is_not_tried_again() -> None:
    verdict = judge(active(ending=retry.IDLE), seen(901, alive=False))

    assert (verdict.outcome, verdict.to) == (retry.IDLE, State.FAILED)


def done(ticket: Ticket, what: Seen) -> Ticket:
    """The record after the session has gone."""
    return supervision.finished(ticket, what, judge(ticket, what), T0)


def test_the_last_words_of_a_session_without_a_summary_are_a_draft_and_no_summary() -> None:
    ended = done(active(), seen(9, alive=False, exit=Exit(T0, 0), heard=Heard(True, said="So far so good.\x1b")))

    assert (ended.round.draft, ended.round.summary, ended.round.summary_by) == ("So far so good.", "", "")


def test_what_a_headless_agent_printed_goes_before_what_its_hooks_heard() -> None:
    meaning = Outcome(retry.MAX_TURNS, "its turns are used up", draft="printed")

    ended = done(active(), seen(9, alive=False, exit=Exit(T0, 1), meaning=meaning, heard=Heard(True, said="heard")))

    assert (ended.round.draft, ended.round.summary) == ("printed", "")


def test_a_session_without_a_word_leaves_the_draft_of_the_one_before() -> None:
    ticket = active().with_round(draft="of before")

    assert done(ticket, seen(9, alive=False)).round.draft == "of before"


def test_the_result_of_a_headless_agent_is_its_summary() -> None:
    meaning = Outcome(retry.COMPLETED, summary=" All done.\x1b[0m ")
    what = seen(9, alive=False, exit=Exit(T0, 0), meaning=meaning, heard=Heard(True, said="heard"))

    ended = done(active(), what)

    assert judge(active(), what).to is State.COMPLETED
    assert (ended.round.summary, ended.round.summary_by, ended.round.draft) == ("All done.[0m", "agent", "")


def test_a_summary_that_was_handed_over_is_not_replaced_by_a_result_or_last_words() -> None:
    meaning = Outcome(retry.COMPLETED, summary="printed")
    heard = replace(told(), said="heard")

    ended = done(supervision.noted(active(), seen(5, heard=heard)), seen(9, alive=False, heard=heard, meaning=meaning))

    assert (ended.round.summary, ended.round.draft) == ("done", "")


# Completing.


def told(summary: str = "done") -> Heard:
    """A session that handed over its summary."""
    return Heard(True, summary=summary, summary_by="agent", life=BEGAN + 100)


def test_a_summary_is_noted_at_once_with_who_gave_it_and_when_it_was_seen() -> None:
    after = supervision.noted(active(), seen(100, heard=told()))

    assert (after.round.summary, after.round.summary_by) == ("done", "agent")
    assert after.attempt and (after.attempt.ending, after.attempt.ending_at) == (retry.COMPLETED, BEGAN + 100)


def test_a_summary_that_stands_in_the_record_is_not_replaced() -> None:
    ticket = active().with_round(summary="by hand", summary_by="alice")

    after = supervision.noted(ticket, seen(100, heard=told()))

    assert (after.round.summary, after.round.summary_by) == ("by hand", "alice")
    assert after.attempt and after.attempt.ending == retry.COMPLETED


def test_a_session_that_goes_on_after_its_summary_is_ended_after_the_grace() -> None:
    ticket = supervision.noted(active(), seen(100, heard=told()))

    assert judge(ticket, seen(129, heard=told())) == Verdict(Step.WAIT, at=BEGAN + 130)
    assert judge(ticket, seen(130, heard=told())) == Verdict(Step.END, retry.COMPLETED)


@pytest.mark.parametrize(
    "changes",
    [
        {"exit": Exit(T0, 1)},
        {"exit": Exit(T0, 75), "meaning": Outcome(retry.PASSING, "x")},
        {"exit": Exit(T0, 143, told="TERM")},
        {"fenced": True},
        {},
    ],
)
def test_a_summary_wins_however_the_session_ended(changes: dict[str, Any]) -> None:
    verdict = judge(active(), seen(200, alive=False, heard=told(), **changes))

    assert (verdict.outcome, verdict.to) == (retry.COMPLETED, State.COMPLETED)


def test_a_summary_wins_over_a_request_to_stop() -> None:
    verdict = judge(replace(active(ending=retry.STOPPED), stop=STOP), seen(200, alive=False, heard=told()))

    assert verdict.to is State.COMPLETED


def test_a_summary_wins_over_a_reboot() -> None:
    assert judge(active(boot_id="before"), seen(1, alive=False, heard=told())).to is State.COMPLETED


# Ending.


@pytest.mark.parametrize(
    ("exit", "meaning", "outcome", "to"),
    [
        (None, None, retry.DIED, State.APPROVED),
        (Exit(T0, 75), Outcome(retry.PASSING, "API down"), retry.PASSING, State.APPROVED),
        (Exit(T0, 0), Outcome(retry.FAILED, "no summary"), retry.FAILED, State.FAILED),
        (Exit(T0, 143, told="TERM"), Outcome(retry.FAILED, "x"), retry.INTERRUPTED, State.APPROVED),
        (Exit(T0, 143), Outcome(retry.FAILED, "killed itself"), retry.FAILED, State.FAILED),
    ],
)
def test_how_a_session_ended_says_where_its_ticket_goes(
    exit: Exit | None, meaning: Outcome | None, outcome: str, to: State
) -> None:
    verdict = judge(active(), seen(200, alive=False, exit=exit, meaning=meaning))

    assert (verdict.step, verdict.outcome, verdict.to) == (Step.MOVE, outcome, to)


@pytest.mark.parametrize("ending", [retry.STALLED, retry.TOO_LONG, retry.START_FAILED, retry.NEVER_STARTED])
def test_a_session_that_pco_ended_has_the_outcome_that_was_noted_before(ending: str) -> None:
    verdict = judge(active(ending=ending), seen(200, alive=False, exit=Exit(T0, 143, told="TERM")))

    assert verdict.outcome == ending
    assert verdict.to is (State.FAILED if ending == retry.TOO_LONG else State.APPROVED)


@pytest.mark.parametrize("outcome", [retry.DIED, retry.STALLED, retry.PASSING])
def test_the_last_attempt_that_is_allowed_leads_to_failed(outcome: str) -> None:
    ticket = active()
    earlier = Attempt(1, T0, T0, outcome)
    ticket = ticket.with_round(attempts=(earlier, replace(ticket.round.attempts[0], n=2)))

    assert judge(ticket, seen(200, alive=False)).to is State.FAILED


def test_attempts_that_do_not_count_leave_the_others() -> None:
    ticket = active()
    earlier = tuple(Attempt(n, T0, T0, retry.REBOOT) for n in range(1, 9))
    ticket = ticket.with_round(attempts=(*earlier, replace(ticket.round.attempts[0], n=9)))

    assert judge(ticket, seen(200, alive=False)).to is State.APPROVED


@pytest.mark.parametrize("alive", [True, False, None])
def test_a_reboot_ends_all_sessions_and_does_not_count(alive: bool | None) -> None:
    verdict = judge(active(boot_id="before"), seen(1, alive=alive))

    assert (verdict.outcome, verdict.to) == (retry.REBOOT, State.APPROVED)


def test_a_session_told_to_end_by_the_shutdown_was_ended_by_the_reboot() -> None:
    verdict = judge(active(boot_id="before"), seen(1, alive=False, exit=Exit(T0, 143, told="TERM")))

    assert verdict.outcome == retry.REBOOT


def test_a_session_that_ended_by_itself_before_the_reboot_is_judged_by_its_exit() -> None:
    verdict = judge(
        active(boot_id="before"), seen(1, alive=False, exit=Exit(T0, 1), meaning=Outcome(retry.FAILED, "no"))
    )

    assert verdict.to is State.FAILED


def test_a_boot_id_that_cannot_be_read_is_no_reboot() -> None:
    unread = replace(seen(100), boot_id="")

    assert judge(active(), unread).step is Step.WAIT


def test_a_session_that_hangs_on_after_its_exit_record_is_ended_after_a_moment() -> None:
    exit = Exit(T0, 0, boot=BEGAN + 100)

    assert judge(active(), seen(100, exit=exit)) == Verdict(Step.WAIT, at=BEGAN + 100 + EXIT_MARGIN)
    assert judge(active(), seen(102, exit=exit)).step is Step.END


def test_an_exit_record_from_the_future_does_not_keep_a_session_alive() -> None:
    late = Exit(T0, 0, boot=1e14)

    assert judge(active(), seen(100, exit=late)).at == BEGAN + 100 + EXIT_MARGIN


def test_a_process_that_its_runner_forgot_is_waited_for_but_not_for_ever() -> None:
    assert supervision.ending_still(BEGAN, BEGAN) and supervision.ending_still(BEGAN, BEGAN + LINGER - 1)
    assert not supervision.ending_still(BEGAN, BEGAN + LINGER)


# Stopping.


@pytest.mark.parametrize(("stop", "to"), [(STOP, State.REJECTED), (PAUSE, State.APPROVED)])
def test_a_session_that_was_asked_to_stop_is_ended_and_goes_where_the_request_says(stop: Stop, to: State) -> None:
    ticket = replace(active(), stop=stop)

    assert judge(ticket, seen(100)) == Verdict(Step.END, retry.STOPPED)
    verdict = judge(ticket, seen(101, alive=False, exit=Exit(T0, 143, told="TERM")))
    assert (verdict.outcome, verdict.to) == (retry.STOPPED, to)
    assert stop.by in verdict.why and stop.why in verdict.why


def test_an_unborn_session_that_was_asked_to_stop_is_fenced_off_at_once() -> None:
    ticket = replace(active(born=False), stop=STOP)

    assert judge(ticket, seen(0, alive=False, **UNBORN)).step is Step.FENCE
    assert judge(ticket, seen(0, alive=False, fenced=True, **UNBORN)).to is State.REJECTED


def test_a_request_that_was_taken_back_while_the_session_ended_leads_to_approved() -> None:
    assert judge(active(ending=retry.STOPPED), seen(100, alive=False)).to is State.APPROVED


# The record.


def test_birth_and_blocked_times_are_noted() -> None:
    interval = Blocked(T0, None, "Bash")
    earlier = Blocked(T0 - timedelta(days=1), T0, "before")
    ticket = active(born=False).with_round(blocked=(earlier,))

    once = supervision.noted(ticket, seen(10, heard=Heard(True, blocked=(interval,))))
    closed = replace(interval, to=T0 + timedelta(seconds=5))
    twice = supervision.noted(once, seen(15, heard=Heard(True, blocked=(closed,))))

    assert once.attempt and once.attempt.born
    assert once.blocked == interval
    assert twice.round.blocked == (earlier, closed)


def test_what_was_noted_once_is_not_noted_again() -> None:
    what = seen(10, heard=told())
    once = supervision.noted(active(born=False), what)

    assert supervision.noted(once, replace(what, clock=what.clock + 5)) == once


FIRST = Noted(T0, "comment", "Maria", forward=Forward(1, "bob", T0))
SECOND = replace(FIRST, forward=Forward(2, "bob", T0))


def test_what_was_forwarded_and_taken_is_given_to_this_round() -> None:
    unasked = replace(FIRST, forward=None)
    ticket = replace(active(), noted=(FIRST, SECOND, unasked))
    what = seen(10, heard=Heard(True, given=frozenset({1, 7})))

    once = supervision.noted(ticket, what)

    assert [event.given for event in once.noted] == [1, 0, 0]
    assert once.forwarded == (SECOND,)
    assert supervision.noted(once, what) == once


def test_what_is_taken_after_a_summary_that_a_person_gave_is_not_given() -> None:
    ticket = replace(active(), noted=(FIRST,)).with_round(summary="by hand", summary_by="alice")

    assert supervision.noted(ticket, seen(10, heard=Heard(True, given=frozenset({1})))).noted == (FIRST,)


def test_what_was_taken_before_a_summary_of_the_same_look_is_given() -> None:
    heard = replace(told(), given=frozenset({1}))

    assert supervision.noted(replace(active(), noted=(FIRST,)), seen(10, heard=heard)).noted[0].given == 1


def test_moving_closes_the_attempt_and_deals_with_the_request() -> None:
    ticket = replace(active(), stop=PAUSE).with_round(blocked=(Blocked(T0, None, "Bash"),))
    what = seen(10, alive=False, exit=Exit(T0, 143, told="TERM"))
    end = T0 + timedelta(seconds=9)

    done = supervision.finished(ticket, what, judge(ticket, what), end)

    assert done.attempt and (done.attempt.end, done.attempt.outcome, done.attempt.exit) == (end, retry.STOPPED, 143)
    assert done.stop is None and done.blocked is None


def test_why_pco_ends_a_session_is_noted_once() -> None:
    stalled = supervision.ending(active(), retry.STALLED, 7.0)

    assert stalled.attempt and (stalled.attempt.ending, stalled.attempt.ending_at) == (retry.STALLED, 7.0)
    assert supervision.ending(stalled, retry.TOO_LONG, 9.0) == stalled


@pytest.mark.parametrize(
    ("alive", "verdict"),
    [
        (None, Verdict(Step.WAIT)),
        (True, Verdict(Step.END, retry.STOPPED)),
        (False, Verdict(Step.MOVE, "", "no attempt was begun", State.APPROVED)),
    ],
)
def test_an_active_ticket_that_nobody_launched_goes_back(alive: bool | None, verdict: Verdict) -> None:
    by_hand = replace(a_ticket(), state=State.ACTIVE)

    assert judge(by_hand, seen(1, alive=alive)) == verdict
    assert supervision.finished(by_hand, seen(1), verdict, T0) == by_hand


# Money.


PURSE = Purse(Budget(ticket_usd=20.0, daily_usd=100.0))


def spending(usd: float, **changes: Any) -> Seen:
    """A session that works and has cost so much."""
    return seen(100, account=Account(usd), **changes)


def judged(ticket: Ticket, what: Seen, purse: Purse = PURSE) -> Verdict:
    return supervision.judge(supervision.noted(ticket, what), what, LIMITS, purse)


def test_a_session_that_has_spent_the_money_of_its_ticket_is_ended_with_the_figures() -> None:
    verdict = judged(active(), spending(20.13))

    assert (verdict.step, verdict.outcome) == (Step.END, retry.OVER_BUDGET)
    assert verdict.why == "its budget is used up ($20.13 of $20.00, budget.ticket_usd)"
    assert judged(active(), spending(19.99)).step is Step.WAIT


def test_what_earlier_rounds_have_cost_counts() -> None:
    before = Round(1, Trigger("new", T0), cost=Cost(15.0))
    second = active()
    second = replace(second, rounds=(before, replace(second.round, n=2)))

    assert judged(second, spending(5.0)).outcome == retry.OVER_BUDGET


def test_a_day_whose_money_is_used_up_ends_who_works_but_not_who_waits_for_a_person() -> None:
    gone = replace(PURSE, today=100.0)
    waiting = Heard(started=True, life=BEGAN, since=BEGAN + 50)
    resting = Heard(started=True, life=BEGAN, resting=BEGAN + 50)

    assert judged(active(), spending(1.0), gone).outcome == retry.OVER_BUDGET
    assert judged(active(), spending(1.0, heard=waiting), gone).step is Step.WAIT
    assert judged(active(), spending(1.0, heard=resting), gone).step is Step.WAIT


def test_a_session_that_has_handed_over_its_summary_is_not_ended_for_money() -> None:
    done = Heard(started=True, life=BEGAN + 99, summary="Done.", summary_by="agent")

    assert judged(active(), spending(30.0, heard=done)).outcome != retry.OVER_BUDGET


def test_a_ticket_that_was_ended_for_money_fails_with_the_figures_of_then() -> None:
    ended = supervision.ending(active(), retry.OVER_BUDGET, BEGAN + 100, "its budget is used up ($20.13 of $20.00)")

    verdict = judged(ended, seen(110, alive=False, exit=Exit(T0, 143, told="TERM")), Purse())

    assert (verdict.step, verdict.outcome, verdict.to) == (Step.MOVE, retry.OVER_BUDGET, State.FAILED)
    assert verdict.why == "its budget is used up ($20.13 of $20.00): the session was ended"


@pytest.mark.parametrize(
    ("accounts", "cost"),
    [
        ([Account(0.5), Account(0.7)], Cost(0.7)),
        ([Account(0.5), Account(0.3)], Cost(0.5)),  # what was used is not given back
        ([Account(0.3, estimated=True), Account(0.2)], Cost(0.2)),  # what it told goes before what was guessed
        ([Account(0.2), Account(0.3, estimated=True)], Cost(0.2)),
        ([Account(0.2, estimated=True)], Cost(0.2, estimated=True)),
    ],
)
def test_what_the_agent_tells_of_its_cost_ends_an_estimate_and_never_shrinks(
    accounts: list[Account], cost: Cost
) -> None:
    ticket = active()
    for account in accounts:
        ticket = supervision.noted(ticket, seen(10, account=account))

    assert ticket.attempt is not None and ticket.attempt.cost == cost
