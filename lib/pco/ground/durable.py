"""Files that survive a crash: written under another name, flushed, renamed; folders flushed.

`O_NOFOLLOW` throughout: a link planted in a shared folder is refused, not followed.
After a failed fsync the file is given up and the error raised; nothing was acknowledged.
"""

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

from pco.ground.errors import BadData, SystemFault

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def write_new(path: Path, data: bytes, mode: int = 0o660) -> None:
    """Create `path` with `data`, flushed, with exactly `mode` whatever the umask.  Raises FileExistsError, OSError."""
    handle = os.open(path, _CREATE, 0o600)
    try:
        with open(handle, "wb") as file:
            file.write(data)
            file.flush()
            # 0660 by fchmod: a file created 0600 would leave the ACL mask empty and lock the group out.
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
    except BaseException:
        with suppress(OSError):
            os.unlink(path)
        raise


def write_temporary(path: Path, data: bytes, mode: int = 0o660) -> None:
    """Like `write_new`, for a name that only this process can have made: what an earlier life left there goes."""
    with suppress(FileNotFoundError):
        os.unlink(path)
    write_new(path, data, mode)


def replace(path: Path, data: bytes, mode: int = 0o660) -> None:
    """Put `data` in place of `path`, so that a reader sees the old or the new and a crash leaves one of them."""
    temporary = path.parent / f".{path.name}.{os.getpid()}"
    write_temporary(temporary, data, mode)
    try:
        os.rename(temporary, path)
    except OSError:
        with suppress(OSError):
            os.unlink(temporary)
        raise
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Flush a folder, so that the names in it survive a power cut."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_moved(path: Path) -> None:
    """Flush a file that came from another folder, before both folders are.  Raises OSError.

    btrfs would else have the new name on the disk before the old one is gone: a power cut then left it in two folders.
    """
    try:
        handle = os.open(path, _READ)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO, errno.EACCES):  # set aside: a link, a socket, not ours to read
            return
        raise
    try:
        if stat.S_ISREG(os.fstat(handle).st_mode):
            os.fsync(handle)
    finally:
        os.close(handle)


def there(path: Path | str) -> bool:
    """Whether something is at `path`, be it a link.  Raises SystemFault: a disk that does not answer says neither."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise SystemFault(f"{path}: {error.strerror}") from error
    return True


def read(path: Path | str, limit: int, folder: int | None = None) -> bytes:
    """Read a regular file of at most `limit` bytes, relative to the descriptor `folder` if given.

    Raises OSError, and BadData for a link, a FIFO, a folder or a file that is too large.
    """
    try:
        handle = os.open(path, _READ, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):  # a link; a socket
            raise BadData(f"{path}: not a regular file") from error
        raise
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise BadData(f"{path}: not a regular file")
        data = _all(handle, limit + 1)
    finally:
        os.close(handle)
    if len(data) > limit:
        raise BadData(f"{path}: larger than {limit} bytes")
    return data


def _all(handle: int, most: int) -> bytes:
    parts: list[bytes] = []
    while most > 0 and (part := os.read(handle, min(most, 1 << 20))):
        parts.append(part)
        most -= len(part)
    return b"".join(parts)
