"""What may still be spent, and which tickets go in circles.  No disk, no clock."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from pco.ground import times
from pco.ground.config import Budget
from pco.ground.ticket import Attempt, Blocked, Commit, Cost, Released, Round, Ticket, Trigger, Work
from pco.rules import budget, retry
from pco.rules.budget import Purse
from support import T0, WEB, a_ticket

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def purse(today: float = 0.0, **limits: Any) -> Purse:
    """A purse without limits but these."""
    return Purse(replace(Budget(0.0, 0.0, 0, 0), **limits), today, midnight=T0)


def a_round(n: int, usd: float = 0.0, kind: str = "comment", after: timedelta = HOUR, **changes: Any) -> Round:
    """A round begun `after` T0, whose one session has ended and cost `usd`."""
    tip, outcome = changes.pop("tip", ""), changes.pop("outcome", retry.COMPLETED)
    work = Work((Commit(tip, "x"),) if tip else (), base="base", tip=tip) if tip else None
    attempt = Attempt(1, T0 + after, end=T0 + after, outcome=outcome, cost=Cost(usd))
    given = {"attempts": (attempt,), "work": work, "cost": Cost(usd), **changes}
    return Round(n, Trigger(kind, T0 + after), **given)


def ticket(*rounds: Round, **changes: Any) -> Ticket:
    """An approved ticket with these rounds, and a current one that has not begun."""
    current = Round(len(rounds) + 1, Trigger("retry", T0 + DAY))
    return a_ticket(rounds=(*rounds, current), **changes)


# Money.


def test_a_ticket_has_spent_what_all_its_rounds_have_cost():
    assert budget.spent(ticket(a_round(1, 1.5), a_round(2, 2.25))) == 3.75


def test_without_a_limit_nothing_is_kept_back_and_nothing_is_bounded():
    rich = ticket(a_round(1, 5000.0))

    assert budget.obstacle(rich, purse(today=9000.0)) == ""
    assert budget.left(rich, purse(today=9000.0)) is None


def test_a_ticket_whose_money_is_used_up_waits_and_the_reason_has_the_figures_and_the_way_out():
    why = budget.obstacle(ticket(a_round(1, 20.13)), purse(ticket_usd=20.0))

    assert why == "its budget is used up ($20.13 of $20.00): raise budget.ticket_usd, or pco-queue release WEB-1"


def test_the_last_cent_is_a_limit_reached():
    assert budget.obstacle(ticket(a_round(1, 19.99)), purse(ticket_usd=20.0)) == ""
    assert budget.obstacle(ticket(a_round(1, 20.00)), purse(ticket_usd=20.0)) != ""


def test_a_day_whose_money_is_used_up_keeps_every_ticket_back_until_tomorrow():
    why = budget.obstacle(ticket(), purse(today=100.5, daily_usd=100.0))

    assert why == "today's budget is used up ($100.50 of $100.00, budget.daily_usd): it goes on tomorrow"


def test_a_project_may_have_another_limit_or_none():
    spent = ticket(a_round(1, 7.0))

    assert budget.obstacle(spent, replace(purse(ticket_usd=20.0), tickets={WEB: 5.0}))
    assert not budget.obstacle(spent, replace(purse(ticket_usd=5.0), tickets={WEB: 0.0}))


def test_a_session_may_cost_what_is_left_of_the_ticket_or_of_the_day_whichever_is_less():
    assert budget.left(ticket(a_round(1, 5.0)), purse(ticket_usd=20.0)) == 15.0
    assert budget.left(ticket(a_round(1, 5.0)), purse(today=97.0, ticket_usd=20.0, daily_usd=100.0)) == 3.0


def test_what_is_left_is_never_nothing_for_that_would_mean_no_limit():
    assert budget.left(ticket(a_round(1, 25.0)), purse(ticket_usd=20.0)) == budget.LEAST


def test_a_release_gives_a_ticket_as_much_again_and_leaves_the_day_alone():
    released = ticket(a_round(1, 20.0), a_round(2, 4.0), released=Released("ann", T0, usd=20.0))

    assert budget.spent(released) == 4.0
    assert budget.obstacle(released, purse(ticket_usd=20.0)) == ""
    assert budget.obstacle(released, purse(today=100.0, ticket_usd=20.0, daily_usd=100.0)) != ""


@pytest.mark.parametrize("waits", [True, False])
def test_a_session_whose_ticket_has_no_money_left_must_end_whatever_it_does(waits):
    assert "$20.00 of $20.00" in budget.overdrawn(ticket(a_round(1, 20.0)), purse(ticket_usd=20.0), waits=waits)


def test_what_others_have_spent_of_the_day_does_not_end_a_session_that_waits_for_a_person():
    gone = purse(today=100.0, daily_usd=100.0)

    assert "today's budget" in budget.overdrawn(ticket(), gone, waits=False)
    assert budget.overdrawn(ticket(), gone, waits=True) == ""


def test_an_interactive_session_is_held_to_what_one_session_may_cost():
    running = ticket().with_round(attempts=(Attempt(1, T0, cost=Cost(2.0)),), cost=Cost(2.0))

    assert "claude.max_budget_usd" in budget.overdrawn(running, replace(purse(), sessions={WEB: 2.0}), waits=False)
    assert budget.overdrawn(running, replace(purse(), sessions={WEB: 2.5}), waits=False) == ""


def test_a_session_that_says_it_cost_a_fortune_uses_up_no_more_of_the_day_than_twice_what_its_ticket_may():
    assert budget.believed(ticket(), 999_999.0, purse(ticket_usd=20.0)) == 40.0
    assert budget.believed(ticket(), 23.0, purse(ticket_usd=20.0)) == 23.0
    assert budget.believed(ticket(), 999_999.0, purse()) == 999_999.0


# Circles.


def test_a_ticket_that_plane_brought_back_too_often_today_is_circling():
    rounds = [a_round(n, tip=f"tip{n}") for n in range(1, 5)]

    assert budget.circling(ticket(*rounds), purse(rounds_per_day=4)) == ""
    assert "4 rounds" in budget.circling(ticket(*rounds), purse(rounds_per_day=3))


def test_a_round_that_plane_began_and_nobody_ran_counts_too():
    many = ticket(a_round(1), a_round(2))
    current = replace(many.round, trigger=Trigger("comment", T0 + HOUR))

    assert budget.rounds_begun(replace(many, rounds=(*many.rounds[:-1], current)), T0) == 3


@pytest.mark.parametrize("kind", ["retry", "rework", "reopen", "import", "local"])
def test_rounds_on_a_persons_word_are_not_counted(kind):
    assert budget.rounds_begun(ticket(a_round(1, kind=kind)), T0) == 0


def test_rounds_of_yesterday_are_not_counted_and_those_before_a_release_are_not_either():
    rounds = [a_round(1, after=-HOUR), a_round(2, after=HOUR), a_round(3, after=2 * HOUR)]

    assert budget.rounds_begun(ticket(*rounds), T0) == 2
    assert budget.rounds_begun(ticket(*rounds, released=Released("ann", T0 + HOUR)), T0) == 1


def test_rounds_that_left_the_branch_as_it_was_are_idle():
    idle = ticket(a_round(1, tip="a"), a_round(2, tip="a"), a_round(3, tip="a"), a_round(4))

    assert budget.idle_rounds(idle) == 3
    assert "its last 3 rounds changed nothing" in budget.circling(idle, purse(idle_rounds=3))
    assert "pco-queue release WEB-1" in budget.circling(idle, purse(idle_rounds=3))
    assert budget.circling(idle, purse(idle_rounds=4)) == ""


def test_one_round_that_changed_something_begins_the_count_anew():
    assert budget.idle_rounds(ticket(a_round(1), a_round(2), a_round(3, tip="a"))) == 0
    assert budget.idle_rounds(ticket(a_round(1), a_round(2, tip="a"), a_round(3, tip="a"))) == 1


@pytest.mark.parametrize(
    "outcome", [retry.STOPPED, retry.INTERRUPTED, retry.REBOOT, retry.PASSING, retry.NEVER_STARTED]
)
def test_a_session_that_something_else_ended_is_not_idle(outcome):
    assert budget.idle_rounds(ticket(a_round(1), a_round(2, outcome=outcome), a_round(3))) == 2


def test_a_round_without_a_session_is_neither_idle_nor_busy():
    assert budget.idle_rounds(ticket(a_round(1), a_round(2, attempts=()), a_round(3))) == 2


def test_a_release_begins_the_count_of_idle_rounds_anew():
    released = Released("ann", T0 + 2 * HOUR)
    rounds = [a_round(n, after=n * HOUR) for n in range(1, 5)]

    assert budget.idle_rounds(ticket(*rounds, released=released)) == 2


def test_what_a_release_would_lift_is_money_or_circles_but_not_the_day():
    assert budget.braked(ticket(a_round(1, 20.0)), purse(ticket_usd=20.0))
    assert budget.braked(ticket(a_round(1), a_round(2)), purse(idle_rounds=2))
    assert not budget.braked(ticket(a_round(1, 1.0)), purse(today=100.0, ticket_usd=20.0, daily_usd=100.0))


# Days.


def test_a_day_begins_at_midnight_of_the_zone():
    late = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)

    assert times.day(late, ZoneInfo("Europe/Berlin")).isoformat() == "2026-11-23"
    assert times.midnight(late, ZoneInfo("Europe/Berlin")) == datetime(2026, 11, 22, 23, 0, tzinfo=UTC)


def test_a_day_of_25_hours_begins_at_its_own_midnight():
    evening = datetime(2026, 10, 25, 20, 0, tzinfo=UTC)  # clocks went back that morning

    assert times.midnight(evening, ZoneInfo("Europe/Berlin")) == datetime(2026, 10, 24, 22, 0, tzinfo=UTC)


# Waiting.


def test_time_spent_waiting_for_a_person_adds_up_to_now():
    blocked = (Blocked(T0, T0 + HOUR), Blocked(T0 + 2 * HOUR))

    waited = Round(1, Trigger("new", T0), blocked=blocked).waited

    assert (waited(T0 + 5 * HOUR), waited()) == (4 * HOUR, HOUR)
