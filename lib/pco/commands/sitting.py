"""How pco-session sits beside its agent: signals handed on, the screen kept up to date, the end noticed at once."""

import os
import selectors
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from pco.ground import boot, durable, events, leavings
from pco.ground.leavings import Account
from pco.outside import pane
from pco.outside.agents import Bill

BETWEEN = 0.5  # seconds between two screens, however often the bell rings


class Aborted(BaseException):
    """A signal came while nothing but waiting was done.  No Exception, so that nobody on the way catches it."""

    def __init__(self, signal: int) -> None:
        super().__init__(signal)
        self.signal = signal


class Signals:
    """HUP and TERM: remembered (`told` is the first that came), and a byte on `wakes` to end a wait."""

    def __init__(self) -> None:
        self.told = 0
        self._abort = False
        self.wakes, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        for number in (signal.SIGHUP, signal.SIGTERM):
            signal.signal(number, self._take)
        # An attached person's Ctrl-C is for the agent.  Not SIG_IGN: the agent would inherit that.
        for number in (signal.SIGINT, signal.SIGQUIT):
            signal.signal(number, lambda _number, _frame: None)

    @contextmanager
    def aborting(self) -> Iterator[None]:
        """Within this a signal, even one that came before, raises Aborted."""
        self._abort = True
        try:
            if self.told:
                raise Aborted(self.told)
            yield
        finally:
            self._abort = False

    def over(self) -> None:
        """The agent has ended: HUP and TERM end nothing any more, neither us nor the git that writes the bundle.

        They come twice: systemd sends TERM to all that is left once the unit's main process, tmux, has ended.
        """
        signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGHUP, signal.SIGTERM))

    def _take(self, number: int, _frame: FrameType | None) -> None:
        self.told = self.told or number
        if self._abort:
            self._abort = False
            raise Aborted(number)


class Screen:
    """out/screen and out/account: looked at when the bell rings and every `every` seconds.

    A screen that changes is a sign of life; of an account that changes pco-watch is told by `trigger`.
    """

    def __init__(self, out: Path, every: float, trigger: str, bill: Bill | None) -> None:
        self.out = out
        self.every = every
        self._trigger = trigger
        self._bill = bill
        self._account = Account()
        self.bell = os.open(out / "bell", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self._last = b""
        self._next = boot.clock() + min(every, BETWEEN)
        self._looked = 0.0
        self._still = False

    def rung(self) -> None:
        """Somebody rang: look soon."""
        with suppress(BlockingIOError):
            while os.read(self.bell, 1 << 12):
                pass
        self._next = min(self._next, self._looked + BETWEEN)

    def wait(self) -> float:
        """Seconds until the next look is due."""
        return max(self._next - boot.clock(), 0.0)

    def look(self) -> None:
        """Put out/screen and out/account in place if they have changed."""
        self._looked = boot.clock()
        self._next = self._looked + self.every
        self._count()
        shown = None if self._still else pane.capture(os.environ)
        if shown is None or shown == self._last:
            return
        self._last = shown
        with suppress(OSError):  # a full disk must not end the agent
            durable.replace(self.out / "screen", shown, 0o644)
            leavings.write_life(self.out)

    def keep(self) -> None:
        """Look once more, and then only count: an agent that is told to end clears its screen, and rings."""
        self.look()
        self._still = True

    def last(self, *, cleared: bool) -> None:
        """The agent has ended: count for the last time, and look, unless it `cleared` its screen then."""
        if cleared:
            self._count()
        else:
            self.look()

    def _count(self) -> None:
        if self._bill is None:
            return
        with suppress(OSError):
            account = self._bill.account()
            if account != self._account:
                leavings.write_account(self.out, account)
                events.ring(self._trigger)
                self._account = account


def sit(child: "subprocess.Popen[bytes]", signals: Signals, screen: Screen, grace: float) -> int:
    """Wait for the agent's end; returns its exit code, 128+N for signal N.  Nothing of its process group stays."""
    _foreground(child.pid)
    kill_at = float("inf")
    with selectors.DefaultSelector() as waiting:
        ended = os.pidfd_open(child.pid)
        for handle in (ended, signals.wakes, screen.bell):
            waiting.register(handle, selectors.EVENT_READ)
        while True:
            if signals.told and kill_at == float("inf"):
                screen.keep()
                _send(child.pid, signals.told)
                kill_at = boot.clock() + grace
            wait = min(screen.wait(), max(kill_at - boot.clock(), 0.0))
            ready = {key.fd for key, _ in waiting.select(wait)}
            if ended in ready:
                break
            if boot.clock() >= kill_at:
                _send(child.pid, signal.SIGKILL)
                kill_at = boot.clock() + grace
            _attend(ready, signals, screen)
    # Before it is reaped: until then nobody else can have its process group's number.
    _send(child.pid, signal.SIGKILL)
    code = child.wait()
    _foreground(os.getpgrp())
    return code if code >= 0 else 128 - code


def _attend(ready: set[int], signals: Signals, screen: Screen) -> None:
    if signals.wakes in ready:
        os.read(signals.wakes, 64)
    if screen.bell in ready:
        screen.rung()
    if screen.wait() <= 0:
        screen.look()


def _send(group: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _foreground(group: int) -> None:
    """Give the terminal, if it is ours, to a process group: Ctrl-C and the keyboard go there."""
    if os.getsid(0) != os.getpid():
        return
    # Who takes it back from the background would be stopped.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTTOU])
    with suppress(OSError):
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC | os.O_NOCTTY)
        try:
            os.tcsetpgrp(terminal, group)
        finally:
            os.close(terminal)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
