"""Whether the audit record holds together: what each line is bound to, and what it is known by elsewhere."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from pco.ground import audit
from pco.ground.audit import Record
from pco.ground.errors import SystemFault
from pco.ground.frozen import dataclass

# How pco ends a line: to read each of them as JSON takes long.
_TAIL = re.compile(rb',"prev":"([0-9a-f]{64})"}\Z')
_TAIL_LENGTH = len(',"prev":""}') + 64


@dataclass(frozen=True)
class Link:
    """A line of the record: which of which file, its hash, its bytes.

    `follows`: it is bound to the line before it.  The first of all binds to what may have been removed since.
    """

    file: str
    line: int
    hash: str
    data: bytes
    follows: bool

    @property
    def record(self) -> Record | None:
        """What it says; None if it is torn.  Read only when it is asked for: there are many."""
        return audit.parse(self.data)


def links(folder: Path, first: str = "") -> Iterator[Link]:
    """Every line of the record, oldest first, of the months from `first` on.  Raises SystemFault."""
    before = ""
    for month in audit.months(folder):
        if month < first:
            continue
        path = audit.path_of(folder, month)
        try:
            with open(path, "rb") as file:
                number = 0
                while line := file.readline(audit.MOST_LINE):
                    number += 1
                    line = line.rstrip(b"\n")
                    prev = _prev(line)
                    hash = audit.line_hash(line)
                    follows = not before or prev in (before, None)
                    yield Link(path.name, number, hash, line, follows)
                    before = hash
        except OSError as error:
            raise SystemFault(f"audit: {path}: {error.strerror}") from error


def _prev(line: bytes) -> str | None:
    """What a record is bound to; None for a torn one, to which the next is bound as it is."""
    if found := _TAIL.match(line[-_TAIL_LENGTH:]):
        return found[1].decode()
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return str(value.get("prev")) if isinstance(value, dict) else None
