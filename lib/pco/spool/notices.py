"""What people shall be told of: notify/NAME.json, one event each, taken and removed by who tells them.

{"schema": 1, "event": "unit failed", "at" (ISO 8601, Z), "key" (of the ticket it is about, or empty), "fields" (a
mapping of texts)}.  A name that begins with a dot is a file that is still being written.

NAME says what the event is about.  As long as nobody has taken it, the next event of the same name takes its place: a
unit that fails every minute is one file, however long nobody looks.
"""

import json
import re
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from pco.ground import durable, reserve, times
from pco.ground.errors import BadData

SCHEMA = 1
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9:_.@\\-]{0,199}")


@dataclass(frozen=True)
class Notice:
    """One event."""

    event: str
    at: datetime
    key: str = ""
    fields: dict[str, str] = field(default_factory=dict)


def leave(spool: Path, name: str, notice: Notice) -> None:
    """Leave an event under `name`, whole and flushed.  Raises OSError, and BadData for what is no safe name."""
    if not _NAME.fullmatch(name):
        raise BadData(f"{name[:40]!r} is no name for a notice")
    value = {"schema": SCHEMA, "event": notice.event, "at": times.iso(notice.at), "key": notice.key}
    data = json.dumps({**value, "fields": notice.fields}).encode() + b"\n"
    reserve.spare(spool, lambda: durable.replace(spool / "notify" / f"{name}.json", data))
