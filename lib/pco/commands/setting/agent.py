"""Who works on tickets: Claude Code, tried at once as a session will run it, or a command of one's own.

What an option says is taken, or ends pco-setup; what stands in the configuration is only warned of, for an
administrator may want to change something else; a person is asked again.
"""

import os
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import get_args

import click

from pco.commands.setting.reaching import address
from pco.commands.setting.talk import Talk
from pco.commands.setting.writing import Place, Present
from pco.ground.config import Budget, Claude, Config, Mode, PermissionMode
from pco.ground.errors import BadConfig, PcoError
from pco.ground.frozen import dataclass
from pco.outside import reach
from pco.outside.agents.claude import login, program
from pco.rules import answers
from pco.rules.answers import Agent

# Each is shown whole in 60 columns.
KINDS = {
    "claude": "Claude Code: people attach, answer it, see what it costs",
    "command": "a program of your own: it gets the prompt on standard input",
}
MODES = {
    "interactive": "in its terminal; people attach, answer it, take over",
    "headless": "nobody is asked; what it would ask for is refused",
}
PERMISSIONS = {
    "default": "asks before it edits or runs anything",
    "acceptEdits": "edits files in its clone; asks before it runs commands",
    "plan": "reads and makes a plan; edits nothing",
    "dontAsk": "asks nothing; what is not allowed is refused",
    "bypassPermissions": "does everything; only the limits of its unit hold it",
}
assert set(MODES) == set(get_args(Mode)) and set(PERMISSIONS) == set(get_args(PermissionMode))
_INSTALLED = Claude().program


@dataclass(frozen=True)
class Given:
    """What options say; what is empty was not said."""

    kind: str = ""
    command: str = ""
    program: str = ""
    mode: str = ""
    permission_mode: str = ""
    base_url: str = ""
    ticket_usd: str = ""
    daily_usd: str = ""

    @property
    def of_claude(self) -> list[str]:
        """The options that only Claude Code has."""
        named = {"--claude": self.program, "--mode": self.mode, "--permission-mode": self.permission_mode}
        named |= {"--base-url": self.base_url, "--ticket-usd": self.ticket_usd, "--daily-usd": self.daily_usd}
        return [option for option, value in named.items() if value]


def kind(given: Given, before: Present) -> str:
    """Claude or command, as far as it is known without asking.  Raises UsageError if options contradict each other."""
    said = given.kind or ("command" if given.command else _was(before) or ("claude" if given.of_claude else ""))
    if said == "command" and given.of_claude:
        raise click.UsageError(f"{given.of_claude[0]} goes with Claude Code: --agent claude")
    if said == "claude" and given.command:
        raise click.UsageError("--command goes with --agent command")
    return said or ("claude" if _found() else "")


def needed(given: Given, before: Present, key: str, dry_run: bool) -> dict[str, object]:
    """What must be known of the agent where nobody can be asked: by option, what is known."""
    config = before.config
    who = kind(given, before)
    if who == "command":
        return {"--command": given.command or config.sessions.command}
    if who == "claude":
        return {"--agent-key-file": key or before.key or dry_run or not login.needed(config.claude.environment)}
    return {"--agent": ""}


def agent(talk: Talk, given: Given, before: Present, where: Place) -> Agent:
    """The agent with all that belongs to it but the key.  Raises UsageError, BadConfig for what an option says."""
    who = kind(given, before)
    if talk.asks and not (given.kind or given.command or given.of_claude):
        who = _chosen(talk, "Who works on tickets", KINDS, who or "claude")
    config = before.config
    if who == "command":
        made = Agent(who, command=_command(talk, given.command, config.sessions.command, where.installed))
        _tell_of_approvals(talk, before, who, config.sessions.permission_mode)
        if before.key and config.agent == "claude":
            talk.note(f"{where.key} stays, and sessions of the command are given it", "remove it if they should not be")
        return made
    given = _read(given)
    runs = _program(talk, given.program, before, where.installed)
    claude = config.claude
    mode = given.mode or (_chosen(talk, "How does it run", MODES, claude.mode) if talk.asks else claude.mode)
    may = given.permission_mode or config.sessions.permission_mode
    if talk.asks and not given.permission_mode:
        may = _chosen(talk, "What may it do unasked", PERMISSIONS, may)
    if mode == "headless" and may == "default":
        talk.warn("headless, and default: it edits nothing, for nobody is there to allow it", "acceptEdits suits it")
    if may == "bypassPermissions":
        talk.note("it does whatever it wants within its session; SECURITY.md says what that reaches")
    _tell_of_approvals(talk, before, who, may)
    _tell_of_others(talk, config, mode, may)
    ticket, daily = _budget(talk, given, config.budget, fresh=not before.values)
    base_url = "" if given.base_url == answers.NOTHING else given.base_url or claude.base_url
    key_file = str(claude.key_file or "") if where.installed else str(where.key)
    return Agent(who, (), str(runs), mode, may, base_url, key_file, ticket, daily)


def summary(config: Config) -> str:
    """Who works on tickets, in a line."""
    if config.agent == "command":
        return shlex.join(config.sessions.command)
    return f"Claude Code, {config.claude.mode}, {config.sessions.permission_mode}"


def _was(before: Present) -> str:
    """Who it is so far; empty if the configuration does not say."""
    sessions = before.config.sessions
    said = sessions.agent != "auto" or sessions.command or "claude" in before.values
    return before.config.agent if before.values and said else ""


def _chosen(talk: Talk, title: str, about: dict[str, str], default: str) -> str:
    names = list(about)
    number = str(names.index(default) + 1)
    return names[talk.choose(title, list(about.items()), number, one=True)[0]]


