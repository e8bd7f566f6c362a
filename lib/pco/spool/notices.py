"""The events that people shall be told of, on their way: notify/, where programs leave them, and sending/.

    notify/NAME.json      a notice (ground.notice); a name that begins with a dot is still being written
    sending/NAME.taken    a notice that pco-notify has claimed, by a rename
    sending/ID.json       a message, and how far it has come

NAME says what a notice is about.  As long as nobody has taken it, the next notice of the same name takes its place: a
unit that fails every minute is one file, however long nobody looks.
"""

import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from pco.ground import durable, notice, reserve, times
from pco.ground.errors import BadData
from pco.ground.notice import Message, Notice

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9:_.@\\-]{0,199}")
MOST = 20_000  # notices that are looked at in one run; the others wait for the next
Complain = Callable[[str], None]


def leave(spool: Path, name: str, left: Notice) -> None:
    """Leave an event under `name`, whole and flushed.  Raises OSError, and BadData for what is no safe name."""
    if not _NAME.fullmatch(name):
        raise BadData(f"{name[:40]!r} is no name for a notice")
    data = notice.to_bytes(left)
    reserve.spare(spool, lambda: durable.replace(spool / "notify" / f"{name}.json", data))


def withdraw(spool: Path, name: str) -> None:
    """It is no longer so: whoever has not been told of it yet need not be."""
    with suppress(OSError):
        os.unlink(spool / "notify" / f"{name}.json")


class Outgoing:
    """What pco-notify works on, it alone, under its lock.

    `complain` is told of what cannot be read, which is removed; without it nothing is changed.
    """

    def __init__(self, spool: Path, complain: Complain | None) -> None:
        self.left = spool / "notify"
        self.sending = spool / "sending"
        self._complain = complain

    def waiting(self) -> Iterator[tuple[str, Notice]]:
        """The notices that nobody has taken yet, by name."""
        for name in _names(self.left, ".json")[:MOST]:
            if found := self._read(self.left / f"{name}.json"):
                yield name, found

    def claim(self, name: str) -> None:
        """Take a notice: what is left under its name from now on is another one."""
        with suppress(FileNotFoundError):  # it was withdrawn
            os.rename(self.left / f"{name}.json", self.sending / f"{name}.taken")

    def taken(self) -> Iterator[tuple[str, Notice]]:
        """The notices that were claimed."""
        for name in _names(self.sending, ".taken"):
            if found := self._read(self.sending / f"{name}.taken"):
                yield name, found

    def release(self, name: str) -> None:
        """A claimed notice is in a message, which is on disk: it has done its work, and no power cut brings it back."""
        with suppress(FileNotFoundError):
            os.unlink(self.sending / f"{name}.taken")
        durable.sync_folder(self.sending)
        durable.sync_folder(self.left)

    def drop(self, name: str) -> None:
        """Remove a notice that nobody wants."""
        with suppress(FileNotFoundError):
            os.unlink(self.left / f"{name}.json")

    def messages(self) -> list[Message]:
        """The messages that are under way, oldest first."""
        found = []
        for name in _names(self.sending, ".json"):
            path = self.sending / f"{name}.json"
            try:
                found.append(notice.message_of(durable.read(path, notice.MOST_MESSAGE)))
            except BadData as error:
                self._away(path, error)
        return found

    def keep(self, message: Message) -> None:
        """Put a message on disk, as far as it has come."""
        durable.replace(self.sending / f"{message.id}.json", notice.to_bytes(message))

    def done(self, message: Message) -> None:
        """A message has reached everybody, or was given up."""
        with suppress(FileNotFoundError):
            os.unlink(self.sending / f"{message.id}.json")

    def sweep(self, older: timedelta = timedelta(days=1)) -> None:
        """Remove what a crash left half written: of ours at once, of others after a while."""
        for folder, edge in ((self.sending, float("inf")), (self.left, time.time() - older.total_seconds())):
            for entry in os.scandir(folder):
                with suppress(OSError):
                    if entry.name.startswith(".") and entry.stat(follow_symlinks=False).st_mtime < edge:
                        os.unlink(entry.path)

    def _read(self, path: Path) -> Notice | None:
        try:
            return notice.notice_of(durable.read(path, notice.MOST_BYTES))
        except FileNotFoundError:
            return None
        except (BadData, PermissionError) as error:
            self._away(path, error)
            return None

    def _away(self, path: Path, error: Exception) -> None:
        if self._complain is None:
            return
        self._complain(f"{path.name} is no notice, and removed: {error}")
        with suppress(OSError):
            os.unlink(path)


def mark(name: str, found: Notice) -> str:
    """What tells a notice from all others that ever had its name."""
    return f"{name} {times.iso(found.at)}"


def _names(folder: Path, suffix: str) -> list[str]:
    names = [entry.removesuffix(suffix) for entry in os.listdir(folder) if entry.endswith(suffix)]
    return sorted(name for name in names if _NAME.fullmatch(name))
