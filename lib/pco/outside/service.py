"""What the service manager is told (sd_notify(3)): ready, status, progress; nothing where there is none."""

import os
from typing import Any

from pco.ground import text


class Service:
    """The unit that this program runs as, if it does.  All calls are harmless elsewhere."""

    def __init__(self) -> None:
        self._socket: Any = None
        self._status = ""
        if "NOTIFY_SOCKET" in os.environ:
            from sdnotify import SystemdNotifier

            self._socket = SystemdNotifier()

    @property
    def present(self) -> bool:
        """Whether it is one."""
        return self._socket is not None

    @property
    def watchdog(self) -> float:
        """Seconds after which a unit that was not patted is ended; infinite if it has no watchdog."""
        told = os.environ.get("WATCHDOG_USEC", "")
        return int(told) / 1e6 if told.isascii() and told.isdigit() and self.present else float("inf")

    def ready(self, status: str = "") -> None:
        """The program has started and works; patted, and the status is shown by `systemctl status`."""
        self.pat()
        if status != self._status or not status:
            self._status = status
            # One line: a line break would begin a word to systemd of its own.
            self._tell(f"READY=1\nSTATUS={text.line(status, 300)}")

    def doing(self, what: str) -> None:
        """What the program, which is ready, is at now."""
        self._tell(f"STATUS={text.line(what, 300)}")

    def pat(self) -> None:
        """A unit of progress is done: the watchdog waits anew."""
        self._tell("WATCHDOG=1")

    def stopping(self) -> None:
        """It ends because it was told to."""
        self._tell("STOPPING=1")

    def _tell(self, message: str) -> None:
        if self._socket is not None:
            self._socket.notify(message)
