"""Test tickets through everything, from Plane to the comment in it, with a small program in place of the agent.

They are items that are made in Plane for that, or local tickets, which Plane does not know, or one item of Plane that a
person names.  What was made is removed: at the end, when it is interrupted, and, of a run that was killed, at the
beginning of the next one.
"""

import os
import secrets
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

import click

from pco.commands import purse
from pco.commands.dashboard.facts import watching
from pco.commands.doctoring import attesting, clearing, means, measuring, planting
from pco.commands.doctoring.clearing import NOTE
from pco.commands.doctoring.progress import Progress
from pco.commands.queue import approval, making, results, select
from pco.ground import text
from pco.ground.errors import BadConfig, BadData, NotPermitted, PcoError, TryLater
from pco.ground.ticket import KEY, LOCAL, State
from pco.outside import units
from pco.rules import budget
from pco.run import Pco

WHOLE, LOAD, MANY = "17.2", "17.4", 20
LOOK = 0.2  # seconds between two looks at where the tickets are
AGAIN = 1.0  # seconds between two runs of a program where no unit starts it
PATIENCE = timedelta(minutes=3)  # in which nothing moves; the timers come every two minutes at the latest
DONE = (State.POSTED,)
LOST = (State.FAILED, State.REJECTED, State.CORRUPT, None)


@dataclass
class Trial:
    """One run: the project's UUID, its tickets by key with where they are, and what went wrong."""

    project: str
    keys: list[str] = field(default_factory=list)
    item: str = ""
    local: bool = False
    where: dict[str, State | None] = field(default_factory=dict)
    troubles: list[str] = field(default_factory=list)


def rehearse(pco: Pco, name: str, count: int, item: str, local: bool) -> bool:
    """Do it, tell how long what took, keep the result; returns whether all went well.

    Raises a usage error, NotPermitted, TryLater or BadConfig if it cannot begin.
    """
    project = _project(pco, name)
    _may(pco)
    if error := obstacle(pco):
        raise error
    trial = Trial(project, item=item, local=local)
    progress = Progress(pco.loudness < 0)
    begun = time.monotonic()
    with pco.spool.alone():
        _clear_leftovers(pco, progress)
        try:
            _make(pco, trial, count, progress)
            _drive(pco, trial, progress)
            report = measuring.measure(pco, trial.keys)
        finally:
            progress.show("clearing up")
            clearing.clear(pco, [key for key in trial.keys if key != item])
            progress.clear()
    trial.troubles += report.troubles
    _conclude(pco, trial, name, report, time.monotonic() - begun)
    return not trial.troubles


def obstacle(pco: Pco) -> PcoError | None:
    """Why test tickets would not get through now; None if nothing is in the way."""
    control = pco.spool.control
    if paused := control.paused():
        why = f": {paused.text}" if paused.text else ""
        return TryLater(f"pco is paused by {paused.by}{why}; no session would start", "pco-queue resume")
    if short := control.short():
        return TryLater(f"no session would start: {short}", "pco-doctor --section 1.4")
    with suppress(PcoError):
        money = purse.read(pco)
        if budget.day_gone(money):
            return TryLater(f"no session would start: {budget.day(money)}", "try again tomorrow, or budget.daily_usd")
    if not watching(pco.config.paths.spool):
        return BadConfig("pco-watch does not run: nobody would see that sessions end", "sudo systemctl start pco-watch")
    if means.units_do_it(pco):
        idle = [unit for unit in ("pco-launch.path", "pco-post.path") if not units.active(unit)]
        if idle:
            return BadConfig(f"{' and '.join(idle)} do not run", "sudo systemctl start pco.target")
    return None


def _project(pco: Pco, name: str) -> str:
    found = select.project_id(pco, name)
    if pco.config.project(found) is None:
        raise click.UsageError(f"There is no project {text.line(name, 40)} in the configuration.")
    return found


def _may(pco: Pco) -> None:
    """Only who may remove what sessions leave can clear up.  Raises NotPermitted."""
    try:
        owner = (pco.config.paths.spool / State.PENDING).stat().st_uid
    except PermissionError:
        owner = -1
    if os.geteuid() not in (0, owner):
        raise NotPermitted("test tickets are for root, who can clear up after them", "sudo pco-doctor --end-to-end …")


# The tickets.


