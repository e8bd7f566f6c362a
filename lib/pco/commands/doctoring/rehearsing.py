"""Test tickets through everything, from the approval to the comment, with a small program in place of the agent.

The tickets are local ones of a project (Plane does not know them), or one item of Plane that a person names.  What
pco-doctor made it knows by the note of their first transition, and removes: at the end, when it is interrupted, and, of
a run that was killed, at the beginning of the next one.
"""

import os
import secrets
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import click

from pco.command import Pco
from pco.commands import purse
from pco.commands.dashboard.facts import watching
from pco.commands.doctoring import attesting, measuring
from pco.commands.doctoring.progress import Progress
from pco.commands.queue import approval, making, results, running, select
from pco.ground import events, text
from pco.ground.errors import BadConfig, BadData, NotPermitted, PcoError, SystemFault, TryLater
from pco.ground.ticket import KEY, LOCAL, State, Ticket
from pco.outside import process, units
from pco.rules import budget

NOTE = "pco-doctor --end-to-end"
WHOLE, LOAD, MANY = "17.2", "17.4", 20
MOST = 200
LOOK = 0.2  # seconds between two looks at where the tickets are
AGAIN = 1.0  # seconds between two runs of a program where no unit starts it
PATIENCE = timedelta(minutes=3)  # in which nothing moves; the timers come every two minutes at the latest
POLL = timedelta(minutes=3)
PURGE = timedelta(minutes=5)
DONE = (State.POSTED,)
LOST = (State.FAILED, State.REJECTED, State.CORRUPT, None)


@dataclass
class Trial:
    """One run: the project's UUID, its tickets by key with where they are, and what went wrong."""

    project: str
    keys: list[str] = field(default_factory=list)
    item: str = ""
    where: dict[str, State | None] = field(default_factory=dict)
    troubles: list[str] = field(default_factory=list)


def rehearse(pco: Pco, name: str, count: int, item: str) -> bool:
    """Do it, tell how long what took, keep the result; returns whether all went well.

    Raises a usage error, NotPermitted, TryLater or BadConfig if it cannot begin.
    """
    project = _project(pco, name)
    _may(pco)
    if error := obstacle(pco):
        raise error
    trial = Trial(project, item=item)
    progress = Progress(pco.loudness < 0)
    begun = time.monotonic()
    with pco.spool.alone():
        if left := leftovers(pco):
            progress.say(f"{text.count(len(left), 'ticket')} of a run that was killed: {' '.join(left)}")
            clear(pco, left)
        try:
            _make(pco, trial, count, progress)
            _drive(pco, trial, progress)
            report = measuring.measure(pco, trial.keys)
        finally:
            progress.show("clearing up")
            clear(pco, [key for key in trial.keys if key != item])
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
    if _units_do_it(pco):
        idle = [unit for unit in ("pco-launch.path", "pco-post.path") if not units.active(unit)]
        if idle:
            return BadConfig(f"{' and '.join(idle)} do not run", "sudo systemctl start pco.target")
    return None


def leftovers(pco: Pco) -> list[str]:
    """The test tickets of runs that were killed."""
    found = []
    for key in sorted(pco.spool.keys(*(state for state in State if state is not State.CORRUPT))):
        if key.startswith(f"{LOCAL}-"):
            with suppress(KeyError, PcoError):
                if _ours(pco.spool.read(key)):
                    found.append(key)
    return found


def _ours(ticket: Ticket) -> bool:
    first = ticket.history[0] if ticket.history else None
    return ticket.local and ticket.scripted and first is not None and first.why.startswith(NOTE)


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


def _units_do_it(pco: Pco) -> bool:
    """Whether units start what has work, as on an installed system; else it is started from here."""
    return units.running() and pco.config.paths.root is None


# The tickets.


def _make(pco: Pco, trial: Trial, count: int, progress: Progress) -> None:
    """Make and approve them, all at once: by the person who runs this."""
    if trial.item:
        trial.keys = [trial.item]
        _take_item(pco, trial, progress)
    else:
        run = secrets.token_hex(3)
        with _as_queue(pco, "add") as queue:
            for n in range(1, count + 1):
                title = f"Test {n} of {count} by pco-doctor"
                made = making.make(queue, trial.project, title, making.TEXT, "none", f"{NOTE} {run}", scripted=True)
                trial.keys.append(made.key)
                progress.show(f"{n} of {count} made", "making them")
    with _as_queue(pco, "approve") as queue:
        for key in trial.keys:
            approval.approve_one(queue, key, note=NOTE)


