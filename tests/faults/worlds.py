"""A pco with all that is around it, below one folder: laid out once for a scene, copied anew for each fault.

    LIVE/pco      the site: configuration, spool, and all else that pco writes     LIVE/git    a repository to work on
    LIVE/plane    the simulated Plane's data                                       LIVE/bin    a tmux that starts nothing
    LIVE/heard    what hooks were told                                             LIVE/started  homes of sessions, a line each

The copy always lies where the original lay, for paths stand in the files.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from faults import running
from faults.running import Ended
from pco.ground import attempt, boot, durable
from pco.ground.attempt import Launch
from pco.ground.record import to_bytes
from pco.ground.ticket import Approval, Attempt, Entry, PlaneState, Post, Round, State, Ticket, Trigger
from pco.rules import comment, prompt
from pco.sim import Person
from pco.sim.store import read_journal
from pco.spool import Spool
from programs.posting import STATES, TOKEN, USERS
from support import Site, a_ticket

ITEMS = 12
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
TMUX = """#!/bin/sh
for word; do last=$word; case "$word" in
list-sessions) test -s {live}/living || {{ echo 'no server running' >&2; exit 1; }}; cat {live}/living; exit 0;;
new-session) starts=1;;
esac; done
test -n "$starts" || exit 0
echo "$last" >>{live}/started
exit 0
"""


@dataclass
class World(Site):
    """A site whose programs run as forks; `live` is the folder of all."""

    live: Path = Path()
    scratch: Path = Path()
    port: int = 0
    race: float = 0.05  # seconds, see pco.sim.call.Settings
    _plane: int = 0

    # Programs.

    def environment(self) -> dict[str, str]:
        """What programs get."""
        return {**super().environment(), "PATH": f"{self.live}/bin:{os.environ['PATH']}", "INVOCATION_ID": "0"}

    def do(self, *command: str, stdin: str = "", environ: dict[str, str] | None = None) -> Ended:
        """Run a program, however it ends."""
        return running.run(command, {**self.environment(), **(environ or {})}, self.scratch, stdin)

    def run(self, program: str, *args: str, code: int | None = 0, **_: Any) -> "subprocess.CompletedProcess[str]":
        """Run a program as `Site.run` does."""
        ended = self.do(program, *args)
        assert code is None or ended.code == code, f"{program} {' '.join(args)}: {ended}"
        return subprocess.CompletedProcess((program, *args), ended.code, ended.out, ended.err)

    # Copies.

    @property
    def spooled(self) -> Spool:
        """The spool."""
        return self.spool("pco-watch")

    def keep(self, where: Path) -> None:
        """Copy all of it away."""
        self.hush()
        subprocess.run(["cp", "-a", str(self.live), str(where)], check=True)

    def bring(self, where: Path) -> None:
        """Have what was kept, and a Plane that knows what it knew then."""
        self.hush()
        shutil.rmtree(self.live, ignore_errors=True)
        subprocess.run(["cp", "-a", str(where), str(self.live)], check=True)

    # Plane.

    def speak(self) -> None:
        """Let Plane answer: a process of its own, as killing and copying ask for."""
        if self._plane:
            return
        reader, writer = os.pipe()
        self._plane = os.fork()
        if not self._plane:
            _serve(self.live / "plane", self.port, writer, self.race)
        os.close(writer)
        said = os.read(reader, 1)
        os.close(reader)
        assert said == b"!", "the simulated Plane does not begin"

    def hush(self) -> None:
        """End Plane; what it answered is on its disk."""
        if self._plane:
            os.kill(self._plane, signal.SIGKILL)
            os.waitpid(self._plane, 0)
            self._plane = 0

    @property
    def person(self) -> Person:
        """Somebody who works in Plane by hand."""
        self.speak()
        return Person(f"http://127.0.0.1:{self.port}", "plane_api_maria", "acme", "WEB")

    def rows(self, table: str) -> list[dict[str, Any]]:
        """What really is in Plane, whatever was answered."""
        kept = {row["id"]: row for name, row in read_journal(self.live / "plane" / "journal.jsonl") if name == table}
        return list(kept.values())

    # Tickets.

    def state(self, name: str) -> PlaneState:
        """A state of the project."""
        row = next(row for row in self.rows("states") if row["name"] == name)
        return PlaneState(row["id"], name, row["group"])

    @property
    def project(self) -> str:
        """The id of the one project."""
        return str(self.rows("projects")[0]["id"])

    def ticket(self, key: str, state: State, ago: timedelta = timedelta(), **round: Any) -> Ticket:
        """Put a ticket of an item there, as if it had come there so long ago; `round` are fields of its round."""
        number = int(key.rpartition("-")[2])
        item = next(row for row in self.rows("items") if row["sequence_id"] == number)
        came = datetime.now(UTC) - ago
        todo = self.state("Todo")
        begun = replace(Round(1, Trigger("new", came, state=todo)), **round)
        made = a_ticket(key, uuid=item["id"], project=self.project, plane_state=todo, rounds=(begun,))
        entry = Entry(came, "pending", state.value, "test", 1)
        placed = replace(made, state=state, history=(entry,))
        spool = self.spooled
        durable.write_new(spool.path(key, state), to_bytes(placed))
        spool.index.recount(state)
        spool.index.rewritten(placed)
        return placed

    def approved(self, key: str) -> Ticket:
        """An approved ticket."""
        return self.ticket(key, State.APPROVED, approval=self._approval(key))

    def _approval(self, key: str) -> Approval:
        made = a_ticket(key, project=self.project)
        where = prompt.Target(str(self.live / "git"), "main", "command", "acceptEdits")
        return Approval("ann", datetime.now(UTC), prompt.content_hash(made, where))

    def accepted(self, key: str, state: State = State.OUTBOX, **post: Any) -> Ticket:
        """A ticket whose comment was accepted."""
        ticket = self.ticket(key, state, summary=f"Did {key}.", summary_by="agent")
        frozen = Post(f"<p>Did {key}.</p>", comment.external_id(ticket), **post)
        made = ticket.with_round(post=frozen)
        durable.replace(self.spooled.path(key, state), to_bytes(made))
        return made

    def active(self, key: str, argv: tuple[str, ...] = ("true",), *, living: bool = False) -> Path:
        """An active ticket with the folder of its attempt, which is returned; its session has not begun."""
        begun = Attempt(1, datetime.now(UTC), boot_id=boot.boot_id(), boot_time=boot.clock())
        self.ticket(key, State.ACTIVE, attempts=(begun,), approval=self._approval(key))
        home = attempt.folder(self.home / "sessions", key, 1, 1)
        home.mkdir(parents=True)
        (home / "prompt.md").write_text(f"Work on {key}.\n")
        attempt.write_launch(home, self.launch(key, home, argv))
        if living:
            with open(self.live / "living", "a") as file:
                file.write(f"{key}\n")
        return home

    def launch(self, key: str, home: Path, argv: tuple[str, ...]) -> Launch:
        """What pco-launch tells a session."""
        return Launch(
            key,
            1,
            1,
            out=str(home / "out"),
            workspace=str(home.parent / "workspace"),
            mirror=str(self.home / "mirrors" / f"{self.project}.git"),
            base="main",
            branch=f"pco/{key}",
            prompt=str(home / "prompt.md"),
            trigger=str(self.home / "run" / "trigger"),
            argv=argv,
            environment={"PCO_ATTEMPT_DIR": str(home), "PATH": os.environ["PATH"]},
            grace=1.0,
            screen_every=1000.0,
        )

    def born(self, home: Path) -> Path:
        """Let the session of an attempt have begun, and be gone; returns its out/."""
        out = home / "out"
        (out / "events").mkdir(parents=True)
        # The last number that any kernel gives: one of a process that has ended may be another one's in a long run.
        value = {"at": "2026-11-22T12:00:00Z", "pid": (1 << 22) - 1, "boot_id": boot.boot_id()}
        (out / "birth").write_text(json.dumps(value))
        os.mkfifo(out / "bell")
        return out


def lay_out(top: Path) -> World:
    """A world without tickets, whose Plane has some items that polls know."""
    live, scratch = top / "live", top / "scratch"
    shutil.rmtree(live, ignore_errors=True)
    live.mkdir(parents=True)
    scratch.mkdir(exist_ok=True)
    home = live / "pco"
    world = World(home, home / "pco.yaml", {}, live, scratch, _free_port())
    home.mkdir()
    Spool(home / "spool", "pco-poll").lay_out()
    for name in ("sessions", "mirrors", "plane", "audit", "metrics", "metrics/spend", "www", "run", "backups"):
        (home / name).mkdir()
    os.mkfifo(home / "run" / "trigger")
    (home / "token").write_text(TOKEN)
    (home / "token").chmod(0o600)
    (live / "bin").mkdir()
    (live / "bin" / "tmux").write_text(TMUX.format(live=live))
    (live / "bin" / "tmux").chmod(0o755)
    _repository(live / "git")
    _hook(home / "hooks.d" / "all" / "note", f"cat >>{live}/heard; echo >>{live}/heard")
    _sow(live / "plane", world.port)
    world.configure(
        paths={"root": str(home)},
        # A long run comes back to a scene hours after it was laid out: its last poll is never too old to launch by.
        health={"disk_free": "0%", "memory_free": "0M", "stale_after": "1000h"},
        sessions={"runner": "tmux", "command": ["true"], "start_within": "0s", "retry_after": "0s", "per_project": 4},
        plane={
            "url": f"http://127.0.0.1:{world.port}",
            "workspace": "acme",
            "token_file": str(home / "token"),
            "timeout": "5s",
            "settle": "0s",
            "requests_per_minute": 10_000,
            "projects": [{"id": world.project, "repository": str(live / "git"), "key": "WEB"}],
        },
    )
    return world


def _serve(data: Path, port: int, ready: int, race: float) -> None:
    """In a child: be Plane until killed, or until who forked it is gone."""
    import ctypes
    import threading

    from pco.sim.call import Settings
    from pco.sim.running import Sim, world

    try:
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        Sim(world(data, None, Settings(rate=0, race=race), 1.0), port)
        os.write(ready, b"!")
        os.close(ready)
        threading.Event().wait()
    finally:
        os._exit(1)


def _sow(data: Path, port: int) -> None:
    from pco import sim

    rows = [
        {"name": f"Title of WEB-{n}", "description_html": "<p>Do it.</p>", "state": "Todo", "sequence_id": n}
        for n in range(1, ITEMS + 1)
    ]
    project = {"identifier": "WEB", "name": "Web", "states": STATES, "items": rows}
    with sim.running({"workspace": "acme", "users": USERS, "projects": [project]}, data, rate=0, port=port):
        pass


def _repository(folder: Path) -> None:
    who = {f"GIT_{a}_{b}": "t@localhost" for a in ("AUTHOR", "COMMITTER") for b in ("NAME", "EMAIL")}
    environ = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1", **who}
    for words in (
        ("init", "-q", "-b", "main", str(folder)),
        ("-C", str(folder), "commit", "-q", "--allow-empty", "-m", "First"),
    ):
        subprocess.run(["git", *words], env=environ, check=True)


def _hook(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def scratch(kept: Path | None = None) -> Iterator[Path]:
    """A folder for worlds, in memory if there is such a place; what was made goes."""
    place = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else Path(os.environ.get("TMPDIR", "/tmp"))
    folder = kept or Path(tempfile.mkdtemp(prefix="pco-faults-", dir=place))  # a killed run may have left one
    folder.mkdir(exist_ok=True)
    try:
        yield folder
    finally:
        if kept is None:
            with suppress(OSError):
                shutil.rmtree(folder)
