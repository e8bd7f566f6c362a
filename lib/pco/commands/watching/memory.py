"""What pco-watch keeps in memory between two looks: records, and what was heard.  All of it can be had again."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from pco.commands.watching.ears import Ear
from pco.ground import attempt
from pco.ground.ticket import Round, State, Ticket
from pco.spool import Spool

Numbers = tuple[int, int]


class Memory:
    """Active tickets and their ears.  `say(key, message)` is called with what is strange in an out/."""

    def __init__(self, spool: Spool, sessions: Path, say: Callable[[str, str], None]) -> None:
        self._spool = spool
        self._sessions = sessions
        self._say = say
        self._tickets: dict[str, tuple[Numbers, Ticket]] = {}
        self._ears: dict[str, tuple[Numbers, Ear]] = {}

    def ticket(self, key: str) -> Ticket:
        """The record without its long texts, read again only if another file is in its place.

        Raises KeyError if it is no longer active, BadData if it is corrupt.
        """
        try:
            facts = self._spool.path(key, State.ACTIVE).lstat()
        except FileNotFoundError:
            raise KeyError(key) from None
        stamp = (facts.st_ino, facts.st_mtime_ns)
        known = self._tickets.get(key)
        if known is None or known[0] != stamp:
            known = self._tickets[key] = (stamp, slim(self._spool.read(key, State.ACTIVE)))
        return known[1]

    def ear(self, ticket: Ticket) -> Ear:
        """The ear for its current attempt; a ticket without an attempt gets one that hears nothing."""
        numbers = numbers_of(ticket)
        known = self._ears.get(ticket.key)
        if known is None or known[0] != numbers:
            home = attempt.folder(self._sessions, ticket.key, *numbers)
            ear = Ear(home, *numbers, lambda message: self._say(ticket.key, message))
            known = self._ears[ticket.key] = (numbers, ear)
        return known[1]

    def forget(self, keys: list[str]) -> set[str]:
        """Keep only what belongs to `keys`; returns what went."""
        gone = (self._tickets.keys() | self._ears.keys()) - set(keys)
        for key in gone:
            self._tickets.pop(key, None)
            self._ears.pop(key, None)
        return gone


def numbers_of(ticket: Ticket) -> Numbers:
    """Its round and attempt; attempt 0 if there is none."""
    return ticket.round.n, ticket.attempt.n if ticket.attempt else 0


def slim(ticket: Ticket) -> Ticket:
    """All that is judged by: the current round without comments, of others what they cost, what is to be handed on.

    Never to be written.
    """
    current = replace(ticket.round, comments=(), work=None)
    before = tuple(Round(round.n, round.trigger, cost=round.cost) for round in ticket.rounds[:-1])
    bare = replace(ticket, description="", description_html="", history=(), noted=ticket.forwarded, notes=())
    return replace(bare, rounds=(*before, current))