def _take_item(pco: Pco, trial: Trial, progress: Progress) -> None:
    """Have an item of Plane pending, and marked as one that only tries pco.  Raises BadData, TryLater."""
    key = trial.item
    if not KEY.fullmatch(key) or key.startswith(f"{LOCAL}-"):
        raise BadData(f"{text.line(key, 40)!r} is no key of an item of Plane, such as WEB-12")
    state = pco.spool.find(key)
    if state is None:
        with _as_queue(pco, "add"):
            pco.spool.control.ask_import(key, pco.who, pco.now())
        _poll(pco)
        until = time.monotonic() + POLL.total_seconds()
        while (state := pco.spool.find(key)) is None:
            progress.show(f"{key}: pco-poll is to fetch it")
            if time.monotonic() > until:
                raise TryLater(f"pco-poll did not bring {key}", "journalctl -u pco-poll -n 20")
            time.sleep(LOOK)
    if state is not State.PENDING:
        raise BadData(f"{key} is {state}: only one that is pending can try pco", f"pco-queue show {key}")

    def mark(ticket: Ticket) -> tuple[Ticket, None]:
        if ticket.state is not State.PENDING or ticket.project != trial.project:
            raise BadData(f"{key} is no pending ticket of this project")
        return replace(ticket, scripted=True), None

    pco.spool.update(key, mark)


@contextmanager
def _as_queue(pco: Pco, verb: str) -> Iterator[Pco]:
    """pco-queue, as the person who runs this would call it, and silent."""
    queue = Pco("pco-queue")
    queue.config_file, queue.verb, queue.loudness = str(pco.config_path), verb, -1
    yield queue
    if queue.trouble:
        raise SystemFault(f"pco-queue {verb} failed", f"journalctl -t pco-queue -n 20; pco-queue {verb}")


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
        if not _units_do_it(pco) and time.monotonic() - tried > AGAIN:
            _start(pco, now)
            tried = time.monotonic()
        time.sleep(LOOK)  # no one thing would wake us
    trial.troubles += [f"{key} is {state or 'gone'}{_why(pco, key)}" for key, state in now.items() if state in LOST]


def _accept(pco: Pco, keys: Sequence[str]) -> None:
    with _as_queue(pco, "post") as queue:
        for key in keys:
            results.post_one(queue, key, None, False, True, NOTE)


def _why(pco: Pco, key: str) -> str:
    with suppress(KeyError, PcoError):
        last = pco.spool.read(key).history[-1]
        return f" ({text.line(last.why, 200)})" if last.why else ""
    return ""


def _start(pco: Pco, now: dict[str, State | None]) -> None:
    """Where no units run: what they would have started."""
    for program, state in (("pco-launch", State.APPROVED), ("pco-post", State.OUTBOX)):
        keys = [key for key, where in now.items() if where is state]
        if keys:
            _run(pco, program, *keys)


def _poll(pco: Pco) -> None:
    if _units_do_it(pco):
        if os.geteuid() == 0:
            process.run(["systemctl", "start", "pco-poll.service"], {"PATH": os.defpath}, POLL)
    else:
        _run(pco, "pco-poll")


def _run(pco: Pco, program: str, *words: str, within: timedelta = POLL) -> process.Result:
    """A program of this pco, as whoever runs this."""
    path = Path(sys.argv[0]).resolve().with_name(program)
    environment = {**os.environ, "PCO_CONFIG": str(pco.config_path)}
    return process.run([sys.executable, str(path), *words], environment, within)


# Afterwards.


def clear(pco: Pco, keys: Sequence[str]) -> None:
    """End what runs of these, and remove all of them everywhere.  Raises SystemFault if something stays."""
    keys = [key for key in keys if pco.spool.find(key) is not None or (pco.config.paths.sessions / key).exists()]
    if not keys:
        return
    with _as_queue(pco, "stop") as queue:
        for key in keys:
            if pco.spool.find(key) is State.ACTIVE:
                with suppress(PcoError):
                    running.ask_stop(queue, key, "rejected", NOTE)
    events.ring(str(pco.config.paths.trigger))
    until = time.monotonic() + PURGE.total_seconds()
    while True:
        ready = [key for key in keys if pco.spool.find(key) not in (State.ACTIVE, State.OUTBOX)]
        done = _run(pco, "pco-purge", "--yes", *ready, within=PURGE) if ready else None
        keys = [key for key in keys if pco.spool.find(key) is not None or (pco.config.paths.sessions / key).exists()]
        if not keys:
            return
        if time.monotonic() > until:
            said = text.line(done.error, 300) if done else "they do not end"
            raise SystemFault(f"{' '.join(keys)} stay: {said}", f"sudo pco-purge {' '.join(keys)}")
        if not _units_do_it(pco):
            _start(pco, {key: pco.spool.find(key) for key in keys if pco.spool.find(key) is State.OUTBOX})
        time.sleep(AGAIN)


def _conclude(pco: Pco, trial: Trial, name: str, report: measuring.Report, took: float) -> None:
    """Say it, and keep it."""
    good = not trial.troubles
    what = trial.item or f"{text.count(len(trial.keys), 'ticket')} of {name}"
    for line in report.lines():
        pco.say(line)
    for trouble in trial.troubles:
        pco.say(f"FAILED {trouble}")
    seen = "poll and comment in Plane, too" if trial.item else "Plane was not asked (--item KEY has it comment on one)"
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
