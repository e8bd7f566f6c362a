"""What pco-notify has delivered: metrics/notify.json, written by it alone, whole and flushed; mode 0640.

    {"schema": 1, "last": {EVENT: when its last message was made},
     "ways": {WAY: {"success", "failure": when, "said": what went wrong, "given_up": since when messages are lost}},
     "trials": [{"name", "event", "at", "by", "results": {WAY: "" or what went wrong}}]}

A way is mail, webhook, ntfy, or an administrator's program EVENT/NAME.
"""

import json
from dataclasses import field, replace
from datetime import datetime
from pathlib import Path

from pco.ground import durable, shape
from pco.ground.errors import BadData
from pco.ground.frozen import dataclass

SCHEMA = 1
FILE = "notify.json"
MOST_BYTES = 4 << 20
MOST_TRIALS = 10


@dataclass(frozen=True)
class Way:
    """How messages fare on one way: the last that arrived, the last that did not and why.

    `given_up` is when the first message was given up since one arrived.
    """

    success: datetime | None = None
    failure: datetime | None = None
    said: str = ""
    given_up: datetime | None = None


@dataclass(frozen=True)
class Trial:
    """What became of `pco-notify --test`."""

    name: str
    event: str
    at: datetime
    results: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Delivered:
    """All of it."""

    last: dict[str, datetime] = field(default_factory=dict)
    ways: dict[str, Way] = field(default_factory=dict)
    trials: tuple[Trial, ...] = ()
    schema: int = SCHEMA

    def made(self, event: str, at: datetime) -> "Delivered":
        """A message was made of an event."""
        return replace(self, last={**self.last, event: at})

    def arrived(self, way: str, at: datetime) -> "Delivered":
        """A message has arrived."""
        known = self.ways.get(way, Way())
        return replace(self, ways={**self.ways, way: Way(at, known.failure, known.said)})

    def missed(self, way: str, at: datetime, said: str, *, lost: bool) -> "Delivered":
        """A message has not arrived; `lost`: it is not tried again."""
        known = self.ways.get(way, Way())
        given_up = (known.given_up or at) if lost else known.given_up
        return replace(self, ways={**self.ways, way: Way(known.success, at, said, given_up)})

    def tried(self, trial: Trial) -> "Delivered":
        """A trial is over."""
        return replace(self, trials=(*self.trials, trial)[-MOST_TRIALS:])

    def only(self, ways: set[str]) -> "Delivered":
        """Without ways that are no more."""
        kept = {name: way for name, way in self.ways.items() if name in ways}
        return self if kept == self.ways else replace(self, ways=kept)


def read(metrics: Path) -> Delivered:
    """What is on disk; nothing if there is no file.  Raises BadData, and OSError."""
    try:
        return shape.load(Delivered, json.loads(durable.read(metrics / FILE, MOST_BYTES)))
    except FileNotFoundError:
        return Delivered()
    except (ValueError, RecursionError) as error:
        raise BadData(f"{metrics / FILE}: {error}") from error


def write(metrics: Path, delivered: Delivered) -> None:
    """Put it on disk.  Raises OSError."""
    durable.replace(metrics / FILE, json.dumps(shape.dump(delivered)).encode() + b"\n", 0o640)
