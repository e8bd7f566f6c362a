"""The pictures of the board: who ran when, what ended and what it cost day by day, time at each gate, age of the queue.

Values in, figures out; each has a sentence and its numbers beside it.
"""

import math
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from pco.ground import times
from pco.ground.ticket import State
from pco.pages.amounts import span
from pco.pages.clock import MONTHS, Clock
from pco.pages.drawing import WIDE, bar, colour, figure, picture, rule, words
from pco.pages.frame import NAMES, several, usd
from pco.pages.html import Element, Node
from pco.pages.snapshot import Ran, Snapshot
from pco.rules.report import Gate
from pco.rules.trend import Day

DAY = timedelta(hours=24)
TOP, FLOOR = 16.0, 96.0  # where the columns of days begin and end
LEFT = 34.0  # of them: room for the scale
ENDS = ((State.POSTED, "good"), (State.REJECTED, "calm"), (State.FAILED, "bad"))
AGES = (("< 1h", 1), ("< 4h", 4), ("< 1d", 24), ("< 3d", 72), ("< 1w", 168), ("older", math.inf))
WAITING = (State.PENDING, State.APPROVED, State.COMPLETED, State.OUTBOX, State.FAILED)
DOORS = {"approval": "to approve", "launch": "to start", "acceptance": "to accept", "posting": "to post"}
MOST_NAMED = 14  # rows of sessions with a name; more than that are packed
MOST_RAN = 150  # sessions drawn, the latest of them: more would be lines that nobody can tell apart
MOST_TOLD = 60
LEAST = 3.0  # units of width: a session of a minute is seen
RAN_LEGEND = (
    colour("live", "running"),
    colour("good", "with a summary"),
    colour("calm", "ended otherwise"),
    colour("wait", "waiting for a person"),
)


def figures(snapshot: Snapshot) -> Iterator[Element]:
    """All of them, the liveliest first; what has nothing to show is left out."""
    trends = snapshot.trends
    if trends.ran:
        yield _sessions(trends.ran, snapshot.clock)
    if any(card.state in WAITING and card.since for card in snapshot.cards):
        yield _ages(snapshot)
    if any(sum(day.ended.values()) for day in trends.days):
        yield _throughput(trends.days)
    if any(day.usd for day in trends.days):
        yield _costs(trends.days, snapshot.daily)
    if any(gate.count for gate in trends.gates):
        yield _gates(trends.gates)


# Columns, one for each day.


def _throughput(days: tuple[Day, ...]) -> Element:
    totals = [sum(day.ended.values()) for day in days]
    most = _round_up(max(totals))
    shapes: list[Node] = [_scale(f"{most:g}")]
    for n, day in enumerate(days):
        x, wide = _column(n, len(days))
        floor = FLOOR
        for state, tone in ENDS:
            number = day.ended.get(state, 0)
            high = number / most * (FLOOR - TOP)
            if number:
                shapes.append(bar(x, floor - high, wide, high, tone, f"{_date(day)}: {number} {state}"))
            floor -= high
    kinds = [f"{sum(day.ended.get(state, 0) for day in days):,} {state}" for state, _ in ENDS]
    said = f"{', '.join(kinds)} in {len(days)} days."
    rows = [[_date(day), *(str(day.ended.get(state, 0)) for state, _ in ENDS)] for day in reversed(days)]
    drawn = picture(f"Tickets that ended, day by day: {said}", 114, shapes, _dates(days))
    heads, legend = ("Day", *(state.value for state, _ in ENDS)), (colour(tone, state) for state, tone in ENDS)
    return figure("Tickets ended each day", said, drawn, heads, rows, *legend)


def _costs(days: tuple[Day, ...], daily: float) -> Element:
    total, top = sum(day.usd for day in days), max(day.usd for day in days)
    most = _round_up(max(top, daily if daily < 3 * top else 0.0))
    shapes: list[Node] = [_scale(f"${most:,g}")]
    for n, day in enumerate(days):
        x, wide = _column(n, len(days))
        high = day.usd / most * (FLOOR - TOP)
        if day.usd:
            shapes.append(bar(x, FLOOR - high, wide, high, "live", f"{_date(day)}: {usd(day.usd)}"))
    if daily and daily <= most:
        at = FLOOR - daily / most * (FLOOR - TOP)
        shapes.append(rule(LEFT, at, WIDE, at, "limit"))
    limit = f"; the limit of a day is {usd(daily)}" if daily else ""
    said = f"{usd(total)} in {len(days)} days, {usd(top)} at most on one{limit}."
    rows = [[_date(day), usd(day.usd)] for day in reversed(days)]
    drawn = picture(f"Cost, day by day: {said}", 114, shapes, _dates(days))
    return figure("Cost each day", said, drawn, ("Day", "Cost"), rows)


