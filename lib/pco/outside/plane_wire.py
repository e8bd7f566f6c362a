"""One HTTP exchange with Plane, whole or not at all: bounded in time, size and depth.

Imported only where a request is sent, for requests takes long to import.  requests' Session is left out on purpose:
it would take a password from .netrc, a proxy from the environment and cookies from the server, and even with
allow_redirects=False it reads the body of a redirect without limit.  There is no proxy support; certificates are
checked against the system's store.
"""

import http.client
import io
import json
import re
import ssl
import time
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter

from pco import __version__
from pco.outside.plane_refusals import DELETED, Answer, TooLarge, Unanswered

MOST_BYTES = 16 << 20  # of an answer, decoded; Plane takes requests of 5 MiB at most
CONNECT_SHARE = 1 / 3  # of the time, to connect: a name may have two addresses, one of them dead
_PIECE = 1 << 14
_SYSTEM_STORE = Path("/etc/ssl/certs/ca-certificates.crt")
_LONGEST_WAIT = timedelta(minutes=15)  # that a Retry-After is believed


class Span:
    """The time that one request may take, and whether any byte of it went out."""

    def __init__(self, length: timedelta) -> None:
        self.length = length
        self.until = time.monotonic() + length.total_seconds()
        self.sent = False

    def left(self) -> float:
        """Seconds that are left.  Raises TimeoutError when none are."""
        seconds = self.until - time.monotonic()
        if seconds <= 0:
            raise TimeoutError("the time is up")
        return seconds


class Wire:
    """Connections to one server, kept open between requests."""

    def __init__(self, token: str) -> None:
        self._token = token
        self._headers = {
            "X-API-Key": token,
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            "User-Agent": f"pco/{__version__}",
        }
        self.span = Span(timedelta(0))
        self._adapter = _Adapter(self)
        # Not requests' own list where it has one: a Plane inside a company is signed by the company.
        self._store: str | bool = str(_SYSTEM_STORE) if _SYSTEM_STORE.exists() else True

    def exchange(self, method: str, url: str, body: dict[str, Any] | None, within: timedelta) -> Answer:
        """Send one request and read the whole answer.  Raises Unanswered; the rest is for the caller to judge."""
        self.span = Span(within)
        try:
            return self._exchange(self._prepared(method, url, body))
        except Unanswered as error:
            failure = error
        except (requests.RequestException, urllib3.exceptions.HTTPError, http.client.HTTPException, OSError) as error:
            failure = _failure(error, self.span)
        except zlib.error:
            failure = Unanswered("Plane's answer is damaged: not gzip")
        failure.maybe_applied = method != "GET" and self.span.sent
        # Here, not in the clauses above: requests' errors carry the request, and that the token.
        raise failure

    def close(self) -> None:
        """Close all connections."""
        self._adapter.close()

    def _prepared(self, method: str, url: str, body: dict[str, Any] | None) -> requests.PreparedRequest:
        headers, data = self._headers, None
        if body is not None:
            data = json.dumps(body, ensure_ascii=True).encode()
            headers = headers | {"Content-Type": "application/json"}
        return requests.Request(method, url, headers=headers, data=data).prepare()

    def _exchange(self, request: requests.PreparedRequest) -> Answer:
        limits = (self.span.left() * CONNECT_SHARE, self.span.left())
        response = self._adapter.send(request, stream=True, timeout=limits, verify=self._store)
        try:
            data = _body(response)
        finally:
            response.close()
        good, headers = 200 <= response.status_code < 300, response.headers
        needed = good and (request.method, response.status_code) != DELETED
        return Answer(
            status=response.status_code,
            value=_parsed(data if good else data.replace(self._token.encode(), b"..."), needed),
            reason=self._hidden(response.reason or ""),
            wait=_wait(headers.get("Retry-After")),
            where=self._hidden(headers.get("Location", "")),
        )

    def _hidden(self, words: str) -> str:
        """The words without the token: a proxy may repeat in an error what it was sent."""
        return words.replace(self._token, "...")


def _body(response: requests.Response) -> bytes:
    """The decoded body, whole.  Raises Unanswered if it is cut, too large or coded as nobody asked for."""
    coding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if coding not in ("identity", "gzip", ""):
        # Several codings in a row multiply what a bomb gains.
        raise Unanswered("Plane's answer is coded as nobody asked for", passing=False)
    decoded, received, inflate = bytearray(), 0, zlib.decompressobj(31) if coding == "gzip" else None
    for piece in _pieces(response):
        received += len(piece)
        # Never more than what is still allowed: a piece of 16 KiB can become 16 MiB.
        decoded += inflate.decompress(piece, MOST_BYTES + 1 - len(decoded)) if inflate else piece
        if len(decoded) > MOST_BYTES or received > MOST_BYTES:
            raise TooLarge(MOST_BYTES)
    length = response.headers.get("Content-Length", "")
    # urllib3 1 does not look at the length itself.
    short = (
        re.fullmatch(r"[0-9]{1,18}", length) and "Transfer-Encoding" not in response.headers and received != int(length)
    )
    if short or (inflate and received and not inflate.eof):
        raise Unanswered("Plane's answer was cut off")
    return bytes(decoded)


