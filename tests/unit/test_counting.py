"""What is counted of requests and of the audit record."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pco.ground.audit import Record
from pco.ground.tally import Tally
from pco.ground.ticket import Attempt, Blocked, Cost, State
from pco.outside import plane
from pco.rules import counting
from support import T0, a_ticket


def of(event: str, key: str = "WEB-1", **fields: Any) -> Tally:
    """What is counted of one record."""
    made = Tally()
    counting.of_record(made, Record(T0, event, "anna", key, fields))
    return made


def moved(came: str, to: str, **fields: Any) -> Tally:
    return of("moved", **{"from": came, "to": to, **fields})


@pytest.mark.parametrize(
    ("came", "to", "name", "label", "number"),
    [
        ("pending", "approved", counting.APPROVED, "", 1),
        ("completed", "approved", counting.APPROVED, "", 1),
        ("failed", "approved", counting.APPROVED, "", 1),
        ("active", "approved", counting.APPROVED, "", None),
        ("active", "completed", counting.COMPLETED, "", 1),
        ("outbox", "posted", counting.UPDATES, 'status="success"', 1),
        ("outbox", "failed", counting.UPDATES, 'status="failure"', 1),
        ("outbox", "completed", counting.UPDATES, 'status="failure"', None),
        ("", "pending", counting.MOVES, 'from="new",to="pending"', 1),
    ],
)
def test_a_move_is_counted_as_what_it_means(came, to, name, label, number):
    assert moved(came, to).counts.get(name, {}).get(label) == number


def test_the_end_of_a_session_tells_its_outcome_how_long_it_ran_and_what_it_used():
    measured = {"ran": 90.0, "waited": 30.0, "usd": 1.5, "tokens": {"input": 10, "output": 2, "strange": 1}}

    made = moved("active", "failed", outcome="stalled", measured=measured)

    assert made.counts[counting.OUTCOMES] == {'outcome="stalled"': 1}
    assert made.spans[counting.SESSION_SECONDS][""] == {"300": 1, "sum": 90.0}
    assert made.counts[counting.BLOCKED_SECONDS] == {'project="WEB"': 30.0}
    assert made.counts[counting.TOKENS] == {
        'kind="input",project="WEB"': 10,
        'kind="output",project="WEB"': 2,
        'kind="other",project="WEB"': 1,
    }


@pytest.mark.parametrize(
    ("came", "to", "gate"),
    [
        ("pending", "approved", "approval"),
        ("approved", "active", "launch"),
        ("completed", "outbox", "acceptance"),
        ("outbox", "posted", "posting"),
    ],
)
def test_how_long_it_waited_for_a_gate_is_measured_as_it_passes(came, to, gate):
    made = moved(came, to, measured={"stayed": 61.0})

    assert made.spans == {counting.GATE_SECONDS: {f'gate="{gate}"': {"300": 1, "sum": 61.0}}}


def test_other_events_are_counted_by_their_kind_and_strange_ones_are_not():
    assert of("held back").counts == {counting.EVENTS: {'event="held_back"': 1}}
    assert of("made up by somebody").counts == {}


JSON = st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), st.lists, max_leaves=4)
WORDS = st.sampled_from(["from", "to", "outcome", "measured", "attempt"])


@given(
    st.sampled_from(["moved", "blocked", "x"]),
    st.text() | st.just("WEB-1"),
    st.dictionaries(WORDS, JSON | st.sampled_from(["active", "failed", ""]) | st.dictionaries(st.text(), JSON)),
)
def test_whatever_stands_in_the_record_counts_never_fall_and_labels_stay_few(event, key, fields):
    made = of(event, key, **fields)

    assert all(number >= 0 for known in made.counts.values() for number in known.values())
    assert set(made.counts) | set(made.spans) <= set(counting.WHAT)


def test_requests_are_counted_by_operation_and_what_became_of_them():
    made = Tally()
    for call in (
        plane.Call("GET", "work-items", 200, 0.2),
        plane.Call("GET", "work-items", 503, 0.2),
        plane.Call("GET", "work-items", 0, 5.0, again=True),
        plane.Call("POST", "work-items/{id}/comments", 429, 0.1),
    ):
        counting.of_call(made, call.method, call.endpoint, call.status, call.seconds, call.again)

    assert made.counts[counting.CALLS] == {
        'operation="list_work_items",status="success"': 1,
        'operation="list_work_items",status="error"': 1,
        'operation="list_work_items",status="unanswered"': 1,
        'operation="create_comment",status="throttled"': 1,
    }
    assert made.counts[counting.RETRIES] == {'operation="list_work_items"': 1}
    assert made.spans[counting.REQUEST_SECONDS]['endpoint="work-items",method="GET"'] == {"0.25": 2, "5": 1, "sum": 5.4}


def test_of_an_attempt_that_ended_is_told_what_it_waited_itself_not_what_the_round_did():
    def at(minutes: int) -> Any:
        return T0 + timedelta(minutes=minutes)

    ticket = a_ticket(state=State.FAILED).with_round(
        attempts=(Attempt(1, at(0), at(5)), Attempt(2, at(10), at(20), cost=Cost(0.5, {"input": 7}))),
        blocked=(Blocked(at(1), at(4)), Blocked(at(8), at(12)), Blocked(at(15), at(16)), Blocked(at(19))),
    )

    assert counting.measured(ticket) == {"ran": 600.0, "waited": 180.0, "usd": 0.5, "tokens": {"input": 7}}


def test_of_a_session_that_never_was_nothing_is_told():
    assert counting.measured(a_ticket()) == {}