def _column(n: int, count: int) -> tuple[float, float]:
    """Where the n-th column begins, and its width."""
    step = (WIDE - LEFT) / count
    return LEFT + n * step + step * 0.12, step * 0.76


def _scale(name: str) -> list[Node]:
    """The line at the top with its value, and the floor."""
    lines: list[Node] = [rule(LEFT, y, WIDE, y) for y in (TOP, (TOP + FLOOR) / 2)]
    return [*lines, rule(LEFT, FLOOR, WIDE, FLOOR, "floor"), words(LEFT - 4, TOP + 4, name, "end")]


def _dates(days: tuple[Day, ...]) -> list[Node]:
    """The names of the first day, of the middle one, and of today."""
    middle = len(days) // 2
    x, wide = _column(middle, len(days))
    return [
        words(LEFT, FLOOR + 14, _date(days[0])),
        words(x + wide / 2, FLOOR + 14, _date(days[middle]), "middle"),
        words(WIDE, FLOOR + 14, "today", "end"),
    ]


def _date(day: Day) -> str:
    return f"{day.date.day} {MONTHS[day.date.month - 1]}"


def _round_up(value: float) -> float:
    """The next number that people like to read at the top of a scale."""
    if value <= 0:
        return 1.0
    size = 10.0 ** math.floor(math.log10(value))
    found = next(factor * size for factor in (1, 2, 3, 4, 5, 6, 8, 10) if factor * size >= value * 0.999)
    return max(found, 0.01)


# Time at the gates: a dot for the median, a line up to the ninth decile, on a scale of powers.


def _gates(gates: tuple[Gate, ...]) -> Element:
    left, right, high = 68.0, WIDE - 78, 22.0
    ticks = (("1m", 60.0), ("1h", 3600.0), ("1d", 86400.0), ("1w", 604800.0))
    least, most = math.log(5), math.log(604800 * 1.5)

    def place(seconds: float) -> float:
        part = (math.log(max(seconds, 5)) - least) / (most - least)
        return left + min(part, 1.0) * (right - left)

    head = 11.0
    floor = head + 6 + high * len(gates)
    shapes: list[Node] = [rule(place(at), head + 4, place(at), floor) for _, at in ticks]
    shapes.append(words(WIDE, head, "half · 9 of 10", "end"))
    shapes += [words(place(at), floor + 13, name, "middle") for name, at in ticks]
    for n, gate in enumerate(gates):
        y = head + 18 + n * high
        shapes.append(words(0, y + 4, DOORS[gate.name]))
        if gate.count:
            tip = f"{DOORS[gate.name]}: half within {span(gate.median)}, 9 of 10 within {span(gate.p90)}"
            shapes.append(bar(place(gate.median), y - 3, place(gate.p90) - place(gate.median), 6, "spread", tip))
            shapes.append(bar(place(gate.median) - 2.5, y - 6, 5, 12, "live", tip))
            shapes.append(words(WIDE, y + 4, f"{times.rough(_of(gate.median))} · {times.rough(_of(gate.p90))}", "end"))
    told = [f"{DOORS[gate.name]} {span(gate.median)} ({span(gate.p90)})" for gate in gates if gate.count]
    said = "In 14 days half of the tickets waited no longer than the mark (median), 9 of 10 than the bar (p90)."
    spoken = f"Time at each gate, half within, and 9 of 10 in brackets: {', '.join(told)}."
    rows = [[DOORS[g.name], str(g.count), *(span(t) if g.count else "" for t in (g.median, g.p90))] for g in gates]
    drawn = picture(spoken, floor + 18, shapes)
    return figure("Time at each gate", said, drawn, ("Gate", "Tickets", "Half within", "9 of 10 within"), rows)


