"""What all programs share: options, configuration, the spool, announcing, and how a program ends.

`@command` makes a click command of a function whose first argument is a `Pco`.  Every program then has --config,
--verbose, --quiet, --color, --version and the exit codes of sysexits.h, and shows no traceback for what is foreseeable.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from functools import cached_property, wraps
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any

import click

from pco import __version__
from pco.ground import text
from pco.ground.errors import BadConfig, PcoError, SystemFault, TryLater
from pco.voice import Voice

if TYPE_CHECKING:
    # Only for the types: --help must not wait for the record's dataclasses to be made.
    from pathlib import Path

    from pco.ground.config import Config
    from pco.ground.notice import Notice
    from pco.ground.ticket import State, Ticket
    from pco.outside.plane import Plane
    from pco.outside.service import Service
    from pco.spool import Spool

DEFAULT_CONFIG = "/etc/pco/pco.yaml"
LEVELS = {"debug": 7, "info": 6, "warning": 4, "error": 3}  # priorities of syslog(3)
PATIENCE = timedelta(seconds=10)  # for a run by hand; below the units' TimeoutStartSec=
CONTEXT: dict[str, Any] = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class Pco:
    """One run of a program."""

    def __init__(self, program: str) -> None:
        self.program = program
        self.voice = Voice(program)
        self.verb = ""
        self.config_file = ""
        self.loudness = 0
        self.level: str | None = None  # that the environment asks for; empty: none
        self.color: bool | None = None
        self.trouble = 0  # the exit code that the run has earned so far

    @property
    def config_path(self) -> "Path":
        """The file that the configuration is read from; its drop-ins lie beside it."""
        from pathlib import Path

        return Path(self.config_file or os.environ.get("PCO_CONFIG") or DEFAULT_CONFIG).absolute()

    @cached_property
    def config(self) -> "Config":
        """The configuration.  Raises BadConfig."""
        from pco.ground import yamlfile

        return yamlfile.load(self.config_path)

    @cached_property
    def spool(self) -> "Spool":
        """The spool, as this program (and verb) may use it.  Raises BadConfig if it is not there."""
        from pco.spool import Spool

        spool = Spool(self.config.paths.spool, f"{self.program} {self.verb}".strip())
        spool.check()
        return spool

    def plane(
        self,
        *,
        urgent: bool = False,
        patience: timedelta | None = None,
        timeout: timedelta | None = None,
        credentials: str = "",
    ) -> "Plane":
        """The client of Plane, with the one budget of requests that all programs share.  Raises BadConfig.

        `credentials` is the folder that the units' come from, where this is no unit but may read it.
        """
        from pco.ground.config import read_token
        from pco.outside.plane import Plane
        from pco.outside.rates import Budget

        plane = self.config.plane
        budget = Budget(self.config.paths.plane / "rate.json", plane.requests_per_minute)
        more = {} if patience is None else {"patience": patience}
        token = read_token(plane, {"CREDENTIALS_DIRECTORY": credentials} if credentials else os.environ)
        return Plane(plane.url, plane.workspace, token, timeout or plane.timeout, budget, urgent=urgent, **more)

    @property
    def patience(self) -> timedelta:
        """How long to wait for a run by hand: a unit waits, for it would be started again at once, and again."""
        return PATIENCE if self.service.present else timedelta(0)

    @cached_property
    def service(self) -> "Service":
        """The unit that this runs as: told when it is ready, and of progress."""
        from pco.outside.service import Service

        return Service()

    def now(self) -> datetime:
        """The wall clock."""
        return datetime.now(UTC)

    @cached_property
    def who(self) -> str:
        """The person, or the program's user, on whose word this runs."""
        import pwd

        try:
            name = pwd.getpwuid(os.getuid()).pw_name
        except KeyError:
            name = str(os.getuid())
        caller = os.environ.get("SUDO_USER", "") if os.getuid() == 0 else ""
        return text.line(caller or name, 64)

    # Speaking.

    @cached_property
    def hide(self) -> "Callable[[str], str]":
        """What takes out of a text for a log or a comment what the configuration's `redact` names."""
        from pco.ground.redaction import Redaction

        try:
            return Redaction(self.config.redact)
        except BadConfig:
            return str  # the message is about just that

    @contextmanager
    def hidden(self) -> "Iterator[None]":
        """What ends the program is said without it, too."""
        try:
            yield
        except PcoError as error:
            error.args = (self.hide(str(error)),)
            raise

    def log(self, level: str, message: str, subject: str = "", *, hint: str = "", event: str = "") -> None:
        """Say something, about the ticket or project `subject`; `event` is its kind, if the journal explains it."""
        if LEVELS[level] > self._threshold():
            return
        fields: dict[str, Any] = {}
        if self.voice.streams:
            from pco.ground import messages

            fields = {**messages.about(subject), "MESSAGE_ID": messages.message_id(event)}
        message = self.hide(f"{subject}: {message}" if subject else message)
        self.voice.say(LEVELS[level], message, fields, self.hide(hint))

    def say(self, message: str = "") -> None:
        """One line of result to standard output; -q keeps it back."""
        if self.loudness >= 0:
            click.echo(text.lines(message), color=self.color)

    def fail(self, error: PcoError, subject: str = "") -> None:
        """Say what went wrong with a ticket or project and go on; the run will exit with the gravest code it met."""
        from pco.ground import messages

        self.log("error", str(error), subject, hint=error.hint, event=messages.failure(error.exit, subject))
        self.trouble = gravest(self.trouble, error.exit)

    def conclude(self, words: str, *, worth: bool) -> None:
        """The last word of a run: what it did.  Shown by `systemctl status`, and logged if it is `worth` it."""
        self.service.doing(words)
        self.log("info" if worth else "debug", words)

    def announce(
        self,
        event: str,
        ticket: "Ticket | None",
        fields: dict[str, Any] | None = None,
        measured: dict[str, Any] | None = None,
    ) -> None:
        """After each move, and only here: the audit record, the journal, the log line, the notice for people.

        `event` is `moved`, for which the line reads `WEB-12: pending -> approved`, or another word.  Without a ticket
        `fields` may have the `key` of one that has no record.  What was `measured` is for the audit record alone.
        """
        from pco.ground import audit, messages

        fields = dict(fields or {})
        last = ticket.history[-1] if ticket and ticket.history else None
        if event == "moved" and last and ticket:
            fields = {"from": last.from_, "to": last.to, "round": ticket.round.n, **fields}
        by = fields.pop("by", "") or (last.by if last and event == "moved" else self.who)
        key = ticket.key if ticket else fields.pop("key", "")
        measured = {**(_stayed(ticket) if event == "moved" and ticket else {}), **(measured or {})}
        kept = {**fields, "measured": measured} if measured else fields
        head = audit.append(self.config.paths.audit, self.now(), event, by, key, kept)
        self._tell(_told(event, key, fields), {**messages.told(event, ticket, key, fields, by), "PCO_AUDIT": head})
        self.notify(event, ticket, fields)

    def notify(self, event: str, ticket: "Ticket | None", fields: dict[str, Any]) -> None:
        """Leave the notice of what people are told of.  If that cannot be, the move stands all the same."""
        from pco.rules import notices as rules
        from pco.spool import notices

        for name in rules.over(event, ticket):
            notices.withdraw(self.config.paths.spool, name)
        if found := rules.of(event, ticket, fields, self.now(), self.hide):
            self.leave(*found)

    def leave(self, name: str, notice: "Notice", *, wake: bool = True) -> bool:
        """Leave a notice for pco-notify, and `wake` it; says whether that could be done.  A failure is only said."""
        from pco.spool import notices
        from pco.spool.control import Control

        try:
            spool = self.config.paths.spool
            notices.leave(spool, name, notice)
        except BadConfig as error:
            self.log("warning", f"nobody is notified: {error}", notice.key, hint=error.hint)
            return False
        except OSError as error:
            self.log("warning", f"nobody is notified: {spool}/notify: {error.strerror}", notice.key)
            return False
        if wake:
            Control(spool).wake("notify")
        return True

    def _tell(self, message: str, record: dict[str, Any]) -> None:
        """An announcement is for the journal wherever it is made, so that this has the whole way of a ticket.

        Not so that of a pco under a `paths.root` of its own, in a checkout or a test: the machine's journal is not its.
        """
        priority, message = record.pop("PRIORITY"), self.hide(message)
        if self.voice.streams:
            if priority <= self._threshold():
                self.voice.say(priority, message, record)
            return
        if LEVELS["info"] <= self._threshold():
            self.voice.write(LEVELS["info"], message)
        if self.config.paths.root is None and priority <= LEVELS[self.config.log.level]:
            self.voice.record(priority, message, record)

    def _threshold(self) -> int:
        """The priority up to which this run speaks: by its options, else its environment, else its configuration."""
        asked = {-1: "error", 1: "info", 2: "debug"}.get(self.loudness) or self.level
        return LEVELS[asked or ("warning" if self.program == "pco-queue" else self._level())]

    def _level(self) -> str:
        try:
            return self.config.log.level
        except BadConfig:
            return "info"


