"""Beside the tickets: flags that wake programs, the pause, requests to import, what crashes left in tmp.

wake/NAME            empty; set after a move, removed by its program before it scans
control/pause        {"by", "at", "why"}: pco-launch starts nothing while it is there
control/short        {"at", "why"}: no session starts, for there is too little room; removed once there is enough
control/health       what people were told of pco's health (ground.notice.HealthTold)
control/halted       empty: that all sessions were stopped at once was heeded, and none has been started since
control/trial        the items that pco-doctor has made in Plane to try pco (see Planted); removed with the last of them
control/import/KEY   {"by", "at"}: pco-poll shall import this item; removed once it has
control/clean/KEY    {"by", "at"}: pco-watch shall remove what sessions of a dropped ticket left; removed once it has
control/purge/KEY    {"by", "at"}: all that is known of a ticket is being removed; goes when that is done
control/push/KEY     {"by", "at"}: pco-push shall push this branch, whatever became of it before; removed once it has
"""

import json
import os
import time
from contextlib import suppress
from dataclasses import field
from datetime import datetime, timedelta
from pathlib import Path

from pco.ground import durable, reserve, shape, times
from pco.ground.errors import BadData, SystemFault
from pco.ground.frozen import dataclass
from pco.ground.notice import HealthTold
from pco.ground.ticket import KEY, Note

UNKNOWN = "?"  # who, where a file does not say it or cannot be read
WAKES = ("launch", "post", "push", "dashboard", "notify")


@dataclass(frozen=True)
class Planted:
    """Items made in Plane: in which project, what their keys begin with, what is in all their ids; id by key."""

    project: str
    prefix: str
    run: str
    items: dict[str, str] = field(default_factory=dict)


