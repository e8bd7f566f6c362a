"""One run of pco-poll: what its projects share, and the only place where it writes into the spool."""

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from pco.ground import events, text
from pco.ground.errors import PcoError
from pco.ground.ticket import State, Ticket
from pco.rules.effects import Verdict
from pco.rules.sight import with_traits_of
from pco.run import Pco, put_aside
from pco.spool import Stale

if TYPE_CHECKING:
    from pco.outside.plane import Plane, ProjectInfo

BRISK = timedelta(seconds=10)  # how long a request of an ordinary poll may wait for its turn, or be tried again
PATIENT = timedelta(seconds=65)  # longer than the window of the budget: a long walk waits rather than begin anew
LONGEST = timedelta(minutes=3)  # of a backfill that nobody watches; the next poll goes on, the others want their turn
TRIES = 5  # against other programs that change the same ticket


class Run:
    """One run.  With `dry` nothing is written, and what would be is said."""

    def __init__(self, pco: Pco, dry: bool = False, patient: bool = False) -> None:
        self.pco = pco
        self.dry = dry
        self.watched = sys.stderr.isatty() and pco.loudness >= 0
        self.prefixes: dict[str, str] = {}  # who has which prefix: two projects must not share one
        self.happened = 0
        self._patience = PATIENT if patient else BRISK
        self._begun = time.monotonic()

    @cached_property
    def plane(self) -> "Plane":
        """The client of Plane."""
        return self.pco.plane(patience=self._patience)

    @property
    def asked(self) -> bool:
        """Whether there is a client of Plane by now."""
        return "plane" in vars(self)

    @cached_property
    def projects(self) -> dict[str, "ProjectInfo"]:
        """The projects that the token may see, by id; asked for once."""
        return {info.id: info for info in self.plane.projects()}

    @cached_property
    def me(self) -> str:
        """The id of the token's user; asked for once."""
        return self.plane.me().id

    @property
    def late(self) -> bool:
        """Whether a backfill should leave the rest to the next poll."""
        return not self.watched and time.monotonic() - self._begun > LONGEST.total_seconds()

    def pat(self) -> None:
        """Tell systemd's watchdog that there is progress."""
        self.pco.service.pat()

    def create(self, tickets: list[Ticket], by: str = "", why: str = "") -> None:
        """Put new tickets into pending.  A key that somebody took meanwhile is left alone."""
        if self.dry:
            for ticket in tickets:
                self.tell(f"{ticket.key}: would become a ticket ({ticket.round.trigger.what}): {ticket.title}")
            return
        for made in self.pco.spool.create_all(tickets, by, why):
            self.happened += 1
            self.pco.announce("moved", made, {"trigger": made.round.trigger.kind, "what": made.round.trigger.what})
        self.pat()

    def settle(self, key: str, judge: Callable[[Ticket], Verdict | None]) -> Ticket | None:
        """Do what `judge` says of the ticket as it is, anew if another program was faster.

        Returns the ticket as it then is, None if it is gone.  Raises Stale if others keep changing it, BadData if it
        cannot be read.
        """
        for _ in range(TRIES):
            try:
                ticket = self.pco.spool.read(key)
                verdict = judge(ticket)
                return self._carry_out(verdict) if verdict else ticket
            except KeyError:
                return None
            except Stale:
                continue
        raise Stale(f"{key} is being changed by other programs all the time")

    def _carry_out(self, verdict: Verdict) -> Ticket:
        if self.dry:
            what = f"would go to {verdict.to}" if verdict.to else f"would be {verdict.event or 'brought up to date'}"
            self.tell(
                f"{verdict.ticket.key}: {what} ({verdict.why})" if verdict.why else f"{verdict.ticket.key}: {what}"
            )
            return verdict.ticket
        self.happened += 1
        if verdict.to:
            moved = self._move(verdict, verdict.to)
            self.pco.announce("moved", moved, {"why": verdict.why})
            return moved
        recorded = self.pco.spool.record(verdict.ticket)
        if verdict.event:
            self.pco.announce(verdict.event, recorded, {"state": recorded.state.value, "what": verdict.why})
        if verdict.event == "stop":
            events.ring(str(self.pco.config.paths.trigger))
        return recorded

    def _move(self, verdict: Verdict, to: State) -> Ticket:
        """Move a ticket; what its item now looks like comes into its record only then.

        The record is written before the rename: who dies in between must see once more that the item was closed.
        """
        with self.pco.spool.lock():
            before = self.pco.spool.read(verdict.ticket.key)
            moved = self.pco.spool.move(with_traits_of(verdict.ticket, before), to, why=verdict.why)
            after = with_traits_of(moved, verdict.ticket)
            return moved if after == moved else self.pco.spool.record(after)

    def put_aside(self, key: str, error: PcoError) -> None:
        """Set a ticket that cannot be read aside; in a dry run only say so."""
        state = self.pco.spool.find(key)
        if self.dry or state is None:
            self.pco.fail(error, key)
        else:
            put_aside(self.pco, key, state, error)

    def approved(self) -> bool:
        """Whether something waits for pco-launch."""
        return self.pco.spool.count(State.APPROVED) > 0

    def tell(self, message: str) -> None:
        """Say what a dry run would have done."""
        self.pco.say(text.line(message))


def unapproved(ticket: Ticket, why: str) -> Verdict:
    """An approved ticket on its way back to pending."""
    return Verdict(replace(ticket.with_round(approval=None), stop=None), State.PENDING, "moved", why)
