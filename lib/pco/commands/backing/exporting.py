"""The journal's records of pco as a member of a backup."""

import gzip
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pco.commands.backing.packing import LEVEL, Hashed
from pco.ground.backups import Member
from pco.outside import journalctl


def export(path: Path, span: timedelta, progress: Callable[[int], None]) -> Member:
    """Write what the journal has of the last `span`.  Raises Unavailable, TryLater, OSError."""
    out = Hashed(path)
    try:
        with gzip.GzipFile(filename="", mode="wb", compresslevel=LEVEL, fileobj=out, mtime=0) as packed:
            for data in journalctl.export(datetime.now(UTC) - span):
                packed.write(data)
                progress(len(data))
        return out.finish()
    finally:
        out.close()
