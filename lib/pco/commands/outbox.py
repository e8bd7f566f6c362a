"""What the tickets of one run of pco-post share, and how it writes into their records."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pco.ground.errors import BadData
from pco.ground.ticket import PlaneState, Post, State, Ticket
from pco.run import Pco
from pco.spool.store import Stale

if TYPE_CHECKING:
    from pco.outside.plane import Plane


class Run:
    """What the tickets of one run share."""

    def __init__(self, pco: Pco) -> None:
        self.pco = pco
        self.posted = 0
        self._states: dict[str, tuple[PlaneState, ...]] = {}

    @cached_property
    def read(self) -> "Plane":
        """Plane for reading: tries again after what passes, waits for its turn."""
        return self.pco.plane(urgent=True)

    @cached_property
    def write(self) -> "Plane":
        """Plane for writing: it waits for no turn, so that `sending_since` is no older than the request."""
        return self.pco.plane(urgent=True, patience=timedelta(0))

    @property
    def clients(self) -> "list[Plane]":
        """Those that there are by now."""
        return [made for name, made in vars(self).items() if name in ("read", "write")]

    def states(self, project: str) -> tuple[PlaneState, ...]:
        """The states of a project in the order of its workflow; asked for once."""
        if project not in self._states:
            found = sorted(self.read.states(project), key=lambda w: w.sequence)
            self.pco.service.pat()
            self._states[project] = tuple(w.state for w in found)
        return self._states[project]


def note(run: Run, ticket: Ticket, **changes: Any) -> Ticket:
    """Write what became of the comment into the record, durably."""
    return change(run, ticket, lambda t: with_post(t, **changes))


def change(
    run: Run, ticket: Ticket, edit: Callable[[Ticket], Ticket], to: State | None = None, why: str = ""
) -> Ticket:
    """Edit the record as it is now, for pco-poll may have noted something in it.  Raises Stale if it was recalled."""
    ours = (State.OUTBOX, ticket.round.n, _body(ticket))

    def judge(now: Ticket) -> tuple[Ticket, State | None]:
        if (now.state, now.round.n, _body(now)) != ours:
            raise Stale(f"{ticket.key} was taken out of outbox meanwhile")
        return edit(now), to

    try:
        changed = run.pco.spool.update(ticket.key, judge, why=why)
    except KeyError:
        raise Stale(f"{ticket.key} was taken out of outbox meanwhile") from None
    run.pco.service.pat()
    return changed


def _body(ticket: Ticket) -> tuple[str, str]:
    post = ticket.round.post
    return (post.external_id, post.body) if post else ("", "")


def frozen(ticket: Ticket) -> Post:
    """The comment that was frozen when a person accepted it.  Raises BadData."""
    if ticket.round.post is None:
        raise BadData("no comment is in its record")
    return ticket.round.post


def with_post(ticket: Ticket, **changes: Any) -> Ticket:
    """The ticket with its comment's record changed; a local one may have none."""
    post = ticket.round.post
    return ticket.with_round(post=replace(post, **changes)) if post else ticket
