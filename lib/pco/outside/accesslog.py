"""Who asked nginx for what, as its access logs tell: access.log, access.log.1, access.log.2.gz, …, newest first.

Either all of it since a moment, in the order of the lines, or what was last, from the end of each file backwards.

A line in nginx's usual form (`combined`): ADDRESS - USER [TIME] "METHOD PATH HTTP/1.1" STATUS SIZE "REFERER" "AGENT".
<https://nginx.org/en/docs/http/ngx_http_log_module.html#log_format>
"""

import gzip
import ipaddress
import re
import zlib
from collections.abc import Generator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, cast
from urllib.parse import urlsplit

from pco.ground.errors import BadData
from pco.ground.frozen import dataclass

LOGS = Path("/var/log/nginx")
MOST_BYTES = 256 << 20  # of all logs together, unpacked
MOST_END = 8 << 20  # that is read backwards, of each log
MOST_LINE = 16 << 10
MOST_STRANGE = 200  # lines in a row that are none of the usual form
CHUNK = 1 << 20
MOST_FILES = 500
_LINE = re.compile(rb'(\S{1,100}) \S+ (\S{1,100}) \[([^\]]{1,40})\] "([A-Z]{1,20}) (\S+) [^"]*" (\d{3}) ')
_NUMBERED = re.compile(r"access\.log(?:\.([0-9]{1,5})(\.gz)?)?")


@dataclass(frozen=True)
class Visit:
    """Somebody asked for something; `who` is the name of a login, else the address."""

    who: str
    at: datetime
    path: str
    status: int
    address: str = ""

    @property
    def foreign(self) -> bool:
        """Whether it came from another machine."""
        try:
            return not ipaddress.ip_address(self.address).is_loopback
        except ValueError:
            return True


@dataclass
class Reach:
    """How far back the logs were read: not to their beginning, if they are too large."""

    whole: bool = True


def visits(since: datetime, reach: Reach, folder: Path | None = None) -> Iterator[Visit]:
    """All visits since then, in the order of the lines of each file.  Raises OSError: mostly, it may not be read."""
    left = MOST_BYTES
    for path in _files(folder or LOGS):
        if path.stat().st_mtime < since.timestamp():
            return
        with _opened(path) as file:
            left = yield from _read(file, since, left)
        if left <= 0:
            reach.whole = False
            return


def latest(folder: Path) -> Iterator[Visit]:
    """The visits that the ends of the logs tell of, latest first.  Raises OSError, BadData for another form of log."""
    strange = 0
    for path in _files(folder):
        for line in reversed(_end(path).split(b"\n")):
            match = _LINE.match(line)
            if match:
                strange = 0
                if visit := _visit(match):
                    yield visit
            elif line:
                strange += 1
                if strange == MOST_STRANGE:
                    raise BadData("nginx's log is in a form of its own: it cannot be read")


def _end(path: Path) -> bytes:
    """The last MOST_END bytes of a log."""
    data, left = b"", MOST_BYTES
    with _opened(path) as file:
        if path.suffix != ".gz":
            file.seek(max(path.stat().st_size - MOST_END, 0))
            return file.read(MOST_END)
        try:
            while left > 0 and (part := file.read(CHUNK)):
                data, left = (data + part)[-MOST_END:], left - len(part)
        except (EOFError, zlib.error, gzip.BadGzipFile):
            pass  # being packed just now, or torn
    return data


def _files(folder: Path) -> list[Path]:
    """The logs, newest first.  Raises FileNotFoundError if there is none."""
    found = {path: match for path in folder.iterdir() if (match := _NUMBERED.fullmatch(path.name))}
    if not found:
        raise FileNotFoundError(2, "no access log", str(folder / "access.log"))
    return sorted(found, key=lambda path: int(found[path][1] or 0))[:MOST_FILES]


def _opened(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path)) if path.suffix == ".gz" else open(path, "rb")


def _read(file: IO[bytes], since: datetime, left: int) -> Generator[Visit, None, int]:
    """The visits of one file; returns how much may still be read."""
    try:
        while left > 0 and (line := file.readline(MOST_LINE)):
            left -= len(line)
            if (match := _LINE.match(line)) and (visit := _visit(match)) and visit.at >= since:
                yield visit
    except (EOFError, zlib.error, gzip.BadGzipFile):
        pass  # being packed just now, or torn
    return left


def _visit(match: "re.Match[bytes]") -> Visit | None:
    """What a line says; None if it is no visit."""
    address, user, at, method, target, status = (part.decode("utf-8", "replace") for part in match.groups())
    if method not in ("GET", "HEAD"):
        return None
    try:
        moment = datetime.strptime(at, "%d/%b/%Y:%H:%M:%S %z").astimezone(UTC)
        return Visit(address if user == "-" else user, moment, urlsplit(target).path, int(status), address)
    except (ValueError, OverflowError):
        return None
