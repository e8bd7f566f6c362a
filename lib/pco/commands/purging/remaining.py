"""Where something of a purged ticket remains that pco does not take it from: backups."""

import tarfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pco.ground import backups
from pco.ground.errors import PcoError
from pco.outside.git import branch_of


def holding(folder: Path, key: str) -> list[str]:
    """The backups that hold something of a ticket, newest first; one that cannot be read counts as if it did."""
    try:
        names = backups.names(folder)
    except PcoError:
        return []
    return [name for name in names if _holds(folder / name, key)]


def _holds(backup: Path, key: str) -> bool:
    try:
        manifest = backups.read(backup)
    except PcoError:
        return True
    ref = f"refs/heads/{branch_of(key)}"
    if any(ref in member.refs for member in manifest.members):
        return True
    try:
        return any(_names(backup / name, key) for name in ("spool.tar.gz", "attempts.tar.gz"))
    except (OSError, tarfile.TarError, EOFError):
        return True


def _names(path: Path, key: str) -> bool:
    with suppress(FileNotFoundError), tarfile.open(path, "r|gz") as packed:
        return any(_is_of(part, key) for part in packed)
    return False


def _is_of(member: tarfile.TarInfo, key: str) -> bool:
    parts = _parts(member.name)
    return any(part in (key, f"{key}.json", f"{key}.why") for part in parts)


def _parts(name: str) -> Iterator[str]:
    return (part for part in name.split("/")[:3] if part not in ("", "."))
