"""Kill every program of pco at every call that touches its files, and have the system refuse each: `make faults`.

    tests/faults/kills.py                                       all points of all scenes
    tests/faults/kills.py --budget 300 --changing               as CI does: all kills where something was changed since the
                                                                one before, others as there is time for, spread evenly
    tests/faults/kills.py --errno CUT --points 150              so many power cuts, as CI does
    tests/faults/kills.py --errno LOST --seed 2 --skip 5000     go on with disks that lost writes
    tests/faults/kills.py --only SCENE --point POINT            one again, as it was printed, with all that was said

A point is a call of a program of which an undisturbed run was traced.  For each the scene is laid out anew, strace(1)
kills the program as it enters that call, or has the call fail, and the next ordinary runs come.  A point whose fault
did not fire, at just that call, is vacuous, and an error as a violation is.
"""

import argparse
import gc
import os
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import zip_longest
from multiprocessing import get_context
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests"), *([] if "PCO_FAULTS_LIB" in os.environ else [str(TOP / "lib")])]

from faults import images, mounts, running, worlds  # noqa: E402
from faults.calls import CUT, EIO, ENOSPC, KILL, LOST, ORDER, STOP  # noqa: E402
from faults.engine import Bench, Ill, Point, Seen  # noqa: E402
from faults.scenes import SCENES, Scene  # noqa: E402

DISKS = tuple(f"{fault}{kind}" for fault in (CUT, LOST) for kind in ("", ".xfs", ".btrfs"))
FAULTS = (ORDER, KILL, STOP, EIO, ENOSPC, *DISKS)
RACED = {STOP}  # faults of scenes with two programs
_bench: Bench | None = None  # of a worker


@dataclass
class Tally:
    """What came of the points of one scene."""

    scene: Scene
    points: int = 0
    fired: int = 0
    vacuous: int = 0
    violations: int = 0
    seconds: float = 0.0

    def take(self, seen: Seen) -> None:
        """One more."""
        self.fired += seen.fired
        self.vacuous += not seen.fired
        self.violations += bool(seen.wrong)
        self.seconds += seen.seconds


@dataclass
class Outcome:
    """Of all: `wrong` are the points at which something was."""

    tallies: dict[str, Tally]
    wrong: list[Seen] = field(default_factory=list)
    left: Counter[str] = field(default_factory=Counter)  # by fault
    torn: int = 0  # images of a disk that lost writes

    @property
    def good(self) -> bool:
        """Nothing was violated, and nothing vacuous."""
        return not self.wrong and all(not t.vacuous and not t.violations for t in self.tallies.values())

    def table(self) -> str:
        """The table for people."""
        from tabulate import tabulate

        rows = [
            [t.scene.promise, t.scene.name, t.points, t.fired, t.vacuous, t.violations, f"{t.seconds:.0f}"]
            for t in self.tallies.values()
        ]
        sums = [
            sum(getattr(t, name) for t in self.tallies.values())
            for name in ("points", "fired", "vacuous", "violations")
        ]
        rows.append(["", "all", *sums, f"{sum(t.seconds for t in self.tallies.values()):.0f}"])
        return tabulate(rows, headers=["PROMISE", "SCENE", "POINTS", "FIRED", "VACUOUS", "VIOLATIONS", "SECONDS"])


