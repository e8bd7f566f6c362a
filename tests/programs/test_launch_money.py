"""pco-launch and pco-queue where money is short, and where tickets go in circles."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pco.ground import spend
from pco.ground.record import to_bytes
from pco.ground.spend import Book
from pco.ground.ticket import Attempt, Blocked, Cost, Round, State, Trigger
from pco.rules import retry
from programs.launching import Field, with_stub
from support import put


def spent_today(field, usd, session="WEB-9:1.1"):
    """The ledger of today."""
    folder = field.site.home / "metrics"
    (folder / "spend").mkdir(exist_ok=True)
    spend.write(folder, datetime.now().astimezone().date(), Book().seeing(session, usd, 0.0))


def earlier(*usd, kind="comment", ago=timedelta(0)):
    """Rounds that have ended without a commit, and a current one."""
    at = datetime.now(UTC) - ago
    ended = [
        Round(
            n,
            Trigger(kind, at),
            attempts=(Attempt(1, at, end=at, outcome=retry.COMPLETED, agent_session=""),),
            cost=Cost(cost),
        )
        for n, cost in enumerate(usd, 1)
    ]
    return (*ended, Round(len(ended) + 1, Trigger(kind, at)))


def dry(field, key="WEB-1"):
    """What --dry-run says of a ticket."""
    lines = field.launch("--dry-run").stdout.splitlines()
    return next(line for line in lines if line.startswith(f"{key} "))


def test_a_ticket_without_money_stays_approved_and_says_so(field, stub):
    folder = stub()
    field.approve("WEB-1", rounds=earlier(20.13))
    field.approve("WEB-2", rounds=earlier(19.0))

    field.launch(env=with_stub(field, folder))

    assert (field.active(), field.approved()) == (["WEB-2"], ["WEB-1"])
    assert "its budget is used up ($20.13 of $20.00)" in dry(field)


def test_a_day_without_money_starts_nothing_and_holds_nothing(field, stub):
    spent_today(field, 100.2)
    field.approve("WEB-1")

    field.launch(env=with_stub(field, stub()))

    assert field.approved() == ["WEB-1"]
    assert field.spool.read("WEB-1").hold is None
    assert "today's budget is used up ($100.20 of $100.00" in dry(field)


def test_what_yesterday_cost_keeps_nothing_back(field, stub):
    spent_today(field, 100.2)
    folder = field.site.home / "metrics" / "spend"
    next(folder.iterdir()).rename(folder / f"{datetime.now().astimezone().date() - timedelta(days=1)}.json")
    field.approve("WEB-1")

    field.launch(env=with_stub(field, stub()))

    assert field.active() == ["WEB-1"]


def test_with_a_ledger_that_cannot_be_read_nothing_starts(field, stub):
    spent_today(field, 1.0)
    next((field.site.home / "metrics" / "spend").iterdir()).write_text("{")
    field.approve("WEB-1")

    done = field.launch(env=with_stub(field, stub()), code=65)

    assert field.approved() == ["WEB-1"]
    assert "what was spent today is not known" in done.stderr


def test_a_session_is_told_what_is_left_of_the_money(field, stub, tmp_path):
    program = tmp_path / "claude"
    program.write_text("#!/bin/sh\necho '2.1.330 (Claude Code)'\n")
    program.chmod(0o755)
    field.site.configure(
        sessions={"agent": "claude", "command": []},
        claude={"program": str(program), "mode": "headless"},
        budget={"daily_usd": 50},
    )
    spent_today(field, 48.0)
    field.where = lambda project: replace(Field.where(field, project), agent="claude")
    field.approve("WEB-1", rounds=earlier(15.0))

    field.launch(env=with_stub(field, stub()))

    plan = json.loads((field.site.home / "sessions" / "WEB-1" / "2.1" / "claude.json").read_bytes())
    assert plan["budget"] == 2.0


def test_a_ticket_that_plane_brought_back_too_often_is_put_on_hold_and_told_of(field, stub):
    env = with_stub(field, stub())
    field.site.configure(budget={"rounds_per_day": 2, "idle_rounds": 0})
    field.approve("WEB-1", rounds=earlier(0.1, 0.1))

    assert "Plane began 3 rounds of it today" in dry(field)
    assert field.spool.read("WEB-1").hold is None
    done = field.launch(env=env)

    hold = field.spool.read("WEB-1").hold
    assert (hold.by, hold.until) == ("pco", None)
    assert "Plane began 3 rounds of it today (budget.rounds_per_day: 2)" in hold.why
    notice = json.loads((field.site.home / "spool" / "notify" / "held-WEB-1.json").read_bytes())
    assert (notice["event"], notice["key"], notice["fields"]["why"]) == ("held back", "WEB-1", hold.why)
    assert "held back" in done.stderr
    assert "held back" not in field.launch(env=env).stderr
    assert field.approved() == ["WEB-1"]


def test_a_ticket_whose_last_rounds_changed_nothing_goes_on_once_a_person_released_it(field, stub):
    env = with_stub(field, stub())
    field.approve("WEB-1", rounds=earlier(0.1, 0.1, 0.1, kind="retry"))
    field.launch(env=env)
    assert "its last 3 rounds changed nothing" in field.spool.read("WEB-1").hold.why

    field.site.run("pco-queue", "release", "WEB-1")
    field.launch(env=env)

    assert field.active() == ["WEB-1"]
    assert field.spool.read("WEB-1").released.usd == pytest.approx(0.3)


def test_a_hold_that_is_taken_off_without_a_release_comes_back(field, stub):
    field.approve("WEB-1", rounds=earlier(0.1, 0.1, 0.1))
    field.site.run("pco-queue", "hold", "WEB-1", "--until", "1s")
    record = field.spool.read("WEB-1")
    past = replace(record.hold, until=datetime.now(UTC) - timedelta(seconds=1))
    field.spool.path("WEB-1", State.APPROVED).write_bytes(to_bytes(replace(record, hold=past)))

    field.launch(env=with_stub(field, stub()))

    assert field.approved() == ["WEB-1"]
    assert field.spool.read("WEB-1").hold.by == "pco"


def test_retry_says_at_once_that_there_is_no_money_and_release_lets_it_go_on(field, stub):
    field.approve("WEB-1", rounds=earlier(25.0))
    record = field.spool.read("WEB-1")
    over = Attempt(1, datetime.now(UTC), end=datetime.now(UTC), outcome=retry.OVER_BUDGET)
    field.spool.path("WEB-1", State.APPROVED).unlink()
    put(field.spool, record.with_round(attempts=(over,)), State.FAILED)

    said = field.site.run("pco-queue", "retry", "WEB-1")
    assert "WEB-1: failed -> approved" in said.stdout
    assert "WEB-1: does not start: its budget is used up ($25.00 of $20.00)" in said.stderr

    assert field.site.run("pco-queue", "release", "WEB-1").stdout == "WEB-1: released\n"
    assert dry(field).endswith("would start")


def test_a_ticket_that_nothing_keeps_back_is_not_released(field):
    field.approve("WEB-1", rounds=earlier(1.0))

    assert field.site.run("pco-queue", "release", "WEB-1").stdout == "WEB-1: is not held\n"
    assert field.spool.read("WEB-1").released is None


def test_an_approval_of_a_ticket_that_circles_says_that_it_does_not_start(field):
    record = field.approve("WEB-1", rounds=earlier(0.1, 0.1, 0.1))
    field.site.run("pco-queue", "unapprove", "WEB-1")

    said = field.site.run("pco-queue", "approve", "WEB-1")

    assert record and "does not start: its last 3 rounds changed nothing" in said.stderr


def test_show_tells_what_a_ticket_has_cost_how_long_it_waited_and_why_it_waits(field):
    at = datetime.now(UTC)
    first, second = earlier(20.13)
    blocked = replace(first, blocked=(Blocked(at - timedelta(minutes=12), at),))
    field.approve("WEB-1", rounds=(blocked, second))

    shown = " ".join(field.site.run("pco-queue", "show", "WEB-1").stdout.split())

    assert "money $20.13 of $20.00" in shown
    assert "waits its budget is used up ($20.13 of $20.00)" in shown
    assert "waited 12m for a person" in shown


def test_show_does_without_a_ledger_that_cannot_be_read(field):
    spent_today(field, 1.0)
    next((field.site.home / "metrics" / "spend").iterdir()).write_text("{")
    field.approve("WEB-1", rounds=earlier(3.0))

    assert "$3.00 of $20.00" in field.site.run("pco-queue", "show", "WEB-1").stdout


def test_what_pco_put_on_hold_waits_for_a_person_in_the_inbox(field, stub):
    field.approve("WEB-1", rounds=earlier(0.1, 0.1, 0.1))
    field.launch(env=with_stub(field, stub()))

    said = field.site.run("pco-queue").stdout

    assert said.startswith("1 put on hold\n")
    assert "its last 3 rounds changed nothing" in said
    assert said.endswith("Next: pco-queue show WEB-1\n")
