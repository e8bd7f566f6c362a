"""Which approved tickets start now: what keeps one back, whose turn it is, how many fit."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import field
from datetime import UTC, datetime, timedelta

from pco.ground import times
from pco.ground.frozen import dataclass
from pco.ground.ticket import Ticket
from pco.rules import budget, prompt, retry
from pco.rules.budget import Purse

PRIORITIES = ("urgent", "high", "medium", "low", "none")
CLOSED = ("completed", "cancelled")  # groups of states in Plane in which nothing is to be done
_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Terms:
    """What admission hangs on besides the tickets.

    `fresh` are the projects (UUID) that a recent poll knew, `targets` says where a project's sessions work, `trouble`
    why they cannot (no mirror); `living` are the keys of the sessions that the runner has; `purse` what may be spent.
    `short` says what there is too little of on the machine, `fits` for how many sessions more its memory has room.
    """

    now: datetime
    limit: int
    per_project: int
    retry_after: timedelta = timedelta(0)
    fresh: frozenset[str] = frozenset()
    targets: Mapping[str, prompt.Target] = field(default_factory=dict)
    trouble: Mapping[str, str] = field(default_factory=dict)
    living: frozenset[str] = frozenset()
    purse: Purse = Purse()
    short: str = ""
    fits: int | None = None


@dataclass(frozen=True)
class Turn:
    """What becomes of one ticket; an empty `why` means that it starts.

    `circling`: it is to be put on hold, for a person to look at, and why.
    """

    ticket: Ticket
    why: str = ""
    circling: str = ""


def turns(tickets: Iterable[Ticket], active: Counter[str], terms: Terms) -> list[Turn]:
    """All approved tickets in their order, each with what keeps it back; `active` counts sessions by project."""
    taken = Counter(active)
    judged = []
    for ticket in sorted(tickets, key=order):
        why = obstacle(ticket, terms)
        circling = "" if why else budget.circling(ticket, terms.purse)
        why = why or circling or budget.obstacle(ticket, terms.purse) or no_room(ticket.project, taken, terms)
        why = why or crowded(taken.total() - active.total(), terms)
        if not why:
            taken[ticket.project] += 1
        judged.append(Turn(ticket, why, circling))
    return judged


def order(ticket: Ticket) -> tuple[int, datetime, str, int]:
    """Priority first, then who was approved first; the key makes it the same each time."""
    rank = PRIORITIES.index(ticket.priority) if ticket.priority in PRIORITIES else len(PRIORITIES)
    approval = ticket.round.approval
    prefix, _, number = ticket.key.rpartition("-")
    return rank, approval.at if approval else _NEVER, prefix, int(number)


def obstacle(ticket: Ticket, terms: Terms) -> str:
    """What keeps a ticket from being started, however many slots and how much money there is; empty if nothing."""
    if ticket.project not in terms.targets:
        return "its project is no longer configured"
    if not prompt.approved(ticket, terms.targets[ticket.project]):
        return "what would run is not what was approved: it goes back to pending with the next poll"
    if ticket.key in terms.living:
        return "its last session has not quite ended"  # two would work in one workspace
    return _in_plane(ticket, terms) or _not_yet(ticket, terms) or terms.trouble.get(ticket.project, "")


def no_room(project: str, active: Counter[str], terms: Terms) -> str:
    """Why no session more of this project fits; empty if one does."""
    if active.total() >= terms.limit:
        return f"no slot is free ({active.total()} of {terms.limit} taken)"
    if active[project] >= terms.per_project:
        return f"no slot of its project is free ({active[project]} of {terms.per_project} taken)"
    return ""


def crowded(starting: int, terms: Terms) -> str:
    """Why the machine has no room for a session beside `starting` others that start now; empty if it has."""
    if terms.short:
        return f"too little room on this machine: {terms.short}"
    return "memory has no room for another session" if terms.fits is not None and starting >= terms.fits else ""


def lowest_free(slots: Iterable[int]) -> int:
    """The number of the slot that is taken next, from 1."""
    taken = set(slots)
    return next(n for n in range(1, len(taken) + 2) if n not in taken)


def _in_plane(ticket: Ticket, terms: Terms) -> str:
    """Local tickets are unknown to Plane; of all others a recent poll must have known that they are open."""
    if ticket.local:
        return ""
    if ticket.gone:
        return "it is gone from Plane"
    if ticket.plane_state and ticket.plane_state.group in CLOSED:
        return f"it is {ticket.plane_state.group} in Plane"
    return "" if ticket.project in terms.fresh else "its project was not polled successfully of late"


def held(ticket: Ticket, now: datetime) -> bool:
    """Whether it is on hold."""
    return ticket.hold is not None and (ticket.hold.until is None or ticket.hold.until > now)


def _not_yet(ticket: Ticket, terms: Terms) -> str:
    hold = ticket.hold
    if hold and held(ticket, terms.now):
        span = f" for {times.rough(hold.until - terms.now)}" if hold.until else ""
        return f"on hold{span}, by {hold.by}{': ' + hold.why if hold.why else ''}"
    again = retry.not_before(ticket, terms.retry_after, terms.now)
    return f"its next attempt is due in {times.rough(again - terms.now)}" if again and again > terms.now else ""
