"""Supervise the sessions of active tickets, and move each ticket on when its session has ended.

The only program of pco that stays.  One byte into the FIFO `run/trigger` wakes it; else it looks around every minute,
and whenever a deadline is reached.  It reads what sessions leave (birth, events, exit record) as hostile input, ends
what has stalled, takes too long or was asked to stop, and imports finished commits into the mirror.  Ending it, and
starting it again, leaves the sessions alone: it goes on from what is on disk.

What sessions say that they cost it writes into the record and into the ledger of the day; a session whose ticket, or
whose day, has no money left (`budget` in the configuration) is ended, and its ticket fails with that reason.
"""

from contextlib import suppress

import click

from pco.command import command
from pco.commands import halting
from pco.commands.watching import cleaning
from pco.commands.watching.desk import Desk
from pco.commands.watching.trigger import Ration, Trigger
from pco.ground import boot, text
from pco.ground.errors import TryLater
from pco.ground.ticket import Note, State
from pco.outside import runners
from pco.outside.runners import Runner
from pco.rules import budget
from pco.run import Pco

RESCAN = 60.0  # seconds: the net under lost wake-ups; the unit's WatchdogSec= must be longer
SHOWN = 5  # keys in the sentence of `systemctl status`
SWEEP = 86_400.0  # seconds between two cleanings of tmp


@command
@click.option("--once", is_flag=True, help="Look once and end; for cron, and to see what it would say.")
def main(pco: Pco, once: bool) -> None:
    """Supervise sessions: notice their end, their silence, their summaries.

    \b
    Examples:
      systemctl status pco-watch       what runs, what waits, for whom
      pco-watch --once -v              look once, say what happens
    """
    paths, sessions = pco.config.paths, pco.config.sessions
    with pco.spool.alone(pco.patience):
        pco.spool.alive()
        trigger = Trigger(paths.trigger)
        runner = runners.choose(sessions.runner, paths.run, paths.trigger)
        desk = Desk(pco, runner, lambda: progress(pco))
        desk.remember_retries()
        if once:
            look_once(pco, desk, trigger, runner)
        else:
            watch(pco, desk, trigger, runner)


def watch(pco: Pco, desk: Desk, trigger: Trigger, runner: Runner) -> None:
    """Scan, sleep until something happens or a deadline is reached, for ever; returns after TERM or INT."""
    ration, swept, looked, later = Ration(), float("-inf"), float("-inf"), frozenset[str]()
    while not trigger.ended:
        trigger.pause(ration.take())
        trigger.rung()
        due = desk.scan(trigger.rung)
        pco.spool.alive()
        pco.service.ready(status(pco, desk))
        later = cleaning.of_dropped(pco, runner, later)
        clock = boot.clock()
        if clock >= looked + RESCAN:
            with suppress(TryLater):
                halting.heed(pco, runner)
                mend_index(pco)
            looked, later = clock, frozenset()
        if clock >= swept + SWEEP:
            sweep(pco)
            swept = clock
        due = min(due, wake_retries(pco, desk, clock), clock + RESCAN)
        trigger.wait(due - boot.clock())
    pco.service.stopping()


def progress(pco: Pco) -> None:
    """A ticket is dealt with: said to systemd, and to pco-dashboard."""
    pco.service.pat()
    pco.spool.alive()


def look_once(pco: Pco, desk: Desk, trigger: Trigger, runner: Runner) -> None:
    """One look, and the few that follow from it at once."""
    for _ in range(10):
        if desk.scan(trigger.rung) > boot.clock() or trigger.ended:
            break
    cleaning.of_dropped(pco, runner)
    mend_index(pco)
    sweep(pco)


def status(pco: Pco, desk: Desk) -> str:
    """What `systemctl status` shows."""
    spool = pco.spool
    money = budget.day(desk.purse) if budget.day_gone(desk.purse) else ""
    return sentence(spool.count(State.ACTIVE), desk.waiting, spool.count(State.APPROVED), spool.control.paused(), money)


def sentence(active: int, waiting: list[str], approved: int, paused: Note | None, money: str = "") -> str:
    """`2 sessions run (waiting for a person: WEB-12); 1 approved ticket waits`."""
    parts = []
    if paused:
        parts.append(f"paused by {paused.by}{f': {paused.text}' if paused.text else ''}")
    if money:
        parts.append(money)
    if active:
        more = ", …" if waiting[SHOWN:] else ""
        whom = f" (waiting for a person: {', '.join(waiting[:SHOWN])}{more})" if waiting else ""
        parts.append(f"{text.count(active, 'session')} {'runs' if active == 1 else 'run'}{whom}")
    if approved:
        parts.append(f"{text.count(approved, 'approved ticket')} {'waits' if approved == 1 else 'wait'}")
    return "; ".join(parts) or "nothing to do"


def wake_retries(pco: Pco, desk: Desk, clock: float) -> float:
    """Wake pco-launch for tickets whose time to be tried again has come; returns the clock of the next."""
    come = [key for key, due in desk.retries.items() if due <= clock]
    for key in come:
        del desk.retries[key]
    if come:
        pco.spool.control.wake("launch")
    return min(desk.retries.values(), default=float("inf"))


def sweep(pco: Pco) -> None:
    """Once a day: what crashes left goes."""
    for name in pco.spool.control.sweep():
        pco.log("info", f"removed tmp/{name}, left by a crash")


def mend_index(pco: Pco) -> None:
    """What a crash left out of the index of finished tickets comes in, and then onto the pages."""
    if pco.spool.mend_index():
        pco.spool.control.wake("dashboard")
