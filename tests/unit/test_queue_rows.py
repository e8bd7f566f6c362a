"""A ticket as a row: the same from a ticket and straight from its record."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from pco.ground import ticket as records
from pco.ground.record import from_bytes, to_bytes
from pco.ground.ticket import Approval, Attempt, Blocked, Cost, Entry, Hold, Post, Round, State, Stop, Trigger
from pco.rules import rows
from support import T0, a_ticket

LATER = T0 + timedelta(hours=1)


def entered(ticket, state):
    """The ticket as it lies in `state`."""
    return replace(ticket, state=state, history=(Entry(T0, "pending", state.value, "test", ticket.round.n),))


def various():
    """Tickets with every field of a row filled in one of them, and the states that matter."""
    plain = a_ticket("WEB-1")
    full = a_ticket("WEB-2", labels=("bug", "ü\x1b["), priority="high", url="https://plane.example.org/x", gone=True)
    full = replace(full, hold=Hold("ann", T0, LATER, "why"), stop=Stop(T0, "bob", "no"), local=True)
    worked = full.with_round(
        approval=Approval("ann", T0, "00"),
        attempts=(Attempt(1, T0, LATER, "failed", 1),),
        blocked=(Blocked(T0, None, "Bash"),),
        summary="Done.",
        cost=Cost(0.5),
        post=Post("<p>Done.</p>", "WEB-2:1:x", comment_id="c1"),
    )
    second = replace(worked, rounds=(*worked.rounds, Round(2, Trigger("comment", T0))))
    return [
        entered(plain, State.PENDING),
        entered(full, State.APPROVED),
        entered(worked, State.FAILED),
        entered(worked, State.POSTED),
        entered(second, State.PENDING),
    ]


def test_what_the_agent_of_an_active_ticket_does_is_judged_from_its_whole_record():
    resting = Attempt(1, T0, doing="idle", doing_since=LATER)
    ticket = entered(a_ticket("WEB-3").with_round(attempts=(resting,)), State.ACTIVE)

    assert rows.of_record("WEB-3", State.ACTIVE, json.loads(to_bytes(ticket))) is None
    row = rows.row(ticket)
    assert (row["doing"]["what"], row["waits"]) == ("idle", True)


@pytest.mark.parametrize("ticket", various(), ids=lambda t: f"{t.key}-{t.state}")
def test_a_record_that_is_in_order_gives_the_row_of_its_ticket(ticket):
    data = to_bytes(ticket)
    assert rows.of_record(ticket.key, ticket.state, json.loads(data)) == rows.row(from_bytes(data, ticket.state))


def test_a_row_has_all_its_names_and_times_in_utc():
    row = rows.row(various()[2])
    assert tuple(row) == rows.NAMES
    assert row["created_at"] == row["entered_at"] == "2026-11-22T12:00:00.000000Z"
    assert row["hold"] == {"by": "ann", "at": row["entered_at"], "until": "2026-11-22T13:00:00.000000Z", "why": "why"}
    assert (row["approved_by"], row["problem"], row["comment_id"], row["cost_usd"]) == ("ann", "failed", "c1", 0.5)


def test_a_row_is_blocked_only_while_its_session_runs():
    posted = various()[3]
    active = entered(replace(posted, rounds=(replace(posted.round, summary=""),)), State.ACTIVE)
    assert rows.row(posted)["blocked"] is None
    assert rows.row(active)["blocked"] == {"since": "2026-11-22T12:00:00.000000Z", "what": "Bash"}


def damaged(change):
    """The JSON of a record in pending with one thing changed."""
    record = json.loads(to_bytes(various()[0]))
    change(record)
    return record


@pytest.mark.parametrize(
    "change",
    [
        lambda r: r.update(schema=records.SCHEMA + 1),
        lambda r: r.update(surprise=1),
        lambda r: r.pop("title"),
        lambda r: r.update(title=5),
        lambda r: r.update(labels=[5]),
        lambda r: r.update(rounds=[]),
        lambda r: r.update(rounds=5),
        lambda r: r.update(history=[]),
        lambda r: r["history"][-1].update(to="approved"),
        lambda r: r["rounds"].append({**r["rounds"][0], "n": 2}),
        lambda r: r["rounds"][0].update(attempts=[{"end": None}]),
        lambda r: r.update(key="WEB-2"),
    ],
)
def test_a_record_that_is_not_in_order_must_be_read_in_full(change):
    assert rows.of_record("WEB-1", State.PENDING, damaged(lambda r: None)) is not None
    assert rows.of_record("WEB-1", State.PENDING, damaged(change)) is None


@pytest.mark.parametrize("value", [None, 5, [], "x", {}])
def test_json_that_is_no_record_gives_no_row(value):
    assert rows.of_record("WEB-1", State.PENDING, value) is None
