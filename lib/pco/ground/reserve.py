"""Room that is kept for a full disk: `.reserve` in a folder, given up so that moves and the audit go on.

It is laid out once, empty, with the folder (tmpfiles; `keep` fills no file that is not there), for who gives it up may
not make or remove names in the spool's root: it is emptied, and filled again when there is room.
"""

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

NAME = ".reserve"
_FULL = (errno.ENOSPC, errno.EDQUOT)
_FLAGS = os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def spare(folder: Path, act: Callable[[], T]) -> T:
    """Do `act`; if the disk is full, once more without the reserve of `folder`.

    `act` must leave nothing behind that keeps it from being done again.  Raises what it raises.
    """
    try:
        return act()
    except OSError as error:
        if error.errno not in _FULL or not give_up(folder):
            raise
    return act()


def give_up(folder: Path) -> bool:
    """Empty the reserve of `folder`; says whether that made room."""
    with suppress(OSError):
        handle = os.open(folder / NAME, _FLAGS)
        try:
            if not os.fstat(handle).st_blocks:
                return False
            os.ftruncate(handle, 0)
            os.fsync(handle)  # some file systems give blocks out again only once that is on disk
            return True
        finally:
            os.close(handle)
    return False


def keep(folder: Path, size: int) -> bool:
    """See to it that the reserve of `folder` has `size` bytes, if it is laid out and there is much more room than that.

    Says whether it had to be filled.  Raises OSError.
    """
    try:
        handle = os.open(folder / NAME, _FLAGS)
    except FileNotFoundError:
        return False
    try:
        had, facts = os.fstat(handle), os.fstatvfs(handle)
        if had.st_size == size and (had.st_blocks or not size):
            return False
        if had.st_size > size:
            os.ftruncate(handle, size)
            return False
        if facts.f_bavail * facts.f_frsize < 3 * size:
            return False  # what is full now must not be filled again at once
        os.posix_fallocate(handle, 0, size)
        os.fsync(handle)
        return True
    except OSError:
        os.ftruncate(handle, 0)
        raise
    finally:
        os.close(handle)
