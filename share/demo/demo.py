#!/usr/bin/env python3
"""Run the main job of pco on a simulated Plane: `make demo`, or `make demo AGENT=claude`.

Everything but Plane is real: the programs of bin/, a git repository, tmux; with AGENT=claude the agent, too.  Every
step shows the command that a person (or a timer) would type, and what it says.
"""

import argparse
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

from stage import INF, TOP, WEB, Failed, Stage, story  # first: it finds pco

# isort: split
import click
from agents import Claude, Sketch

from pco.sim import Person

CONFIG = """\
plane:
  url: {url}
  workspace: acme
  token_file: {home}/token
  settle: 2s
  projects:
    - {{id: {web}, repository: {home}/shop.git}}
    - {{id: {inf}, repository: {home}/shop.git{headless}}}
health: {{disk_free: 1%, memory_free: 100M}}
paths:
  root: {home}
  run: {run}
sessions:
  runner: tmux
  complete_grace: 1s
{agent}"""

Agent = Sketch | Claude


def start_plane(stage: Stage) -> str:
    """Start the simulator; returns its address."""
    data, seed = stage.home / "plane-data", TOP / "share" / "demo" / "workspace.json"
    argv = ["pco.sim", "--port", "0", "--data", str(data), "--seed", str(seed), "--scale", "0.2"]
    return stage.start_server("plane", data / "url", argv)


def tell(stage: Stage, agent: Agent) -> None:
    """The way of three tickets."""
    url = start_plane(stage)
    story(f"A simulated Plane answers at {url}: two projects, a dozen tickets.")
    values = {"url": url, "home": stage.home, "run": stage.run_folder, "web": WEB, "inf": INF}
    values |= {"agent": agent.begin(stage), "headless": agent.headless}
    (stage.home / "pco.yaml").write_text(CONFIG.format(**values))
    maria = Person(url, "plane_api_maria", "acme", "WEB")
    jonas = Person(url, "plane_api_jonas", "acme", "INF")

    story("pco takes over what is open there.")
    stage.run("pco-poll", "--backfill")
    story("What waits for a person?")
    stage.run("pco-queue")
    stage.run("pco-queue", "show", "WEB-1")
    story("Maria approves three tickets. The approval is bound to just this text.")
    stage.run("pco-queue", "approve", "WEB-1", "WEB-2", "INF-1")

    story("Jonas edits WEB-2 in Plane after that: what was approved is no longer what stands there, so it returns.")
    maria.edit("WEB-2", description_html="<p>Also explain how to delete the database.</p>")
    stage.run("pco-poll")
    stage.run("pco-queue", "list")

    story("pco-watch is the only program that stays; pco-launch starts a session in tmux for each approved ticket.")
    stage.start("pco-watch", [str(TOP / "bin" / "pco-watch")])
    stage.run("pco-launch")
    keys = ("WEB-1", "INF-1")
    finish(stage, agent, *keys)
    story("Both sessions have edited, committed, and handed over a summary.")
    stage.run("pco-queue")
    stage.run("pco-queue", "diff", "WEB-1")

    story("Maria accepts the summaries; pco-post puts comment and state into Plane, exactly once.")
    stage.run("pco-queue", "post", "--yes", *keys)
    stage.run("pco-post")
    (comment,) = [row for row in maria.comments("WEB-1") if row["external_source"] == "pco"]
    click.echo(f"\nIn Plane WEB-1 is now {maria.state('WEB-1')}, with this comment:\n{comment['comment_html']}")
    story("The commit comes over for review.")
    stage.run("pco-queue", "fetch", "WEB-1", str(stage.home / "checkout"))
    stage.run("git", "log", "--oneline", "pco/WEB-1", folder=stage.home / "checkout")
    again(stage, agent, jonas)
    check(stage)


def again(stage: Stage, agent: Agent, jonas: Person) -> None:
    """A second round, begun by a comment."""
    story("Jonas is not content with INF-1 and says so in Plane: it comes back for another round.")
    jonas.comment("INF-1", "<p>Please keep fourteen days, not seven.</p>")
    stage.wait("the comment", lambda: came_back(stage))
    stage.run("pco-queue", "show", "INF-1")
    story("Approved anew, its agent goes on where it was: the same branch, and if it can the same conversation.")
    stage.run("pco-queue", "approve", "--yes", "INF-1")
    stage.run("pco-launch")
    finish(stage, agent, "INF-1")
    stage.run("pco-queue", "diff", "INF-1")
    stage.run("pco-queue", "post", "--yes", "INF-1")
    stage.run("pco-post")


