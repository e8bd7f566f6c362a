"""What a backup holds, put back: each part into its folder, the tickets last.

Every step may be done again: what an earlier run has put there is put there once more, or known for what it is.
"""

import json
import os
import tarfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

from pco.commands.backing.packing import CHUNK, unpacked
from pco.commands.backing.verifying import SPOOL, Opened, ticket
from pco.ground import backups, times
from pco.ground.config import Paths
from pco.ground.errors import BadData
from pco.ground.frozen import dataclass
from pco.ground.ticket import KEY, State, Ticket
from pco.outside import bundles
from pco.outside.git import Mirror
from pco.rules import returning
from pco.spool import comeback
from pco.spool.comeback import Mark
from pco.spool.store import Spool

BATCH = 100
# Of what lies beside the tickets: not what concerns sessions, for there are none.
ASKED = ("control/import", "control/push", "control/purge")


@dataclass(frozen=True)
class Fate:
    """What becomes of a ticket of the backup; without `returned` nobody can read it, and `record` goes to corrupt."""

    key: str
    was: State
    to: State
    note: str
    returned: returning.Returned | None = None
    record: bytes = b""


def fates(found: Opened, mark: Mark) -> Iterator[Fate]:
    """What becomes of each ticket.  Raises BadData."""
    for key, state, record in found.tickets():
        if state is State.CORRUPT:
            yield Fate(key, state, state, "was set aside already", None, record)
            continue
        try:
            back = returning.returned(ticket(key, state, record), mark.at)
        except BadData as error:
            if key not in found.manifest.unreadable:
                raise
            yield Fate(key, state, State.CORRUPT, f"cannot be read: {error}", None, record)
            continue
        yield Fate(key, state, back.to, back.note, back)


class Restoring:
    """One restore, into the folders of `paths`.  `progress` is told of bytes."""

    def __init__(self, paths: Paths, found: Opened, mark: Mark, progress: Callable[[int], None]) -> None:
        self.paths = paths
        self.found = found
        self.mark = mark
        self.progress = progress
        self.spool = Spool(paths.spool, "pco-restore")
        self.moved: list[Ticket] = []  # by this restore, in whichever of its runs
        self.counts = dict.fromkeys(State, 0)

    def bring_back(self) -> None:
        """All of it, flushed.  Raises PcoError, OSError."""
        self._files("attempts.tar.gz", self.paths.sessions, self._replace)
        self._plane()
        self._files("audit.tar.gz", self.paths.audit, self._audit)
        self._files("metrics.tar.gz", self.paths.metrics, self._missing)
        for name, member in self.found.manifest.bundles.items():
            bundles.take(Mirror(self.paths.mirrors / f"{name}.git", ""), self.found.files[member.name])
            self.progress(member.size)
        os.sync()
        self._tickets()
        self._beside()
        with self.spool.lock():
            self.spool.index.rebuild()
        os.sync()

    @property
    def kept(self) -> list[str]:
        """What was there before, and where it is now; whichever run put it aside."""
        return sorted(str(path) for path in self.paths.audit.rglob(f"*{self._before}"))

    @property
    def _before(self) -> str:
        return f".before-{backups.name_of(self.mark.at)}"

    # The tickets.

    def _tickets(self) -> None:
        whys = dict(self._whys())
        batch: list[tuple[Ticket, State]] = []
        for fate in fates(self.found, self.mark):
            self.counts[fate.to] += 1
            if fate.returned is None:
                self._set_aside(fate, whys.get(fate.key))
                continue
            batch.append((fate.returned.ticket, fate.to))
            if len(batch) >= BATCH:
                self._place(batch)
        self._place(batch)

    def _place(self, batch: list[tuple[Ticket, State]]) -> None:
        placed = comeback.place(self.spool, self.mark, batch, f"{returning.WHY} ({self.mark.backup})")
        self.moved += [ticket for ticket in placed if ticket.history and ticket.history[-1].at == self.mark.at]
        self.progress(len(batch))
        batch.clear()

    def _set_aside(self, fate: Fate, why: bytes | None) -> None:
        reason = {"reason": fate.note, "from": fate.was.value, "at": times.iso(self.mark.at), "by": "pco-restore"}
        comeback.place_corrupt(self.spool, fate.key, fate.record, why or json.dumps(reason).encode() + b"\n")

    def _whys(self) -> Iterator[tuple[str, bytes]]:
        for name, data in self.found.small(SPOOL):
            if name.startswith("corrupt/") and name.endswith(".why"):
                yield name[len("corrupt/") : -len(".why")], data

    def _beside(self) -> None:
        """What people asked for, a pause, and what nobody has been told yet."""
        for name, data in self.found.small(SPOOL):
            folder, _, file = name.rpartition("/")
            asked = folder in ASKED and KEY.fullmatch(file)
            if asked or name == "control/pause" or folder == "notify":
                self._write(self.spool.root, name, iter([data]), 0o660)

    # Other parts.

    def _plane(self) -> None:
        """What polls knew, and nothing that they have learned since: it would be ahead of the tickets."""
        for project in {info.name.split("/")[0] for info, _ in self._members("plane.tar.gz")}:
            for path in (self.paths.plane / project / "known").glob("*.json"):
                path.unlink()
        self._files("plane.tar.gz", self.paths.plane, self._replace)

    def _files(self, member: str, top: Path, put: Callable[[Path, str, IO[bytes], int], None]) -> None:
        for info, content in self._members(member):
            if info.isdir():
                (top / info.name).mkdir(parents=True, exist_ok=True)
                (top / info.name).chmod(info.mode & 0o777)
            else:
                put(top, info.name, content, info.mode & 0o777)
            self.progress(info.size)

    def _members(self, member: str) -> Iterator[tuple[tarfile.TarInfo, IO[bytes]]]:
        if member in self.found.files:
            yield from unpacked(self.found.files[member], member)

    def _replace(self, top: Path, name: str, content: IO[bytes], mode: int) -> None:
        self._write(top, name, _chunks(content), mode)

    def _missing(self, top: Path, name: str, content: IO[bytes], mode: int) -> None:
        """What is there already stays."""
        if not (top / name).exists():
            self._write(top, name, _chunks(content), mode)

    def _audit(self, top: Path, name: str, content: IO[bytes], mode: int) -> None:
        """A file that begins as that of the backup is it, and stays; another one is kept under another name."""
        fresh = top / f".{name.replace('/', '_')}.back"
        self._write(top, fresh.name, _chunks(content), mode)
        path = top / name
        if path.exists() and _begins_with(path, fresh):
            fresh.unlink()
            return
        if path.exists():
            path.rename(path.with_name(path.name + self._before))
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh.rename(path)

    def _write(self, top: Path, name: str, content: Iterator[bytes], mode: int) -> None:
        """A file, whole under another name first, one that a run which goes on takes again; flushed with all others."""
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.back")
        with suppress(FileNotFoundError):
            temporary.unlink()
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with open(os.open(temporary, flags, 0o600), "wb") as file:
            for data in content:
                file.write(data)
            os.fchmod(file.fileno(), mode)
        temporary.rename(path)


def _chunks(content: IO[bytes]) -> Iterator[bytes]:
    while data := content.read(CHUNK):
        yield data


def _begins_with(path: Path, start: Path) -> bool:
    with path.open("rb") as whole, start.open("rb") as part:
        return all(whole.read(len(data)) == data for data in _chunks(part))
