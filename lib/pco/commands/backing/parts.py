"""What goes into each member of a backup, and what stays out.

The order in which they are taken matters.  What is known of Plane comes before the tickets, so that it is never newer
than they are: the polls after a restore then see events once more, and find in the records that they are no news.
Everything else comes after the tickets, so that what they speak of is there.
"""

import fcntl
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pco.commands.backing.packing import Packer, opened
from pco.ground import attempt, durable
from pco.ground.backups import Left
from pco.ground.errors import BadData, PcoError
from pco.ground.record import from_bytes
from pco.ground.ticket import KEY, MOST_BYTES, State
from pco.rules import secrets
from pco.spool.snapshot import Snapshot

MOST_SMALL = 1 << 20  # a file of the configuration, of control/
MOST_KNOWN = 256 << 20  # what is known of a project's items
MOST_ARTEFACT = 64 << 20  # a file of an attempt: an agent may have written it
MOST_ARTEFACTS = 2000  # files of one attempt
MOST_AUDIT = 4 << 30  # a month
UNITS = Path("/etc/systemd/system")
CREDENTIALS = "credentials"
_ATTEMPT = re.compile(r"[0-9]{1,9}\.[0-9]{1,9}(\.[0-9]{1,20})?")
_PROJECT = re.compile(r"[0-9a-f-]{36}")


class Parts:
    """Packs the parts, and keeps what was left out."""

    def __init__(self) -> None:
        self.left: list[Left] = []
        self.put_back: list[str] = []
        self.unreadable: list[str] = []

    def leave(self, path: str, why: str) -> None:
        """Something is not taken."""
        self.left.append(Left(path, why))

    def plane(self, into: Packer, folder: Path) -> None:
        """What polls know: of each project first the head with its watermark, then its items, which may be newer."""
        for project in sorted(name for name in _listed(folder) if _PROJECT.fullmatch(name)):
            known = [f"{project}/known/{name}" for name in sorted(_listed(folder / project / "known"))]
            for name in (f"{project}/head.json", *known):
                if name.endswith(".json") and (folder / name).exists():
                    self._copy(into, name, folder / name, MOST_KNOWN)

    def spool(self, into: Packer, snapshot: Snapshot) -> None:
        """The tickets and what lies beside them."""
        for path, why in snapshot.strange:
            self.leave(path, why)
        for state in State:
            for name in snapshot.names(state):
                self._record(into, snapshot, state, name)
        for folder in snapshot.beside:
            for name in snapshot.names(folder):
                self._copy(into, f"{folder}/{name}", snapshot.folder / folder / name, MOST_SMALL)

    def _record(self, into: Packer, snapshot: Snapshot, state: State, name: str) -> None:
        """A ticket, as it lies there; whether it can be read is kept."""
        path = snapshot.folder / state / name
        try:
            data = durable.read(path, MOST_BYTES)
        except (BadData, PermissionError) as error:
            snapshot.lose(state, name, error)
            return
        into.put(f"{state}/{name}", data, mtime=path.stat().st_mtime)
        if name.endswith(".json") and state is not State.CORRUPT:
            try:
                from_bytes(data, state)
            except PcoError:
                self.unreadable.append(name.removesuffix(".json"))

    def attempts(self, into: Packer, folder: Path) -> None:
        """Prompts, screens, what was collected of attempts; not the repository that a session was given."""
        for key in sorted(name for name in _listed(folder) if KEY.fullmatch(name)):
            into.folder(key, (folder / key).stat().st_mode)
            for number in sorted(name for name in _listed(folder / key) if _ATTEMPT.fullmatch(name)):
                self._tree(into, folder, f"{key}/{number}", MOST_ARTEFACTS, skip=(attempt.SOURCE,))

    def audit(self, into: Packer, folder: Path) -> None:
        """The audit record, each month up to its last whole line, and what people answered for."""
        for name in sorted(_listed(folder)):
            if (folder / name).is_dir() and not (folder / name).is_symlink():
                self._tree(into, folder, name, MOST_ARTEFACTS)
            elif not name.startswith("."):
                with self._expected(name):
                    into.copy(name, folder / name, MOST_AUDIT, _whole(folder / name))

    def metrics(self, into: Packer, folder: Path) -> None:
        """What was spent on each day, and other figures; not how backups stand."""
        for name in sorted(_listed(folder)):
            if name != "backup":
                self._tree(into, folder, name, MOST_ARTEFACTS * 10)

    def config(self, into: Packer, config: Path, installed: bool) -> None:
        """The configuration, with secrets masked; credentials are only named."""
        folder = config.parent
        names = [name for name in sorted(_listed(folder)) if not name.startswith(".")]
        if not installed:
            names = [name for name in names if name in (config.name, f"{config.name}.d", "hooks.d")]
        for name in names:
            if name == CREDENTIALS:
                self.put_back.append(f"{folder / name}/")
                continue
            renamed = name.replace(config.name, "pco.yaml", 1) if name.startswith(config.name) else name
            self._texts(into, folder / name, renamed)
        if installed:
            for name in sorted(name for name in _listed(UNITS) if re.fullmatch(r"pco.*\.d", name)):
                self._texts(into, UNITS / name, f"units/{name}")

    def _texts(self, into: Packer, path: Path, name: str) -> None:
        """A file, or all in a folder, with secrets masked."""
        if path.is_dir() and not path.is_symlink():
            for inner in sorted(_listed(path)):
                self._texts(into, path / inner, f"{name}/{inner}")
            return
        if secrets.is_file(name):
            self.put_back.append(str(path))
            return
        with self._expected(str(path)), opened(path.resolve(), MOST_SMALL) as (file, facts):
            data = file.read(MOST_SMALL)
            text = data.decode("utf-8", "surrogateescape")
            clean = secrets.stripped(text)
            if clean != text:
                self.put_back.append(f"{path}: what is masked in it")
            into.put(name, clean.encode("utf-8", "surrogateescape"), facts.st_mode, facts.st_mtime)

    def _tree(self, into: Packer, top: Path, name: str, most: int, skip: Iterable[str] = ()) -> None:
        """A file, or a folder with all in it, links not followed."""
        count = 0
        for path, is_folder in _walk(top / name):
            inner = str(path.relative_to(top))
            if is_folder:
                into.folder(inner, path.lstat().st_mode)
            elif path.name not in skip:
                count += 1
                if count > most:
                    self.leave(f"{name}/…", f"it has more than {most} files")
                    return
                self._copy(into, inner, path, MOST_ARTEFACT)

    def _copy(self, into: Packer, name: str, path: Path, most: int) -> None:
        with self._expected(name):
            into.copy(name, path, most)

    @contextmanager
    def _expected(self, name: str) -> Iterator[None]:
        """What may well happen to one file: it is gone meanwhile, or of a kind that is left out."""
        try:
            yield
        except FileNotFoundError:
            return
        except BadData as error:
            self.leave(name, str(error))
        except PermissionError:
            self.leave(name, "it may not be read")


def _whole(path: Path) -> int:
    """The size of an audit file while nobody is in the middle of writing a line."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH)
        return os.fstat(handle).st_size
    finally:
        os.close(handle)


def _listed(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _walk(path: Path) -> Iterator[tuple[Path, bool]]:
    """A path, and all below it, folders first; links are not followed."""
    try:
        is_folder = path.is_dir() and not path.is_symlink()
        yield path, is_folder
        for entry in sorted(os.listdir(path)) if is_folder else []:
            yield from _walk(path / entry)
    except FileNotFoundError:
        return
