"""Start a session for each approved ticket whose turn it is, as many as the limits allow.

Reads approved/, writes active/; the session itself is pco-session in a runner.  It never talks to Plane: it starts what
the last successful poll, not older than health.stale_after, knew as open, and what a person approved just as it is.
First the mirror of the project is refreshed and the attempt's folder made, then the ticket is claimed (the move to
active/), then the session is started.  A session that does not begin is found, and judged, by pco-watch.

Nothing starts while a disk or the memory has less room than `health` asks for (disk_free, memory_free): approved
tickets wait, and people are told once.  Sessions that run are left alone.

Nothing starts for which there is no money (`budget.ticket_usd`, `budget.daily_usd`): the ticket stays approved.  One
that Plane brought back too often in one day, or whose last rounds changed nothing, is put on hold until a person
releases it.
"""

import os
import socket
import sys
from collections import Counter
from dataclasses import field, replace
from pathlib import Path

import click

from pco.command import command
from pco.commands import halting, purse, room
from pco.commands.plan import Plan, draw_up, give_up, lay_out, mirror_of
from pco.ground import boot, events, polled, text
from pco.ground.errors import BadData, PcoError, TryLater
from pco.ground.frozen import dataclass
from pco.ground.ticket import Attempt, Hold, State, Ticket
from pco.outside.git import Mirror
from pco.outside.runners import Runner, RunnerSession, choose
from pco.rules import admission, budget, prompt
from pco.rules.admission import Terms, Turn
from pco.run import Pco, alone, put_aside
from pco.spool import Stale

TURNS = 3  # how often tickets that are changed under our hands are judged anew in one run


@dataclass(frozen=True)
class Wish:
    """What the caller asked for, and what this run has done: `mirrors` fills with those that were tried (project: what
    went wrong, or empty), `started` with keys.
    """

    keys: tuple[str, ...]  # none: all
    limit: int
    dry: bool
    mirrors: dict[str, str] = field(default_factory=dict)
    started: list[str] = field(default_factory=list)


@command
@click.argument("keys", nargs=-1, metavar="[KEY]...")
@click.option("--limit", type=click.IntRange(0, 10_000), help="Sessions at the same time; default: sessions.limit.")
@click.option("-n", "--dry-run", is_flag=True, help="Start nothing; show what would start, and why the others wait.")
def main(pco: Pco, keys: tuple[str, ...], limit: int | None, dry_run: bool) -> None:
    """Start a session for each approved ticket whose turn it is (or only for these KEYs).

    \b
    Examples:
      pco-launch --dry-run     what would start now, and what the others wait for
      pco-launch WEB-12        start only WEB-12, if it is its turn
      pco-launch --limit 1     at most one session at the same time
    """
    wish = Wish(keys, pco.config.sessions.limit if limit is None else limit, dry_run)
    check(pco, keys)
    if dry_run:
        show(pco, judge(pco, wish))
        return
    with alone(pco, "launch"):
        if pco.config.sessions.clone_within.total_seconds() >= pco.service.watchdog:
            hint = "sessions.clone_within, or: systemctl edit pco-launch"
            pco.log("warning", "a mirror may take longer than WatchdogSec= lets this unit live", hint=hint)
        if not keys:
            pco.spool.control.awake("launch")  # else others may wait, whom this run passes over
        launch(pco, wish)


def launch(pco: Pco, wish: Wish) -> None:
    """Start what can start; if a ticket was changed meanwhile, all are judged once more."""
    runner = _runner(pco)
    halting.heed(pco, runner)
    room.keep_reserves(pco)
    short = room.short(pco, runner)
    room.heed(pco, short)
    paused = pco.spool.control.paused()
    if paused:
        _tell(pco, wish, f"nothing is started: paused by {paused.by}: {paused.text or 'no reason given'}")
        return
    for _ in range(TURNS):
        judged = refresh(pco, wish)
        plans = [draw_up(pco, turn.ticket, runner) for turn in judged if not turn.why]
        if start_all(pco, wish, plans, runner):
            break
    else:
        pco.spool.control.wake("launch")
    for turn in judged:
        if turn.circling:
            hold_back(pco, turn.ticket.key)
    waiting = [turn for turn in judged if turn.why]
    for turn in waiting:
        _tell(pco, wish, f"waits: {turn.why}", turn.ticket.key)
    counted = f"{text.count(len(wish.started), 'session')} started, {text.count(len(waiting), 'approved ticket')} left"
    counted += f"; too little room for sessions: {short}" if short else ""
    pco.conclude(counted, worth=bool(wish.started))