def run(
    chosen: list[Scene],
    faults: tuple[str, ...],
    *,
    changing: bool,
    budget: float,
    workers: int,
    point: str = "",
    first: bool = False,
    most: float = float("inf"),
    seed: int = 1,
    skip: int = 0,
) -> Outcome:
    """Play points of scenes, in parallel; those of all scenes are spread evenly over the time there is."""
    begun = time.monotonic()
    running.load()
    gc.collect()
    gc.freeze()
    outcome = Outcome({scene.name: Tally(scene) for scene in chosen})
    with worlds.scratch() as top, ExitStack() as opened:
        fork = get_context("fork")
        crews = [
            opened.enter_context(ProcessPoolExecutor(1, fork, _begin, (top / str(n), seed, changing)))
            for n in range(workers)
        ]
        # Each scene has a worker of its own, where it is laid out; who has done with his helps the others.
        lists = [crews[n % workers].submit(_points, scene.name, faults) for n, scene in enumerate(chosen)]
        planned = [[p for p in found.result() if _wanted(p, changing, point)] for found in lists]
        shares = [_Share.of(planned[n::workers], changing, skip // workers) for n in range(workers)]
        total, begins, done, under_way = sum(map(len, shares)), 0, 0, dict[Future[Seen], int]()
        while True:
            for n, crew in enumerate(crews):
                busy = sum(one == n for one in under_way.values())
                while busy < 2 and begins < most and not (first and outcome.wrong):
                    point = _next(shares, n, time.monotonic() - begun < budget)
                    if point is None:
                        break
                    begins += 1
                    under_way[crew.submit(_play, point)] = n
                    busy += 1
            if not under_way:
                break
            for future in wait(under_way, return_when=FIRST_COMPLETED)[0]:
                del under_way[future]
                done += 1
                _took(outcome, future.result(), f"{done}/{total}", begun)
        outcome.left.update(point.fault for share in shares for point in (*share.must, *share.may))
    return outcome


@dataclass(frozen=True)
class _Share:
    """What one worker has to play: `must` however long it takes, of `may` as much as there is time for."""

    must: deque[Point]
    may: deque[Point]

    @classmethod
    def of(cls, planned: list[list[Point]], changing: bool, skip: int) -> "_Share":
        """The points of some scenes: two of each, and if only what changes is asked for all kills, come first."""
        ordered, first = [*_interleaved(planned)], set[int]()
        for found in planned:
            order = [*_order(found)]
            some = [next(p for p in order if p.fault == fault) for fault in {p.fault for p in order}]
            first |= {id(point) for point in order[:2]} | {id(point) for point in some if changing}
        must = [p for p in ordered if id(p) in first or (changing and p.fault == KILL)]
        may = [p for p in ordered if not (id(p) in first or (changing and p.fault == KILL))]
        return cls(deque(must[skip:]), deque(may[max(skip - len(must), 0) :]))

    def __len__(self) -> int:
        return len(self.must) + len(self.may)


def _next(shares: list[_Share], n: int, time_left: bool) -> Point | None:
    """What a worker plays next: his own, or another's."""
    for share in (shares[n], *sorted(shares, key=len, reverse=True)):
        if share.must:
            return share.must.popleft()
        if share.may and time_left:
            return share.may.popleft()
    return None


def _wanted(point: Point, changing: bool, asked: str) -> bool:
    at_all = not changing or point.call.changes or point.fault.startswith((ORDER, LOST)) or point.call.name == "exit"
    # Where nothing was changed since the kill before, it is the same kill.
    at_all = at_all and (not changing or point.fault != KILL or point.call.anew)
    return at_all and asked in ("", point.told)


def _took(outcome: Outcome, seen: Seen, where: str, begun: float) -> None:
    tally = outcome.tallies[seen.point.scene]
    tally.points += 1
    tally.take(seen)
    outcome.torn += seen.fired and seen.point.call.name == images.TORN
    if seen.wrong or not seen.fired:
        outcome.wrong.append(seen)
        print(told(seen), flush=True)
    if sys.stderr.isatty():
        print(
            f"\r{where} {time.monotonic() - begun:.0f} s, {len(outcome.wrong)} wrong: {seen.point.scene:30.30}",
            end="",
            file=sys.stderr,
        )
    elif int(where.partition("/")[0]) % 500 == 0:
        print(f"{where} {time.monotonic() - begun:.0f} s, {len(outcome.wrong)} wrong", file=sys.stderr, flush=True)


def told(seen: Seen) -> str:
    """A point at which something was wrong, for people."""
    why = list(seen.wrong) or ["vacuous: the fault did not fire"]
    return "\n    ".join([f"--only '{seen.point.scene}' --point '{seen.point.told}'", *why])


def _interleaved(planned: list[list[Point]]) -> Iterator[Point]:
    """All points, in an order of which each beginning is spread evenly over every scene; two kills to one refusal.

    Power cuts begin with those that come after the last word.
    """
    for row in zip_longest(*(_order(found) for found in planned)):
        yield from (point for point in row if point is not None)


def _order(found: list[Point]) -> Iterator[Point]:
    yield from (point for point in found if point.fault == ORDER or point.call.name == "exit")
    kills = iter(_spread([point for point in found if point.fault in (KILL, STOP)]))
    others = iter(_spread([point for point in found if point.fault in (EIO, ENOSPC)]))
    cut, lost = (
        iter(_spread([point for point in found if point.fault.startswith(fault) and point.call.name != "exit"]))
        for fault in (CUT, LOST)
    )
    for row in zip_longest(kills, kills, others, cut, lost):
        yield from (point for point in row if point is not None)


def _spread(found: list[Point]) -> list[Point]:
    return [found[n] for n in _halving(len(found))]


def _halving(size: int) -> list[int]:
    """0 .. size-1, such that the first few already lie everywhere."""
    bits = max(size - 1, 1).bit_length()
    return [n for n in (int(f"{i:0{bits}b}"[::-1], 2) for i in range(1 << bits)) if n < size]


def _begin(top: Path, seed: int, brief: bool) -> None:
    """In a worker: a bench of its own."""
    global _bench
    if mounts.allowed():
        mounts.alone()
    top.mkdir()
    _bench = Bench(top, seed, brief=brief)


def _points(name: str, faults: tuple[str, ...]) -> list[Point]:
    assert _bench
    stage = _bench.stage(_named(name))
    return [point for fault in faults for point in stage.points(fault)]


def _play(point: Point) -> Seen:
    assert _bench
    return _bench.stage(_named(point.scene)).play(point)


def _named(name: str) -> Scene:
    return next(scene for scene in SCENES if scene.name == name)


def main() -> int:
    """Run; 1 if anything was violated or vacuous."""
    given = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    given.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="NAME",
        help="this scene, or those with these words in their names",
    )
    given.add_argument(
        "--budget",
        type=float,
        default=float("inf"),
        metavar="SECONDS",
        help="after so long begin no more, once each scene has two; with --changing all kills",
    )
    given.add_argument("--points", type=float, default=float("inf"), metavar="N", help="no more than so many")
    given.add_argument("--seed", type=int, default=1, metavar="N", help="of what is lost; as it stands in a point")
    given.add_argument("--skip", type=int, default=0, metavar="N", help="not the first N, which an earlier run had")
    given.add_argument("--errno", action="append", choices=FAULTS, help="only this fault; repeatable")
    given.add_argument("--changing", action="store_true", help="only calls that change something")
    given.add_argument("--point", default="", metavar="POINT", help="only this one")
    given.add_argument("--first", action="store_true", help="end with the first point at which something is wrong")
    given.add_argument("--workers", type=int, default=2)
    asked = given.parse_args()
    exact = [scene for scene in SCENES if scene.name in asked.only]
    chosen = exact or [s for s in SCENES if not asked.only or any(words in s.name for words in asked.only)]
    faults = tuple(asked.errno or ([asked.point.partition(":")[0]] if asked.point else FAULTS))
    try:
        outcome = run(
            [scene for scene in chosen if set(faults) & (RACED if scene.meanwhile else set(FAULTS) - RACED)],
            faults,
            changing=asked.changing,
            budget=asked.budget,
            workers=asked.workers,
            point=asked.point,
            first=asked.first,
            most=asked.points,
            seed=asked.seed,
            skip=asked.skip,
        )
    except Ill as error:
        print(error)
        return 1
    print(file=sys.stderr)
    if asked.point:
        print(*(seen.ended for seen in outcome.wrong), sep="\n")
    print(outcome.table())
    if outcome.left:
        print(f"left out: {', '.join(f'{number} {fault}' for fault, number in sorted(outcome.left.items()))}")
    if any(fault.startswith(LOST) for fault in faults):
        print(f"seed {asked.seed}; {outcome.torn} images lack what was written")
    return 0 if outcome.good else 1


if __name__ == "__main__":
    sys.exit(main())
