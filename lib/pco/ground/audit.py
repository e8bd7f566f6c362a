"""The audit record: `audit/YYYY-MM.jsonl`, one JSON object a line, each bound to the one before it.

Fields: `at` (ISO 8601, Z), `event`, `by`, `key` (a ticket's, or empty), `fields` (a mapping), `prev` (SHA-256 of the
line before, in hex; of the last line of the month before at a month's start; 64 zeros at the very beginning).
Where the clock has gone back over a month's edge, the record goes on in the file of the later month: files in the
order of their names are one chain.  However far it was ahead: so a record may be in the file of any later month.
A line is written whole with its newline and flushed.  A torn last line, left by a power cut, is kept and ended, and
the next record is bound to it as it is: what was torn stays visible.

`by` is the person who logged in, also behind su and sudo; `fields` has then `as`, such as `pco` or `root, by sudo of
bob`: the user that it was done as.  Of a move `fields` has `from`, `to`, `round`, and `measured`: {"stayed"} seconds in
the state that it left; of one that ends a session also {"ran", "waited" (for a person), "usd", "tokens" by kind}.
"""

import errno
import fcntl
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime, timedelta
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from pco.ground import reserve, times
from pco.ground.errors import SystemFault, TryLater
from pco.ground.frozen import dataclass

BEGINNING = "0" * 64
MOST_LINE = 1 << 20  # bytes; a longer one is read over
DISORDER = timedelta(hours=1)  # by which a record may stand behind a younger one
_FILE = re.compile(r"[0-9]{4}-[0-9]{2}\.jsonl")
_MONTH = slice(len('{"at":"'), len('{"at":"2026-11'))
_APPEND = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True)
class Record:
    """One record as it was read; whoever reads it must expect anything in `fields`."""

    at: datetime
    event: str
    by: str
    key: str
    fields: dict[str, Any]


def append(folder: Path, at: datetime, event: str, by: str, key: str, fields: dict[str, Any]) -> str:
    """Add one record, durably; returns the hash of its line.

    Raises SystemFault if it cannot be written, TryLater if another holds the file.
    """
    record = {"at": times.iso(at), "event": event, "by": by, "key": key, "fields": fields}
    try:
        return reserve.spare(folder, lambda: _append(folder, f"{at:%Y-%m}", record))
    except OSError as error:
        raise SystemFault(f"audit: {error.filename or folder}: {error.strerror}") from error


