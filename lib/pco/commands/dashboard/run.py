"""One run of pco-dashboard: what all its parts need."""

import sys
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


@dataclass(frozen=True)
class Run:
    """The run.  `step` is called for each ticket whose page is made; `anew`: nothing is known of an earlier run;
    `doubted`: the machine was started since, and pages that are there may be empty.  `purse` has the limits alone.
    `ran` takes the sessions of the last day of each ticket that is read, by key; `made` has the finished tickets whose
    pages others have made in this run, and of what: see `finished.said`.  `lines` has the months of the index that were
    read, by name and stamp; `drafts` the pages of months that may be wanted, by name and digest.
    """

    pco: Pco
    site: Site
    clock: Clock
    step: Callable[[], None]
    anew: bool = False
    doubted: bool = False
    purse: Purse = Purse()
    ran: dict[str, list[Any]] = field(default_factory=dict)
    made: dict[str, str] = field(default_factory=dict)
    lines: dict[tuple[str, str], list[Finished]] = field(default_factory=dict)
    drafts: dict[tuple[str, str], bytes] = field(default_factory=dict)


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
