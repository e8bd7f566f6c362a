"""A disk that remembers in which order it was written and flushed: a file of a small FUSE file system, spoken by hand.

What is written goes into a file `log` as records of kind, offset, length and, for a write, the data.  Once a flush is
recorded all that stands before it is on the disk; of what comes after the last one any part may be lost, and the parts
may have come in any order.
"""

import errno
import os
import random
import signal
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from faults import mounts

WRITE, FLUSH = b"w", b"f"
SECTOR = 4096  # what is written whole or not at all
NAME = b"disk"
_RECORD = struct.Struct("<cQI")
# linux/fuse.h
_IN, _OUT = struct.Struct("<IIQQIIIHH"), struct.Struct("<IiQ")
_ATTR = struct.Struct("<6Q3I7I")
_INIT_OUT = struct.Struct("<4IHHIIHHI7I")
_LOOKUP, _FORGET, _GETATTR, _SETATTR, _OPEN, _READ, _WRITE, _STATFS, _RELEASE = 1, 2, 3, 4, 14, 15, 16, 17, 18
_FSYNC, _FLUSH, _INIT, _INTERRUPT, _DESTROY, _FORGET_MANY = 20, 25, 26, 36, 38, 42
_BIG_WRITES, _MAX_PAGES, _KEEP_CACHE = 1 << 5, 1 << 22, 2
_LARGEST = 1 << 20
_ROOT, _FILE = 1, 2
_FOR_EVER = 1 << 30


@dataclass(frozen=True)
class Record:
    """One write, or a flush."""

    kind: bytes
    offset: int = 0
    data: bytes = b""


@contextmanager
def recorded(image: Path, log: Path, place: Path) -> Iterator[Path]:
    """A disk, at the path that is given, that has what `image` has, writes into it, and remembers into `log`."""
    device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    place.mkdir(exist_ok=True)
    mounts.mount(b"pco-disk", place, "fuse", f"fd={device},rootmode=40000,user_id=0,group_id=0,max_read={_LARGEST}")
    server = os.fork()
    if not server:
        _serve(device, image, log)
    os.close(device)
    try:
        yield place / NAME.decode()
    finally:
        mounts.unmount(place)
        os.kill(server, signal.SIGKILL)
        os.waitpid(server, 0)


def read(log: Path, size: int | None = None) -> list[Record]:
    """The first so many bytes of a log, or all."""
    data, at, found = log.read_bytes()[:size], 0, []
    while at + _RECORD.size <= len(data):
        kind, offset, length = _RECORD.unpack_from(data, at)
        at += _RECORD.size
        if at + length > len(data):
            break
        found.append(Record(kind, offset, data[at : at + length]))
        at += length
    return found


def put(image: Path, records: list[Record]) -> None:
    """Have on a disk what was written, in this order."""
    with open(image, "r+b", buffering=0) as file:
        for record in records:
            if record.kind == WRITE:
                os.pwrite(file.fileno(), record.data, record.offset)


def torn(records: list[Record], chance: random.Random) -> list[Record]:
    """Sectors that may have come onto the disk of what was not flushed: some of them, never all, in some order."""
    sectors = [
        Record(WRITE, record.offset + at, record.data[at : at + SECTOR])
        for record in records
        for at in range(0, len(record.data), SECTOR)
    ]
    return chance.sample(sectors, chance.randrange(len(sectors)))


def _serve(device: int, image: Path, log: Path) -> None:
    """In a child: be the file system, until it is unmounted.  Does not return."""
    try:
        mounts.die_with_parent()
        file, told = os.open(image, os.O_RDWR), os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
        size = os.fstat(file).st_size
        while True:
            try:
                asked = os.read(device, _LARGEST + 4096)
            except InterruptedError:
                continue
            _, what, unique, node, *_ = _IN.unpack_from(asked)
            said = _answer(what, node, memoryview(asked)[_IN.size :], file, told, size)
            if said is not None:
                number, data = (said, b"") if isinstance(said, int) else (0, said)
                with suppress(FileNotFoundError):  # nobody waits for it any more
                    os.writev(device, [_OUT.pack(_OUT.size + len(data), -number, unique), data])
    finally:
        os._exit(0)


def _answer(what: int, node: int, given: memoryview, file: int, log: int, size: int) -> bytes | int | None:
    """What is said to a request: data, an error, or nothing."""
    if what in (_FORGET, _FORGET_MANY, _INTERRUPT):
        return None
    if what == _READ:
        _, offset, length = struct.unpack_from("<QQI", given)
        return os.pread(file, length, offset)
    if what == _WRITE:
        _, offset, length = struct.unpack_from("<QQI", given)
        data = given[40 : 40 + length]
        os.writev(log, [_RECORD.pack(WRITE, offset, length), data])
        os.pwrite(file, data, offset)
        return struct.pack("<II", length, 0)
    if what == _FSYNC:
        os.write(log, _RECORD.pack(FLUSH, 0, 0))
        return b""
    if what == _INIT:
        ahead, flags = struct.unpack_from("<II", given, 8)
        flags &= _BIG_WRITES | _MAX_PAGES
        return _INIT_OUT.pack(7, 31, ahead, flags, 16, 12, _LARGEST, 1, _LARGEST >> 12, 0, 0, *[0] * 7)
    if what == _LOOKUP:
        if bytes(given).rstrip(b"\0") != NAME:
            return errno.ENOENT
        return struct.pack("<4Q2I", _FILE, 0, _FOR_EVER, _FOR_EVER, 0, 0) + _attributes(_FILE, size)
    if what in (_GETATTR, _SETATTR):
        return struct.pack("<QII", _FOR_EVER, 0, 0) + _attributes(node, size)
    if what == _OPEN:
        return struct.pack("<QII", 1, _KEEP_CACHE, 0)
    if what == _STATFS:
        return struct.pack("<5Q4I6I", *[0] * 5, 4096, 255, 4096, 0, *[0] * 6)
    return b"" if what in (_RELEASE, _FLUSH, _DESTROY) else errno.ENOSYS


def _attributes(node: int, size: int) -> bytes:
    mode, length = (stat.S_IFDIR | 0o700, 0) if node == _ROOT else (stat.S_IFREG | 0o600, size)
    return _ATTR.pack(node, length, length >> 9, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)
