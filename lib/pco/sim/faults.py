"""Which requests go wrong, and how.  A fault is a JSON object:

    {"kind": "lost_after",      one of KINDS
     "method": "POST|PATCH",    regular expressions, matched against the whole method and searched in path and query;
     "path": "/comments/",      left out: any
     "probability": 0.5,        of each matching request; default 1
     "skip": 2, "count": 1,     let the first two pass, then fire once; default 0 and without end
     "seconds": 5,              scaled; default 5 for slow, late and lag, 60 for throttle (it becomes Retry-After),
                                0 for error_after (the real server takes 12 to find that its broker is down)
     "seed": 7}                 the same seed and the same requests give the same faults

Kinds: lost_before (connection dropped, not applied), lost_after (applied, then dropped), late (dropped, applied
`seconds` later), error_before and error_after (500; the latter is applied, but not its late work: the broker is
down), no_worker (applied, but what the server's worker does later never happens), lag (a GET does not see the writes
of the last `seconds`), slow (waits `seconds` first), throttle (429), cut (fewer bytes than Content-Length says),
bad_json, bad_utf8, bomb (gzip that grows a thousandfold), deep_json, redirect, html (502 with a page of HTML).
"""

import random
import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

# These go together with any other.
BESIDE = ("slow", "lag", "no_worker")
# Of these at most one befalls a request: the first that fires.
ALONE = (
    "lost_before",
    "lost_after",
    "late",
    "error_before",
    "error_after",
    "throttle",
    "cut",
    "bad_json",
    "bad_utf8",
    "bomb",
    "deep_json",
    "redirect",
    "html",
)
KINDS = BESIDE + ALONE
SECONDS = {"slow": 5.0, "late": 5.0, "lag": 5.0, "throttle": 60.0}


@dataclass
class Fault:
    """One switch, with the count of what it did."""

    kind: str
    method: str = ".*"
    path: str = ""
    probability: float = 1.0
    skip: int = 0
    count: int | None = None
    seconds: float = -1.0
    seed: int = 0
    seen: int = 0
    fired: int = 0
    dice: random.Random = field(default_factory=random.Random, repr=False)

    def __post_init__(self) -> None:
        """Refuse an unknown kind or a bad pattern at once; fill in the seconds, seed the dice."""
        if self.kind not in KINDS:
            raise ValueError(f"unknown fault {self.kind!r}; known: {', '.join(KINDS)}")
        re.compile(self.method)
        re.compile(self.path)
        if self.seconds < 0:
            self.seconds = SECONDS.get(self.kind, 0.0)
        self.dice = random.Random(self.seed)

    def fires(self, method: str, path: str) -> bool:
        """Whether this request is hit; counts it."""
        if not re.fullmatch(self.method, method) or not re.search(self.path, path):
            return False
        self.seen += 1
        roll = self.dice.random()
        if self.seen <= self.skip or (self.count is not None and self.fired >= self.count):
            return False
        if roll >= self.probability:
            return False
        self.fired += 1
        return True

    def told(self) -> dict[str, Any]:
        """Return the fault and its counts as JSON."""
        return {name: value for name, value in vars(self).items() if name != "dice"}


class Faults:
    """The switches that are on, in order."""

    def __init__(self) -> None:
        self._list: list[Fault] = []
        self._lock = threading.Lock()

    def set(self, specs: Iterable[dict[str, Any]]) -> None:
        """Replace all switches.  Raises ValueError or TypeError for what is no fault; then nothing changes."""
        fresh = [Fault(**spec) for spec in specs]
        with self._lock:
            self._list = fresh

    def befalling(self, method: str, path: str) -> dict[str, Fault]:
        """Return the faults that hit this request by kind: any of BESIDE, and at most one of ALONE."""
        hit: dict[str, Fault] = {}
        with self._lock:
            for fault in self._list:
                taken = fault.kind in hit or (fault.kind in ALONE and any(kind in ALONE for kind in hit))
                if not taken and fault.fires(method, path):
                    hit[fault.kind] = fault
        return hit

    def told(self) -> list[dict[str, Any]]:
        """Return all switches with their counts."""
        with self._lock:
            return [fault.told() for fault in self._list]
