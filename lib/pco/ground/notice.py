"""What people shall be told of: a notice is one event, a message is what goes out, for one notice or for many.

notify/NAME.json, a notice: {"schema": 1, "event", "at" (ISO 8601, Z), "key" (of the ticket it is about, or empty),
"fields" (a mapping of texts)}.  Members of group pco can write such files, so what is read of one is cleaned and cut.

sending/ID.json, a message, which pco-notify alone writes: see `Message`.  `of` are the notices that are in it, each as
`NAME AT`: one that was claimed and stands there has been taken over, whatever was killed in between.
"""

import json
from dataclasses import field
from datetime import datetime
from typing import Any, Literal

from pco.ground import shape, text
from pco.ground.errors import BadData
from pco.ground.frozen import dataclass

SCHEMA = 1
MOST_BYTES = 1 << 20  # of a notice; a report is a text of some length
MOST_MESSAGE = 16 << 20
MOST_SHOWN = 50  # notices that a message carries whole; of the others it has the number, and the first keys
MOST_KEYS = 200
MOST_FIELD = 64 << 10
EVENTS = {
    "blocked": "an agent waits for a person",
    "completed": "a session has handed over a summary, which a person should read",
    "failed": "a ticket has failed, and a person decides",
    "posted": "a comment is in Plane",
    "held-back": "pco itself put a ticket on hold",
    "unit-failed": "a unit of pco has failed",
    "health-degraded": "pco is no longer well, or not well for one more reason",
    "health-recovered": "pco is well again",
    "budget-reached": "the day's money is used up",
    "push-refused": "the branch of a ticket was refused where it was to be pushed",
    "short-of-room": "a disk or the memory has too little room for sessions",
    "room-again": "sessions have room again",
    "backup-failed": "a backup was not made",
    "daily-digest": "what happened in a day",
    "weekly-report": "what happened in a week",
    "test": "somebody tries whether messages arrive",
}
LONG = ("text", "summary", "why")  # fields that may have several lines
SINGLE = ("daily-digest", "weekly-report", "test")  # never put together with others, never kept waiting


def slug(event: str) -> str:
    """The name of an event as folders and configuration have it: `unit failed` is unit-failed."""
    return event.replace(" ", "-")


@dataclass(frozen=True)
class Notice:
    """One event; `event` is a key of EVENTS, with blanks or hyphens."""

    event: str
    at: datetime
    key: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    schema: int = SCHEMA


@dataclass(frozen=True)
class Delivery:
    """How far one message has come on one way.

    `tries` counts those that were begun; `next` is when it may be tried again, `said` what went wrong last.
    """

    tries: int = 0
    state: Literal["waiting", "done", "given up"] = "waiting"
    next: datetime | None = None
    said: str = ""


@dataclass(frozen=True)
class Message:
    """What goes out.  `count` is the number of events, `notices` are the first of them, `keys` those of their tickets.

    `test` names the trial that it belongs to.
    """

    id: str
    event: str
    at: datetime
    count: int
    notices: tuple[Notice, ...]
    keys: tuple[str, ...] = ()
    of: tuple[str, ...] = ()
    test: str = ""
    ways: dict[str, Delivery] = field(default_factory=dict)
    schema: int = SCHEMA

    @property
    def open(self) -> bool:
        """Whether there is something left to do."""
        return any(way.state == "waiting" for way in self.ways.values())


@dataclass(frozen=True)
class HealthTold:
    """What people were told of pco's health: control/health, written by pco-dashboard.

    `told` are the kinds of reasons that they know of, none if they think that it is well; `seen` is since when each of
    the present ones has been there.
    """

    told: tuple[str, ...] = ()
    seen: dict[str, datetime] = field(default_factory=dict)
    schema: int = SCHEMA


def notice_of(data: bytes) -> Notice:
    """Read a notice.  Raises BadData."""
    made = _loaded(Notice, data, "a notice")
    if slug(made.event) not in EVENTS:
        raise BadData(f"{text.line(made.event, 40)!r} is no event{text.meant(slug(made.event), list(EVENTS))}")
    fields = {text.line(name, 40): _cleaned(name, value) for name, value in made.fields.items()}
    return Notice(slug(made.event), made.at, text.line(made.key, 40), fields)


def _cleaned(name: str, value: str) -> str:
    return text.lines(value, MOST_FIELD) if name in LONG else text.line(value[:MOST_FIELD])


def message_of(data: bytes) -> Message:
    """Read a message.  Raises BadData."""
    made: Message = _loaded(Message, data, "a message")
    return made


def to_bytes(value: Notice | Message) -> bytes:
    """As it stands in its file."""
    return json.dumps(shape.dump(value)).encode() + b"\n"


def _loaded(kind: Any, data: bytes, what: str) -> Any:
    try:
        value = json.loads(data)
        if not isinstance(value, dict) or value.get("schema") != SCHEMA:
            raise BadData(f"not {what} of schema {SCHEMA}")
        return shape.load(kind, value)
    except (ValueError, RecursionError) as error:
        raise BadData(f"not {what}: {text.line(str(error), 200)}") from error
