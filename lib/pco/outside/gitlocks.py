"""What git leaves locked when the machine loses its power, or git is killed: FILE.lock, which keeps all others out.

packed-refs.new does so too, and gc.pid, as soon as another process has its number.  objects/maintenance.lock has git
tidy no more, and say nothing about it.

Whether a lock is such a leaving no age tells.  So each git that pco runs in a mirror holds a flock(2) on the mirror's
folder, shared, by a descriptor that it and all its children inherit: whoever gets it alone knows that none is at work.
"""

import errno
import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pco.ground.errors import TryLater

_REFUSED = re.compile(
    r"\.lock': File exists|could not lock config file .*: File exists|packed-refs\.new'?: File exists"
    r"|gc is already running"
)
_SILENT = "objects/maintenance.lock"
_PLACES = ("*.lock", "packed-refs.new", "gc.pid", "objects/*.lock", "objects/pack/*.lock", "reftable/*.lock")
_TREES = ("refs", "objects/info", "worktrees")


@contextmanager
def at_work(folder: Path) -> Iterator[tuple[int, ...]]:
    """Descriptors for a git that works in `folder`, none if that is not there or not ours to read.  Raises TryLater."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        yield ()
        return
    try:
        if not _locked(handle, fcntl.LOCK_SH):
            raise TryLater(f"{folder} is being tidied by another program")
        yield (handle,)
    finally:
        os.close(handle)


def refused(error: str) -> bool:
    """Whether git said that a lock was in its way."""
    return bool(_REFUSED.search(error))


def silent(folder: Path) -> bool:
    """Whether there is a lock that git passes over without a word."""
    return (folder / _SILENT).exists()


def cleared(folder: Path) -> bool:
    """Remove the locks in a mirror, if no git is at work there; whether none was."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        if not _locked(handle, fcntl.LOCK_EX):
            return False
        remove(folder)
        return True
    finally:
        os.close(handle)


def remove(folder: Path) -> None:
    """Remove the locks in a repository in which nobody works: of its configuration, its index, its refs, its objects.

    Objects themselves are not looked through: there are many, and none has a lock.
    """
    deep = (Path(place) / name for tree in _TREES for place, _, names in os.walk(folder / tree) for name in names)
    found = (path for pattern in _PLACES for path in folder.glob(pattern))
    for path in (*found, *(path for path in deep if path.suffix == ".lock")):
        with suppress(OSError):
            path.unlink()


def _locked(handle: int, how: int) -> bool:
    try:
        fcntl.flock(handle, how | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno != errno.EWOULDBLOCK:
            raise
        return False
    return True
