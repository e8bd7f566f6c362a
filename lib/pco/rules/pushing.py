"""Which branch of a ticket is to be pushed, when it is tried again, and what is said of it."""

from dataclasses import replace
from datetime import datetime, timedelta
from urllib.parse import quote

from pco.ground import text, times
from pco.ground.config import Project
from pco.ground.frozen import dataclass
from pco.ground.ticket import Pushed, Ticket, Work

DONE, LATER, REFUSED = "done", "later", "refused"
FIRST = timedelta(minutes=1)  # after the first failure; then twice as long, ...
MOST = timedelta(hours=1)


@dataclass(frozen=True)
class Branch:
    """What is to be pushed: `commit` as branch `name` to `url`, and what became of it so far."""

    commit: str
    name: str
    url: str
    pushed: Pushed | None


def branch(ticket: Ticket, project: Project | None) -> Branch | None:
    """The branch as the latest round that has commits left it; None if there is none, or it is not to be pushed."""
    work = next((r.work for r in reversed(ticket.rounds) if r.work and r.work.tip and r.work.commits), None)
    if work is None or project is None or not project.pushed_to or ticket.scripted:
        return None
    return Branch(work.tip, work.branch, project.pushed_to, tried(work, project))


def tried(work: Work, project: Project) -> Pushed | None:
    """What became of pushing just this commit to where it is pushed now."""
    known = work.pushed
    return known if known and (known.commit, known.url) == (work.tip, project.pushed_to) else None


def is_there(work: Work | None, project: Project | None) -> bool:
    """Whether the branch is where it is to be pushed to."""
    known = tried(work, project) if work and project else None
    return known is not None and known.outcome == DONE


def due(branch: Branch, asked: datetime | None, now: datetime) -> bool:
    """Whether it is to be tried now; `asked`: when a person asked for it, whatever became of it before."""
    known = branch.pushed
    if known is None or (asked and asked > known.at):
        return True
    # A clock that was set back keeps nobody waiting.
    return known.outcome == LATER and not known.at <= now < known.at + wait(known.tries)


def wait(tries: int) -> timedelta:
    """How long nothing is tried after so many failures, one after the other."""
    return min(FIRST * (1 << min(max(tries - 1, 0), 20)), MOST)


def ours(ticket: Ticket) -> frozenset[str]:
    """The commits that the branch may be at because pco pushed it: a push whose record got lost counts, too."""
    return frozenset(round.work.tip for round in ticket.rounds if round.work and round.work.tip)


def ended(branch: Branch, outcome: str, why: str, now: datetime) -> Pushed:
    """What is recorded of a try."""
    before = branch.pushed.tries if branch.pushed and branch.pushed.outcome != DONE else 0
    tries = 0 if outcome == DONE else before + 1
    return Pushed(branch.commit, branch.url, now, outcome, text.line(why, 300), tries)


def noted(ticket: Ticket, pushed: Pushed) -> Ticket:
    """The record with what became of pushing a commit, in each round that ended with it."""
    rounds = tuple(
        replace(r, work=replace(r.work, pushed=pushed)) if r.work and r.work.tip == pushed.commit else r
        for r in ticket.rounds
    )
    return replace(ticket, rounds=rounds)


def compare(work: Work | None, project: Project | None) -> str:
    """Where people see what is on the branch; empty as long as it is not there."""
    if work is None or project is None or not is_there(work, project):
        return ""
    return project.compare_url.replace("{base}", quote(project.branch)).replace("{branch}", quote(work.branch))


def as_posted(work: Work | None) -> tuple[object, bool]:
    """What of it a comment depends on: not how often a push has failed, nor who fetched it."""
    there = work is not None and work.pushed is not None and work.pushed.outcome == DONE
    return (replace(work, pushed=None, fetched=None) if work else None), there


def told(work: Work, project: Project | None, now: datetime) -> str:
    """Where the branch is, or why it is not there; empty if it is not to be pushed."""
    if project is None or not project.pushed_to or not (work.tip and work.commits):
        return ""
    known = tried(work, project)
    if known is None:
        return "not yet"
    if known.outcome == DONE:
        return f"to {text.line(known.url, 200)}, {times.ago(known.at, now)}"
    if known.outcome == REFUSED:
        return f"refused {times.ago(known.at, now)}, and not tried again: {text.line(known.why, 300)}"
    tries = f"not yet, tried {text.count(known.tries, 'time')}, last {times.ago(known.at, now)}"
    return f"{tries}: {text.line(known.why, 300)}"
