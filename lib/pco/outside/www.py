"""The folder that the web server gives out, written so that a reader sees each file whole, the old or the new.

    www/*.html *.json *.css *.svg *.js, www/ticket/KEY.html   what readers see, mode 0644
    www/.built/NAME.json                                 what the writer remembers of its last run
    www/.built/new, www/.built/new.PID                   files that are not finished, one for each process that writes

All of it is made anew from the spool at any time, so nothing is flushed: a thousand pages take a fraction of a second.
After a power cut a page may be empty: whoever writes must doubt its memory once the machine has been started again.
"""

import json
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any

from pco.ground.errors import BadConfig, SystemFault

MODE = 0o644  # of what readers see
BUILT = ".built"  # what they do not see
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Site:
    """The folder at `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.written = 0
        self.removed = 0
        # In .built, which inherits the group of the site: so the file is born with the group of the web server.
        self._unfinished = os.path.join(root, BUILT, "new")

    def apart(self) -> None:
        """Write beside others from now on, in a process of its own: what it has not finished has a name of its own."""
        self._unfinished = os.path.join(self.root, BUILT, f"new.{os.getpid()}")

    def prepare(self) -> None:
        """Make the folders in it, and take away what an earlier run left unfinished.

        Raises BadConfig if it is not there itself: the installation makes it.
        """
        if not self.root.is_dir():
            raise BadConfig(f"no folder {self.root} for the pages", "systemd-tmpfiles --create lays it out")
        umask = os.umask(0o022)  # of a person: readers must get in
        try:
            os.makedirs(self.root / "ticket", 0o755, exist_ok=True)
            os.makedirs(self.root / BUILT, 0o700, exist_ok=True)
            for name in os.listdir(self.root / BUILT):
                if not name.endswith(".json"):
                    _remove(self.root / BUILT / name)
        except OSError as error:
            raise SystemFault(f"{error.filename}: {error.strerror}") from error
        finally:
            os.umask(umask)

    def put(self, name: str, data: bytes) -> None:
        """Write a file unless it is there with just this content, for all to read.  Raises SystemFault."""
        path = os.path.join(self.root, name)
        if _is_just(path, data):
            return
        try:
            _write_new(self._unfinished, data)
            os.rename(self._unfinished, path)
        except OSError as error:
            raise SystemFault(f"{path}: {error.strerror}") from error
        self.written += 1

    def remove(self, name: str) -> None:
        """Take a file away, if it is there."""
        with suppress(FileNotFoundError):
            os.unlink(self.root / name)
            self.removed += 1

    def empty(self, name: str) -> bool:
        """Whether a file is missing, or has lost its content."""
        try:
            return os.stat(self.root / name).st_size == 0
        except OSError:
            return True

    def names(self, folder: str = "") -> list[str]:
        """The pages in a folder of the site."""
        return [name for name in os.listdir(self.root / folder) if name.endswith(".html")]

    def recall(self, name: str) -> dict[str, Any]:
        """What was remembered under a name; an empty mapping if nothing was, or if it is torn or of another boot."""
        try:
            value = json.loads((self.root / BUILT / f"{name}.json").read_bytes())
        except (OSError, ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}

    def remember(self, name: str, value: dict[str, Any]) -> None:
        """Keep something for the next run."""
        before = self.written
        self.put(f"{BUILT}/{name}.json", json.dumps(value, separators=(",", ":")).encode())
        self.written = before

    def forget(self) -> None:
        """Remember nothing any more; first, what all else hangs on."""
        for path in sorted((self.root / BUILT).glob("*.json"), key=lambda path: path.name != "now.json"):
            path.unlink()


def _remove(path: Path) -> None:
    """Remove what an earlier run left unfinished; one of an earlier pco may have left a folder.  Raises OSError."""
    if path.is_dir() and not path.is_symlink():
        from shutil import rmtree

        rmtree(path)
    else:
        path.unlink()


def _is_just(path: str, data: bytes) -> bool:
    """Whether a file is there that all may read, with this content."""
    try:
        handle = os.open(path, _READ)
    except OSError:
        return False
    try:
        facts = os.fstat(handle)
        plain = stat.S_ISREG(facts.st_mode) and facts.st_mode & 0o444 == 0o444
        return plain and facts.st_size == len(data) and os.read(handle, len(data) + 1) == data
    except OSError:
        return False
    finally:
        os.close(handle)


def _write_new(path: str, data: bytes) -> None:
    """Write a file that is not there yet; what a crash, or another process, left there goes.  Raises OSError.

    Never into that: it may be a link.  And without a file object, which asks the system five questions for each page.
    """
    try:
        handle = os.open(path, _CREATE, 0o600)
    except FileExistsError:
        os.unlink(path)
        handle = os.open(path, _CREATE, 0o600)
    try:
        os.fchmod(handle, MODE)
        view = memoryview(data)
        while view:
            view = view[os.write(handle, view) :]
    finally:
        os.close(handle)


def signature(*paths: Path | str) -> str:
    """What changes when one of these files does: times, sizes, inodes; `-` for what is not there."""
    return " ".join(_one(path) for path in paths)


def _one(path: Path | str) -> str:
    try:
        facts = os.lstat(path)
    except OSError:
        return "-"
    return f"{facts.st_mtime_ns:x}.{facts.st_size:x}.{facts.st_ino:x}"
