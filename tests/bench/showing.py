"""How long the dashboard takes, and how large what it writes is."""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from bench.measure import PYTHON, Figure, a_site, command, fill_all, in_turns, processor, program, scratch
from bench.starting import IMPORT_CLICK
from pco.ground.ticket import Note, State
from support import T0, TOP, Site

MANY = {
    State.PENDING: 200,
    State.APPROVED: 50,
    State.COMPLETED: 200,
    State.FAILED: 50,
    State.POSTED: 8000,
    State.REJECTED: 1500,
}
SPREAD = {State.PENDING: 300, State.APPROVED: 100, State.COMPLETED: 300, State.FAILED: 100, State.POSTED: 200}


def dashboard(folder: Path) -> Iterator[Figure]:
    """All pages of 1,000 tickets, and a run without any change."""
    with scratch(folder) as home:
        site = a_site(home / "pco")
        fill_all(site, SPREAD)
        full = program(site, "pco-dashboard", "--full")
        full()
        floor, value, idle = in_turns(5, IMPORT_CLICK, full, program(site, "pco-dashboard"))
        spent = processor(full)
        pages = len(list((site.home / "www").rglob("*.html")))
    assert pages >= sum(SPREAD.values())
    yield Figure(
        "dashboard of 1000 tickets", value, "s", 1.0, floor, "<= 1 s", f"{pages} pages, {spent:.2f} s of processor"
    )
    yield from _many(folder)
    yield from _lived_in(folder)
    yield Figure("dashboard without change", idle * 1000, "ms", floor * 4000, floor * 1000, "<= 4 x import click")


def _from_nothing(site: Site) -> Callable[[], None]:
    """An action that makes all pages where there are none."""
    www, run = site.home / "www", program(site, "pco-dashboard")

    def action() -> None:
        www.rename(site.home / f"www.{time.monotonic_ns()}")  # not removed: ext4 looks past inodes freed a moment ago
        www.mkdir()
        run()

    return action


def _lived_in(folder: Path) -> Iterator[Figure]:
    """The board and all pages of 10,000 tickets with all that a way leaves: moves, sessions, comments, screens, commits.

    What a reader waits for is the board, with the open tickets and those that finished last: the other pages follow.
    """
    with scratch(folder) as home:
        exhibit = [PYTHON, str(TOP / "share" / "demo" / "exhibit.py"), str(home / "pco"), "10000"]
        command(exhibit, dict(os.environ))()
        site = Site(home / "pco", home / "pco" / "pco.yaml", {})
        www, boards = site.home / "www", list[float]()

        def action() -> None:
            www.rename(site.home / f"www.{time.monotonic_ns()}")
            www.mkdir()
            begun = time.perf_counter()
            with site.start("pco-dashboard") as running:
                while not (www / "index.html").exists() and running.poll() is None:
                    time.sleep(0.005)
                boards.append(time.perf_counter() - begun)
            assert running.returncode == 0

        floor, value = in_turns(3, IMPORT_CLICK, action)
        pages = [path.stat().st_size for path in (www / "ticket").iterdir()]
    yield Figure("board of 10,000 tickets, lived in", min(boards), "s", 3.0, floor, "<= 3 s", "its links lead to pages")
    note = f"{sum(pages) / len(pages) / 1000:.0f} kB a page"
    yield Figure("dashboard of 10,000 tickets, lived in", value, "s", 3.0, floor, "<= 3 s", note)


def _many(folder: Path) -> Iterator[Figure]:
    """All pages of 10,000 tickets, made and made anew, the run after one has changed, and the size of the board."""
    with scratch(folder) as home:
        site = a_site(home / "pco")
        fill_all(site, MANY)
        full, run, spool = program(site, "pco-dashboard", "--full"), program(site, "pco-dashboard"), site.spool()
        floor, value, again = in_turns(3, IMPORT_CLICK, _from_nothing(site), full)
        (key, *_) = spool.keys(State.PENDING)

        def changed() -> None:
            note = Note(T0, "bench", str(time.monotonic_ns()))
            spool.update(key, lambda ticket: (replace(ticket, notes=(note,)), None))
            run()

        import_click, one = in_turns(5, IMPORT_CLICK, changed)
        size = (site.home / "www" / "index.html").stat().st_size
    yield Figure("dashboard of 10,000 tickets", value, "s", 3.0, floor, "<= 3 s")
    yield Figure("dashboard of 10,000 tickets, --full", again, "s", 3.0, floor, "<= 3 s", "all pages are there")
    note = "a change of a ticket, and the start of the program, included"
    yield Figure("dashboard after a change", one * 1000, "ms", 150, import_click * 1000, "<= 150 ms", note)
    yield Figure("board of 10,000 tickets", size / 1000, "kB", 300, None, "<= 300 kB")
