"""Runners: what a session runs in.  The verbs: place, places, start, stop, alive, attach, list, halted, kept, clean.

Claim, birth and exit record are in the payload (pco-session), so the promises do not depend on the runner.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path

from pco.ground.errors import BadData
from pco.ground.frozen import dataclass
from pco.ground.ticket import KEY


class Alive(StrEnum):
    """Whether a session is there; unknown when the runner did not answer: then nothing may be concluded."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Place:
    """Where a session writes: `out` of its attempt, and its workspace, whose folder is its home.

    `sealed`: it sees nothing but that and the attempt's folder, not even the mirror.
    """

    out: Path
    workspace: Path
    sealed: bool = False


@dataclass(frozen=True)
class RunnerSession:
    """What to run, under which key, for the attempt in `home`; `environment` holds no secret.

    Width and height are of the terminal.
    """

    key: str
    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    home: Path = Path("/")
    width: int = 200
    height: int = 50


class Runner(ABC):
    """The verbs.  They raise PcoError: TryLater if the runner does not answer, Unavailable if it is missing."""

    @abstractmethod
    def place(self, home: Path) -> Place:
        """Where the session of the attempt in `home` shall write."""

    @abstractmethod
    def places(self) -> tuple[Path, ...]:
        """The folders, beside the attempts', below which sessions write: their file systems can fill up."""

    @abstractmethod
    def start(self, session: RunnerSession) -> None:
        """Start a session; one of that key that is there already is left as it is."""

    @abstractmethod
    def stop(self, key: str, grace: timedelta) -> None:
        """Ask a session to end, and see to it that it is ended after `grace`; returns at once."""

    def alive(self, key: str) -> Alive:
        """Whether a session is there."""
        living = self.list()
        if living is None:
            return Alive.UNKNOWN
        return Alive.YES if checked(key) in living else Alive.NO

    @abstractmethod
    def attach(self, key: str, *, read_only: bool = False) -> tuple[str, ...]:
        """The command that puts a person before a session's terminal; with `read_only` no key reaches the session."""

    @abstractmethod
    def list(self) -> frozenset[str] | None:
        """The keys of all sessions that are there; None if that is unknown."""

    @abstractmethod
    def halted(self) -> bool:
        """Whether an administrator has ended all sessions by the runner's own means; then none must be started."""

    @abstractmethod
    def kept(self) -> tuple[str, ...]:
        """The keys of which something is where only the runner may remove it."""

    @abstractmethod
    def clean(self, key: str) -> None:
        """Remove what the ended session of a ticket left where only the runner may."""


def checked(key: str) -> str:
    """The key, which becomes part of a name of the runner's.  Raises BadData for what is none."""
    if not KEY.fullmatch(key):
        raise BadData(f"{key[:40]!r} is no ticket key")
    return key


def choose(name: str, run: Path, trigger: Path) -> Runner:
    """The runner that `sessions.runner` names; `run` is where its socket goes, `trigger` what it rings at an end."""
    from pco.outside.runners.systemd import Systemd, fits

    if name == "systemd" or (name == "auto" and fits(run)):
        return Systemd()
    from pco.outside.runners.tmux import Tmux

    return Tmux(run / "tmux.sock", trigger)
