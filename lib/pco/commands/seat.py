"""One person at a session: the connection to the person's terminal, and a tmux client on a terminal of its own."""

import curses
import fcntl
import os
import pty
import re
import select
import signal
import socket
import struct
import termios
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from pco.ground.errors import BadData
from pco.outside.relay import END, HELLO, KEYS, OUTPUT, SIZE, Frames, Hello, Size, Why, frame

IN, OUT = select.POLLIN, select.POLLOUT
# Beyond it nothing more is read from the other side, which then waits.
MOST_WAITING = 1 << 17
PART = 1 << 15
HELLO_WITHIN, FAREWELL_WITHIN = 5.0, 5.0  # seconds
FOREVER = float("inf")
TMUX = "/usr/bin/tmux"
# What a client says last when there is no session any more.
SESSION_OVER = re.compile(rb"\[(?:server )?exited(?: unexpectedly)?\]\s*$")
WELCOME = {
    False: "Ctrl-B D leaves; the session goes on",
    True: "read-only: q leaves; the session goes on",
}


class Seat:
    """From the person's coming until both the person and the tmux client are gone."""

    def __init__(self, person: socket.socket, tmux: Path, key: str) -> None:
        person.setblocking(False)
        self._person: socket.socket | None = person
        self._tmux, self._key = tmux, key
        self._frames = Frames(HELLO)
        self._terminal = -1  # our end of the client's
        self._pid = 0
        self._to_person, self._to_terminal = bytearray(), bytearray()
        self._tail = b""  # the last that tmux said
        self._read_only = False
        self.leaving = False
        self.deadline = time.monotonic() + HELLO_WITHIN

    @property
    def gone(self) -> bool:
        """Whether nothing is left to be done."""
        return self._person is None and not self._pid

    def wants(self) -> dict[int, int]:
        """What it waits for, for poll(2)."""
        wanted = {}
        if self._person is not None:
            reads = IN if len(self._to_terminal) < MOST_WAITING else 0
            wanted[self._person.fileno()] = reads | (OUT if self._to_person else 0)
        if self._terminal >= 0:
            reads = IN if len(self._to_person) < MOST_WAITING else 0
            wanted[self._terminal] = reads | (OUT if self._to_terminal else 0)
        return wanted

    def serve(self, ready: Mapping[int, int]) -> None:
        """Do what poll(2) says can be done now."""
        try:
            if self._terminal >= 0:
                self._serve_terminal(ready.get(self._terminal, 0))
            if self._person is not None:
                self._serve_person(ready.get(self._person.fileno(), 0))
        except BadData:
            self.over(Why.REFUSED)
        except ConnectionError:
            self._leave()
        if time.monotonic() > self.deadline:
            self._leave() if self.leaving else self.over(Why.REFUSED)

    def over(self, why: Why) -> None:
        """Tell the person why, then let both go."""
        if not self.leaving and self._person is not None:
            self._to_person += frame(END, why.value)
            self.leaving, self.deadline = True, time.monotonic() + FAREWELL_WITHIN
        self._hang_up()

    def ended(self, pid: int, code: int) -> None:
        """A child has ended: perhaps this one's tmux."""
        if pid != self._pid:
            return
        self._pid = 0
        self._hear_out()
        self.over(Why.ENDED if SESSION_OVER.search(self._tail) else Why.BROKEN if code else Why.DETACHED)

    def _serve_terminal(self, events: int) -> None:
        try:
            if events & IN:
                self._hear()
            elif events & (select.POLLHUP | select.POLLERR):
                self._hear_out()
            if events & OUT and self._terminal >= 0:
                del self._to_terminal[: os.write(self._terminal, self._to_terminal)]
        except BlockingIOError:
            return
        except OSError:  # EIO: nobody holds the other end
            self._hang_up()

    def _hear(self) -> int:
        """Take what tmux says; how much it was.  Raises OSError."""
        said = os.read(self._terminal, PART)
        self._to_person += frame(OUTPUT, said)
        self._tail = (self._tail + said)[-100:]
        return len(said)

    def _hear_out(self) -> None:
        """Take the last that tmux said, and hang up."""
        with suppress(OSError):
            while self._terminal >= 0 and len(self._to_person) < 4 * MOST_WAITING and self._hear():
                pass
        self._hang_up()

    def _serve_person(self, events: int) -> None:
        """Raises BadData, ConnectionError."""
        assert self._person is not None
        with suppress(BlockingIOError):
            if events & OUT:
                del self._to_person[: self._person.send(self._to_person)]
        if self.leaving:
            if not self._to_person or events & select.POLLHUP:
                self._leave()
            return
        with suppress(BlockingIOError):
            if events & IN:
                came = self._person.recv(PART)
                if not came:
                    raise ConnectionResetError
                self._take(came)
            elif events & (select.POLLHUP | select.POLLERR):
                raise ConnectionResetError

    def _take(self, came: bytes) -> None:
        """Do what the frames say.  Raises BadData."""
        for kind, data in self._frames.feed(came):
            if kind == HELLO:
                self._sit_down(Hello.from_bytes(data))
            elif kind == SIZE:
                size = Size.from_bytes(data)
                if self._terminal >= 0:
                    resize(self._terminal, size)  # tmux is told by the kernel
            elif not self._read_only:
                self._to_terminal += data

    def _sit_down(self, hello: Hello) -> None:
        """Put a tmux client before the session."""
        self._frames.kinds = KEYS + SIZE
        self._read_only = hello.read_only
        self.deadline = FOREVER
        self._pid, self._terminal = pty.fork()
        if self._pid == 0:
            become_client(self._tmux, self._key, hello)
        plain(self._terminal)  # here, for keys may come before the client has done anything
        os.set_blocking(self._terminal, False)
        os.set_inheritable(self._terminal, False)

    def _hang_up(self) -> None:
        """Let go of tmux, whatever it is busy with: it, or what it became, is killed."""
        if self._terminal >= 0:
            os.close(self._terminal)
            self._terminal = -1
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)  # not waited for yet, so it still is that process

    def _leave(self) -> None:
        """Let go of both."""
        if self._person is not None:
            self._person.close()
            self._person = None
        self._hang_up()


