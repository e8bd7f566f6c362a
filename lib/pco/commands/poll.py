"""Poll Plane: new, changed and closed items become, change and withdraw tickets.

For each configured project it asks for the items that changed since the last time; when nothing did, that is one
request.  What an event in Plane does to a ticket is the table in pco-spool(5); pco's own comments and changes of state
are no events.  The first poll of a project only takes stock: tickets come of what changes from then on, unless
--backfill asks for what is there.  Items that vanished, which Plane's lists do not tell, are looked for when a list
became shorter, and every ten minutes.

One project that cannot be polled does not stop the others.  What was done is kept, and the next poll goes on from
there.  Tickets are durable before the watermark moves, so nothing is lost, and nothing happens twice, whenever a poll
is killed.
"""

import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pco.command import command
from pco.ground import text
from pco.ground.errors import BadConfig, BadData, PcoError, SystemFault, TryLater
from pco.run import Pco

if TYPE_CHECKING:
    from pco.commands.polling.run import Run
    from pco.commands.polling.visit import Visit
    from pco.ground.config import Project
    from pco.ground.polled import Head

LONG_AGO = datetime.min.replace(tzinfo=UTC)
DASHBOARD_WITHIN = 60  # seconds


@command
@click.option("-n", "--dry-run", is_flag=True, help="Say what would happen; write nothing.")
@click.option("--backfill", is_flag=True, help="Make tickets of existing items, too, that are in a state of triggers.")
@click.option("--project", "wanted", metavar="KEY", help="Poll only this project (its key or UUID).")
def main(pco: Pco, dry_run: bool, backfill: bool, wanted: str | None) -> None:
    """Poll Plane: new, changed and closed items become, change and withdraw tickets.

    \b
    Examples:
      pco-poll                           what the timer does every minute
      pco-poll --dry-run                 what would happen
      pco-poll --backfill --project WEB  take in what was there before pco
    """
    check_configured(pco)
    pco.service.ready()  # before anything that a later run mends: else systemd takes that for a failure
    with pco.spool.alone():
        from pco.commands.polling import imports
        from pco.commands.polling.run import Run

        heads = read_heads(pco, wanted)
        long = backfill or any(head.since is None or head.backfill for _, head in heads)
        run = Run(pco, dry_run, patient=long)
        lower(pco, run)
        if not dry_run:
            notice(pco)
        visits: list[Visit] = []
        try:
            for n, (project, head) in enumerate(heads, 1):
                pco.service.doing(f"polls project {project.key or head.key or project.id}, {n} of {len(heads)}")
                if visit := poll(run, project, head, backfill):
                    visits.append(visit)
            imports.take_up(run, visits, all_polled=len(visits) == len(pco.config.plane.projects))
        finally:
            count(run, len(visits), len(heads))
            unapprove(run)
            tell_corrupt(run)
            wake(run, bool(visits))
        tally(run, len(visits))


def lower(pco: Pco, run: "Run") -> None:
    """What root starts goes on as pco's user, once it has the token: root would follow links that lie in its way."""
    if os.geteuid() == 0:
        from pco.commands.backing import owner

        with suppress(PcoError):
            _ = run.plane
        owner.become(pco)


def notice(pco: Pco) -> None:
    """Audit a configuration that was changed; that this fails keeps no ticket waiting."""
    from pco.commands import configuring

    try:
        configuring.notice(pco)
    except (PcoError, OSError) as error:
        pco.log("warning", f"a change of the configuration cannot be audited: {error}")


def check_configured(pco: Pco) -> None:
    """Raises BadConfig as long as there is nothing to poll."""
    plane = pco.config.plane
    missing = [name for name in ("url", "workspace", "projects") if not getattr(plane, name)]
    if missing:
        raise BadConfig(
            f"nothing to poll: {', '.join(f'plane.{name}' for name in missing)} not configured yet",
            "etc/pco.yaml shows how; pco-queue add --test works without Plane",
        )


def read_heads(pco: Pco, wanted: str | None) -> "list[tuple[Project, Head]]":
    """The projects to poll with what is known of them; first whose last poll is longest ago, last what takes long."""
    from pco.ground import polled

    heads = []
    for project in pco.config.plane.projects:
        try:
            head = polled.read(pco.config.paths.plane, project.id)
        except BadData as error:
            pco.fail(error, project.key or project.id)
            continue
        if wanted is None or wanted in (project.id, project.key or head.key):
            heads.append((project, head))
    if wanted and not heads:
        known = ", ".join(project.key or project.id for project in pco.config.plane.projects)
        raise click.BadParameter(f"{wanted} is not known yet; configured are {known}", param_hint="--project")
    return sorted(heads, key=lambda pair: (pair[1].since is None or pair[1].backfill, pair[1].polled_at or LONG_AGO))


