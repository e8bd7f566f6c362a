"""Push the branches of finished tickets, pco/KEY, from the mirror to where people look at them.

Off unless a project says `push: true`.  Then each ticket that comes into completed has its branch pushed, to
`push_url` or else to the project's repository; once it is there, the comment can name where people see its changes
(`compare_url`).  A push keeps nobody waiting: a ticket can be accepted without it, and what did not work is tried again
after one minute, two, four, at most an hour.  pco-queue show says how far it is.

What somebody else pushed is never overwritten: a branch is changed only where it is not there yet, where it is at a
commit that a session of this ticket handed over, or where nothing of it gets lost.  Else the ticket says that it was
refused, and it is not tried again by itself; pco-queue push KEY asks for another try.  So too if the credential stands
in a message, a name or an added line of its commits.

To switch it on, as root:

    install -m 600 KEY-OR-TOKEN /etc/pco/credentials/git-push
    systemctl enable --now pco-push.path pco-push.timer

The credential is a private key of ssh without a passphrase (the server's key must be in /etc/ssh/ssh_known_hosts), or
lines `https://USER:TOKEN@HOST`, one for each host.  It should allow to push branches, and nothing else.

A push_url that is a folder of this machine needs none, but a drop-in for pco-push.service with ReadWritePaths=FOLDER;
its hooks do not run.
"""

import os
import sys
from datetime import datetime, timedelta
from pathlib import Path

import click

from pco.command import command
from pco.commands.plan import mirror_of
from pco.ground import credentials, text, times
from pco.ground.config import Project
from pco.ground.errors import BadData, NotPermitted, PcoError, TryLater
from pco.ground.ticket import State, Ticket
from pco.outside import commits
from pco.outside.git import Mirror
from pco.outside.remote import Remote, answer
from pco.rules import pushing
from pco.rules.pushing import Branch
from pco.run import Pco, alone, gravest, put_aside

WITHIN = timedelta(minutes=5)  # for one word with a remote; the unit's WatchdogSec= is longer
Asked = datetime | None


@command
@click.argument("keys", metavar="[KEY]...", nargs=-1)
@click.option("-n", "--dry-run", is_flag=True, help="Show what would be pushed, and what is waited for; push nothing.")
@click.option("--credential", is_flag=True, help="Answer git, which runs it so: KEY is get, store or erase.")
def main(pco: Pco, keys: tuple[str, ...], dry_run: bool, credential: bool) -> None:
    """Push the branches of finished tickets whose turn it is; or of these KEYs, whatever became of them before.

    \b
    Examples:
      pco-push                 push what is not there yet, as far as it is its turn
      pco-push --dry-run       see what that would be
      pco-push WEB-12          try this one again
    """
    if credential:  # git asks: this program is its credential helper
        if keys == ("get",) and (file := _credential()):
            click.echo(answer(file, sys.stdin.read(1 << 16)), nl=False)
        return
    if dry_run:
        show(pco, keys)
        return
    with alone(pco, "push"):
        if not keys:
            pco.spool.control.awake("push")  # else others may wait, whom this run passes over
        Run(pco).all(keys)


