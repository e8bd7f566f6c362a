"""The configuration as frozen dataclasses, one for each section of pco.yaml; read by `ground.yamlfile`.

A field's default is the default of the product; `etc/pco.yaml` shows them all.  No secret is in it: the token comes
from `$CREDENTIALS_DIRECTORY/plane-token`, else from `plane.token_file`.
"""

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import timedelta, tzinfo
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pco.ground import durable, redaction
from pco.ground.errors import BadConfig, BadData
from pco.ground.readers import path as _path
from pco.ground.readers import read as _read
from pco.ground.readers import url as _url
from pco.ground.telling import Contacts, Notify
from pco.ground.ticket import LOCAL

_UUID = re.compile(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}")
_PREFIX = re.compile(r"[A-Z0-9_]{1,12}")
_REMOTE = re.compile(r"(https?|ssh|git)://[^\s]+|[A-Za-z0-9._-]+@[A-Za-z0-9._-]+:[^\s]+")
_PASSWORD = re.compile(r"[a-z]+://[^/@]*:[^/@]*@")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@\[\]-]{0,199}|")
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,99}")
MOST_TOKEN = 4096  # bytes of a file with a token
_BRANCH = re.compile(r"(?!.*(\.\.|//|@\{|\.lock$|[./]$))[A-Za-z0-9_][A-Za-z0-9_./+-]{0,199}")


def _uuid(value: Any) -> str:
    if not isinstance(value, str) or not _UUID.fullmatch(value.lower()):
        raise ValueError("expected the project's UUID; it stands in its address in Plane")
    return value.lower()


def _prefix(value: Any) -> str:
    if not isinstance(value, str) or not _PREFIX.fullmatch(value):
        raise ValueError("a key has 1 to 12 of A-Z, 0-9 and _")
    if value == LOCAL:
        raise ValueError(f"{LOCAL} is the key of tickets that Plane does not know; choose another")
    return value


def _repository(value: Any) -> str:
    if not isinstance(value, str) or not (value.startswith("/") or _REMOTE.fullmatch(value)):
        raise ValueError("expected an absolute path, or an address such as https://… or git@host:path")
    return value


def _push_url(value: Any) -> str:
    url = _repository(value)
    if _PASSWORD.match(url):
        raise ValueError("no password belongs here: it is the credential git-push")
    return url


def _compare_url(value: Any) -> str:
    plain = re.sub(r"\{(branch|base)\}", "x", value) if isinstance(value, str) else ""
    parts = urlsplit(plain) if re.fullmatch(r"[!-~]+", plain) and not re.search(r"[<>\"'{}|\\^`]", plain) else None
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise ValueError("expected an address such as https://git.example.org/web/compare/{base}...{branch}")
    return str(value)


def _branch(value: Any) -> str:
    if not isinstance(value, str) or not _BRANCH.fullmatch(value) or value.startswith("pco/"):
        raise ValueError("expected the name of a branch (not one under pco/)")
    return value


def _share(value: Any) -> float:
    match = re.fullmatch(r"([0-9]{1,2}(?:\.[0-9]+)?)%", value) if isinstance(value, str) else None
    if not match:
        raise ValueError("expected a share such as 20%")
    return float(match[1]) / 100


def _percent(share: float) -> str:
    return f"{share * 100:.6g}%"


def _size(value: Any) -> int:
    match = re.fullmatch(r"([0-9]{1,6})([KMGT])", value) if isinstance(value, str) else None
    if not match:
        raise ValueError("expected a size such as 512M or 2G, 0M for none")
    return int(match[1]) << 10 * ("KMGT".index(match[2]) + 1)


def _sized(amount: int) -> str:
    power = next(power for power in (4, 3, 2, 1) if amount % (1 << 10 * power) == 0 or power == 1)
    return f"{amount >> 10 * power}{'KMGT'[power - 1]}" if amount else "0M"


def _at_least_one(value: Any) -> int:
    if type(value) is not int or not 1 <= value <= 10_000:
        raise ValueError("expected a whole number from 1 to 10000")
    return value