class Control:
    """The control files of the spool at `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def wake(self, name: str) -> None:
        """Set the flag that wakes a program.  If it cannot be set, the program's timer is the net."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with suppress(OSError):
            handle = os.open(self.root / "wake" / name, flags, 0o660)
            os.close(handle)

    def awake(self, name: str) -> bool:
        """Remove a flag, before the scan, so that no wake-up is lost; says whether it was set, and is gone."""
        try:
            os.unlink(self.root / "wake" / name)
        except OSError:
            return False
        return True

    def paused(self) -> Note | None:
        """Who paused pco, when and why; None if nobody did.  An unreadable pause is a pause."""
        path = self.root / "control" / "pause"
        try:
            value = json.loads(durable.read(path, 1 << 16))
            return Note(times.parse_time(value["at"]), str(value["by"]), str(value["why"]))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, RecursionError, BadData):
            return Note(_mtime(path), UNKNOWN, "the file control/pause cannot be read")

    def pause(self, note: Note) -> None:
        """Let pco-launch start nothing from now on."""
        value = {"by": note.by, "at": times.iso(note.at), "why": note.text}
        durable.replace(self.root / "control" / "pause", json.dumps(value).encode() + b"\n")

    def resume(self) -> bool:
        """End the pause; says whether there was one."""
        try:
            os.unlink(self.root / "control" / "pause")
        except FileNotFoundError:
            return False
        durable.sync_folder(self.root / "control")
        return True

    def halted(self) -> bool:
        """Whether a stop of all sessions was heeded, and none has been started since."""
        return (self.root / "control" / "halted").exists()

    def set_halted(self, halted: bool) -> None:
        """Remember that a stop of all sessions was heeded, or that sessions run again."""
        path = self.root / "control" / "halted"
        if halted:
            durable.replace(path, b"")
        else:
            with suppress(FileNotFoundError):
                os.unlink(path)

    def short(self) -> str:
        """What there is too little of, as pco-launch last told; empty if there is enough."""
        try:
            return str(json.loads(durable.read(self.root / "control" / "short", 1 << 16))["why"])
        except FileNotFoundError:
            return ""
        except (OSError, ValueError, KeyError, TypeError, RecursionError, BadData):
            return UNKNOWN

    def set_short(self, why: str, at: datetime) -> None:
        """Remember that it was told that there is too little room, or (empty) that there is enough again."""
        path = self.root / "control" / "short"
        if why:
            data = json.dumps({"at": times.iso(at), "why": why}).encode() + b"\n"
            reserve.spare(self.root, lambda: durable.replace(path, data))
        else:
            with suppress(FileNotFoundError):
                os.unlink(path)

    def health(self) -> HealthTold:
        """What people were told of pco's health; nothing if that cannot be read."""
        try:
            return shape.load(HealthTold, json.loads(durable.read(self.root / "control" / "health", 1 << 20)))
        except (OSError, ValueError, RecursionError, BadData):
            return HealthTold()

    def set_health(self, told: HealthTold) -> None:
        """Remember what people were told of pco's health.  Raises OSError."""
        durable.replace(self.root / "control" / "health", json.dumps(shape.dump(told)).encode() + b"\n")

    def trial(self) -> Planted | None:
        """The items in Plane that pco-doctor has made and not deleted yet.  Raises SystemFault, BadData."""
        path = self.root / "control" / "trial"
        try:
            return shape.load(Planted, json.loads(durable.read(path, 1 << 20)))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise SystemFault(f"{path}: {error.strerror}") from error
        except (ValueError, RecursionError) as error:
            raise BadData(f"{path}: {error}") from error

    def set_trial(self, planted: Planted | None) -> None:
        """Remember them, durably, or that none is left.  Raises OSError."""
        path = self.root / "control" / "trial"
        if planted:
            durable.replace(path, json.dumps(shape.dump(planted)).encode() + b"\n")
        else:
            with suppress(FileNotFoundError):
                os.unlink(path)

    def ask_import(self, key: str, by: str, at: datetime) -> None:
        """Ask pco-poll to import an item of Plane: people hold no token."""
        self._ask("import", key, by, at)

    def imports(self) -> dict[str, str]:
        """The keys that somebody asked to import, and who asked."""
        return self._asked("import")

    def imported(self, key: str) -> None:
        """The request is dealt with."""
        self._done("import", key)

    def ask_clean(self, key: str, by: str, at: datetime) -> None:
        """Ask pco-watch to remove what the sessions of a dropped ticket left: people may not."""
        self._ask("clean", key, by, at)

    def cleanings(self) -> dict[str, str]:
        """The keys whose sessions' files shall go, and who asked."""
        return self._asked("clean")

    def cleaned(self, key: str) -> None:
        """The request is dealt with."""
        self._done("clean", key)

    def ask_push(self, key: str, by: str, at: datetime) -> None:
        """Ask pco-push to push a branch: people hold no credential."""
        self._ask("push", key, by, at)

    def pushes(self) -> dict[str, datetime]:
        """The keys whose branches somebody asked to push, and when that was."""
        folder = self.root / "control" / "push"
        return {key: self._when(folder / key) for key in self._asked("push")}

    def pushed(self, key: str, at: datetime) -> None:
        """The request of that time is dealt with; one that was made since stays."""
        if self._when(self.root / "control" / "push" / key) <= at:
            self._done("push", key)

    def begin_purge(self, key: str, by: str, at: datetime) -> None:
        """Remember that all of a ticket goes: what a crash leaves of it, pco-retention finishes."""
        self._ask("purge", key, by, at)

    def purges(self) -> dict[str, tuple[str, datetime]]:
        """The keys of which not everything is gone yet: who asked for it, and when."""
        folder = self.root / "control" / "purge"
        return {key: (by, self._when(folder / key)) for key, by in self._asked("purge").items()}

    def purged(self, key: str) -> None:
        """All of a ticket is gone, and with it whatever was asked about it."""
        for what in ("import", "clean", "push", "purge"):
            self._done(what, key)

    def sweep(self, older: timedelta = timedelta(days=1)) -> list[str]:
        """Remove what a crash left in tmp; returns the names."""
        edge, gone = time.time() - older.total_seconds(), []
        for entry in os.scandir(self.root / "tmp"):
            with suppress(OSError):
                if entry.stat(follow_symlinks=False).st_mtime < edge:
                    os.unlink(entry.path)
                    gone.append(entry.name)
        return gone

    def _ask(self, what: str, key: str, by: str, at: datetime) -> None:
        if not KEY.fullmatch(key):
            raise BadData(f"{key[:40]!r} is no ticket key (a key looks like WEB-12)")
        data = json.dumps({"by": by, "at": times.iso(at)}).encode() + b"\n"
        durable.replace(self.root / "control" / what / key, data)

    def _asked(self, what: str) -> dict[str, str]:
        folder = self.root / "control" / what
        return {name: self._asker(folder / name) for name in sorted(os.listdir(folder)) if KEY.fullmatch(name)}

    def _done(self, what: str, key: str) -> None:
        with suppress(FileNotFoundError):
            os.unlink(self.root / "control" / what / key)

    def _asker(self, path: Path) -> str:
        try:
            return str(json.loads(_read(path))["by"])
        except (FileNotFoundError, ValueError, KeyError, TypeError, RecursionError, BadData):
            return UNKNOWN

    def _when(self, path: Path) -> datetime:
        try:
            return times.parse_time(json.loads(_read(path))["at"])
        except (FileNotFoundError, ValueError, KeyError, TypeError, RecursionError, BadData):
            return _mtime(path)


def _read(path: Path) -> bytes:
    """A request.  Raises SystemFault: who asked, and when, may be there, and counts."""
    try:
        return durable.read(path, 1 << 16)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise SystemFault(f"{path}: {error.strerror}") from error


def _mtime(path: Path) -> datetime:
    from datetime import UTC

    try:
        return datetime.fromtimestamp(os.lstat(path).st_mtime, UTC)
    except OSError:
        return datetime.now(UTC)
