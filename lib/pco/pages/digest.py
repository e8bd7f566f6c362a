"""A report as text: for a terminal, or for a mail.

It is made of lines, each with the name of its look, which a terminal paints and a mail leaves out.  Titles and names
are cut to what is left of the width; nothing else is long.
"""

from collections.abc import Iterable, Iterator
from datetime import date, timedelta

from pco.ground import text, times
from pco.ground.ticket import State
from pco.pages.amounts import bar, shade, share, short, span
from pco.pages.clock import Clock
from pco.pages.frame import NAMES, usd
from pco.rules.report import DECISIONS, ENDED, Report, Top

Line = tuple[str, str]  # the look, empty for none; the text
WIDTH = 78
LEAST = 40
WIDE = 70  # what is narrower has no room for tokens
MOST_DAYS = 31  # bars of days; of a longer period there are too many
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
TONES = {State.FAILED: "failed", State.CORRUPT: "corrupt", State.PENDING: "pending", State.COMPLETED: "completed"}


def plain(report: Report, clock: Clock) -> str:
    """For a mail."""
    return "\n".join(line for _, line in lines(report, clock)) + "\n"


def lines(report: Report, clock: Clock, width: int = WIDTH, blocks: bool = True) -> Iterator[Line]:
    """The whole report; `blocks` says whether bars may be of Unicode."""
    width = max(width, LEAST)
    yield "title", f"pco, {period(report, clock)}"
    parts = (
        ("NOW", _now(report, clock)),
        ("TICKETS", _tickets(report)),
        (_sessions_head(report), _outcomes(report, width, blocks)),
        ("WAITING", _waiting(report)),
        (f"COST  {usd(report.usd)}", _cost(report, width, blocks)),
        ("MOST EXPENSIVE", _tops(report.dearest, width, money=True)),
        ("SLOWEST", _tops(report.slowest, width, money=False)),
        ("SUMMARIES BY HOUR OF THE WEEK", _hours(report, blocks)),
        ("PEOPLE", _people(report)),
        ("READERS OF THE DASHBOARD", _readers(report, clock, width)),
        ("REFUSED", _refusals(report, clock, width)),
        ("ONLY PEOPLE CAN ANSWER (pco-doctor attest)", (("", text.line(line, 300)) for line in report.now.asked)),
        ("NOT SEEN", (("", text.line(line, 300)) for line in report.unseen)),
    )
    for head, body in parts:
        rows = list(body)
        if rows:
            yield from (("", ""), ("title", head), *((look, f"  {row}".rstrip()) for look, row in rows))


def period(report: Report, clock: Clock) -> str:
    """`2026-11-20 to 2026-11-26 (CET)`, the last day included."""
    first = report.since.astimezone(clock.zone)
    last = (report.until - timedelta(microseconds=1)).astimezone(clock.zone)
    days = f"{first:%Y-%m-%d}" if first.date() == last.date() else f"{first:%Y-%m-%d} to {last:%Y-%m-%d}"
    return f"{days} ({clock.zone_name()})"


def _now(report: Report, clock: Clock) -> Iterator[Line]:
    now = report.now
    for state in (State.PENDING, State.APPROVED, State.ACTIVE, State.COMPLETED, State.OUTBOX, State.FAILED):
        yield from _standing(report, state, clock)
    yield from _standing(report, State.CORRUPT, clock)
    if now.blocked:
        yield "blocked", f"waits for a person: {_some(now.blocked)}"
    for reason in now.reasons:
        yield "failed", f"not well: {text.line(reason, 300)}"
    if not (now.open or now.reasons):
        yield "", "No ticket is open."


def _standing(report: Report, state: State, clock: Clock) -> Iterator[Line]:
    projects = report.now.open.get(state, {})
    if projects:
        since = report.now.oldest.get(state)
        old = f"oldest {times.rough(clock.now - since)}" if since else ""
        row = f"{NAMES[state]:<11}{sum(projects.values()):>6}  {old:<13}{_by_project(projects)}"
        yield TONES.get(state, ""), row


def _tickets(report: Report) -> Iterator[Line]:
    yield "", f"{'new':<11}{report.created:>6}"
    for state in ENDED:
        if projects := report.ended.get(state, {}):
            yield "", f"{state.value:<11}{sum(projects.values()):>6}  {_by_project(projects)}"
    total = ", ".join(f"{number:,} {state}" for state, number in report.now.finished.items())
    yield "dim", f"ever: {total}"


