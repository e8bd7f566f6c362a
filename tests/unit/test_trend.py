"""What the last days were like: counted from the audit record, bounded however much there is."""

from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from pco.ground.audit import Record
from pco.rules import trend
from support import T0

HOUR = 3600.0
TODAY = date(2026, 11, 22)


def moved(came: str, to: str, stayed: Any = 60.0, days_ago: int = 0) -> Record:
    """A move as it stands in the audit record."""
    at = T0 - timedelta(days=days_ago)
    return Record(at, "moved", "anna", "WEB-1", {"from": came, "to": to, "measured": {"stayed": stayed}})


def counted(*records: Record) -> trend.Days:
    days: trend.Days = {}
    for record in records:
        trend.add(days, record, ZoneInfo("UTC"))
    return days


def test_each_day_tells_how_many_tickets_ended_and_what_it_cost():
    days = counted(
        moved("outbox", "posted"),
        moved("outbox", "posted"),
        moved("active", "failed", days_ago=1),
        moved("pending", "approved"),
    )

    shown = trend.shown(days, {"2026-11-21": 4.5}, TODAY - timedelta(days=trend.DAYS - 1))

    assert len(shown) == trend.DAYS and shown[-1].date == TODAY
    assert (shown[-1].ended, shown[-1].usd) == ({"posted": 2}, 0.0)
    assert (shown[-2].ended, shown[-2].usd) == ({"failed": 1}, 4.5)
    assert not shown[0].ended


def test_a_day_is_that_of_the_zone_in_which_people_read_times():
    late = Record(T0.replace(hour=23, minute=30), "moved", "x", "WEB-1", {"from": "outbox", "to": "posted"})
    days: trend.Days = {}

    trend.add(days, late, ZoneInfo("Europe/Berlin"))

    assert list(days) == ["2026-11-23"]


def test_gates_tell_median_and_ninth_decile_within_a_tenth():
    waits = [60.0 * n for n in range(1, 101)]

    (approval, *others) = trend.gates(counted(*(moved("pending", "approved", wait) for wait in waits)))

    assert (approval.name, approval.count) == ("approval", 100)
    assert approval.median == pytest.approx(50 * 60, rel=0.1)
    assert approval.p90 == pytest.approx(90 * 60, rel=0.1)
    assert [gate.count for gate in others] == [0, 0, 0]


def test_gates_are_taken_over_all_days():
    days = counted(moved("completed", "outbox", HOUR, 3), moved("completed", "outbox", 2 * HOUR, 1))

    acceptance = trend.gates(days)[2]

    assert (acceptance.name, acceptance.count) == ("acceptance", 2)
    assert acceptance.p90 == pytest.approx(2 * HOUR, rel=0.1)


@pytest.mark.parametrize("stayed", [None, "long", -1, float("nan"), float("inf"), True, [], 10**400])
def test_what_is_no_wait_is_left_out(stayed):
    assert trend.gates(counted(moved("pending", "approved", stayed)))[0].count == 0


@pytest.mark.parametrize(
    "fields", [{}, {"from": "pending"}, {"from": ["x"], "to": "posted"}, {"from": "", "to": "<b>"}, {"to": {}}]
)
def test_a_record_that_tells_of_no_move_is_passed_over(fields):
    days = counted(Record(T0, "moved", "x", "WEB-1", fields), Record(T0, "noted", "x", "", fields))

    assert not days


def test_a_day_stays_small_however_much_happens():
    days = counted(*(moved("pending", "approved", 1.1**n) for n in range(1, 300)))

    assert sum(len(bins) for bins in days["2026-11-22"]["stayed"].values()) < 125


def test_days_that_are_over_for_long_are_forgotten():
    days = counted(moved("outbox", "posted", days_ago=20), moved("outbox", "posted"))

    assert list(trend.pruned(days, TODAY - timedelta(days=13))) == ["2026-11-22"]
