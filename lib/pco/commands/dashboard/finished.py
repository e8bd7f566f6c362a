"""The finished tickets: their pages, written when they finish, and the pages by month that lead to them.

They grow for ever, so a record is read only if its line in a month of the spool's index is new; and where very many
are, because all pages are made anew, a turn makes as many as it has time for, the newest first.  Until its own turn a
page stays as it was, and what has none yet is in no list.

Remembered of it all: {"months": {MONTH: {"stamp": of the index file, "lines": how many it has, "shown": how many the
pages list, "owed": pages of tickets that are still to be made, "pages": names}}, "recent": the latest lines, "astray":
lines that have no ticket, "gone": ["KEY TIME" of these]}; and in .built/MONTH.json {"lines": {KEY: what its page was
made of}, "pages": {NAME: digest of what is on it}}.
"""

import hashlib
from collections.abc import Iterator, Set
from itertools import islice
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
        recent = [shape.dump(one) for one in _recent(run, index, gone)]
    return {"months": made, "recent": recent, "astray": astray, "gone": sorted(gone)}


def owed(done: Known) -> int:
    """How many pages `show` has left to the next turn, by what is to be remembered."""
    return sum(month["owed"] for month in done.get("months", {}).values())


def wanted(run: Run, known: Known) -> list[Finished]:
    """The lines whose pages are to be made, newest first, if an earlier turn has left some, or nothing is known.

    What has become of these tickets meanwhile is for `show` to find out.
    """
    if not (run.anew or owed(known)):
        return []
    shelf = run.shelf
    if run.anew or shelf.wanted is None:
        index = Index(run)
        memory = {name: run.site.recall(name).get("lines", {}) for name in index.stamps}
        lines = ((name, one) for name in index.stamps for one in index.lines(name) if one.state in FINISHED)
        shelf.wanted = [one for name, one in lines if memory[name].get(one.key) != said(one)]
    return shelf.wanted


def draft(run: Run) -> None:
    """Make the pages of months as they will be wanted, unless something happens to a finished ticket meanwhile."""
    index, drafts = Index(run), run.shelf.drafts
    for month in index.stamps:
        done = tuple(one for one in index.lines(month) if one.state in FINISHED)
        for name, digest, on_it in _parts(month, done):
            if run.late:
                return
            if (name, digest) not in drafts:
                drafts[name, digest] = months.month_page(month, name, len(done), on_it, run.clock, __version__)


class Index:
    """The months of the index, newest first: their stamps of before they are read, and their lines, read once."""

    def __init__(self, run: Run) -> None:
        self._kept, self._known = run.pco.spool.index, run.shelf.lines
        self.stamps = {name: signature(self._kept.folder / f"{name}.jsonl") for name in self._kept.months()}

    def lines(self, month: str) -> list[Finished]:
        """The tickets that finished in a month, newest first.  Raises SystemFault."""
        stamp, lines = self._known.get(month, ("", []))
        if stamp != self.stamps[month]:
            stamp, lines = self._known[month] = self.stamps[month], self._kept.month(month)
        return lines


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


def _recent(run: Run, index: Index, gone: set[str]) -> list[Finished]:
    """The tickets that finished last; of those whose pages are owed none that has no page yet."""
    lines = (one for name in index.stamps for one in index.lines(name) if _listed(one, gone))
    return list(islice((one for one in lines if not run.site.empty(home(one.key))), MOST_RECENT))


def _listed(one: Finished, gone: set[str]) -> bool:
    return one.state in FINISHED and _line_name(one) not in gone


# One month.


def _month(run: Run, index: Index, name: str, before: Known, gone: set[str], seen: Known) -> Known:
    """Bring a month up to date: the pages of its tickets, then its own."""
    stamp, lines = index.stamps[name], index.lines
    same = before.get("stamp") == stamp and not run.doubted
    if same and (not before["owed"] or (run.over and not any(one.key in run.made for one in lines(name)))):
        return before
    memory = run.site.recall(name)
    made: dict[str, str] = {}  # of what
    owed: set[str] = set()
    listed = [one for one in lines(name) if _listed(one, gone)]
    for one in listed:
        if one.key in seen:
            stamp = ""  # it has finished since it was seen open: the next run looks again
        elif _is_made(run, one, memory):
            made[one.key] = said(one)
        elif run.over:
            owed.add(one.key)
        elif make(run, one):
            run.step()
            made[one.key] = run.made[one.key] = said(one)
    shown = made.keys() | {key for key in owed if not run.site.empty(home(key))}  # the old ones
    done = tuple(one for one in listed if one.key in made or one.key in owed)
    pages = _pages(run, name, done, shown, memory.get("pages", {})) if shown else {}
    _take_away(run, set(memory.get("lines", {})) - set(made), seen)
    if memory != (memory := {"lines": made, "pages": pages}):
        run.site.remember(name, memory)
    names = list(months.names(name, len(done))) if shown else []
    return {"stamp": stamp, "lines": len(lines(name)), "shown": len(shown), "owed": len(owed), "pages": names}


def said(one: Finished) -> str:
    """What a finished ticket's page was made of: it came into its state then, and its record has this revision."""
    return f"{one.state} {times.iso(one.at)} {one.rev}"


def _is_made(run: Run, one: Finished, memory: Known) -> bool:
    """Whether a finished ticket has its page."""
    known = memory.get("lines", {}).get(one.key) == said(one)
    return run.made.get(one.key) == said(one) or (known and not (run.doubted and run.site.empty(home(one.key))))


def make(run: Run, one: Finished, *, leave: bool = False) -> bool:
    """Make its page; False if the ticket is not there: whoever moved it wakes us again.

    With `leave` what cannot be read for other reasons than its content is left to who looks next: False, too.
    """
    state = State(one.state)
    try:
        show_record(run, run.pco.spool.read(one.key, state))
    except KeyError:
        return False
    except BadData as error:
        show_unreadable(run, Card(one.key, State.CORRUPT, reason=str(error), from_=state.value))
    except PcoError as error:
        if leave:
            return False
        run.pco.fail(error, one.key)
        show_unreadable(run, Card(one.key, state, reason=str(error)))
    return True


def _pages(run: Run, month: str, done: tuple[Finished, ...], shown: Set[str], known: Known) -> Known:
    """Write those pages of a month on which something has changed; returns their digests.

    Each ticket of `done` has its place, and is listed there if it is `shown`.
    """
    digests: Known = {}
    for name, digest, on_it in _parts(month, done, shown):
        digests[name] = digest
        if known.get(name) != digest or run.doubted or run.site.empty(name):
            drafted = run.shelf.drafts.pop((name, digest), None)
            run.site.put(name, drafted or months.month_page(month, name, len(done), on_it, run.clock, __version__))
    return digests


def _parts(
    month: str, done: tuple[Finished, ...], shown: Set[str] | None = None
) -> Iterator[tuple[str, str, tuple[Finished, ...]]]:
    """Each page of a month: its name, the digest of what is on it, the tickets on it: all, or those that are shown."""
    names = months.names(month, len(done))
    for name, part in months.parts(month, done):
        on_it = part if shown is None else tuple(one for one in part if one.key in shown)
        content = repr([names, [_values(one) for one in on_it]]).encode()
        yield name, hashlib.sha256(content).hexdigest(), on_it


_values = attrgetter(*Finished.__dataclass_fields__)


def _take_away(run: Run, keys: set[str], seen: Known) -> None:
    """Remove the pages of tickets that are no longer finished, unless they are somewhere else now."""
    for key in keys:
        if key not in seen and run.pco.spool.find(key) is None:
            run.site.remove(home(key))
