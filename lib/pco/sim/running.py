"""A simulator inside the process that uses it: the same server, in a thread."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pco.sim import control
from pco.sim import seed as seeds
from pco.sim.answers import Row
from pco.sim.call import Settings, World
from pco.sim.clock import Clock
from pco.sim.jobs import Jobs
from pco.sim.person import Person
from pco.sim.server import Server
from pco.sim.store import Store
from pco.sim.throttle import Throttle


def world(folder: Path, seed: Row | None, settings: Settings, scale: float, tokens: tuple[str, ...] = ()) -> World:
    """Return a server's world from what `folder` holds, or, when that is empty, from `seed`.

    `tokens` are further ones of the user `bot` (else of the first user).  Raises BadSeed, Busy.
    """
    clock = Clock(scale)
    store = Store(folder, clock)
    if not store.tables["workspace"]:
        seeds.Sower(store, seeds.DEFAULT if seed is None else seed).sow()
    users = {row["name"]: row for row in store.tables["users"].values()}
    bot = users.get(seeds.BOT) or next(iter(users.values()))
    role = next(name for name, number in seeds.ROLES.items() if number == bot["role"])
    for text in tokens:
        seeds.put_token(store, text, bot["id"], role)
    return World(store, clock, Jobs(clock), settings, Throttle(clock))


class Sim:
    """A running simulator, held in the hand."""

    def __init__(self, made: World, port: int = 0) -> None:
        self.world = made
        self.server = Server(made, port)
        self.url = self.server.url
        self.slug: str = made.workspace()["slug"]
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), name="sim", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop the server and give the folder back."""
        self.server.stop()
        self._thread.join()
        self.world.jobs.stop()
        with self.world.store.lock:
            self.world.store.close()

    @property
    def token(self) -> str:
        """The token of the user `bot`, else of the first user."""
        tokens = self.tokens
        return tokens.get(seeds.BOT) or next(iter(tokens.values()))

    @property
    def tokens(self) -> dict[str, str]:
        """The first token of each user, by name."""
        tables, found = self.world.store.tables, dict[str, str]()
        for token in tables["tokens"].values():
            found.setdefault(tables["users"][token["user"]]["name"], token["id"])
        return found

    def person(self, name: str, project: str | None = None) -> Person:
        """Return somebody who works in Plane by hand, in `project` (its identifier; else the first)."""
        first = next(iter(self.world.store.tables["projects"].values()))["identifier"]
        return Person(self.url, self.tokens[name], self.slug, project or first)

    def project(self, identifier: str) -> Row:
        """Return the row of a project."""
        return next(row for row in self.world.store.tables["projects"].values() if row["identifier"] == identifier)

    def state(self, identifier: str, name: str) -> str:
        """Return the id of a state of a project."""
        rows = self.world.store.now().rows("states", self.project(identifier)["id"])
        return str(next(row["id"] for row in rows if row["name"] == name))

    def faults(self, *specs: Row) -> None:
        """Replace the fault switches; none given: all off."""
        self.world.faults.set(specs)

    def fired(self) -> int:
        """Return how many times the present switches have fired."""
        return sum(fault["fired"] for fault in self.world.faults.told())

    def requests(self, people: bool = False) -> list[Row]:
        """Return the log of requests, without those of Persons unless asked for."""
        return [entry for entry in list(self.world.log) if people or not entry["person"]]

    def reset_log(self) -> None:
        """Forget the requests so far."""
        self.world.log.clear()

    def advance(self, seconds: float) -> None:
        """Skip time."""
        control.advance(self.world, seconds)

    def settle(self) -> None:
        """Let all late work of the server happen now."""
        self.world.jobs.settle()

    def rows(self, table: str) -> list[Row]:
        """Return all rows of a table, soft-deleted ones too: what really is there, whatever was answered."""
        with self.world.store.lock:
            return list(self.world.store.tables[table].values())


@contextmanager
def running(
    seed: Row | Path | None = None,
    data: Path | None = None,
    *,
    faults: tuple[Row, ...] = (),
    scale: float = 1.0,
    port: int = 0,
    tokens: tuple[str, ...] = (),
    **settings: Any,
) -> Iterator[Sim]:
    """Run a simulator while the block lasts.

    `seed` is a workspace or a file with one; `data` its folder, else a temporary one; `settings` as in Settings
    (rate, race, seed, unique).  A folder that was used before goes on where it was.
    """
    given = seeds.read(seed) if isinstance(seed, Path) else seed
    with TemporaryDirectory(prefix="pco-sim-") as spare:
        sim = Sim(world(data or Path(spare), given, Settings(**settings), scale, tokens), port)
        try:
            sim.faults(*faults)
            yield sim
        finally:
            sim.stop()
