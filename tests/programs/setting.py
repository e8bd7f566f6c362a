"""An admin who sets up a pco beside a simulated Plane, by options or at a terminal: for the tests of pco-setup."""

import os
import stat
import subprocess
import sys
from contextlib import contextmanager

from pco import sim
from pco.ground import yamlfile
from programs.queueing import at_terminal
from support import TOP

COMMAND = "/bin/cat"
TWO = {
    "workspace": "acme",
    "projects": [
        {"identifier": "WEB", "name": "Web App", "labels": ["bug", "agent"]},
        {
            "identifier": "INF",
            "name": "Infrastructure",
            "states": ["Backlog", "Todo", {"name": "Doing", "group": "started"}, "Done"],
        },
    ],
}


class Desk:
    """A folder to configure a pco in, and its Plane."""

    def __init__(self, site, plane, folder):
        self.site = site
        self.plane = plane
        self.folder = folder
        self.config = folder / "etc" / "pco.yaml"
        self.token = folder / "etc" / "credentials" / "plane-token"
        self.repository = self.make_repository("web")
        self.given = folder / "given"
        self.given.write_text(f"{plane.token}\n")

    def make_repository(self, name, branch="main", commits=1):
        path = self.folder / f"{name}.git"
        git("init", "--quiet", "--bare", f"--initial-branch={branch}", str(path))
        if commits:
            tree = git("-C", str(path), "mktree", input="")
            who = {
                "GIT_AUTHOR_NAME": "a",
                "GIT_AUTHOR_EMAIL": "a@b",
                "GIT_COMMITTER_NAME": "a",
                "GIT_COMMITTER_EMAIL": "a@b",
            }
            commit = git("-C", str(path), "commit-tree", "-m", "first", tree, env={**os.environ, **who})
            git("-C", str(path), "update-ref", f"refs/heads/{branch}", commit)
        return path

    def options(self, **changes):
        """All that is needed; a change to None leaves an option out."""
        given = {
            "url": self.plane.url,
            "workspace": "acme",
            "token-file": str(self.given),
            "project": f"WEB={self.repository}",
            "command": COMMAND,
            **{name.replace("_", "-"): value for name, value in changes.items()},
        }
        return [word for name, value in given.items() if value is not None for word in (f"--{name}", value)]

    def run(self, *args, code=0, **more):
        """Run pco-setup where nobody can answer."""
        given = {} if "input" in more else {"stdin": subprocess.DEVNULL}
        return self.site.run("pco-setup", "--config", str(self.config), *args, code=code, **given, **more)

    def run_under(self, before, *args):
        """Run it under another program, which changes what it may."""
        command = [*before, sys.executable, str(TOP / "bin" / "pco-setup"), "--config", str(self.config), *args]
        environment = self.site.environment()
        return subprocess.run(
            command, capture_output=True, text=True, check=False, env=environment, stdin=subprocess.DEVNULL
        )

    def configured(self, **changes):
        """Have it configured already."""
        self.run("--yes", *self.options(**changes))
        return self.config.read_text()

    def load(self):
        return yamlfile.load(self.config)

    def files(self):
        """Everything there, with modes and contents."""
        found = sorted((self.folder / "etc").rglob("*"))
        return {path.name: (mode(path), path.read_text() if path.is_file() else "") for path in found}

    def terminal(self, *args, **environment):
        """pco-setup at a terminal of its own."""
        env = {**self.site.environment(), "TERM": "xterm", "COLUMNS": "100", **environment}
        return at_terminal(["pco-setup", "--config", str(self.config), *args], env)


def git(*words, **more):
    return subprocess.run(["git", *words], capture_output=True, text=True, check=True, **more).stdout.strip()


def mode(path):
    return oct(stat.S_IMODE(path.stat().st_mode))


@contextmanager
def desk(site, folder, seed=None, **settings):
    """A Plane with two projects, and nothing configured."""
    with sim.running({**TWO, **(seed or {})}, rate=0, **settings) as plane:
        folder.mkdir(exist_ok=True)
        yield Desk(site, plane, folder)
