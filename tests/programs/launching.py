"""A pco with two projects and their repositories, ready to launch: for the tests of pco-launch.

The tests in programs get the fixtures `field`, `repository` and `stub`.
"""

import os
import shutil
import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from pco.ground import polled
from pco.ground.ticket import Approval, State
from pco.outside.runners import choose
from pco.rules import prompt
from support import WEB, a_ticket, put

APP = "0c1cbb13-2ab6-4ba0-9d06-7f5ebd4a1f4b"
WHO = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org", "-c", "init.defaultBranch=main")


class Field:
    """A pco with two projects and their repositories, ready to launch."""

    def __init__(self, site, tmp_path, repository):
        self.site = site
        self.spool = site.spool("pco-launch")
        self.repositories = {id: tmp_path / name for id, name in ((WEB, "web"), (APP, "app"))}
        for path in self.repositories.values():
            shutil.copytree(repository, path)
        projects = [{"id": id, "repository": str(path)} for id, path in self.repositories.items()]
        site.configure(plane={"projects": projects}, sessions={"command": ["sleep", "60"], "limit": 4})
        self.polled()
        self.runner = choose("tmux", site.home / "run", site.home / "run" / "trigger")

    def where(self, project=WEB):
        return prompt.Target(str(self.repositories[project]), "main", "command", "acceptEdits")

    def approve(self, key, project=WEB, at=None, **changes):
        """Put an approved ticket into the spool."""
        ticket = a_ticket(key, project=project, **changes)
        approval = Approval("ann", at or datetime.now(UTC), prompt.content_hash(ticket, self.where(project)))
        return put(self.spool, ticket.with_round(approval=approval), State.APPROVED)

    def polled(self, ago=timedelta(0), *projects):
        """Let the last successful poll have been `ago`."""
        for project in projects or self.repositories:
            polled.write(self.site.home / "plane", polled.Head(project, polled_at=datetime.now(UTC) - ago))

    def launch(self, *args, code=0, **more):
        return self.site.run("pco-launch", *args, code=code, **more)

    def active(self):
        return sorted(self.spool.keys(State.ACTIVE))

    def approved(self):
        return sorted(self.spool.keys(State.APPROVED))


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """A repository with one commit on main."""
    folder = tmp_path_factory.mktemp("repository")
    for args in (("init", "-q", "--template="), ("commit", "-q", "--allow-empty", "-m", "First")):
        subprocess.run(["git", *WHO, *args], cwd=folder, check=True)
    return folder


@pytest.fixture
def field(site, tmp_path, repository):
    made = Field(site, tmp_path, repository)
    yield made
    for key in made.runner.list() or ():
        made.runner.stop(key, timedelta(0))
    subprocess.run(["tmux", "-S", str(made.runner.socket), "kill-server"], check=False, capture_output=True)


@pytest.fixture
def stub(tmp_path):
    """A tmux that starts nothing: it writes the keys it was asked to start into `started`, or does what `does` says."""
    folder = tmp_path / "stub"
    folder.mkdir()

    def make(does=":"):
        script = f"""#!/bin/sh
for word; do case "$word" in
list-sessions) echo 'no server running' >&2; exit 1;;
new-session) {does}; printf '%s\\n' "$*" >> {folder}/started; exit 0;;
esac; done
"""
        (folder / "tmux").write_text(script)
        (folder / "tmux").chmod(0o755)
        return folder

    return make


def with_stub(field, folder):
    return {**field.site.environment(), "PATH": f"{folder}:{os.environ['PATH']}"}
