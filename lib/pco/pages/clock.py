"""Times on a page: absolute, in one zone that it names; an age is that of when the page was made, as it says then."""

import time
from datetime import datetime, tzinfo
from functools import lru_cache

from pco.ground import times
from pco.ground.frozen import dataclass
from pco.pages.html import Element, el

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True)
class Clock:
    """The moment at which a page is made, and the zone it is read in (None: the machine's own)."""

    now: datetime
    zone: tzinfo | None = None
    named: str = "local"

    def at(self, moment: datetime, *, seconds: bool = False) -> Element:
        """`2026-11-22 13:00`; the exact time is there for machines, with its zone for who points at it."""
        return _at(moment, self.zone, 19 if seconds else 16)

    def brief(self, moment: datetime, *, zone: bool = False) -> Element:
        """`13:00` for a time of today, `22 Nov, 13:00` for another day; for pages that are written every minute.

        With `zone` it says in which: `13:00 CET`.
        """
        there, now = moment.astimezone(self.zone), self.now.astimezone(self.zone)
        year = "" if there.year == now.year else f" {there.year}"
        day = "" if there.date() == now.date() else f"{there.day} {MONTHS[there.month - 1]}{year}, "
        said = f"{day}{there:%H:%M}{f' {there:%Z}' if zone else ''}"
        return el("time", {"datetime": times.iso(moment), "title": _exact(there)}, said)

    def old(self, moment: datetime) -> Element:
        """How old it is, with the time itself for machines and for who points at it."""
        at = f"since {_exact(moment.astimezone(self.zone))}"
        return el("time", {"datetime": times.iso(moment), "title": at, "class": "age"}, self.age(moment))

    def age(self, moment: datetime) -> str:
        """How old it is as the page is made: `3h`."""
        return times.rough(self.now - moment)

    def zone_name(self) -> str:
        """The zone in words, the same in summer and winter: `Europe/Berlin`; of the machine's own `CET/CEST`."""
        return self.named if self.zone else "/".join(dict.fromkeys(time.tzname))


@lru_cache(maxsize=256)  # a page says the same moments several times
def _at(moment: datetime, zone: tzinfo | None, length: int) -> Element:
    exact = _exact(moment.astimezone(zone))
    return el("time", {"datetime": times.iso(moment), "title": exact}, exact[:length])


def _exact(there: datetime) -> str:
    return f"{there.isoformat(' ', 'seconds')[:19]} {there.tzname()}"
