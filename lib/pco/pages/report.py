"""A report as one page of HTML that needs nothing beside it: the style stands in it, bars are characters."""

from collections.abc import Iterable
from datetime import date

from pco.ground.ticket import State
from pco.pages.amounts import bar, share, short, span
from pco.pages.clock import Clock
from pco.pages.digest import DAYS, MOST_DAYS, period
from pco.pages.frame import badge, foot, usd
from pco.pages.html import Element, Node, document, el, style
from pco.rules.report import DECISIONS, ENDED, Report, Top

BAR = 20  # columns
NBSP = "\N{NO-BREAK SPACE}"
# What a column has: words that stay on one line (wherever there is room for that), a number, a text that takes the room
# that is left, a bar; or what goes where there is little room, a bar or nothing.
KINDS = {"w": "word", "l": "loose", "n": "number", "t": "rest", "b": "drawn", "a": "drawn aside"}


def page(report: Report, clock: Clock, version: str, sheet: str) -> bytes:
    """The page; `sheet` is the style of the dashboard."""
    named = period(report, clock)
    head: list[Node] = [
        el("meta", {"charset": "utf-8"}),
        el("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}),
        el("meta", {"name": "color-scheme", "content": "light dark"}),
        el("meta", {"name": "referrer", "content": "no-referrer"}),
        style(sheet),
        el("title", None, f"pco {named}"),
    ]
    top = el("header", {"class": "top"}, el("h1", None, "pco ", el("span", {"class": "muted period"}, named)))
    parts = [
        _section("Now", _now(report, clock)),
        _section("Tickets", _tickets(report)),
        _section("Sessions", _sessions(report)),
        _section("Waiting", _waiting(report)),
        _section("Cost", _cost(report)),
        _section("Most expensive", _tops(report.dearest)),
        _section("Slowest", _tops(report.slowest)),
        _section("Summaries by hour of the week", _hours(report)),
        _section("People", _people(report)),
        _section("Readers of the dashboard", _readers(report, clock)),
        _section("Refused", _refusals(report, clock)),
        _section("Only people can answer", _listed(report.now.asked)),
        _section("Not seen", _listed(report.unseen)),
    ]
    return document(head, [top, el("main", None, parts), el("footer", None, foot(clock, version, dated=True))])


def _section(name: str, body: Node) -> Node:
    return el("section", None, el("h2", None, name), body) if body else None


def _table(kinds: str, heads: Iterable[str], rows: Iterable[Iterable[Node]], more: str = "") -> Node:
    """A table, with a letter of KINDS for each column; nothing if it has no row."""
    classes = [{"class": KINDS[kind]} for kind in kinds]
    made = [el("tr", None, [el("td", kind, cell) for kind, cell in zip(classes, row, strict=True)]) for row in rows]
    if not made:
        return None
    named = [el("th", {"scope": "col", **kind}, head) for kind, head in zip(classes, heads, strict=True)]
    table = el(
        "table", {"class": f"figures {more}".strip()}, el("thead", None, el("tr", None, named)), el("tbody", None, made)
    )
    return el("div", {"class": "sideways"}, table)


def _bar(value: float, most: float) -> Element:
    return el("span", {"class": "bar"}, bar(value, most, BAR))


def _listed(rows: Iterable[str]) -> Node:
    made = [el("li", None, row) for row in rows]
    return el("ul", {"class": "plain"}, made) if made else None


def _now(report: Report, clock: Clock) -> Node:
    now = report.now
    rows: list[list[Node]] = []
    for state in State:
        if projects := now.open.get(state, {}):
            since = now.oldest.get(state)
            oldest = clock.age(since) if since else ""
            rows.append([badge(state), str(sum(projects.values())), oldest, _by_project(projects)])
    waits = [f"Waits for a person: {', '.join(now.blocked)}"] if now.blocked else []
    said = _listed([*waits, *(f"Not well: {reason}" for reason in now.reasons)])
    return [
        _table("wnnt", ("State", "Tickets", "Oldest", "Projects"), rows) or el("p", None, "No ticket is open."),
        said,
    ]


def _tickets(report: Report) -> Node:
    rows: list[list[Node]] = [["new", str(report.created), ""]]
    for state in ENDED:
        if projects := report.ended.get(state, {}):
            rows.append([badge(state, state.value), str(sum(projects.values())), _by_project(projects)])
    return _table("wnt", ("", "Tickets", "Projects"), rows)


def _sessions(report: Report) -> Node:
    most = max(report.outcomes.values(), default=0)
    rows: list[list[Node]] = [[outcome, str(number), _bar(number, most)] for outcome, number in report.outcomes.items()]
    words = f"{share(report.success)} of {report.sessions:,} with a summary"
    return [el("p", None, words), _table("wnb", ("Outcome", "Sessions", ""), rows)] if rows else None


def _waiting(report: Report) -> Node:
    gates = [gate for gate in report.gates if gate.count]
    rows = [[gate.name, str(gate.count), span(gate.median), span(gate.p90), ""] for gate in gates]
    waited = el("p", None, f"Sessions waited for people: {span(report.waited)}") if report.waited else None
    return (
        [_table("wnnna", ("For", "Tickets", "Half within", "9 of 10 within", ""), rows), waited]
        if rows or waited
        else None
    )


def _cost(report: Report) -> Node:
    most = max((project.usd for project in report.projects), default=0.0)
    rows: list[list[Node]] = []
    for project in report.projects:
        used = sum(number for kind, number in project.tokens.items() if kind != "output")
        told = f"{short(used)}{NBSP}in, {short(project.tokens.get('output', 0))}{NBSP}out" if project.tokens else ""
        cells = [project.name, usd(project.usd), str(project.tickets), f"{project.completed} of {project.sessions}"]
        rows.append([*cells, told, _bar(project.usd, most)])
    dearest = max(report.days.values(), default=0.0)
    days: list[list[Node]] = [
        [f"{DAYS[date.fromisoformat(day).weekday()]} {day}", usd(cost), _bar(cost, dearest)]
        for day, cost in report.days.items()
    ]
    heads = ("Project", "Cost", "Tickets", "With a summary", "Tokens", "")
    daily = _table("wnb", ("Day", "Cost", ""), days) if dearest and 1 < len(days) <= MOST_DAYS else None
    return [el("p", None, f"{usd(report.usd)} in all"), _table("wnnnla", heads, rows), daily] if rows else None


def _tops(tops: Iterable[Top]) -> Node:
    rows = [[top.key, usd(top.usd), span(top.seconds), top.state, top.title] for top in tops]
    return _table("wnnwt", ("Ticket", "Cost", "Worked", "State", "Title"), rows, "tops")


def _hours(report: Report) -> Node:
    most = max((number for day in report.hours for number in day), default=0)
    if not most:
        return None
    heads = el("tr", None, el("th", None, ""), [el("th", {"scope": "col"}, str(hour)) for hour in range(24)])
    rows = [
        el("tr", None, el("th", {"scope": "row"}, name), [_hour(number, most) for number in day])
        for name, day in zip(DAYS, report.hours, strict=True)
    ]
    return el("table", {"class": "hours"}, el("thead", None, heads), el("tbody", None, rows))


def _hour(number: int, most: int) -> Element:
    """A cell, the darker the more."""
    return el("td", {"class": f"heat{min(-(-number * 4 // most), 4)}"}, str(number) if number else "")


def _people(report: Report) -> Node:
    rows = [[person.name, *(str(getattr(person, word) or "") for word in DECISIONS), ""] for person in report.people]
    return _table("l" + "n" * len(DECISIONS) + "a", ("", *(word.replace("_", " ") for word in DECISIONS), ""), rows)


def _readers(report: Report, clock: Clock) -> Node:
    rows: list[list[Node]] = [
        [reader.name, str(reader.visits), clock.at(reader.last)] for reader in report.readers or ()
    ]
    return _table("lnt", ("Who", "Pages", "Last"), rows)


def _refusals(report: Report, clock: Clock) -> Node:
    rows: list[list[Node]] = [[one.name, one.what, str(one.count), clock.at(one.last)] for one in report.refusals or ()]
    return _table("llnt", ("Who", "What", "Times", "Last"), rows)


def _by_project(projects: dict[str, int]) -> str:
    ordered = sorted(projects.items(), key=lambda pair: (-pair[1], pair[0]))
    return ", ".join(f"{name}{NBSP}{number}" for name, number in ordered)
