"""One page of a web server, read with caps: what it answers, its headers, and what /health gives as reasons."""

import http.client
import json
import socket
from collections.abc import Mapping
from dataclasses import field
from urllib.parse import urlsplit

from pco import __version__
from pco.ground import text
from pco.ground.errors import TryLater
from pco.ground.frozen import dataclass
from pco.outside import certificate

OK, UNAVAILABLE = 200, 503
CLOSED = (401, 403)
MOST = 1 << 20


@dataclass(frozen=True)
class Answer:
    """`headers` have small letters; `reasons` are those of a health.json."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()


def get(url: str, timeout: float, *, verify: bool = True, at: str = "") -> Answer:
    """Ask for a page, of the server at the address `at` if that is given; redirects are not followed.

    Raises TryLater if nobody answers.
    """
    parts = urlsplit(url)
    host, secure = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    asking = http.client.HTTPConnection(host, port, timeout)
    try:
        if secure:
            asking.sock = certificate.connected(host, port, timeout, at, certificate.context(verify=verify))
        else:
            asking.sock = socket.create_connection((at or host, port), timeout)
        named = parts.netloc.rpartition("@")[2]
        asking.request("GET", parts.path or "/", headers={"Host": named, "User-Agent": f"pco-doctor/{__version__}"})
        answer = asking.getresponse()
        body = answer.read(MOST)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise TryLater(f"{url}: {_why(error)}") from error
    finally:
        asking.close()
    headers: dict[str, str] = {}
    for name, value in answer.getheaders():
        said = text.line(value, 500)
        headers[name.lower()] = f"{headers[name.lower()]}, {said}" if name.lower() in headers else said
    return Answer(answer.status, headers, _reasons(body))


def _reasons(body: bytes) -> tuple[str, ...]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return ()
    reasons = value.get("reasons") if isinstance(value, dict) else None
    return tuple(text.line(reason, 300) for reason in reasons if isinstance(reason, str)) if reasons else ()


def _why(error: Exception) -> str:
    said = getattr(error, "verify_message", None) or getattr(error, "strerror", None) or str(error)
    return text.line(said or type(error).__name__, 200)
