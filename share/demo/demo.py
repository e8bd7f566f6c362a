#!/usr/bin/env python3
"""Run the main job of pco on a simulated Plane: `make demo`.

Everything but Plane is real: the programs of bin/, a git repository, tmux.  Every step shows the command that a person
(or a timer) would type, and what it says.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "lib"))

import click  # noqa: E402

from pco.sim import Person  # noqa: E402

HOME = TOP / "demo"
TOKEN = "plane_api_demo_bot"
WEB, INF = "0d5a8a52-2b0b-4a51-9d1c-7f6d1f0a0001", "0d5a8a52-2b0b-4a51-9d1c-7f6d1f0a0002"
PATIENCE = 30.0  # seconds until something that must happen by itself counts as failed

CONFIG = """\
plane:
  url: {url}
  workspace: acme
  token_file: {home}/token
  settle: 2s
  projects:
    - {{id: {web}, repository: {home}/shop.git}}
    - {{id: {inf}, repository: {home}/shop.git}}
sessions:
  runner: tmux
  command: [{top}/share/demo/agent]
  complete_grace: 1s
paths:
  root: {home}
  run: {run}
"""

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


class Demo:
    """One run: what was started, and where things are."""

    def __init__(self) -> None:
        self.run_folder = Path(tempfile.mkdtemp(prefix="pco-demo-"))
        self.started: list[subprocess.Popen[bytes]] = []
        self.environment = {**os.environ, "PCO_CONFIG": str(HOME / "pco.yaml"), "COLUMNS": "100"}
        self.environment["PATH"] = f"{TOP / 'bin'}:{os.environ['PATH']}"

    def lay_out(self) -> None:
        """Make folders, a repository with a little shop in it, the token."""
        from pco.spool import Spool

        shutil.rmtree(HOME, ignore_errors=True)
        for name in ("sessions", "mirrors", "plane", "audit", "metrics", "www", "logs", "plane-data"):
            (HOME / name).mkdir(parents=True)
        Spool(HOME / "spool", "pco-poll").lay_out()
        os.mkfifo(self.run_folder / "trigger", 0o620)
        os.close(os.open(HOME / "token", os.O_WRONLY | os.O_CREAT, 0o600))
        (HOME / "token").write_text(TOKEN + "\n")
        self.make_repository()

    def make_repository(self) -> None:
        """A bare repository as a team has it, and a colleague's checkout of it."""
        checkout = HOME / "checkout"
        (checkout / "shop").mkdir(parents=True)
        (checkout / "shop" / "basket.py").write_text(BASKET)
        (checkout / "README.md").write_text("# The shop\n")
        who = ["-c", "user.name=Maria Silva", "-c", "user.email=maria@example.org"]
        for words in (["init", "-q", "-b", "main"], ["add", "."], [*who, "commit", "-qm", "The shop"]):
            subprocess.run(["git", "-C", str(checkout), *words], check=True)
        subprocess.run(["git", "clone", "-q", "--bare", str(checkout), str(HOME / "shop.git")], check=True)
        subprocess.run(["git", "-C", str(checkout), "remote", "add", "origin", str(HOME / "shop.git")], check=True)

    def start(self, name: str, argv: list[str]) -> "subprocess.Popen[bytes]":
        """Start something that stays, with its output in demo/logs."""
        with open(HOME / "logs" / f"{name}.log", "wb") as log:
            child = subprocess.Popen(argv, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.started.append(child)
        return child

    def start_plane(self) -> str:
        """Start the simulator; returns its address."""
        data = HOME / "plane-data"
        seed = TOP / "share" / "demo" / "workspace.json"
        argv = [sys.executable, "-m", "pco.sim", "--port", "0", "--data", str(data), "--seed", str(seed)]
        self.environment["PYTHONPATH"] = str(TOP / "lib")
        child = self.start("plane", [*argv, "--scale", "0.2"])
        self.wait("the simulator", lambda: (data / "url").exists() or child.poll() is not None)
        return (data / "url").read_text().strip()

    def wait(self, what: str, done: Callable[[], bool]) -> None:
        """Wait for something that happens by itself."""
        deadline = time.monotonic() + PATIENCE
        while not done():
            if time.monotonic() > deadline:
                raise click.ClickException(f"{what}: nothing happened for {PATIENCE:.0f} seconds")
            time.sleep(0.05)

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
            raise click.ClickException(f"{argv[0]} ended with {done.returncode}")
        return done.stdout

    def states(self) -> dict[str, str]:
        """Where every ticket is now."""
        asked = [str(TOP / "bin" / "pco-queue"), "list", "--format", "json"]
        done = subprocess.run(asked, env=self.environment, capture_output=True, text=True, check=True)
        return {row["key"]: row["state"] for row in json.loads(done.stdout)}

    def stop(self) -> None:
        """End what this run started, and nothing else."""
        socket = self.run_folder / "tmux.sock"
        if socket.exists():
            subprocess.run(["tmux", "-S", str(socket), "kill-server"], capture_output=True, check=False)
        for child in reversed(self.started):
            child.send_signal(signal.SIGTERM)
            child.wait(10)
        shutil.rmtree(self.run_folder, ignore_errors=True)


def story(text: str) -> None:
    """Say what happens next, and why."""
    click.secho(f"\n-- {text}", fg="green")


def tell(demo: Demo) -> None:
    """The way of three tickets."""
    url = demo.start_plane()
    values = {"url": url, "home": HOME, "run": demo.run_folder, "top": TOP, "web": WEB, "inf": INF}
    (HOME / "pco.yaml").write_text(CONFIG.format(**values))
    maria = Person(url, "plane_api_maria", "acme", "WEB")
    jonas = Person(url, "plane_api_jonas", "acme", "INF")

    story(f"A simulated Plane answers at {url}: two projects, a dozen tickets. pco takes over what is open there.")
    demo.run("pco-poll", "--backfill")
    story("What waits for a person?")
    demo.run("pco-queue")
    demo.run("pco-queue", "show", "WEB-1")
    story("Maria approves three tickets. The approval is bound to just this text.")
    demo.run("pco-queue", "approve", "WEB-1", "WEB-2", "INF-1")

    story("Jonas edits WEB-2 in Plane after that: what was approved is no longer what stands there, so it returns.")
    maria.edit("WEB-2", description_html="<p>Also explain how to delete the database.</p>")
    demo.run("pco-poll")
    demo.run("pco-queue", "list")

    story("pco-watch is the only program that stays; pco-launch starts a session in tmux for each approved ticket.")
    demo.start("pco-watch", [str(TOP / "bin" / "pco-watch")])
    demo.run("pco-launch")
    keys = ("WEB-1", "INF-1")
    demo.wait("the sessions", lambda: all(demo.states().get(key) == "completed" for key in keys))
    story("Both sessions have edited, committed, and handed over a summary.")
    demo.run("pco-queue")
    demo.run("pco-queue", "diff", "WEB-1")

    story("Maria accepts the summaries; pco-post puts comment and state into Plane, exactly once.")
    demo.run("pco-queue", "post", "--yes", *keys)
    demo.run("pco-post")
    (comment,) = [row for row in maria.comments("WEB-1") if row["external_source"] == "pco"]
    click.echo(f"\nIn Plane WEB-1 is now {maria.state('WEB-1')}, with this comment:\n{comment['comment_html']}")
    story("The commit comes over for review.")
    demo.run("pco-queue", "fetch", "WEB-1", str(HOME / "checkout"))
    demo.run("git", "log", "--oneline", "pco/WEB-1", folder=HOME / "checkout")

    story("Jonas is not content with INF-1 and says so in Plane: it comes back for another round.")
    jonas.comment("INF-1", "<p>Please keep fourteen days, not seven.</p>")
    demo.wait("the comment", lambda: came_back(demo))
    demo.run("pco-queue", "show", "INF-1")
    check(demo)


def came_back(demo: Demo) -> bool:
    """Poll until Plane's own late bookkeeping shows the comment."""
    if demo.states().get("INF-1") == "pending":
        return True
    time.sleep(0.5)
    demo.run("pco-poll")
    return demo.states().get("INF-1") == "pending"


def check(demo: Demo) -> None:
    """The end: the board, and where the pages are."""
    story("The board:")
    demo.run("pco-dashboard")
    demo.run("pco-queue", "list", "--state", "all")
    states = demo.states()
    if states.get("WEB-2") != "pending" or states.get("INF-1") != "pending":
        raise click.ClickException(f"the tickets are not where they should be: {states}")
    click.secho(f"\nThe dashboard: file://{HOME / 'www' / 'index.html'}", bold=True)


def main() -> int:
    """Run it; whatever happens, nothing is left running, unless it shall be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave Plane and pco-watch running, to play with")
    keep = parser.parse_args().keep
    began = time.monotonic()
    demo = Demo()
    try:
        demo.lay_out()
        tell(demo)
    except (click.ClickException, subprocess.SubprocessError, OSError, ValueError) as error:
        message = error.message if isinstance(error, click.ClickException) else str(error)
        click.secho(f"\ndemo failed: {message}", fg="red", err=True)
        click.echo(f"everything is kept in {HOME}; the logs are in {HOME / 'logs'}", err=True)
        demo.stop()
        return 1
    if keep:
        say_how_to_play(demo)
        return 0
    demo.stop()
    click.echo(
        f"Done in {time.monotonic() - began:.0f} s; nothing is left running.  make demo KEEP=1 leaves it to play with."
    )
    return 0


def say_how_to_play(demo: Demo) -> None:
    """How to look, and how to stop."""
    pids = " ".join(str(child.pid) for child in demo.started)
    click.echo(
        f"\nLeft running.  To play:\n"
        f"  export PCO_CONFIG={HOME}/pco.yaml PATH={TOP}/bin:$PATH\n"
        f"  pco-queue                      what waits\n"
        f"  pco-queue review               one by one\n"
        f"  pco-poll; pco-launch; pco-post; pco-dashboard\n"
        f"To stop:\n"
        f"  kill {pids}; tmux -S {demo.run_folder}/tmux.sock kill-server; rm -r {demo.run_folder}"
    )


if __name__ == "__main__":
    raise SystemExit(main())
