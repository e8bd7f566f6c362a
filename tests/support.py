"""What all tests share: tickets, a pco of its own in a scratch folder, and the real programs."""

import ctypes
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from pco.ground import durable
from pco.ground.record import to_bytes
from pco.ground.ticket import Entry, PlaneState, Round, State, Ticket, Trigger
from pco.spool import Spool

TOP = Path(__file__).resolve().parents[1]
T0 = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
WEB = "6fb4192b-77e8-4d8e-85fe-ed3a8609522a"
# What is put before a program for the modes of files to bind it, though root runs the tests: root's own files they are.
BOUND = ("setpriv", "--bounding-set=-dac_override,-dac_read_search") if os.geteuid() == 0 else ()
TODO = PlaneState("8b01c52a-86c6-4a52-9e23-90f646e5f7f1", "Todo", "unstarted")


def a_ticket(key: str = "WEB-1", **changes: Any) -> Ticket:
    """A pending ticket of project WEB as pco-poll makes it."""
    number = int(key.rpartition("-")[2])
    given: dict[str, Any] = {
        "key": key,
        "uuid": f"00000000-0000-4000-8000-{number:012d}",
        "project": WEB,
        "id": f"record{number}",
        "title": f"Title of {key}",
        "description": "Do it.",
        "description_html": "<p>Do it.</p>",
        "plane_state": TODO,
        "created_at": T0,
        "updated_at": T0,
        "rounds": (Round(1, Trigger("new", T0, state=TODO)),),
    }
    return Ticket(**{**given, **changes})


@dataclass
class Site:
    """A pco of its own under one folder: configuration, spool, programs."""

    home: Path
    config: Path
    values: dict[str, Any]

    def configure(self, **sections: dict[str, Any]) -> None:
        """Change sections of pco.yaml."""
        for name, section in sections.items():
            self.values[name] = {**self.values.get(name, {}), **section}
        self.config.write_text(yaml.safe_dump(self.values))

    def spool(self, program: str = "pco-poll") -> Spool:
        """The spool as `program` sees it."""
        return Spool(self.home / "spool", program)

    def environment(self) -> dict[str, str]:
        """A clean environment for the programs."""
        names = ("PATH", "HOME", "LANG", "COVERAGE_PROCESS_START")
        kept = {name: os.environ[name] for name in names if name in os.environ}
        return {**kept, "PCO_CONFIG": str(self.config), "PCO_NO_VENV": "1"}

    def run(
        self, program: str, *args: str, code: int | None = 0, by: Sequence[str] = (), **more: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run a real program to its end, `by` another; its exit code must be `code` (None: any)."""
        more = {"env": self.environment(), "timeout": 60, **more}
        command = [*by, sys.executable, str(TOP / "bin" / program), *args]
        result = subprocess.run(command, capture_output=True, text=True, check=False, **more)
        said = f"exit {result.returncode}\n{result.stdout}\n{result.stderr}"
        assert code is None or result.returncode == code, f"{program} {' '.join(args)}: {said}"
        assert "Traceback" not in result.stderr, said
        return result

    def start(self, program: str, *args: str, **more: Any) -> "subprocess.Popen[str]":
        """Start a real program; the caller ends it."""
        command = [sys.executable, str(TOP / "bin" / program), *args]
        return subprocess.Popen(command, env=self.environment(), text=True, **more)


def laid_out(home: Path) -> Site:
    """A pco without Plane, all below one folder."""
    made = Site(home, home / "pco.yaml", {})
    home.mkdir()
    Spool(home / "spool", "pco-poll").lay_out()
    for name in ("sessions", "mirrors", "plane", "audit", "metrics", "www", "run"):
        (home / name).mkdir()
    os.mkfifo(home / "run" / "trigger")
    # The machine that runs the tests may have a full disk.
    made.configure(paths={"root": str(home)}, health={"disk_free": "0%", "memory_free": "0M"})
    return made


@contextmanager
def in_memory() -> Iterator[Path]:
    """A scratch folder where flushing costs nothing, if this machine has one: for thousands of files."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


@contextmanager
def bound() -> Iterator[None]:
    """Let the modes of files bind this process, too, though it is root's: see capget(2)."""
    libc = ctypes.CDLL(None, use_errno=True)
    header, sets = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    assert libc.capget(header, sets) == 0
    before = sets[0]  # the effective ones
    sets[0] &= ~(1 << 1 | 1 << 2)  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
    assert libc.capset(header, sets) == 0
    try:
        yield
    finally:
        sets[0] = before
        assert libc.capset(header, sets) == 0


@contextmanager
def closed(folder: Path) -> Iterator[None]:
    """A folder that lets nobody in who is bound by modes."""
    mode = folder.stat().st_mode & 0o7777
    folder.chmod(0)
    try:
        yield
    finally:
        folder.chmod(mode)


def put(spool: Spool, ticket: Ticket, state: State) -> Ticket:
    """Place a ticket into a state as if it had come there, whoever may move it."""
    entry = Entry(T0, "pending", state.value, "test", ticket.round.n)
    placed = replace(ticket, state=state, history=(*ticket.history, entry))
    durable.write_new(spool.path(ticket.key, state), to_bytes(placed))
    spool.index.recount(state)
    return placed
