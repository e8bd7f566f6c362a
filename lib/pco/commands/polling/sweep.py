"""Sweeps: what is gone from Plane's lists is found by asking for it.

Deleted and archived items only vanish from the lists.  When the list became shorter, or some minutes have passed, the
open tickets that the lists do not show are read one by one: Plane's own "does not exist" is the proof.  The items of
an archived project do not exist either, so before anything is withdrawn the project must have shown its states.
"""

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from pco.ground.errors import PcoError, TryLater
from pco.ground.ticket import OPEN, State, Ticket
from pco.rules import effects

if TYPE_CHECKING:
    from pco.commands.polling.visit import Visit

EVERY = timedelta(minutes=10)
SINGLE = 5  # so many items are read one by one before a list of ids is thought of
IDS_A_PAGE = 1000


def due(visit: "Visit", total: int) -> bool:
    """Whether to look for what is gone."""
    head = visit.head
    if head.swept_at is None or head.to_sweep or total < head.total_count:
        return True
    return not timedelta(0) <= visit.run.pco.now() - head.swept_at < EVERY  # it may lie ahead: clocks are set back


def sweep(visit: "Visit", total: int) -> None:
    """Find the open tickets whose items are gone.  Cut short, the next poll goes on where it ended."""
    tickets = {ticket.uuid: ticket for ticket in _open(visit)}
    if visit.head.to_sweep:
        left = [uuid for uuid in visit.head.to_sweep if uuid in tickets]
    else:
        visit.introduce()
        left = _doubtful(visit, tickets, total)
    lost: list[str] = []
    try:
        while left:
            if not _there(visit, tickets[left[0]]):
                lost.append(left[0])
            left = left[1:]
    except TryLater:
        visit.head = replace(visit.head, to_sweep=(*lost, *left))
        raise
    visit.head = replace(visit.head, to_sweep=tuple(lost))
    if lost:
        visit.run.plane.states(visit.project.id)  # raises BadConfig if the project is archived
    for uuid in lost:
        visit.run.settle(tickets[uuid].key, lambda t: effects.vanish(t, visit.run.pco.now()))
    visit.head = replace(visit.head, to_sweep=(), swept_at=visit.run.pco.now())


def _open(visit: "Visit") -> list[Ticket]:
    states = [state for state in OPEN if state is not State.CORRUPT]

    def trouble(key: str, error: PcoError) -> None:
        visit.run.put_aside(key, error)

    found = visit.run.pco.spool.tickets(*states, trouble=trouble)
    return [ticket for ticket in found if ticket.project == visit.project.id and not ticket.local]


def _doubtful(visit: "Visit", tickets: dict[str, Ticket], total: int) -> list[str]:
    """The items to read one by one: those that no list shows, and those that a list shows again."""
    unseen = [uuid for uuid in tickets if uuid not in visit.seen]
    back = [uuid for uuid, ticket in tickets.items() if ticket.gone and uuid in visit.seen]
    if len(unseen) <= SINGLE + total // IDS_A_PAGE:
        return unseen + back
    ids = visit.run.plane.ids(visit.project.id).ids
    return [uuid for uuid in unseen if (uuid in ids) == tickets[uuid].gone] + back


def _there(visit: "Visit", ticket: Ticket) -> bool:
    """Whether the item still exists; if it does and something happened to it, that is judged."""
    from pco.outside.plane import Gone

    visit.run.pat()
    try:
        item = visit.run.plane.item(visit.project.id, ticket.uuid)
    except Gone:
        return False
    seen = visit.known.get(item.id)
    if ticket.gone or seen is None or seen.updated_at != item.updated_at:
        visit.look(item)
    return True
