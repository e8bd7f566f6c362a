"""What the harnesses of the network share: programs of a pco whose Plane answers badly, what befell, what came of it."""

import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pco.sim import Sim
from support import TOP, Site

HURRIED = Path(__file__).with_name("hurried.py")
LIB = Path(os.environ.get("PCO_FAULTS_LIB", TOP / "lib"))  # a copy, to see that a bug in it is found
TIMEOUT = "300ms"  # as in hurried.py
TOO_SLOW = 0.4  # seconds: given up after 0.3, applied 0.1 later
SETTLE = "1500ms"  # longer than anything is late, though the machine be busy
LATE = 0.05
LATER = 4 * 1.5  # long after pco has sent it again

NAMES = {
    "lost_before": "reset before",
    "lost_after": "reset after",
    "late": "applied late",
    "error_before": "500",
    "error_after": "500 applied",
    "cut": "cut",
    "html": "502 page",
    "throttle": "429",
    "slow": "slow",
    "lag": "lagging list",
}


@dataclass
class Result:
    """What one harness saw; `points` are what was at stake, `meant` the kinds of faults that must have fired."""

    name: str
    meant: frozenset[str]
    points: int = 0
    requests: int = 0
    befallen: int = 0
    fired: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    doubled: int = 0
    seconds: float = 0.0
    wrong: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Nothing was violated, and the faults were not too few to say so."""
        return not self.wrong and not self.lost and not self.doubled and not self.thin

    @property
    def thin(self) -> str:
        """Why what befell says too little; empty if it says enough."""
        if missing := self.meant - self.fired.keys():
            return f"never fired: {', '.join(sorted(missing))}"
        return "" if self.befallen >= 0.6 * self.requests > 0 else "less than three of five requests went wrong"

    def hear(self, sim: Sim) -> None:
        """Count what the requests since the last time met."""
        for entry in sim.requests():
            kinds = entry["faults"]
            self.requests += 1
            # What is only slow went well, or shows in what pco asks next.
            self.befallen += bool(set(kinds) - {"slow"})
            self.fired.update(NAMES[kind] for kind in kinds)
        sim.reset_log()

    def lose(self, what: str) -> None:
        """Something is not there that must be."""
        self.lost += 1
        self.wrong.append(f"lost: {what}")

    def double(self, what: str) -> None:
        """Something is there twice."""
        self.doubled += 1
        self.wrong.append(f"doubled: {what}")


@contextmanager
def scratch(name: str) -> Iterator[Path]:
    """A folder, in memory if there is such a place: no power is cut here."""
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix=f"pco-{name}-", dir=place, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def program(site: Site, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a program, hurried, without its dashboard."""
    environ = {**site.environment(), "PYTHONPATH": str(LIB), "INVOCATION_ID": "0"}
    command = [sys.executable, str(HURRIED), *words]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=300)


def quiet(sim: Sim) -> None:
    """Let whatever is under way at Plane, or late, come to its end."""
    until = time.monotonic() + 20
    while any(entry["status"] is entry["answer"] is None and _comes(entry) for entry in sim.requests()):
        assert time.monotonic() < until, "Plane does not come to rest"
        sim.settle()
        time.sleep(0.005)
    sim.settle()


def _comes(entry: dict[str, Any]) -> bool:
    return "lost_before" not in entry["faults"]


def spread(total: Iterable[tuple[str, float]], seed: int, **where: Any) -> list[dict[str, Any]]:
    """Fault switches for the requests that are meant, of each kind with its share of what the earlier ones left."""
    return [{"kind": kind, **where, "probability": p, "seed": seed * 100 + n} for n, (kind, p) in enumerate(total)]


def kinds(specs: list[dict[str, Any]]) -> frozenset[str]:
    """What such switches are called in the table."""
    return frozenset(NAMES[spec["kind"]] for spec in specs)


def table(results: list[Result]) -> str:
    """The table for people."""
    from tabulate import tabulate

    rows = [
        [
            r.name,
            r.points,
            f"{r.befallen}/{r.requests} ({100 * r.befallen // max(r.requests, 1)} %)",
            ", ".join(f"{number} {kind}" for kind, number in r.fired.most_common()),
            r.lost,
            r.doubled,
            len(r.wrong),
            f"{r.seconds:.0f}",
        ]
        for r in results
    ]
    heads = ["HARNESS", "POINTS", "BEFALLEN", "FIRED", "LOST", "DOUBLED", "VIOLATIONS", "SECONDS"]
    return tabulate(rows, headers=heads, maxcolwidths=[24, None, None, 48, None, None, None, None])
