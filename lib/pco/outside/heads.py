"""What the journal knows of the audit record: the hash of each line, told when it was written (field PCO_AUDIT).

Whoever may write the record cannot rewrite the journal: a line that was changed or taken away stays known there.  But
any user of the machine can write into the journal: who did is its own word (_UID).
"""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from pco.ground.errors import NotPermitted, Unavailable
from pco.ground.frozen import dataclass
from pco.outside import accounts, journalctl, process

FIELD = "PCO_AUDIT"
OWN = ("root", "pco")
_WITHIN = timedelta(minutes=2)
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}


@dataclass(frozen=True)
class Told:
    """A line that the journal was told of: when, and by which user."""

    hash: str
    at: datetime
    by: str

    @property
    def trusted(self) -> bool:
        """Whether it was told by somebody who may write the record."""
        return self.by in OWN or accounts.is_member(self.by, "pco") is True


def known() -> set[str]:
    """The hashes that the journal has.  Raises Unavailable where there is none, NotPermitted, TryLater."""
    if not journalctl.readable():
        raise NotPermitted("the journal is for root and group systemd-journal", "sudo pco-audit verify")
    return set(_said(f"--field={FIELD}").split())


def told(hashes: Iterable[str]) -> Iterator[Told]:
    """When, and by whom, the journal was told of these.  Raises Unavailable, TryLater."""
    for hash in hashes:
        for line in _said("--output=json", "--output-fields=_UID", "--lines=1", f"{FIELD}={hash}").splitlines():
            try:
                entry = json.loads(line)
                at = datetime.fromtimestamp(int(entry["__REALTIME_TIMESTAMP"]) / 1e6, UTC)
                yield Told(hash, at, accounts.name(int(entry["_UID"])))
            except (ValueError, KeyError, TypeError):
                continue


def _said(*words: str) -> str:
    said = process.run(["journalctl", "--quiet", "--no-pager", *words], _ENVIRONMENT, _WITHIN)
    if said.code:
        raise Unavailable(f"journalctl: {' '.join(said.error.split())[:200] or f'exit {said.code}'}")
    return said.out.decode("utf-8", "replace")
