"""A terminal with a person before it: a program on a pty of its own, with what it showed."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from collections.abc import Sequence


class Terminal:
    """Runs `argv` on a terminal of 24 by 80 that calls itself xterm-256color."""

    def __init__(self, argv: Sequence[str], environ: dict[str, str], rows: int = 24, columns: int = 80) -> None:
        self.shown = b""
        self.answers = True
        self.pid, self.keys = pty.fork()
        if self.pid == 0:
            os.execvpe(argv[0], list(argv), {**environ, "TERM": "xterm-256color"})
        self.resize(rows, columns)
        self.code: int | None = None

    def resize(self, rows: int, columns: int) -> None:
        """Give the window another size."""
        fcntl.ioctl(self.keys, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, keys: bytes) -> None:
        """Press keys."""
        while keys:
            keys = keys[os.write(self.keys, keys) :]

    def until(self, words: bytes, seconds: float = 60.0) -> re.Match[bytes]:
        """Wait until it shows what the pattern `words` matches; what came before counts once."""
        deadline = time.monotonic() + seconds
        while True:
            if found := re.search(words, self.shown, re.S):
                self.shown = self.shown[found.end() :]
                return found
            assert self._look(deadline), f"{words!r} is not shown: {self.shown[-2000:]!r}"

    def quiet(self, seconds: float = 0.3) -> bytes:
        """What it shows until it shows nothing for a while."""
        while self._look(time.monotonic() + seconds):
            pass
        said, self.shown = self.shown, b""
        return said

    def end(self, seconds: float = 60.0) -> int:
        """Wait for the program's end; returns its exit code, -N for signal N."""
        deadline = time.monotonic() + seconds
        while self.code is None:
            self._look(min(time.monotonic() + 0.05, deadline))
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
            assert pid or time.monotonic() < deadline, f"it does not end: {self.shown[-2000:]!r}"
        while self._look(time.monotonic() + 0.05):
            pass
        return self.code

    def modes(self) -> list[object]:
        """The modes of the terminal (tcgetattr), without the size."""
        return termios.tcgetattr(self.keys)[:4]

    def close(self) -> None:
        """Take the terminal away; the program is told by HUP, and killed if that is not enough."""
        os.close(self.keys)
        if self.code is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)

    def _look(self, deadline: float) -> bool:
        """Take what it shows now; False at the deadline, or if it will never show more."""
        ready, _, _ = select.select([self.keys], [], [], max(deadline - time.monotonic(), 0))
        if not ready:
            return False
        try:
            came = os.read(self.keys, 1 << 16)
        except OSError:  # EIO: nobody holds the other end
            return False
        if self.answers and b"\x1b[c" in came:
            os.write(self.keys, b"\x1b[?62;c")  # as a terminal answers who it is
        self.shown += came
        return bool(came)