def _sessions_head(report: Report) -> str:
    if report.success is None:
        return "SESSIONS"
    return f"SESSIONS  {share(report.success)} of {report.sessions:,} with a summary"


def _outcomes(report: Report, width: int, blocks: bool) -> Iterator[Line]:
    most = max(report.outcomes.values(), default=0)
    for outcome, number in report.outcomes.items():
        yield "", f"{outcome:<14}{number:>6}  {bar(number, most, min(width - 26, 40), blocks)}"
    if report.refused:
        yield "failed", f"Plane refused {text.count(report.refused, 'comment')}"


def _waiting(report: Report) -> Iterator[Line]:
    if not any(gate.count for gate in report.gates):
        return
    yield "dim", f"{'for':<14}{'tickets':>7}{'half within':>13}{'9 of 10':>10}"
    for gate in report.gates:
        if gate.count:
            yield "", f"{gate.name:<14}{gate.count:>7}{span(gate.median):>13}{span(gate.p90):>10}"
    if report.waited:
        yield "", f"sessions waited for people: {span(report.waited)}"


def _cost(report: Report, width: int, blocks: bool) -> Iterator[Line]:
    room = min(max(width - (60 if width >= WIDE else 42), 5), 30)
    most = max((project.usd for project in report.projects), default=0.0)
    for project in report.projects:
        tokens = project.tokens
        used = sum(number for kind, number in tokens.items() if kind != "output")
        row = f"{project.name:<12} {usd(project.usd):>10} {text.count(project.tickets, 'ticket'):>12}"
        row += f"  {short(used)} in, {short(tokens.get('output', 0))} out" if tokens and width >= WIDE else ""
        yield "", f"{row:<{56 if width >= WIDE else 38}}{bar(project.usd, most, room, blocks)}"
    if report.usd and 1 < len(report.days) <= MOST_DAYS:
        dearest = max(report.days.values())
        for day, cost in report.days.items():
            named = f"{DAYS[date.fromisoformat(day).weekday()]} {day[5:]}"
            yield "dim", f"{named:<12} {usd(cost):>10}  {bar(cost, dearest, min(width - 28, 40), blocks)}"


def _tops(tops: Iterable[Top], width: int, *, money: bool) -> Iterator[Line]:
    for top in tops:
        amount = usd(top.usd) if money else span(top.seconds)
        other = span(top.seconds) if money else usd(top.usd)
        row = f"{top.key:<12}{amount:>10}{other:>10}  {top.state:<10}"
        yield "", f"{row}{text.line(top.title, max(width - len(row) - 2, 10))}"


def _hours(report: Report, blocks: bool) -> Iterator[Line]:
    most = max((number for day in report.hours for number in day), default=0)
    if most:
        yield "dim", f"{'':<4}{'0':<6}{'6':<6}{'12':<6}{'18':<6}"
        for name, day in zip(DAYS, report.hours, strict=True):
            yield "", f"{name:<4}{''.join(shade(number, most, blocks) for number in day)} {sum(day) or ''}"


def _people(report: Report) -> Iterator[Line]:
    for person in report.people:
        numbers = [(getattr(person, word), word.replace("_", " ")) for word in DECISIONS]
        yield "", f"{_fit(person.name, 16)}{', '.join(f'{number} {word}' for number, word in numbers if number)}"


def _readers(report: Report, clock: Clock, width: int) -> Iterator[Line]:
    for reader in report.readers or ():
        yield "", f"{_fit(reader.name, min(width - 30, 40))}{reader.visits:>6}  last {clock.age(reader.last)} ago"


def _refusals(report: Report, clock: Clock, width: int) -> Iterator[Line]:
    for one in report.refusals or ():
        row = f"{_fit(one.name, 24)}{one.count:>5}  {text.line(one.what, max(width - 48, 16))}"
        yield "failed", f"{row}, last {clock.age(one.last)} ago"


def _fit(name: str, columns: int) -> str:
    """A name that strangers may have written, in just so many columns."""
    shown = text.line(name, columns - 1)
    return shown + " " * (columns - text.columns(shown))


def _by_project(projects: dict[str, int]) -> str:
    ordered = sorted(projects.items(), key=lambda pair: (-pair[1], pair[0]))
    return ", ".join(f"{name} {number}" for name, number in ordered[:8]) + (", …" if len(ordered) > 8 else "")


def _some(keys: tuple[str, ...]) -> str:
    return ", ".join(keys[:10]) + (", …" if len(keys) > 10 else "")
