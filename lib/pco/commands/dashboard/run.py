"""One turn of pco-dashboard: what all its parts need."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import field
from typing import Any

import click

from pco.ground.frozen import dataclass
from pco.ground.ticket import FINISHED, OPEN
from pco.outside.www import Site
from pco.pages.clock import Clock
from pco.rules.budget import Purse
from pco.run import Pco
from pco.spool.index import Finished

PROGRESS_FROM = 500  # tickets; fewer take less than a second


class Shelf:
    """What the turns of a run keep for each other."""

    def __init__(self) -> None:
        self.lines: dict[str, tuple[str, list[Finished]]] = {}  # the months of the index: stamp, and what was read
        self.drafts: dict[tuple[str, str], bytes] = {}  # pages of months that may be wanted, by name and digest
        self.wanted: list[Finished] | None = None  # see `finished.wanted`


@dataclass(frozen=True)
class Run:
    """A turn of the run.  `step` is called for each ticket whose page is made; `anew`: nothing is known of an earlier
    turn; `doubted`: the machine was started since, and pages that are there may be empty.  `until` is when pages of
    finished tickets are left to the next turn, by the monotonic clock.  `purse` has the limits alone.

    `ran` takes the sessions of the last day of each ticket that is read, by key; `made` the finished tickets whose
    pages were made in this turn, and of what: see `finished.said`.
    """

    pco: Pco
    site: Site
    clock: Clock
    step: Callable[[], None]
    shelf: Shelf
    until: float = float("inf")
    anew: bool = False
    doubted: bool = False
    purse: Purse = Purse()
    ran: dict[str, list[Any]] = field(default_factory=dict)
    made: dict[str, str] = field(default_factory=dict)

    @property
    def late(self) -> bool:
        """Whether time is over."""
        return time.monotonic() > self.until

    @property
    def over(self) -> bool:
        """Whether the rest of the finished tickets is left to the next turn: each turn comes further."""
        return self.late and bool(self.made)


@contextmanager
def progress(pco: Pco, anew: bool) -> Iterator[Callable[[], None]]:
    """A progress bar for a long run that a person watches; gives the function to call for each ticket."""
    if not anew or pco.loudness < 0 or not sys.stderr.isatty():
        yield lambda: None
        return
    total = len(pco.spool.keys(*OPEN)) + sum(pco.spool.count(state) for state in FINISHED)
    if total < PROGRESS_FROM:
        yield lambda: None
        return
    with click.progressbar(length=total, label="pages", file=sys.stderr) as bar:
        yield lambda: bar.update(1)
