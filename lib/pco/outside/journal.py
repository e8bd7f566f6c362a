"""The journal of systemd, spoken to natively: a record is one datagram to /run/systemd/journal/socket.

    MESSAGE=WEB-12: approved -> active\n            NAME=value, one line each
    PCO_KEY=WEB-12\n
    NAME\n<length, 8 bytes, little-endian>value\n   a value with a line break in it

A name may stand in a record several times: it is found by each value.  A record too large for a datagram goes as a
sealed memfd, its descriptor in an otherwise empty message (https://systemd.io/JOURNAL_NATIVE_PROTOCOL/).  Names that
begin with `_` are the journal's own: it drops them.
"""

import errno
import fcntl
import os
import re
import socket
import struct
import time
from collections.abc import Iterable, Mapping

from pco.ground import text

SOCKET = "/run/systemd/journal/socket"
PATIENCE = 1.0  # seconds for a journal that does not read; far below every WatchdogSec=
DEAF = 60.0  # seconds after which such a one is tried again
MOST = 1_000_000  # characters of a message
_NAME = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
# Not in Python 3.11's fcntl as one: no further seals, no change of size, no writing.
_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
_TOO_LARGE = (errno.EMSGSIZE, errno.ENOBUFS)

Fields = Mapping[str, str | int | Iterable[str]]


class Journal:
    """The journal that listens at `path`.  One that did not read is left alone for a while: it must hold nobody up."""

    def __init__(self, path: str = SOCKET) -> None:
        self._path = path
        self._deaf_until = 0.0

    def send(self, message: str, fields: Fields) -> bool:
        """Write one record, cleaned as for a terminal; empty values are left out.

        False if no journal took it: the caller says it on standard error instead.
        """
        if time.monotonic() < self._deaf_until:
            return False
        try:
            self._send(encode(message, fields))
        except TimeoutError:
            self._deaf_until = time.monotonic() + DEAF
            return False
        except OSError:
            return False
        return True

    def _send(self, record: bytes) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            out.settimeout(PATIENCE)
            out.connect(self._path)
            try:
                out.send(record)
            except OSError as error:
                if error.errno not in _TOO_LARGE:
                    raise
                _send_sealed(out, record)


def encode(message: str, fields: Fields) -> bytes:
    """The bytes of a record.  A field's value is one line; only the message may have several."""
    parts = [_encoded("MESSAGE", text.lines(message, MOST))]
    for name, value in fields.items():
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name of a journal field")
        values = [value] if isinstance(value, str | int) else value
        parts += [_encoded(name, text.line(str(one))) for one in values if one != ""]
    return b"".join(parts)


def _encoded(name: str, value: str) -> bytes:
    data = value.encode(errors="replace")
    if b"\n" not in data:
        return name.encode() + b"=" + data + b"\n"
    return name.encode() + b"\n" + struct.pack("<Q", len(data)) + data + b"\n"


def _send_sealed(out: socket.socket, record: bytes) -> None:
    """Hand over the record in memory that nobody can change any more: the journal refuses anything else."""
    with open(os.memfd_create("pco-journal", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING), "wb") as file:
        file.write(record)
        file.flush()
        fcntl.fcntl(file, fcntl.F_ADD_SEALS, _SEALS)
        socket.send_fds(out, [b""], [file.fileno()])