def _append(folder: Path, month: str, record: dict[str, Any]) -> str:
    """Add a record, bound to the one before; what a full disk leaves of it is taken back.  Raises OSError, TryLater."""
    with _newest(folder, month) as (path, handle):
        prev = _last_hash(handle) or _month_before(folder, path.name)
        data = json.dumps({**record, "prev": prev}, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"
        before = os.fstat(handle).st_size
        if os.write(handle, data) != len(data):
            os.ftruncate(handle, before)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(handle)
        return line_hash(data[:-1])


@contextmanager
def _newest(folder: Path, month: str) -> Iterator[tuple[Path, int]]:
    """The file to add to, and a descriptor of it, locked: the month's, or a later one's if the clock has gone back.

    Whoever begins a month holds the lock of the one before meanwhile: nobody adds to that after its end was read.
    """
    while True:
        latest = _last_month(folder)
        with ExitStack() as held:
            if latest and latest < month:
                held.enter_context(_locked(path_of(folder, latest)))
                if _last_month(folder) != latest:
                    continue
            path = path_of(folder, max(latest, month))
            handle = held.enter_context(_locked(path))
            if _last_month(folder) == path.stem:
                yield path, handle
                return


def _last_month(folder: Path) -> str:
    return max(_months(folder), default="")


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    handle = os.open(path, _APPEND, 0o660)
    try:
        _lock(handle, path)
        yield handle
    finally:
        os.close(handle)


def months(folder: Path) -> list[str]:
    """The months that have records, oldest first; none where there is no such folder, or not for us to see.

    Raises SystemFault.
    """
    try:
        return _months(folder)
    except (FileNotFoundError, PermissionError):
        return []
    except OSError as error:
        raise SystemFault(f"audit: {folder}: {error.strerror}") from error


def _months(folder: Path) -> list[str]:
    return sorted(name[:-6] for name in os.listdir(folder) if _FILE.fullmatch(name))


def path_of(folder: Path, month: str) -> Path:
    """The file of a month."""
    return folder / f"{month}.jsonl"


def read(folder: Path, month: str, offset: int = 0) -> Iterator[tuple[Record | None, int]]:
    """The whole lines of a month from `offset` on: what each says (None: nothing, it was torn), and where it ends.

    What is being written just now comes the next time.  Raises SystemFault.
    """
    path = path_of(folder, month)
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:
            file.seek(offset)
            whole = True
            for line in iter(lambda: file.readline(MOST_LINE), b""):
                offset += len(line)
                if line.endswith(b"\n"):
                    yield (parse(line) if whole else None), offset
                whole = line.endswith(b"\n")
    except OSError as error:
        raise SystemFault(f"audit: {path}: {error.strerror}") from error


def offset_of(folder: Path, month: str, at: datetime) -> int:
    """Where the records of a month begin that are younger than `at`, about: none of them comes before.

    Found by halving, for a month can be large.  Its lines are in order but for what programs write at the same time,
    and what was written while the clock was ahead: of that some may be missed.  Raises SystemFault.
    """
    path = path_of(folder, month)
    edge = at - DISORDER
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:
            low, high = 0, os.fstat(file.fileno()).st_size
            while high - low > MOST_LINE:
                middle = (low + high) // 2
                file.seek(middle)
                file.readline(MOST_LINE)
                start = file.tell()
                record = parse(file.readline(MOST_LINE))
                if record is not None and record.at < edge:
                    low = start
                else:
                    high = middle
    except OSError as error:
        raise SystemFault(f"audit: {path}: {error.strerror}") from error
    return low


def begin(folder: Path, month: str, since: datetime, until: datetime) -> int | None:
    """Where the records of a period begin in the file of a month, about; None if it has none.  Raises SystemFault."""
    first, last = f"{since:%Y-%m}", f"{until:%Y-%m}"
    if month <= first:
        return offset_of(folder, month, since) if month == first else None
    return 0 if month <= last else _astray(folder, month, first, last)


def _astray(folder: Path, month: str, first: str, last: str) -> int | None:
    """Where a file has its first record of an earlier month, from `first` to `last`: its clock was ahead; else None."""
    path, offset = path_of(folder, month), 0
    low, high = first.encode(), last.encode()
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:
            for line in iter(lambda: file.readline(MOST_LINE), b""):
                if low <= line[_MONTH] <= high:  # as `_append` writes it: to parse each line takes fifty times as long
                    return offset
                offset += len(line)
    except OSError as error:
        raise SystemFault(f"audit: {path}: {error.strerror}") from error
    return None


def parse(line: bytes) -> Record | None:
    """What a line says; None for one that says nothing: it was torn, or is no record."""
    try:
        value = json.loads(line.decode())
        event, by, key = (str(value[name]) for name in ("event", "by", "key"))
        return Record(times.parse_time(value["at"]), event, by, key, dict(value["fields"]))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def line_hash(line: bytes) -> str:
    """The hash that the next record carries; `line` without its newline."""
    return str(_sha256()(line).hexdigest())


@cache
def _sha256() -> Callable[[bytes], Any]:
    """SHA-256 as Python itself brings it: hashlib would load OpenSSL, which the resident pco-watch had to carry."""
    for name in ("_sha2", "_sha256", "hashlib"):  # since Python 3.12; before; where Python was built without
        with suppress(ImportError):
            found: Callable[[bytes], Any] = import_module(name).sha256
            return found
    raise AssertionError("hashlib is always there")


def _lock(handle: int, path: Path, patience: float = 10.0) -> None:
    """Take the file's own lock; `make_ours` first, since a file of another user keeps its mode."""
    if os.fstat(handle).st_uid == os.geteuid():
        os.fchmod(handle, 0o660)  # of group pco each may add to it  # nosec B103
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise TryLater(f"audit: {path} is locked by another program") from None
            time.sleep(0.005)


def _last_hash(handle: int) -> str:
    """The hash of the last line, which is ended first if it was torn; empty if there is none."""
    size = os.fstat(handle).st_size
    if not size:
        return ""
    if os.pread(handle, 1, size - 1) != b"\n":
        os.write(handle, b"\n")
        size += 1
    tail, start = b"", size - 1
    while start and b"\n" not in tail:
        step = min(start, 1 << 16)
        start -= step
        tail = os.pread(handle, step, start) + tail
    return line_hash(tail.rpartition(b"\n")[2])


def _month_before(folder: Path, name: str) -> str:
    """The hash of the last line before a file; a month may have been begun, and have none."""
    for month in reversed(months(folder)):
        if month < name[:-6]:
            handle = os.open(path_of(folder, month), os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                if found := _last_hash(handle):
                    return found
            finally:
                os.close(handle)
    return BEGINNING