def refresh(pco: Pco, wish: Wish) -> list[Turn]:
    """Judge until the mirror of each ticket whose turn it is was refreshed; where that fails it is another's turn."""
    while True:
        judged = judge(pco, wish)
        new = {turn.ticket.project for turn in judged if not turn.why} - wish.mirrors.keys()
        if not new:
            return judged
        for project in sorted(new):
            keys = [turn.ticket.key for turn in judged if not turn.why and turn.ticket.project == project]
            wish.mirrors[project] = refresh_mirror(pco, project, keys)
            pco.service.pat()


def refresh_mirror(pco: Pco, id: str, keys: list[str]) -> str:
    """Fetch a project's repository; what went wrong is said once for all `keys`, and returned."""
    project = pco.config.project(id)
    assert project, id  # admission keeps back what has no project
    pco.service.doing(f"refreshes the mirror for {' '.join(keys)}")
    mirror = Mirror(mirror_of(pco, project), project.repository)
    try:
        mirror.refresh(pco.config.sessions.clone_within)
        mirror.start_point(project.branch)
    except PcoError as error:
        stay = "stays approved" if len(keys) == 1 else "stay approved"
        pco.fail(type(error)(f"{error}; {stay}", error.hint), " ".join(keys))
        return str(error)
    return ""


def judge(pco: Pco, wish: Wish) -> list[Turn]:
    """What becomes of each approved ticket as things are now."""

    def trouble(key: str, error: PcoError) -> None:
        pco.fail(error, key) if wish.dry else put_aside(pco, key, State.APPROVED, error)

    tickets = [t for t in pco.spool.tickets(State.APPROVED, trouble=trouble) if not wish.keys or t.key in wish.keys]
    return admission.turns(tickets, _active(pco)[0], terms(pco, wish)) if tickets else []


def terms(pco: Pco, wish: Wish) -> Terms:
    """What admission hangs on, as the configuration, the last poll and the runner say."""
    config, sessions, runner = pco.config, pco.config.sessions, _runner(pco)
    return Terms(
        now=pco.now(),
        limit=wish.limit,
        per_project=sessions.per_project,
        retry_after=sessions.retry_after,
        fresh=_fresh(pco),
        targets={project.id: prompt.target_of(project, config) for project in config.plane.projects},
        trouble={project: why for project, why in wish.mirrors.items() if why},
        living=_living(runner),
        purse=purse.read(pco),
        short=room.short(pco, runner),
        fits=room.fits(pco),
    )


def start_all(pco: Pco, wish: Wish, plans: list[Plan], runner: Runner) -> bool:
    """Claim and start; False if a ticket was changed meanwhile, so that all must be judged again."""
    settled = True
    for plan in plans:
        key = plan.ticket.key
        pco.service.doing(f"starts {key}")
        try:
            lay_out(plan)
            claimed = claim(pco, plan.ticket, wish.limit)
        except PcoError as error:
            give_up(plan)
            settled = settled and not isinstance(error, Stale)
            if not isinstance(error, Stale):
                pco.fail(type(error)(f"{error}; stays approved", error.hint), key)
            continue
        if claimed is None:
            give_up(plan)
            continue
        pco.announce("moved", claimed, {"attempt": plan.launch.attempt})
        start(pco, plan, runner)
        wish.started.append(key)
        pco.service.pat()
    return settled


def claim(pco: Pco, ticket: Ticket, limit: int) -> Ticket | None:
    """Move a ticket to active, with a new attempt; None if there is no longer room.  Raises Stale if it was changed."""
    with pco.spool.lock():
        active, slots = _active(pco)
        limits = Terms(pco.now(), limit, pco.config.sessions.per_project)
        if pco.spool.control.paused() or admission.no_room(ticket.project, active, limits):
            return None
        begun = Attempt(
            n=len(ticket.round.attempts) + 1,
            start=pco.now(),
            host=socket.gethostname(),
            slot=admission.lowest_free(slots),
            boot_id=boot.boot_id(),
            boot_time=boot.clock(),
        )
        claimed = replace(ticket.with_round(attempts=(*ticket.round.attempts, begun)), stop=None, hold=None)
        return pco.spool.move(claimed, State.ACTIVE)


