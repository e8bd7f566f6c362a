"""What the tests of pco-push share: tickets with commits in a mirror, and a repository to push to."""

import os
import stat
import subprocess
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from pco.ground.ticket import Commit, State, Work
from programs.queueing import PROJECT
from programs.queueing import Desk as Queue
from support import T0, WEB, put

IDENTITY = {"GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@x", "GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@x"}
COMPARE = "https://git.example.org/web/compare/{base}...{branch}"
# Runs the real git, and before and after it what a test says, as shell.
GIT = '#!/bin/sh\n{before}\nPATH={path} git "$@"\ncode=$?\n{after}\nexit $code\n'


def git(folder, *args, code=0):
    """Run git in a folder as a person; returns what it printed."""
    environment = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": "/dev/null", **IDENTITY}
    done = subprocess.run(["git", "-C", folder, *args], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    return done.stdout.strip()


class Desk(Queue):
    """An admin's desk; a `remote`, bare; a `checkout` in which commits are made; the `mirror`."""

    def __init__(self, site, folder: Path) -> None:
        super().__init__(site)
        self.folder = folder
        self.remote, self.checkout = folder / "remote.git", folder / "checkout"
        self.mirror = site.home / "mirrors" / f"{WEB}.git"
        git(folder, "init", "-q", "--bare", "-b", "main", str(self.remote))
        git(folder, "init", "-q", "-b", "main", str(self.checkout))
        self.base = self.commit("first")
        git(self.checkout, "push", "-q", str(self.remote), "main")
        git(folder, "clone", "-q", "--bare", str(self.remote), str(self.mirror))
        self.credentials = folder / "credentials"
        self.credentials.mkdir()
        self.project(push_url=str(self.remote), compare_url=COMPARE)

    def project(self, **values) -> None:
        """Configure the project."""
        given = {**PROJECT, "repository": str(self.remote), "push": True, **values}
        self.site.configure(plane={"projects": [given]})

    def commit(self, message: str) -> str:
        """A commit on what is checked out."""
        git(self.checkout, "commit", "-q", "--allow-empty", "-m", message)
        return git(self.checkout, "rev-parse", "HEAD")

    def finished(self, key: str = "WEB-1", state: State = State.COMPLETED, start: str = "main") -> str:
        """A ticket whose session left one commit; returns it."""
        git(self.checkout, "checkout", "-q", "-B", f"pco/{key}", start)
        tip = self.commit(f"work on {key}")
        self.take_in(key)
        self.has(key, state, summary="Done.", work=self.work(key, tip))
        return tip

    def work(self, key: str, tip: str) -> Work:
        return Work((Commit(tip, "work"),), " a | 1 +\n 1 file changed\n", f"pco/{key}", self.base, tip)

    def take_in(self, key: str) -> None:
        """What pco-watch does with a bundle."""
        git(self.checkout, "push", "-q", "-f", str(self.mirror), f"pco/{key}")

    def next_round(self, key: str, tip: str) -> None:
        """The ticket comes back from a rework with another commit."""
        self.run("rework", key, "Again.")
        ticket = self.spool.read(key)
        self.spool.path(key, State.APPROVED).unlink()
        put(self.spool, ticket.with_round(work=self.work(key, tip), summary="Done again."), State.COMPLETED)

    def push(self, *args: str, code: int = 0, **environ: str) -> str:
        """Run pco-push; returns what it said."""
        done = self.site.run("pco-push", *args, code=code, env={**self.site.environment(), **environ})
        return done.stdout + done.stderr

    def there(self, key: str = "WEB-1") -> str:
        """What the branch is at in the remote; empty if it is not there."""
        return git(self.remote, "for-each-ref", "--format=%(objectname)", f"refs/heads/pco/{key}")

    def pushed(self, key: str = "WEB-1"):
        """What the record says."""
        return self.read(key).round.work.pushed

    def earlier(self, key: str = "WEB-1") -> None:
        """The last try was long ago."""
        ticket = self.read(key)
        pushed = replace(ticket.round.work.pushed, at=T0 - timedelta(days=1000))
        self.spool.record(ticket.with_round(work=replace(ticket.round.work, pushed=pushed)))

    def program(self, name: str, text: str) -> str:
        """Put a program before those of the machine; returns the PATH."""
        path = self.folder / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return f"{path.parent}:{os.environ['PATH']}"

    def wrapped(self, before: str = "", after: str = "") -> str:
        """A PATH in which git does something before and after each call."""
        return self.program("git", GIT.format(before=before, after=after, path=os.environ["PATH"]))