def _pieces(response: requests.Response) -> Iterator[bytes]:
    while piece := response.raw.read(_PIECE, decode_content=False):
        yield piece


def _parsed(data: bytes, needed: bool) -> Any:
    """The JSON of a body; None if it is none and the status says enough without."""
    try:
        return json.loads(data.decode("utf-8"), parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        if not needed:
            return None
        page = data.lstrip()[:1] == b"<"
        what = "a page of HTML" if page else f"not JSON ({type(error).__name__})"
        raise Unanswered(f"Plane's answer is {what}", "is there another server at plane.url?") from None


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _wait(header: str | None) -> timedelta | None:
    """What Retry-After says, seconds or a date, within reason; None if it says nothing."""
    if header is None:
        return None
    if re.fullmatch(r"[0-9]{1,9}", header.strip()):
        wait = timedelta(seconds=int(header))
    else:
        try:
            wait = parsedate_to_datetime(header).astimezone(UTC) - datetime.now(UTC)
        except (ValueError, TypeError, OverflowError):
            return None
    return min(max(wait, timedelta(seconds=1)), _LONGEST_WAIT)


def _failure(error: BaseException, span: Span) -> Unanswered:
    """Why there was no answer, as people say it."""
    reasons = list(_chain(error))
    if any(map(_timed_out, reasons)):
        seconds = span.length.total_seconds()
        if span.sent:
            return Unanswered(f"Plane did not answer within {seconds:g}s")
        return Unanswered(f"Plane took no connection within {seconds * CONNECT_SHARE:.2g}s")
    for reason in reasons:
        if wrong := getattr(reason, "verify_message", ""):
            hint = "is its signer known to this machine (update-ca-certificates)?"
            return Unanswered(f"Plane's certificate is not trusted: {wrong}", hint, passing=False)
        if isinstance(reason, ssl.SSLError):
            hint = "is plane.url right: does it speak TLS there, or only http://?"
            return Unanswered(f"no TLS with Plane: {reason.reason or reason.strerror}", hint, passing=False)
    said = next((r.strerror for r in reversed(reasons) if isinstance(r, OSError) and r.strerror), "")
    if span.sent:
        return Unanswered(f"the connection to Plane broke: {said or 'closed by the other side'}")
    return Unanswered(f"no connection to Plane: {said or type(error).__name__}", "is plane.url right?")


def _timed_out(error: BaseException) -> bool:
    # urllib3 counts any failed connection among its time-outs.
    of_urllib3 = urllib3.exceptions.TimeoutError, requests.Timeout
    return isinstance(error, (TimeoutError, *of_urllib3)) and not isinstance(
        error, urllib3.exceptions.NewConnectionError
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what lies behind it; urllib3 hides a cause in `reason` or `args`."""
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        seen.append(error)
        yield error
        inner = [getattr(error, "reason", None), *error.args[::-1], error.__cause__, error.__context__]
        error = next(
            (e for e in inner if isinstance(e, OSError | urllib3.exceptions.HTTPError) and e not in seen), None
        )


class _Adapter(HTTPAdapter):
    """requests' transport over connections that keep to the wire's span."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Put our connections into urllib3's pools."""
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = _pools(self._wire)


class _Timed:
    """A connection of http.client that gives each step only what is left of the time for the whole request.

    A plain socket time-out begins anew with every byte: a server that drips them would hold us for hours.
    """

    wire: Wire
    sock: Any

    def send(self, data: Any) -> None:
        """Connect if need be, then send within the time that is left."""
        if self.sock is None:
            self.connect()  # type: ignore[attr-defined]
        self.sock.settimeout(self.wire.span.left())
        self.wire.span.sent = True
        super().send(data)  # type: ignore[misc]

    def response_class(self, sock: Any, *args: Any, **options: Any) -> http.client.HTTPResponse:
        """Make the answer read through `_TimedFile`; http.client calls this like a class."""
        answer = http.client.HTTPResponse(sock, *args, **options)
        answer.fp = io.BufferedReader(_TimedFile(answer.fp.detach(), sock, self.wire.span))
        return answer


class _TimedFile(io.RawIOBase):
    """Reads a socket's file within a span."""

    def __init__(self, file: io.RawIOBase, sock: Any, span: Span) -> None:
        self._file = file
        self._sock = sock
        self._span = span

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Read what has arrived, waiting no longer than the span.  Raises TimeoutError."""
        self._sock.settimeout(self._span.left())
        return self._file.readinto(buffer)

    def close(self) -> None:
        """Close the socket's file too."""
        super().close()
        self._file.close()


def _pools(wire: Wire) -> dict[str, Any]:
    """urllib3's pools with connections that know the wire."""
    timed = {"wire": wire}
    plain = type("_Plain", (_Timed, urllib3.connection.HTTPConnection), timed)
    secure = type("_Secure", (_Timed, urllib3.connection.HTTPSConnection), timed)
    return {
        "http": type("_PlainPool", (urllib3.HTTPConnectionPool,), {"ConnectionCls": plain}),
        "https": type("_SecurePool", (urllib3.HTTPSConnectionPool,), {"ConnectionCls": secure}),
    }
