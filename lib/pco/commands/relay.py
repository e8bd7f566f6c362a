"""Let people look at a session: run by systemd beside it, as its own user, never by a person.

For each person who comes it runs a tmux client on a terminal of its own, and passes bytes and window sizes.  So no
tmux client ever runs as a person: a session can make one run any program (detach-client -E, lock-command), which here
is one more program of the session's own user.  It filters nothing: pco-attach does.  Who is slow waits alone; who says
what the protocol (pco.outside.relay) does not know is put out.  It ends when nobody has looked for a while, and is
started again by its socket.  All it imports it imports at its start: an upgrade may pass under it.
"""

import os
import select
import signal
import socket
import time
from contextlib import suppress
from pathlib import Path

import click

from pco.command import command
from pco.commands.seat import Seat
from pco.ground.errors import BadConfig, BadData
from pco.ground.ticket import KEY
from pco.outside.relay import Why
from pco.run import Pco

MOST_PEOPLE = 8
FAREWELL = 1.0  # seconds: how long it tries to tell people why it ends


@command
@click.option("--idle", type=float, default=30, show_default=True, help="End after so many seconds without anybody.")
@click.argument("tmux", metavar="SOCKET", type=click.Path(path_type=Path))
@click.argument("key", metavar="KEY")
def main(pco: Pco, tmux: Path, key: str, idle: float) -> None:  # noqa: ARG001
    """Let people look at the session of KEY in the tmux server at SOCKET.

    \b
    Examples:
      pco-relay /run/pco-session/WEB-12/tmux.sock WEB-12     as pco-attach@WEB-12.service runs it
    """
    if not KEY.fullmatch(key):
        raise BadData(f"{key[:40]!r} is no ticket key")
    with listener() as door:
        Relay(door, tmux, key).run(idle)


def listener() -> socket.socket:
    """The socket that systemd listens at.  Raises BadConfig if there is none (sd_listen_fds(3))."""
    if (os.environ.get("LISTEN_PID"), os.environ.get("LISTEN_FDS")) != (str(os.getpid()), "1"):
        raise BadConfig("systemd has not passed on a socket", "it is started by pco-attach@KEY.socket")
    door = socket.socket(fileno=3)
    door.setblocking(False)
    os.set_inheritable(3, False)
    return door


class Relay:
    """The people at one session."""

    def __init__(self, door: socket.socket, tmux: Path, key: str) -> None:
        self._door = door
        self._tmux = tmux
        self._key = key
        self._seats: list[Seat] = []
        self._ending = False

    def run(self, idle: float) -> None:
        """Serve until TERM, or until nobody was there for `idle` seconds."""
        heard, told = os.pipe()
        os.set_blocking(told, False)
        signal.set_wakeup_fd(told, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._end)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        empty = time.monotonic()
        while not self._ending:
            if self._seats:
                empty = time.monotonic()
            elif time.monotonic() - empty > idle:
                return
            self._turn(heard, min([empty + idle, *(seat.deadline for seat in self._seats)]))
        for seat in self._seats:
            seat.over(Why.ENDED)
        until = time.monotonic() + FAREWELL
        while self._seats and time.monotonic() < until:
            self._turn(heard, until)

    def _end(self, *_: object) -> None:
        self._ending = True

    def _turn(self, heard: int, until: float) -> None:
        """Do all that can be done now; wait for it, but not beyond `until`."""
        waiting = select.poll()
        waiting.register(heard, select.POLLIN)
        if not self._ending:
            waiting.register(self._door, select.POLLIN)
        for seat in self._seats:
            for descriptor, events in seat.wants().items():
                waiting.register(descriptor, events)
        ready = dict(waiting.poll(max(until - time.monotonic(), 0) * 1000 + 1))
        if heard in ready:
            os.read(heard, 1000)
            self._bury()
        for seat in self._seats:
            seat.serve(ready)
        self._seats = [seat for seat in self._seats if not seat.gone]
        if self._door.fileno() in ready:
            self._admit()

    def _admit(self) -> None:
        """Let one more person in; at once out again if there are too many."""
        with suppress(OSError):
            person, _ = self._door.accept()
            seat = Seat(person, self._tmux, self._key)
            if sum(not other.leaving for other in self._seats) >= MOST_PEOPLE:
                seat.over(Why.FULL)
            self._seats.append(seat)

    def _bury(self) -> None:
        """Take notice of children that have ended."""
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                for seat in self._seats:
                    seat.ended(ended[0], os.waitstatus_to_exitcode(ended[1]))
