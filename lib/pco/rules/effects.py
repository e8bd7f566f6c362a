"""What an event in Plane does to a ticket: the table of events, as functions of record and sight.

`judge` takes an item as it is now, `vanish` one that is gone from Plane.  An event is a difference between what is
known and what is seen.  pco's own writes are none: its comments are not in the sight, its change of state is in the
record.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from pco.ground.frozen import dataclass
from pco.ground.known import Seen
from pco.ground.ticket import Comment, Noted, State, Stop, Ticket
from pco.rules import filters as filtering
from pco.rules import rounds
from pco.rules.prompt import is_note, take_up
from pco.rules.sight import Sight, edited, with_comments, with_text, with_traits
from pco.rules.triggers import Rules, commented, into, passes, unseen

MOST_NOTED = 500  # events kept of one ticket; a new round takes up its comments from Plane anyway
PLANE = "Plane"
TRAITS = "its state, labels, priority or assignees changed"


@dataclass(frozen=True)
class Verdict:
    """What becomes of a ticket: the new record, where it moves (None: it stays), and the event that is told.

    `event` is moved, refreshed, noted, stop, or empty for what nobody needs to be told.
    """

    ticket: Ticket
    to: State | None = None
    event: str = ""
    why: str = ""


@dataclass(frozen=True)
class Events:
    """What happened to an item, as far as its ticket does not know it.

    `moved` is any new state; `into` one that triggers and `closed` one that ends it, both by a person; `left`: the
    filters no longer let it pass.
    """

    edited: bool
    comments: tuple[Comment, ...]
    moved: bool
    into: bool
    closed: bool
    left: bool


@dataclass(frozen=True)
class Case:
    """One ticket and what is seen of its item."""

    ticket: Ticket
    sight: Sight
    events: Events
    rules: Rules
    now: datetime

    def fresh(self) -> Ticket:
        """The ticket with the item's state, labels, priority and assignees."""
        return with_traits(self.ticket, self.sight, self.events.moved)


def judge(ticket: Ticket, sight: Sight, seen: Seen | None, rules: Rules, now: datetime) -> Verdict | None:
    """What an item's new state of affairs does to its ticket; None if there is nothing to write."""
    verdict = _JUDGES[ticket.state](Case(ticket, sight, observe(ticket, sight, seen, rules), rules, now))
    # The time alone is not worth a write.
    if verdict.to is None and replace(verdict.ticket, updated_at=ticket.updated_at) == ticket:
        return None
    return verdict


def vanish(ticket: Ticket, now: datetime) -> Verdict | None:
    """What becomes of a ticket whose item was deleted or archived in Plane; None if that is known or not ours."""
    why = "deleted or archived in Plane"
    gone = replace(ticket, gone=True)
    if ticket.state in (State.PENDING, State.APPROVED):
        return Verdict(gone, State.REJECTED, "moved", why)
    if ticket.gone or ticket.state in (State.OUTBOX, State.POSTED, State.REJECTED):
        return None  # outbox: pco-post meets it and moves the ticket to failed
    if ticket.state is State.ACTIVE:
        return Verdict(replace(gone, stop=Stop(now, PLANE, why)), None, "stop", why)
    return Verdict(_note(gone, [Noted(now, "gone", PLANE, why)]), None, "noted", why)


def waits(ticket: Ticket) -> bool:
    """Whether it has noted what brings it back once it is posted or rejected."""
    return any(event.kind in ("comment", "note", "moved") for event in rounds.ungiven(ticket))


def observe(ticket: Ticket, sight: Sight, seen: Seen | None, rules: Rules) -> Events:
    """What happened to the item since its ticket was last brought up to date."""
    known = ticket.plane_state.id if ticket.plane_state else ""
    # If the last poll saw this very state, the record differs because pco-post was faster than this sight.
    moved = known != sight.state.id and (seen is None or seen.state != sight.state.id)
    theirs = moved and not _our_move(ticket, sight)
    return Events(
        edited=edited(ticket, sight),
        comments=_new_comments(ticket, sight, seen),
        moved=moved,
        into=theirs and into(sight, rules) and not sight.closed,
        closed=theirs and sight.closed,
        left=filtering.passed(rules.filters, ticket) and not passes(sight, rules),
    )


# One function for each row of the table.


def _pending(case: Case) -> Verdict:
    fresh, events = case.fresh(), case.events
    if events.closed or events.left:
        why = _closed(case.sight) if events.closed else "the filters no longer let it pass"
        return Verdict(fresh, State.REJECTED, "moved", why)
    fresh = with_comments(with_text(fresh, case.sight), case.sight, events.comments, deleted_too=True)
    return Verdict(fresh, None, "refreshed", _what(case, fresh))


def _approved(case: Case) -> Verdict:
    fresh, events = case.fresh(), case.events
    if events.closed:
        return Verdict(fresh, State.REJECTED, "moved", _closed(case.sight))
    # A comment that was deleted stays: the agent gets what a person approved.
    fresh = with_comments(with_text(fresh, case.sight), case.sight, events.comments, deleted_too=False)
    why = _what(case, fresh)
    if events.edited or fresh.round.comments != case.ticket.round.comments:
        return Verdict(fresh.with_round(approval=None), State.PENDING, "moved", why)
    return Verdict(fresh, None, "refreshed", why)


