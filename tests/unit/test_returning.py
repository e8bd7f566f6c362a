"""What becomes of a ticket that comes back from a backup."""

from dataclasses import replace
from datetime import timedelta

import pytest

from pco.ground.ticket import Approval, Attempt, Blocked, Post, State, Stop
from pco.rules.comment import external_id
from pco.rules.returning import returned
from pco.rules.rounds import following
from support import T0, a_ticket

LATER = T0 + timedelta(days=1)


def in_state(state, **changes):
    return replace(a_ticket("WEB-1", **changes), state=state)


@pytest.mark.parametrize("state", [s for s in State if s is not State.CORRUPT])
def test_nothing_comes_back_approved_or_running(state):
    back = returned(in_state(state), LATER)

    assert back.to is {State.APPROVED: State.PENDING, State.ACTIVE: State.FAILED}.get(state, state)
    assert back.ticket.restored == (LATER,)
    assert back.ticket.id == "record1"


def test_an_approval_and_a_request_to_stop_are_gone():
    ticket = in_state(State.APPROVED, stop=Stop(T0, "ann")).with_round(approval=Approval("ann", T0, "hash"))

    back = returned(ticket, LATER).ticket

    assert (back.round.approval, back.stop) == (None, None)


def test_a_session_is_ended_where_it_had_not_ended_and_waits_for_nobody():
    ticket = in_state(State.ACTIVE).with_round(attempts=(Attempt(1, T0),), blocked=(Blocked(T0, None, "permission"),))

    back = returned(ticket, LATER).ticket

    assert back.attempt is not None
    assert (back.attempt.outcome, back.attempt.end, back.blocked) == ("restored", LATER, None)
    assert back.round.waited() == timedelta(days=1)


def test_a_comment_that_was_accepted_stays_as_it_was_frozen():
    post = Post("<p>Done.</p>", "WEB-1:1:record1")

    assert returned(in_state(State.OUTBOX).with_round(post=post), LATER).ticket.round.post == post


def test_a_round_that_the_backup_knew_keeps_its_name_and_a_later_one_gets_another():
    back = returned(in_state(State.POSTED), LATER).ticket
    after = following(back, "reopen", LATER + timedelta(hours=1))
    again = returned(replace(after, state=State.POSTED), LATER + timedelta(days=9)).ticket
    last = following(again, "reopen", LATER + timedelta(days=10))

    assert external_id(back) == "WEB-1:1:record1"
    assert external_id(after) == f"WEB-1:2:record1:{LATER:%Y%m%dT%H%M%SZ}"
    assert external_id(again) == external_id(after)
    assert external_id(last) == f"WEB-1:3:record1:{LATER + timedelta(days=9):%Y%m%dT%H%M%SZ}"
