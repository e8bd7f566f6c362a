"""What the demo stands on: folders, a repository, processes; and how it shows what is typed and said."""

import os
import select
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "lib"))

import click  # noqa: E402

from pco.ground.errors import PcoError  # noqa: E402
from pco.rules import hearing  # noqa: E402
from pco.spool import Spool  # noqa: E402

TOKEN = "plane_api_demo_bot"
WEB, INF = "0d5a8a52-2b0b-4a51-9d1c-7f6d1f0a0001", "0d5a8a52-2b0b-4a51-9d1c-7f6d1f0a0002"
PATIENCE = 60.0  # seconds until something that must happen by itself counts as failed

BASKET = """\
from dataclasses import dataclass


@dataclass
class Article:
    name: str
    price: float
    quantity: int = 1


def total(articles):
    return sum(article.price for article in articles)
"""


class Failed(click.ClickException):
    """The demo cannot go on; the message says why."""


class Stage:
    """One run: what was started, and where things are: all of it under `home` and `run_folder`."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.run_folder = Path(tempfile.mkdtemp(prefix="pco-demo-"))
        self.started: list[subprocess.Popen[bytes]] = []
        self.environment = {**os.environ, "PCO_CONFIG": str(home / "pco.yaml"), "COLUMNS": "100"}
        self.environment |= {"PATH": f"{TOP / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(TOP / "lib")}

    def lay_out(self) -> None:
        """Make folders, a repository with a little shop in it, the token.  Raises Failed if a demo runs there."""
        self._vacate()
        for name in ("sessions", "mirrors", "plane", "audit", "metrics", "www", "logs", "plane-data"):
            (self.home / name).mkdir(parents=True)
        Spool(self.home / "spool", "pco-poll").lay_out()
        os.mkfifo(self.run_folder / "trigger", 0o620)
        self.secret("token", TOKEN)
        self._make_repository()

    def secret(self, name: str, words: str) -> Path:
        """A file that only its owner reads."""
        path = self.home / name
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(f"{words}\n")
        return path

    def _vacate(self) -> None:
        """Remove an earlier demo; nothing but one is removed."""
        if (self.home / "stop").exists():
            raise Failed(f"a demo was left running in {self.home}: end it with {self.home}/stop, then try again")
        if self.home.exists() and any(self.home.iterdir()) and not (self.home / "plane-data").is_dir():
            raise Failed(f"{self.home} is no demo, so it is not removed")
        shutil.rmtree(self.home, ignore_errors=True)

    def _make_repository(self) -> None:
        """A bare repository as a team has it, and a colleague's checkout of it."""
        checkout = self.home / "checkout"
        (checkout / "shop").mkdir(parents=True)
        (checkout / "shop" / "basket.py").write_text(BASKET)
        (checkout / "README.md").write_text("# The shop\n")
        who = ["-c", "user.name=Maria Silva", "-c", "user.email=maria@example.org"]
        for words in (["init", "-q", "-b", "main"], ["add", "."], [*who, "commit", "-qm", "The shop"]):
            subprocess.run(["git", "-C", str(checkout), *words], check=True)
        bare = str(self.home / "shop.git")
        subprocess.run(["git", "clone", "-q", "--bare", str(checkout), bare], check=True)
        subprocess.run(["git", "-C", str(checkout), "remote", "add", "origin", bare], check=True)

    # What runs.

    def start(self, name: str, argv: list[str]) -> "subprocess.Popen[bytes]":
        """Start something that stays, with its output in logs/; Ctrl-C does not reach it, `stop` does."""
        with open(self.home / "logs" / f"{name}.log", "wb") as log:
            child = subprocess.Popen(
                argv, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self.started.append(child)
        return child

    def start_server(self, name: str, url: Path, argv: list[str]) -> str:
        """Start a stand-in that writes its address into a file once it serves; returns the address."""
        child = self.start(name, [sys.executable, "-m", *argv])
        self.wait(name, lambda: url.exists() or child.poll() is not None)
        if not url.exists():
            raise Failed(f"{name} ended at once; see {self.home}/logs/{name}.log")
        return url.read_text().strip()

    def wait(self, what: str, done: Callable[[], bool], patience: float = PATIENCE) -> None:
        """Wait for something that happens by itself.  Raises Failed if it does not."""
        deadline = time.monotonic() + patience
        while not done():
            if time.monotonic() > deadline:
                raise Failed(f"{what}: nothing happened for {patience:.0f} seconds")
            time.sleep(0.05)

    def stop(self) -> None:
        """End what this run started, and nothing else; return when it is gone."""
        sessions = [int(pid) for pid in self._tmux("list-panes", "-a", "-F", "#{pane_pid}").split()]
        opened = []
        for pid in sessions:
            with suppress(ProcessLookupError):
                opened.append(os.pidfd_open(pid))
        self._tmux("kill-server")  # HUP for each session, which ends its agent
        for session in opened:
            if not select.select([session], [], [], 15)[0]:
                with suppress(ProcessLookupError):
                    signal.pidfd_send_signal(session, signal.SIGKILL)
            os.close(session)
        for child in reversed(self.started):
            child.terminate()
            child.wait(10)
        shutil.rmtree(self.run_folder, ignore_errors=True)

    def _tmux(self, *words: str) -> str:
        socket = self.run_folder / "tmux.sock"
        if not socket.exists():
            return ""
        done = subprocess.run(["tmux", "-S", str(socket), *words], capture_output=True, text=True, check=False)
        return done.stdout

    def leave(self) -> Path:
        """Let it run on; returns the script that ends it."""
        path = self.home / "stop"
        pids = " ".join(str(child.pid) for child in self.started)
        run, mark = shlex.quote(str(self.run_folder)), shlex.quote(f"PCO_CONFIG={self.home}/pco.yaml")
        path.write_text(
            "#!/bin/sh\n# End the demo that was left running here; what it wrote stays.\n"
            f"tmux -S {run}/tmux.sock kill-server 2>/dev/null\n"
            f'for pid in {pids}; do\n    grep -qsF {mark} "/proc/$pid/environ" && kill "$pid"\ndone\n'
            f'rm -rf {run}\nrm -f "$0"\n'
        )
        path.chmod(0o755)
        return path

    # What is shown.

    def run(self, *argv: str, folder: Path | None = None) -> str:
        """Show a command and what it says; a failure ends the demo."""
        click.secho(f"\n$ {' '.join(argv)}", bold=True)
        done = subprocess.run(
            argv,
            env=self.environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        click.echo((done.stdout + done.stderr).rstrip())
        if done.returncode:
            raise Failed(f"{argv[0]} ended with {done.returncode}")
        return done.stdout

    def state(self, key: str) -> str:
        """Where a ticket is now; empty while it moves."""
        found = Spool(self.home / "spool", "demo").find(key)
        return found.value if found else ""

    def waits(self, key: str, at_rest_for: float = 0.0) -> str:
        """What the session of a ticket waits for, if it waits for a person; for its next words only after some time."""
        try:
            ticket = Spool(self.home / "spool", "demo").read(key)
        except (KeyError, PcoError):
            return ""  # it moves
        if ticket.attempt is None or ticket.attempt.end or ticket.round.summary:
            return ""
        if ticket.blocked:
            return f"it asks: {ticket.blocked.what}"
        doing, since = ticket.attempt.doing, ticket.attempt.doing_since
        rests = hearing.at_rest(doing) and since and (datetime.now(UTC) - since).total_seconds() >= at_rest_for
        return doing if rests else ""


def story(text: str) -> None:
    """Say what happens next, and why."""
    click.secho(f"\n-- {text}", fg="green")
