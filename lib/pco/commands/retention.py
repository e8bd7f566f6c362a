"""Remove what is older than the configuration's `retention` lets things be; a timer does so each day.

In this order: what pco-purge began and could not finish; tickets that were posted, rejected or failed for so long, with
all that is known of them (as pco-purge removes it); of younger posted and rejected ones what their agents wrote, and
then what was kept of their sessions; audit records by the month; ledgers by the day.  A ticket in any other state
stays, however old: somebody has to do with it.

What agents wrote belongs to users of their own: pco asks systemd to remove it (CleanUnit), which polkit allows it for
units of sessions alone, and never while a session is there.

Commits that were neither pushed nor fetched (pco-queue fetch), and those that did not get into the mirror, stay for at
least retention.unfetched.
"""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path

import click

from pco.command import command
from pco.commands.backing import owner
from pco.commands.purging import removing
from pco.ground import attested, audit, spend, text
from pco.ground.errors import PcoError, SystemFault
from pco.ground.ticket import FINISHED, KEY, State, Ticket
from pco.outside.runners import Runner, choose
from pco.rules import retention
from pco.run import Pco
from pco.spool import Stale

_ATTEMPT = re.compile(r"[0-9]+\.[0-9]+(\.[0-9]+)?|current|\.current")
_WRITTEN = ("index", "notify", "corrupt", "control", "control/import", "control/clean", "control/push", "control/purge")
_KNOWN = ("*", "*/known")  # below plane/: what is known of each project


@command
@click.option("-n", "--dry-run", is_flag=True, help="Remove nothing; show what would go.")
def main(pco: Pco, dry_run: bool) -> None:
    """Remove what is older than the configuration lets things be.

    \b
    Examples:
      sudo pco-retention --dry-run     what would go now
      systemctl list-timers pco-retention
    """
    pco.service.ready()
    owner.become(pco)
    config = pco.config
    Retention(pco, choose(config.sessions.runner, config.paths.run, config.paths.trigger), dry_run).run()


