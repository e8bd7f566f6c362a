"""What was tried, or has happened, by now: test tickets, load, a watch over the logs, real tickets, their latencies."""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

from pco.checks import Finding, Site, checks, fail, ok, warn
from pco.checks.services import deployed
from pco.ground import attempt, attested, leavings, polled, times
from pco.ground.errors import BadData, PcoError, TryLater
from pco.ground.ticket import State, Ticket
from pco.rules import retry
from pco.spool import Spool

MOST_READ = 40  # of the latest finished tickets
SLOW = 5.0  # seconds
TRIED = timedelta(days=180)
LONG = timedelta(minutes=30)


@checks("17.2")
def walked(site: Site) -> Finding:
    """Whether a test ticket went the whole way, and when."""
    return _seen_before(site, "17.2", _end_to_end(site))


@checks("17.4")
def bore(site: Site) -> Finding:
    """Whether many at once did."""
    return _seen_before(site, "17.4", f"{_end_to_end(site)} --tickets 20")


@checks("24.3")
def watched(site: Site) -> Finding:
    """Whether the logs were watched for half an hour, and what was seen."""
    how = "sudo pco-doctor --watch 30m"
    found = _seen_before(site, "24.3", how)
    if found.status == "ok" and watched_for(found.evidence) < LONG:
        return warn(f"{found.evidence}; that is not long", how)
    return found


@checks("18.5")
def prompt(site: Site) -> Finding:
    """How long it took from the hand-over of a summary to its record, for the last ones."""
    spans = [span for ticket in _finished(site) for span in latencies(site.config.paths.sessions, ticket)]
    if not spans:
        return warn("no session has ended with a summary lately", _end_to_end(site))
    longest, middle = max(spans).total_seconds(), sorted(spans)[len(spans) // 2].total_seconds()
    said = f"of the last {len(spans)}: {middle:.1f} s from the end of the session to completed, {longest:.1f} s at most"
    return ok(said) if middle <= SLOW else warn(said, "sudo systemctl restart pco-watch")


@checks("24.4")
def first(site: Site) -> Finding:
    """A ticket of Plane that was posted after the deployment."""
    since = deployed() if site.systemd else datetime.min.replace(tzinfo=UTC)
    for ticket in _finished(site):
        post = ticket.round.post
        if post and post.posted_at and post.posted_at >= since and not ticket.local:
            return ok(f"{ticket.key} was posted {times.ago(post.posted_at, site.now)}")
    return warn("no ticket of Plane was posted since the deployment", "pco-queue (approve one, and accept its summary)")


def watched_for(note: str) -> timedelta:
    """How long was watched, as pco-doctor noted it; any length where a person has said it in other words."""
    length = re.match(r"([0-9]+[a-z]+) watched: ", note)
    return times.parse_duration(length[1]) if length else timedelta.max


def _end_to_end(site: Site) -> str:
    """The command that tries all of it, in the first project."""
    name = "PROJECT"
    for project in site.config.plane.projects[:1]:
        with suppress(PcoError):
            name = project.key or polled.read(site.config.paths.plane, project.id).key or project.id
    return f"sudo pco-doctor --end-to-end {name}"


def _finished(site: Site) -> list[Ticket]:
    """The latest posted tickets, some of them."""

    def read() -> list[Ticket]:
        spool = Spool(site.config.paths.spool, "pco-doctor")
        found = []
        for one in islice(spool.index.latest(State.POSTED), MOST_READ):
            try:
                found.append(spool.read(one.key, State.POSTED))
            except (PcoError, KeyError):
                continue  # pco itself says so
        return found

    return site.once("finished", read)


def latencies(sessions: Path, ticket: Ticket) -> Iterator[timedelta]:
    """From the end of each session, by its exit record, to its ticket's move."""
    for round in ticket.rounds:
        last = round.attempts[-1] if round.attempts else None
        if last is None or last.end is None or last.outcome != retry.COMPLETED:
            continue
        home = attempt.folder(sessions, ticket.key, round.n, last.n)
        try:
            out = leavings.open_out(home / "out")
        except OSError:
            continue  # it was removed by now
        try:
            exit = leavings.read_exit(out)
        except (BadData, TryLater):
            continue
        finally:
            os.close(out)
        if exit:
            yield max(last.end - exit.at, timedelta(0))


def _seen_before(site: Site, id: str, how: str) -> Finding:
    word = attested.read(site.config.paths.audit, id)
    if word is None:
        return warn("not yet", how)
    said = f"{word.note} ({word.by}, {times.ago(word.at, site.now)})"
    if not word.good:
        return fail(said, how)
    return ok(said) if site.now - word.at < TRIED else warn(said, how)