def become_client(tmux: Path, key: str, hello: Hello) -> NoReturn:
    """Be a tmux client on the terminal that is standard input."""
    try:
        for number in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        resize(0, hello.size)
        environment = {"PATH": os.defpath, "HOME": "/", "SHELL": "/bin/sh", "LC_ALL": "C.UTF-8"}
        environment["TERM"] = hello.terminal if known(hello.terminal) else "xterm-256color"
        # -N: without a session it must not start a server, here.
        show = ["-N", "attach-session", *(["-r"] if hello.read_only else []), "-t", f"={key}", ";"]
        hint = ["display-message", "-d", "3000", WELCOME[hello.read_only]]
        os.execve(TMUX, ["tmux", "-u", "-S", str(tmux), *show, *hint], environment)  # noqa: S606
    finally:
        os._exit(127)


def resize(terminal: int, size: Size) -> None:
    """Give it a size; who runs on it gets SIGWINCH."""
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", size.rows, size.columns, 0, 0))


def plain(terminal: int) -> None:
    """What is typed before tmux is ready is neither shown nor obeyed, and waits."""
    modes = termios.tcgetattr(terminal)
    modes[0] &= ~(termios.ICRNL | termios.IXON)
    modes[3] &= ~(termios.ECHO | termios.ICANON | termios.ISIG | termios.IEXTEN)
    termios.tcsetattr(terminal, termios.TCSANOW, modes)


def known(terminal: str) -> bool:
    """Whether this machine knows terminals of that name."""
    try:
        curses.setupterm(terminal, 1)
    except curses.error:
        return False
    return True
