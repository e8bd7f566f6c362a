"""What a session leaves in the `out/` of its attempt: hostile input for everybody else.

    birth        {"at", "pid", "boot_id"}: the session began; O_EXCL, the first thing it does
    events/N.json  see `ground.events`
    bell         a FIFO: one byte asks the session for a new screen
    screen       the terminal as it looks, with colours
    life         CLOCK_BOOTTIME in seconds when the screen last changed
    account      see `Account`
    result       what a headless agent printed; for `agents.outcome`
    trouble      what went wrong in the agent's hooks, a line each
    work.bundle  the commits of pco/KEY
    exit         see `Exit`; the last thing it does

pco reads it with O_NOFOLLOW, by descriptor, with caps on size and count.
"""

import errno
import json
import os
import re
from contextlib import suppress
from dataclasses import field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, Literal, TypeVar

from pco.ground import boot, durable, shape, text
from pco.ground.errors import BadData, PcoError, TryLater
from pco.ground.frozen import dataclass

SCHEMA = 1
MOST_SMALL = 1 << 16
MOST_SCREEN = 1 << 20
MOST_RESULT = 4 << 20
MOST_EVENTS = 20_000
MOST_SUMMARY = 256 << 10
MOST_EVENT = 2 << 20  # a summary may be escaped to six times its size
TOKENS = ("input", "output", "cache_read", "cache_write")
# Errors that no session's user can cause: the machine does not answer, and nothing is known of what lies there.
MACHINE = (errno.EIO, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ESTALE, errno.EUCLEAN)
_EVENT = re.compile(r"[0-9]{1,20}-[0-9]{1,10}\.json")
T = TypeVar("T")


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("expected a mapping")
    return value


def _clock(value: Any) -> float:
    if type(value) not in (int, float) or not 0 <= value < 1e15:  # which also keeps NaN and Infinity out
        raise ValueError("expected seconds")
    return float(value)


