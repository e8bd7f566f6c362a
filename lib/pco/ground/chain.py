"""Whether the audit record holds together: what each line is bound to, and what it is known by elsewhere."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pco.ground import audit
from pco.ground.audit import Record
from pco.ground.errors import SystemFault


@dataclass(frozen=True)
class Link:
    """A line of the record: which of which file, its hash, what it says (None: it is torn).

    `follows`: it is bound to the line before it.  The first of all binds to what may have been removed since.
    """

    file: str
    line: int
    hash: str
    record: Record | None
    follows: bool


def links(folder: Path) -> Iterator[Link]:
    """Every line of the record, oldest first.  Raises SystemFault."""
    before = ""
    for month in audit.months(folder):
        path = folder / f"{month}.jsonl"
        try:
            with open(path, "rb") as file:
                for number, line in enumerate(iter(lambda file=file: file.readline(audit.MOST_LINE), b""), 1):  # type: ignore[misc]
                    line = line.rstrip(b"\n")
                    prev = _prev(line)
                    hash = audit.line_hash(line)
                    follows = not before or prev in (before, None)
                    yield Link(path.name, number, hash, audit.parse(line), follows)
                    before = hash
        except OSError as error:
            raise SystemFault(f"audit: {path}: {error.strerror}") from error


def _prev(line: bytes) -> str | None:
    """What a record is bound to; None for a torn one, to which the next is bound as it is."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return str(value.get("prev")) if isinstance(value, dict) else None
