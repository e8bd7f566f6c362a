"""How a ticket comes to its next round by a person's word: what it takes along, and what it leaves behind."""

from dataclasses import replace
from datetime import datetime

from pco.ground.ticket import Comment, Noted, Round, Ticket, Trigger
from pco.rules.prompt import handed, take_up

TAKEN = ("comment", "note", "text", "moved")  # noted events that a new prompt serves; closed and gone stay for pco-poll


def following(ticket: Ticket, kind: str, now: datetime, what: str = "", remark: str = "") -> Ticket:
    """The ticket with one more round: the comments so far and those noted since go into it, and count as given.

    Approval, attempts, summary, work and post stay with the round before; the asked-for stop is done with.
    """
    n = ticket.round.n + 1
    opened = Round(n, Trigger(kind, now, what, ticket.plane_state), comments=_comments(ticket), remark=remark)
    noted = tuple(_given(event, n) for event in ticket.noted)
    return replace(ticket, rounds=(*ticket.rounds, opened), noted=noted, stop=None)


def ungiven(ticket: Ticket) -> list[Noted]:
    """The noted events that no prompt has taken up yet."""
    return [event for event in ticket.noted if not event.given]


def _comments(ticket: Ticket) -> tuple[Comment, ...]:
    """Each comment once, as it was last seen."""
    known = {comment.id: comment for comment in (*handed(ticket), *ticket.round.comments)}
    known.update({event.comment.id: event.comment for event in ungiven(ticket) if event.comment})
    return take_up(tuple(known.values()))


def _given(event: Noted, n: int) -> Noted:
    # The prompt has it now, as far as it still is in Plane then: nobody need forward it any more.
    return replace(event, given=n, forward=None) if not event.given and event.kind in TAKEN else event
