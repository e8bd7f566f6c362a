"""One scene on one bench: laid out once, traced once, and then run into one fault after the other."""

import json
import os
import re
import time
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from faults import calls, invariants, orders
from faults.calls import CUT, KILL, LOST, ORDER, STOP, Call
from faults.running import Ended, Started, Tracer
from faults.scenes import Command, Scene
from faults.worlds import World, lay_out
from pco.ground.ticket import State

REFUSED = (71, 75, 78)  # how a program may end that the machine refuses something
DAYS_AGO = 2 * 86_400
# A program that is killed between a move and what it leaves beside it: the record's own history has the move.  What was
# acknowledged is looked for in what the files say.
MAY_MISS = re.compile(r"^~/pco/(audit/[0-9]{4}-|metrics/tally)")
# These go with what they lie in: an attempt has its time, and the one name for an unfinished page is taken again.
LASTS = re.compile(r"^~/pco/(sessions/[A-Z0-9_-]+/|www/\.built/new$)")
MOVED = re.compile(r"^([A-Z]+-[0-9]+): ([a-z]+) -> ([a-z]+)", re.M)
CLEANERS: tuple[Command, ...] = (("pco-watch", "--once"), ("pco-retention",), ("pco-notify",), ("pco-dashboard",))


class Ill(Exception):
    """A scene is wrong before anything has befallen it."""


@dataclass(frozen=True)
class Point:
    """A fault at one call of a scene."""

    scene: str
    fault: str
    call: Call

    @property
    def told(self) -> str:
        """What `--point` takes."""
        return f"{self.fault}:{self.call.name}:{self.call.kth}:{self.call.label.partition('(')[2][:-1]}"


@dataclass(frozen=True)
class Seen:
    """What a fault led to; `fired` as far as the trace shows it."""

    point: Point
    fired: bool
    wrong: tuple[str, ...] = ()
    seconds: float = 0.0
    ended: Ended | None = None


@dataclass(frozen=True)
class End:
    """What all has come to."""

    digest: dict[str, object]
    files: frozenset[str]


class Bench:
    """Scenes in worlds below `top`; each is prepared when it is first asked for, and kept.

    In a `brief` one the pages are not made anew after each fault, but by who makes them.
    """

    def __init__(self, top: Path, seed: int = 1, *, brief: bool = False) -> None:
        self.top = top
        self.seed = seed
        self.brief = brief
        self._made: dict[str, Stage] = {}
        self._world: World | None = None

    def stage(self, scene: Scene) -> "Stage":
        """A scene, ready to be played."""
        if scene.name not in self._made:
            from faults.races import Race

            self._made[scene.name] = (Race if scene.meanwhile else Stage)(
                scene, self.top, self._fresh(), self.seed, brief=self.brief
            )
        return self._made[scene.name]

    def _fresh(self) -> World:
        """A world without tickets; made once, for that takes long."""
        if self._world is None:
            self._world = lay_out(self.top)
            self._world.keep(self.top / "kept")
        self._world.bring(self.top / "kept")
        return replace(self._world, values=deepcopy(self._world.values))


