"""What the first runs after a crash take longer than any other, with 10,000 tickets.

`recovery` is what pco-watch takes longer, which makes good what it finds; `first list` what pco-queue list does if it
comes before that.  What a crash of a program or of the machine leaves takes at most a second.  An index that is gone is
no crash: somebody removed it, and then each record is read.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.measure import Figure, a_site, fill_all, in_turns, program, scratch
from bench.showing import MANY
from pco.ground import boot
from pco.ground.record import to_bytes
from pco.ground.ticket import State
from support import Site, a_ticket

TIMES = 3
MOST = 1.0  # seconds, after any crash
ANEW = 10.0  # seconds, if all records must be read
LEFT = 200  # unfinished files, as many as a crash in a busy moment could ever leave


def recovery(folder: Path) -> Iterator[Figure]:
    """`pco-watch --once` and `pco-queue list` after each kind of crash, beside a run with nothing to make good."""
    with scratch(folder) as home:
        site = a_site(home / "pco")
        fill_all(site, MANY)
        watch, shown = program(site, "pco-watch", "--once"), program(site, "pco-queue", "list")
        watch(), shown()
        floor, listing = in_turns(TIMES, watch, shown)
        for name, crash in {**CRASHES, **ELSE}.items():
            most = ANEW if name in ELSE else MOST
            rule = f"<= {most:g} s"
            took = min(_after(site, crash, watch) for _ in range(TIMES))
            yield Figure(f"recovery: {name}", took - floor, "s", most, floor, rule, "pco-watch, beyond its usual run")
            took = min(_after(site, crash, shown) for _ in range(TIMES))
            yield Figure(f"first list: {name}", took - listing, "s", most, listing, rule, "pco-queue list, likewise")
            watch()


def _after(site: Site, crash: Callable[[Site], object], run: Callable[[], object]) -> float:
    crash(site)
    begun = time.perf_counter()
    run()
    return time.perf_counter() - begun


def _killed_in_a_move(site: Site) -> None:
    """A record came into a finished state, and nobody wrote it down."""
    key = f"LOCAL-{time.monotonic_ns() % 10**9}"
    record = to_bytes(a_ticket(key, local=True)).replace(b'"rejected"', b'"posted"')
    (site.home / "spool" / State.POSTED / f"{key}.json").write_bytes(record)


def _power_cut(site: Site) -> None:
    """What is never flushed is torn: the counts; and the move that was being made is not in the months."""
    _killed_in_a_move(site)
    (site.home / "spool" / "index" / "counts.json").write_bytes(b"")


def _started_again(site: Site) -> None:
    """The counts were flushed by chance, and are of the boot before."""
    _killed_in_a_move(site)
    counts = site.home / "spool" / "index" / "counts.json"
    counts.write_text(counts.read_text().replace(boot.boot_id(), "another"))


def _index_gone(site: Site) -> None:
    """Somebody removed the whole index: it is made anew."""
    for path in (site.home / "spool" / "index").glob("*.json*"):
        path.unlink()


def _leavings(site: Site) -> None:
    """Files that were never finished."""
    for number in range(LEFT):
        (site.home / "spool" / "tmp" / f"WEB-{number}.{time.monotonic_ns()}").write_bytes(b"{")


CRASHES = {
    "killed in a move": _killed_in_a_move,
    "counts torn": _power_cut,
    "started again": _started_again,
    "unfinished files": _leavings,
}
ELSE = {"index gone (no crash)": _index_gone}
