"""Disks as a power cut may leave them while a program works: writes after the last flush are lost, or came in any order.

A program runs once on a disk that remembers all writes and flushes, until it has ended, and the file system has been
flushed and taken away.  Then images are made of it: all that stands before a flush, of each flush; and that with some
of the sectors, in some order, that were written after it and before the next one.  Each is mounted, which has the file
system replay its journal.  All keys must be in one state, no file torn, the audit whole; and if the program had ended
by then, all records must be those that it left.  With each tenth, of a command of a person that asks nobody else, the
next ordinary runs come, and all must be as if nothing had happened.
"""

import ctypes
import os
import random
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from faults import cuts, disks, invariants
from faults.calls import Call
from faults.cuts import Disk
from faults.engine import Ill, Point, Seen, Stage
from faults.running import Ended

EACH = 110  # images with a loss of a scene on a file system, at least: so there are more than 10,000 of them
FLUSHED, TORN = "flushed", "torn"
WHOLE = 10  # each so many-th is followed by the next runs, which takes longer than all else
PUT_BACK = "spool/control/restoring"  # as long as this is there nobody uses what pco-restore puts back
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Run:
    """What one run wrote: `flushed` are the places right behind its flushes, `over` the first one after its end."""

    records: list[disks.Record]
    flushed: tuple[int, ...]
    over: int
    ended: Ended
    digest: dict[str, Any]


def points(stage: Stage, fault: str, seed: int) -> list[Point]:
    """One for each image: as many without a loss as there were flushes, the others with one."""
    run = _run(stage, fault)
    whole = [_named(FLUSHED, n, seed) for n in range(len(run.flushed))]
    lossy = [_named(TORN, n, seed) for n in range(max(EACH, len(whole)))]
    return [Point(stage.scene.name, fault, call) for call in (*lossy, *whole)]


def play(stage: Stage, point: Point) -> Seen:
    """Make an image, and look at it."""
    begun, run, disk = time.monotonic(), _run(stage, point.fault), Disk(stage, cuts.kind_of(point.fault))
    records, at, fired = _chosen(run, point)
    disk.bring()
    try:
        with disk.holding(records):
            wrong = tuple(dict.fromkeys(_judged(stage, run, point, over=at >= run.over)))
    except OSError as error:
        wrong = (f"not mounted: {error}",)
    return Seen(point, fired, wrong, time.monotonic() - begun)


def _chosen(run: Run, point: Point) -> tuple[list[disks.Record], int, bool]:
    """What is on the disk, up to where nothing is lost, and whether it is as the point says."""
    call, kept = point.call, run.flushed
    if call.name == FLUSHED:
        at = kept[(call.nth - 1) % len(kept)]
        return run.records[:at], at, run.records[at - 1].kind == disks.FLUSH
    chance = random.Random(f"{point.scene} {point.fault} {call.label}")
    windows = [(a, b) for a, b in zip((0, *kept), (*kept, len(run.records)), strict=True) if _writes(run, a, b)]
    start, end = chance.choice(windows)
    writes = _writes(run, start, end)
    sectors = disks.torn(writes, chance)
    lost = sum(len(one.data) for one in writes) - sum(len(one.data) for one in sectors)
    return [*run.records[:start], *sectors], start, lost > 0


def _writes(run: Run, start: int, end: int) -> list[disks.Record]:
    return [record for record in run.records[start:end] if record.kind == disks.WRITE]


def _judged(stage: Stage, run: Run, point: Point, *, over: bool) -> Iterator[str]:
    """What is wrong on the disk; `over` if the run had ended."""
    world = stage.world
    if over:
        yield from (f"not as it was acknowledged: {words}" for words in _differences(run.digest, world))
    if (world.home / PUT_BACK).exists():
        yield from invariants.one_state(world, frozenset())
    elif stage.scene.asked and not stage.scene.plane and point.call.nth % WHOLE == 1:
        yield from stage.judged(point, run.ended if over else Ended(-signal.SIGKILL, "", ""))
    else:
        yield from invariants.standing(world, stage.keys)


def _differences(meant: dict[str, Any], world: Any) -> Iterator[str]:
    yield from invariants.differences(meant, _records(world))


def _records(world: Any) -> dict[str, Any]:
    """What is on the disk, without Plane."""
    return {name: value for name, value in invariants.digest(world).items() if name not in ("plane", "items")}


def _run(stage: Stage, fault: str) -> Run:
    """Run the program, once for each file system."""
    if fault not in stage.written:
        stage.written[fault] = _recorded(stage, Disk(stage, cuts.kind_of(fault)))
    return stage.written[fault]


def _recorded(stage: Stage, disk: Disk) -> Run:
    with disk.recorded():
        if stage.scene.plane:
            stage.world.speak()
        started = stage.start()
        started.go()
        ended = started.end()
        if ended.code not in stage.scene.codes:
            raise Ill(f"{stage.scene.name}: it does not even run undisturbed on {disk.kind.name}: {ended}")
        disk.remember()
        digest = _records(stage.world)
        _flush(stage)
    records = disks.read(disk.log)
    flushed = tuple(n + 1 for n, record in enumerate(records) if record.kind == disks.FLUSH)
    return Run(records, flushed, len(disks.read(disk.log, disk.cut)), ended, digest)


def _flush(stage: Stage) -> None:
    """Have the file system write what it holds back: all that was acknowledged must survive this, too."""
    handle = os.open(stage.world.home, os.O_RDONLY)
    _libc.syncfs(handle)
    os.close(handle)


def _named(what: str, n: int, seed: int) -> Call:
    return Call(what, n + 1, n + 1, f"{what}(seed {seed} image {n + 1})", "?", ("~",))
