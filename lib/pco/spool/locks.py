"""Locks with a time-out, on files that the installation made."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from pco.ground import locks
from pco.ground.errors import BadConfig, SystemFault, TryLater

if TYPE_CHECKING:
    from filelock import BaseFileLock


class Lock:
    """A lock on an existing file.  May be nested by its holder."""

    def __init__(self, path: Path, patience: timedelta) -> None:
        self.path = path
        self.patience = patience
        self._lock: BaseFileLock | None = None
        self._seized_already = False

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold it.  Raises TryLater after the time-out, BadConfig if the file is missing, SystemFault if refused."""
        before = self._inode()
        with self._waited_for() if self.patience else self._seized():
            if self._inode() != before:
                # Somebody removed the file: two programs could hold two files of one name.
                raise TryLater(f"{self.path} was replaced while waiting for it", "lock files are never removed")
            yield

    @contextmanager
    def _waited_for(self) -> Iterator[None]:
        # Here, not above: readers take no lock and must start quickly.
        from filelock import Timeout

        if self._lock is None:
            self._lock = locks.lock_file(self.path, self.patience)
        try:
            self._lock.acquire()
        except Timeout:
            raise self._busy() from None
        except OSError as error:
            raise SystemFault(f"{self.path}: {error.strerror}") from error
        except RuntimeError as error:  # newer filelocks, once the system has refused to release it
            raise SystemFault(str(error)) from error
        try:
            yield
        finally:
            self._lock.release()

    @contextmanager
    def _seized(self) -> Iterator[None]:
        """At once or not at all: that is the one call that filelock makes, too, without the time that it takes to load.

        The file gets the time of now, as it does from filelock 3.9: see `Spool.alive`.
        """
        import fcntl

        if self._seized_already:
            yield
            return
        try:
            handle = os.open(self.path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            raise SystemFault(f"{self.path}: {error.strerror}") from error
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.utime(handle)
            except BlockingIOError:
                raise self._busy() from None
            except OSError as error:
                raise SystemFault(f"{self.path}: {error.strerror}") from error
            self._seized_already = True
            yield
        finally:
            self._seized_already = False
            os.close(handle)

    def _busy(self) -> TryLater:
        return TryLater(
            f"{self.path} is held by another program", f"try again; `fuser -v {self.path}` names the holder"
        )

    def _inode(self) -> int:
        try:
            return os.stat(self.path).st_ino
        except FileNotFoundError as error:
            raise BadConfig(
                f"no spool at {self.path.parent} ({self.path.name} is missing)",
                "is it mounted? `make install` or systemd-tmpfiles lays it out",
            ) from error
        except OSError as error:
            raise SystemFault(f"{self.path}: {error.strerror}") from error
