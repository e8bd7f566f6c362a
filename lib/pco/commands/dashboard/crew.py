"""Where all pages are made anew, several processes make those of the tickets; their parent makes what is left.

Each takes every n-th ticket, and tells at its end, in JSON, which it has made; a newline before that says that it has
come further.  What it does not tell of is made by its parent as ever: a process that is killed, or meets a record that
cannot be read, costs time and nothing else.
"""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from io import RawIOBase
from typing import Any

from pco.commands.dashboard import opened
from pco.commands.dashboard.opened import Seen
from pco.commands.dashboard.run import Run
from pco.ground.errors import PcoError
from pco.ground.frozen import dataclass
from pco.ground.ticket import FINISHED, OPEN, State

LEAST = 300  # tickets for one; fewer are made faster than a process is worth
MOST = 8
STEP = 50  # tickets between two newlines
Place = tuple[str, State]


@dataclass(frozen=True)
class Hand:
    """A process at work, and the end of the pipe at which it will tell."""

    pid: int
    pipe: int


def work(run: Run) -> tuple[dict[str, Seen], set[str]]:
    """Make the pages of all tickets that there are now, in the new folder of the site, if that is worth it.

    Returns the open ones as `opened.show` remembers them, and the keys of the finished ones.
    """
    known: dict[str, Seen] = {}
    made: set[str] = set()
    for told in _told(_start(run), run.step):
        known.update(told["open"])
        made.update(told["finished"])
        run.ran.update(told["ran"])
        run.site.written += told["written"]
    return known, made


def _start(run: Run) -> list[Hand]:
    """The processes; none where there are few tickets, or only one processor."""
    spool, index = run.pco.spool, run.pco.spool.index
    places: list[Place] = [*spool.places(*OPEN).items()]
    tickets = len(places) + sum(spool.count(state) for state in FINISHED)
    count = min(len(os.sched_getaffinity(0)), MOST, tickets // LEAST)
    if count < 2:
        return []
    lines = [one for name in index.months() for one in index.month(name)]
    places += [(one.key, State(one.state)) for one in lines if one.state in FINISHED]
    hands = []
    with suppress(OSError):  # no more processes, or pipes, are to be had: those that there are do what they can
        for n in range(count):
            hands.append(_hand(run, places[n::count]))
    return hands


def _hand(run: Run, share: list[Place]) -> Hand:
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
        os.close(out)
        run.site.written = 0
        with open(into, "wb", buffering=0) as pipe:
            pipe.write(json.dumps(_made(replace(run, ran={}), share, pipe)).encode())
    finally:
        os._exit(0)  # whatever happened: this process is no pco-dashboard that could end, say or clean up anything


def _made(run: Run, share: list[Place], pipe: RawIOBase) -> dict[str, Any]:
    seen: dict[str, Seen] = {}
    finished = []
    for number, (key, state) in enumerate(share, 1):
        with suppress(KeyError, PcoError):  # the parent meets it again, and says so
            if state in FINISHED:
                opened.show_record(run, run.pco.spool.read(key, state))
                finished.append(key)
            elif made := opened.make(run, key, state, leave=True):
                seen[key] = made
        if number % STEP == 0:
            pipe.write(b"\n")
    ran = {key: those for key, those in run.ran.items() if those}
    return {"open": seen, "finished": finished, "ran": ran, "written": run.site.written}


def _told(hands: list[Hand], step: Callable[[], None]) -> Iterator[dict[str, Any]]:
    """What each has made, when it has ended; nothing of one that did not come to its end.  Steps for what comes."""
    from selectors import EVENT_READ, DefaultSelector

    with DefaultSelector() as waiting:
        for hand in hands:
            waiting.register(hand.pipe, EVENT_READ, bytearray())
        while waiting.get_map():
            for one, _ in waiting.select():
                part = os.read(one.fd, 1 << 20)
                one.data.extend(part)
                for _ in range(STEP * part.count(b"\n")):
                    step()
                if not part:
                    waiting.unregister(one.fileobj)
                    os.close(one.fd)
                    with suppress(ValueError):
                        yield json.loads(one.data)
    for hand in hands:
        os.waitpid(hand.pid, 0)