def _make(pco: Pco, trial: Trial, count: int, progress: Progress) -> None:
    """Have them, and approve them, all at once: by the person who runs this."""
    if trial.item:
        if not KEY.fullmatch(trial.item) or trial.item.startswith(f"{LOCAL}-"):
            raise BadData(f"{text.line(trial.item, 40)!r} is no key of an item of Plane, such as WEB-12")
        items = {trial.item: ""}
    elif trial.local:
        _make_local(pco, trial, count, progress)
    else:
        items = planting.plant(pco, trial.project, count, progress).items
    if not trial.local:
        trial.keys = list(items)
        planting.fetch(pco, trial.project, items, progress)
    with means.as_queue(pco, "approve") as queue:
        for key in trial.keys:
            approval.approve_one(queue, key, note=NOTE)


def _make_local(pco: Pco, trial: Trial, count: int, progress: Progress) -> None:
    run = secrets.token_hex(3)
    with means.as_queue(pco, "add") as queue:
        for n in range(1, count + 1):
            title = f"Test {n} of {count} by pco-doctor"
            made = making.make(queue, trial.project, title, making.TEXT, "none", f"{NOTE} {run}", scripted=True)
            trial.keys.append(made.key)
            progress.show(f"{n} of {count} made", "making them")


# The way.


def _drive(pco: Pco, trial: Trial, progress: Progress) -> None:
    """See them all to their end; what is completed is posted at once."""
    moved, tried = time.monotonic(), 0.0
    patience = max(PATIENCE, pco.config.sessions.clone_within + timedelta(minutes=1)).total_seconds()
    while True:
        now = {key: pco.spool.find(key) for key in trial.keys}
        if now != trial.where:
            moved, trial.where = time.monotonic(), now
        counted = Counter("gone" if state is None else state.value for state in now.values())
        progress.show(", ".join(f"{n} {state}" for state, n in sorted(counted.items())))
        if all(state in (*DONE, *LOST) for state in now.values()):
            break
        if time.monotonic() - moved > patience:
            trial.troubles += [f"{key} stays {state}" for key, state in now.items() if state not in (*DONE, *LOST)]
            break
        _accept(pco, [key for key, state in now.items() if state is State.COMPLETED])
        if not means.units_do_it(pco) and time.monotonic() - tried > AGAIN:
            means.start(pco, now)
            tried = time.monotonic()
        time.sleep(LOOK)  # no one thing would wake us
    trial.troubles += [f"{key} is {state or 'gone'}{_why(pco, key)}" for key, state in now.items() if state in LOST]


def _accept(pco: Pco, keys: Sequence[str]) -> None:
    with means.as_queue(pco, "post") as queue:
        for key in keys:
            results.post_one(queue, key, None, False, True, NOTE)


def _why(pco: Pco, key: str) -> str:
    with suppress(KeyError, PcoError):
        last = pco.spool.read(key).history[-1]
        return f" ({text.line(last.why, 200)})" if last.why else ""
    return ""


# Afterwards.


def _clear_leftovers(pco: Pco, progress: Progress) -> None:
    planted = pco.spool.control.trial()
    left = [*clearing.leftovers(pco), *(planted.items if planted else ())]
    if left or planted:
        progress.say(f"{text.count(len(left), 'ticket')} of a run that was killed: {' '.join(left)}")
        clearing.clear(pco, left)


def _conclude(pco: Pco, trial: Trial, name: str, report: measuring.Report, took: float) -> None:
    """Say it, and keep it."""
    good = not trial.troubles
    what = trial.item or f"{text.count(len(trial.keys), 'ticket')} of {name}"
    for line in report.lines():
        pco.say(line)
    for trouble in trial.troubles:
        pco.say(f"FAILED {trouble}")
    seen = "Plane was not asked (--local)" if trial.local else "poll and comment in Plane, too"
    told = f"{what} in {took:.0f} s"
    if good:
        told += f": {report.summary()}; {seen}"
    else:
        told += f": {text.count(len(trial.troubles), 'trouble')}, first: {trial.troubles[0]}"
    pco.say(told)
    for box in (WHOLE, *((LOAD,) if len(trial.keys) >= MANY else ())):
        attesting.saw(pco, box, told, good=good)
    if not good:
        pco.say(f"journalctl PCO_KEY={trial.keys[0]} has the way of the first of them")
