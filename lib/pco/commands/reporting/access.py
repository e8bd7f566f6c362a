"""Who read the dashboard, and who was refused, as nginx's access logs and the journal tell."""

import re
from collections import Counter
from datetime import datetime

from pco.ground.errors import PcoError
from pco.outside import accesslog, sudo
from pco.outside.accesslog import Reach
from pco.rules.period import Period
from pco.rules.report import Reader, Refusal

MOST_NAMES = 1000  # an address can be had for nothing: who asks from more has not read more
MOST_SHOWN = 50
REFUSED = (401, 403)
# The pages of the board, as nginx gives them out; other sites of the machine may stand in the same log.
_PAGES = re.compile(r"/|/index\.html|/board\.json|/lane-[a-z]+\.html|/[0-9]{4}-[0-9]{2}(-[0-9]+)?\.html|/ticket/[^/]+")

Found = tuple[tuple[Reader, ...] | None, tuple[Refusal, ...] | None, list[str]]


def seen(period: Period) -> Found:
    """Readers, refusals (None: nothing could be read), and what could not be read."""
    unseen: list[str] = []
    readers, refusals = _visits(period, unseen)
    denied = _sudo(period, unseen)
    known = [*(refusals or ()), *(denied or ())]
    ordered = sorted(known, key=lambda one: (-one.count, one.name, one.what))[:MOST_SHOWN]
    return readers, None if refusals is denied is None else tuple(ordered), unseen


class _Tally:
    """How often something was, and when last; of at most MOST_NAMES kinds."""

    def __init__(self) -> None:
        self.count: Counter[tuple[str, str]] = Counter()
        self.last: dict[tuple[str, str], datetime] = {}

    def add(self, what: str, name: str, at: datetime) -> None:
        """Once more."""
        one = (what, name) if (what, name) in self.last or len(self.last) < MOST_NAMES else (what, "others")
        self.count[one] += 1
        self.last[one] = max(self.last.get(one, at), at)

    def refusals(self) -> tuple[Refusal, ...]:
        """All of it."""
        return tuple(Refusal(what, name, n, self.last[what, name]) for (what, name), n in self.count.items())


def _visits(period: Period, unseen: list[str]) -> tuple[tuple[Reader, ...] | None, tuple[Refusal, ...] | None]:
    read, refused, reach = _Tally(), _Tally(), Reach()
    try:
        for visit in accesslog.visits(period.since, reach):
            if not period.holds(visit.at) or not _PAGES.fullmatch(visit.path):
                continue
            if visit.status in REFUSED:
                refused.add(f"dashboard ({visit.status})", visit.who, visit.at)
            elif visit.status < 400:
                read.add("", visit.who, visit.at)
    except FileNotFoundError:
        return (), ()  # no web server, no readers
    except OSError as error:
        unseen.append(f"who read the dashboard: {error.filename}: {error.strerror} (root and members of adm may)")
        return None, None
    if not reach.whole:
        unseen.append("who read the dashboard: nginx's logs are larger than what is read of them")
    names = (Reader(name, n, read.last["", name]) for (_, name), n in read.count.most_common(MOST_SHOWN))
    return tuple(names), refused.refusals()


def _sudo(period: Period, unseen: list[str]) -> tuple[Refusal, ...] | None:
    refused = _Tally()
    try:
        for one in sudo.refused(period.since, period.until):
            refused.add(f"sudo ({one.what})", one.who, one.at)
    except PcoError as error:
        unseen.append(f"what sudo refused: {error}")
        return None
    return refused.refusals()
