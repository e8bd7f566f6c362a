"""The folder of one attempt, sessions/KEY/R.A/: what its session is given, and how that ended.

prompt.md    what the agent gets                            launch.json   see `Launch`; written by pco-launch
afresh.md    the prompt where an earlier conversation cannot go on
forward/     N.md, N.txt: what a person forwards to the running agent, see `hand_on`
source.bundle  the repository, where the mirror is out of the session's reach; removed after the attempt
fence        made by pco-watch: a session that was not born by then must not begin
result.json  see `Result`: how the session's unit ended (runner systemd)
screen       the last screen; of a session that runs it is some seconds old
out/         written by the session, hostile input for everybody else: see `ground.leavings` (runner systemd: in the
             session's own state folder, launch.json says where; after its end a copy of what is small lies here)
"""

import json
from contextlib import suppress
from dataclasses import field
from datetime import datetime
from pathlib import Path

from pco.ground import durable, shape
from pco.ground.errors import BadData, SystemFault
from pco.ground.frozen import dataclass
from pco.ground.leavings import MOST_SMALL, one_line

SCHEMA = 1
SOURCE = "source.bundle"
AFRESH = "afresh.md"


@dataclass(frozen=True)
class Launch:
    """All that a session needs to know; no secret is in it.  Paths are absolute, durations seconds.

    `source` is what the workspace is cloned from, a bundle; empty: the mirror itself.
    `grace` passes between the request to end and the agent's KILL, `screen_every` between two looks at the terminal.
    """

    key: str
    round: int
    attempt: int
    out: str
    workspace: str
    mirror: str
    base: str
    branch: str
    prompt: str
    trigger: str
    argv: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    clone_within: float = 600.0
    grace: float = 10.0
    screen_every: float = 60.0
    source: str = ""
    agent: str = "command"
    schema: int = SCHEMA


@dataclass(frozen=True)
class Result:
    """How the unit of a session ended, as systemd says ($SERVICE_RESULT, $EXIT_CODE, $EXIT_STATUS of systemd.exec(5)).

    `result` is success, exit-code, signal, timeout, oom-kill, …
    """

    at: datetime
    result: str = field(metadata={"read": one_line})
    code: str = field(default="", metadata={"read": one_line})
    status: str = field(default="", metadata={"read": one_line})
    schema: int = SCHEMA


def folder(sessions: Path, key: str, round: int, attempt: int) -> Path:
    """Where an attempt lies."""
    return sessions / key / f"{round}.{attempt}"


def write_launch(home: Path, launch: Launch) -> None:
    """Write launch.json.  Raises OSError."""
    durable.replace(home / "launch.json", json.dumps(shape.dump(launch), indent=1).encode(), 0o644)


def read_launch(home: Path) -> Launch:
    """Read launch.json.  Raises BadData, SystemFault."""
    path = home / "launch.json"
    try:
        return shape.load(Launch, json.loads(durable.read(path, 1 << 20)))
    except OSError as error:
        raise SystemFault(f"{path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise BadData(f"{path}: {error}") from error


def forward(home: Path, n: int) -> Path:
    """Where the words of what is forwarded as `n` stand."""
    return home / "forward" / f"{n}.txt"


def hand_on(home: Path, n: int, words: str, pointer: str) -> None:
    """Lay forward/N.txt there, and then N.md, which names it, for the session's user to read; done once.

    The hook hands over each N.md as it comes, so that is whole and last.  Raises SystemFault.
    """
    path = forward(home, n)
    told = path.with_suffix(".md")
    if durable.there(told):
        return
    try:
        with suppress(FileExistsError):
            path.parent.mkdir()
        path.parent.chmod(0o755)  # whatever the umask
        durable.sync_folder(home)
        for place, content in ((path, words), (told, pointer)):
            durable.replace(place, content.encode("utf-8", "replace"), 0o644)
    except OSError as error:
        raise SystemFault(f"{told}: {error.strerror}") from error


def fence(home: Path) -> None:
    """From now on a session that was not born must not begin.  Raises OSError; it is there already: nothing to do."""
    try:
        durable.write_new(home / "fence", b"", 0o644)
    except FileExistsError:
        pass
    durable.sync_folder(home)


def fenced(home: Path) -> bool:
    """Whether the fence is there; where the folder itself is gone, nothing may begin either.  Raises SystemFault."""
    return durable.there(home / "fence") or not durable.there(home)


def write_result(home: Path, result: Result) -> None:
    """Write result.json.  Raises OSError."""
    durable.replace(home / "result.json", json.dumps(shape.dump(result)).encode(), 0o644)


def has_result(home: Path) -> bool:
    """Whether the session's unit has ended.  Raises SystemFault."""
    return durable.there(home / "result.json")


def read_result(home: Path) -> Result | None:
    """How the session's unit ended; None if nobody said.  Raises BadData, SystemFault."""
    path = home / "result.json"
    try:
        return shape.load(Result, json.loads(durable.read(path, MOST_SMALL)))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SystemFault(f"{path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise BadData(f"{path}: {error}") from error
