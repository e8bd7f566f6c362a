"""The finished tickets of one month, on pages of bounded length.

The oldest PER_PAGE tickets are on page 1, and stay there: a ticket that finishes changes only the newest page.
"""

from collections.abc import Iterator

from pco.ground.ticket import State
from pco.pages.clock import Clock
from pco.pages.frame import dotted, foot, page, several, top, usd
from pco.pages.html import Element, Node, el
from pco.pages.lanes import finished_cells
from pco.spool.index import Finished

PER_PAGE = 500


def names(month: str, count: int) -> tuple[str, ...]:
    """The names of the pages of a month with `count` tickets, newest first; the newest has the month's own name."""
    parts = (count + PER_PAGE - 1) // PER_PAGE
    return () if not parts else (f"{month}.html", *(f"{month}-{part}.html" for part in range(parts - 1, 0, -1)))


def parts(month: str, newest_first: tuple[Finished, ...]) -> Iterator[tuple[str, tuple[Finished, ...]]]:
    """Name of each page of the month, and the tickets on it, newest first."""
    oldest_first = newest_first[::-1]
    for name, start in zip(names(month, len(oldest_first))[::-1], range(0, len(oldest_first), PER_PAGE), strict=True):
        yield name, oldest_first[start : start + PER_PAGE][::-1]


def month_page(month: str, name: str, count: int, done: tuple[Finished, ...], clock: Clock, version: str) -> bytes:
    """One page of a month: `done` are its tickets; `count`, how many the whole month has, tells the other pages."""
    others = names(month, count)
    turns: list[Node] = [_turn(other, name, n + 1) for n, other in enumerate(others)] if len(others) > 1 else []
    head = el(
        "header",
        {"class": "top"},
        top(""),
        el("h1", None, month, el("span", {"class": "muted"}, f" (UTC) {several(len(done), 'finished ticket')}")),
        el("nav", {"aria-label": "Pages"}, el("p", {"class": "months"}, dotted(*turns))) if turns else None,
    )
    rows = [_row(one, clock) for one in done]
    body = el("main", {"id": "main"}, el("table", {"class": "list tickets"}, el("tbody", None, rows)))
    return page(f"{month} - pco", "", foot(clock, version), head, body)


def _turn(other: str, name: str, number: int) -> Element:
    """The way to another page of the month."""
    if other == name:
        return el("b", {"aria-current": "page"}, str(number))
    return el("a", {"href": other}, str(number))


def _row(one: Finished, clock: Clock) -> Element:
    cells = finished_cells(one.key, one.title, State(one.state))
    cost = el("td", {"class": "usd"}, usd(one.usd) if one.usd else None)
    return el("tr", None, *cells, cost, el("td", {"class": "when"}, clock.at(one.at)))
