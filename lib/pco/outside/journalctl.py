"""What the journal has of pco, in its export format, as a stream of bytes."""

import os
import subprocess
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from pco.ground.errors import TryLater, Unavailable

CHUNK = 1 << 20
MOST_LINES = 500_000  # the newest
WITHIN = timedelta(minutes=10)
UNITS = "pco*"
# What people run in a shell is of no unit.
_TYPED = ("queue", "complete", "setup", "config", "doctor", "attach", "backup", "restore", "purge")
PEOPLE = tuple(f"pco-{name}" for name in _TYPED)


def readable(top: Path = Path("/")) -> bool:
    """Whether this user may read the journal: others are shown a part of it, and no error."""
    if os.geteuid() == 0:
        return True
    journals = (
        path for folder in ("var/log/journal", "run/log/journal") for path in (top / folder).glob("*/system.journal")
    )
    return any(os.access(path, os.R_OK) for path in journals)


def export(since: datetime) -> Iterator[bytes]:
    """All records since then: of the units, then of what people ran.  Raises Unavailable, TryLater."""
    yield from _export(since, ["--unit", UNITS])
    # What a unit ran has been told already.
    yield from _export(since, [word for name in PEOPLE for word in ("-t", name)])


def _export(since: datetime, which: list[str]) -> Iterator[bytes]:
    command = ["journalctl", "--quiet", "--no-pager", "--output=export", f"--lines={MOST_LINES}"]
    command += [f"--since=@{int(since.timestamp())}", *which]
    until = time.monotonic() + WITHIN.total_seconds()
    try:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
        )
    except OSError as error:
        raise Unavailable(f"journalctl: {error.strerror}") from error
    with child:
        assert child.stdout and child.stderr
        try:
            while data := os.read(child.stdout.fileno(), CHUNK):
                yield data
                if time.monotonic() > until:
                    raise TryLater(f"journalctl did not end within {WITHIN.total_seconds():g} s")
            said = child.stderr.read(1 << 16).decode("utf-8", "replace")
        finally:
            child.kill()
    if child.returncode > 0 or "not seeing messages" in said:
        raise Unavailable(f"journalctl: {' '.join(said.split())[:200] or f'exit {child.returncode}'}")
