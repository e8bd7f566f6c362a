"""Times on a page: absolute, in one zone that the page names; an age is the age when the page was made."""

from datetime import datetime, timedelta, tzinfo

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
        """`2026-11-22 13:00`, with the exact time in UTC for machines and for who points at it."""
        form = "%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M"
        exact = times.iso(moment)
        return el("time", {"datetime": exact, "title": exact}, f"{moment.astimezone(self.zone):{form}}")

    def brief(self, moment: datetime) -> Element:
        """`13:00` for a time of today, `22 Nov, 13:00` for another day; for pages that are written every minute."""
        exact = times.iso(moment)
        there, now = moment.astimezone(self.zone), self.now.astimezone(self.zone)
        year = "" if there.year == now.year else f" {there.year}"
        day = "" if there.date() == now.date() else f"{there.day} {MONTHS[there.month - 1]}{year}, "
        return el("time", {"datetime": exact, "title": f"{there:%Y-%m-%d %H:%M:%S}"}, f"{day}{there:%H:%M}")

    def old(self, moment: datetime) -> Element:
        """How old it is, with the time itself for machines and for who points at it."""
        at = f"since {moment.astimezone(self.zone):%Y-%m-%d %H:%M:%S}"
        return el("time", {"datetime": times.iso(moment), "title": at, "class": "age"}, self.age(moment))

    def age(self, moment: datetime) -> str:
        """How old it is as the page is made: `3h`."""
        return times.rough(self.now - moment)

    def zone_name(self) -> str:
        """The zone in words: `Europe/Berlin (CET)`, or what the machine calls its own."""
        own = self.now.astimezone(self.zone).tzname() or "local time"
        return own if self.named in ("local", own) else f"{self.named} ({own})"


def took(start: datetime, end: datetime) -> str:
    """How long it took, exact enough for people: `45s`, `12m`, `3h 20m`, `2d 4h`."""
    span = max(end - start, timedelta())
    for size, smaller in ((timedelta(days=1), timedelta(hours=1)), (timedelta(hours=1), timedelta(minutes=1))):
        if span >= size:
            rest = times.rough(span % size) if span % size >= smaller else ""
            return f"{times.rough(span)} {rest}".rstrip()
    return times.rough(span)
