import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from pco.ground.errors import BadConfig, BadData
from pco.ground.record import from_bytes, to_bytes
from pco.ground.ticket import SCHEMA, Attempt, Entry, Noted, Round, State, Stop, Trigger
from support import T0, a_ticket


def entry(from_, to, round=1):
    return Entry(T0, from_, to, "alice", round)


def test_a_record_reads_back_as_it_was_written():
    ticket = a_ticket("WEB-1", title="Grün \u202e \ud800", history=(entry("", "pending"),), labels=("a", "b"))
    assert from_bytes(to_bytes(ticket), State.PENDING) == ticket


def test_the_file_is_json_with_utc_times_and_no_state():
    value = json.loads(to_bytes(a_ticket("WEB-1")))
    assert value["created_at"] == "2026-11-22T12:00:00.000000Z"
    assert "state" not in value
    assert value["schema"] == SCHEMA


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"schema": 1}',
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b'{"schema": "1"}',
    ],
)
def test_torn_or_foreign_content_is_bad_data(damage):
    with pytest.raises(BadData):
        from_bytes(damage, State.PENDING)


@pytest.mark.parametrize(
    ("field", "value"),
    [("rev", "1"), ("title", None), ("rounds", []), ("history", [{}]), ("rev", True), ("colour", "red"), ("uuid", 5)],
)
def test_a_field_of_the_wrong_shape_is_bad_data_and_named(field, value):
    record = {**json.loads(to_bytes(a_ticket("WEB-1"))), field: value}
    with pytest.raises(BadData, match=field):
        from_bytes(json.dumps(record).encode(), State.PENDING)


def test_every_cut_of_a_record_is_bad_data():
    whole = to_bytes(a_ticket("WEB-1")).rstrip()
    for length in range(len(whole)):
        with pytest.raises(BadData):
            from_bytes(whole[:length], State.PENDING)


def test_a_newer_schema_is_refused_whole_and_not_called_corrupt():
    record = {**json.loads(to_bytes(a_ticket("WEB-1"))), "schema": SCHEMA + 1, "new": "field"}
    with pytest.raises(BadConfig, match="newer"):
        from_bytes(json.dumps(record).encode(), State.PENDING)


def test_an_older_record_without_later_fields_is_read():
    record = json.loads(to_bytes(a_ticket("WEB-1")))
    for later in ("gone", "noted", "hold", "stop", "local"):
        del record[later]
    assert from_bytes(json.dumps(record).encode(), State.PENDING) == a_ticket("WEB-1")


def test_a_history_entry_that_leads_elsewhere_did_not_happen():
    ticket = a_ticket("WEB-1", history=(entry("", "pending"), entry("pending", "approved")))
    assert from_bytes(to_bytes(ticket), State.PENDING).history == (entry("", "pending"),)
    assert from_bytes(to_bytes(ticket), State.APPROVED).history == ticket.history


def closed(to: State, outcome: str, why: str = ""):
    """A record as pco-watch leaves it that is killed before the rename: the attempt is over, the file still in active."""
    over = Attempt(1, T0, end=T0, outcome=outcome, exit=0, born=True)
    history = (Entry(T0, "approved", "active", "pco-launch", 1), Entry(T0, "active", to.value, "pco-watch", 1, why))
    return replace(a_ticket().with_round(attempts=(over,), summary="Did it."), history=history)


def test_an_attempt_whose_end_was_recorded_and_not_renamed_is_not_over():
    ticket = from_bytes(to_bytes(closed(State.COMPLETED, "completed")), State.ACTIVE)

    assert (ticket.attempt.end, ticket.attempt.outcome, ticket.attempt.exit) == (None, "", None)
    assert ticket.round.summary == "Did it."
    assert [entry.to for entry in ticket.history] == ["active"]


@pytest.mark.parametrize("to", [State.REJECTED, State.APPROVED])
def test_a_request_to_stop_outlives_a_crash_while_it_is_dealt_with(to):
    ticket = from_bytes(to_bytes(closed(to, "stopped", "ann: not now")), State.ACTIVE)

    assert ticket.stop == Stop(T0, "ann", "not now", to.value)
    assert ticket.attempt.end is None


def test_a_claim_that_was_not_renamed_leaves_no_attempt():
    ticket = a_ticket(
        "WEB-1", history=(entry("", "pending"), entry("pending", "approved"), entry("approved", "active"))
    )
    ticket = ticket.with_round(attempts=(Attempt(1, T0, T0, "died"), Attempt(2, T0)))
    assert [a.n for a in from_bytes(to_bytes(ticket), State.APPROVED).round.attempts] == [1]
    assert [a.n for a in from_bytes(to_bytes(ticket), State.ACTIVE).round.attempts] == [1, 2]


def test_a_round_that_was_not_opened_gives_its_comments_back():
    noted = Noted(T0, "comment", given=2)
    ticket = a_ticket("WEB-1", history=(entry("outbox", "posted"), entry("posted", "pending", 2)), noted=(noted,))
    ticket = replace(ticket, rounds=(*ticket.rounds, Round(2, Trigger("comment", T0))))
    back = from_bytes(to_bytes(ticket), State.POSTED)
    assert len(back.rounds) == 1
    assert back.noted[0].given == 0
    assert len(from_bytes(to_bytes(ticket), State.PENDING).rounds) == 2


def test_when_it_entered_its_state_is_the_last_move():
    later = datetime(2026, 11, 23, tzinfo=UTC)
    ticket = a_ticket("WEB-1", history=(entry("", "pending"), Entry(later, "pending", "approved", "bob", 1)))
    assert replace(ticket, state=State.APPROVED).entered() == later