def poll(run: "Run", project: "Project", head: "Head", backfill: bool) -> "Visit | None":
    """Poll one project and keep what was learned; None if it went wrong, which is said.

    Raises BadConfig if the token is not valid, for then no project can be polled.
    """
    from pco.commands.polling.visit import Visit
    from pco.outside.plane import Forbidden

    visit = Visit(run, project, replace(head, backfill=head.backfill or backfill))
    try:
        total = attend(visit)
        visit.keep(polled_at=run.pco.now(), failed=0, error="", total_count=total)
        return visit
    except SystemFault:
        raise
    except PcoError as error:
        visit.keep(failed=head.failed + 1, error=str(error))
        if isinstance(error, Forbidden) and error.kind in ("token", "header"):
            raise BadConfig(str(error), error.hint) from error
        run.pco.fail(error, visit.name)
        return None


def attend(visit: "Visit") -> int:
    """All that a poll does with one project; returns how many items it has in Plane."""
    from pco.commands.polling import sweep, walk

    visit.prepare()
    if visit.head.since is None:
        total = walk.take_stock(visit, backfill=False)
    else:
        visit.resume()
        total = walk.follow(visit)
    if visit.head.backfill:
        fill(visit)
    if sweep.due(visit, total):
        sweep.sweep(visit, total)
    return total


def fill(visit: "Visit") -> None:
    """Make tickets of what is there.  Cut short, the next poll goes on; what changes has been taken in anyway."""
    from pco.commands.polling import walk

    try:
        walk.take_stock(visit, backfill=True)
        visit.head = replace(visit.head, backfill=False)
    except TryLater as error:
        visit.run.pco.fail(error, visit.name)


def unapprove(run: "Run") -> None:
    """Send back every approved ticket whose agent would get something else than a person approved."""
    from pco.commands.polling.run import unapproved
    from pco.ground.ticket import State, Ticket
    from pco.rules import prompt
    from pco.rules.effects import Verdict

    config = run.pco.config

    def judge(ticket: Ticket) -> Verdict | None:
        where = prompt.target(ticket, config)
        if ticket.state is not State.APPROVED or prompt.approved(ticket, where):
            return None
        return unapproved(ticket, "what was approved has changed" if where else "its project is not configured")

    for ticket in list(run.pco.spool.tickets(State.APPROVED, trouble=run.put_aside)):
        if judge(ticket):
            try:
                run.settle(ticket.key, judge)
            except PcoError as error:
                run.pco.fail(error, ticket.key)


def tell_corrupt(run: "Run") -> None:
    """Every poll says which tickets are set aside: events of their items wait for a person."""
    from pco.ground.ticket import State

    spool = run.pco.spool
    for key in sorted(spool.keys(State.CORRUPT)):
        why = spool.aside(key)
        reason = why.reason if why else "no reason is known"
        run.pco.log("warning", f"set aside as corrupt: {reason}", key, event="set aside")


def wake(run: "Run", polled: bool) -> None:
    """Wake those who have work now: pco-launch trusts only a recent poll, so each one is news to it."""
    if run.dry:
        return
    control = run.pco.spool.control
    if polled and run.approved():
        control.wake("launch")
    control.wake("dashboard")
    if "INVOCATION_ID" not in os.environ:
        _draw_dashboard(run.pco)


def _draw_dashboard(pco: Pco) -> None:
    """Without systemd nobody waits for the wake-up.  A board that cannot be drawn is no reason to fail."""
    program = Path(sys.argv[0]).resolve().parent / "pco-dashboard"
    chosen = ["--config", pco.config_file] if pco.config_file else []
    try:
        command = [sys.executable, str(program), "--quiet", *chosen]
        done = subprocess.run(command, capture_output=True, text=True, timeout=DASHBOARD_WITHIN, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        pco.log("warning", f"the dashboard was not drawn: {error}")
        return
    if done.returncode:
        said = (done.stderr.strip() or "no word").splitlines()[-1]
        pco.log("warning", f"the dashboard was not drawn: exit {done.returncode}: {said}")


def count(run: "Run", good: int, wanted: int) -> None:
    """Count, for monitoring, what was asked and how many projects answered."""
    from pco.commands import tallying
    from pco.rules import counting

    if run.dry:
        return
    made = tallying.of_requests([run.plane] if run.asked else [])
    made.count(counting.POLLS, good, status="success")
    made.count(counting.POLLS, wanted - good, status="failure")
    tallying.keep(run.pco, made)


def tally(run: "Run", polled: int) -> None:
    """Say what was asked, and, if anything happened, how much."""
    calls = run.plane.calls
    for call in calls:
        run.pco.log("debug", f"{call.method} {call.endpoint} {call.status or 'no answer'} {call.seconds:.3f}s")
    counted = ((polled, "project"), (run.happened, "change"), (len(calls), "request"))
    projects, changes, requests = (text.count(number, noun) for number, noun in counted)
    run.pco.conclude(f"{projects} polled, {changes}, {requests}", worth=run.happened > 0)
