"""What pco-doctor verifies: the boxes of a production checklist, and a check for each that a machine can see to.

A check gets a `Site`, looks (it changes nothing, and asks Plane only to read), and returns a `Finding`: what it saw as
evidence, and the one command that mends it.  What it may not look at it says so (`unseen`), with the reason.
"""

from collections.abc import Callable, Mapping
from dataclasses import field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from shutil import which
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

from pco.ground.config import Config
from pco.ground.errors import PcoError
from pco.ground.frozen import dataclass

T = TypeVar("T")
PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")

if TYPE_CHECKING:
    from pco.outside.plane import Plane


class Status(StrEnum):
    """How a box stands; the order is that of gravity."""

    OK = "ok"
    NOT_APPLICABLE = "n/a"
    UNSEEN = "unseen"
    WARN = "warn"
    FAIL = "fail"


GRAVITY = {status: n for n, status in enumerate(Status)}


@dataclass(frozen=True)
class Finding:
    """What was found of one box: `evidence` in one line, `mend` a command or what else is to be done."""

    status: Status
    evidence: str
    mend: str = ""


@dataclass(frozen=True)
class Site:
    """What is looked at, and by whom.  `plane` makes a client of Plane; it raises BadConfig without a token.  `comment`
    tells what is wrong with the form of comments, or nothing.

    `root` says whether this is root; `systemd` whether the installed pco is meant, and not one below a root of its
    own; `top` is / on a machine, and a folder in tests.
    """

    config: Config
    config_path: Path
    now: datetime
    root: bool
    systemd: bool = False
    plane: "Callable[[], Plane] | None" = None
    comment: Callable[[], str] | None = None
    top: Path = Path("/")
    _known: dict[str, Any] = field(default_factory=dict, repr=False)
    _locks: dict[str, Lock] = field(default_factory=dict, repr=False)

    def once(self, name: str, make: "Callable[[], T]") -> "T":
        """What several checks need, made once; all of them get what it raises."""
        # One lock for each: who waits for Plane keeps nobody from the disk.  (setdefault is atomic.)
        with self._locks.setdefault(name, Lock()):
            if name not in self._known:
                try:
                    self._known[name] = make()
                except (PcoError, OSError) as error:
                    self._known[name] = error
            found = self._known[name]
        if isinstance(found, PcoError | OSError):
            raise found
        kept: T = found
        return kept

    def at(self, path: str | Path) -> Path:
        """A path of the machine."""
        return self.top / str(path).lstrip("/")

    def program(self, name: str) -> str | None:
        """Where a program is, by the path that units have; None if it is not there."""
        return which(name, path=":".join(str(self.at(folder)) for folder in PATH))

    def setting(self, section: str, key: str, value: object) -> str:
        """The command that sets a key of the configuration, by a drop-in that comes after others."""
        path = self.config_path.parent / f"{self.config_path.name}.d" / f"zz-{section}-{key}.yaml"
        return f"echo '{section}: {{{key}: {value}}}' | sudo install -D -m 644 /dev/stdin {path}"


Check = Callable[[Site], Finding]
_CHECKS: dict[str, Check] = {}


def checks(*boxes: str) -> Callable[[Check], Check]:
    """Makes a function the check of these boxes."""

    def register(check: Check) -> Check:
        for box in boxes:
            assert box not in _CHECKS, box
            _CHECKS[box] = check
        return check

    return register


def all_checks() -> Mapping[str, Check]:
    """The check of each box that has one, by the box's id."""
    from importlib import import_module
    from pkgutil import iter_modules

    for module in iter_modules(__path__):
        import_module(f"{__name__}.{module.name}")
    return _CHECKS


def ok(evidence: str) -> Finding:
    """All is well."""
    return Finding(Status.OK, evidence)


def warn(evidence: str, mend: str) -> Finding:
    """It works, but somebody should see to it."""
    return Finding(Status.WARN, evidence, mend)


def fail(evidence: str, mend: str) -> Finding:
    """It does not hold."""
    return Finding(Status.FAIL, evidence, mend)


def unseen(why: str, mend: str = "sudo pco-doctor") -> Finding:
    """It could not be looked at."""
    return Finding(Status.UNSEEN, why, mend)


def not_applicable(why: str) -> Finding:
    """There is nothing of that kind here."""
    return Finding(Status.NOT_APPLICABLE, why)


def worst(findings: list[Finding]) -> Finding:
    """One finding for several: the gravest status, the evidence of what is that grave, or of all if all is well."""
    gravest = max((finding.status for finding in findings), key=GRAVITY.__getitem__, default=Status.NOT_APPLICABLE)
    told = [finding for finding in findings if finding.status is gravest]
    mend = next((finding.mend for finding in told if finding.mend), "")
    return Finding(gravest, "; ".join(dict.fromkeys(finding.evidence for finding in told)), mend)
