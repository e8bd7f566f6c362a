"""A whole pco with the real Claude Code as its agent: local tickets, runner tmux, a stand-in of the model's API.

Whoever types here is a test that plays a person at the terminal of a session; no program of pco ever does.
"""

import json
import os
import re
import shlex
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pco.ground import attempt, leavings
from pco.ground.errors import BadData
from pco.ground.leavings import Event
from pco.ground.ticket import State, Ticket
from pco.outside.agents import read_event
from pco.sim.model import Model
from pco.spool import Spool
from sessions import a_mirror, until
from support import TOP, WEB, Site, a_ticket

BINARY = TOP / ".venv" / "claude" / "2.1.330" / "claude"
QUICK = {"complete_grace": "500ms", "retry_after": "1s", "start_within": "20s", "limit": 40, "per_project": 40}
PATIENCE = 60.0
OPS = "1c9f0f4e-3a55-4b43-9a2c-0a5e8f6f0002"


def binary() -> Path:
    """The pinned program.  It is no reason to skip that it is missing."""
    assert BINARY.exists(), "Claude Code is not there: make .venv/.claude"
    return BINARY


@dataclass
class Desk:
    """One pco."""

    site: Site
    model: Model
    repository: Path
    running: list["subprocess.Popen[str]"] = field(default_factory=list)

    @classmethod
    def of(cls, home: Path, model: Model, claude: dict[str, Any]) -> "Desk":
        """Lay it all out under `home`, and start pco-watch."""
        for name in ("sessions", "mirrors", "plane", "audit", "metrics", "www", "run"):
            (home / name).mkdir(parents=True)
        Spool(home / "spool", "pco-poll").lay_out()
        os.mkfifo(home / "run" / "trigger", 0o620)
        repository = a_mirror(home / "shop.git")
        for name, secret in (("key", model.key), ("token", "plane_api_none")):
            (home / name).write_text(f"{secret}\n")
            (home / name).chmod(0o600)
        site = Site(home, home / "pco.yaml", {})
        plane = {"url": "http://127.0.0.1:1", "workspace": "acme", "token_file": str(home / "token")}
        # A short socket: its path has at most 107 bytes.
        run = Path(f"/tmp/pco-{os.getpid()}-{home.parent.name[-20:]}")
        run.symlink_to(home / "run")
        site.configure(
            paths={"root": str(home), "run": str(run)},
            plane={**plane, "projects": [{"id": WEB, "key": "WEB", "repository": str(repository)}]},
            sessions={"runner": "tmux", **QUICK},
            claude={
                "program": str(binary()),
                "key_file": str(home / "key"),
                "base_url": model.url,
                # By itself it tries for three minutes.
                "environment": {"CLAUDE_CODE_MAX_RETRIES": "1"},
                **claude,
            },
        )
        desk = cls(site, model, repository)
        desk.watch()
        return desk

    def two_ways(self, **headless: Any) -> None:
        """From now on there are two projects with one repository: WEB is interactive, OPS headless."""
        web = {"id": WEB, "key": "WEB", "repository": str(self.repository)}
        ops = {**web, "id": OPS, "key": "OPS", "claude": {"mode": "headless", **headless}}
        self.site.configure(plane={"projects": [web, ops]})
        self.watch_anew()

    def close(self) -> None:
        """End what was started, and nothing else."""
        for child in self.running:
            child.terminate()
            child.wait(10)
        run = Path(self.site.values["paths"]["run"])
        subprocess.run(["tmux", "-S", str(run / "tmux.sock"), "kill-server"], capture_output=True, check=False)
        run.unlink(missing_ok=True)

    def watch(self) -> "subprocess.Popen[str]":
        """Start pco-watch."""
        with open(self.log, "a") as log:
            self.running.append(self.site.start("pco-watch", "-v", stderr=log))
        return self.running[-1]

    def watch_anew(self) -> None:
        """Have pco-watch read the configuration that a test has changed."""
        self.running[-1].terminate()
        self.running[-1].wait(10)
        self.watch()

    @property
    def log(self) -> Path:
        """What pco-watch says."""
        return self.site.home / "watch.log"

    # Tickets.

    def ticket(self, text: str = "Do it.", title: str = "A ticket") -> str:
        """A new local ticket, approved; returns its key."""
        said = self.site.run("pco-queue", "add", "--test", "--title", title, "--text", "-", input=text).stdout
        key = said.partition(":")[0]
        self.site.run("pco-queue", "approve", "--yes", key)
        return key

    def place(self, project: str, description: str = "Do it.", title: str = "A ticket") -> str:
        """A new local ticket with words that no program has cleaned, approved; returns its key.

        `project` is a UUID, or one of the `two_ways`: interactive, headless.
        """
        spool = self.site.spool()
        project = {"interactive": WEB, "headless": OPS}.get(project, project)
        key = f"LOCAL-{1 + sum(key.startswith('LOCAL-') for key in spool.keys(*State))}"
        spool.create(a_ticket(key, project=project, local=True, description=description, title=title))
        self.site.run("pco-queue", "approve", "--yes", key)
        return key

    def launch(self, *keys: str) -> None:
        """Start what can start."""
        self.site.run("pco-launch", *keys)

    def run(self, text: str = "Do it.", title: str = "A ticket") -> str:
        """A new ticket whose session is started; returns its key."""
        key = self.ticket(text, title)
        self.launch(key)
        return key

    def record(self, key: str) -> Ticket:
        """The record of a ticket."""
        return self.site.spool().read(key)

    def comes_to(self, key: str, *states: State, seconds: float = PATIENCE) -> Ticket:
        """Wait until a ticket is in one of these states."""
        return self.until(key, lambda: self.site.spool().find(key) in states and self.record(key), str(states), seconds)

    def until(self, key: str, true: Callable[[], Any], what: str, seconds: float = PATIENCE) -> Any:
        """Wait for something; a failure shows the screen and the log."""
        try:
            return until(true, seconds)
        except AssertionError:
            found = self.site.spool().find(key)
            said = f"{key} is {found}, not {what}\n{self.screen(key)}\n{self.log.read_text()}"
            raise AssertionError(f"{said}\n{self.record(key)}") from None

    # Sessions.

    def home(self, key: str, round: int = 1, n: int = 1) -> Path:
        """The folder of an attempt."""
        return attempt.folder(self.site.home / "sessions", key, round, n)

    def workspace(self, key: str) -> Path:
        """The clone that the agent works in."""
        return self.site.home / "sessions" / key / "workspace"

    def events(self, key: str, round: int = 1, n: int = 1) -> list[Event]:
        """What a session told."""
        try:
            out = leavings.open_out(self.home(key, round, n) / "out")
        except OSError:
            return []
        try:
            return [read_event(leavings.read_event(out, name)) for name in leavings.event_names(out)]
        except BadData:
            return []
        finally:
            os.close(out)

    def kinds(self, key: str, round: int = 1, n: int = 1) -> list[str]:
        """The kinds of all events."""
        return [event.kind for event in self.events(key, round, n)]

    def tells(self, key: str, kind: str, round: int = 1, n: int = 1, count: int = 1) -> Event:
        """Wait until a session has told something `count` times."""

        def found() -> Event | None:
            events = [event for event in self.events(key, round, n) if event.kind == kind]
            return events[-1] if len(events) >= count else None

        event: Event = self.until(key, found, f"telling {kind}")
        return event

    def result(self, key: str) -> dict[str, Any]:
        """What a headless session printed."""
        value: dict[str, Any] = json.loads((self.home(key) / "out" / "result").read_text())
        return value

    # At the terminal.

    def tmux(self, *words: str, given: str | None = None) -> str:
        """One command to the server of the sessions."""
        socket = Path(self.site.values["paths"]["run"]) / "tmux.sock"
        argv = ["tmux", "-S", str(socket), *words]
        return subprocess.run(argv, input=given, capture_output=True, text=True, check=False).stdout

    def screen(self, key: str) -> str:
        """What a person would see."""
        return self.tmux("capture-pane", "-p", "-t", f"={key}:")

    def shows(self, key: str, words: str, seconds: float = 60.0) -> None:
        """Wait until these words are on the screen."""
        self.until(key, lambda: words in self.screen(key), f"showing {words!r}", seconds)

    def press(self, key: str, *names: str) -> None:
        """Press keys, by tmux's names."""
        self.tmux("send-keys", "-t", f"={key}:", *names)

    def type(self, key: str, words: str) -> None:
        """Type (paste) words and press Enter once they are on the screen."""
        self.tmux("load-buffer", "-b", "typed", "-", given=words)
        self.tmux("paste-buffer", "-p", "-d", "-b", "typed", "-t", f"={key}:")
        last = re.sub(r"\s+", "", words)[-12:]
        until(lambda: last in re.sub(r"\s+", "", self.screen(key)))
        self.press(key, "Enter")

    def pid(self, key: str, round: int = 1, n: int = 1) -> int:
        """The process of the agent of a session."""
        return int(self.tells(key, "launched", round, n).detail["pid"])


def complete(summary: str) -> dict[str, Any]:
    """A step in which the agent hands over a summary."""
    return {"tool": "Bash", "input": {"command": f"pco-complete {shlex.quote(summary)}", "description": "hand over"}}


def commit(name: str = "made.txt") -> dict[str, Any]:
    """A step in which the agent commits a file."""
    return {"tool": "Bash", "input": {"command": f"git add {name} && git commit -qm 'Add {name}'"}}


def write(path: Path, content: str = "made\n") -> dict[str, Any]:
    """A step in which the agent writes a file."""
    return {"tool": "Write", "input": {"file_path": str(path), "content": content}}
