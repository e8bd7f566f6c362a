"""What sessions cost: the record, the ledger of the day, and the end of those that have no money left."""

import json
import os
import signal
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pco.ground import audit, leavings, spend
from pco.ground.leavings import Account
from pco.ground.spend import Book
from pco.ground.ticket import Cost, Released, State
from pco.rules import retry
from sessions import Yard, sh, until
from support import a_ticket

TODAY = datetime.now().astimezone().date  # the machine's zone is the default


def costs(usd: float, then: str = "sleep 1000") -> tuple[str, ...]:
    """An agent that says at once what it has used, as pco-session does for one that keeps account."""
    account = json.dumps({"usd": usd, "tokens": {"input": 7}, "estimated": False, "schema": 1})
    out = "$PCO_ATTEMPT_DIR/out"
    ring = "printf b 1<>$PCO_ATTEMPT_DIR/../../../run/trigger"
    return sh(f"echo '{account}' > {out}/.account && mv {out}/.account {out}/account; {ring}; {then}")


def says(yard: Yard, key: str, usd: float) -> None:
    """Its account changes, and the trigger rings."""
    leavings.write_account(yard.out(key), Account(usd))
    yard.ring()


def metrics(yard: Yard) -> Path:
    return yard.site.home / "metrics"


def today(yard: Yard) -> Book:
    """The ledger."""
    return spend.read(metrics(yard), TODAY())


def ran(yard: Yard, key: str) -> None:
    """A session that works."""
    yard.run(key, costs(1.0))
    until(lambda: yard.ticket(key).round.cost.usd == 1.0)


def budget(yard: Yard, **limits: float) -> None:
    yard.site.configure(budget=limits)


def test_what_a_session_costs_stands_in_the_record_and_in_the_ledger_of_the_day(yard: Yard, watch: object) -> None:
    ran(yard, "WEB-1")
    says(yard, "WEB-1", 2.5)

    until(lambda: yard.ticket("WEB-1").round.cost.usd == 2.5)
    until(lambda: today(yard).total == 2.5)
    assert list(today(yard).sessions) == ["WEB-1:1.1"]


def test_the_day_is_the_sum_of_all_sessions(yard: Yard, watch: object) -> None:
    ran(yard, "WEB-1")
    ran(yard, "WEB-2")

    until(lambda: today(yard).total == 2.0)


def test_a_session_that_has_no_money_left_is_ended_at_once_and_its_ticket_fails_with_the_figures(yard: Yard) -> None:
    budget(yard, ticket_usd=2.0)
    yard.watch()
    ran(yard, "WEB-1")

    says(yard, "WEB-1", 2.13)
    ticket = yard.comes_to("WEB-1", State.FAILED)

    assert ticket.attempt and ticket.attempt.outcome == ticket.attempt.ending == retry.OVER_BUDGET
    assert ticket.history[-1].why == (
        "its budget is used up ($2.13 of $2.00, budget.ticket_usd): the session was ended"
    )
    assert "WEB-1: ending why=over-budget: its budget is used up ($2.13" in yard.log.read_text()


def test_a_limit_that_is_changed_counts_for_what_runs(yard: Yard, watch: object) -> None:
    ran(yard, "WEB-1")
    says(yard, "WEB-1", 1.1)
    until(lambda: today(yard).total == 1.1)

    budget(yard, ticket_usd=0.5)
    yard.ring()

    assert "$1.10 of $0.50" in yard.comes_to("WEB-1", State.FAILED).history[-1].why


def test_a_configuration_that_is_broken_meanwhile_leaves_the_limits_as_they_were(yard: Yard, watch: object) -> None:
    ran(yard, "WEB-1")

    yard.site.config.write_text("budget: {ticket_usd: much}\n")
    says(yard, "WEB-1", 1.5)

    until(lambda: "the limits of before hold" in yard.log.read_text())
    until(lambda: yard.ticket("WEB-1").cost == 1.5)
    assert yard.state("WEB-1") is State.ACTIVE


def test_what_earlier_rounds_have_cost_counts_and_what_was_released_does_not(yard: Yard) -> None:
    budget(yard, ticket_usd=2.0)
    yard.watch()
    earlier = a_ticket("WEB-1").with_round(cost=Cost(1.5))
    second = replace(earlier, rounds=(*earlier.rounds, replace(earlier.round, n=2, cost=Cost())))
    yard.claim("WEB-1", costs(1.0), ticket=second)
    yard.claim(
        "WEB-2", costs(1.0), ticket=replace(second, key="WEB-2", released=Released("ann", datetime.now(UTC), 1.5))
    )
    for key in ("WEB-1", "WEB-2"):
        yard.begin(key, round=2)

    yard.comes_to("WEB-1", State.FAILED)
    until(lambda: yard.ticket("WEB-2").cost == 2.5)
    assert yard.state("WEB-2") is State.ACTIVE


