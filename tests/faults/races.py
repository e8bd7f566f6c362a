"""Two programs at the same time: one is stopped at a call of its, another runs meanwhile, then it goes on.

What all has come to must be what it comes to when one runs after the other, in one order or the other; where one of
them said that it did nothing, also what it comes to without it.  A program that waits for a lock of the stopped one is
given a moment; then the stopped one goes on beside it.
"""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

from faults import calls, invariants
from faults.calls import STOP, Call
from faults.engine import Point, Seen, Stage
from faults.running import LIMIT, Ended, Started, Tracer
from faults.scenes import Command
from pco.ground.ticket import State

MOMENT = 0.4  # seconds for what waits for a lock
FORESEEN = (0, 65, 75)  # done, or refused because of the other


@dataclass(frozen=True)
class Serial:
    """How programs ended that ran one after the other, and what all came to."""

    codes: tuple[int, ...]
    end: dict[str, object]


class Race(Stage):
    """A scene with a `meanwhile`."""

    def points(self, fault: str) -> list[Point]:
        """Where the first program can be stopped."""
        return (
            [Point(self.scene.name, fault, call) for call in calls.points(self.calls, fault)] if fault == STOP else []
        )

    def play(self, point: Point) -> Seen:
        """Run both, the first stopped at a call, and say what is wrong then."""
        begun = time.monotonic()
        self.orders  # noqa: B018 - before the world is another one
        for _ in range(3):
            call = self.located(point.call)
            first, second, trace = self._both(call)
            if fired := self._stopped(call, trace):
                break
            self.trace_anew()
        wrong = tuple(dict.fromkeys(self._judge(first, second))) if fired else ()
        self.world.hush()
        return Seen(point, fired, wrong, time.monotonic() - begun, first)

    @cached_property
    def orders(self) -> dict[str, Serial]:
        """What all comes to if the one, the other, one of them after the other: by their names."""
        one, other = self.scene.command, self.scene.meanwhile
        plans = {"first, second": (one, other), "second, first": (other, one), "first": (one,), "second": (other,)}
        return {name: self._serial(commands) for name, commands in plans.items()}

    def _serial(self, commands: tuple[Command, ...]) -> Serial:
        self.world.bring(self.kept)
        self.world.speak()
        codes = [self._do(command).code for command in commands]
        list(self._afterwards())
        return Serial(tuple(codes), self._strict(invariants.digest(self.world)))

    def _both(self, call: Call) -> tuple[Ended, Ended, str]:
        self.world.bring(self.kept)
        self.world.speak()
        first = self._start(self.scene.command)
        tracer, deadline = Tracer(first, self.trace, STOP, call.name, call.nth), time.monotonic() + LIMIT
        while not (tracer.stands() or first.wait(0.002)) and time.monotonic() < deadline:
            pass
        second = self._start(self.scene.meanwhile)
        second.go()
        second.wait(MOMENT)
        with suppress(ProcessLookupError):
            os.kill(first.pid, signal.SIGCONT)
        # The second may have to wait for the first.
        first.wait(LIMIT)
        return first.end(), second.end(), tracer.told()

    def _start(self, command: Command) -> Started:
        return Started(self._words(command), self._environ(), self.world.scratch, stdin=self.scene.stdin)

    def _stopped(self, meant: Call, trace: str) -> bool:
        before = trace.partition("--- SIGSTOP")[0]
        made = [call for call in calls.read(before, self.world.live) if call.name == meant.name]
        return "--- SIGSTOP" in trace and bool(made) and made[-1].id == meant.id

    def _judge(self, first: Ended, second: Ended) -> Iterator[str]:
        for command, ended in ((self.scene.command, first), (self.scene.meanwhile, second)):
            if ended.late or "Traceback" in ended.err or ended.code not in FORESEEN:
                yield f"exit code: {' '.join(command)}: {ended.code}: {ended.err[-300:]!r}"
        yield from invariants.standing(self.world, self.keys)
        yield from self._unwoken()
        yield from self._afterwards()
        yield from invariants.standing(self.world, self.keys)
        yield from self._settled()
        yield from invariants.indexed(self.world)
        found = self._strict(invariants.digest(self.world))
        fits = [serial.end for name, serial in self.orders.items() if self._said(name, first.code, second.code)]
        if found not in fits:
            nearest = min(
                (list(invariants.differences(end, found)) for end in fits), key=len, default=["both said that"]
            )
            yield from (f"no order: exits {first.code}, {second.code}: {words}" for words in nearest)

    def _said(self, order: str, first: int, second: int) -> bool:
        """Whether they can have run in this order, by what they said: who was done has done it."""
        codes = self.orders[order].codes
        if order == "first":
            return second != 0 and codes == (first,)
        if order == "second":
            return first != 0 and codes == (second,)
        return codes == ((first, second) if order == "first, second" else (second, first))

    def _unwoken(self) -> Iterator[str]:
        """Whoever has work has been woken, or has done it."""
        wake = self.world.home / "spool" / "wake"
        for state, flag in ((State.APPROVED, "launch"), (State.OUTBOX, "post")):
            if flag in self.scene.wakes and self.world.spooled.keys(state) and not (wake / flag).exists():
                yield f"wake lost: something is {state}, and wake/{flag} is not set"

    def _afterwards(self) -> Iterator[str]:
        for command in self.scene.next:
            done = self._do(command)
            if "Traceback" in done.err or done.late:
                yield f"next run: {' '.join(command)}: exit {done.code}: {done.err[-300:]!r}"
