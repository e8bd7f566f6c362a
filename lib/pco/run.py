"""One run of a program: its configuration, the spool, Plane; what it says, and how it announces.

A run is made by `pco.command`; `announce` is called after each move, and by nobody else is a move told.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

import click

from pco.ground import text
from pco.ground.errors import BadConfig, PcoError, TryLater
from pco.voice import Voice

if TYPE_CHECKING:
    # Only for the types: --help must not wait for the record's dataclasses to be made.
    from collections.abc import Callable
    from pathlib import Path

    from pco.ground.caller import Caller
    from pco.ground.config import Config
    from pco.ground.notice import Notice
    from pco.ground.ticket import State, Ticket
    from pco.outside.plane import Plane
    from pco.outside.service import Service
    from pco.spool import Spool

DEFAULT_CONFIG = "/etc/pco/pco.yaml"
LEVELS = {"debug": 7, "info": 6, "warning": 4, "error": 3}  # priorities of syslog(3)
PATIENCE = timedelta(seconds=10)  # for a run by hand; below the units' TimeoutStartSec=


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
        from pco.ground import apitoken
        from pco.outside.plane import Plane
        from pco.outside.rates import Budget

        plane = self.config.plane
        budget = Budget(self.config.paths.plane / "rate.json", plane.requests_per_minute)
        more = {} if patience is None else {"patience": patience}
        token = apitoken.read(plane, {"CREDENTIALS_DIRECTORY": credentials} if credentials else os.environ)
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
    def caller(self) -> "Caller":
        """The person, or the program's user, on whose word this runs, and how it came to run as another."""
        from pco.ground import caller

        found = caller.caller(caller.logged_in(), os.getuid(), os.environ.get("SUDO_USER", ""))
        return caller.Caller(text.line(found.person, 64), text.line(found.how, 200))

    @property
    def who(self) -> str:
        """The person, by name."""
        return self.caller.person

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
        `fields` may have the `key` of one that has no record.  What was `measured` is for the audit record alone, as is
        the user as whom a person did it, if not as itself.
        """
        from pco.ground import audit, messages

        fields = dict(fields or {})
        last = ticket.history[-1] if ticket and ticket.history else None
        if event == "moved" and last and ticket:
            fields = {"from": last.from_, "to": last.to, "round": ticket.round.n, **fields}
        by = fields.pop("by", "") or (last.by if last and event == "moved" else self.who)
        key = ticket.key if ticket else fields.pop("key", "")
        measured = {**(_stayed(ticket) if event == "moved" and ticket else {}), **(measured or {})}
        how = {"as": self.caller.how} if by == self.who and self.caller.how else {}
        kept = {**fields, **how, **({"measured": measured} if measured else {})}
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

        So whatever the level: what the journal was not told of could be taken out of the audit record unseen.  Not so
        that of a pco under a `paths.root` of its own, in a checkout or a test: the machine's journal is not its.
        """
        priority, message = record.pop("PRIORITY"), self.hide(message)
        if self.voice.streams and priority <= self._threshold():
            self.voice.say(priority, message, record)
            return
        if not self.voice.streams and LEVELS["info"] <= self._threshold():
            self.voice.write(LEVELS["info"], message)
        if self.config.paths.root is None:
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


def put_aside(pco: Pco, key: str, state: "State", error: PcoError) -> None:
    """Set a corrupt ticket aside, and say so; any other trouble with it is only said."""
    from pco.ground.errors import BadData
    from pco.ground.ticket import State

    pco.fail(error, key)
    if isinstance(error, BadData) and state is not State.ACTIVE:
        pco.spool.set_aside(key, state, str(error))
        pco.announce("set aside", None, {"key": key, "from": state.value, "to": "corrupt", "why": str(error)})


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


@cache
def share(name: str) -> "Path":
    """A file of share/: of the checkout, else as `make install` or pip put it there.  Raises BadConfig."""
    from pathlib import Path

    lib = Path(__file__).resolve().parents[1]  # of the checkout, or PREFIX/lib/pco/VERSION
    places = (lib.parent / "share", *(up / "share" / "pco" for up in (*lib.parents[2:3], Path(sys.prefix))))
    found = next((place / name for place in places if (place / name).exists()), None)
    if found is None:
        raise BadConfig(f"{name} is not in {places[1]}", "install pco again")
    return found
