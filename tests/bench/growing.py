"""What 100,000 finished tickets cost those who have nothing to do with them."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.measure import Figure, a_site, beside, fill, in_turns, program, scratch
from pco import sim
from pco.ground.ticket import State
from support import Site, a_ticket, put

FINISHED = 100_000
TIMES = 25


def finished(folder: Path) -> Iterator[Figure]:
    """Each program's usual run with 100,000 posted tickets beside one without."""
    with scratch(folder) as home, two_sites(home) as (none, many):
        numbers = itertools.count(1)
        actions: dict[str, Callable[[Site], Callable[[], object]]] = {
            "pco-queue list": lambda site: program(site, "pco-queue", "list"),
            "pco-poll": lambda site: program(site, "pco-poll"),
            "pco-launch": lambda site: program(site, "pco-launch"),
            "pco-watch --once": lambda site: program(site, "pco-watch", "--once"),
            "pco-post, one local ticket": lambda site: post_one(site, numbers),
        }
        for name, action in actions.items():
            few, lot = action(none), action(many)
            few(), lot()
            floor, value = in_turns(TIMES, few, lot)
            yield beside(f"{name}, {FINISHED} finished", value, floor, 1.2, "with none")
        floor, value = in_turns(5, *(program(site, "pco-doctor", codes=(0, 65)) for site in (none, many)))
        # It looks at what there is, so it may take longer; but nobody should wait.
        yield Figure(f"pco-doctor, {FINISHED} finished", value, "s", 5, floor, "<= 5 s")


@contextmanager
def two_sites(home: Path) -> Iterator[tuple[Site, Site]]:
    """Two sites beside one Plane, with 20 pending tickets each; the second has the finished ones too."""
    with sim.running(rate=0) as plane:
        sites = [a_site(home / name) for name in ("none", "many")]
        for site in sites:
            beside_plane(site, plane, ["WEB"])
            fill(site, State.PENDING, 20, first=FINISHED + 1)
        fill(sites[1], State.POSTED, FINISHED)
        for site in sites:
            program(site, "pco-dashboard")()
        yield sites[0], sites[1]


def beside_plane(site: Site, plane: sim.Sim, keys: list[str]) -> None:
    """Let a site poll projects of a simulator."""
    token = site.home / "token"
    token.write_text(plane.token)
    token.chmod(0o600)
    projects = [{"id": plane.project(key)["id"], "repository": "/srv/git/web.git"} for key in keys]
    about = {"url": plane.url, "workspace": plane.slug, "token_file": str(token), "requests_per_minute": 10_000}
    site.configure(plane={**about, "projects": projects})


def post_one(site: Site, numbers: "itertools.count[int]") -> Callable[[], object]:
    """An action: pco-post moves a ticket to the finished ones.  Putting the ticket there is part of both sides."""
    run = program(site, "pco-post")

    def act() -> None:
        key = f"LOCAL-{next(numbers)}"
        put(site.spool(), a_ticket(key, local=True), State.OUTBOX)
        run()
        assert site.spool().path(key, State.POSTED).exists()

    return act


def requests(folder: Path) -> Iterator[Figure]:
    """How many requests a poll sends when nothing has changed."""
    projects = [
        {"identifier": key, "name": key, "items": [{"name": f"{key} {n}"} for n in range(30)]} for key in PROJECTS
    ]
    with scratch(folder) as home, sim.running({"workspace": "acme", "projects": projects}, rate=0) as plane:
        site = a_site(home / "pco")
        beside_plane(site, plane, PROJECTS)
        poll = program(site, "pco-poll")
        poll(), poll()
        plane.reset_log()
        poll()
        sent = len(plane.requests())
    yield Figure("requests of an idle poll", sent, "", len(PROJECTS), len(PROJECTS), "= number of projects")


PROJECTS = ["WEB", "OPS", "DOC"]
