"""The simulator's own time: real time plus what a test has skipped, and the scale of all the server's delays."""

import threading
import time
from datetime import UTC, datetime
from zoneinfo import ZoneInfo


class Clock:
    """Seconds since the epoch, never going back, that a test may move forward.

    `scale` multiplies every delay of the server itself: late bumps, throttle window, slow answers, lag.
    """

    def __init__(self, scale: float = 1.0) -> None:
        self.scale = scale
        self._skipped = 0.0
        self._last = 0
        self._lock = threading.Lock()

    def seconds(self) -> float:
        """Now, as seconds since the epoch; each call returns at least a microsecond more than the one before."""
        with self._lock:
            # In whole microseconds: as a float the next one could be written like the one before.
            self._last = max(round((time.time() + self._skipped) * 1e6), self._last + 1)
            return self._last / 1e6

    def advance(self, seconds: float) -> None:
        """Skip `seconds` ahead (not scaled)."""
        with self._lock:
            self._skipped += seconds

    def scaled(self, seconds: float) -> float:
        """How long a delay of `seconds` of the real server lasts here."""
        return seconds * self.scale

    def stamp(self, later: float = 0.0) -> str:
        """Now plus `later` seconds, in the stored form of times."""
        return to_stamp(self.seconds() + later)


def to_stamp(seconds: float) -> str:
    """Return the stored form: UTC, always six digits, so that text order is time order."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_stamp(text: str) -> str:
    """Return the stored form of an ISO 8601 time with or without offset.

    Raises ValueError when it is no time.
    """
    when = datetime.fromisoformat(text)
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def shown(stamp: str, zone: str) -> str:
    """Return a stored time as the API shows it: in the asking user's zone, microseconds left out when they are zero."""
    if zone == "UTC":
        return stamp[:-8] + "Z" if stamp.endswith(".000000Z") else stamp
    return datetime.fromisoformat(stamp).astimezone(ZoneInfo(zone)).isoformat()
