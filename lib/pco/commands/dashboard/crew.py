"""Several processes make the pages of finished tickets, where all are made anew and there are many.

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
from pco.ground.ticket import State
from pco.outside.www import Site
from pco.spool.index import Finished

LEAST = 1000  # tickets; fewer are made faster than processes are worth
MOST = 8


@dataclass(frozen=True)
class Hand:
    """A process at work, and the end of the pipe at which it will tell."""

    pid: int
    pipe: int


def make(run: Run, lines: list[Finished]) -> set[str]:
    """Make the pages of these tickets; returns the keys of those that are made.  Nothing, where one process will do."""
    count = min(len(os.sched_getaffinity(0)), MOST)
    if len(lines) < LEAST or count < 2:
        return set()
    made: set[str] = set()
    for hand in [_start(run, lines[n::count], n) for n in range(count)]:
        told = _told(hand)
        made.update(told.get("made", ()))
        run.ran.update(told.get("ran", {}))
        run.site.written += told.get("written", 0)
        for _ in told.get("made", ()):
            run.step()
    return made


def _start(run: Run, lines: list[Finished], number: int) -> Hand:
    """Have a process of its own make the pages of `lines`."""
    out, into = os.pipe()
    pid = os.fork()
    if pid:
        os.close(into)
        return Hand(pid, out)
    try:
        os.close(out)
        told = json.dumps(_work(replace(run, site=Site(run.site.root, f"new.{number}"), ran={}), lines)).encode()
        with open(into, "wb") as file:
            file.write(told)
    finally:
        os._exit(0)  # whatever happened: this process is no pco-dashboard that could end, say or clean up anything


def _work(run: Run, lines: list[Finished]) -> dict[str, Any]:
    made = []
    for one in lines:
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