class Run:
    """What the tickets of one run share."""

    def __init__(self, pco: Pco) -> None:
        self.pco = pco
        self.pushed = 0
        self._silent: set[str] = set()  # remotes that did not let us push: the others there are not tried

    def all(self, keys: tuple[str, ...]) -> None:
        """Push what is due."""
        left = 0
        for ticket, asked in waiting(self.pco, keys):
            project = self.pco.config.project(ticket.project)
            branch = pushing.branch(ticket, project)
            if project is None or branch is None:
                self._settled(ticket.key, asked)
                continue
            if pushing.due(branch, asked, self.pco.now()) and branch.url not in self._silent:
                self.pco.service.doing(f"pushes {branch.name}")
                self.one(ticket, project, branch, asked)
                self.pco.service.pat()
            elif not branch.pushed or branch.pushed.outcome == pushing.LATER:
                left += 1
            else:
                self._settled(ticket.key, asked)
        told = f"{text.count(self.pushed, 'branch').replace('branchs', 'branches')} pushed, {left} left"
        self.pco.conclude(told, worth=self.pushed > 0)

    def one(self, ticket: Ticket, project: Project, branch: Branch, asked: Asked) -> None:
        """Push one branch, record what became of it, and say so."""
        try:
            self._push(ticket, project, branch)
        except (TryLater, NotPermitted) as error:
            self._silent.add(branch.url)
            self._later(ticket, branch, error)
        except BadData as error:
            self._refused(ticket, branch, error)
            self._settled(ticket.key, asked)
        except PcoError as error:
            self._later(ticket, branch, error)
        else:
            self._record(ticket, branch, pushing.DONE)
            self._settled(ticket.key, asked)
            self.pushed += 1
            self.pco.announce("pushed", ticket, {"commit": branch.commit, "branch": branch.name, "url": branch.url})
        self.pco.spool.control.wake("dashboard")

    def _push(self, ticket: Ticket, project: Project, branch: Branch) -> None:
        """Have the commit there.  Whoever comes after a run that was killed here finds it there, and that is all."""
        mirror = Mirror(mirror_of(self.pco, project), "")
        if not (mirror.folder.is_dir() and mirror.has(branch.commit)):
            raise BadData(f"its commits are not in the mirror {mirror.folder}")
        main = mirror.tip(project.branch)
        new = [branch.commit, *([f"^{main}"] if main else [])]
        if kinds := commits.held(mirror.git, new, credentials.given(os.environ)):
            raise BadData(f"its commits have {' and '.join(kinds)} in them")
        remote = Remote(mirror.folder, branch.url, _credential(), _helper())
        at = remote.tip(branch.name, WITHIN)
        self.pco.service.pat()
        if at == branch.commit:
            return
        if at and at not in pushing.ours(ticket) and not mirror.contains(branch.commit, at):
            raise BadData(f"somebody else pushed to {branch.name} there; it is at {at[:10]}, which is not pco's")
        remote.push(branch.commit, branch.name, at, WITHIN)

    def _later(self, ticket: Ticket, branch: Branch, error: PcoError) -> None:
        tries = self._record(ticket, branch, pushing.LATER, str(error))
        again = f"tried again in {times.rough(pushing.wait(tries))}"
        self.pco.fail(type(error)(f"{branch.name} is not pushed: {error}; {again}", error.hint), ticket.key)

    def _refused(self, ticket: Ticket, branch: Branch, error: BadData) -> None:
        self._record(ticket, branch, pushing.REFUSED, str(error))
        fields = {"branch": branch.name, "url": branch.url, "why": str(error)}
        self.pco.announce("push refused", ticket, fields)
        self.pco.trouble = gravest(self.pco.trouble, error.exit)

    def _record(self, ticket: Ticket, branch: Branch, outcome: str, why: str = "") -> int:
        """Write it into the record, wherever the ticket is by now; returns how often it has failed."""
        pushed = pushing.ended(branch, outcome, why, self.pco.now())

        def judge(fresh: Ticket) -> tuple[Ticket, None] | None:
            noted = pushing.noted(fresh, pushed)
            return None if noted == fresh else (noted, None)

        try:
            self.pco.spool.update(ticket.key, judge)
        except KeyError:
            pass  # it was dropped meanwhile
        except PcoError as error:
            self.pco.fail(type(error)(f"what became of pushing {branch.name} is not recorded: {error}"), ticket.key)
        return pushed.tries

    def _settled(self, key: str, asked: Asked) -> None:
        """A person's request is dealt with."""
        if asked:
            self.pco.spool.control.pushed(key, asked)


def waiting(pco: Pco, keys: tuple[str, ...]) -> list[tuple[Ticket, Asked]]:
    """The tickets whose branch may have to be pushed, and when a person asked for it: those KEYs, or all.

    All are those in completed, and those that were asked for, wherever they are.
    """
    if keys:
        now = pco.now()
        return [(ticket, now) for key in dict.fromkeys(keys) if (ticket := _read(pco, key))]
    if not any(project.push for project in pco.config.plane.projects):
        return []
    asked = pco.spool.control.pushes()
    found = list(pco.spool.tickets(State.COMPLETED, trouble=lambda key, error: _trouble(pco, key, error)))
    others = asked.keys() - {ticket.key for ticket in found}
    for key in sorted(others):
        if pco.spool.find(key) is None:
            pco.spool.control.pushed(key, asked[key])
        elif ticket := _read(pco, key):
            found.append(ticket)
    return [(ticket, asked.get(ticket.key)) for ticket in found]


def _trouble(pco: Pco, key: str, error: PcoError) -> None:
    put_aside(pco, key, State.COMPLETED, error)


def _read(pco: Pco, key: str) -> Ticket | None:
    try:
        return pco.spool.read(key)
    except KeyError:
        pco.fail(BadData(f"no such ticket{text.meant(key, pco.spool.keys(State.COMPLETED))}"), key)
    except PcoError as error:
        pco.fail(error, key)
    return None


def show(pco: Pco, keys: tuple[str, ...]) -> None:
    """What --dry-run prints."""
    for ticket, asked in waiting(pco, keys):
        branch = pushing.branch(ticket, pco.config.project(ticket.project))
        if branch is None:
            pco.say(f"{ticket.key}: nothing to push")
        elif pushing.due(branch, asked, pco.now()):
            pco.say(f"{ticket.key}: {branch.commit[:10]} would be pushed as {branch.name} to {branch.url}")
        elif branch.pushed:
            why = f": {branch.pushed.why}" if branch.pushed.why else ""
            pco.say(f"{ticket.key}: {branch.pushed.outcome} {times.ago(branch.pushed.at, pco.now())}{why}")


def _credential() -> Path | None:
    """The file that the unit was given."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    return Path(folder) / "git-push" if folder else None


def _helper() -> tuple[str, ...]:
    return (sys.executable, str(Path(sys.argv[0]).resolve()), "--credential")