def test_when_the_day_has_no_money_left_who_works_is_ended_and_that_is_told_once(yard: Yard) -> None:
    budget(yard, daily_usd=3.0)
    yard.watch()
    ran(yard, "WEB-1")
    ran(yard, "WEB-2")

    says(yard, "WEB-2", 2.5)
    for key in ("WEB-1", "WEB-2"):
        ticket = yard.comes_to(key, State.FAILED)
        assert "today's budget is used up ($3.50 of $3.00" in ticket.history[-1].why

    notice = json.loads((yard.site.home / "spool" / "notify" / "budget-reached.json").read_bytes())
    assert (notice["event"], notice["fields"]["spent"]) == ("budget reached", "$3.50")
    assert today(yard).told
    assert yard.log.read_text().count("budget reached") == 1


def test_that_the_money_of_the_day_is_used_up_is_not_told_again_by_the_next_watcher(yard: Yard) -> None:
    budget(yard, daily_usd=1.0)
    (metrics(yard) / "spend").mkdir()
    spend.write(metrics(yard), TODAY(), Book().seeing("WEB-9:1.1", 5.0, 0.0).announced())

    yard.watch("--once").wait(10)

    assert "budget reached" not in yard.log.read_text()


@pytest.mark.parametrize("kept", [False, True], ids=["before it wrote the ledger", "after it wrote the ledger"])
def test_a_watcher_that_was_killed_counts_nothing_twice_and_forgets_nothing(yard: Yard, kept: bool) -> None:
    watch = yard.watch()
    ran(yard, "WEB-1")
    until(lambda: today(yard).total == 1.0)
    os.kill(watch.pid, signal.SIGSTOP)
    says(yard, "WEB-1", 2.5)
    if kept:
        spend.write(metrics(yard), TODAY(), today(yard).seeing("WEB-1:1.1", 2.5, 0.0))
    watch.kill()
    watch.wait()

    yard.watch()

    until(lambda: yard.ticket("WEB-1").round.cost.usd == 2.5)
    until(lambda: today(yard).total == 2.5)


def test_what_a_session_said_last_is_in_the_ledger_before_its_ticket_moves(yard: Yard, watch: object) -> None:
    yard.run("WEB-1", costs(4.0, "pco-complete done"))

    yard.comes_to("WEB-1", State.COMPLETED)

    assert today(yard).total == 4.0


def test_a_session_that_began_yesterday_costs_today_only_what_it_spends_today(yard: Yard) -> None:
    yesterday = TODAY() - timedelta(days=1)
    (metrics(yard) / "spend").mkdir()
    spend.write(metrics(yard), yesterday, Book().seeing("WEB-1:1.1", 3.0, 0.0))
    yard.watch()

    yard.run("WEB-1", costs(3.5), start=datetime.now(UTC) - timedelta(days=1))

    until(lambda: today(yard).sessions)
    assert today(yard).total == 0.5
    assert spend.read(metrics(yard), yesterday).total == 3.0


def test_a_ledger_that_cannot_be_read_is_laid_aside_and_the_living_are_counted_again(yard: Yard) -> None:
    (metrics(yard) / "spend").mkdir()
    path = spend.path(metrics(yard), TODAY())
    path.write_text("{")
    yard.watch()

    ran(yard, "WEB-1")

    until(lambda: today(yard).total == 1.0)
    assert path.with_suffix(".bad").read_text() == "{"
    assert "laid aside" in yard.log.read_text()


def test_a_session_that_says_it_cost_a_fortune_fails_and_leaves_something_of_the_day_to_others(
    yard: Yard, watch: object
) -> None:
    ran(yard, "WEB-1")

    says(yard, "WEB-1", 999_999.0)

    assert "$999,999.00 of $20.00" in yard.comes_to("WEB-1", State.FAILED).history[-1].why
    assert today(yard).total == 40.0


def test_a_session_that_claims_to_have_cost_less_than_before_has_spent_what_it_has(yard: Yard, watch: object) -> None:
    ran(yard, "WEB-1")

    says(yard, "WEB-1", 0.25)
    says(yard, "WEB-1", 1.5)

    until(lambda: today(yard).total == 1.5)
    assert yard.ticket("WEB-1").round.cost.usd == 1.5


def test_the_audit_record_tells_how_long_a_session_ran_and_what_it_used(yard: Yard, watch: object) -> None:
    yard.run("WEB-1", costs(1.25, "exit 3"))

    yard.comes_to("WEB-1", State.FAILED)

    until(lambda: "active -> failed" in yard.log.read_text())
    folder = yard.site.home / "audit"
    records = [record for month in audit.months(folder) for record, _ in audit.read(folder, month)]
    (ended,) = [record.fields for record in records if record and record.fields.get("from") == "active"]
    told = ended["measured"]
    assert (told["usd"], told["tokens"], told["waited"]) == (1.25, {"input": 7}, 0.0)
    assert 0 < told["ran"] <= told["stayed"] + 1
    assert "measured" not in yard.log.read_text()
