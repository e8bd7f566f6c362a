"""What Claude Code logs in with: a key of the model's API, or a token of an account; told apart, and tried.

A token (`claude setup-token` makes one) begins with sk-ant-oat and goes as a bearer, a key as x-api-key.  It is tried
by GET /v1/models, which costs nothing: https://docs.claude.com/en/api/models-list.
"""

import json
import re
import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from pco import __version__
from pco.ground import text
from pco.ground.errors import BadConfig, NotPermitted, TryLater

VENDOR = "https://api.anthropic.com"
MOST_KEY = 1 << 14  # bytes of a file with a key
_TOKEN = "sk-ant-oat"  # noqa: S105
_SYSTEM_STORE = Path("/etc/ssl/certs/ca-certificates.crt")
_MOST_ERROR = 2000  # bytes of an error that are read


def is_token(key: str) -> bool:
    """Whether it is a token of an account, not a key of the API."""
    return key.startswith(_TOKEN)


def kind(key: str) -> str:
    """What a person calls it."""
    return "OAuth token" if is_token(key) else "API key"


def needed(environment: Mapping[str, str]) -> bool:
    """Whether the agent needs a key, with these variables: a cloud has its own ways."""
    return not any(name.startswith("CLAUDE_CODE_USE_") for name in environment)


def as_key(data: bytes) -> str:
    """The key that a file or a person gave.  Raises BadConfig, which does not repeat it."""
    key = data.decode("ascii", "replace").strip()
    if not re.fullmatch(r"[\x21-\x7e]{8,16000}", key):
        raise BadConfig("this is no key (one word of at least 8 characters, in one line)")
    if key.startswith("plane_api_"):
        raise BadConfig("this is a token of Plane, no key of the agent")
    return key


def doubt(key: str, base_url: str) -> str:
    """Why it may be none, by its looks; empty if it looks well.  A gateway's key looks as the gateway likes."""
    known = base_url or re.match(r"sk-ant-(api|oat)\d\d-", key)
    return "" if known else "it begins neither as an API key (sk-ant-api…) nor as an OAuth token (sk-ant-oat…)"


def proved(key: str, base_url: str, environment: Mapping[str, str], within: timedelta) -> None:
    """Ask the API whether it takes the key.

    `environment` is the agent's: its proxy is ours.  Raises NotPermitted if the key is refused, TryLater if there was
    no answer that says so or otherwise.
    """
    address = base_url or VENDOR
    status, said = _answer(f"{address}/v1/models?limit=1", _headers(key), environment, within)
    said = text.line(said.replace(key, "..."), 200)
    if status == 401 and "not supported" not in said:
        raise NotPermitted(f"{address} refuses it: {said or 'no reason given'}")
    if status != 200:
        raise TryLater(f"{address} answers {status}{f': {said}' if said else ''}")


def _headers(key: str) -> dict[str, str]:
    own = (
        {"Authorization": f"Bearer {key}", "anthropic-beta": "oauth-2025-04-20"}
        if is_token(key)
        else {"x-api-key": key}
    )
    plain = {"anthropic-version": "2023-06-01", "Accept": "application/json", "Accept-Encoding": "identity"}
    return {**plain, **own, "User-Agent": f"pco/{__version__}"}


def _answer(url: str, headers: dict[str, str], environment: Mapping[str, str], within: timedelta) -> tuple[int, str]:
    """The status, and what an error says.  Raises TryLater."""
    import requests
    import urllib3

    until = time.monotonic() + within.total_seconds()
    session = requests.Session()
    session.trust_env = False  # no password from .netrc, no proxy of the caller's
    proxies = _proxies(url, environment)
    store = str(_SYSTEM_STORE) if _SYSTEM_STORE.exists() else True
    limits = (within.total_seconds() / 2, within.total_seconds())
    try:
        with session.get(
            url, headers=headers, proxies=proxies, verify=store, timeout=limits, stream=True, allow_redirects=False
        ) as response:
            said = bytearray()
            while response.status_code != 200 and len(said) < _MOST_ERROR and time.monotonic() < until:
                piece = response.raw.read(1)  # more would wait for more
                if not piece:
                    break
                said += piece
            return response.status_code, _message(bytes(said))
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        why = _cause(error)
    # Here, not in the clause above: requests' errors carry the request, and that the key.
    raise TryLater(f"{urlsplit(url).hostname} does not answer: {why}")


def _proxies(url: str, environment: Mapping[str, str]) -> dict[str, str]:
    from requests.utils import should_bypass_proxies

    scheme = urlsplit(url).scheme
    proxy = environment.get(f"{scheme.upper()}_PROXY", "")
    outside = should_bypass_proxies(url, environment.get("NO_PROXY") or "-")
    return {scheme: proxy} if proxy and not outside else {}


def _cause(error: BaseException) -> str:
    """The innermost reason; the outer ones only repeat the address."""
    said, inner, seen = "", [error], 0
    while inner and seen < 20:
        error, seen = inner.pop(0), seen + 1
        said = getattr(error, "verify_message", "") or getattr(error, "strerror", "") or said
        behind = (getattr(error, "reason", None), *error.args, error.__cause__, error.__context__)
        inner += [each for each in behind if isinstance(each, BaseException)]
    return text.line(str(said), 150) or type(error).__name__


def _message(body: bytes) -> str:
    try:
        value = json.loads(body)
        return str(value["error"]["message"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return text.line(body.decode("utf-8", "replace"), 100)
