"""What the tests of pco-post share: a simulated Plane with tickets that wait in outbox."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pco import sim
from pco.ground.ticket import PlaneState, Post, Round, State, Ticket, Trigger
from pco.rules import comment
from pco.sim import control
from support import Site, a_ticket, put

TOKEN = "plane_api_bot"
POSTS = {"method": "POST", "path": "/comments/"}
LISTS = {"method": "GET", "path": "/comments/"}
STATES = ["Backlog", "Todo", {"name": "In Progress", "group": "started"}, {"name": "In Review", "group": "started"}]
STATES += ["Done", "Cancelled"]


@dataclass
class Desk:
    """A pco and its Plane."""

    site: Site
    plane: sim.Sim
    project: str

    def ticket(self, key: str = "WEB-1", state: State = State.OUTBOX, project: str = "", **post: Any) -> Ticket:
        """A ticket whose summary a person accepted; `post` are fields of its comment."""
        number = int(key.rpartition("-")[2])
        item = next(row for row in self.plane.rows("items") if row["sequence_id"] == number)
        begun = Round(1, Trigger("new", datetime.now(UTC), state=self.state("Todo")), summary=f"Did {key}.")
        ticket = a_ticket(
            key, project=project or self.project, uuid=item["id"], rounds=(begun,), plane_state=self.state("Todo")
        )
        frozen = Post(f"<p>Did <strong>{key}</strong>.</p>", comment.external_id(ticket))
        return put(self.site.spool(), ticket.with_round(post=replace(frozen, **post)), state)

    def state(self, name: str) -> PlaneState:
        """A state of the project."""
        row = next(row for row in self.plane.rows("states") if row["name"] == name)
        return PlaneState(row["id"], name, row["group"])

    def set_item(self, key: str = "WEB-1", **columns: Any) -> None:
        """Change an item in Plane by hand: archived, draft, deleted, or any column."""
        control.set_item(self.plane.world, self.read(key).uuid, columns)

    def move(self, name: str, key: str = "WEB-1") -> None:
        """Move an item in Plane by hand."""
        self.set_item(key, state=self.state(name).id)

    def post(self, *args: str, code: int | None = 0) -> subprocess.CompletedProcess[str]:
        """Run pco-post."""
        return self.site.run("pco-post", *args, code=code)

    def read(self, key: str = "WEB-1") -> Ticket:
        """The ticket as it is now."""
        return self.site.spool().read(key)

    def posted(self, key: str = "WEB-1") -> Post:
        """The comment of a ticket that is in posted."""
        ticket = self.read(key)
        assert ticket.state is State.POSTED
        assert ticket.round.post is not None
        return ticket.round.post

    def comments(self, key: str = "WEB-1") -> list[dict[str, Any]]:
        """All comments that pco has on the ticket's item, whatever was answered."""
        item = self.read(key).uuid
        return [row for row in self.plane.rows("comments") if row["issue"] == item and row["external_source"] == "pco"]

    def only_comment(self, key: str = "WEB-1") -> str:
        """The id of the one comment; there must be just one, with the accepted body."""
        ticket = self.read(key)
        found = self.comments(key)
        assert [row["external_id"] for row in found] == [f"{key}:1:{ticket.id}"]
        assert ticket.round.post is not None
        assert found[0]["comment_html"] == ticket.round.post.body
        return str(found[0]["id"])

    def asked(self, method: str, what: str = "") -> int:
        """How many requests of pco with this method have `what` in their path."""
        return sum(r["method"] == method and what in r["path"] for r in self.plane.requests())

    def in_plane(self, key: str = "WEB-1") -> str:
        """The name of the state that the item is in."""
        rows = self.plane.rows("items")
        state = next(row["state"] for row in rows if row["id"] == self.read(key).uuid)
        return next(row["name"] for row in self.plane.rows("states") if row["id"] == state)


@contextmanager
def desk(site: Site, items: int = 3, seed: dict[str, Any] | None = None, **settings: Any) -> Iterator[Desk]:
    """A Plane with `items` items in Todo, and a pco that may write to it."""
    rows: list[dict[str, Any]] = [{"name": f"Item {n}", "state": "Todo", "sequence_id": n + 1} for n in range(items)]
    if seed:
        rows[0] = {**rows[0], **seed}
    project = {"identifier": "WEB", "name": "Web", "states": STATES, "items": rows}
    with sim.running({"workspace": "acme", "users": USERS, "projects": [project]}, rate=0, **settings) as plane:
        id = plane.project("WEB")["id"]
        token = site.home / "token"
        token.write_text(TOKEN)
        token.chmod(0o600)
        site.configure(
            plane={
                "url": plane.url,
                "workspace": plane.slug,
                "token_file": str(token),
                "timeout": "5s",
                "settle": "200ms",
                "requests_per_minute": 10_000,
                "projects": [{"id": id, "repository": "/srv/git/web.git"}],
            }
        )
        yield Desk(site, plane, id)


USERS = [
    {"name": "bot", "role": "member", "display_name": "pco"},
    {"name": "maria", "role": "member"},
    {"name": "gus", "role": "guest"},
]


def ago(seconds: float) -> datetime:
    """A moment that long ago."""
    return datetime.now(UTC) - timedelta(seconds=seconds)
