"""What runs in a session, behind one seam: `claude` (Claude Code), `command` (any program), `scripted` (to try pco).

An agent is a module with `TELLS` and four functions, see `Agent`.  pco-launch calls `prepare` and writes what it
returns into launch.json and beside it; pco-session, as the session's own user, calls `enter`, runs what that returns,
and keeps its `bill`; pco-watch judges the end with `outcome`.  Events look the same whoever writes them.
"""

import json
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Protocol

from pco.ground import shape
from pco.ground.attempt import Launch
from pco.ground.config import Claude
from pco.ground.errors import BadConfig, BadData
from pco.ground.events import SCHEMA
from pco.ground.frozen import dataclass
from pco.ground.leavings import Account, Event, Exit, Outcome

__all__ = ["Agent", "Bill", "Event", "Outcome", "Prepared", "Session", "Way", "named", "read_event"]


@dataclass(frozen=True)
class Session:
    """What an agent needs to know of the session that it shall run in; paths are absolute.

    `home` is the attempt's folder (with `prompt`, its prompt.md, and `afresh`, what is said where no conversation can
    go on), `command` is sessions.command, `claude` the project's.  `conversation` is the one to go on with, if any;
    `spent` what it had cost by its own count, `left` what this attempt may cost (USD; None: no limit).
    """

    key: str
    round: int
    attempt: int
    home: Path
    prompt: Path
    workspace: Path
    out: Path
    command: tuple[str, ...] = ()
    permission_mode: str = "acceptEdits"
    claude: Claude = field(default_factory=Claude)
    conversation: str = ""
    left: float | None = None


@dataclass(frozen=True)
class Prepared:
    """How the agent is run: `files` (name: content) are written into the attempt's folder first.

    pco-session adds HOME, LANG, TERM and PATH (its own folder first, so that pco-complete is found).
    """

    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Way:
    """How the agent is started just now: None is the terminal; `kept` are descriptors that it inherits.

    `environment` may hold the key of the agent, and is never written down.  `told` goes into the event `launched`,
    `shown` onto the terminal, for whoever attaches, where the agent itself shows nothing.
    """

    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    stdin: Path | None = None
    stdout: Path | None = None
    kept: tuple[int, ...] = ()
    told: Mapping[str, str] = field(default_factory=dict)
    shown: str = ""


class Bill(Protocol):
    """What the attempt has used; asked now and then by pco-session, and at the end."""

    def account(self) -> Account:
        """All that was used so far.  Raises OSError."""


class Agent(Protocol):
    """The seam.  `TELLS`: it has hooks.

    So it says itself that it has started, and takes what a person forwards when a turn of it ends; one without counts
    as started once it was launched.
    """

    TELLS: bool

    def prepare(self, session: Session) -> Prepared:
        """How to run it.  Raises BadConfig."""

    def enter(self, launch: Launch) -> Way:
        """Make all ready in the session, as its user, and say how to start.  Raises PcoError, OSError."""

    def bill(self, launch: Launch) -> Bill | None:
        """Who keeps account of an attempt, from now on; None if nobody can."""

    def outcome(self, exit: Exit, out: int) -> Outcome:
        """What it means that the agent ended with `exit` and without a summary; `out` is a descriptor of out/."""


def named(name: str) -> Agent:
    """The agent of that name (`sessions.agent`).  Raises BadConfig."""
    from pco.outside.agents import claude, command, scripted

    known: dict[str, Agent] = {"claude": claude, "command": command, "scripted": scripted}
    if name not in known:
        raise BadConfig(f"sessions.agent: {name} is not known (known are {', '.join(known)})")
    return known[name]


def read_event(data: bytes) -> Event:
    """Read an event file as `ground.events.write` makes it, hostile input.  Raises BadData."""
    try:
        value = json.loads(data)
        if not isinstance(value, dict) or value.pop("schema", None) != SCHEMA:
            raise BadData("not an event")
        value["kind"] = value.pop("event", None)
        return shape.load(Event, value)
    except (ValueError, RecursionError) as error:
        raise BadData(f"not an event: {error}") from error