def _code(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= 255:
        raise ValueError("expected an exit code")
    return value


def one_line(value: Any) -> str:
    """A text, made one clean line."""
    if not isinstance(value, str):
        raise ValueError("expected a text")
    return text.line(value, 500)


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 1 << 31:
        raise ValueError("expected a number")
    return value


def _money(value: Any) -> float:
    if type(value) not in (int, float) or not 0 <= value < 1e6:  # which also keeps NaN and Infinity out
        raise ValueError("expected an amount in USD")
    return float(value)


def _tokens(value: Any) -> dict[str, int]:
    if not isinstance(value, dict) or not value.keys() <= set(TOKENS):
        raise ValueError(f"expected a mapping of {', '.join(TOKENS)}")
    if any(type(n) is not int or not 0 <= n < 1 << 50 for n in value.values()):
        raise ValueError("expected numbers of tokens")
    return dict(value)


@dataclass(frozen=True)
class Exit:
    """How the agent ended: `code` as a shell gives it (128+N for signal N), or why it was never started (`error`).

    `told` is the signal (HUP, TERM) that the session was sent, if any; `boot` is CLOCK_BOOTTIME in seconds; `problem`
    says why its work could not be bundled.
    """

    at: datetime
    code: int = field(metadata={"read": _code})
    error: str = field(default="", metadata={"read": one_line})
    uncommitted: int = field(default=0, metadata={"read": _count})
    told: str = field(default="", metadata={"read": one_line})
    problem: str = field(default="", metadata={"read": one_line})
    boot: float = field(default=0.0, metadata={"read": _clock})
    schema: int = SCHEMA


@dataclass(frozen=True)
class Birth:
    """The session began."""

    at: datetime
    pid: int
    boot_id: str


Kind = Literal["launched", "started", "working", "turn_ended", "turn_failed", "blocked", "idle", "ended", "completed"]


@dataclass(frozen=True)
class Event:
    """Something that happened in a session.  `boot` is CLOCK_BOOTTIME then, in seconds; 0.0 if it is not known."""

    kind: Kind
    at: datetime
    round: int
    attempt: int
    detail: dict[str, Any] = field(default_factory=dict, metadata={"read": _mapping})
    boot: float = field(default=0.0, metadata={"read": _clock})


@dataclass(frozen=True)
class Outcome:
    """What an exit means if no summary was handed over before.  `kind` is an outcome of `rules.retry`.

    `summary` is the agent's own last word where it is as good as one that was handed over (`kind` is completed then);
    `draft` the same where it is not: for a person to look at, never posted by itself.
    """

    kind: str
    why: str = ""
    summary: str = ""
    draft: str = ""


@dataclass(frozen=True)
class Account:
    """What this attempt has used so far: `usd` by the agent's own count, or `estimated` from tokens by kind."""

    usd: float = field(default=0.0, metadata={"read": _money})
    tokens: dict[str, int] = field(default_factory=dict, metadata={"read": _tokens})
    estimated: bool = False
    schema: int = SCHEMA


def bear(out: Path, at: datetime) -> bool:
    """Write the birth certificate, durably; False if there is one already.  Raises OSError."""
    value = shape.dump(Birth(at, os.getpid(), boot.boot_id()))
    try:
        durable.write_new(out / "birth", json.dumps(value).encode(), 0o644)
    except FileExistsError:
        return False
    durable.sync_folder(out)
    return True


def write_exit(out: Path, exit: Exit) -> None:
    """Write the exit record, durably.  Raises OSError."""
    durable.replace(out / "exit", json.dumps(shape.dump(exit)).encode(), 0o644)


def write_life(out: Path) -> None:
    """Leave a sign of life.  Raises OSError."""
    temporary = out / ".life"
    temporary.write_text(f"{boot.clock():.3f}\n")
    temporary.rename(out / "life")


def write_account(out: Path, account: Account) -> None:
    """Put the account in place; not flushed, for it is counted again from the conversation.  Raises OSError."""
    temporary = out / ".account"
    temporary.write_text(json.dumps(shape.dump(account)))
    temporary.chmod(0o644)
    temporary.rename(out / "account")


def open_out(out: Path) -> int:
    """A descriptor of `out`; all reading goes through it.  Neither it nor its folder may be a link.  Raises OSError."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    folder = os.open(out.parent, flags)
    try:
        return os.open(out.name, flags, dir_fd=folder)
    finally:
        os.close(folder)


def read_exit(out: int) -> Exit | None:
    """The exit record; None if there is none yet.  Raises BadData if it is not one."""
    return _record(Exit, out, "exit")


def refused(what: str, error: OSError) -> PcoError:
    """What came of looking at something in out/: BadData, or TryLater if the machine does not answer."""
    kind = TryLater if error.errno in MACHINE else BadData
    return kind(f"{'/'.join(filter(None, ('out', what)))}: {error.strerror}")


def there(out: int, name: str) -> bool:
    """Whether something of that name is there that can be looked at.  Raises TryLater."""
    try:
        os.stat(name, dir_fd=out, follow_symlinks=False)
    except OSError as error:
        if error.errno in MACHINE:
            raise refused(name, error) from error
        return False
    return True


def read_birth(out: int) -> Birth | None:
    """The birth certificate; None if there is none.  Raises BadData if it is not one, TryLater."""
    return _record(Birth, out, "birth")


def read_life(out: int) -> float:
    """CLOCK_BOOTTIME of the last sign of life; 0.0 if there is none, or none that can be read."""
    with suppress(OSError, ValueError, BadData):
        return _clock(float(durable.read("life", 64, out)))
    return 0.0


def read_screen(out: int) -> bytes:
    """The terminal as it looked, with escape sequences; empty if there is none.  Raises BadData."""
    try:
        return durable.read("screen", MOST_SCREEN, out)
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise BadData(f"out/screen: {error.strerror}") from error


def read_account(out: int) -> Account | None:
    """What the attempt has used so far; None if there is no account.  Raises BadData if it is not one."""
    return _record(Account, out, "account")


def read_result(out: int) -> bytes | None:
    """What a headless agent printed; None if it printed nothing.  Raises BadData, TryLater."""
    try:
        return durable.read("result", MOST_RESULT, out)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise refused("result", error) from error


def read_trouble(out: int) -> list[str]:
    """What went wrong in the agent's hooks, clean lines.  Raises BadData."""
    try:
        said = durable.read("trouble", 2 * MOST_SMALL, out).decode("utf-8", "replace")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise BadData(f"out/trouble: {error.strerror}") from error
    return [text.line(line, 500) for line in said.split("\n") if line.strip()]


def event_names(out: int) -> list[str]:
    """The names of the event files, in the order of time; no more than MOST_EVENTS names are read.

    Raises BadData, TryLater.
    """
    try:
        events = os.open("events", os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=out)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise refused("events", error) from error
    try:
        with os.scandir(events) as entries:
            return sorted(entry.name for entry in islice(entries, MOST_EVENTS) if _EVENT.fullmatch(entry.name))
    except OSError as error:
        raise refused("events", error) from error
    finally:
        os.close(events)


def read_event(out: int, name: str) -> bytes:
    """One event file; its content is for `agents.read_event`.  Raises BadData, TryLater."""
    try:
        # Through the folder by its own descriptor: "events" itself may be a link by now.
        events = os.open("events", os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=out)
        try:
            return durable.read(name, MOST_EVENT, events)
        finally:
            os.close(events)
    except OSError as error:
        raise refused(f"events/{name}", error) from error


def clean_summary(summary: str) -> str:
    """A summary as it enters the record: printable text, at most MOST_SUMMARY characters, no space around it."""
    return text.lines(summary, MOST_SUMMARY).strip()


def _record(shape_: type[T], out: int, name: str) -> T | None:
    try:
        return shape.load(shape_, json.loads(durable.read(name, MOST_SMALL, out)))
    except FileNotFoundError:
        return None
    except BadData as error:
        raise BadData(f"out/{error}") from error
    except OSError as error:
        raise refused(name, error) from error
    except (ValueError, RecursionError) as error:
        raise BadData(f"out/{name}: {error}") from error