def _stayed(ticket: "Ticket") -> dict[str, float]:
    """How long a ticket that was moved had been where it came from, in seconds."""
    if len(ticket.history) < 2:
        return {}
    came, went = ticket.history[-2].at, ticket.history[-1].at
    return {"stayed": max((went - came).total_seconds(), 0.0)}


def _told(event: str, key: str, fields: dict[str, Any]) -> str:
    return f"{key + ': ' if key else ''}{in_words(event, fields)}"


def in_words(event: str, fields: Mapping[str, Any]) -> str:
    """An announced event in one line: `pending -> approved why=small`."""
    shown = dict(fields)
    moved = event == "moved" and {"from", "to"} <= shown.keys()
    what = f"{shown.pop('from') or 'new'} -> {shown.pop('to')}" if moved else event
    rest = " ".join(f"{name}={text.line(str(value), 200)}" for name, value in shown.items() if value not in ("", None))
    return f"{what} {rest}".rstrip()


def gravest(one: int, other: int) -> int:
    """Of two exit codes the one to end with: what no later run mends goes before what the timer tries again."""
    if 0 in (one, other):
        return max(one, other)
    return min(one, other) if TryLater.exit in (one, other) else max(one, other)


class Program(click.Command):
    """A program.  Called (as an entry point does), it runs to its end."""

    def __call__(self) -> None:
        run(self)


