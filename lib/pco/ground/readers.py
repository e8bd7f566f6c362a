"""How single values of the configuration are read: each takes a plain value, and raises ValueError in words."""

import os
import re
from dataclasses import field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pco.ground import redaction
from pco.ground.ticket import LOCAL

MOST_WORDS = 200
PASSWORD = re.compile(r"[a-z]+://[^/@]*:[^/@]*@")  # in an address
_UUID = re.compile(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}")
_PREFIX = re.compile(r"[A-Z0-9_]{1,12}")
_REMOTE = re.compile(r"(https?|ssh|git)://[^\s]+|[A-Za-z0-9._-]+@[A-Za-z0-9._-]+:[^\s]+")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@\[\]-]{0,199}|")
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,99}")
_BRANCH = re.compile(r"(?!.*(\.\.|//|@\{|\.lock$|[./]$))[A-Za-z0-9_][A-Za-z0-9_./+-]{0,199}")
_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_{|}~.-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?")
_TOPIC = re.compile(r"[A-Za-z0-9_-]{1,64}|")
_SERVER = re.compile(r"([A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]):([0-9]{1,5})")


def url(value: Any) -> str:
    """An address of a web server."""
    plain = isinstance(value, str) and value.isprintable() and " " not in value
    parts = urlsplit(value) if plain else None
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
        raise ValueError("expected an address such as https://plane.example.org, without name or password")
    return str(value).rstrip("/")


def path(value: Any) -> Path:
    """An absolute path."""
    if not isinstance(value, str) or not value.startswith("/") or not value.isprintable():
        raise ValueError("expected an absolute path, of printable characters")
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


def arguments(value: Any) -> tuple[str, ...]:
    """A program and its arguments, or a part of them."""
    if not isinstance(value, list) or any(not isinstance(word, str) or "\0" in word for word in value):
        raise ValueError("expected a list of texts such as [/usr/local/bin/my-agent, --once], without NUL")
    return tuple(value)


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


def uuid(value: Any) -> str:
    """A UUID, in small letters."""
    if not isinstance(value, str) or not _UUID.fullmatch(value.lower()):
        raise ValueError("expected the project's UUID; it stands in its address in Plane")
    return value.lower()


def prefix(value: Any) -> str:
    """What keys of tickets begin with."""
    if not isinstance(value, str) or not _PREFIX.fullmatch(value):
        raise ValueError("a key has 1 to 12 of A-Z, 0-9 and _")
    if value == LOCAL:
        raise ValueError(f"{LOCAL} is the key of tickets that Plane does not know; choose another")
    return value


def repository(value: Any) -> str:
    """Where git finds a repository."""
    known = isinstance(value, str) and value.isprintable() and (value.startswith("/") or _REMOTE.fullmatch(value))
    if not known:
        raise ValueError("expected an absolute path, or an address such as https://… or git@host:path")
    return str(value)


def push_url(value: Any) -> str:
    """Where branches are pushed to."""
    where = repository(value)
    if PASSWORD.match(where):
        raise ValueError("no password belongs here: it is the credential git-push")
    return where


def compare_url(value: Any) -> str:
    """An address with {base} and {branch}."""
    plain = re.sub(r"\{(branch|base)\}", "x", value) if isinstance(value, str) else ""
    parts = urlsplit(plain) if re.fullmatch(r"[!-~]+", plain) and not re.search(r"[<>\"'{}|\\^`]", plain) else None
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise ValueError("expected an address such as https://git.example.org/web/compare/{base}...{branch}")
    return str(value)


def branch(value: Any) -> str:
    """The name of a branch."""
    if not isinstance(value, str) or not _BRANCH.fullmatch(value) or value.startswith("pco/"):
        raise ValueError("expected the name of a branch (not one under pco/)")
    return value


def share(value: Any) -> float:
    """A share such as 20%, as a number from 0 to 1."""
    match = re.fullmatch(r"([0-9]{1,2}(?:\.[0-9]+)?)%", value) if isinstance(value, str) else None
    if not match:
        raise ValueError("expected a share such as 20%")
    return float(match[1]) / 100


def percent(share: float) -> str:
    """The share as it is written."""
    return f"{share * 100:.6g}%"


def size(value: Any) -> int:
    """A size in bytes."""
    match = re.fullmatch(r"([0-9]{1,6})([KMGT])", value) if isinstance(value, str) else None
    if not match:
        raise ValueError("expected a size such as 512M or 2G, 0M for none")
    return int(match[1]) << 10 * ("KMGT".index(match[2]) + 1)


def sized(amount: int) -> str:
    """The size as it is written."""
    power = next(power for power in (4, 3, 2, 1) if amount % (1 << 10 * power) == 0 or power == 1)
    return f"{amount >> 10 * power}{'KMGT'[power - 1]}" if amount else "0M"


def at_least_one(value: Any) -> int:
    """A whole number, not 0."""
    if type(value) is not int or not 1 <= value <= 10_000:
        raise ValueError("expected a whole number from 1 to 10000")
    return value


def whole(value: Any) -> int:
    """A whole number; 0 is no limit."""
    if type(value) is not int or not 0 <= value <= 1_000_000:
        raise ValueError("expected a whole number, 0 for no limit")
    return value


def usd(value: Any) -> float:
    """An amount of money; 0 is no limit."""
    if type(value) not in (int, float) or not 0 <= value < 1e6:  # which also keeps NaN out
        raise ValueError("expected an amount in USD such as 5 or 2.50, 0 for no limit")
    return float(value)


def word(value: Any) -> str:
    """The name of a model; empty: none."""
    if not isinstance(value, str) or not _WORD.fullmatch(value):
        raise ValueError("expected a name such as opus, of letters, digits and . _ : / [ ] - @")
    return value


def variables(value: Any) -> dict[str, str]:
    """Variables of an environment, none of them a secret."""
    if not isinstance(value, dict):
        raise ValueError("expected a mapping of names and texts")
    for name, text in value.items():
        if not isinstance(name, str) or not _VARIABLE.fullmatch(name):
            raise ValueError(f"{str(name)[:40]!r} is no name of a variable")
        if not isinstance(text, str) or not text.isprintable():
            raise ValueError(f"{name}: expected a text of one line; put numbers in quotes")
        if re.search(r"KEY|TOKEN|SECRET|PASSWORD", name):
            raise ValueError(f"{name} looks like a secret, and none belongs here; see claude.key_file")
    return dict(value)


def patterns(value: Any) -> tuple[str, ...]:
    """Regular expressions that cannot hang a program."""
    if not isinstance(value, list) or len(value) > redaction.MOST_PATTERNS:
        raise ValueError(f"expected a list of at most {redaction.MOST_PATTERNS} regular expressions")
    return tuple(redaction.check(pattern) for pattern in value)


def zone(value: Any) -> str:
    """A time zone."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        if not isinstance(value, str) or (value != "local" and not ZoneInfo(value)):
            raise ValueError
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("expected local, UTC or a zone such as Europe/Berlin") from None
    return value


def read(function: Any, default: Any = None, *, required: bool = False) -> Any:
    """A field of a section that `function` reads."""
    return field(metadata={"read": function}) if required else field(default=default, metadata={"read": function})