def start(pco: Pco, plan: Plan, runner: Runner) -> None:
    """Start the session of a claimed ticket, and let pco-watch know.  The claim stands even if this fails."""
    program = Path(sys.argv[0]).resolve().parent / "pco-session"
    passed = {name: os.environ[name] for name in ("PCO_NO_VENV",) if name in os.environ}
    argv = (sys.executable, str(program), str(plan.home))
    try:
        runner.start(RunnerSession(plan.ticket.key, argv, passed, plan.home))
        halting.begun(pco)
    except PcoError as error:
        pco.fail(
            type(error)(f"{error}; stays active until pco-watch gives this attempt up", error.hint), plan.ticket.key
        )
    pco.spool.control.wake("dashboard")
    events.ring(str(pco.config.paths.trigger))


def hold_back(pco: Pco, key: str) -> None:
    """Put a ticket that goes in circles on hold, until a person releases it, and tell of it."""
    limits, whys = purse.read(pco), list[str]()

    def judge(fresh: Ticket) -> tuple[Ticket, None] | None:
        whys[:] = [budget.circling(fresh, limits)]
        if fresh.state is not State.APPROVED or admission.held(fresh, pco.now()) or not whys[0]:
            whys.clear()
            return None
        return replace(fresh, hold=Hold(budget.HOLDER, pco.now(), None, whys[0])), None

    try:
        ticket = pco.spool.update(key, judge)
    except KeyError:
        return  # it is gone
    except PcoError as error:
        pco.fail(error, key)
        return
    if not whys:
        return
    pco.announce("held back", ticket, {"by": budget.HOLDER, "why": whys[0]})
    pco.spool.control.wake("dashboard")


def check(pco: Pco, keys: tuple[str, ...]) -> None:
    """Say of each given key that is not approved what it is instead.  Raises BadData for one that is unknown."""
    for key in keys:
        state = pco.spool.find(key)
        if state is None:
            meant = text.meant(key, pco.spool.keys(State.APPROVED))
            raise BadData(f"{key}: there is no such ticket{meant}", "pco-queue list")
        if state is not State.APPROVED:
            pco.fail(BadData(f"is {state}, not approved: not started"), key)


def show(pco: Pco, judged: list[Turn]) -> None:
    """The table of --dry-run."""
    from tabulate import tabulate

    paused = pco.spool.control.paused()
    if paused:
        pco.say(f"pco is paused by {paused.by}: {paused.text or 'no reason given'}")
    if not judged:
        pco.say("No approved ticket waits for a session.")
        return
    good = "would start, were pco not paused" if paused else "would start"
    rows = [[turn.ticket.key, text.line(turn.ticket.priority, 8), text.line(turn.why, 120) or good] for turn in judged]
    pco.say(tabulate(rows, headers=["KEY", "PRIORITY", "VERDICT"], tablefmt="plain", disable_numparse=True))


def _tell(pco: Pco, wish: Wish, message: str, key: str = "") -> None:
    """For a person who asks, by --verbose or by naming keys; a timer's run is silent about what waits."""
    pco.log("info" if pco.loudness > 0 or wish.keys else "debug", message, key)


def _runner(pco: Pco) -> Runner:
    return choose(pco.config.sessions.runner, pco.config.paths.run, pco.config.paths.trigger)


def _living(runner: Runner) -> frozenset[str]:
    """The keys of all sessions that the runner has.  Raises TryLater if it does not say: then nothing may start."""
    living = runner.list()
    if living is None:
        raise TryLater("the runner does not say which sessions there are; nothing was started")
    return living


def _fresh(pco: Pco) -> frozenset[str]:
    """The projects that a recent poll knew; what cannot be read is not fresh."""
    fresh = set()
    for project in pco.config.plane.projects:
        try:
            if polled.read(pco.config.paths.plane, project.id).fresh(pco.now(), pco.config.health.stale_after):
                fresh.add(project.id)
        except PcoError as error:
            pco.fail(error)
    return frozenset(fresh)


def _active(pco: Pco) -> tuple[Counter[str], list[int]]:
    """How many sessions each project has, and their slots.  What cannot be read takes a slot all the same."""
    unreadable: list[str] = []
    tickets = list(pco.spool.tickets(State.ACTIVE, trouble=lambda key, _: unreadable.append(key)))
    counted = Counter([ticket.project for ticket in tickets] + [""] * len(unreadable))
    return counted, [ticket.attempt.slot for ticket in tickets if ticket.attempt]
