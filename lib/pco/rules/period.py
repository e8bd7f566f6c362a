"""The time that a report is about: whole days, in the zone that people read times in.

`7d` are the seven days before today, and today so far; `2w` likewise; `today`, `yesterday`; `week`, `month` and `year`
begin on Monday, on the first, and on the first of January; `2026-11-01` is a day.
"""

import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from pco.ground import times
from pco.ground.frozen import dataclass

WORDS = ("today", "yesterday", "week", "month", "year")
MOST_DAYS = 36_600
_SPAN = re.compile(r"([0-9]{1,5})([dw])")


@dataclass(frozen=True)
class Period:
    """From a moment up to another, which is no longer in it; `zone` is that of its days (None: the machine's own)."""

    since: datetime
    until: datetime
    zone: tzinfo | None = None

    def holds(self, moment: datetime) -> bool:
        """Whether a moment is in it."""
        return self.since <= moment < self.until

    @property
    def days(self) -> list[date]:
        """The days that it touches, oldest first."""
        first, last = self.day(self.since), self.day(max(self.until - timedelta(microseconds=1), self.since))
        return [first + timedelta(days=n) for n in range((last - first).days + 1)]

    @property
    def months(self) -> list[str]:
        """The months (UTC) that it touches: 2026-11."""
        last = f"{self.until:%Y-%m}"
        found, year, month = [f"{self.since:%Y-%m}"], self.since.year, self.since.month
        while found[-1] < last:
            year, month = year + month // 12, month % 12 + 1
            found.append(f"{year:04}-{month:02}")
        return found

    def day(self, moment: datetime) -> date:
        """The day of a moment."""
        return times.day(moment, self.zone)


def period(since: str, until: str, now: datetime, zone: tzinfo | None) -> Period:
    """The period that was asked for; without `until` it ends now.  Raises ValueError in words."""
    today = times.day(now, zone)
    begins = midnight(_first(since, today), zone)
    ends = midnight(_first(until, today), zone) if until else now
    if ends <= begins:
        raise ValueError(f"nothing lies between {begins:%Y-%m-%d} and {ends:%Y-%m-%d}")
    return Period(begins, ends, zone)


def last_days(number: int, now: datetime, zone: tzinfo | None) -> Period:
    """The last whole days, without today."""
    today = times.day(now, zone)
    return Period(midnight(today - timedelta(days=number), zone), midnight(today, zone), zone)


def midnight(day: date, zone: tzinfo | None) -> datetime:
    """When a day began."""
    there = datetime.combine(day, time(), zone)
    return there.astimezone(UTC)


def _first(given: str, today: date) -> date:
    """The day that a word, a span or a date names."""
    if match := _SPAN.fullmatch(given):
        days = int(match[1]) * (7 if match[2] == "w" else 1)
        return today - timedelta(days=min(days, MOST_DAYS))
    named = {
        "today": today,
        "yesterday": today - timedelta(days=1),
        "week": today - timedelta(days=today.weekday()),
        "month": today.replace(day=1),
        "year": today.replace(month=1, day=1),
    }
    if given in named:
        return named[given]
    try:
        found = date.fromisoformat(given)
        if not 1970 <= found.year < 9000:
            raise ValueError
        return found
    except ValueError:
        raise ValueError(
            f"{given[:40]!r} is no day (write 7d, 2w, {', '.join(WORDS)}, or a date such as 2026-11-01)"
        ) from None
