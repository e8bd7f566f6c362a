"""Whether pco is well, and if not, why, in words that a person can act on.

Facts in, judgement out.  `ok` or `degraded`: a failed ticket, a pause or a full queue is information, no ill health.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from pco.ground import config, times
from pco.ground.frozen import dataclass
from pco.ground.polled import Head
from pco.ground.ticket import Note, State
from pco.rules import budget
from pco.rules.budget import Purse

OUTBOX_PATIENCE = timedelta(minutes=10)  # pco-post runs within seconds; Plane's throttle and settling take minutes
SILENCE = timedelta(minutes=2)  # pco-watch.service's WatchdogSec=: one that hangs is killed then, if systemd runs it
# How long a ticket may stay in a state before the board calls it overdue; pco-watch itself ends long sessions.
PATIENCE = {
    State.PENDING: timedelta(days=1),
    State.APPROVED: timedelta(hours=1),
    State.COMPLETED: timedelta(days=1),
    State.OUTBOX: OUTBOX_PATIENCE,
    State.FAILED: timedelta(days=1),
}


@dataclass(frozen=True)
class Disk:
    """A file system that pco writes to; `free` is the share of it that pco may still fill, 0 to 1."""

    path: str
    free: float


@dataclass(frozen=True)
class Facts:
    """All that health is judged by.

    `heads` are the configured projects as the last poll saw them (none: there is no Plane).  `watching` says whether
    pco-watch holds its lock, None if that cannot be told; `watched` is when it last made progress.  `corrupt` and
    `outbox` are (key, since).  `unreadable` are complaints about what could not be read.  `failed` are units, None if
    systemd was not asked.  `purse` is what may be spent today, and what was.  `memory` is what is available, in bytes.
    `unheard` are the ways on which messages to people were given up: which, since when, why.
    """

    now: datetime
    heads: tuple[Head, ...] = ()
    disks: tuple[Disk, ...] = ()
    memory: int | None = None
    corrupt: tuple[str, ...] = ()
    outbox: tuple[tuple[str, datetime], ...] = ()
    unreadable: tuple[str, ...] = ()
    watching: bool | None = None
    watched: datetime | None = None
    failed: tuple[str, ...] | None = None
    paused: Note | None = None
    purse: Purse = Purse()
    unheard: tuple[tuple[str, datetime, str], ...] = ()


@dataclass(frozen=True)
class Health:
    """The judgement: `ok` or `degraded`, the reasons for it, and what is only good to know."""

    status: str
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def judge(facts: Facts, limits: config.Health) -> Health:
    """Say whether pco is well.  Nothing is assumed: what is not known is not complained of."""
    reasons = (
        *_polls(facts, limits),
        *_units(facts),
        *_watch(facts),
        *_outbox(facts),
        *_corrupt(facts),
        *disks(facts.disks, limits),
        *memory(facts.memory, limits),
        *_unheard(facts),
        *facts.unreadable,
    )
    return Health("degraded" if reasons else "ok", reasons, tuple(_notes(facts)))


def overdue(state: State, since: datetime | None, now: datetime) -> bool:
    """Whether a ticket has been in a state for longer than it should."""
    patience = PATIENCE.get(state)
    return patience is not None and since is not None and now - since > patience


def _polls(facts: Facts, limits: config.Health) -> Iterator[str]:
    for head in facts.heads:
        name = head.key or head.name or head.project
        why = f": {head.error}" if head.error else ""
        if head.polled_at is None:
            yield f"{name}: never polled with success{why}"
        elif head.ahead(facts.now):
            yield f"{name}: the clock went back after the last poll: when that was is not known{why}"
        elif not head.fresh(facts.now, limits.stale_after):
            yield f"{name}: no successful poll for {times.rough(facts.now - head.polled_at)}{why}"
        elif head.failed >= limits.polls_failed:
            yield f"{name}: the last {head.failed} polls failed{why}"


def _units(facts: Facts) -> Iterator[str]:
    for unit in facts.failed or ():
        yield f"{unit} has failed (systemctl status {unit}; systemctl reset-failed {unit} once that is dealt with)"


def _watch(facts: Facts) -> Iterator[str]:
    if facts.watching is False:
        yield "pco-watch is not running: nobody notices what sessions do"
    elif facts.watching and facts.watched and facts.now - facts.watched > SILENCE:
        yield f"pco-watch has done nothing for {times.rough(facts.now - facts.watched)}: it hangs"


def _outbox(facts: Facts) -> Iterator[str]:
    late = [(key, facts.now - since) for key, since in facts.outbox if facts.now - since > OUTBOX_PATIENCE]
    if late:
        key, longest = max(late, key=lambda one: one[1])
        others = f" and {len(late) - 1} more wait" if len(late) > 1 else " waits"
        yield f"{key}{others} in the outbox for {times.rough(longest)}: the comment does not get into Plane"


def _corrupt(facts: Facts) -> Iterator[str]:
    if facts.corrupt:
        named = ", ".join(facts.corrupt[:5]) + (" …" if len(facts.corrupt) > 5 else "")
        yield f"corrupt: {named} (pco-queue show says why; pco-queue repair, or drop)"


def disks(seen: Iterable[Disk], limits: config.Health) -> Iterator[str]:
    """Which file systems are too full: pco is not well, and no session starts."""
    for disk in seen:
        if disk.free < limits.disk_free:
            yield f"{disk.path}: {disk.free:.0%} of the disk is free (wanted: {limits.disk_free:.0%})"


def memory(available: int | None, limits: config.Health) -> Iterator[str]:
    """Whether memory has no room for another session; None, if that is not known, is no complaint."""
    if available is not None and available < limits.memory_free:
        yield f"{available >> 20} MiB of memory are available (wanted for a session: {limits.memory_free >> 20} MiB)"


def _unheard(facts: Facts) -> Iterator[str]:
    for way, since, why in facts.unheard:
        yield f"{way}: nobody has been told that way for {times.rough(facts.now - since)}: {why} (pco-notify --test)"


def _notes(facts: Facts) -> Iterator[str]:
    if facts.paused:
        why = f": {facts.paused.text}" if facts.paused.text else ""
        yield f"paused by {facts.paused.by}{why} (pco-queue resume)"
    if budget.day_gone(facts.purse):
        yield f"{budget.day(facts.purse)}: approved tickets go on tomorrow"
    if not facts.heads:
        yield "no project of Plane is configured"