class Retention:
    """One run; `gone` counts what went, or would go, by kind."""

    def __init__(self, pco: Pco, runner: Runner, dry: bool) -> None:
        self.pco, self.runner, self.dry = pco, runner, dry
        self.limits = pco.config.retention
        self.gone: dict[str, int] = {}

    def run(self) -> None:
        """All of it; what fails with one ticket is said, and the run goes on."""
        self._unfinished()
        for key in self._old():
            self._one("ticket", key, partial(self._purge, key))
        for key in self.runner.kept():
            if self.pco.spool.find(key) is None or self._due(key, retention.workspace_due):
                self._one("workspace", key, partial(self._clean, key))
        self._attempts()
        self._files(self.pco.config.paths.audit, "audit month", self._months())
        self._files(self.pco.config.paths.metrics / spend.FOLDER, "ledger", self._days())
        if not self.dry:
            self._nameless()
            self._sweep()
        told = ", ".join(text.count(number, kind) for kind, number in self.gone.items())
        self.pco.conclude(f"removed: {told or 'nothing'}", worth=bool(told) and not self.dry)
        if self.dry and not told:
            self.pco.say("Nothing is old enough to go.")

    def _one(self, kind: str, name: str, remove: Callable[[], object]) -> None:
        """Remove one thing, or say that it would go."""
        self.pco.service.doing(f"looks at {name}")
        try:
            if self.dry:
                self.pco.say(f"{name}: {kind}")
            elif remove() is False:
                return
            self.gone[kind] = self.gone.get(kind, 0) + 1
        except (Stale, KeyError):
            return  # it moved on
        except PcoError as error:
            self.pco.fail(error, name)
        except OSError as error:
            self.pco.fail(SystemFault(f"{error.filename or name}: {error.strerror}"), name)
        finally:
            self.pco.service.pat()

    def _unfinished(self) -> None:
        control = self.pco.spool.control
        for key, (by, begun) in control.purges().items():
            if removing.came_back(self.pco, key, begun):
                self.pco.log("warning", "it came back as a new ticket while its purge was unfinished: it stays", key)
                control.purged(key)
            elif not removing.refusal(self.pco, key, self.runner):
                self._one("ticket", key, partial(self._finish, key, by))

    def _finish(self, key: str, by: str) -> None:
        removing.finish(self.pco, key, self.runner, by, "what was left of it")

    def _old(self) -> Iterator[str]:
        """The tickets that have been posted, rejected or failed for too long."""
        for state in (State.POSTED, State.REJECTED, State.FAILED):
            if not retention.span(state, self.limits):
                continue
            for key in sorted(self._candidates(state)):
                if self._due(key, retention.record_due, state):
                    yield key

    def _candidates(self, state: State) -> set[str]:
        """Those that may be old enough: the index says when they finished, or nobody has written them since then.

        Of what finished not every record is read.
        """
        if state not in FINISHED:
            return set(self.pco.spool.keys(state))
        edge, index = self.pco.now() - retention.span(state, self.limits), self.pco.spool.index
        months = [name for name in index.months() if name <= f"{edge:%Y-%m}"]
        listed = {one.key for name in months for one in index.month(name) if one.state == state and one.at < edge}
        with os.scandir(self.pco.config.paths.spool / state) as entries:
            unwritten = {entry.name.removesuffix(".json") for entry in entries if _older(entry, edge.timestamp())}
        return listed | {key for key in unwritten if KEY.fullmatch(key)}

    def _due(self, key: str, rule: Callable[..., bool], *states: State) -> bool:
        try:
            ticket: Ticket = self.pco.spool.read(key)
        except (KeyError, PcoError):
            return False
        if states and ticket.state not in states:
            return False
        return rule(ticket, self.limits, self.pco.now())

    def _purge(self, key: str) -> None:
        removing.purge(self.pco, key, self.runner, "pco-retention", "its time was over")

    def _clean(self, key: str) -> bool:
        """Remove what only the runner may; False as long as a session is there, or may be."""
        living = self.runner.list()
        if living is None or key in living:
            return False
        self.runner.clean(key)
        self.pco.log("info", "what its agents wrote was removed", key)
        return True

    def _attempts(self) -> None:
        """Prompts and screens; with runner tmux the workspaces, too, which lie beside them."""
        sessions = self.pco.config.paths.sessions
        for key in sorted(os.listdir(sessions)):
            if not KEY.fullmatch(key):
                continue
            if self._due(key, retention.attempts_due) or self._orphan(sessions / key, key):
                self._one("session folder", key, partial(removing.remove_tree, sessions / key))
            elif self._due(key, retention.workspace_due):
                for name in [name for name in os.listdir(sessions / key) if not _ATTEMPT.fullmatch(name)]:
                    self._one("workspace", f"{key}/{name}", partial(_remove, sessions / key / name))

    def _orphan(self, folder: Path, key: str) -> bool:
        """Whether it belongs to no ticket, and has not been touched for as long as attempts are kept."""
        if self.pco.spool.find(key) is not None or not self.limits.attempts:
            return False
        living = self.runner.list()
        age = timedelta(seconds=self.pco.now().timestamp() - folder.lstat().st_mtime)
        return living is not None and key not in living and age > self.limits.attempts

    def _months(self) -> list[str]:
        """Files of the audit record that are due, never the latest: the next record is bound to its end."""
        names = audit.months(self.pco.config.paths.audit)
        due = [name for name in names[:-1] if retention.month_due(name, self.limits.audit, self.pco.now())]
        return [f"{name}.jsonl" for name in due]

    def _days(self) -> list[str]:
        days = (day.isoformat() for day in spend.days(self.pco.config.paths.metrics))
        return [f"{day}.json" for day in days if retention.day_due(day, self.limits.ledgers, self.pco.now())]

    def _files(self, folder: Path, kind: str, names: list[str]) -> None:
        for name in names:
            self._one(kind, name, (folder / name).unlink)

    def _nameless(self) -> None:
        """Take the keys of tickets that are gone out of the ledgers that nobody writes any more."""
        there = set(self.pco.spool.keys(*State))
        metrics = self.pco.config.paths.metrics
        for day in removing.ledgers(self.pco):
            with suppress(PcoError):
                keys = {name.partition(":")[0] for name in spend.read(metrics, day).sessions}
                if gone := frozenset(key for key in keys - there if KEY.fullmatch(key)):
                    book = spend.read(metrics, day)
                    spend.write(metrics, day, spend.nameless(book, gone))

    def _sweep(self) -> None:
        """What crashes left half written, and nobody writes any more: `.NAME.PID`, see `ground.durable`."""
        paths, edge = self.pco.config.paths, (self.pco.now() - timedelta(days=1)).timestamp()
        places = [paths.spool / name for name in _WRITTEN]
        places += [
            paths.audit,
            paths.audit / attested.FOLDER,
            paths.plane,
            paths.metrics,
            *(place for place in paths.metrics.glob("*") if place.is_dir()),
        ]
        places += [place for pattern in _KNOWN for place in paths.plane.glob(pattern) if place.is_dir()]
        for place in places:
            for path in place.glob(".*.[0-9]*"):
                with suppress(OSError):
                    if path.lstat().st_mtime < edge:
                        path.unlink()
        self.pco.spool.tidy()


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        removing.remove_tree(path)
    else:
        path.unlink(missing_ok=True)


def _older(entry: "os.DirEntry[str]", edge: float) -> bool:
    try:
        return entry.stat(follow_symlinks=False).st_mtime < edge
    except FileNotFoundError:
        return False
