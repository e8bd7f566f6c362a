"""Where very many pages are to be made, several processes make them.

Each takes every n-th ticket, and tells at its end, in JSON, which it has made; a newline before that says that it has
come further.  What it does not tell of is made by the parent as ever, or in the next turn: a process that is killed, or
meets a record that cannot be read, costs time and nothing else.
"""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from io import RawIOBase
from typing import Any

from pco.commands.dashboard import finished, opened
from pco.commands.dashboard.opened import Seen
from pco.commands.dashboard.run import Run
from pco.ground.errors import PcoError
from pco.ground.frozen import dataclass
from pco.ground.ticket import State
from pco.pages.board import MOST_RECENT
from pco.spool.index import Finished

LEAST = 300  # tickets for one; fewer are made faster than a process is worth
MOST = 8
STEP = 50  # tickets between two newlines
Place = tuple[str, State]


@dataclass(frozen=True)
class Hand:
    """A process at work, and the end of the pipe at which it will tell."""

    pid: int
    pipe: int


def work(run: Run, places: list[Place], lines: list[Finished], meanwhile: Callable[[Run], object]) -> dict[str, Seen]:
    """Make the pages of open tickets, and of finished ones as many as there is time for, if processes are worth it.

    This process does `meanwhile` what it would else do afterwards.  Returns the open ones as `opened.show` remembers
    them; `run.made` has those of the finished ones.
    """
    known: dict[str, Seen] = {}
    for told in _told(run, _start(run, places, lines), meanwhile):
        known.update(told["open"])
        run.made.update(told["finished"])
        run.ran.update(told["ran"])
        run.site.written += told["written"]
    for key in known.keys() & run.made.keys():  # moved meanwhile: two processes have written one page
        del known[key], run.made[key]
    return known


def _start(run: Run, places: list[Place], lines: list[Finished]) -> list[Hand]:
    """The processes; none where there are few tickets, or only one processor."""
    count = min(len(os.sched_getaffinity(0)), MOST, (len(places) + len(lines)) // LEAST)
    if count < 2:
        return []
    hands: list[Hand] = []
    with suppress(OSError):  # no more processes, or pipes, are to be had: those that there are do what they can
        for n in range(count):
            hands.append(_hand(run, places[n::count], lines[n::count], hands))
    return hands


def _hand(run: Run, places: list[Place], lines: list[Finished], others: list[Hand]) -> Hand:
    """Have a process of its own make the pages of its share.  Raises OSError if there cannot be one."""
    out, into = os.pipe()
    try:
        pid = os.fork()
    except OSError:
        os.close(out)
        os.close(into)
        raise
    if pid:
        os.close(into)
        return Hand(pid, out)
    try:
        for end in (out, *(other.pipe for other in others)):
            os.close(end)  # else the others would not hear that their parent listens no more
        run.site.apart()
        run.site.written = 0
        with open(into, "wb", buffering=0) as pipe:
            pipe.write(json.dumps(_made(replace(run, ran={}), places, lines, pipe)).encode())
    finally:
        os._exit(0)  # whatever happened: this process is no pco-dashboard that could end, say or clean up anything


def _made(run: Run, places: list[Place], lines: list[Finished], pipe: RawIOBase) -> dict[str, Any]:
    """Make the pages of a share; returns what is to be told.  Raises OSError if nobody listens any more."""
    seen: dict[str, Seen] = {}
    done: dict[str, str] = {}
    parent, tried = os.getppid(), 0

    def step() -> None:
        nonlocal tried
        tried += 1
        if tried % STEP == 0:
            pipe.write(b"\n")
        if os.getppid() != parent:
            raise ProcessLookupError  # it was killed: the next one must not find its pages overwritten

    for key, state in places:
        with suppress(KeyError, PcoError):  # the parent meets it again, and says so
            if made := opened.make(run, key, state, leave=True):
                seen[key] = made
        step()
    for number, one in enumerate(lines, 1):
        with suppress(PcoError):
            if finished.make(run, one, leave=True):
                done[one.key] = finished.said(one)
        step()
        if run.late and number >= MOST_RECENT:  # those are on the board
            break
    ran = {key: those for key, those in run.ran.items() if those}
    return {"open": seen, "finished": done, "ran": ran, "written": run.site.written}


def _told(run: Run, hands: list[Hand], meanwhile: Callable[[Run], object]) -> Iterator[dict[str, Any]]:
    """What each has made, when it has ended; nothing of one that did not come to its end.  Steps for what comes."""
    if not hands:
        return
    from selectors import EVENT_READ, DefaultSelector

    waiting = DefaultSelector()
    try:
        for hand in hands:
            waiting.register(hand.pipe, EVENT_READ, bytearray())
        meanwhile(run)
        while waiting.get_map():
            for one, _ in waiting.select():
                part = os.read(one.fd, 1 << 20)
                one.data.extend(part)
                for _ in range(STEP * part.count(b"\n")):
                    run.step()
                if part:
                    continue
                waiting.unregister(one.fd)
                os.close(one.fd)
                with suppress(ValueError):
                    told = json.loads(one.data)
                    for _ in range(len(told["open"]) + len(told["finished"]) - STEP * one.data.count(b"\n")):
                        run.step()
                    yield told
    finally:
        # Where we are ended, they end, too, as soon as they find that nobody listens: the next run writes there.
        for left in waiting.get_map().values():
            os.close(left.fd)
        waiting.close()
        for hand in hands:
            os.waitpid(hand.pid, 0)
