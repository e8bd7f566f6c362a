"""Where all pages are made anew, several processes make those of the finished tickets; their parent makes the others.

Each takes every n-th, and tells at its end which it has made.  What it does not tell of is made by its parent as ever:
a process that is killed, or meets a record that cannot be read, costs time and nothing else.
"""

import json
import os
from dataclasses import replace
from typing import Any

from pco.commands.dashboard.opened import show_record
from pco.commands.dashboard.run import Run
from pco.ground.errors import PcoError
from pco.ground.frozen import dataclass
from pco.ground.ticket import FINISHED, State

LEAST = 300  # tickets for one; fewer are made faster than a process is worth
MOST = 8


@dataclass(frozen=True)
class Hand:
    """A process at work, and the end of the pipe at which it will tell."""

    pid: int
    pipe: int


def start(run: Run) -> list[Hand]:
    """Begin to make the pages of the finished tickets, in a new folder of the site; `collect` must follow."""
    tickets = sum(run.pco.spool.count(state) for state in FINISHED)
    count = min(len(os.sched_getaffinity(0)), MOST, tickets // LEAST)
    return [_start(run, n, count) for n in range(count)]


def collect(run: Run, hands: list[Hand]) -> set[str]:
    """Wait until all have ended; returns the keys of the tickets whose pages they have made."""
    made: set[str] = set()
    for hand in hands:
        told = _told(hand)
        made.update(told.get("made", ()))
        run.ran.update(told.get("ran", {}))
        run.site.written += told.get("written", 0)
        for _ in told.get("made", ()):
            run.step()
    return made


def _start(run: Run, number: int, count: int) -> Hand:
    """Have a process of its own make the pages of its share."""
    out, into = os.pipe()
    pid = os.fork()
    if pid:
        os.close(into)
        return Hand(pid, out)
    try:
        os.close(out)
        run.site.written = 0
        told = json.dumps(_work(replace(run, ran={}), number, count)).encode()
        with open(into, "wb") as file:
            file.write(told)
    finally:
        os._exit(0)  # whatever happened: this process is no pco-dashboard that could end, say or clean up anything


def _work(run: Run, number: int, count: int) -> dict[str, Any]:
    index, made = run.pco.spool.index, []
    lines = [one for name in index.months() for one in index.month(name) if one.state in FINISHED]
    for one in lines[number::count]:
        try:
            show_record(run, run.pco.spool.read(one.key, State(one.state)))
        except (KeyError, PcoError):
            continue  # the parent meets it again, and says so
        made.append(one.key)
    return {"made": made, "ran": {key: ran for key, ran in run.ran.items() if ran}, "written": run.site.written}


def _told(hand: Hand) -> dict[str, Any]:
    """What it has made; nothing if it did not come to its end."""
    with open(hand.pipe, "rb") as file:
        data = file.read()
    os.waitpid(hand.pid, 0)
    try:
        told: dict[str, Any] = json.loads(data)
    except ValueError:
        return {}
    return told
