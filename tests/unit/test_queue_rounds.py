"""What a ticket takes into its next round."""

from dataclasses import replace
from datetime import timedelta

from pco.ground.ticket import Approval, Attempt, Comment, Forward, Noted, Stop
from pco.rules.rounds import following, ungiven
from support import T0, a_ticket

FIRST = Comment("c1", T0, "Ann", "first")
SECOND = Comment("c2", T0 + timedelta(hours=1), "Bob", "second")


def test_the_next_round_takes_along_comments_and_leaves_approval_and_work_behind():
    ticket = a_ticket().with_round(
        comments=(FIRST,), approval=Approval("ann", T0, "00"), attempts=(Attempt(1, T0),), summary="x"
    )
    after = following(replace(ticket, stop=Stop(T0, "ann")), "rework", T0, remark="again")
    assert (after.round.n, after.round.trigger.kind, after.round.remark) == (2, "rework", "again")
    assert after.round.comments == (FIRST,)
    assert (after.round.approval, after.round.attempts, after.round.summary) == (None, (), "")
    assert after.stop is None
    assert after.rounds[0] == ticket.rounds[0]


def test_comments_noted_meanwhile_go_into_the_next_round_and_count_as_given():
    noted = Noted(SECOND.at, "comment", comment=SECOND)
    after = following(replace(a_ticket().with_round(comments=(FIRST,)), noted=(noted,)), "retry", T0)
    assert after.round.comments == (FIRST, SECOND)
    assert [event.given for event in after.noted] == [2]
    assert ungiven(after) == []


def test_a_comment_that_was_given_before_is_not_taken_twice():
    noted = Noted(FIRST.at, "comment", comment=FIRST, given=1)
    after = following(replace(a_ticket().with_round(comments=(FIRST,)), noted=(noted,)), "retry", T0)
    assert after.round.comments == (FIRST,)
    assert after.noted[0].given == 1


def test_that_the_item_was_closed_or_is_gone_stays_for_the_poll():
    events = (Noted(T0, "closed"), Noted(T0, "gone"))
    after = following(replace(a_ticket(), noted=events), "retry", T0)
    assert [event.given for event in after.noted] == [0, 0]


def test_what_was_forwarded_and_taken_goes_into_the_next_round_too():
    noted = Noted(SECOND.at, "comment", comment=SECOND, given=1, forward=Forward(1, "ann", T0))
    after = following(replace(a_ticket().with_round(comments=(FIRST,)), noted=(noted,)), "rework", T0)
    assert after.round.comments == (FIRST, SECOND)
    assert after.noted == (noted,)
    assert following(after.with_round(comments=(FIRST,)), "rework", T0).round.comments == (FIRST,)  # deleted since


def test_what_was_forwarded_and_not_taken_is_in_the_next_prompt_and_no_longer_forwarded():
    note = Comment("note-1-2", SECOND.at, "ann", "of my own")
    wish = Forward(1, "ann", T0)
    noted = (
        Noted(SECOND.at, "comment", comment=SECOND, forward=wish),
        Noted(SECOND.at, "note", comment=note, forward=replace(wish, n=2)),
    )
    after = following(replace(a_ticket(), noted=noted), "retry", T0)
    assert after.round.comments == (SECOND, note)
    assert [(event.given, event.forward) for event in after.noted] == [(2, None), (2, None)]
