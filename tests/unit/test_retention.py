"""Which months of the audit record may be gone."""

from datetime import UTC, datetime, timedelta

import pytest

from pco.rules import retention

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
MONTH = timedelta(days=31)


@pytest.mark.parametrize("name", ["2026-09", "2026-08", "2024-01"])
def test_a_month_that_was_due_may_be_gone_before_the_oldest_that_is_there(name):
    assert retention.month_excused(name, {"2026-10", "2026-11"}, MONTH, NOW)


@pytest.mark.parametrize(
    ("name", "there", "kept"),
    [
        ("2026-10", {"2026-11"}, MONTH),  # 29 days old
        ("2026-09", {"2026-11"}, timedelta(days=730)),
        ("2026-09", {"2026-11"}, retention.FOR_EVER),
        ("2026-08", {"2026-07", "2026-11"}, MONTH),  # what goes by age goes from the oldest on
        ("2026-09", {"2026-09", "2026-11"}, MONTH),  # its file is there
        ("2026-09", set(), MONTH),  # the latest one never goes
    ],
)
def test_no_other_month_may_be_gone(name, there, kept):
    assert not retention.month_excused(name, there, kept, NOW)