def _of(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


# How old what waits is: a row for each state, a column for each age.


def _ages(snapshot: Snapshot) -> Element:
    table = {state: [0] * len(AGES) for state in WAITING}
    for card in snapshot.cards:
        if card.state in table and card.since:
            hours = (snapshot.clock.now - card.since) / timedelta(hours=1)
            table[card.state][next(n for n, (_, most) in enumerate(AGES) if hours < most)] += 1
    shown = {state: numbers for state, numbers in table.items() if sum(numbers)}
    most, left, high = max(max(numbers) for numbers in shown.values()), 72.0, 24.0
    step = (WIDE - left) / len(AGES)
    shapes: list[Node] = [words(left + (n + 0.5) * step, 11, name, "middle") for n, (name, _) in enumerate(AGES)]
    for row, (state, numbers) in enumerate(shown.items()):
        y = 18 + row * high
        shapes.append(words(0, y + 15, NAMES[state]))
        for n, number in enumerate(numbers):
            heat = f"cell heat{min(-(-number * 4 // most), 4)}"
            shapes.append(bar(left + n * step + 1, y, step - 2, high - 2, heat))
            if number:
                shapes.append(words(left + (n + 0.5) * step, y + 15, f"{number:,}", "middle"))
    late = sum(numbers[-1] + numbers[-2] + numbers[-3] for numbers in shown.values())
    said = f"{several(sum(map(sum, shown.values())), 'ticket')}, {late:,} for over a day."
    rows = [[NAMES[state], *map(str, numbers)] for state, numbers in shown.items()]
    drawn = picture(f"Age of what waits: {said}", 20 + high * len(shown), shapes)
    return figure("How long it has waited", said, drawn, ("State", *(name for name, _ in AGES)), rows)


# Sessions of the last day.


def _sessions(ran: tuple[Ran, ...], clock: Clock) -> Element:
    latest = sorted(ran, key=lambda one: (one.start, one.key))[-MOST_RAN:]
    since = clock.now - DAY
    named = len({one.key for one in latest}) <= MOST_NAMED
    rows = _by_ticket(latest) if named else _packed(latest, clock.now)
    left, high = (62.0, 15.0) if named else (0.0, max(60.0 / max(len(rows), 1), 9.0))

    def place(at: datetime) -> float:
        return left + min(max((at - since) / DAY, 0.0), 1.0) * (WIDE - left)

    floor = 4 + high * len(rows)
    hours = [_hour(clock.now, back) for back in (24, 18, 12, 6)]
    shapes: list[Node] = [rule(place(at), 2, place(at), floor) for at in hours if at >= since]
    for n, (name, sessions) in enumerate(rows):
        y = 4 + n * high
        if named:
            shapes.append(words(0, y + high - 4, name))
        shapes += [_session(one, y, high, place, clock) for one in sessions]
    marks = [(at, f"{at.astimezone(clock.zone):%H:%M}") for at in hours if at >= since]
    shapes += [words(place(at), floor + 12, name, "middle" if place(at) > left + 16 else "") for at, name in marks]
    shapes.append(words(WIDE, floor + 12, "now", "end"))
    said = _ran_said(latest)
    drawn = picture(f"Who ran when in the last 24 hours: {said}", floor + 16, shapes)
    heads = ("Ticket", "Began", "Ran for", "Waited for a person", "Ended")
    return figure("Sessions of the last 24 hours", said, drawn, heads, _ran_rows(latest, clock), *RAN_LEGEND)


def _ran_said(ran: list[Ran]) -> str:
    running, waited = sum(one.end is None for one in ran), sum(bool(one.blocked) for one in ran)
    parts = [f"{several(len(ran), 'session')} of {several(len({one.key for one in ran}), 'ticket')}"]
    parts += [f"{running} running now"] if running else []
    parts += [f"{waited} had to wait for a person"] if waited else []
    return f"{', '.join(parts)}."


def _ran_rows(ran: list[Ran], clock: Clock) -> Iterator[list[Node]]:
    for one in ran[: -MOST_TOLD - 1 : -1]:
        waited = sum(((wait.to or clock.now) - wait.from_ for wait in one.blocked), timedelta())
        told = span(waited.total_seconds()) if one.blocked else ""
        lasted = span(((one.end or clock.now) - one.start).total_seconds())
        yield [one.key, clock.brief(one.start), lasted, told, one.outcome if one.end else "running"]


def _session(one: Ran, y: float, high: float, place: Callable[[datetime], float], clock: Clock) -> Node:
    end = one.end or clock.now
    told = f"{one.key}: {span((end - one.start).total_seconds())}, {one.outcome if one.end else 'running'}"
    tone = "live" if one.end is None else "good" if one.outcome == "completed" else "calm"
    x, wide = place(one.start), max(place(end) - place(one.start), LEAST)
    shapes: list[Node] = [bar(x, y + 2, wide, high - 4, tone, told)]
    for wait in one.blocked:
        until = wait.to or clock.now
        tip = f"{one.key}: waited {span((until - wait.from_).total_seconds())} for a person"
        # Higher than its session, and edged: told apart without colours, and when it is short.
        shapes.append(bar(place(wait.from_), y, max(place(until) - place(wait.from_), LEAST), high, "wait edged", tip))
    return shapes


def _hour(now: datetime, back: int) -> datetime:
    """The full hour that is about so many hours back."""
    return now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=back - 1)


def _by_ticket(ran: list[Ran]) -> list[tuple[str, list[Ran]]]:
    rows: dict[str, list[Ran]] = {}
    for one in ran:
        rows.setdefault(one.key, []).append(one)
    return list(rows.items())


def _packed(ran: list[Ran], now: datetime) -> list[tuple[str, list[Ran]]]:
    """As few rows as there were sessions at the same time."""
    rows: list[list[Ran]] = []
    for one in ran:
        free = next((row for row in rows if (row[-1].end or now) <= one.start), None)
        if free is None:
            rows.append(free := [])
        free.append(one)
    return [("", row) for row in rows]