class Stage:
    """A scene in its world: `calls` are those of a run to which nothing happens."""

    def __init__(self, scene: Scene, top: Path, world: World, seed: int = 1, *, brief: bool = False) -> None:
        self.scene = scene
        self.brief = brief
        self.seed = seed
        self.kept = top / f"kept.{re.sub('[^a-z]+', '-', scene.name)}"
        self.trace = top / "trace"
        self.world = world
        scene.prepare(self.world)
        self.keys = frozenset(self.world.spooled.keys(*State))
        self.world.keep(self.kept)
        self.calls, self.end = self._undisturbed()
        self.written = dict[str, Any]()  # by file system, see `faults.images`

    def points(self, fault: str) -> list[Point]:
        """Where a fault can be put; the order of the calls is one point."""
        if fault == STOP:
            return []
        if fault.startswith((CUT, LOST)):
            from faults import cuts, images

            if not cuts.possible():
                return []
            return cuts.points(self, fault) if fault.startswith(CUT) else images.points(self, fault, self.seed)
        if fault == ORDER:
            return [Point(self.scene.name, ORDER, self.calls[0])]
        return [Point(self.scene.name, fault, call) for call in calls.points(self.calls, fault)]

    def play(self, point: Point) -> Seen:
        """Have the fault, let the next runs come, and say what is wrong then."""
        begun = time.monotonic()
        if point.fault == ORDER:
            return Seen(point, any(call.alters for call in self.calls), tuple(dict.fromkeys(orders.wrong(self.calls))))
        if point.fault.startswith((CUT, LOST)):
            from faults import cuts, images

            return (cuts if point.fault.startswith(CUT) else images).play(self, point)
        for _ in range(6):  # where looks follow from how long others took, a call comes sooner or later
            call = self.located(point.call)
            ended, trace = self._run(point.fault, call)
            if fired := self._fired(point.fault, call, ended, trace):
                break
            self.trace_anew()
        wrong = tuple(dict.fromkeys(self.judged(point, ended))) if fired else ()
        self.world.hush()
        return Seen(point, fired, wrong, time.monotonic() - begun, ended)

    def located(self, call: Call) -> Call:
        """The call with the number that it has in this process."""
        return next((one for one in self.calls if one.id == call.id), call)

    def trace_anew(self) -> None:
        """This process has loaded or cached something since: calls that are no business of ours have gone."""
        self.calls = calls.read(self._run()[1], self.world.live)

    def start(self) -> Started:
        """The program, which has not begun yet."""
        return Started(self._words(self.scene.command), self._environ(), self.world.scratch, stdin=self.scene.stdin)

    def _run(self, fault: str = "", call: Call | None = None) -> tuple[Ended, str]:
        self.world.bring(self.kept)
        if self.scene.plane:
            self.world.speak()
        started = self.start()
        tracer = Tracer(started, self.trace, fault, call.name if call else "", call.nth if call else 0)
        ended = started.end()
        return ended, tracer.told()

    def _undisturbed(self) -> tuple[list[Call], End]:
        ended, trace = self._run()
        if ended.code not in self.scene.codes:
            raise Ill(f"{self.scene.name}: it does not even run undisturbed: {ended}")
        made = calls.read(trace, self.world.live)
        wrong = [*self._after(ended), *invariants.standing(self.world, frozenset()), *self._settled()]
        self.keys &= frozenset(self.world.spooled.keys(*State))
        end = self._reached()
        wrong += [*self._cleaned(), *invariants.indexed(self.world)]
        self.end_cleaned = self._reached()
        if wrong:
            raise Ill(f"{self.scene.name}: it does not even end well undisturbed: {'; '.join(wrong)}")
        self.world.hush()
        return made, end

    def _reached(self) -> End:
        return End(invariants.digest(self.world), frozenset(invariants.files(self.world)))

    def _fired(self, fault: str, meant: Call, ended: Ended, trace: str) -> bool:
        made = [call for call in calls.read(trace, self.world.live) if call.name == meant.name]
        if len(made) < meant.nth or made[meant.nth - 1].id != meant.id:
            return False
        return ended.code == -9 if fault == KILL else "(INJECTED)" in trace

    def judged(self, point: Point, ended: Ended) -> Iterator[str]:
        if ended.late:
            yield f"hangs: it had to be killed; it said {ended.err[-200:]!r}"
        yield from invariants.standing(self.world, self.keys)
        if not point.fault.startswith((KILL, CUT, LOST)):
            yield from self._spoke(ended)
            yield from self._unaudited(ended)
        yield from self._after(ended)
        yield from invariants.standing(self.world, self.keys)
        yield from self._settled()
        # What is as if nothing had happened need not be cleaned: that takes longer than all else.
        if [*invariants.indexed(self.world), *self._other_end(self.end)]:
            yield from self._cleaned()
            yield from invariants.indexed(self.world)
            yield from self._other_end(self.end_cleaned)

    def _spoke(self, ended: Ended) -> Iterator[str]:
        """A failure is said, in words, and with the right exit code."""
        if "Traceback" in ended.err:
            yield f"traceback: {ended.err[-300:]!r}"
        elif ended.code not in (*self.scene.codes, *REFUSED):
            yield f"exit code: {ended.code}: {ended.err[-200:]!r}"
        elif ended.code and not ended.err.strip():
            yield f"silent: exit {ended.code} without a word"

    def _unaudited(self, ended: Ended) -> Iterator[str]:
        """What a person was told that it was done is in the audit record."""
        if self.scene.asked and ended.code in self.scene.codes:
            audited = invariants.audited(self.world)
            for move in MOVED.findall(ended.out):
                if move not in audited:
                    yield f"not in the audit: {move} was acknowledged"

    def _after(self, ended: Ended) -> Iterator[str]:
        """The next ordinary runs; what a person asked for and did not get acknowledged, they ask for again."""
        if self.scene.asked and (ended.code not in self.scene.codes or self.scene.acknowledged not in ended.out):
            again = self._do(self.scene.command)
            yield from self._unaudited(again)
            if "Traceback" in again.err or again.late:
                yield f"traceback: when it is given again: {again.err[-300:]!r}"
        if self.scene.plane or ("pco-poll",) in self.scene.next:
            self.world.speak()
        for command in self.scene.next:
            if self._idle(command):
                continue
            done = self._do(command)
            if "Traceback" in done.err or done.late or (done.code not in (0, 65) and command[0] != "pco-session"):
                yield f"next run: {' '.join(command)}: exit {done.code}: {done.err[-300:]!r}"

    def _idle(self, command: Command) -> bool:
        """Whether a program has nothing to do: then it does nothing, which takes as long as all else."""
        spool = self.world.home / "spool"
        if command == ("pco-dashboard",):
            return self.brief and self.scene.command != command
        taken = {
            ("pco-post",): ("outbox",),
            ("pco-notify",): ("notify", "sending"),
            ("pco-watch", "--once"): ("active", "control/clean", "control/push"),
        }
        places = taken.get(command, ())
        return bool(places) and not any(path for place in places for path in (spool / place).iterdir())

    def _settled(self) -> Iterator[str]:
        yield from invariants.started_once(self.world)
        if self.scene.ends:
            if (state := self.world.spooled.find("WEB-1")) not in self.scene.ends:
                yield f"stuck: WEB-1 is in {state}"
            if not any((self.world.live / name).exists() for name in ("started", "ran")):
                yield "never launched: WEB-1"
        yield from invariants.posted_once(self.world)
        yield from invariants.imported(self.world)

    def _cleaned(self) -> Iterator[str]:
        """Two days later the cleaners have been at work."""
        old = time.time() - DAYS_AGO
        for path in invariants.half_written(self.world):
            os.utime(path, (old, old), follow_symlinks=False)
        for command in CLEANERS:
            done = self._do(command)
            if done.code or "Traceback" in done.err:
                yield f"next run: {' '.join(command)}: exit {done.code}: {done.err[-300:]!r}"

    def _other_end(self, meant: End) -> Iterator[str]:
        found, digest = invariants.files(self.world), invariants.digest(self.world)
        yield from invariants.differences(self._strict(meant.digest), self._strict(digest))
        spare = re.compile(self.scene.spare) if self.scene.spare else None
        for path in sorted(found - meant.files):
            if (
                not LASTS.search(path)
                if "half written" in path or path.endswith("/new")
                else not (spare and spare.search(path))
            ):
                yield f"left behind: {path}"
        for path in sorted(meant.files - found):
            if not (spare and spare.search(path)) and not MAY_MISS.search(path):
                yield f"missing: {path}"

    def _strict(self, digest: dict[str, object]) -> dict[str, object]:
        """Without what may be another one in this scene."""
        made: dict[str, object] = json.loads(json.dumps(digest))
        for part in self.scene.loose:
            key, _, inner = part.partition(".")
            record = made.get(key)
            if not inner:
                made.pop(key, None)
            elif isinstance(record, dict):
                record.pop(inner, None)
        return made

    def _do(self, command: Command) -> Ended:
        return self.world.do(
            *self._words(command),
            stdin=self.scene.stdin if command == self.scene.command else "",
            environ=self._environ(),
        )

    def _words(self, command: Command) -> Command:
        return tuple(word.replace("{home}", str(self.world.home)) for word in command)

    def _environ(self) -> dict[str, str]:
        return {**self.world.environment(), **self.scene.environ(self.world)}
