"""Runners: what a session runs in.  Five verbs: start, stop, alive, attach, list.

Claim, birth and exit record are in the payload (pco-session), so the promises do not depend on the runner.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Protocol


class Alive(StrEnum):
    """Whether a session is there; unknown when the runner did not answer: then nothing may be concluded."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class RunnerSession:
    """What to run, under which key; `environment` holds no secret.  Width and height are of the terminal."""

    key: str
    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    cwd: Path = Path("/")
    width: int = 200
    height: int = 50


class Runner(Protocol):
    """The five verbs.  They raise PcoError: TryLater if the runner does not answer, Unavailable if it is missing."""

    def start(self, session: RunnerSession) -> None:
        """Start a session; one of that key that is there already is left as it is."""

    def stop(self, key: str, grace: timedelta) -> None:
        """Ask a session to end, and see to it that it is ended after `grace`; returns at once."""

    def alive(self, key: str) -> Alive:
        """Whether a session is there."""

    def attach(self, key: str) -> tuple[str, ...]:
        """The command that puts a person before a session's terminal."""

    def list(self) -> frozenset[str] | None:
        """The keys of all sessions that are there; None if that is unknown."""


def choose(name: str, run: Path, trigger: Path) -> Runner:
    """The runner that `sessions.runner` names; `run` is where its socket goes, `trigger` what it rings at an end."""
    if name not in ("auto", "tmux"):
        raise ValueError(name)
    from pco.outside.runners.tmux import Tmux

    return Tmux(run / "tmux.sock", trigger)
