"""The journal of systemd, spoken to natively: a record is one datagram to /run/systemd/journal/socket.

    MESSAGE=WEB-12: approved -> active\n            NAME=value, one line each
    PCO_KEY=WEB-12\n
    NAME\n<length, 8 bytes, little-endian>value\n   a value with a line break in it

A record too large for a datagram goes as a sealed memfd, its descriptor in an otherwise empty message
(https://systemd.io/JOURNAL_NATIVE_PROTOCOL/).  Names that begin with `_` are the journal's own: it drops them.
"""

import errno
import fcntl
import os
import re
import socket
import struct
from collections.abc import Mapping

from pco.ground import text

SOCKET = "/run/systemd/journal/socket"
PATIENCE = 2.0  # seconds for a journal that does not read; far below every WatchdogSec=
MOST = 1_000_000  # characters of a message
_NAME = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
# Not in Python 3.11's fcntl as one: no further seals, no change of size, no writing.
_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
_TOO_LARGE = (errno.EMSGSIZE, errno.ENOBUFS)


def send(message: str, fields: Mapping[str, str | int], path: str = SOCKET) -> bool:
    """Write one record, cleaned as for a terminal; empty values are left out.

    False if no journal took it: the caller says it on standard error instead.
    """
    record = encode(message, fields)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            out.settimeout(PATIENCE)
            out.connect(path)
            try:
                out.send(record)
            except OSError as error:
                if error.errno not in _TOO_LARGE:
                    raise
                _send_sealed(out, record)
    except OSError:
        return False
    return True


def encode(message: str, fields: Mapping[str, str | int]) -> bytes:
    """The bytes of a record.  A field's value is one line; only the message may have several."""
    parts = [_encoded("MESSAGE", text.lines(message, MOST))]
    for name, value in fields.items():
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name of a journal field")
        if value != "":
            parts.append(_encoded(name, text.line(str(value))))
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
