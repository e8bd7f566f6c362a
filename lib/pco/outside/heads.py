"""What the journal knows of the audit record: the hash of each line, told when it was written (field PCO_AUDIT).

Whoever may write the record cannot rewrite the journal: a line that was changed or taken away stays known there.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from pco.ground.errors import NotPermitted, Unavailable
from pco.outside import journalctl, process

FIELD = "PCO_AUDIT"
MOST = 20  # that are asked after one by one
_WITHIN = timedelta(minutes=2)
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}


def known() -> set[str]:
    """The hashes that the journal has.  Raises Unavailable where there is none, NotPermitted, TryLater."""
    if not journalctl.readable():
        raise NotPermitted("the journal is for root and group systemd-journal", "sudo pco-audit verify")
    return set(_said(f"--field={FIELD}").split())


def told(hash: str) -> datetime | None:
    """When the journal was told of a line; None if it does not say."""
    for line in _said("--output=json", "--output-fields=MESSAGE", "--lines=1", f"{FIELD}={hash}").splitlines():
        try:
            return datetime.fromtimestamp(int(json.loads(line)["__REALTIME_TIMESTAMP"]) / 1e6, UTC)
        except (ValueError, KeyError, TypeError):
            continue
    return None


def missing(hashes: set[str], months: list[str]) -> Iterator[tuple[str, datetime]]:
    """What the journal was told of and these do not have, of the months that are still there; MOST at most."""
    found = 0
    for hash in sorted(known() - hashes):
        at = told(hash)
        if at and f"{at:%Y-%m}" in months:
            yield hash, at
            found += 1
            if found == MOST:
                return


def _said(*words: str) -> str:
    said = process.run(["journalctl", "--quiet", "--no-pager", *words], _ENVIRONMENT, _WITHIN)
    if said.code:
        raise Unavailable(f"journalctl: {' '.join(said.error.split())[:200] or f'exit {said.code}'}")
    return said.out.decode("utf-8", "replace")