def _active(case: Case) -> Verdict:
    fresh = _note(with_text(case.fresh(), case.sight), _busy(case))
    if case.events.closed:
        why = _closed(case.sight)
        return Verdict(replace(fresh, stop=Stop(case.now, PLANE, why)), None, "stop", why)
    return _noted(case, fresh)


def _resting(case: Case) -> Verdict:
    """Completed and failed: a person has the word."""
    return _noted(case, _note(with_text(case.fresh(), case.sight), [*_busy(case), *_closing(case)]))


def _outbox(case: Case) -> Verdict:
    found = [event for event in (*_busy(case), *_closing(case)) if event.kind != "text"]
    return _noted(case, _note(case.fresh(), found))


def _finished(case: Case) -> Verdict:
    """Posted and rejected: a new round, for what happened now or was noted while the ticket was busy."""
    again = None if case.events.closed else _again(case)
    if again is None:
        # The state is kept, so that moving away and back again shows.
        return Verdict(replace(case.ticket, plane_state=case.fresh().plane_state))
    kind, what = again
    opened = rounds.following(with_text(case.fresh(), case.sight), kind, case.now, what)
    if case.sight.comments is not None:
        notes = tuple(comment for comment in opened.round.comments if is_note(comment))
        opened = opened.with_round(comments=take_up((*case.sight.comments, *notes)))
    return Verdict(opened, State.PENDING, "moved", what)


_JUDGES: dict[State, Callable[[Case], Verdict]] = {
    State.PENDING: _pending,
    State.APPROVED: _approved,
    State.ACTIVE: _active,
    State.COMPLETED: _resting,
    State.FAILED: _resting,
    State.OUTBOX: _outbox,
    State.POSTED: _finished,
    State.REJECTED: _finished,
}


# Parts of the judgement.


def _again(case: Case) -> tuple[str, str] | None:
    """Why a finished ticket comes back: the kind of trigger, and in words; None if it does not."""
    ticket, triggers = case.ticket, case.rules.triggers
    ungiven = rounds.ungiven(ticket)
    written = tuple(event.comment for event in ungiven if event.comment)
    moves = [event.what for event in ungiven if event.kind == "moved"]
    if ticket.state is State.REJECTED and case.sight.closed:
        written, moves = (), []  # withdrawn: what was said before that is answered
    # What a person asked to import, the filters do not hold back.
    if passes(case.sight, case.rules) or any(round.trigger.kind == "import" for round in ticket.rounds):
        written += case.events.comments
        moves += [_moved(case.sight)] if case.events.into else []
    if triggers.comments and written:
        return "comment", commented(written)
    return ("status", moves[-1]) if triggers.status_changes and moves else None


def _new_comments(ticket: Ticket, sight: Sight, seen: Seen | None) -> tuple[Comment, ...]:
    """The comments that neither the polls nor the record know: after a crash the record may know more."""
    inside = {comment.id for round in ticket.rounds for comment in round.comments}
    inside |= {event.comment.id for event in ticket.noted if event.comment}
    edge = ticket.updated_at or sight.created_at
    return tuple(c for c in unseen(sight, seen, edge) if c.id not in inside)


def _busy(case: Case) -> list[Noted]:
    """What a ticket that somebody works on takes note of."""
    found = []
    if case.events.edited:
        found.append(Noted(case.now, "text", PLANE, "its text was edited"))
    for comment in take_up(case.events.comments):
        found.append(Noted(case.now, "comment", comment.by, commented((comment,)), comment=comment))
    if case.events.into:
        found.append(Noted(case.now, "moved", PLANE, _moved(case.sight), state=case.sight.state))
    return found


def _closing(case: Case) -> list[Noted]:
    return [Noted(case.now, "closed", PLANE, _closed(case.sight), state=case.sight.state)] if case.events.closed else []


def _note(ticket: Ticket, found: list[Noted]) -> Ticket:
    """The ticket with these events noted; of edits that no prompt has taken up, the last is enough."""
    if any(event.kind == "text" for event in found):
        ticket = replace(ticket, noted=tuple(n for n in ticket.noted if n.kind != "text" or n.given))
    return replace(ticket, noted=(*ticket.noted, *found)[-MOST_NOTED:])


def _noted(case: Case, after: Ticket) -> Verdict:
    whats = [event.what for event in after.noted if event not in case.ticket.noted]
    return Verdict(after, None, "noted" if whats else "", "; ".join(whats[:3]))


def _our_move(ticket: Ticket, sight: Sight) -> bool:
    """Whether pco-post moved the item: it records where before it asks Plane, and how that ended afterwards."""
    change = ticket.round.post.state if ticket.round.post else None
    return change is not None and change.to is not None and change.to.id == sight.state.id and not change.outcome


def _closed(sight: Sight) -> str:
    return f"closed in Plane ({sight.state.name})"


def _moved(sight: Sight) -> str:
    return f"moved to {sight.state.name}"


def _what(case: Case, after: Ticket) -> str:
    """What changed, in words."""
    whats = ["its text was edited"] if case.events.edited else []
    if case.events.comments:
        whats.append(commented(case.events.comments))
    elif after.round.comments != case.ticket.round.comments:
        whats.append("a comment was edited or deleted")
    return "; ".join(whats) or TRAITS