def _read(given: Given) -> Given:
    """With what was said checked.  Raises UsageError."""
    try:
        option = "--base-url"
        url = given.base_url and (given.base_url if given.base_url == answers.NOTHING else address(given.base_url))
        option = "--ticket-usd"
        answers.usd(given.ticket_usd or "0")
        option = "--daily-usd"
        answers.usd(given.daily_usd or "0")
    except ValueError as error:
        raise click.UsageError(f"{option}: {str(error).removeprefix('url: ')}") from None
    return replace(given, base_url=url)


def _tell_of_approvals(talk: Talk, before: Present, kind: str, permission_mode: str) -> None:
    now = before.config.agent, before.config.sessions.permission_mode
    if before.complete and now != (kind, permission_mode):
        talk.note("an approval is bound to the agent and to what it may do: approved tickets wait for a new one")


def _tell_of_others(talk: Talk, config: Config, mode: str, permission_mode: str) -> None:
    """The projects in which it is otherwise."""
    for project in config.plane.projects:
        own = project.claude.mode or mode, project.claude.permission_mode or permission_mode
        if own != (mode, permission_mode):
            talk.note(f"project {project.key or project.id} has its own: {', '.join(own)}", "claude, in its entry")


# The program.


def _found() -> Path | None:
    """Claude Code on this machine, best where sessions see it."""
    which = shutil.which("claude")
    return next((path for path in (_INSTALLED, Path(which or "/")) if path.is_file()), None)


def _program(talk: Talk, given: str, before: Present, installed: bool) -> Path:
    """The program, tried."""
    was = before.config.claude.program if "claude" in before.values else _found() or _INSTALLED
    if given or not talk.asks:
        try:
            path = _path(given) if given else was
            _try(talk, path, installed)
        except ValueError as error:
            raise click.UsageError(f"--claude: {error}") from None
        except PcoError as error:
            if given:
                raise BadConfig(f"--claude: {error}", error.hint) from error
            talk.warn(f"claude.program: {error}", error.hint)
        return path
    click.echo(err=True)
    while True:
        path = talk.ask("Program of Claude Code", str(was), _path)
        try:
            _try(talk, path, installed)
            return path
        except PcoError as error:
            talk.fail(error)


def _path(said: str) -> Path:
    """An absolute path of what a person called a program.  Raises ValueError."""
    found = said if "/" in said else shutil.which(said)
    if not found:
        raise ValueError(f"there is no program {said} in PATH; give its path")
    path = Path(os.path.abspath(os.path.expanduser(found)))
    if not str(path).isprintable():
        raise ValueError("expected a path")
    return path


def _try(talk: Talk, path: Path, installed: bool) -> None:
    """Run it as a session will, for its version.  Raises PcoError."""
    program.there(path)
    if installed:
        _reach(path)
    become = reach.NOBODY if installed and os.geteuid() == 0 else ()
    said = program.asked(path, become=become)
    warning = program.judged(path, said)
    talk.ok(f"{path}: {said}")
    if warning:
        talk.warn(warning, "it will most likely do; try it with a small ticket before the others, see README")


def _reach(path: Path) -> None:
    """Raises BadConfig if the user of a session cannot run it."""
    try:
        why = reach.obstacle(path)
    except OSError as error:
        raise BadConfig(f"{path}: {error.strerror}", program.HINT) from error
    if why:
        real = shlex.quote(os.path.realpath(path))
        copy = f"install -m 755 {real} {_INSTALLED}, then name that"
        raise BadConfig(f"{path}: {why}", copy if reach.native(path) else f"{program.HINT}, as root")


# A command of one's own.


def _command(talk: Talk, wanted: str, before: Sequence[str], installed: bool) -> tuple[str, ...]:
    """The program that works on tickets, with its arguments."""
    try:
        words = _words(wanted) if wanted else tuple(before)
    except ValueError as error:
        raise click.UsageError(f"--command: {error}") from None
    if talk.asks and not wanted:
        click.echo(err=True)
        words = talk.ask("Command that works on a ticket", shlex.join(before), _words)
    found = shutil.which(words[0], path=f"{os.environ.get('PATH', os.defpath)}:/usr/local/bin")
    if not found:
        talk.warn(f"{words[0]} is not on this machine, or not executable", "put it there before a ticket is approved")
    elif installed and (why := _obstacle(found)):
        talk.warn(f"{words[0]}: {why}", "sessions run it as a user of their own: put it under /usr/local or /opt")
    return words


def _obstacle(found: str) -> str:
    try:
        return reach.obstacle(Path(os.path.abspath(found)))
    except OSError as error:
        return str(error.strerror)


def _words(said: str) -> tuple[str, ...]:
    words = shlex.split(said)
    if not words or not words[0]:
        raise ValueError("expected a program and its arguments")
    return tuple(words)


# Money.


def _budget(talk: Talk, given: Given, was: Budget, *, fresh: bool) -> tuple[float, float]:
    """What one ticket, and one day, may cost."""
    asked = talk.asks

    def amount(said: str, question: str, default: float) -> float:
        if said or not asked:
            return answers.usd(said) if said else default
        return talk.ask(f"{question}, in USD; 0 is no limit", f"{default:g}", answers.usd)

    if asked:
        click.echo(err=True)
    ticket = amount(given.ticket_usd, "What one ticket may cost, all its rounds", was.ticket_usd)
    daily = amount(given.daily_usd, "What all sessions of a day may cost", was.daily_usd)
    if fresh and not asked and not (given.ticket_usd and given.daily_usd):
        talk.note(f"a ticket may cost ${ticket:g}, a day ${daily:g}", "others: --ticket-usd, --daily-usd")
    return ticket, daily
