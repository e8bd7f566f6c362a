"""Walks through a project's items, newest change first.

Plane has no filter and no snapshot: lists are walked down to the watermark, and pages shift while people write.  What
is pushed to the front is met by the next poll; what moves up because an item above it went would be passed over, so a
list that became shorter is walked again.
"""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pco.ground.errors import TryLater
from pco.ground.frozen import dataclass
from pco.ground.known import Seen
from pco.rules import triggers

if TYPE_CHECKING:
    from pco.commands.polling.visit import Visit
    from pco.outside.plane import Item

OVERLAP = timedelta(minutes=2)  # updated_at is bumped late, transactions end late, and lists may lag
FEW, MANY = 100, 500  # items a page: for what a poll usually meets, and for long walks
TRIES = 3
BEGINNING = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True)
class Walk:
    """The items that moved, oldest change first; the newest change of all; how many items there are."""

    moved: "tuple[Item, ...]"
    top: datetime | None
    total: int


def follow(visit: "Visit") -> int:
    """Judge all that changed since the watermark; returns how many items Plane has.

    The watermark goes up with each item, so a poll that is cut short is not begun anew.
    """
    if visit.head.watermark and visit.head.watermark - OVERLAP > visit.run.pco.now():
        # The clock was set back since: all that happened from then on would lie behind the watermark.
        visit.head = replace(visit.head, watermark=None)
    walk = _changes(visit)
    for item in walk.moved:
        visit.look(item)
        _raise_watermark(visit, item.updated_at)
    if walk.top:
        _raise_watermark(visit, walk.top)
    return walk.total


def take_stock(visit: "Visit", backfill: bool) -> int:
    """Walk through all items: the first time so that later changes show; with `backfill` for tickets of what is there.

    Returns how many there are.  Raises TryLater if the backfill takes too long: what was done stays done.
    """
    created, top = BEGINNING, None
    for _ in range(TRIES):
        total: int | None = None
        shorter = False
        with _progress(visit) as bar:
            for page in visit.run.plane.items(visit.project.id, per_page=MANY):
                shorter = shorter or (total is not None and page.total_count < total)
                total = page.total_count
                top = top or (page.items[0].updated_at if page.items else None)
                _begin_bar(bar, total)
                for item in page.items:
                    _count(visit, item, backfill)
                    created = max(created, item.created_at)
                    if bar:
                        bar.update(1)
                visit.run.pat()
        if not shorter:
            break
    if visit.head.since is None:
        visit.head = replace(visit.head, since=created)
        if top:
            _raise_watermark(visit, top)
    return total or 0


def _changes(visit: "Visit") -> Walk:
    edge = visit.head.watermark - OVERLAP if visit.head.watermark else BEGINNING
    walk, whole = _down_to(visit, edge, FEW, pages=1)
    tries = 0
    while not whole and tries < TRIES:
        # Larger pages: after a long silence small ones would use up all requests before the walk is through.
        walk, whole = _down_to(visit, edge, MANY)
        tries += 1
    if not whole:
        raise TryLater("its list changes faster than it can be read")
    return walk


def _down_to(visit: "Visit", edge: datetime, per_page: int, pages: int = 0) -> tuple[Walk, bool]:
    """The items that changed since `edge`, and whether the walk came that far (in at most so many pages)."""
    found: dict[str, Item] = {}
    top, total = None, 0
    was_empty = visit.head.total_count == 0
    listed = visit.run.plane.items(visit.project.id, per_page=per_page, believe_empty=was_empty)
    for number, page in enumerate(listed, 1):
        visit.run.pat()
        if number > 1 and page.total_count < total:
            return Walk((), None, 0), False
        total = page.total_count
        top = top or (page.items[0].updated_at if page.items else None)
        visit.seen |= {item.id for item in page.items}
        found.update((i.id, i) for i in page.items if i.updated_at >= edge and _moved(visit, i))
        end = not page.more or bool(page.items and page.items[-1].updated_at < edge)
        if end or number == pages:
            break
    return Walk(tuple(sorted(found.values(), key=lambda i: i.updated_at)), top, total), end


def _moved(visit: "Visit", item: "Item") -> bool:
    seen = visit.known.get(item.id)
    return seen is None or seen.updated_at != item.updated_at


def _raise_watermark(visit: "Visit", to: datetime) -> None:
    """Up to `to`, but not ahead of our own clock: one item dated into the future must not hide all others."""
    to = min(to, visit.run.pco.now())
    if visit.head.watermark is None or to > visit.head.watermark:
        visit.head = replace(visit.head, watermark=to)


def _count(visit: "Visit", item: "Item", backfill: bool) -> None:
    """Take in one item that was there before."""
    seen = visit.known.get(item.id)
    visit.seen.add(item.id)
    key = visit.key_of(item, seen)
    if (seen and seen.updated_at != item.updated_at) or (not seen and _is_ticket(visit, key, item.id)):
        visit.look(item)
        seen = visit.known.get(item.id)
    if backfill and not (seen and seen.key):
        _fill(visit, item, key)
    elif not seen and item.id not in visit.waiting:
        visit.known.put(item.id, Seen(item.state, item.updated_at))


def _is_ticket(visit: "Visit", key: str, uuid: str) -> bool:
    return visit.run.pco.spool.find(key) is not None and uuid not in visit.waiting


def _fill(visit: "Visit", item: "Item", key: str) -> None:
    """Make a ticket of an item that was there before, if it is in a state that triggers."""
    if visit.run.late:
        raise TryLater("the backfill takes long; the next poll goes on with it")
    sight = visit.lists.sight(item)
    trigger = triggers.existing(sight, visit.rules, visit.run.pco.now())
    if trigger is None:
        if visit.known.get(item.id) is None:
            visit.known.put(item.id, Seen(item.state, item.updated_at))
    elif item.id not in visit.waiting:
        visit.begin(visit.with_comments(sight), key, trigger)
        visit.run.pat()


def _progress(visit: "Visit") -> AbstractContextManager[Any]:
    """A progress bar, if a person watches; it is told its length by the first page."""
    if not visit.run.watched:
        return nullcontext()
    import sys

    import click

    return click.progressbar(length=1, label=visit.name, file=sys.stderr)


def _begin_bar(bar: Any, total: int) -> None:
    if bar is not None:
        bar.length = max(total, 1)
