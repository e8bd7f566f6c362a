"""How single values of the configuration are read: each takes a plain value, and raises ValueError in words."""

import os
import re
from dataclasses import field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

MOST_WORDS = 200
_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_{|}~.-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?")
_TOPIC = re.compile(r"[A-Za-z0-9_-]{1,64}|")
_SERVER = re.compile(r"([A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]):([0-9]{1,5})")


def url(value: Any) -> str:
    """An address of a web server."""
    parts = urlsplit(value) if isinstance(value, str) else None
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
        raise ValueError("expected an address such as https://plane.example.org, without name or password")
    return str(value).rstrip("/")


def path(value: Any) -> Path:
    """An absolute path."""
    if not isinstance(value, str) or not value.startswith("/") or "\0" in value:
        raise ValueError("expected an absolute path")
    return Path(os.path.normpath(value))


def words(value: Any) -> str:
    """A text of one line for people."""
    if not isinstance(value, str) or not value.isprintable() or len(value) > MOST_WORDS:
        raise ValueError(f"expected a text of one line, of at most {MOST_WORDS} characters")
    return value.strip()


def address(value: Any) -> str:
    """A mail address, of ASCII: it becomes an argument, and a line of a header."""
    if not isinstance(value, str) or not _ADDRESS.fullmatch(value) or value.startswith("-"):
        raise ValueError("expected a mail address such as ops@example.org")
    return value


def addresses(value: Any) -> tuple[str, ...]:
    """A list of mail addresses."""
    if not isinstance(value, list):
        raise ValueError("expected a list of mail addresses such as [ops@example.org]")
    return tuple(address(one) for one in value)


def server(value: Any) -> str:
    """HOST:PORT."""
    match = _SERVER.fullmatch(value) if isinstance(value, str) else None
    if not match or not 0 < int(match[2]) < 1 << 16:
        raise ValueError("expected HOST:PORT such as localhost:25 or smtp.example.org:587")
    return str(value)


def topic(value: Any) -> str:
    """A topic of ntfy."""
    if not isinstance(value, str) or not _TOPIC.fullmatch(value):
        raise ValueError("expected a topic of letters, digits, _ and -, at most 64 of them")
    return value


def read(function: Any, default: Any = None, *, required: bool = False) -> Any:
    """A field of a section that `function` reads."""
    return field(metadata={"read": function}) if required else field(default=default, metadata={"read": function})
