"""What the last days were like, counted from the audit record: tickets that ended, and how long they stood at gates.

A day is {"ended": {STATE: N}, "stayed": {GATE: {BIN: N}}}, by its date in the zone that people read times in.  A bin
holds the waits that differ by less than a fifth: so median and ninth decile are known closely enough to be drawn, a day
has some hundred numbers at most, and nothing grows with the tickets there are.
"""

import math
from collections import Counter
from collections.abc import Mapping
from datetime import date, datetime, timedelta, tzinfo
from typing import Any

from pco.ground import times
from pco.ground.audit import Record
from pco.ground.frozen import dataclass
from pco.ground.tally import amount
from pco.ground.ticket import State
from pco.rules.counting import GATES
from pco.rules.report import ENDED, Gate

DAYS = 14  # today is the last of them
_STEP = math.log(1.2)
_MOST = 120  # bins; the last one begins at over a hundred years

Days = dict[str, Any]


@dataclass(frozen=True)
class Day:
    """One day: how many tickets ended, by state, and what sessions cost."""

    date: date
    ended: Mapping[str, int]
    usd: float = 0.0


def first(now: datetime, zone: tzinfo | None) -> date:
    """The first of the days that are shown."""
    return times.day(now, zone) - timedelta(days=DAYS - 1)


def add(days: Days, record: Record, zone: tzinfo | None) -> None:
    """Count a record: people write the audit record, too, and anything may stand in it."""
    came, to = record.fields.get("from"), record.fields.get("to")
    if record.event != "moved" or came not in (*State, "") or to not in {*State}:
        return
    day = days.setdefault(times.day(record.at, zone).isoformat(), {"ended": {}, "stayed": {}})
    if to in ENDED:
        day["ended"][to] = day["ended"].get(to, 0) + 1
    measured = record.fields.get("measured")
    stayed = measured.get("stayed") if isinstance(measured, dict) else None
    gate = next((name for (before, after), name in GATES.items() if (came, to) == (before, after)), "")
    if gate and stayed is not None and amount(stayed):
        bins, name = day["stayed"].setdefault(gate, {}), str(_bin(float(stayed)))
        bins[name] = bins.get(name, 0) + 1


def pruned(days: Days, since: date) -> Days:
    """The days from `since` on."""
    return {name: day for name, day in days.items() if name >= since.isoformat()}


def shown(days: Days, costs: Mapping[str, float], since: date) -> tuple[Day, ...]:
    """All days from `since` on, oldest first, those on which nothing happened, too; `costs` by date."""
    dates = [since + timedelta(days=n) for n in range(DAYS)]
    return tuple(Day(one, dict(_day(days, one).get("ended", {})), costs.get(one.isoformat(), 0.0)) for one in dates)


def gates(days: Days) -> tuple[Gate, ...]:
    """How long tickets waited, gate by gate, in the order of a ticket's way."""
    found = []
    for name in GATES.values():
        bins: Counter[int] = Counter()
        for day in days.values():
            bins.update({int(number): count for number, count in day["stayed"].get(name, {}).items()})
        found.append(Gate(name, bins.total(), _within(bins, 0.5), _within(bins, 0.9)))
    return tuple(found)


def _day(days: Days, one: date) -> Days:
    found: Days = days.get(one.isoformat(), {})
    return found


def _bin(seconds: float) -> int:
    return min(round(math.log1p(seconds) / _STEP), _MOST)


def _within(bins: Counter[int], part: float) -> float:
    """The time within which that part of all waits was over, in seconds."""
    wanted, seen = part * bins.total(), 0
    for number, count in sorted(bins.items()):
        seen += count
        if seen >= wanted:
            return math.expm1(number * _STEP)
    return 0.0
