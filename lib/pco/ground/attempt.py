"""The folder of one attempt, sessions/KEY/R.A/, and what the agent leaves in its `out/`.

    prompt.md    what the agent gets                            launch.json   see `Launch`; written by pco-launch
    fence        made by pco-watch: a session that was not born by then must not begin
    out/         written by the session, hostile input for everybody else:
      birth        {"at", "pid", "boot_id"}: the session began; O_EXCL, the first thing it does
      events/N.json  see `ground.events`
      screen       the terminal as it looks, with colours
      work.bundle  the commits of pco/KEY
      exit         see `Exit`; the last thing it does

pco reads `out/` with O_NOFOLLOW, by descriptor, with caps on size and count.
"""

import json
import os
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, TypeVar

from pco.ground import durable, shape
from pco.ground.errors import BadData, SystemFault

SCHEMA = 1
MOST_SMALL = 1 << 16
MOST_SCREEN = 1 << 20
MOST_EVENTS = 10_000
T = TypeVar("T")


@dataclass(frozen=True)
class Launch:
    """All that a session needs to know; no secret is in it.  Paths are absolute."""

    key: str
    round: int
    attempt: int
    out: str
    workspace: str
    mirror: str
    base: str
    branch: str
    prompt: str
    trigger: str
    argv: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    clone_within: float = 600.0
    schema: int = SCHEMA


@dataclass(frozen=True)
class Exit:
    """How the agent ended: `code` as a shell gives it (128+N for signal N), or why it was never started."""

    at: datetime
    code: int
    error: str = ""
    uncommitted: int = 0
    schema: int = SCHEMA


@dataclass(frozen=True)
class Birth:
    """The session began."""

    at: datetime
    pid: int
    boot_id: str


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("expected a mapping")
    return value


def _clock(value: Any) -> float:
    if type(value) not in (int, float) or not 0 <= value < 1e15:  # which also keeps NaN and Infinity out
        raise ValueError("expected seconds")
    return float(value)


Kind = Literal["started", "working", "turn_ended", "turn_failed", "blocked", "idle", "ended", "completed"]


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
    """What an exit without a summary means: `passing` errors (the agent's API is down) are worth another attempt."""

    passing: bool
    why: str


def folder(sessions: Path, key: str, round: int, attempt: int) -> Path:
    """Where an attempt lies."""
    return sessions / key / f"{round}.{attempt}"


def write_launch(home: Path, launch: Launch) -> None:
    """Write launch.json.  Raises OSError."""
    durable.replace(home / "launch.json", json.dumps(shape.dump(launch), indent=1).encode(), 0o644)


def read_launch(home: Path) -> Launch:
    """Read launch.json.  Raises BadData, SystemFault."""
    path = home / "launch.json"
    try:
        return shape.load(Launch, json.loads(durable.read(path, 1 << 20)))
    except OSError as error:
        raise SystemFault(f"{path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise BadData(f"{path}: {error}") from error


def fence(home: Path) -> None:
    """From now on a session that was not born must not begin.  Raises OSError; it is there already: nothing to do."""
    try:
        durable.write_new(home / "fence", b"", 0o644)
    except FileExistsError:
        pass
    durable.sync_folder(home)


def boot_id() -> str:
    """The kernel's name for this boot; another one says that all processes of before are gone."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def open_out(out: Path) -> int:
    """A descriptor of `out/`, which must not be a link; all reading goes through it.  Raises OSError."""
    return os.open(out, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)


def read_exit(out: int) -> Exit | None:
    """The exit record; None if there is none yet.  Raises BadData if it is not one."""
    return _record(Exit, out, "exit")


def read_birth(out: int) -> Birth | None:
    """The birth certificate; None if there is none.  Raises BadData if it is not one."""
    return _record(Birth, out, "birth")


def _record(shape_: type[T], out: int, name: str) -> T | None:
    try:
        return shape.load(shape_, json.loads(durable.read(name, MOST_SMALL, out)))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise BadData(f"out/{name}: {error}") from error
