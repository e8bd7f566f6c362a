"""Who else has what a ticket's sessions committed: as long as nobody has, pco keeps it longer."""

from collections.abc import Collection
from dataclasses import replace

from pco.ground.ticket import Fetched, Ticket, Work
from pco.rules import pushing


def tips(ticket: Ticket) -> frozenset[str]:
    """The commits that its rounds ended with."""
    return frozenset(round.work.tip for round in ticket.rounds if round.work and round.work.tip)


def noted(ticket: Ticket, fetched: Fetched, covered: Collection[str]) -> Ticket:
    """The record with who was the first to fetch the rounds that ended with one of the `covered` commits."""

    def after(work: Work | None) -> Work | None:
        fresh = work is not None and work.tip in covered and work.fetched is None
        return replace(work, fetched=fetched) if work and fresh else work

    return replace(ticket, rounds=tuple(replace(round, work=after(round.work)) for round in ticket.rounds))


def unfetched(ticket: Ticket) -> bool:
    """Whether commits are in the mirror that were neither pushed nor fetched: as far as pco knows nobody has them.

    A later round that left the branch as it was has what an earlier one was fetched with.
    """
    works = [round.work for round in ticket.rounds if round.work and round.work.tip]
    taken = {work.fetched.commit for work in works if work.fetched}
    return any(not (_pushed(work) or work.fetched or work.tip in taken) for work in works)


def _pushed(work: Work) -> bool:
    return work.pushed is not None and work.pushed.outcome == pushing.DONE
