"""What the journal knows of the audit record: the hash of each line, told when it was written (field PCO_AUDIT).

Whoever may write the record cannot rewrite the journal: a line that was changed or taken away stays known there.  But
any user of the machine can write into the journal, as much as it likes and the hashes of others, too: who did is its
own word (_UID).  So all of it is looked at, and a hash counts as told if anybody told it who may write the record.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import cache
from itertools import islice

from pco.ground.errors import NotPermitted
from pco.ground.frozen import dataclass
from pco.outside import accounts, journalctl

FIELD = "PCO_AUDIT"
OWN = ("root", "pco")
BATCH = 100  # hashes that journalctl is asked for at once: it compares each entry with each of them
_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Told:
    """A line that the journal was told of: when, by which user, and whether that one may write the record."""

    hash: str
    at: datetime
    by: str
    trusted: bool


def known() -> set[str]:
    """The hashes that the journal has.  Raises Unavailable where there is none, NotPermitted, TryLater."""
    if not journalctl.readable():
        raise NotPermitted("the journal is for root and group systemd-journal", "sudo pco-audit verify")
    # Whatever else is in the field is no line's.
    return {line for line in journalctl.lines(f"--field={FIELD}") if _HASH.fullmatch(line)}


def told(hashes: Iterable[str]) -> list[Told]:
    """Of each of these when, and by whom, the journal was told first.  Raises Unavailable, TryLater."""
    found, left = list[Told](), iter(sorted(hashes))
    while batch := list(islice(left, BATCH)):
        asked = [f"{FIELD}={hash}" for hash in batch]
        entries = journalctl.lines("--output=json", f"--output-fields=_UID,{FIELD}", *asked)
        found += first_told(batch, entries, trusted)
    return found


def first_told(hashes: Iterable[str], entries: Iterable[str], trust: Callable[[int], bool]) -> list[Told]:
    """Of each hash the first of the journal's entries (JSON, oldest first) that is to be trusted, else the first."""
    found: dict[str, Told] = {}
    wanted = set(hashes)
    for entry in entries:
        for hash, at, uid in _read(entry):
            if hash in wanted and (hash not in found or (not found[hash].trusted and trust(uid))):
                found[hash] = Told(hash, at, accounts.name(uid), trust(uid))
    return list(found.values())


@cache
def trusted(uid: int) -> bool:
    """Whether this user may write the record."""
    name = accounts.name(uid)
    return name in OWN or accounts.is_member(name, "pco") is True


def _read(entry: str) -> Iterator[tuple[str, datetime, int]]:
    """The hashes of an entry, which may name several; nothing of one that is none."""
    try:
        value = json.loads(entry)
        at, uid = datetime.fromtimestamp(int(value["__REALTIME_TIMESTAMP"]) / 1e6, UTC), int(value["_UID"])
        hashes = value[FIELD]
    except (ValueError, KeyError, TypeError, OverflowError):
        return
    for hash in hashes if isinstance(hashes, list) else [hashes]:
        if isinstance(hash, str):
            yield hash, at, uid
