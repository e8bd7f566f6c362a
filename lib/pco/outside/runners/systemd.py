"""Sessions as units of systemd: pco-session@KEY.service, each under a user of its own that exists only meanwhile.

Asked over the system bus by busctl and systemctl.  The unit runs a tmux server of the session's own, with pco-session
in it for the attempt that sessions/KEY/current leads to.  What the session writes lies in its state folder, which the
units of pco see, read-only, under the same path.  polkit lets the user pco start, stop and clean just these units.
"""

import json
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from pco.ground import text
from pco.ground.errors import PcoError, TryLater
from pco.ground.frozen import dataclass
from pco.ground.ticket import KEY
from pco.outside import process
from pco.outside.runners import Place, Runner, RunnerSession, checked

AGENTS = Path("/var/lib/pco-agent")
SLICE, TARGET = "pco-sessions.slice", "pco.target"
# A session is there until what it left was collected.
_PARTS = ("pco-session@", "pco-collect@", "pco-collect-failed@")
_FOLDERS = tuple(Path(folder) for folder in ("/etc", "/usr/local/lib", "/usr/lib"))
_PATIENCE = timedelta(seconds=10)
_GONE = ("inactive", "failed")
_MANAGER = ("org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager")


@dataclass(frozen=True)
class Unit:
    """A unit as the manager lists it; `job` is the one that is queued for it (start, stop, …), or empty."""

    name: str
    state: str
    job: str

    @property
    def there(self) -> bool:
        """Whether it runs, or is about to."""
        return self.job != "" or self.state not in _GONE

    @property
    def stays(self) -> bool:
        """Whether it runs and is not being stopped, or is being started."""
        return self.job == "start" or (self.job != "stop" and self.state not in _GONE)


def fits(run: Path) -> bool:
    """Whether this pco is the one that was installed under a running systemd; `run` is its paths.run."""
    units = (folder / "systemd" / "system" / "pco-session@.service" for folder in _FOLDERS)
    return run == Path("/run/pco") and Path("/run/systemd/system").is_dir() and any(map(os.path.exists, units))


class Systemd(Runner):
    """The runner."""

    def place(self, home: Path) -> Place:
        """Where a session writes: its state folder; `out` has a name that an earlier attempt could not guess."""
        state = AGENTS / home.parent.name
        return Place(state / "out" / f"{home.name}-{os.urandom(4).hex()}", state / "workspace", sealed=True)

    def places(self) -> tuple[Path, ...]:
        """Where all state folders lie; the units of pco see the file system that it is."""
        return (AGENTS,)

    def start(self, session: RunnerSession) -> None:
        """Start a session; one of that key that is there already is left as it is."""
        _point(session.home)
        self._systemctl("start", session.key)

    def stop(self, key: str, grace: timedelta) -> None:  # noqa: ARG002
        """Ask a session to end; after the grace that its unit gives (TimeoutStopSec=) systemd kills what is left."""
        self._systemctl("stop", key)

    def attach(self, key: str, *, read_only: bool = False) -> tuple[str, ...]:
        """The command that puts a person before a session's terminal, by the relay that runs beside the session."""
        return ("pco-attach", *(("--read-only",) if read_only else ()), checked(key))

    def list(self) -> frozenset[str] | None:
        """The keys of all sessions that are there; None if systemd did not answer."""
        try:
            units = tuple(_units(*(f"{part}*.service" for part in _PARTS)))
        except PcoError:
            return None
        keys = {unit.name.partition("@")[2].removesuffix(".service") for unit in units if unit.there}
        return frozenset(key for key in keys if KEY.fullmatch(key))

    def halted(self) -> bool:
        """Whether somebody stopped the slice of all sessions, which pco.target had started.  Raises PcoError.

        Not so when the machine goes down: then the target is being stopped, too.
        """
        stay = {unit.name for unit in _units(SLICE, TARGET) if unit.stays}
        return TARGET in stay and SLICE not in stay

    def kept(self) -> tuple[str, ...]:
        """The keys of all sessions' state folders.  Raises TryLater."""
        try:
            return tuple(sorted(name for name in os.listdir(AGENTS) if KEY.fullmatch(name)))
        except OSError as error:
            raise TryLater(f"{AGENTS}: {error.strerror}") from error

    def clean(self, key: str) -> None:
        """Remove what an ended session has in its state folder.  Raises PcoError; a living one is refused."""
        _bus("CleanUnit", "sas", f"pco-session@{checked(key)}.service", "1", "state")

    def _systemctl(self, verb: str, key: str) -> None:
        argv = ("systemctl", "--no-ask-password", "--no-block", verb, f"pco-session@{checked(key)}.service")
        result = process.run(argv, _environment(), _PATIENCE)
        if result.code:
            raise TryLater(f"systemd does not {verb} the session: {text.line(result.error, 300)}")


def _point(home: Path) -> None:
    """Let sessions/KEY/current lead to the attempt, whole.  Raises TryLater."""
    link, temporary = home.with_name("current"), home.with_name(".current")
    try:
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(home.name)
        temporary.rename(link)
    except OSError as error:
        raise TryLater(f"{link}: {error.strerror}") from error


def _units(*patterns: str) -> Iterator[Unit]:
    """The loaded units whose names match.  Raises PcoError."""
    said = _bus("ListUnitsByPatterns", "asas", "0", str(len(patterns)), *patterns)
    try:
        rows = json.loads(said)["data"][0]
        for row in rows:
            yield Unit(str(row[0]), str(row[3]), str(row[8]))
    except (ValueError, LookupError, TypeError) as error:
        raise TryLater(f"systemd's list of units cannot be read: {error}") from error


def _bus(method: str, *words: str) -> bytes:
    argv = ("busctl", "--json=short", "--allow-interactive-authorization=no", "call", *_MANAGER, method, *words)
    result = process.run(argv, _environment(), _PATIENCE)
    if result.code:
        raise TryLater(f"systemd refuses {method}: {text.line(result.error, 300)}")
    return result.out


def _environment() -> dict[str, str]:
    return {"PATH": os.defpath, "LC_ALL": "C.UTF-8"}
