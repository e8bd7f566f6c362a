"""Which days a report is about."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pco.rules.period import Period, last_days, period

NOW = datetime(2026, 11, 25, 14, 30, tzinfo=UTC)  # a Wednesday
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("since", "day"),
    [
        ("today", "2026-11-25"),
        ("yesterday", "2026-11-24"),
        ("0d", "2026-11-25"),
        ("7d", "2026-11-18"),
        ("2w", "2026-11-11"),
        ("week", "2026-11-23"),
        ("month", "2026-11-01"),
        ("year", "2026-01-01"),
        ("2026-10-05", "2026-10-05"),
    ],
)
def test_a_period_begins_with_a_day_and_ends_now(since, day):
    found = period(since, "", NOW, UTC)

    assert (found.since, found.until) == (datetime.fromisoformat(f"{day}T00:00Z"), NOW)


def test_until_names_the_day_with_which_it_is_over():
    found = period("2026-10-01", "2026-11-01", NOW, UTC)

    assert (found.days[0], found.days[-1], len(found.days)) == (date(2026, 10, 1), date(2026, 10, 31), 31)


def test_days_are_those_of_the_zone_also_over_the_change_to_winter():
    found = period("2026-10-25", "2026-10-26", NOW, BERLIN)

    assert (found.since.isoformat(), found.until.isoformat()) == (
        "2026-10-24T22:00:00+00:00",
        "2026-10-25T23:00:00+00:00",
    )
    assert found.days == [date(2026, 10, 25)]


def test_the_last_days_are_whole_ones_without_today():
    found = last_days(7, NOW, UTC)

    assert (found.days[0], found.days[-1], len(found.days)) == (date(2026, 11, 18), date(2026, 11, 24), 7)


@pytest.mark.parametrize("wrong", ["", "7", "7h", "-1d", "soon", "2026-13-01", "0000-01-01", "9999-01-01", "٣d"])
def test_what_is_no_day_is_said(wrong):
    with pytest.raises(ValueError, match="is no day"):
        period(wrong, "", NOW, UTC)


def test_a_period_in_which_nothing_lies_is_said():
    with pytest.raises(ValueError, match="nothing lies between"):
        period("today", "yesterday", NOW, UTC)


@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)), st.timedeltas())
def test_the_months_are_those_of_all_moments_in_it(begin, length):
    begin = begin.replace(tzinfo=UTC)
    end = begin + min(abs(length), datetime(2110, 1, 1, tzinfo=UTC) - begin)

    months = Period(begin, end).months

    assert months[0] == f"{begin:%Y-%m}"
    assert months[-1] == f"{end:%Y-%m}"
    assert months == sorted(set(months))
    assert len(months) == (end.year - begin.year) * 12 + end.month - begin.month + 1
