"""Sessions for tests: active tickets as pco-launch leaves them, real tmux sessions, small agents.

The tests in programs/supervised get the fixtures `yard` and `watch`.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pco.ground import attempt, boot, leavings, shape
from pco.ground.attempt import Launch
from pco.ground.errors import PcoError
from pco.ground.ticket import Approval, Attempt, State, Ticket
from pco.outside.runners import RunnerSession
from pco.outside.runners.tmux import Tmux
from support import TOP, Site, a_ticket, put

IDENTITY = {f"GIT_{who}_{what}": "t@localhost" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


QUICK = {"complete_grace": "200ms", "start_within": "5s", "retry_after": "1s"}


@pytest.fixture
def yard(site: Site, tmp_path: Path) -> Iterator["Yard"]:
    """A site with quick deadlines; the sessions in it end with the test."""
    site.configure(sessions=QUICK)
    run = site.home / "run"
    tmux = Tmux(run / "tmux.sock", run / "trigger")
    made = Yard(site, a_mirror(tmp_path / "mirror.git"), tmux, tmp_path / "watch.log", [])
    yield made
    made.close()


@pytest.fixture
def watch(yard: "Yard") -> Iterator["subprocess.Popen[str]"]:
    """A running pco-watch; it must end well."""
    started = yard.watch()
    yield started
    started.terminate()
    assert started.wait(10) == 0, yard.log.read_text()


def sh(script: str) -> tuple[str, ...]:
    """An agent: a shell script."""
    return ("sh", "-c", script)


def git(*args: str, cwd: Path | None = None) -> str:
    """Run git with a fixed identity, and none of the developer's configuration."""
    environ = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1", **IDENTITY}
    done = subprocess.run(["git", *args], cwd=cwd, env=environ, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def born(out: Path) -> Path:
    """An out/ with the birth of a session whose process is gone."""
    (out / "events").mkdir(parents=True)
    ended = subprocess.Popen(["true"])
    ended.wait()
    birth = leavings.Birth(datetime.now(UTC), ended.pid, boot.boot_id())
    (out / "birth").write_text(json.dumps(shape.dump(birth)))
    return out


def a_mirror(folder: Path) -> Path:
    """A bare repository with one commit on main."""
    git("init", "-q", "--bare", "-b", "main", str(folder))
    git("clone", "-q", str(folder), str(folder.with_suffix(".work")))
    work = folder.with_suffix(".work")
    (work / "README").write_text("hello\n")
    git("checkout", "-q", "-B", "main", cwd=work)
    git("add", "README", cwd=work)
    git("commit", "-q", "-m", "first", cwd=work)
    git("push", "-q", "origin", "main", cwd=work)
    return folder


def until(true: Callable[[], Any], seconds: float = 60.0) -> Any:
    """Wait until something is so, and return it; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with suppress(KeyError, FileNotFoundError):
            if value := true():
                return value
        time.sleep(0.01)
    raise AssertionError(f"not so after {seconds} s")


@dataclass
class Yard:
    """A site with a mirror and a tmux server of its own."""

    site: Site
    mirror: Path
    tmux: Tmux
    log: Path
    started: list["subprocess.Popen[str]"]

    def home(self, key: str, round: int = 1, n: int = 1) -> Path:
        """The folder of an attempt."""
        return attempt.folder(self.site.home / "sessions", key, round, n)

    def out(self, key: str, round: int = 1, n: int = 1) -> Path:
        """What the session leaves."""
        return self.home(key, round, n) / "out"

    def claim(self, key: str, argv: tuple[str, ...] = sh("true"), ago: float = 0.0, **changes: Any) -> Ticket:
        """An active ticket whose attempt began `ago` seconds ago, with all that pco-launch prepares for its session."""
        launch_changes = changes.pop("launch", {})
        given = changes.pop("ticket", None) or a_ticket(key)
        n = len(given.round.attempts) + 1
        begun = Attempt(n, datetime.now(UTC), boot_id=boot.boot_id(), boot_time=boot.clock() - ago)
        attempts = (*given.round.attempts, replace(begun, **changes))
        ticket = given.with_round(attempts=attempts, approval=Approval("alice", datetime.now(UTC), "x"))
        self.prepare(ticket, argv, **launch_changes)
        return put(self.site.spool(), ticket, State.ACTIVE)

    def prepare(self, ticket: Ticket, argv: tuple[str, ...], **changes: Any) -> Launch:
        """The folder of the ticket's current attempt."""
        assert ticket.attempt
        home = self.home(ticket.key, ticket.round.n, ticket.attempt.n)
        home.mkdir(parents=True)
        (home / "prompt.md").write_text(f"Work on {ticket.key}.\n")
        environ = {
            "PCO_KEY": ticket.key,
            "PCO_ATTEMPT_DIR": str(home),
            "PATH": self.path,
        }
        launch = Launch(
            ticket.key,
            ticket.round.n,
            ticket.attempt.n,
            out=str(home / "out"),
            workspace=str(home.parent / "workspace"),
            mirror=str(self.mirror),
            base="main",
            branch=f"pco/{ticket.key}",
            prompt=str(home / "prompt.md"),
            trigger=str(self.site.home / "run" / "trigger"),
            argv=argv,
            environment=environ,
            grace=1.0,
            screen_every=0.3,
        )
        attempt.write_launch(home, replace(launch, **changes))
        return replace(launch, **changes)

    def begin(self, key: str, n: int = 1, round: int = 1) -> None:
        """Start the session in tmux."""
        argv = (sys.executable, str(TOP / "bin" / "pco-session"), str(self.home(key, round, n)))
        self.tmux.start(RunnerSession(key, argv, {"PCO_NO_VENV": "1"}))

    def run(self, key: str, argv: tuple[str, ...], **changes: Any) -> None:
        """Claim and begin."""
        self.claim(key, argv, **changes)
        self.begin(key)

    def watch(self, *args: str) -> "subprocess.Popen[str]":
        """Start pco-watch; it says everything into `log`.  Returns once it watches."""
        before = self.log.stat().st_size if self.log.exists() else 0
        with open(self.log, "a") as log:
            started = self.site.start("pco-watch", "-v", *args, stderr=log)
        self.started.append(started)
        lock = self.site.home / "spool" / ".watch.lock"
        until(lambda: started.poll() is not None or _holds(started.pid, lock) or self.log.stat().st_size > before)
        return started

    @property
    def path(self) -> str:
        """PATH for agents: the Python of the tests, so that pco-complete runs under it."""
        return f"{Path(sys.executable).parent}:{os.environ['PATH']}"

    def ring(self) -> None:
        """One byte into the trigger."""
        with open(self.site.home / "run" / "trigger", "wb", buffering=0) as trigger:
            trigger.write(b"e")

    def state(self, key: str) -> State | None:
        """Where a ticket is."""
        return self.site.spool().find(key)

    def ticket(self, key: str) -> Ticket:
        """The record."""
        return self.site.spool().read(key)

    def comes_to(self, key: str, state: State, seconds: float = 60.0) -> Ticket:
        """Wait until a ticket is in a state; returns its record."""
        try:
            until(lambda: self.state(key) is state, seconds)
        except AssertionError:
            raise AssertionError(f"{key} is {self.state(key)}, not {state}\n{self.log.read_text()}") from None
        return self.ticket(key)

    def close(self) -> None:
        """End what was started, and nothing else: the tmux server by its own socket, sessions by their births."""
        for program in self.started:
            if program.poll() is None:
                program.kill()
                program.wait()
        if self.tmux.socket.exists():
            subprocess.run(["tmux", "-S", str(self.tmux.socket), "kill-server"], capture_output=True, check=False)
        for birth in self.site.home.glob("sessions/*/*/out/birth"):
            with suppress(OSError, ValueError):
                _end(int(json.loads(birth.read_bytes())["pid"]), str(self.site.home))


def _end(pid: int, home: str) -> None:
    """Kill a session that does not end by itself, and its agent; only if it is one of this test."""
    if home not in Path(f"/proc/{pid}/cmdline").read_text():
        return
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        os.killpg(int(child), signal.SIGKILL)
    time.sleep(0.05)
    os.kill(pid, signal.SIGKILL)


def _holds(pid: int, lock: Path) -> bool:
    with suppress(OSError, PcoError):
        return any(os.path.realpath(f"/proc/{pid}/fd/{n}") == str(lock) for n in os.listdir(f"/proc/{pid}/fd"))
    return False
