"""The files that a backup consists of: written once, hashed on the way, flushed."""

import gzip
import hashlib
import io
import os
import stat
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from pco.ground.backups import Member
from pco.ground.errors import BadData

LEVEL = 6  # of gzip: at 9 it takes three times as long for a hundredth of the size
CHUNK = 1 << 20
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Hashed(io.RawIOBase):
    """A new file that counts and hashes what is written into it."""

    def __init__(self, path: Path) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        self._file = open(os.open(path, flags, 0o640), "wb", buffering=CHUNK)  # noqa: SIM115 - closed by close()
        self._hash = hashlib.sha256()
        self.name = path.name
        self.size = 0

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, data: Any) -> int:
        """All of it; once it is closed nothing, for what was given up still writes its end when it is collected."""
        if self.closed:
            return len(data)
        self._file.write(data)
        self._hash.update(data)
        self.size += len(data)
        return len(data)

    def finish(self, files: int = 0, refs: dict[str, str] | None = None) -> Member:
        """Flush it to the disk; returns what the manifest says of it.  Raises OSError."""
        self._file.flush()
        os.fsync(self._file.fileno())
        return Member(self.name, self.size, self._hash.hexdigest(), files, refs or {})

    def close(self) -> None:
        """Close it, finished or not."""
        with suppress(OSError):
            self._file.close()
        super().close()


class Packer:
    """A new tar.gz at `path`.  `progress` is called after each file, with its size."""

    def __init__(self, path: Path, progress: Callable[[int], None]) -> None:
        self._out = Hashed(path)
        # No time in it, and no name: the same files give the same bytes.
        self._packed = gzip.GzipFile(filename="", mode="wb", compresslevel=LEVEL, fileobj=self._out, mtime=0)
        self._tar = tarfile.open(fileobj=self._packed, mode="w|", format=tarfile.PAX_FORMAT)  # noqa: SIM115
        self._progress = progress
        self.files = 0

    def __enter__(self) -> "Packer":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._out.close()

    def put(self, name: str, data: bytes, mode: int = 0o640, mtime: float = 0.0) -> None:
        """A file with this content."""
        self._add(name, len(data), mode, mtime, io.BytesIO(data))

    def folder(self, name: str, mode: int) -> None:
        """A folder, for its mode."""
        info = tarfile.TarInfo(name)
        info.type, info.mode = tarfile.DIRTYPE, mode & 0o777
        self._tar.addfile(info)

    def copy(self, name: str, path: Path, most: int, size: int | None = None) -> None:
        """A file as it is now, or its first `size` bytes.  Raises BadData for another kind of file, or a larger one.

        One that is cut off while it is read is filled up with zeros: its size was told already.
        """
        with opened(path, most) as (file, facts):
            self._add(name, facts.st_size if size is None else size, facts.st_mode, facts.st_mtime, _Filled(file))

    def finish(self) -> Member:
        """Close it, flushed."""
        self._tar.close()
        self._packed.close()
        return self._out.finish(self.files)

    def _add(self, name: str, size: int, mode: int, mtime: float, content: "IO[bytes] | _Filled") -> None:
        info = tarfile.TarInfo(name)
        info.size, info.mode, info.mtime = size, mode & 0o777, mtime
        self._tar.addfile(info, content)
        self.files += 1
        self._progress(size)


class _Filled:
    """A file that never ends early."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        return data + bytes(size - len(data)) if 0 <= len(data) < size else data


@contextmanager
def opened(path: Path, most: int) -> Iterator[tuple[IO[bytes], os.stat_result]]:
    """A regular file, to be read.  Raises BadData for any other kind, or a larger one; OSError."""
    try:
        handle = os.open(path, _READ)
    except OSError as error:
        if stat.S_ISREG(path.lstat().st_mode):
            raise
        raise BadData("it is no regular file") from error
    with open(handle, "rb", buffering=0) as file:
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode):
            raise BadData("it is no regular file")
        if facts.st_size > most:
            raise BadData(f"it has {facts.st_size} bytes, more than {most}")
        yield file, facts


def hashed(file: IO[bytes], progress: Callable[[int], None]) -> tuple[int, str]:
    """Size and SHA-256 of an open file, as the disk has it."""
    found, size = hashlib.sha256(), 0
    with suppress(OSError):
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)  # not what the page cache still knows
    while data := file.read(CHUNK):
        found.update(data)
        size += len(data)
        progress(len(data))
    return size, found.hexdigest()


def unpacked(file: IO[bytes], what: str) -> Iterator[tuple[tarfile.TarInfo, IO[bytes]]]:
    """The files and folders of a tar.gz, each to be read before the next is asked for.

    Raises BadData: torn, or not as pco writes it.
    """
    file.seek(0)
    try:
        with gzip.GzipFile(fileobj=file) as plain, tarfile.open(fileobj=plain, mode="r|") as tar:
            for info in tar:
                if not info.name:
                    raise BadData(f"{what}: it has a file without a name")
                parts = info.name.split("/")
                if not (info.isreg() or info.isdir()) or {"", ".", ".."} & set(parts) or "\0" in info.name:
                    raise BadData(f"{what}: {info.name[:80]!r} cannot be of a backup")
                content = tar.extractfile(info) if info.isreg() else None
                yield info, content or io.BytesIO()
    except (EOFError, tarfile.TarError, gzip.BadGzipFile, zlib.error) as error:
        raise BadData(f"{what}: {error}") from error


def no_progress(size: int) -> None:
    """Nobody watches."""