class Verbs(Program, click.Group):
    """A program with verbs."""


def options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that every program has."""
    for option in (
        click.version_option(__version__, "-V", "--version", message="%(prog)s %(version)s"),
        click.option("--color", type=click.Choice(["auto", "always", "never"]), default="auto", help="Colours."),
        click.option("-q", "--quiet", is_flag=True, help="Say only what went wrong."),
        click.option("-v", "--verbose", count=True, help="Say more; twice: everything."),
        click.option("--config", metavar="FILE", help=f"Default: $PCO_CONFIG, else {DEFAULT_CONFIG}."),
    ):
        function = option(function)
    return function


def configure(pco: Pco, config: str | None, verbose: int, quiet: bool, color: str) -> None:
    """Put the common options into `pco`."""
    pco.config_file = config or pco.config_file
    pco.loudness = -1 if quiet else min(verbose, 2) or pco.loudness
    if pco.level is None:
        pco.level = _level_wanted(pco.voice)
    if color != "auto":
        pco.color = color == "always"
    elif "NO_COLOR" in os.environ:
        pco.color = False


def _level_wanted(voice: Voice) -> str:
    """What $PCO_LOG_LEVEL asks for, as a drop-in of a unit may; a wrong one is said, and passed over."""
    level = os.environ.get("PCO_LOG_LEVEL", "")
    if level in LEVELS or not level:
        return level
    voice.say(LEVELS["warning"], f"PCO_LOG_LEVEL={level!r} is none of {', '.join(LEVELS)}; passed over", {})
    return ""


def command(function: Callable[..., Any]) -> click.Command:
    """Make a program of `function(pco, ...)`: its docstring is the help."""
    program = f"pco-{function.__module__.rpartition('.')[2]}"

    @wraps(function)
    def started(config: str | None, verbose: int, quiet: bool, color: str, **given: Any) -> None:
        pco = Pco(program)
        configure(pco, config, verbose, quiet, color)
        with pco.hidden():
            function(pco, **given)
        raise SystemExit(pco.trouble)

    return click.command(program, cls=Program, context_settings=CONTEXT)(options(started))


def verb(function: Callable[..., Any]) -> click.Command:
    """Make a verb of `function(pco, ...)`: its name is the verb, its docstring the help."""
    name = function.__name__.rstrip("_")

    @wraps(function)
    def run(config: str | None, verbose: int, quiet: bool, color: str, **given: Any) -> None:
        pco: Pco = click.get_current_context().obj
        pco.verb = name
        configure(pco, config, verbose, quiet, color)
        with pco.hidden():
            function(pco, **given)
        raise SystemExit(pco.trouble)

    return click.command(name, context_settings=CONTEXT)(options(run))


def run(program: click.Command) -> None:
    """Run a program to its end: each foreseeable failure is one line and its exit code."""
    name = program.name or "pco"
    out = sys.stdout
    for stream in (out, sys.stderr):
        # A terminal that knows no Unicode gets a question mark, not a traceback.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    if f"_{name.upper().replace('-', '_')}_COMPLETE" in os.environ:
        from pco.commands import completing

        completing.prepare()
    try:
        program.main(prog_name=name, standalone_mode=False)
    except click.exceptions.Exit as end:
        raise SystemExit(end.exit_code) from None
    except (click.exceptions.Abort, KeyboardInterrupt):
        # A second Ctrl-C, as it ends, would change its exit code.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        click.echo(f"{name}: interrupted", err=True)
        raise SystemExit(130) from None
    except click.ClickException as error:
        error.show()
        raise SystemExit(error.exit_code) from None
    except PcoError as error:
        _complain(name, error)
        raise SystemExit(error.exit) from None
    except SystemExit as end:
        # click ends with 1 when the reader has what it wanted (`| head`); that it has put another stdout there tells.
        if sys.stdout is not out:
            raise SystemExit(0) from None
        raise end from None
    except BrokenPipeError:
        # As above, met outside of click: let nothing be flushed into the closed pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None
    except OSError as error:
        _complain(name, SystemFault(f"{error.filename or 'system'}: {error.strerror or error}"))
        raise SystemExit(SystemFault.exit) from None


def _complain(name: str, error: PcoError) -> None:
    from pco.ground import messages

    event = messages.failure(error.exit, "")
    Voice(name).say(LEVELS["error"], str(error), {"MESSAGE_ID": messages.message_id(event)}, error.hint)


def put_aside(pco: Pco, key: str, state: "State", error: PcoError) -> None:
    """Set a corrupt ticket aside, and say so; any other trouble with it is only said."""
    from pco.ground.errors import BadData
    from pco.ground.ticket import State

    pco.fail(error, key)
    if isinstance(error, BadData) and state is not State.ACTIVE:
        pco.spool.set_aside(key, state, str(error))
        pco.announce("set aside", None, {"key": key, "from": state.value, "to": "corrupt", "why": str(error)})


def changed(ticket: "Ticket", **changes: Any) -> "Ticket":
    """`dataclasses.replace`, under a name that reads well in a program."""
    from dataclasses import replace

    return replace(ticket, **changes)


@contextmanager
def alone(pco: Pco, flag: str) -> Iterator[None]:
    """Be the only run of a program that `flag` wakes, and ready.  Raises TryLater if another stays under way.

    That one may have looked already, and the flag is gone: set again, it makes the unit look once more.
    """
    # First: of a unit that ends before it was ready systemd says that it has failed, whatever its exit code.
    pco.service.ready()
    with ExitStack() as stack:
        try:
            stack.enter_context(pco.spool.alone(pco.patience))
        except TryLater:
            pco.spool.control.wake(flag)
            raise
        yield


def share(name: str) -> "Path":
    """A file of share/: of the checkout, else as `make install` or pip put it there.  Raises BadConfig."""
    from pathlib import Path

    lib = Path(__file__).resolve().parents[1]  # of the checkout, or PREFIX/lib/pco/VERSION
    places = (lib.parent / "share", *(up / "share" / "pco" for up in (*lib.parents[2:3], Path(sys.prefix))))
    found = next((place / name for place in places if (place / name).exists()), None)
    if found is None:
        raise BadConfig(f"{name} is not in {places[1]}", "install pco again")
    return found
