"""What runs in a session, behind one seam: `claude` (later), `command`, `transcript` (later).

An agent is a module with `INTERACTIVE` and three functions, see `Agent`.  pco-launch calls `prepare` and writes what it
returns into launch.json; pco-session runs it; pco-watch reads events and judges the end with the other two.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from pco.ground.attempt import Event, Exit, Outcome
from pco.ground.errors import BadConfig

__all__ = ["Agent", "Event", "Outcome", "Prepared", "Session", "named"]


@dataclass(frozen=True)
class Session:
    """What an agent needs to know of the session that it shall run in; paths are absolute.

    `home` is the attempt's folder (with `prompt`, its prompt.md), `command` is sessions.command.
    """

    key: str
    round: int
    attempt: int
    home: Path
    prompt: Path
    workspace: Path
    command: tuple[str, ...] = ()
    permission_mode: str = "acceptEdits"


@dataclass(frozen=True)
class Prepared:
    """How the agent is run: `files` (name: content) are written into the attempt's folder first.

    pco-session adds HOME, LANG, TERM and PATH (its own folder first, so that pco-complete is found).
    """

    argv: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)


class Agent(Protocol):
    """The seam.  `INTERACTIVE`: it stays after a summary was handed over, until somebody ends it."""

    INTERACTIVE: bool

    def prepare(self, session: Session) -> Prepared:
        """How to run it.  Raises BadConfig."""

    def read_event(self, data: bytes) -> Event:
        """Read an event file, hostile input.  Raises BadData."""

    def outcome(self, exit: Exit, folder: Path) -> Outcome:
        """What it means that the agent ended with `exit` and without a summary; `folder` is the attempt's."""


def named(name: str) -> Agent:
    """The agent of that name (`sessions.agent`).  Raises BadConfig."""
    from pco.outside.agents import command

    known: dict[str, Agent] = {"command": command}
    if name not in known:
        raise BadConfig(f"sessions.agent: {name} is not known (known are {', '.join(known)})")
    return known[name]
