"""A simulated Plane, and a pco that polls it: for the tests of pco-poll."""

import os
import shutil
from contextlib import contextmanager
from dataclasses import replace

from pco.ground import polled
from pco.ground.ticket import State
from support import put

REPOSITORY = "/srv/git/web.git"
TWO_PROJECTS = {
    "projects": [
        {"identifier": "WEB", "name": "Web App", "labels": ["bug", "agent"]},
        {"identifier": "API", "name": "Interface"},
    ]
}


class World:
    """Plane, a person in it, and pco."""

    def __init__(self, site, sim):
        self.site = site
        self.sim = sim
        self.spool = site.spool()
        self.jonas = sim.person("jonas")
        token = site.home / "token"
        token.write_text(sim.token)
        token.chmod(0o600)
        self.configure()

    def configure(self, **changes):
        """Set up the section plane for all projects of the simulator."""
        rows = [self.sim.project(row["identifier"]) for row in self.sim.rows("projects")]
        plane = {
            "url": self.sim.url,
            "workspace": self.sim.slug,
            "token_file": str(self.site.home / "token"),
            "requests_per_minute": 10_000,
            "projects": [{"id": row["id"], "repository": REPOSITORY} for row in rows],
        }
        self.site.configure(plane={**plane, **changes})

    def poll(self, *args, code=0, dashboard=False, settle=True):
        """Let what the server does late happen, then run pco-poll."""
        if settle:
            self.sim.settle()
        self.sim.reset_log()
        environment = {**self.site.environment(), **({} if dashboard else {"INVOCATION_ID": "0"})}
        return self.site.run("pco-poll", *args, code=code, env=environment)

    def requests(self):
        """What the last poll asked, as METHOD and the end of the path."""
        root = f"/api/v1/workspaces/{self.sim.slug}/"
        return [entry["path"].partition("?")[0].removeprefix(root) for entry in self.sim.requests()]

    def places(self):
        """Where each ticket is."""
        return {key: str(state) for key, state in self.spool.places(*State).items()}

    def read(self, key="WEB-1"):
        return self.spool.read(key)

    def head(self, identifier="WEB"):
        return polled.read(self.site.home / "plane", self.sim.project(identifier)["id"])

    def set_head(self, identifier="WEB", **changes):
        polled.write(self.site.home / "plane", replace(self.head(identifier), **changes))

    def place(self, key, state, **changes):
        """Put a ticket into a state as if it had come there."""
        ticket = self.spool.read(key)
        self.spool.path(key, ticket.state).unlink()
        return put(self.spool, replace(ticket, **changes), state)

    @contextmanager
    def as_if_killed(self):
        """What the polls inside wrote under plane/ is lost; the tickets stay: a poll killed between the two."""
        kept = self.site.home / "kept"
        shutil.copytree(self.site.home / "plane", kept)
        yield
        shutil.rmtree(self.site.home / "plane")
        os.rename(kept, self.site.home / "plane")

    def sweep_due(self, identifier="WEB"):
        """Let ten minutes pass since the last sweep."""
        self.set_head(identifier, swept_at=None)
