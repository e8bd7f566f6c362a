"""A person's own terminal, lent to somebody else: raw meanwhile, and afterwards as it was.

Whoever draws on it may leave any of its modes switched on, and may have asked it questions whose answers would land on
the person's command line.
"""

import os
import re
import select
import signal
import termios
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

from pco.outside.relay import Size

_OFF = (9, 1000, 1001, 1002, 1003, 1004, 1005, 1006, 1015, 1016, 2004, 2026, 2031)  # mouse, focus, paste, …
RESET = b"".join(
    (
        b"\x18\x1b\\",  # an escape sequence, or a string, that was begun is over
        b"".join(b"\x1b[?%dl" % mode for mode in _OFF),
        b"\x1b[>4m\x1b[=0u",  # keys as they always were (xterm, kitty)
        b"\x1b[?6l\x1b[?1049l\x1b[?47l",  # the origin is the corner; the screen, and its cursor, from before
        b"\x1b7\x1b[?69l\x1b[r\x1b8",  # no margins; to take them away moves the cursor
        b"\x1b[?1l\x1b>\x1b[?5l\x1b[?7h\x1b[4l\x1b[20l",  # cursor keys, keypad, not reversed, wraps, does not insert
        b"\x1b[?25h\x1b[0 q\x1b[?12l",  # the cursor shows, in its usual form
        b"\x1b(B\x1b)B\x0f\x1b[0m\x1b]104\x1b\\\x1b]110\x1b\\\x1b]111\x1b\\\x1b]112\x1b\\\x1b[K",  # characters, colours
    )
)
_UTF8 = b"\x1b%G"
_ASK, _ANSWER = b"\x1b[c", re.compile(rb"\x1b\[\?[0-9;]*c")
_PATIENCE, _QUIET = 0.5, 0.03  # seconds: until an answer comes, until nothing more comes after it


class Killed(Exception):
    """The program was asked to end; the argument is the number of the signal."""


def size(terminal: int) -> Size:
    """Its size; 24 by 80 if it does not know."""
    columns, rows = os.get_terminal_size(terminal)
    return Size(rows or 24, columns or 80)


@contextmanager
def lent(keys: int, screen: int) -> Iterator[int]:
    """Raw until the end, then reset, however it ends.  Gives a pipe that can be read when the size has changed.

    TERM and HUP raise Killed, once; the second kills.
    """
    before = termios.tcgetattr(keys)
    heard, told = os.pipe()
    os.set_blocking(told, False)
    signal.signal(signal.SIGWINCH, lambda *_: None)
    _on_end(_killed)
    signal.set_wakeup_fd(told, warn_on_full_buffer=False)
    try:
        tty.setraw(keys, termios.TCSANOW)
        yield heard
    finally:
        with suppress(OSError):  # the terminal may be gone
            write(screen, reset(screen) + _ASK)
            _discard(keys)
        with suppress(termios.error):
            termios.tcsetattr(keys, termios.TCSAFLUSH, before)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGWINCH, signal.SIG_DFL)
        os.close(heard)
        os.close(told)


def reset(screen: int) -> bytes:
    """What leaves a terminal as it was; one of UTF-8, as the locale has it, writes that again."""
    coding = os.device_encoding(screen) or ""
    return RESET + (_UTF8 if coding.lower() in ("utf-8", "utf8") else b"")


def write(screen: int, data: bytes) -> None:
    """Write all of it to the terminal, as fast as that takes it.  Raises OSError."""
    while data:
        data = data[os.write(screen, data) :]


def _discard(keys: int) -> None:
    """Read away what the terminal still answers: all of it came once the answer to the last question has."""
    said, until = b"", time.monotonic() + _PATIENCE
    while (left := until - time.monotonic()) > 0:
        answered = _ANSWER.search(said)
        if not select.select([keys], [], [], min(left, _QUIET) if answered else left)[0]:
            return
        got = os.read(keys, 4096)
        if not got:
            return
        said = said[-200:] + got


def _on_end(handler: Callable[[int, FrameType | None], object] | signal.Handlers) -> None:
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, handler)


def _killed(number: int, _: FrameType | None) -> NoReturn:
    _on_end(signal.SIG_DFL)
    raise Killed(number)
