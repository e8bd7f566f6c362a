"""One backup, from the snapshot to the rename that makes it one."""

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from pco import __version__
from pco.commands.backing import exporting, keeping, verifying
from pco.commands.backing.packing import Packer, hashed, opened
from pco.commands.backing.parts import Parts
from pco.ground import backups, durable, text, times
from pco.ground.backups import Manifest, Member
from pco.ground.errors import BadData, PcoError, SystemFault
from pco.ground.ticket import SCHEMA
from pco.outside import bundles
from pco.outside.git import Mirror
from pco.run import Pco
from pco.spool.snapshot import Snapshot

Progress = Callable[[int], None]


class Making:
    """One backup that is being made, in a folder that is none yet."""

    def __init__(self, pco: Pco, home: Path, progress: Progress) -> None:
        self.pco = pco
        self.home = home
        self.progress = progress
        self.at = pco.now().replace(microsecond=0)
        while (home / backups.name_of(self.at)).exists():
            self.at += timedelta(seconds=1)
        self.name = backups.name_of(self.at)
        self.folder = home / f".{self.name}"
        self.parts = Parts()
        self.members: list[Member] = []

    def make(self) -> Manifest:
        """Write it, read it back, and let it be a backup.  Raises PcoError; then nothing of it stays."""
        begun = time.monotonic()
        try:
            self.folder.mkdir(mode=0o750)
            manifest = self._written(begun)
            self._verify()
            os.rename(self.folder, self.home / self.name)
            durable.sync_folder(self.home)
            return manifest
        except OSError as error:
            raise SystemFault(f"{error.filename or self.folder}: {error.strerror or error}") from error
        finally:
            keeping.sweep(self.home)

    def _written(self, begun: float) -> Manifest:
        paths, parts = self.pco.config.paths, self.parts
        installed = paths.root is None
        with self._packing("plane") as into:
            parts.plane(into, paths.plane)
        snapshot = self._spool()
        with self._packing("attempts") as into:
            parts.attempts(into, paths.sessions)
        self._mirrors(paths.mirrors)
        with self._packing("audit") as into:
            parts.audit(into, paths.audit)
        with self._packing("metrics") as into:
            parts.metrics(into, paths.metrics)
        with self._packing("config") as into:
            parts.config(into, self.pco.config_path, installed)
        if installed:
            self._journal()
        manifest = Manifest(
            name=self.name,
            at=self.at,
            version=__version__,
            host=socket.gethostname(),
            records=SCHEMA,
            counts={state.value: count for state, count in snapshot.counts.items() if count},
            members=tuple(self.members),
            unreadable=tuple(sorted(parts.unreadable)),
            left_out=tuple(parts.left),
            put_back=tuple(parts.put_back),
            locked=round(snapshot.locked, 6),
            seconds=round(time.monotonic() - begun, 3),
        )
        durable.write_new(self.folder / backups.MANIFEST, backups.to_bytes(manifest), 0o640)
        durable.sync_folder(self.folder)
        return manifest

    @contextmanager
    def _packing(self, name: str) -> Iterator[Packer]:
        self.pco.service.doing(f"backs up: {name}")
        with Packer(self.folder / f"{name}.tar.gz", self._step) as packer:
            yield packer
            self.members.append(packer.finish())

    def _step(self, size: int) -> None:
        self.pco.service.pat()
        self.progress(size)

    def _spool(self) -> Snapshot:
        snapshot = Snapshot(self.pco.spool)
        try:
            snapshot.take()
            with self._packing("spool") as into:
                self.parts.spool(into, snapshot)
        finally:
            snapshot.remove()
        for key, error in snapshot.trouble:
            self.pco.fail(type(error)(f"it is not in the backup: {error}", error.hint), key)
        return snapshot

    def _mirrors(self, folder: Path) -> None:
        for path in sorted(folder.glob("*.git")):
            mirror = Mirror(path, "")
            try:
                if bundles.branches(mirror):
                    self.pco.service.doing(f"backs up: branches of {path.name}")
                    self._bundle(mirror, path.name.removesuffix(".git"))
            except BadData as error:
                # A broken mirror must not keep the tickets from being backed up; that it is, is told.
                (self.folder / f"{path.name.removesuffix('.git')}.bundle").unlink(missing_ok=True)
                self.pco.fail(BadData(f"its branches are not in the backup: {error}"), path.name)
                self.parts.leave(path.name, str(error))

    def _bundle(self, mirror: Mirror, name: str) -> None:
        target = self.folder / f"{name}.bundle"
        bundles.write(mirror, target)
        bundles.verify(mirror, target)
        target.chmod(0o640)
        with opened(target, bundles.MOST) as (file, _):
            os.fsync(file.fileno())
            refs = bundles.heads(file)
            file.seek(0)
            size, sha256 = hashed(file, self._step)
        self.members.append(Member(target.name, size, sha256, len(refs), refs))

    def _journal(self) -> None:
        self.pco.service.doing("backs up: the journal")
        try:
            self.members.append(exporting.export(self.folder / "journal.gz", self.pco.config.backup.keep, self._step))
        except PcoError as error:
            (self.folder / "journal.gz").unlink(missing_ok=True)
            self.pco.log("warning", f"the journal is not in the backup: {error}")
            self.parts.leave("journal", str(error))

    def _verify(self) -> None:
        self.pco.service.doing("backs up: reads it back")
        with verifying.open_all(self.folder) as found:
            verifying.verify(found, self._step)


def told(manifest: Manifest) -> str:
    """What a backup holds, in words."""
    counts = f"{text.count(manifest.tickets, 'ticket')}, {size(manifest.size)}"
    return f"{counts}, in {times.rough(timedelta(seconds=manifest.seconds))}"


def size(number: float) -> str:
    """Bytes for people."""
    unit = "B"
    for larger in ("kB", "MB", "GB"):
        if number < 1000:
            break
        number, unit = number / 1000, larger
    return f"{number:.0f} B" if unit == "B" else f"{number:.1f} {unit}"
