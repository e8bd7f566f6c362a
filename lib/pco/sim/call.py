"""What a view is given: the world, who asks, for what; and the rights of persons in projects."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pco.sim.answers import Answer, Row
from pco.sim.clock import Clock
from pco.sim.faults import Faults
from pco.sim.jobs import Jobs
from pco.sim.store import Reader, Store
from pco.sim.throttle import Throttle

ADMIN, MEMBER, GUEST = 20, 15, 5
SAFE = ("GET", "HEAD", "OPTIONS")


@dataclass(frozen=True)
class Settings:
    """How this server is set up.

    `rate` requests per minute and token (0: no limit); `race` seconds between the look for a comment's external key
    and the insert, in which a parallel request can slip through; `seed` of the delays of the server's worker;
    `unique` off: the key is not looked for at all, as if each comment came in parallel to the one before.
    """

    rate: int = 60
    race: float = 0.01
    seed: int = 0
    unique: bool = True


@dataclass
class World:
    """One simulated server."""

    store: Store
    clock: Clock
    jobs: Jobs
    settings: Settings
    throttle: Throttle
    faults: Faults = field(default_factory=Faults)
    log: list[Row] = field(default_factory=list)

    def workspace(self) -> Row:
        """Return the one workspace."""
        return next(iter(self.store.tables["workspace"].values()))


@dataclass
class Call:
    """One request on its way to a view: `parts` are the names in the URL, `query` the last value of each key."""

    world: World
    method: str
    user: Row
    parts: dict[str, str]
    query: dict[str, str]
    body: Any
    reader: Reader
    worker: bool = True

    @property
    def store(self) -> Store:
        """The data, for writing and for checks that never lag."""
        return self.world.store

    @property
    def project(self) -> str:
        """The project in the URL."""
        return self.parts["project"]

    def role(self, project: str) -> int | None:
        """Return this user's role in a project, None for a stranger."""
        return role_of(self.store, project, self.user["id"])


View = Callable[[Call], Answer]
Permission = Callable[[Call], bool]


def role_of(store: Store, project: str, user: str) -> int | None:
    """Return a user's role in a project, None for a stranger."""
    with store.lock:
        for row in store.now().rows("members", project):
            if row["member"] == user and row["active"]:
                return int(row["role"])
    return None


def here(call: Call) -> bool:
    """Whether the URL's workspace is this one and the user belongs to it."""
    return call.parts.get("slug") == call.world.workspace()["slug"] and call.user["role"] is not None


def anyone(_call: Call) -> bool:
    """Whoever has a token."""
    return True


def of_workspace(call: Call) -> bool:
    """Reading: members of the workspace; writing: those who are more than guests; changing a project: its admins."""
    if not here(call):
        return False
    if call.method in SAFE:
        return True
    if "project" in call.parts:
        return call.role(call.project) == ADMIN
    return int(call.user["role"]) >= MEMBER


def of_project(call: Call) -> bool:
    """Reading: members of the project; writing: those who are more than guests."""
    role = call.role(call.project) if here(call) else None
    return role is not None and (call.method in SAFE or role >= MEMBER)


def of_project_or_guest(call: Call) -> bool:
    """Reading and writing: members of the project, guests included."""
    return here(call) and call.role(call.project) is not None


def of_any_project(call: Call) -> bool:
    """Reading: members of any project at all; writing: those of this one who are more than guests."""
    if not here(call):
        return False
    if call.method not in SAFE:
        return (call.role(call.project) or 0) >= MEMBER
    with call.store.lock:
        return any(row["member"] == call.user["id"] and row["active"] for row in call.store.now().rows("members"))


def of_named_project(call: Call) -> bool:
    """Members of the project whose identifier is in the URL, as it is written there."""
    if not here(call):
        return False
    with call.store.lock:
        projects = call.store.now().rows("projects")
    return any(row["identifier"] == call.parts["prefix"] and call.role(row["id"]) is not None for row in projects)
