"""The folder that the web server gives out, written so that a reader sees each file whole, the old or the new.

    www/*.html *.json *.css *.svg *.js, www/ticket/KEY.html   what readers see, mode 0644
    www/.built/NAME.json                                 what the writer remembers of its last run
    www/.built/new, www/.built/ticket                    what is not finished: a file, all pages of tickets

All of it is made anew from the spool at any time, so nothing is flushed: a thousand pages take a fraction of a second.
After a power cut a page may be empty: whoever writes must doubt its memory once the machine has been started again.
"""

import json
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any

from pco.ground import durable
from pco.ground.errors import BadConfig, SystemFault

MODE = 0o644  # of what readers see
UNFINISHED = ".built"  # what they do not see
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Site:
    """The folder at `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.written = 0
        self.removed = 0
        # In .built, which inherits the group of the site: so the file is born with the group of the web server.
        self._unfinished = os.path.join(root, UNFINISHED, "new")
        self._fresh = ""

    def prepare(self) -> None:
        """Make the folders in it, and take away what an earlier run left unfinished.

        Raises BadConfig if it is not there itself: the installation makes it.
        """
        if not self.root.is_dir():
            raise BadConfig(f"no folder {self.root} for the pages", "systemd-tmpfiles --create lays it out")
        for name, mode in (("ticket", 0o755), (UNFINISHED, 0o700)):
            try:
                (self.root / name).mkdir(mode, exist_ok=True)
            except OSError as error:
                raise SystemFault(f"{self.root / name}: {error.strerror}") from error
        if (unfinished := self.root / UNFINISHED / "ticket").exists():
            _remove_all(unfinished)  # of a run that did not come to its end

    def put(self, name: str, data: bytes) -> None:
        """Write a file unless it is there with just this content, for all to read.  Raises SystemFault."""
        if self._fresh and name.startswith("ticket/"):
            self._put_fresh(name[len("ticket/") :], data)
            return
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
            value = json.loads((self.root / UNFINISHED / f"{name}.json").read_bytes())
        except (OSError, ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}

    def remember(self, name: str, value: dict[str, Any]) -> None:
        """Keep something for the next run."""
        before = self.written
        self.put(f"{UNFINISHED}/{name}.json", json.dumps(value, separators=(",", ":")).encode())
        self.written = before

    # All pages of tickets anew.

    def begin(self) -> None:
        """From now on pages of tickets go into a new folder, which readers see at `finish`: all of them at once.

        Nothing is replaced there, so several processes may write.  Of a page that is there already with just this
        content its file is taken: no disk has to find place for it, nor to write it.
        """
        fresh = self.root / UNFINISHED / "ticket"
        umask = os.umask(0o022)  # of a person: readers must get in
        try:
            fresh.mkdir(0o755)
        except OSError as error:
            raise SystemFault(f"{fresh}: {error.strerror}") from error
        finally:
            os.umask(umask)
        self._fresh = str(fresh)

    def finish(self, made: set[str], wanted: set[str]) -> None:
        """Have the new folder take the place of the old one, with the pages of the keys `made`.

        Those that are `wanted` and were not made stay as they were.  Raises SystemFault.
        """
        fresh, old = self._fresh, os.path.join(self.root, "ticket")
        self._fresh = ""
        there, before = set(os.listdir(fresh)), set(os.listdir(old))
        kept = {f"{key}.html" for key in made}
        for name in there - kept:
            os.unlink(os.path.join(fresh, name))  # begun by a process that was killed
        for name in {f"{key}.html" for key in wanted} & before - kept:
            with suppress(OSError):  # of another owner, fs.protected_hardlinks: it is made anew in a moment
                os.link(os.path.join(old, name), os.path.join(fresh, name))
        try:
            if not durable.exchange(fresh, old):
                _merge(fresh, old)
        except OSError as error:
            raise SystemFault(f"{old}: {error.strerror}") from error
        self.removed += len(before - set(os.listdir(old)))
        _remove_all(fresh)

    def _put_fresh(self, name: str, data: bytes) -> None:
        path, before = os.path.join(self._fresh, name), os.path.join(self.root, "ticket", name)
        if _is_just(before, data):
            with suppress(OSError):  # whatever stands against it, the page is written
                os.link(before, path)
                return
        try:
            _write_new(path, data)
        except OSError as error:
            raise SystemFault(f"{path}: {error.strerror}") from error
        self.written += 1

    def forget(self) -> None:
        """Remember nothing any more."""
        for path in (self.root / UNFINISHED).glob("*.json"):
            path.unlink()


def _remove_all(folder: Path | str) -> None:
    """Remove a folder with all that is in it, as far as that can be done."""
    from shutil import rmtree

    rmtree(folder, ignore_errors=True)


def _merge(fresh: str, old: str) -> None:
    """Move all files of one folder into another, and remove what else is there: not at once, but each file whole."""
    names = os.listdir(fresh)
    for name in names:
        os.rename(os.path.join(fresh, name), os.path.join(old, name))
    for name in set(os.listdir(old)) - set(names):
        os.unlink(os.path.join(old, name))


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

    Never into that: readers may have it under another name.  And without a file object, which asks the system five
    questions for each page.
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
