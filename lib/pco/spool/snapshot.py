"""The spool as it was at one moment: a folder of hard links to its files.

Records are replaced by a rename and never changed in place, so a link to one keeps what it was.  Most links are made
before the lock is taken; under the lock only what changed since is put right, and the folders are looked through once
more: so long is the spool held, however many tickets there are.
"""

import os
import shutil
import time
from contextlib import suppress

from pco.ground.errors import BadData, PcoError, SystemFault
from pco.ground.ticket import KEY, State
from pco.spool.store import FOLDERS, Spool

PREFIX = "snapshot."
STATES = frozenset(State)


class Snapshot:
    """A snapshot of `spool`; its files are below `folder`, as they are in the spool.

    `counts` are the tickets by state, `strange` what lies in the folders and is no file of the spool's, `trouble` what
    could not be taken though it is; `locked` for how many seconds the spool was held.
    """

    def __init__(self, spool: Spool) -> None:
        self.spool = spool
        self.folder = spool.root / "tmp" / f"{PREFIX}{os.getpid()}"
        self.counts: dict[State, int] = {}
        self.strange: list[tuple[str, str]] = []
        self.trouble: list[tuple[str, PcoError]] = []
        self.locked = 0.0
        # Small, and taken under the lock only.
        self.beside = [name for name in FOLDERS if name.partition("/")[0] in ("control", "notify")]
        self._taken: dict[str, dict[str, int]] = {}

    def take(self) -> None:
        """Take it.  Raises TryLater if the spool is held too long, SystemFault."""
        sweep(self.spool)
        try:
            self.folder.mkdir()
            for name in (*State, *self.beside):
                (self.folder / name).mkdir()
            for state in State:
                self._follow(state)
            with self.spool.lock():
                begun = time.monotonic()
                self.strange.clear()
                self.trouble.clear()
                for name in (*State, *self.beside):
                    self._follow(name)
                self.locked = time.monotonic() - begun
        except OSError as error:
            raise SystemFault(f"{error.filename or self.folder}: {error.strerror}") from error
        for state in State:
            self.counts[state] = sum(name.endswith(".json") for name in self._taken[state])

    def names(self, folder: str) -> list[str]:
        """The files of a folder of the snapshot, sorted."""
        return sorted(self._taken[folder])

    def lose(self, state: State, name: str, error: Exception) -> None:
        """A file that was taken cannot be read after all."""
        self.trouble.append((name.rpartition(".")[0], BadData(f"{state}/{name}: {error}")))
        self.counts[state] -= name.endswith(".json")

    def remove(self) -> None:
        """Remove it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _follow(self, name: str) -> None:
        """Have just the links in the snapshot's folder that the spool's folder has files."""
        taken = self._taken.setdefault(name, {})
        there = self._there(name)
        for gone in taken.keys() - there.keys():
            self._drop(name, gone)
        for file, inode in there.items():
            if taken.get(file) != inode:
                self._link(name, file)

    def _there(self, name: str) -> dict[str, int]:
        found = {}
        with os.scandir(self.spool.root / name) as entries:
            for entry in entries:
                if not _belongs(name, entry.name):
                    if name in STATES:
                        self.strange.append((f"{name}/{entry.name}", "it is no ticket"))
                elif not entry.is_file(follow_symlinks=False):
                    if not entry.is_dir(follow_symlinks=False) or name in STATES:
                        self.strange.append((f"{name}/{entry.name}", "it is no regular file"))
                else:
                    found[entry.name] = entry.inode()
        return found

    def _link(self, name: str, file: str) -> None:
        self._drop(name, file)
        source, target = self.spool.root / name / file, self.folder / name / file
        try:
            os.link(source, target, follow_symlinks=False)
        except FileNotFoundError:
            return  # it moved meanwhile; under the lock all are still there
        except PermissionError as error:
            # Linux lets nobody link to files that they could not write (fs.protected_hardlinks).
            self.trouble.append((file.removesuffix(".json"), SystemFault(f"{source}: {error.strerror}")))
            return
        # Of the link, not of what was listed: an inode that we hold is not given to another file.
        self._taken[name][file] = os.lstat(target).st_ino

    def _drop(self, name: str, file: str) -> None:
        if self._taken[name].pop(file, None) is not None:
            os.unlink(self.folder / name / file)


def sweep(spool: Spool) -> None:
    """Remove the snapshots that killed runs left; the caller is the only one that takes any."""
    for path in (spool.root / "tmp").glob(f"{PREFIX}*"):
        with suppress(OSError):
            shutil.rmtree(path)


def _belongs(folder: str, name: str) -> bool:
    """Whether a name in a folder is one that pco writes."""
    stem, _, kind = name.rpartition(".")
    if folder in STATES:
        return bool(KEY.fullmatch(stem)) and (kind == "json" or (kind == "why" and folder == State.CORRUPT))
    return not name.startswith(".")