def _whole(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= 1_000_000:
        raise ValueError("expected a whole number, 0 for no limit")
    return value


def _usd(value: Any) -> float:
    if type(value) not in (int, float) or not 0 <= value < 1e6:  # which also keeps NaN out
        raise ValueError("expected an amount in USD such as 5 or 2.50, 0 for no limit")
    return float(value)


def _word(value: Any) -> str:
    if not isinstance(value, str) or not _WORD.fullmatch(value):
        raise ValueError("expected a name such as opus, of letters, digits and . _ : / [ ] - @")
    return value


def _variables(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise ValueError("expected a mapping of names and texts")
    for name, text in value.items():
        if not isinstance(name, str) or not _VARIABLE.fullmatch(name):
            raise ValueError(f"{str(name)[:40]!r} is no name of a variable")
        if not isinstance(text, str) or not text.isprintable():
            raise ValueError(f"{name}: expected a text of one line; put numbers in quotes")
        if re.search(r"KEY|TOKEN|SECRET|PASSWORD", name):
            raise ValueError(f"{name} looks like a secret, and none belongs here; see claude.key_file")
    return dict(value)


def _patterns(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > redaction.MOST_PATTERNS:
        raise ValueError(f"expected a list of at most {redaction.MOST_PATTERNS} regular expressions")
    return tuple(redaction.check(pattern) for pattern in value)


def _zone(value: Any) -> str:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        if not isinstance(value, str) or (value != "local" and not ZoneInfo(value)):
            raise ValueError
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("expected local, UTC or a zone such as Europe/Berlin") from None
    return value


@dataclass(frozen=True)
class Filters:
    """Which tickets are taken, by name; an empty list lets everything pass."""

    states: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    priorities: tuple[Literal["urgent", "high", "medium", "low", "none"], ...] = ()
    assignees: tuple[str, ...] = ()


PermissionMode = Literal["default", "acceptEdits", "plan", "dontAsk", "bypassPermissions"]
Mode = Literal["interactive", "headless"]


@dataclass(frozen=True)
class Claude:
    """How Claude Code is run (`sessions.agent: claude`).  0 turns and 0 USD mean: no limit.

    `environment` are variables for the agent, none of them a secret; `key_file` holds the key where no credential
    `agent` is handed to the session (runner tmux).  `template` is a folder with what every agent's own configuration
    folder begins with; `instructions`: whether the repository's CLAUDE.md is appended to the system prompt.
    """

    program: Path = _read(_path, Path("/usr/local/bin/claude"))
    mode: Mode = "interactive"
    model: str = _read(_word, "")
    allowed_tools: tuple[str, ...] = ()
    disallowed_tools: tuple[str, ...] = ()
    max_turns: int = _read(_whole, 0)
    max_budget_usd: float = _read(_usd, 0.0)
    mcp_config: Path | None = _read(_path)
    base_url: str = _read(_url, "")
    environment: dict[str, str] = field(default_factory=dict, metadata={"read": _variables})
    key_file: Path | None = _read(_path)
    template: Path | None = _read(_path)
    instructions: bool = True


@dataclass(frozen=True)
class Overrides:
    """What one project has otherwise than `claude` and `sessions.permission_mode`; None: as there."""

    mode: Mode | None = None
    permission_mode: PermissionMode | None = None
    model: str | None = _read(_word)
    allowed_tools: tuple[str, ...] | None = None
    disallowed_tools: tuple[str, ...] | None = None
    max_turns: int | None = _read(_whole)
    max_budget_usd: float | None = _read(_usd)
    mcp_config: Path | None = _read(_path)
    instructions: bool | None = None


@dataclass(frozen=True)
class Budget:
    """When pco starts nothing more, in USD and rounds; 0: no limit."""

    ticket_usd: float = _read(_usd, 20.0)
    daily_usd: float = _read(_usd, 100.0)
    rounds_per_day: int = _read(_whole, 5)
    idle_rounds: int = _read(_whole, 3)


@dataclass(frozen=True)
class Project:
    """A project of the workspace and its repository.  `key` only where the project's identifier is no safe name.

    `ticket_usd` goes before that of `budget`.  With `push` pco-push puts the branches of finished tickets there, or to
    `push_url`; `compare_url`, with {base} and {branch}, is where people then see what is on one.
    """

    id: str = _read(_uuid, required=True)
    repository: str = _read(_repository, required=True)
    branch: str = _read(_branch, "main")
    key: str = _read(_prefix, "")
    filters: Filters | None = None
    claude: Overrides = Overrides()
    ticket_usd: float | None = _read(_usd)
    push: bool = False
    push_url: str = _read(_push_url, "")
    compare_url: str = _read(_compare_url, "")

    @property
    def pushed_to(self) -> str:
        """Where its branches are pushed to; empty if they are not."""
        return (self.push_url or self.repository) if self.push else ""

    @property
    def tells_secret(self) -> bool:
        """Whether the address that is pushed to carries a password: it would stand on a command line."""
        return bool(_PASSWORD.match(self.pushed_to))


@dataclass(frozen=True)
class Plane:
    """Where Plane is, and how it may be asked."""

    url: str = _read(_url, "")
    workspace: str = ""
    token_file: Path | None = _read(_path)
    timeout: timedelta = timedelta(seconds=30)
    settle: timedelta = timedelta(seconds=15)
    requests_per_minute: int = _read(_at_least_one, 50)
    projects: tuple[Project, ...] = ()


@dataclass(frozen=True)
class Triggers:
    """What makes a ticket of an item in Plane."""

    new_tickets: bool = True
    status_changes: bool = True
    comments: bool = True
    into_states: tuple[str, ...] = ("Todo", "In Progress")


@dataclass(frozen=True)
class Sessions:
    """How sessions are run.

    `runner: auto` is systemd when installed under it, else tmux; `agent: auto` is the command, if one is given, else
    claude.
    """

    runner: Literal["auto", "systemd", "tmux"] = "auto"
    limit: int = _read(_at_least_one, 4)
    per_project: int = _read(_at_least_one, 2)
    agent: Literal["auto", "claude", "command"] = "auto"
    command: tuple[str, ...] = ()
    prompt: Path | None = _read(_path)
    start_within: timedelta = timedelta(seconds=30)
    clone_within: timedelta = timedelta(minutes=10)
    complete_grace: timedelta = timedelta(seconds=30)
    stall_after: timedelta = timedelta(minutes=20)
    turn_failed_after: timedelta = timedelta(minutes=5)
    idle_after: timedelta = timedelta(hours=2)
    permission_mode: PermissionMode = "acceptEdits"
    max_duration: timedelta = timedelta(hours=4)
    attempts: int = _read(_at_least_one, 2)
    retry_after: timedelta = timedelta(minutes=1)
    keep: timedelta | None = None  # before there was `retention.workspaces`


@dataclass(frozen=True)
class PostTo:
    """The form of the comment, and what becomes of the item's state with it: `group:NAME`, a state's name, `none`."""

    state: str = "group:started"
    template: Path | None = _read(_path)


@dataclass(frozen=True)
class Paths:
    """Where things are; each follows from a few roots, or stands by itself."""

    spool: Path = _read(_path, Path("/var/spool/pco"))
    sessions: Path = _read(_path, Path("/var/lib/pco/sessions"))
    mirrors: Path = _read(_path, Path("/var/lib/pco/mirrors"))
    plane: Path = _read(_path, Path("/var/lib/pco/plane"))
    audit: Path = _read(_path, Path("/var/lib/pco/audit"))
    metrics: Path = _read(_path, Path("/var/lib/pco/metrics"))
    www: Path = _read(_path, Path("/var/lib/pco/www"))
    run: Path = _read(_path, Path("/run/pco"))
    backups: Path = _read(_path, Path("/var/backups/pco"))
    root: Path | None = _read(_path)

    @property
    def trigger(self) -> Path:
        """The FIFO: one byte wakes pco-watch."""
        return self.run / "trigger"


@dataclass(frozen=True)
class Log:
    """What goes to the log."""

    level: Literal["debug", "info", "warning", "error"] = "info"


@dataclass(frozen=True)
class Display:
    """How times are shown to people."""

    timezone: str = _read(_zone, "local")

    @property
    def zone(self) -> tzinfo | None:
        """The zone; None for the machine's own."""
        from zoneinfo import ZoneInfo

        return None if self.timezone == "local" else ZoneInfo(self.timezone)


@dataclass(frozen=True)
class Health:
    """When pco is no longer well; below `disk_free` and `memory_free` no session starts.

    `reserve` is what is kept for a full disk: so many bytes beside the spool, an eighth of it beside the audit record.
    """

    stale_after: timedelta = timedelta(minutes=5)
    polls_failed: int = _read(_at_least_one, 5)
    disk_free: float = field(default=0.2, metadata={"read": _share, "write": _percent})
    memory_free: int = field(default=512 << 20, metadata={"read": _size, "write": _sized})
    reserve: int = field(default=64 << 20, metadata={"read": _size, "write": _sized})


@dataclass(frozen=True)
class Retention:
    """How long things are kept; 0d is for ever.  Backups have a time of their own.

    `posted`, `rejected`, `failed`: a ticket in that state, with all that is known of it.  Of posted and rejected ones
    go earlier: `workspaces` (what agents wrote) and `attempts` (prompts, screens).  `unfetched`: commits that were
    neither pushed nor fetched, or did not get into the mirror, stay at least so long.  `audit` and `ledgers` go by the
    month and the day.
    """

    posted: timedelta = timedelta(days=365)
    rejected: timedelta = timedelta(days=180)
    failed: timedelta = timedelta(days=365)
    attempts: timedelta = timedelta(days=90)
    workspaces: timedelta = timedelta(days=30)
    unfetched: timedelta = timedelta(days=90)
    audit: timedelta = timedelta(days=730)
    ledgers: timedelta = timedelta(days=730)


@dataclass(frozen=True)
class Backup:
    """How long backups are kept, and how long a hook may take to carry one away."""

    keep: timedelta = timedelta(days=7)
    hook_within: timedelta = timedelta(hours=1)


@dataclass(frozen=True)
class Config:
    """All of it."""

    plane: Plane = Plane()
    triggers: Triggers = Triggers()
    filters: Filters = Filters()
    sessions: Sessions = Sessions()
    claude: Claude = field(default_factory=Claude)
    budget: Budget = Budget()
    post: PostTo = PostTo()
    paths: Paths = Paths()
    log: Log = Log()
    display: Display = Display()
    retention: Retention = Retention()
    redact: tuple[str, ...] = _read(_patterns, ())
    health: Health = Health()
    backup: Backup = Backup()
    notify: Notify = Notify()
    contacts: Contacts = Contacts()

    @property
    def agent(self) -> str:
        """The name of the agent."""
        auto = "command" if self.sessions.command else "claude"
        return auto if self.sessions.agent == "auto" else self.sessions.agent

    def claude_of(self, project: Project) -> Claude:
        """How Claude Code is run for a project."""
        own = {f.name: getattr(project.claude, f.name) for f in fields(Overrides) if f.name != "permission_mode"}
        return replace(self.claude, **{name: value for name, value in own.items() if value is not None})

    def project(self, id: str) -> Project | None:
        """The project with this UUID, if it is configured."""
        return next((p for p in self.plane.projects if p.id == id), None)


def rooted(paths: Paths, given: Mapping[str, Any]) -> Paths:
    """With `root`, every folder that was not given by itself lies under it."""
    if paths.root is None:
        return paths
    names = [f.name for f in fields(paths) if f.name != "root" and f.name not in given]
    return replace(paths, **{name: paths.root / name for name in names})


def read_token(plane: Plane, environ: Mapping[str, str]) -> str:
    """The token of Plane's API: a credential of the unit, else a private file.  Raises BadConfig."""
    folder = environ.get("CREDENTIALS_DIRECTORY")
    if folder and (Path(folder) / "plane-token").exists():
        return _token_in(Path(folder) / "plane-token")
    if plane.token_file is None:
        raise BadConfig("there is no token for Plane", "set plane.token_file, or the unit's credential plane-token")
    try:
        mode = os.stat(plane.token_file).st_mode
    except OSError as error:
        raise BadConfig(f"plane.token_file: {plane.token_file}: {error.strerror}") from error
    if mode & (stat.S_IRWXO | stat.S_IWGRP):
        raise BadConfig(f"plane.token_file: others can read {plane.token_file}", f"chmod 600 {plane.token_file}")
    return _token_in(plane.token_file)


def _token_in(path: Path) -> str:
    try:
        return as_token(durable.read(os.path.realpath(path), MOST_TOKEN))
    except (OSError, BadData):
        raise BadConfig(f"{path} cannot be read, or is no token") from None
    except BadConfig as error:
        raise BadConfig(f"{path}: {error}") from None


def as_token(data: bytes) -> str:
    """The token that a file or a person gave.  Raises BadConfig, which does not repeat it."""
    token = data.decode("ascii", "replace").strip()
    if not re.fullmatch(r"[\x21-\x7e]{8,512}", token):
        raise BadConfig("this is no token (one line of 8 to 512 characters)")
    return token
