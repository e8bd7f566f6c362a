"""Times are aware UTC datetimes, durations timedeltas.

On disk a time is ISO 8601 with Z; in the configuration a duration is `50ms 90s 20m 4h 7d`.
"""

import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"([0-9]{1,9})(ms|s|m|h|d)")


def parse_time(text: str) -> datetime:
    """Read ISO 8601 with an offset, with or without microseconds, as UTC.  Raises ValueError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"time without offset: {text!r}")
    if moment.tzinfo is UTC:
        return moment
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"time out of range: {text!r}") from error


def iso(moment: datetime) -> str:
    """Write a time as ISO 8601 with microseconds and Z."""
    utc = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    return utc.isoformat(timespec="microseconds").replace("+00:00", "Z")


def midnight(moment: datetime, zone: tzinfo | None) -> datetime:
    """When the day of a moment began in a zone (None: the machine's own), as UTC."""
    there = moment.astimezone(zone)
    began = datetime.combine(there.date(), time(), there.tzinfo if zone else None)
    return began.astimezone(UTC)


def day(moment: datetime, zone: tzinfo | None) -> date:
    """The day of a moment in a zone (None: the machine's own)."""
    return moment.astimezone(zone).date()


def parse_duration(text: str) -> timedelta:
    """Read `50ms`, `90s`, `20m`, `4h`, `7d`.  Raises ValueError."""
    match = _DURATION.fullmatch(text)
    if not match:
        raise ValueError(f"{text[:40]!r} is no duration (write 50ms, 90s, 20m, 4h or 7d)")
    return timedelta(seconds=int(match[1]) * _UNITS[match[2]])


def duration(span: timedelta) -> str:
    """Write a duration for people and for the configuration: the largest unit that divides it."""
    thousandths = round(span.total_seconds() * 1000)
    for unit in ("d", "h", "m", "s"):
        size = round(_UNITS[unit] * 1000)
        if thousandths and thousandths % size == 0:
            return f"{thousandths // size}{unit}"
    return f"{thousandths}ms" if thousandths else "0s"


def rough(span: timedelta) -> str:
    """Write a duration as people say it: `12s`, `5m`, `3h`, `2d`."""
    seconds = max(span.total_seconds(), 0)
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{int(seconds // size)}{unit}"
    return f"{int(seconds)}s"


def ago(moment: datetime, now: datetime) -> str:
    """`5m ago`; a moment that lies ahead reads `in 5m`."""
    return f"{rough(now - moment)} ago" if moment <= now else f"in {rough(moment - now)}"
