"""The finished tickets: their pages, written when they finish, and the pages by month that lead to them.

They grow for ever, so a record is read only if its line in a month of the spool's index is new.  Remembered of it all:
{"months": {MONTH: {"stamp": of the index file, "lines": how many it has, "pages": names}}, "recent": the latest lines,
"astray": lines that have no ticket, "gone": ["KEY TIME" of these]}; and in .built/MONTH.json {"lines": {KEY: what its
line said}, "pages": {NAME: digest of what is on it}}.
"""

import hashlib
from collections.abc import Iterator
from datetime import datetime
from operator import attrgetter
from typing import Any

from pco import __version__
from pco.commands.dashboard.opened import show_record, show_unreadable
from pco.commands.dashboard.run import Run
from pco.ground import shape, times
from pco.ground.errors import BadData, PcoError
from pco.ground.ticket import FINISHED, State
from pco.outside.www import signature
from pco.pages import months
from pco.pages.board import MOST_RECENT
from pco.pages.frame import home
from pco.pages.snapshot import Card
from pco.spool.index import Finished

Known = dict[str, Any]


def show(run: Run, known: Known, seen: Known) -> Known:
    """Bring all that concerns finished tickets up to date; `seen` are the open ones.  Returns what to remember."""
    index, before = Index(run), known.get("months", {})
    gone = _gone(run, index) if run.anew else set(known.get("gone", []))
    made = {name: _month(run, index, name, before.get(name, {}), gone, seen) for name in index.stamps}
    astray = _astray(run, made)
    if not run.anew and astray != known.get("astray", 0):
        # Somebody purged tickets, or put some back by hand: see once which ones are there.
        index = Index(run)
        gone = _gone(run, index)
        made = {name: _month(run, index, name, {}, gone, seen) for name in index.stamps}
    recent = known.get("recent")
    if made != before or recent is None:
        recent = [shape.dump(one) for one in _recent(index, gone)]
    return {"months": made, "recent": recent, "astray": astray, "gone": sorted(gone)}


def draft(run: Run) -> None:
    """Make the pages of all months as they will be wanted, unless something happens to a finished ticket meanwhile."""
    index = Index(run)
    for month in index.stamps:
        done = tuple(one for one in index.lines(month) if one.state in FINISHED)
        for name, digest, on_it in _parts(month, done):
            run.drafts[name, digest] = months.month_page(month, name, len(done), on_it, run.clock, __version__)


class Index:
    """The months of the index, newest first: their stamps of before they are read, and their lines, read once."""

    def __init__(self, run: Run) -> None:
        self._kept, self._known = run.pco.spool.index, run.lines
        self.stamps = {name: signature(self._kept.folder / f"{name}.jsonl") for name in self._kept.months()}

    def lines(self, month: str) -> list[Finished]:
        """The tickets that finished in a month, newest first.  Raises SystemFault."""
        stamped = (month, self.stamps[month])
        if stamped not in self._known:
            self._known[stamped] = self._kept.month(month)
        return self._known[stamped]


def _astray(run: Run, made: Known) -> int:
    """How many lines of the index have no ticket: 0, unless tickets were taken away without pco."""
    lines: int = sum(month["lines"] for month in made.values())
    return lines - sum(run.pco.spool.count(state) for state in FINISHED)


def _gone(run: Run, index: Index) -> set[str]:
    """The lines whose ticket is in no finished state; this reads all months, then lists the folders.

    In this order: what finishes meanwhile has no line yet that could be taken for one of a ticket that is gone.
    """
    lines = [one for name in index.stamps for one in index.lines(name)]
    there = set(run.pco.spool.keys(*FINISHED))
    return {_line_name(one) for one in lines if one.key not in there}


def _line_name(one: Finished) -> str:
    return f"{one.key} {times.iso(one.at)}"


def _recent(index: Index, gone: set[str]) -> list[Finished]:
    """The tickets that finished last."""
    recent: list[Finished] = []
    for name in index.stamps:
        recent += [one for one in index.lines(name) if _listed(one, gone)]
        if len(recent) >= MOST_RECENT:
            break
    return recent[:MOST_RECENT]


def _listed(one: Finished, gone: set[str]) -> bool:
    return one.state in FINISHED and _line_name(one) not in gone


# One month.


def _month(run: Run, index: Index, name: str, before: Known, gone: set[str], seen: Known) -> Known:
    """Bring a month up to date: the pages of its tickets, then its own."""
    stamp = index.stamps[name]
    if before.get("stamp") == stamp and not run.doubted:
        return before
    lines = index.lines(name)
    memory = run.site.recall(name)
    listed = [one for one in lines if _listed(one, gone)]
    done = tuple(one for one in listed if one.key not in seen and _page(run, one, memory))
    if any(one.key in seen for one in listed):
        stamp = ""  # it has finished since it was seen open: the next run looks again
    made = {one.key: said(one.state, one.at, one.rev) for one in done}
    pages = _pages(run, name, done, memory.get("pages", {}))
    _take_away(run, set(memory.get("lines", {})) - set(made), seen)
    if memory != (memory := {"lines": made, "pages": pages}):
        run.site.remember(name, memory)
    return {"stamp": stamp, "lines": len(lines), "shown": len(done), "pages": list(months.names(name, len(done)))}


def said(state: str, at: datetime, rev: int) -> str:
    """What a finished ticket's page was made of: it came into its state then, and its record has this revision."""
    return f"{state} {times.iso(at)} {rev}"


def _page(run: Run, one: Finished, memory: Known) -> bool:
    """See that a finished ticket has its page; False if the ticket is not there: whoever moved it wakes us again."""
    meant = said(one.state, one.at, one.rev)
    known = memory.get("lines", {}).get(one.key) == meant
    if run.made.get(one.key) == meant or (known and not (run.doubted and run.site.empty(home(one.key)))):
        return True
    run.step()
    state = State(one.state)
    try:
        show_record(run, run.pco.spool.read(one.key, state))
    except KeyError:
        return False
    except BadData as error:
        show_unreadable(run, Card(one.key, State.CORRUPT, reason=str(error), from_=state.value))
    except PcoError as error:
        run.pco.fail(error, one.key)
        show_unreadable(run, Card(one.key, state, reason=str(error)))
    return True


def _pages(run: Run, month: str, done: tuple[Finished, ...], known: Known) -> Known:
    """Write those pages of a month on which something has changed; returns their digests."""
    digests: Known = {}
    for name, digest, on_it in _parts(month, done):
        digests[name] = digest
        if known.get(name) != digest or run.doubted:
            drafted = run.drafts.get((name, digest))
            run.site.put(name, drafted or months.month_page(month, name, len(done), on_it, run.clock, __version__))
    return digests


def _parts(month: str, done: tuple[Finished, ...]) -> Iterator[tuple[str, str, tuple[Finished, ...]]]:
    """Each page of a month: its name, the digest of what is on it, the tickets on it."""
    names = months.names(month, len(done))
    for name, on_it in months.parts(month, done):
        content = repr([names, [_values(one) for one in on_it]]).encode()
        yield name, hashlib.sha256(content).hexdigest(), on_it


_values = attrgetter(*Finished.__dataclass_fields__)


def _take_away(run: Run, keys: set[str], seen: Known) -> None:
    """Remove the pages of tickets that are no longer finished, unless they are somewhere else now."""
    for key in keys:
        if key not in seen and run.pco.spool.find(key) is None:
            run.site.remove(home(key))
