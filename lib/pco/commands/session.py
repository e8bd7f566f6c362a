"""Run one session: the payload of a runner, started by pco-launch, never by a person.

HOME is the folder of an attempt, or a link to it, with prompt.md and launch.json.  First of all it leaves its birth
certificate in out/, and ends at once if there was one already, or if pco-watch has put up the fence.  Then it makes its
own clone of the repository, runs the agent in it, hands HUP and TERM on to it, keeps out/screen up to date, and in the
end leaves the commits as out/work.bundle and the exit record.  All it imports it imports at its start: an upgrade may
pass under it.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from pco.command import command
from pco.commands.sitting import Aborted, Screen, Signals, sit
from pco.ground import attempt, boot, credentials, durable, events, leavings
from pco.ground.attempt import Launch
from pco.ground.errors import BadData, PcoError
from pco.ground.leavings import Exit
from pco.outside import agents
from pco.outside.agents import Way
from pco.outside.workspace import Workspace
from pco.run import Pco

assert shutil  # git.py imports it only when it needs it, which may be after an upgrade

INHERITED = (
    "LANG",
    "LANGUAGE",
    "LC_ALL",
    "LC_CTYPE",
    "TERM",
    "COLORTERM",
    "TZ",
    "USER",
    "LOGNAME",
    "SHELL",
    "TMPDIR",
    "CREDENTIALS_DIRECTORY",
)
NOT_FOUND, NOT_RUN = 127, 126  # as a shell says it


@command
@click.argument("home", type=click.Path(file_okay=False, readable=False, path_type=Path))
def main(pco: Pco, home: Path) -> None:
    """Run the session whose attempt lies in HOME.

    \b
    Examples:
      pco-session /var/lib/pco/sessions/WEB-12/1.1    as pco-launch has it started, once
    """
    signals = Signals()
    os.umask(0o022)
    home = home.resolve()
    launch = attempt.read_launch(home)
    out = Path(launch.out)
    begin(home, out, pco.now())
    ended = live(launch, out, signals)
    signals.over()
    leavings.write_exit(out, finish(launch, out, ended))
    events.ring(launch.trigger)


def begin(home: Path, out: Path, now: datetime) -> None:
    """Birth, then the fence.  Raises BadData if this session must not begin."""
    out.mkdir(mode=0o755, parents=True, exist_ok=True)
    durable.sync_folder(out.parent)
    if not leavings.bear(out, now):
        raise BadData(f"{home}: this attempt was begun before")
    if attempt.fenced(home):
        raise BadData(f"{home}: too late, this attempt was given up")
    (out / "events").mkdir(mode=0o755, exist_ok=True)
    os.mkfifo(out / "bell", 0o600)


def live(launch: Launch, out: Path, signals: Signals) -> Exit:
    """Clone, run the agent to its end; returns how it ended.  Nothing foreseeable is raised from here on."""
    try:
        with signals.aborting():
            within = timedelta(seconds=launch.clone_within)
            source = Path(launch.source or launch.mirror)
            Workspace(Path(launch.workspace)).clone(source, launch.base, launch.branch, within)
            agent = agents.named(launch.agent)
            bill = agent.bill(launch)
            way = agent.enter(launch)
        with suppress(OSError):
            click.echo(way.shown, nl=bool(way.shown))
        child = start(launch, way)
    except Aborted as aborted:
        return _exit(128 + aborted.signal, signals)
    except PcoError as error:
        return _exit(error.exit, signals, str(error))
    except OSError as error:
        code = NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_RUN
        return _exit(code, signals, f"cannot run {error.filename or launch.argv[0]}: {error.strerror}")
    with suppress(OSError):
        tell(launch, "launched" if agent.TELLS else "started", {"pid": child.pid, **way.told})
    screen = Screen(out, launch.screen_every, launch.trigger, bill)
    code = sit(child, signals, screen, launch.grace)
    # What a terminal program leaves when it ends well, or was told to end, is no picture of its work.
    screen.last(cleared=bool(signals.told) or (agent.TELLS and code == 0))
    return _exit(code, signals)


def tell(launch: Launch, kind: str, detail: dict[str, Any]) -> None:
    """Leave an event, and ring.  Raises OSError."""
    events.write(launch.out, launch.round, launch.attempt, kind, detail)
    events.ring(launch.trigger)


def start(launch: Launch, way: Way) -> "subprocess.Popen[bytes]":
    """The agent, in a process group of its own.  Raises OSError if it cannot be run."""
    with ExitStack() as opened:
        stdin = opened.enter_context(open(way.stdin, "rb")) if way.stdin else None
        stdout = opened.enter_context(open(way.stdout, "xb")) if way.stdout else None
        return subprocess.Popen(
            way.argv,
            stdin=stdin,
            stdout=stdout,
            cwd=launch.workspace,
            env=environment(launch, way.environment),
            pass_fds=way.kept,
            process_group=0,
        )


def environment(launch: Launch, given: Mapping[str, str]) -> dict[str, str]:
    """What the agent inherits: a few names, and what it was given; pco-complete is found first in PATH."""
    programs = Path(sys.argv[0]).resolve().parent
    kept = {name: os.environ[name] for name in INHERITED if name in os.environ}
    path = given.get("PATH") or os.environ.get("PATH") or os.defpath
    return {"HOME": str(Path(launch.workspace).parent), **kept, **given, "PATH": f"{programs}:{path}"}


def finish(launch: Launch, out: Path, ended: Exit) -> Exit:
    """Bundle what was committed, count what was not; what goes wrong here is noted, no reason to lose the rest."""
    without_login(out)
    if ended.error or not (Path(launch.workspace) / ".git").is_dir():
        return ended
    workspace = Workspace(Path(launch.workspace))
    uncommitted, problem = 0, ""
    try:
        if kinds := workspace.leaks(launch.branch, credentials.given(os.environ)):
            problem = f"its commits have {' and '.join(kinds)} in them, and were not taken in"
        else:
            workspace.bundle(out / "work.bundle", launch.branch)
        uncommitted = workspace.uncommitted()
    except PcoError as error:
        problem = str(error)
    return Exit(ended.at, ended.code, "", uncommitted, ended.told, problem, ended.boot)


def without_login(out: Path) -> None:
    """Mask the session's own login in what a headless agent printed: its last words become a summary, or a draft."""
    with suppress(OSError, BadData):
        said = durable.read(out / "result", leavings.MOST_RESULT).decode("utf-8", "surrogateescape")
        masked = credentials.masked(said, credentials.given(os.environ))
        if masked != said:
            durable.replace(out / "result", masked.encode("utf-8", "surrogateescape"), 0o644)


def _exit(code: int, signals: Signals, error: str = "") -> Exit:
    told = signal.Signals(signals.told).name.removeprefix("SIG") if signals.told else ""
    return Exit(datetime.now(UTC), code, error, told=told, boot=boot.clock())
