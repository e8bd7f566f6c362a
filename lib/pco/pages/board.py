"""The board: whether all is well, what waits for a person, what is under way, what has finished.

Bounded: lanes are cut (`lanes`), and finished tickets beyond the most recent are on pages by month.
"""

from datetime import datetime

from pco.ground.ticket import FINISHED, State
from pco.pages import charts, lanes
from pco.pages.frame import command, dotted, foot, page
from pco.pages.html import Element, Node, el
from pco.pages.lanes import finished_cells
from pco.pages.masthead import masthead
from pco.pages.snapshot import Snapshot

MOST_RECENT = 20


def index(snapshot: Snapshot, shown: tuple[lanes.Lane, ...]) -> bytes:
    """index.html, with the lanes that are `shown`."""
    waiting = sum(len(lane.cards) for lane in shown if lane.group == lanes.WAITS)
    title = f"({waiting}) pco" if waiting else "pco"
    tickets = [*lanes.groups(shown, snapshot), _finished(snapshot)]
    work = el("div", {"class": "work"}, tickets if any(tickets) else _none())
    drawn = list(charts.figures(snapshot))
    aside = el("aside", {"class": "pictures", "aria-label": "Figures"}, drawn) if drawn else None
    body = el("main", {"id": "main", "class": "board"}, work, aside)
    below = foot(snapshot.clock, snapshot.version, dated=True)
    return page(title, "", below, masthead(snapshot, shown), body, refresh=True)


def _none() -> Node:
    """What somebody wants to know who looks at it for the first time."""
    return el(
        "p",
        {"class": "muted first"},
        "There is no ticket yet. An item of Plane becomes one when it is new, is moved, or gets a comment, as pco.yaml "
        "says; ",
        command("pco-queue add"),
        " makes one by hand.",
    )


def _finished(snapshot: Snapshot) -> Node:
    if not any(snapshot.counts.get(state) for state in FINISHED):
        return None
    rows = [
        el("tr", None, *finished_cells(done.key, done.title, State(done.state)), _finished_at(done.at, snapshot))
        for done in snapshot.recent[:MOST_RECENT]
    ]
    months: list[Node] = [
        [el("a", {"href": month.pages[0]}, month.name), f" ({month.count:,})"]
        for month in snapshot.months
        if month.pages
    ]
    return el(
        "section",
        {"class": "group"},
        el("h2", {"id": "finished"}, "Finished lately"),
        el("table", {"class": "list tickets"}, el("tbody", None, rows)),
        el("p", {"class": "months"}, "All, by month (UTC): ", dotted(*months)) if months else None,
    )


def _finished_at(at: datetime, snapshot: Snapshot) -> Element:
    return el("td", {"class": "when"}, snapshot.clock.brief(at))