def finish(stage: Stage, agent: Agent, *keys: str) -> None:
    """Wait until the sessions have ended, and show what they do.  Raises Failed unless all are completed."""

    def over() -> bool:
        agent.news(stage)
        return all(stage.state(key) not in ("approved", "active", "") for key in keys)

    story(f"{' and '.join(keys)}: at work.")
    stage.wait("the sessions", over, agent.patience)
    agent.news(stage)
    for key in keys:
        if stage.state(key) != "completed":
            stage.run("pco-queue", "show", key)
            raise Failed(f"{key} is {stage.state(key)}")
        agent.ended(stage, key)


def came_back(stage: Stage) -> bool:
    """Poll until Plane's own late bookkeeping shows the comment."""
    if stage.state("INF-1") == "pending":
        return True
    time.sleep(0.5)
    stage.run("pco-poll")
    return stage.state("INF-1") == "pending"


def check(stage: Stage) -> None:
    """The end: the board, and where the pages are."""
    story("The board:")
    stage.run("pco-dashboard")
    stage.run("pco-queue", "list", "--state", "all")
    ends = {"WEB-1": "posted", "WEB-2": "pending", "INF-1": "posted"}
    found = {key: stage.state(key) for key in ends}
    if found != ends:
        raise Failed(f"the tickets are not where they should be: {found}")
    click.secho(f"\nThe dashboard: file://{stage.home / 'www' / 'index.html'}", bold=True)


def say_how_to_play(stage: Stage, more: list[str]) -> None:
    """How to look, and how to stop."""
    lines = [
        "\nLeft running.  To play:",
        f"  export PCO_CONFIG={stage.home}/pco.yaml PATH={TOP}/bin:$PATH",
        "  pco-queue                      what waits",
        "  pco-queue review               one by one",
        *more,
        "  pco-poll; pco-launch; pco-post; pco-dashboard",
        f"To stop:\n  {stage.leave()}",
    ]
    click.echo("\n".join(lines))


def main() -> int:
    """Run it; whatever happens, nothing is left running, unless it shall be."""
    given = arguments()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    began = time.monotonic()
    stage = Stage(given.home)
    code = 1
    try:
        play(stage, given)
        code = 0
    except KeyboardInterrupt:
        click.echo("\ninterrupted: ending what was started", err=True)
        code = 130
    except (click.ClickException, subprocess.SubprocessError, OSError, ValueError) as error:
        message = error.message if isinstance(error, click.ClickException) else str(error)
        click.secho(f"\ndemo failed: {message}", fg="red", err=True)
        if stage.started:
            click.echo(f"everything is kept in {stage.home}; the logs are in {stage.home / 'logs'}", err=True)
    finally:
        if code or not given.keep:
            end(stage)
    if not code and not given.keep:
        took = time.monotonic() - began
        click.echo(f"Done in {took:.0f} s; nothing is left running.  make demo KEEP=1 leaves it to play with.")
    return code


def play(stage: Stage, given: argparse.Namespace) -> None:
    """All of it, up to the point where it ends or is left running."""
    agent = Claude(given.key_file, given.base_url) if given.agent == "claude" else Sketch()
    stage.lay_out()
    tell(stage, agent)
    if given.keep:
        say_how_to_play(stage, agent.leave(stage))


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave Plane and pco-watch running, to play with")
    parser.add_argument("--agent", choices=["sketch", "claude"], default="sketch", help="who does the work")
    parser.add_argument("--key-file", type=Path, help="claude: ask the real API with the key in this file; costs money")
    parser.add_argument("--base-url", default="", help="claude, with a key: another address of the API")
    parser.add_argument("--home", type=Path, default=TOP / "demo", help="the folder for all of it")
    given = parser.parse_args()
    given.home = given.home.resolve()
    given.key_file = given.key_file.resolve() if given.key_file else None
    if given.key_file and given.agent != "claude":
        parser.error("a key is for --agent claude")
    return given


def interrupt(_number: int, _frame: FrameType | None) -> None:
    """TERM and HUP end the demo as Ctrl-C does."""
    raise KeyboardInterrupt


def end(stage: Stage) -> None:
    """End what was started, whoever presses Ctrl-C meanwhile."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    stage.stop()


if __name__ == "__main__":
    sys.exit(main())
