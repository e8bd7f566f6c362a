"""One JSON object sent to a web server.  The address may be a secret: what goes wrong is said without it."""

import json
import urllib.error
import urllib.request
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

PATIENCE = 20
MOST = 300


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows nobody: what is secret is for this server alone."""

    def redirect_request(self, *_: Any) -> None:
        """Refuse it: then it counts as an error."""


def post(url: str, value: dict[str, Any], headers: dict[str, str]) -> None:
    """Send it; ends the program with what went wrong."""
    parts = urlsplit(url if url.isascii() and url.isprintable() and " " not in url else "")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SystemExit("the address is no http:// or https:// address")
    request = urllib.request.Request(url, json.dumps(value).encode(), method="POST")
    for name, said in {"Content-Type": "application/json", "User-Agent": "pco", **headers}.items():
        request.add_header(name, said)
    try:
        with urllib.request.build_opener(_Stay).open(request, timeout=PATIENCE) as answer:
            answer.read(MOST)
    except urllib.error.HTTPError as error:
        said = error.read(MOST).decode("utf-8", "replace").replace(parts.path or "/", "/…")
        raise SystemExit(f"{parts.hostname} answers {error.code}: {said}") from None
    except urllib.error.URLError as error:
        raise SystemExit(f"{parts.hostname}: {error.reason}") from None
    except (OSError, ValueError, HTTPException) as error:
        raise SystemExit(f"{parts.hostname}: {type(error).__name__}") from None


def secret(path: str) -> str:
    """The one line of a file."""
    try:
        with open(path) as file:
            return file.readline().strip()
    except (OSError, ValueError) as error:
        raise SystemExit(f"{path or 'no file with the secret'}: {getattr(error, 'strerror', 'no text')}") from None
