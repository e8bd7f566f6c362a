"""How long the dashboard takes."""

from collections.abc import Iterator
from pathlib import Path

from bench.measure import Figure, a_site, fill, in_turns, processor, program, scratch
from bench.starting import IMPORT_CLICK
from pco.ground.ticket import State

SPREAD = {State.PENDING: 300, State.APPROVED: 100, State.COMPLETED: 300, State.FAILED: 100, State.POSTED: 200}


def dashboard(folder: Path) -> Iterator[Figure]:
    """All pages of 1,000 tickets, and a run without any change."""
    with scratch(folder) as home:
        site = a_site(home / "pco")
        first = 1
        for state, count in SPREAD.items():
            fill(site, state, count, first)
            first += count
        full = program(site, "pco-dashboard", "--full")
        full()
        floor, value, idle = in_turns(5, IMPORT_CLICK, full, program(site, "pco-dashboard"))
        spent = processor(full)
        pages = len(list((site.home / "www").rglob("*.html")))
    assert pages >= sum(SPREAD.values())
    yield Figure(
        "dashboard of 1000 tickets", value, "s", 1.0, floor, "<= 1 s", f"{pages} pages, {spent:.2f} s of processor"
    )
    yield Figure("dashboard without change", idle * 1000, "ms", floor * 4000, floor * 1000, "<= 4 x import click")
