"""The folder of backups: which there are, and which go."""

import os
import shutil
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from pco.ground import backups, durable
from pco.ground.errors import BadConfig, SystemFault
from pco.run import Pco

SCRATCH = ".test."  # where a backup is restored to try it


def folder(pco: Pco) -> Path:
    """The folder of backups.  Raises BadConfig if it is not there: an unmounted disk must not be written beside."""
    path = pco.config.paths.backups
    if not path.is_dir():
        if pco.config.paths.root is None:
            raise BadConfig(f"{path} is not there", "is it mounted? `make install` or systemd-tmpfiles lays it out")
        path.mkdir(mode=0o750)
    return path


def sweep(home: Path) -> list[str]:
    """Remove what a killed run left unfinished; returns the names.  The caller is the only one that writes here."""
    gone = [path for path in home.glob(".*") if backups.time_of(path.name[1:]) or path.name.startswith(SCRATCH)]
    for path in gone:
        shutil.rmtree(path, ignore_errors=True)
    return [path.name for path in gone]


def prune(home: Path, keep: timedelta, now: datetime) -> list[str]:
    """Remove the backups that are older than `keep`, but never the newest; returns their names."""
    gone = []
    for name in backups.names(home)[1:]:
        made = backups.time_of(name)
        if made and now - made > keep:
            remove(home / name)
            gone.append(name)
    return gone


def remove(path: Path) -> None:
    """Remove one backup: at once it is none any more, however long its files take.  Raises SystemFault."""
    going = path.with_name(f".{path.name}")
    try:
        shutil.rmtree(going, ignore_errors=True)
        os.rename(path, going)
        durable.sync_folder(path.parent)
    except OSError as error:
        raise SystemFault(f"{path}: {error.strerror}") from error
    with suppress(OSError):
        shutil.rmtree(going)
