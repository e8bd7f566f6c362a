"""Break a spool with very many finished tickets, and let the ordinary programs go on: `make faults`.

    tests/faults/large.py                      100,000 tickets
    tests/faults/large.py --tickets 1000 --only "a torn record"

After each damage people and timers do what they always do: list, approve, post, show, back up.  Each must succeed, no
ticket may be missing, the counts must be those of the folders, and each ticket must have its page.
"""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TOP = Path(__file__).resolve().parents[2]
LIB = Path(os.environ.get("PCO_FAULTS_LIB", TOP / "lib"))
sys.path[:0] = [str(TOP / "tests"), str(LIB)]

from bench.measure import fill  # noqa: E402
from pco.ground.ticket import FINISHED, State  # noqa: E402
from support import Site, a_ticket, laid_out, put  # noqa: E402

BEGIN = "import sys; from pco.start import main; del sys.argv[0]; main(sys.argv[0].removeprefix('pco-'))"
IN_MANY_TURNS = f"from pco.commands import dashboard; dashboard.TURN = dashboard.LEAST = 0.0; {BEGIN}"
PATIENCE = 900  # seconds for one program
WAITING = 20  # pending tickets
Damage = Callable[["Large"], None]


@dataclass
class Large:
    """A site with so many posted tickets; `lost` are those whose record was torn."""

    site: Site
    tickets: int
    torn: set[str] = field(default_factory=set)
    local: int = 0

    @property
    def keys(self) -> set[str]:
        """All that there must be."""
        made = {f"WEB-{n}" for n in range(1, self.tickets + WAITING + 1)}
        return made | {f"LOCAL-{n}" for n in range(1, self.local + 1)}

    def run(self, program: str, *words: str) -> str:
        """Have a program succeed; returns what it printed."""
        begun = self.start(program, *words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        said, complaints = begun.communicate(timeout=PATIENCE)
        assert begun.returncode == 0, f"{program} {' '.join(words)}: exit {begun.returncode}\n{said}\n{complaints}"
        return said

    def start(self, program: str, *words: str, begin: str = BEGIN, **more: Any) -> "subprocess.Popen[str]":
        """Start a program of the pco that is tried."""
        environ = {**self.site.environment(), "PYTHONPATH": str(LIB)}
        return subprocess.Popen([sys.executable, "-c", begin, program, *words], env=environ, text=True, **more)


# What is done to it.


def nothing(_: Large) -> None:
    """The programs as ever."""


def no_index(large: Large) -> None:
    """Somebody took the index away."""
    for path in (large.site.home / "spool" / "index").iterdir():
        path.unlink()


def torn_counts(large: Large) -> None:
    """A power cut left nothing of the counts, which are not flushed."""
    os.truncate(large.site.home / "spool" / "index" / "counts.json", 0)


def half_a_month(large: Large) -> None:
    """The half of a month of the index is gone, and the counts with it."""
    torn_counts(large)
    month = max((large.site.home / "spool" / "index").glob("*.jsonl"))
    os.truncate(month, month.stat().st_size // 2)


def a_torn_record(large: Large) -> None:
    """One finished ticket's record ends in the middle."""
    key = f"WEB-{large.tickets // 2}"
    path = large.site.spool().path(key, State.POSTED)
    os.truncate(path, path.stat().st_size // 2)
    large.torn.add(key)


def a_killed_dashboard(large: Large) -> None:
    """All pages were being made where there were none, and nothing was remembered yet."""
    pages, memory = large.site.home / "www" / "ticket", _memory(large)
    shutil.rmtree(pages)
    _killed(large, ("pco-dashboard", "--full"), lambda: len(os.listdir(pages)) > 100 and not memory.exists())


def a_dashboard_killed_later(large: Large) -> None:
    """Some pages had been made anew, turn by turn."""
    turns = set[int]()

    def when() -> bool:
        owed = sum(month["owed"] for month in json.loads(_memory(large).read_bytes())["finished"]["months"].values())
        turns.add(owed)
        return owed > 0 and len(turns) > 4

    _killed(large, ("pco-dashboard", "--full"), when, IN_MANY_TURNS)


def _memory(large: Large) -> Path:
    return large.site.home / "www" / ".built" / "now.json"


def a_killed_backup(large: Large) -> None:
    """A backup was being written."""
    backups = large.site.home / "backups"
    _killed(large, ("pco-backup",), lambda: any(path.stat().st_size for path in backups.rglob("*") if path.is_file()))


def _killed(large: Large, command: tuple[str, ...], when: Callable[[], bool], begin: str = BEGIN) -> None:
    """Start a program, and kill it, with what it has started, as soon as something is so."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    begun = large.start(*command, begin=begin, start_new_session=True, **quiet)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with suppress(FileNotFoundError):
            if when():
                break
        assert begun.poll() is None, f"{command[0]} ended before it was killed"
        time.sleep(0.001)
    os.killpg(begun.pid, signal.SIGKILL)
    assert begun.wait() == -signal.SIGKILL, f"{command[0]} ended before it was killed"


DAMAGES: dict[str, Damage] = {
    made.__name__.replace("_", " "): made
    for made in (
        nothing,
        no_index,
        torn_counts,
        half_a_month,
        a_killed_dashboard,
        a_dashboard_killed_later,
        a_killed_backup,
        a_torn_record,
    )
}


# What people and timers do then.


def ordinary(large: Large) -> dict[str, float]:
    """Each once; returns the seconds that each took."""
    large.local += 1
    put(large.site.spool(), a_ticket(f"LOCAL-{large.local}", local=True), State.OUTBOX)
    took = {}
    for program, *words in (
        ("pco-queue", "list"),
        ("pco-queue", "hold", "--until", "1s", f"WEB-{large.tickets + 1}"),
        ("pco-post",),
        ("pco-watch", "--once"),
        ("pco-dashboard",),
        ("pco-backup",),
        ("pco-retention",),
    ):
        begun = time.monotonic()
        large.run(program, *words)
        took[" ".join([program, *words[:1]])] = time.monotonic() - begun
    return took


def wrong(large: Large) -> Iterator[str]:
    """What is not as it must be."""
    spool = large.site.spool()
    places = spool.places(*State)
    if lost := large.keys - set(places):
        yield f"lost: {sorted(lost)[:5]} and {len(lost)} in all"
    if strange := set(places) - large.keys:
        yield f"strange: {sorted(strange)[:5]}"
    for state in FINISHED:
        there = sum(found is state for found in places.values())
        if (counted := spool.count(state)) != there:
            yield f"{state}: counted {counted}, there are {there}"
    listed = {one.key for name in spool.index.months() for one in spool.index.month(name)}
    if missing := {key for key, state in places.items() if state in FINISHED} - listed - large.torn:
        yield f"not in the index: {sorted(missing)[:5]} and {len(missing)} in all"
    pages = {path.stem for path in (large.site.home / "www" / "ticket").iterdir()}
    if unshown := set(places) - pages:
        yield f"without a page: {sorted(unshown)[:5]} and {len(unshown)} in all"
    if large.local != sum(places.get(f"LOCAL-{n}") is State.POSTED for n in range(1, large.local + 1)):
        yield "what was accepted was not posted"
    if unfinished := [path.name for path in _memory(large).parent.iterdir() if path.suffix != ".json"]:
        yield f"unfinished pages are left: {unfinished}"
    if "owed" not in (kept := _memory(large).read_text()) or re.search(r'"owed":[1-9]', kept):
        yield "pages are owed still"


@contextmanager
def laid_out_large(folder: Path, tickets: int) -> Iterator[Large]:
    """A site of that size; it goes afterwards."""
    site = laid_out(folder / "pco")
    forever = dict.fromkeys(("posted", "rejected", "failed"), "0d")
    site.configure(backup={"keep": "7d"}, log={"level": "warning"}, retention=forever)
    (site.home / "backups").mkdir()
    fill(site, State.PENDING, WAITING, first=tickets + 1)
    fill(site, State.POSTED, tickets)
    made = Large(site, tickets)
    made.run("pco-dashboard", "--full")
    yield made


def main() -> int:
    """Run; 1 if anything was wrong."""
    from tabulate import tabulate

    from faults.wire import scratch

    given = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    given.add_argument("--tickets", type=int, default=100_000, metavar="N")
    given.add_argument("--only", choices=DAMAGES, action="append", help="only this damage; repeatable")
    asked = given.parse_args()
    rows, bad = [], 0
    with scratch("large") as folder, laid_out_large(folder, asked.tickets) as large:
        for name in asked.only or DAMAGES:
            DAMAGES[name](large)
            took = ordinary(large)
            found = list(wrong(large))
            for line in found:
                print(f"{name}: {line}")
            bad += len(found)
            slowest = max(took, key=lambda one: took[one])
            rows.append(
                [name, asked.tickets, len(found), f"{took['pco-queue list']:.2f}", f"{took[slowest]:.1f}", slowest]
            )
    heads = ["DAMAGE", "TICKETS", "VIOLATIONS", "LIST, SECONDS", "SLOWEST", "WHICH"]
    print(tabulate(rows, headers=heads, disable_numparse=True))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
