"""How things are measured: beside their floor, in the same run, in turns, so that a busy machine slows both."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from pco.ground.record import to_bytes
from pco.ground.ticket import FINISHED, Entry, State, Ticket
from pco.spool import Spool
from support import T0, TOP, WEB, Site, a_ticket

PYTHON = sys.executable
A_MONTH = 2000  # tickets that finished in one month


@dataclass(frozen=True)
class Figure:
    """One line of the table: a value in `unit`, its floor (what cannot be undercut, measured too), the budget."""

    name: str
    value: float
    unit: str
    most: float
    floor: float | None
    rule: str
    note: str = ""

    @property
    def kept(self) -> bool:
        """Whether the value is within the budget."""
        return self.value <= self.most


def beside(name: str, value: float, floor: float, factor: float, what: str, note: str = "") -> Figure:
    """A figure in milliseconds that may be at most `factor` times its floor; both are given in seconds."""
    return Figure(name, value * 1000, "ms", floor * factor * 1000, floor * 1000, f"<= {factor:g} x {what}", note)


def processor(action: Callable[[], object]) -> float:
    """The seconds of processor time that an action takes in the programs that it runs."""
    before = os.times()
    action()
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def in_turns(times: int, *actions: Callable[[], object]) -> list[float]:
    """The fewest seconds that each action takes; they run one after the other, `times` times.

    What else the machine does can only add to them: of a median on a busy machine nothing can be said.
    """
    fewest = [float("inf")] * len(actions)
    for _ in range(times):
        for n, action in enumerate(actions):
            begun = time.perf_counter()
            action()
            fewest[n] = min(fewest[n], time.perf_counter() - begun)
    return fewest


def command(argv: list[str], environ: dict[str, str] | None = None, codes: tuple[int, ...] = (0,)) -> Callable[[], str]:
    """An action that runs a program to its end, and returns what it printed."""

    def run() -> str:
        done = subprocess.run(argv, env=environ, capture_output=True, text=True, check=False)
        assert done.returncode in codes, f"{' '.join(argv)}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    return run


def program(site: Site, name: str, *args: str, codes: tuple[int, ...] = (0,)) -> Callable[[], str]:
    """An action that runs a program of pco at a site."""
    return command([PYTHON, str(TOP / "bin" / name), *args], site.environment(), codes)


@contextmanager
def scratch(folder: Path) -> Iterator[Path]:
    """A folder for one figure, on a real disk; it goes with all that is in it."""
    made = Path(tempfile.mkdtemp(prefix="pco-bench-", dir=folder))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def a_site(home: Path) -> Site:
    """A laid-out pco without Plane, as in the tests."""
    home.mkdir(parents=True)
    Spool(home / "spool", "pco-poll").lay_out()
    for name in ("sessions", "mirrors", "plane", "audit", "metrics", "www", "run"):
        (home / name).mkdir()
    os.mkfifo(home / "run" / "trigger")
    site = Site(home, home / "pco.yaml", {})
    site.configure(paths={"root": str(home)}, log={"level": "warning"})
    return site


def placed(ticket: Ticket, state: State) -> Ticket:
    """The ticket as it stands in `state`."""
    entry = Entry(T0, "pending", state.value, "bench", ticket.round.n)
    return replace(ticket, state=state, history=(*ticket.history, entry))


def fill(site: Site, state: State, count: int, first: int = 1) -> None:
    """Put `count` tickets of believable size into a state: written, not flushed; finished ones over some years."""
    model = a_ticket("WEB-777", description="Do it. " * 80, description_html=f"<p>{'Do it. ' * 80}</p>", project=WEB)
    data = to_bytes(placed(model.with_round(summary="Done. " * 40), state))
    folder = site.home / "spool" / state
    for number in range(first, first + count):
        made = data.replace(b"WEB-777", b"WEB-%d" % number).replace(b"000000000777", b"%012d" % number)
        if state in FINISHED:
            year, month = divmod(T0.year * 12 + T0.month - 1 - (number - first) // A_MONTH, 12)
            made = made.replace(b"2026-11-22T", b"%d-%02d-22T" % (year, month + 1))
        (folder / f"WEB-{number}.json").write_bytes(made)
    site.spool().index.rebuild()


def fill_all(site: Site, counts: dict[State, int]) -> None:
    """So many tickets into each state."""
    first = 1
    for state, count in counts.items():
        fill(site, state, count, first)
        first += count


def file_system(folder: Path) -> str:
    """The type of the file system that a folder is on."""
    found = subprocess.run(["stat", "-f", "-c", "%T", str(folder)], capture_output=True, text=True, check=False)
    return found.stdout.strip()
