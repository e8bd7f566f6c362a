"""What the journal has, as a stream: of pco, in its export format; or what it is asked for, line by line."""

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
_ENDED_WITHIN = 30.0  # seconds, once it has said all
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


def lines(*words: str) -> Iterator[str]:
    """What journalctl prints, line by line, however much it is.  Raises Unavailable, TryLater."""
    left = bytearray()
    for data in _said(list(words)):
        left += data
        if b"\n" in data:
            *whole, left = left.split(b"\n")
            yield from (line.decode("utf-8", "replace") for line in whole)
    if left:
        yield left.decode("utf-8", "replace")


def _export(since: datetime, which: list[str]) -> Iterator[bytes]:
    yield from _said(["--output=export", f"--lines={MOST_LINES}", f"--since=@{int(since.timestamp())}", *which])


def _said(words: list[str]) -> Iterator[bytes]:
    until = time.monotonic() + WITHIN.total_seconds()
    try:
        child = subprocess.Popen(
            ["journalctl", "--quiet", "--no-pager", *words],
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
            # Not killed: one that something else has killed said only a part.
            child.wait(_ENDED_WITHIN)
        except subprocess.TimeoutExpired:
            raise TryLater("journalctl does not end") from None
        finally:
            child.kill()
    if child.returncode or "not seeing messages" in said:
        raise Unavailable(f"journalctl: {' '.join(said.split())[:200] or f'exit {child.returncode}'}")
