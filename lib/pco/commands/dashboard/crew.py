"""Where all pages are made anew, several processes make those of the tickets, their parent the lists of finished ones.

Each takes every n-th ticket, and tells at its end, in JSON, which it has made; a newline before that says that it has
come further.  What it does not tell of is made by the parent as ever: a process that is killed, or meets a record that
cannot be read, costs time and nothing else.
"""

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from io import RawIOBase
from typing import Any

from pco.commands.dashboard import finished, opened
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


def work(run: Run) -> tuple[dict[str, Seen], dict[str, str]]:
    """Make the pages of all tickets that there are now, in the new folder of the site, if that is worth it.

    Returns the open ones as `opened.show` remembers them, and of what those of the finished ones were made.
    """
    known: dict[str, Seen] = {}
    made: dict[str, str] = {}
    for told in _told(run, _start(run)):
        known.update(told["open"])
        made.update(told["finished"])
        run.ran.update(told["ran"])
        run.site.written += told["written"]
    for key in known.keys() & made.keys():  # moved meanwhile: two processes have written one page
        del known[key], made[key]
    return known, made


def _start(run: Run) -> list[Hand]:
    """The processes; none where there are few tickets, or only one processor."""
    spool = run.pco.spool
    places: list[Place] = [*spool.places(*OPEN).items()]
    tickets = len(places) + sum(spool.count(state) for state in FINISHED)
    count = min(len(os.sched_getaffinity(0)), MOST, tickets // LEAST)
    if count < 2:
        return []
    index = finished.Index(run)
    lines = [one for month in index.stamps for one in index.lines(month)]
    places += [(one.key, State(one.state)) for one in lines if one.state in FINISHED]
    hands: list[Hand] = []
    with suppress(OSError):  # no more processes, or pipes, are to be had: those that there are do what they can
        for n in range(count):
            hands.append(_hand(run, places[n::count], hands))
    return hands


def _hand(run: Run, share: list[Place], others: list[Hand]) -> Hand:
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
        run.site.written = 0
        with open(into, "wb", buffering=0) as pipe:
            pipe.write(json.dumps(_made(replace(run, ran={}), share, pipe)).encode())
    finally:
        os._exit(0)  # whatever happened: this process is no pco-dashboard that could end, say or clean up anything


def _made(run: Run, share: list[Place], pipe: RawIOBase) -> dict[str, Any]:
    seen: dict[str, Seen] = {}
    done: dict[str, str] = {}
    for number, (key, state) in enumerate(share, 1):
        with suppress(KeyError, PcoError):  # the parent meets it again, and says so
            if state in FINISHED:
                ticket = run.pco.spool.read(key, state)
                opened.show_record(run, ticket)
                if at := ticket.entered():
                    done[key] = finished.said(state, at, ticket.rev)
            elif made := opened.make(run, key, state, leave=True):
                seen[key] = made
        if number % STEP == 0:
            pipe.write(b"\n")
    ran = {key: those for key, those in run.ran.items() if those}
    return {"open": seen, "finished": done, "ran": ran, "written": run.site.written}


def _told(run: Run, hands: list[Hand]) -> Iterator[dict[str, Any]]:
    """What each has made, when it has ended; nothing of one that did not come to its end.  Steps for what comes."""
    from selectors import EVENT_READ, DefaultSelector

    waiting = DefaultSelector()
    try:
        for hand in hands:
            waiting.register(hand.pipe, EVENT_READ, bytearray())
        if hands:
            finished.draft(run)
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
        # Where we are ended, they end, too, as soon as they find that nobody listens: the next run has the folder.
        for left in waiting.get_map().values():
            os.close(left.fd)
        waiting.close()
        for hand in hands:
            os.waitpid(hand.pid, 0)
