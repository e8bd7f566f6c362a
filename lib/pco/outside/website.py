"""One page of a web server, read with caps: what it answers, its headers, and what /health gives as reasons."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from pco.ground import text
from pco.ground.errors import TryLater

OK, UNAVAILABLE = 200, 503
CLOSED = (401, 403)
MOST = 1 << 20


@dataclass(frozen=True)
class Answer:
    """`headers` have small letters; `reasons` are those of a health.json."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()


def get(url: str, timeout: float, *, verify: bool = True) -> Answer:
    """Ask for a page; redirects are not followed.  Raises TryLater if nobody answers."""
    import requests

    try:
        with requests.Session() as session:
            session.trust_env = False
            answer = session.get(url, timeout=timeout, verify=verify, allow_redirects=False, stream=True)
            body = next(answer.iter_content(MOST), b"")
            headers = {name.lower(): text.line(value, 500) for name, value in answer.headers.items()}
            answer.close()
    except (requests.RequestException, OSError) as error:
        raise TryLater(f"{url}: {_why(error)}") from error
    return Answer(answer.status_code, headers, _reasons(body))


def _reasons(body: bytes) -> tuple[str, ...]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return ()
    reasons = value.get("reasons") if isinstance(value, dict) else None
    return tuple(text.line(reason, 300) for reason in reasons if isinstance(reason, str)) if reasons else ()


def _why(error: Exception) -> str:
    inner = getattr(error, "args", ("",))[0]
    reason = getattr(inner, "reason", inner)
    return text.line(str(getattr(reason, "strerror", None) or reason or error), 200)
