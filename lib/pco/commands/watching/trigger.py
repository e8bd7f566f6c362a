"""The FIFO that wakes pco-watch, and how often it lets itself be woken.

It is held open for reading and writing: a reader alone would see an endless end of file once the last writer leaves.
"""

import os
import select
import signal
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from pco.ground.errors import BadConfig, TryLater

RATE = 10.0  # scans a second under a flood
BURST = 5.0  # scans at once after a quiet time
MOST_PIPE = 1 << 20  # bytes that a pipe can hold


class Trigger:
    """The FIFO at `path`, and the signals that end the program (`ended` is then true)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.ended = False
        self._handle = _open(path)
        self._inode = os.fstat(self._handle).st_ino
        self._wakes, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        self._poll = select.poll()
        for handle in (self._handle, self._wakes):
            self._poll.register(handle, select.POLLIN)

    def wait(self, seconds: float) -> None:
        """Sleep until somebody writes, a signal comes, or the time has passed."""
        if not self.ended:
            self._poll.poll(max(seconds, 0.0) * 1000)

    def pause(self, seconds: float) -> None:
        """Sleep, whatever is written; only a signal ends it."""
        if not self.ended and seconds > 0:
            select.select([self._wakes], [], [], seconds)

    def rung(self) -> bool:
        """Drain the FIFO, before a scan, so that nothing is lost; says whether somebody wrote.

        Raises TryLater if another FIFO stands in its place: what is written there would never be heard.
        """
        self._check()
        rung = False
        with suppress(BlockingIOError):
            # What was in it, and no more: somebody who writes as fast as this reads must not keep us here.
            for _ in range(MOST_PIPE >> 16):
                rung = bool(os.read(self._handle, 1 << 16))
        return rung

    def _check(self) -> None:
        try:
            same = os.stat(self.path, follow_symlinks=False).st_ino == self._inode
        except FileNotFoundError:
            same = False
        if not same:
            raise TryLater(f"{self.path} was replaced; pco-watch must open it anew")

    def _end(self, _number: int, _frame: object) -> None:
        self.ended = True


class Ration:
    """How soon the next scan may be: a bucket of BURST scans that fills with RATE a second."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._filled = BURST
        self._at = clock()

    def take(self) -> float:
        """Take one scan; returns how many seconds to wait before it."""
        now = self._clock()
        self._filled = min(self._filled + (now - self._at) * RATE, BURST) - 1
        self._at = now
        return max(-self._filled / RATE, 0.0)


def _open(path: Path) -> int:
    try:
        handle = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise BadConfig(f"{path}: {error.strerror}", "systemd-tmpfiles --create makes it") from error
    if not stat.S_ISFIFO(os.fstat(handle).st_mode):
        os.close(handle)
        raise BadConfig(f"{path} is no FIFO", "remove it; systemd-tmpfiles --create makes it")
    return handle
