"""The configuration as frozen dataclasses, one for each section of pco.yaml; read by `ground.yamlfile`.

A field's default is the default of the product; `etc/pco.yaml` shows them all.  No secret is in it; `ground.apitoken`
reads the one of Plane.
"""

from collections.abc import Mapping
from dataclasses import field, fields, replace
from datetime import timedelta, tzinfo
from pathlib import Path
from typing import Any, Literal

from pco.ground import readers
from pco.ground.frozen import dataclass
from pco.ground.readers import read as _read
from pco.ground.telling import Contacts, Notify


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

    program: Path = _read(readers.path, Path("/usr/local/bin/claude"))
    mode: Mode = "interactive"
    model: str = _read(readers.word, "")
    allowed_tools: tuple[str, ...] = ()
    disallowed_tools: tuple[str, ...] = ()
    max_turns: int = _read(readers.whole, 0)
    max_budget_usd: float = _read(readers.usd, 0.0)
    mcp_config: Path | None = _read(readers.path)
    base_url: str = _read(readers.url, "")
    environment: dict[str, str] = field(default_factory=dict, metadata={"read": readers.variables})
    key_file: Path | None = _read(readers.path)
    template: Path | None = _read(readers.path)
    instructions: bool = True


@dataclass(frozen=True)
class Overrides:
    """What one project has otherwise than `claude` and `sessions.permission_mode`; None: as there."""

    mode: Mode | None = None
    permission_mode: PermissionMode | None = None
    model: str | None = _read(readers.word)
    allowed_tools: tuple[str, ...] | None = None
    disallowed_tools: tuple[str, ...] | None = None
    max_turns: int | None = _read(readers.whole)
    max_budget_usd: float | None = _read(readers.usd)
    mcp_config: Path | None = _read(readers.path)
    instructions: bool | None = None


@dataclass(frozen=True)
class Budget:
    """When pco starts nothing more, in USD and rounds; 0: no limit."""

    ticket_usd: float = _read(readers.usd, 20.0)
    daily_usd: float = _read(readers.usd, 100.0)
    rounds_per_day: int = _read(readers.whole, 5)
    idle_rounds: int = _read(readers.whole, 3)


@dataclass(frozen=True)
class Project:
    """A project of the workspace and its repository.  `key` only where the project's identifier is no safe name.

    `ticket_usd` goes before that of `budget`.  With `push` pco-push puts the branches of finished tickets there, or to
    `push_url`; `compare_url`, with {base} and {branch}, is where people then see what is on one.
    """

    id: str = _read(readers.uuid, required=True)
    repository: str = _read(readers.repository, required=True)
    branch: str = _read(readers.branch, "main")
    key: str = _read(readers.prefix, "")
    filters: Filters | None = None
    claude: Overrides = Overrides()
    ticket_usd: float | None = _read(readers.usd)
    push: bool = False
    push_url: str = _read(readers.push_url, "")
    compare_url: str = _read(readers.compare_url, "")

    @property
    def pushed_to(self) -> str:
        """Where its branches are pushed to; empty if they are not."""
        return (self.push_url or self.repository) if self.push else ""

    @property
    def tells_secret(self) -> bool:
        """Whether the address that is pushed to carries a password: it would stand on a command line."""
        return bool(readers.PASSWORD.match(self.pushed_to))


@dataclass(frozen=True)
class Plane:
    """Where Plane is, and how it may be asked."""

    url: str = _read(readers.url, "")
    workspace: str = ""
    token_file: Path | None = _read(readers.path)
    timeout: timedelta = timedelta(seconds=30)
    settle: timedelta = timedelta(seconds=15)
    requests_per_minute: int = _read(readers.at_least_one, 50)
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
    limit: int = _read(readers.at_least_one, 4)
    per_project: int = _read(readers.at_least_one, 2)
    agent: Literal["auto", "claude", "command"] = "auto"
    command: tuple[str, ...] = _read(readers.arguments, ())
    prompt: Path | None = _read(readers.path)
    start_within: timedelta = timedelta(seconds=30)
    clone_within: timedelta = timedelta(minutes=10)
    complete_grace: timedelta = timedelta(seconds=30)
    stall_after: timedelta = timedelta(minutes=20)
    turn_failed_after: timedelta = timedelta(minutes=5)
    idle_after: timedelta = timedelta(hours=2)
    permission_mode: PermissionMode = "acceptEdits"
    max_duration: timedelta = timedelta(hours=4)
    attempts: int = _read(readers.at_least_one, 2)
    retry_after: timedelta = timedelta(minutes=1)
    keep: timedelta | None = None  # before there was `retention.workspaces`


@dataclass(frozen=True)
class PostTo:
    """The form of the comment, and what becomes of the item's state with it: `group:NAME`, a state's name, `none`."""

    state: str = "group:started"
    template: Path | None = _read(readers.path)


@dataclass(frozen=True)
class Paths:
    """Where things are; each follows from a few roots, or stands by itself."""

    spool: Path = _read(readers.path, Path("/var/spool/pco"))
    sessions: Path = _read(readers.path, Path("/var/lib/pco/sessions"))
    mirrors: Path = _read(readers.path, Path("/var/lib/pco/mirrors"))
    plane: Path = _read(readers.path, Path("/var/lib/pco/plane"))
    audit: Path = _read(readers.path, Path("/var/lib/pco/audit"))
    metrics: Path = _read(readers.path, Path("/var/lib/pco/metrics"))
    www: Path = _read(readers.path, Path("/var/lib/pco/www"))
    run: Path = _read(readers.path, Path("/run/pco"))
    backups: Path = _read(readers.path, Path("/var/backups/pco"))
    root: Path | None = _read(readers.path)

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

    timezone: str = _read(readers.zone, "local")

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
    polls_failed: int = _read(readers.at_least_one, 5)
    disk_free: float = field(default=0.2, metadata={"read": readers.share, "write": readers.percent})
    memory_free: int = field(default=512 << 20, metadata={"read": readers.size, "write": readers.sized})
    reserve: int = field(default=64 << 20, metadata={"read": readers.size, "write": readers.sized})


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
    redact: tuple[str, ...] = _read(readers.patterns, ())
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
