"""How a verb changes tickets: each by itself under the lock, one line for each, and the run goes on after a refusal.

A verb judges a ticket as it is *then*: it raises `Refused` if the ticket does not fit, `Done` if it already is as
asked.  So two people at once are no special case: who comes second reads what the first one did.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from pco.ground import text, times
from pco.ground.errors import BadData, PcoError
from pco.ground.frozen import dataclass
from pco.ground.ticket import KEY, OPEN, Note, State, Ticket
from pco.run import Pco, put_aside

Judge = Callable[[Ticket], tuple[Ticket, State | None]]

NEXT = {
    State.PENDING: "pco-queue show {key}; then approve or reject it",
    State.APPROVED: "pco-queue unapprove {key} takes the approval back",
    State.ACTIVE: "pco-queue stop {key} ends its session",
    State.COMPLETED: "pco-queue post, rework or reject {key}",
    State.OUTBOX: "pco-queue recall {key} takes it back, as long as nothing was sent",
    State.POSTED: "pco-queue reopen {key} begins a new round",
    State.FAILED: "pco-queue retry, post or reject {key}",
    State.REJECTED: "pco-queue reopen {key} begins a new round",
    State.CORRUPT: "pco-queue repair {key}, or drop it",
}


class Refused(BadData):
    """The verb does not fit the ticket."""


class Damaged(BadData):
    """The record cannot be read: who holds the lock sets it aside."""


class Done(Exception):
    """The ticket already is as asked; the message says since when, and by whom."""


@dataclass(frozen=True)
class Told:
    """What a change says: the event for the audit (of a move: `moved`), words for the person, fields of the event."""

    event: str
    words: str
    fields: dict[str, Any]


def each(pco: Pco, keys: Iterable[str], act: Callable[[str], None]) -> None:
    """Let `act` deal with each ticket; what goes wrong with one is said, and kept for the exit code."""
    for key in keys:
        try:
            act(key)
        except Done as done:
            pco.say(f"{key}: {done}")
        except Damaged as error:
            _set_aside(pco, key, error)
        except PcoError as error:
            pco.fail(error, key)


def read(pco: Pco, key: str) -> Ticket:
    """Read a ticket.  Raises Refused if there is none or it lies in corrupt, Damaged if it cannot be read."""
    state = find(pco, key)
    if state is State.CORRUPT:
        raise Refused(f"is set aside: {_reason(pco, key)}", NEXT[state].format(key=key))
    try:
        return pco.spool.read(key)
    except KeyError:
        raise unknown(pco, key) from None
    except BadData as error:
        raise Damaged(str(error)) from error


def find(pco: Pco, key: str) -> State:
    """Where a ticket is.  Raises Refused if it is nowhere, with the nearest key that exists."""
    state = pco.spool.find(key) if KEY.fullmatch(key) else None
    if state is None:
        raise unknown(pco, key)
    return state


def unknown(pco: Pco, key: str) -> Refused:
    """That there is no such ticket; to be raised."""
    shown = text.line(key, 40)
    known = pco.spool.keys(*OPEN)
    near = key.upper() if KEY.fullmatch(key.upper()) and pco.spool.find(key.upper()) else text.nearest(key, known)
    hint = f"did you mean {near}?" if near else "pco-queue list shows the open tickets"
    return Refused("there is no such ticket" if KEY.fullmatch(key) else f"{shown!r} is no key such as WEB-12", hint)


def change(
    pco: Pco,
    key: str,
    judge: Judge,
    *,
    note: str = "",
    why: str = "",
    wake: str = "",
    told: Told | Callable[[Ticket, Ticket], Told] | None = None,
) -> None:
    """Change a ticket as `judge` says, announce it, wake who has work now, and print the line.

    `judge` runs under the lock: quick and pure.  `why` goes into the history with the note.  `told` is for what is no
    move, or for what is to be said of one; it may hang on the record before and after.
    """
    read(pco, key)  # says what is wrong with it in a person's words
    before: list[Ticket] = []

    def judged(ticket: Ticket) -> tuple[Ticket, State | None]:
        before.append(ticket)
        changed, to = judge(ticket)
        return (noted(pco, changed, note), to)

    try:
        after = pco.spool.update(key, judged, by=pco.who, why="; ".join(filter(None, (note, why))))
    except KeyError:
        raise unknown(pco, key) from None
    tell(pco, before[-1], after, wake, told(before[-1], after) if callable(told) else told)


def tell(pco: Pco, before: Ticket, after: Ticket, wake: str = "", told: Told | None = None) -> None:
    """Announce a change that was made, and print its line."""
    if after.state is not before.state:
        pco.announce("moved", after, told.fields if told else None)
        _brakes(pco, after)
        pco.say(f"{after.key}: {before.state} -> {after.state}{f', {told.words}' if told else ''}")
    elif told:
        pco.announce(told.event, after, told.fields)
        pco.say(f"{after.key}: {told.words}")
    for name in (wake, "dashboard") if wake else ("dashboard",):
        pco.spool.control.wake(name)


def _brakes(pco: Pco, ticket: Ticket) -> None:
    """An approval starts nothing as long as a brake is on: say so at once."""
    from pco.commands import purse
    from pco.rules import budget

    if ticket.state is not State.APPROVED:
        return
    try:
        why = budget.obstacle(ticket, limits := purse.read(pco)) or budget.circling(ticket, limits)
    except PcoError as error:
        why = str(error)
    if why:
        pco.log("warning", f"does not start: {why}", ticket.key)


def noted(pco: Pco, ticket: Ticket, note: str) -> Ticket:
    """The ticket with a person's note, if one was given."""
    words = note.strip()
    return replace(ticket, notes=(*ticket.notes, Note(pco.now(), pco.who, words))) if words else ticket


def expect(pco: Pco, ticket: Ticket, done: str, *states: State) -> None:
    """Raise Refused unless the ticket is in one of the states; `done` is the verb as a participle."""
    if ticket.state not in states:
        raise Refused(f"cannot be {done}: it is {since(pco, ticket)}", NEXT[ticket.state].format(key=ticket.key))


def already(pco: Pco, ticket: Ticket, state: State) -> None:
    """Raise Done if the ticket already is in this state."""
    if ticket.state is state:
        raise Done(f"already {since(pco, ticket)}")


def since(pco: Pco, ticket: Ticket) -> str:
    """`approved (by bob, 3s ago)`."""
    last = ticket.history[-1] if ticket.history else None
    return f"{ticket.state} (by {last.by}, {times.ago(last.at, pco.now())})" if last else ticket.state.value


def _reason(pco: Pco, key: str) -> str:
    aside = pco.spool.aside(key)
    return aside.reason if aside else "nothing says why"


def _set_aside(pco: Pco, key: str, error: Damaged) -> None:
    """A damaged record, met by a program that may move it; that of a running session stays for pco-watch."""
    state = pco.spool.find(key) if KEY.fullmatch(key) else None
    if state is None or state is State.CORRUPT:
        pco.fail(error, key)
        return
    put_aside(pco, key, state, error)
