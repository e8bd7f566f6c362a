"""A person's word on a box of the checklist: audit/attested/ID.json, written by pco-doctor.

Fields: see `Word`.  The latest word on a box counts; all of them are in the audit record.
"""

import json
import re
from datetime import datetime
from pathlib import Path

from pco.ground import durable, shape
from pco.ground.errors import BadData, NotPermitted, SystemFault
from pco.ground.frozen import dataclass

SCHEMA = 1
FOLDER = "attested"
_ID = re.compile(r"[0-9]{1,2}\.[0-9]{1,2}")


@dataclass(frozen=True)
class Word:
    """Who said of box `id` that it holds, when, and why; `until` when that has to be said anew (None: it stays).

    `by` is "pco-doctor" where the program itself has seen it, such as the result of a watch.
    """

    id: str
    by: str
    at: datetime
    note: str
    until: datetime | None = None
    good: bool = True
    schema: int = SCHEMA

    def holds(self, now: datetime) -> bool:
        """Whether it still counts."""
        return self.good and (self.until is None or now < self.until)


def write(audit: Path, word: Word) -> None:
    """Keep it, durably.  Raises NotPermitted, SystemFault."""
    if not _ID.fullmatch(word.id):
        raise BadData(f"{word.id[:20]!r} is no box")
    folder = audit / FOLDER
    try:
        if not folder.is_dir():
            folder.mkdir(mode=0o770)
            folder.chmod(0o2770)
        durable.replace(folder / f"{word.id}.json", json.dumps(shape.dump(word)).encode(), 0o660)
    except PermissionError as error:
        hint = "as root, or as a member of group pco"
        raise NotPermitted(f"{error.filename or folder}: {error.strerror}", hint) from error
    except OSError as error:
        raise SystemFault(f"{error.filename or folder}: {error.strerror}") from error


def read(audit: Path, id: str) -> Word | None:
    """The word on a box; None if nobody has spoken.  Raises SystemFault if it may not be read, BadData if torn."""
    path = audit / FOLDER / f"{id}.json"
    try:
        return shape.load(Word, json.loads(durable.read(path, 1 << 16)))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SystemFault(f"{path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise BadData(f"{path}: {error}", f"pco-doctor attest {id}") from error
