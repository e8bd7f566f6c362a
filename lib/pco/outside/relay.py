"""What a person's terminal and the relay of a session say to each other, over a Unix socket.

Frames in both directions: kind (1 byte), length (2 bytes, big endian), that many bytes of data.

    H  version (1) flags (1; bit 0: read-only) rows (2) columns (2) name of the terminal   first of all, to the relay
    K  what the person typed                                                            to the relay
    W  rows (2) columns (2)                                                             to the relay: the new size
    O  what is to appear on the terminal, as it is                                      to the person
    E  one letter: why it is over; nothing follows                                      to the person

    b"H\\x00\\x0b" b"\\x01\\x00\\x00\\x18\\x00\\x50xterm"      version 1, 24 rows of 80 columns

Each side takes the other's for hostile: whatever else comes ends the connection.
"""

import re
import socket
import struct
from collections.abc import Iterator
from enum import Enum
from pathlib import Path

from pco.ground.errors import BadData, NotPermitted, TryLater, Unavailable
from pco.ground.frozen import dataclass

HELLO, KEYS, SIZE, OUTPUT, END = b"H", b"K", b"W", b"O", b"E"
MOST = 0xFFFF  # bytes of data in a frame
FOLDER = Path("/run/pco-attach")
_VERSION = 1
_READ_ONLY = 1
_ROWS, _COLUMNS = 500, 1000  # tmux keeps a cell for each
_TERMINAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_-]{0,39}")


class Why(Enum):
    """Why a person's look at a session is over."""

    DETACHED = b"d"
    ENDED = b"e"  # the session has
    FULL = b"f"  # too many people look at it
    REFUSED = b"r"  # what was said is not understood here
    BROKEN = b"b"  # tmux gave up
    LOST = b"l"  # never said: the connection broke


@dataclass(frozen=True)
class Size:
    """Of a terminal."""

    rows: int
    columns: int

    def to_bytes(self) -> bytes:
        """As W has it."""
        return struct.pack(">HH", self.rows, self.columns)

    @classmethod
    def from_bytes(cls, data: bytes) -> "Size":
        """Within bounds, whatever was said.  Raises BadData."""
        try:
            rows, columns = struct.unpack(">HH", data)
        except struct.error as error:
            raise BadData(f"no size: {error}") from None
        return cls(min(max(rows, 1), _ROWS), min(max(columns, 1), _COLUMNS))


@dataclass(frozen=True)
class Hello:
    """Who comes: with what terminal, and whether only to look."""

    size: Size
    terminal: str
    read_only: bool = False

    def to_bytes(self) -> bytes:
        """As H has it."""
        flags = _READ_ONLY if self.read_only else 0
        return bytes((_VERSION, flags)) + self.size.to_bytes() + self.terminal.encode("ascii", "replace")[:40]

    @classmethod
    def from_bytes(cls, data: bytes) -> "Hello":
        """A strange name of a terminal is taken for xterm.  Raises BadData."""
        if data[:1] != bytes((_VERSION,)) or len(data) < 6:
            raise BadData("no hello of this version")
        name = data[6:].decode("ascii", "replace")
        known = name if _TERMINAL.fullmatch(name) else "xterm"
        return cls(Size.from_bytes(data[2:6]), known, bool(data[1] & _READ_ONLY))


def frame(kind: bytes, data: bytes) -> bytes:
    """One frame, or as many as the data needs."""
    parts = [data[at : at + MOST] for at in range(0, len(data), MOST)] or [b""]
    return b"".join(kind + struct.pack(">H", len(part)) + part for part in parts)


class Frames:
    """Takes bytes as they come, gives the frames that are whole; `kinds` are those that may come now."""

    def __init__(self, kinds: bytes) -> None:
        self.kinds = kinds
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Kind and data of each frame.  Raises BadData at a kind that is not expected here."""
        self._rest += data
        while self._rest:
            kind = bytes(self._rest[:1])
            if kind not in self.kinds:
                raise BadData(f"a frame of kind {kind!r}")
            end = 3 + int.from_bytes(self._rest[1:3], "big")
            if len(self._rest) < 3 or len(self._rest) < end:
                return
            whole = bytes(self._rest[3:end])
            del self._rest[:end]
            yield kind, whole


def connect(path: Path) -> socket.socket:
    """The way to a session's relay.  Raises Unavailable if there is no session, NotPermitted, TryLater."""
    made = socket.socket(socket.AF_UNIX)
    try:
        made.connect(str(path))
    except PermissionError:
        made.close()
        raise NotPermitted("only members of group pco may attach", "adduser YOU pco, and log in again") from None
    except (FileNotFoundError, ConnectionRefusedError):
        made.close()
        raise Unavailable("has no session that runs", "pco-queue list --state active") from None
    except OSError as error:
        made.close()
        raise TryLater(f"{path}: {error.strerror or error}") from error
    return made
