"""What becomes of a ticket that comes back from a backup.

What happened after the backup was made nobody here knows, so nothing goes on by itself: what was approved waits for a
person once more, and what ran has failed.  `restored` in the record says when it came back; pco-post looks for the
comment of such a ticket in Plane before it sends one.
"""

from dataclasses import replace
from datetime import datetime

from pco.ground.frozen import dataclass
from pco.ground.ticket import State, Ticket
from pco.rules import retry

WHY = "it came back from a backup"


@dataclass(frozen=True)
class Returned:
    """A ticket as it comes back (`ticket.state` is still that of the backup), the state it gets, and a word on that."""

    ticket: Ticket
    to: State
    note: str = ""


def returned(ticket: Ticket, at: datetime) -> Returned:
    """What becomes of a ticket that comes back at this time."""
    back = replace(ticket, restored=(*ticket.restored, at))
    if ticket.state is State.APPROVED:
        return Returned(replace(back.with_round(approval=None), stop=None), State.PENDING, "has to be approved anew")
    if ticket.state is State.ACTIVE:
        return Returned(replace(_ended(back, at), stop=None), State.FAILED, "its session is lost")
    if ticket.state is State.OUTBOX:
        return Returned(back, State.OUTBOX, "is posted unless it is in Plane already")
    return Returned(back, ticket.state)


def _ended(ticket: Ticket, at: datetime) -> Ticket:
    """The ticket with its session ended."""
    blocked = tuple(b if b.to else replace(b, to=max(at, b.from_)) for b in ticket.round.blocked)
    ticket = ticket.with_round(blocked=blocked)
    if ticket.attempt is None or ticket.attempt.end:
        return ticket
    return ticket.with_attempt(end=at, outcome=retry.RESTORED, doing="", doing_since=None)
