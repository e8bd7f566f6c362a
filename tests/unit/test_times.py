from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pco.ground import times


@pytest.mark.parametrize(
    ("text", "seconds"), [("50ms", 0.05), ("90s", 90), ("20m", 1200), ("4h", 14400), ("7d", 604800)]
)
def test_a_duration_is_a_number_and_a_unit(text, seconds):
    assert times.parse_duration(text) == timedelta(seconds=seconds)
    assert times.parse_duration(times.duration(timedelta(seconds=seconds))) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "5", "m", "5 m", "-5m", "5M", "1.5h", "5m ", "5mm", "٥m", "9999999999s"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError):
        times.parse_duration(text)


@pytest.mark.parametrize(
    "text",
    ["2026-11-22T20:36:57.505726Z", "2026-11-23T02:06:57.505726+05:30", "2026-11-22T20:36:57.505726+00:00"],
)
def test_times_are_read_with_any_offset(text):
    assert times.parse_time(text) == datetime(2026, 11, 22, 20, 36, 57, 505726, tzinfo=UTC)


def test_microseconds_may_be_missing():
    assert times.parse_time("2026-11-22T20:36:57Z") == datetime(2026, 11, 22, 20, 36, 57, tzinfo=UTC)


@pytest.mark.parametrize("text", ["2026-11-22T20:36:57", "yesterday", "0001-01-01T00:00:00+23:00", ""])
def test_a_time_without_offset_or_out_of_range_is_refused(text):
    with pytest.raises(ValueError):
        times.parse_time(text)


@given(st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(9000, 1, 1)))
def test_a_written_time_reads_back_the_same(moment):
    aware = moment.replace(tzinfo=UTC)
    assert times.parse_time(times.iso(aware)) == aware


def test_people_read_rough_times():
    now = datetime(2026, 11, 22, tzinfo=UTC)
    assert times.ago(now - timedelta(minutes=5, seconds=3), now) == "5m ago"
    assert times.ago(now + timedelta(hours=2), now) == "in 2h"
