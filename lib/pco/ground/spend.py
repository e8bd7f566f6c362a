"""What was spent on a day: spend/YYYY-MM-DD.json in paths.metrics, written by pco-watch alone, read by all.

    {"schema": 1, "told": false, "sessions": {"WEB-12:1.1": {"before": 0.3, "seen": 0.75}}}

One entry for each session (ticket, round, attempt) that ran on that day, in USD: `seen` is what it had cost when it was
last looked at, `before` the same by the end of the days before; the difference is this day's.  To write the same sight
twice changes nothing.  `told`: that the day's limit was reached has been announced.

The day is that of display.timezone, and money belongs to the day on which pco-watch saw that it was spent.  A file has
the sessions of one day: finished tickets make none of them larger.
"""

import json
import os
import re
from dataclasses import field, replace
from datetime import date, timedelta
from pathlib import Path

from pco.ground import durable, shape
from pco.ground.errors import BadConfig, BadData, SystemFault
from pco.ground.frozen import dataclass

SCHEMA = 1
FOLDER = "spend"
GONE = "gone"  # the sessions of tickets that were purged, together
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
MOST_BYTES = 16 << 20
MOST_DAYS = 400  # a session that runs for longer counts as if it had been new then


@dataclass(frozen=True)
class Spent:
    """What one session had cost, before this day and by its end so far."""

    before: float
    seen: float


@dataclass(frozen=True)
class Book:
    """One day."""

    schema: int = SCHEMA
    told: bool = False
    sessions: dict[str, Spent] = field(default_factory=dict)

    @property
    def total(self) -> float:
        """What was spent on this day."""
        return sum(spent.seen - spent.before for spent in self.sessions.values())

    def announced(self) -> "Book":
        """The book with the note that the day's limit was announced."""
        return replace(self, told=True)

    def seeing(self, name: str, usd: float, before: float) -> "Book":
        """The book after a look at a session, which had cost `before` by the end of the days before.

        Itself if that is nothing new: what was spent once stays spent, whatever a session says later.
        """
        known = self.sessions.get(name) or Spent(before, before)
        if name in self.sessions and usd <= known.seen:
            return self
        return replace(self, sessions={**self.sessions, name: replace(known, seen=max(usd, known.seen))})


def name_of(key: str, round: int, attempt: int) -> str:
    """The name of a session in the book."""
    return f"{key}:{round}.{attempt}"


def nameless(book: Book, keys: frozenset[str]) -> Book:
    """The book with the sessions of these tickets put together, without their keys: what the day has cost stays."""
    theirs = [name for name in book.sessions if name.partition(":")[0] in keys]
    if not theirs:
        return book
    gone = [book.sessions[name] for name in (*theirs, *([GONE] if GONE in book.sessions else []))]
    others = {name: spent for name, spent in book.sessions.items() if name not in theirs}
    together = Spent(sum(spent.before for spent in gone), sum(spent.seen for spent in gone))
    return replace(book, sessions={**others, GONE: together})


def days(metrics: Path) -> list[date]:
    """The days of which there is a book, oldest first.  Raises SystemFault."""
    try:
        names = [entry.name.removesuffix(".json") for entry in os.scandir(metrics / FOLDER)]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise SystemFault(f"{metrics / FOLDER}: {error.strerror}") from error
    return sorted(date.fromisoformat(name) for name in names if _DAY.fullmatch(name))


def path(metrics: Path, day: date) -> Path:
    """The file of a day."""
    return metrics / FOLDER / f"{day.isoformat()}.json"


def read(metrics: Path, day: date) -> Book:
    """The book of a day, empty if there is none.  Raises BadData, SystemFault, BadConfig for one of a newer version."""
    file = path(metrics, day)
    try:
        value = json.loads(durable.read(file, MOST_BYTES))
        newer = isinstance(value, dict) and isinstance(value.get("schema"), int) and value["schema"] > SCHEMA
        if newer:
            raise BadConfig(f"{file}: written by a newer pco", "install the newer pco again")
        return shape.load(Book, value)
    except FileNotFoundError:
        return Book()
    except OSError as error:
        raise SystemFault(f"{file}: {error.strerror}") from error
    except (ValueError, RecursionError, BadData) as error:
        raise BadData(f"{file}: {error}") from error


def before(metrics: Path, day: date, name: str, since: date) -> float:
    """What a session that began on the day `since` had cost by the end of the days before `day`.

    Raises BadData, SystemFault.
    """
    earliest = max(since, day - timedelta(days=MOST_DAYS))
    while day > earliest:
        day -= timedelta(days=1)
        if spent := read(metrics, day).sessions.get(name):
            return spent.seen
    return 0.0


def write(metrics: Path, day: date, book: Book) -> None:
    """Put the book of a day in place, flushed.  Raises SystemFault."""
    file = path(metrics, day)
    try:
        durable.replace(file, json.dumps(shape.dump(book)).encode() + b"\n", 0o644)
    except OSError as error:
        raise SystemFault(f"{file}: {error.strerror}") from error
