"""How long things are kept: what is due to go, as the configuration's `retention` says.  A span of 0 is for ever."""

from calendar import monthrange
from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta

from pco.ground.config import Retention
from pco.ground.ticket import FINISHED, State, Ticket, Work
from pco.rules import fetching

FOR_EVER = timedelta(0)


def span(state: State, limits: Retention) -> timedelta:
    """How long tickets in a state are kept; those that somebody or something still has to do with, for ever."""
    return {State.POSTED: limits.posted, State.REJECTED: limits.rejected, State.FAILED: limits.failed}.get(
        state, FOR_EVER
    )


def record_due(ticket: Ticket, limits: Retention, now: datetime) -> bool:
    """Whether all of a ticket goes, its branch too: not before what nobody took had its own time."""
    kept = span(ticket.state, limits)
    if fetching.unfetched(ticket):
        kept = max(kept, limits.unfetched) if kept else kept
    return _since(ticket.entered(), kept, now)


def attempts_due(ticket: Ticket, limits: Retention, now: datetime) -> bool:
    """Whether prompts, screens and what else was kept of the attempts of a finished ticket go."""
    return ticket.state in FINISHED and _since(ticket.entered(), _with_bundles(ticket, limits.attempts, limits), now)


def workspace_due(ticket: Ticket, limits: Retention, now: datetime) -> bool:
    """Whether what the agents of a finished ticket wrote goes: workspace, conversation."""
    return ticket.state in FINISHED and _since(ticket.entered(), _with_bundles(ticket, limits.workspaces, limits), now)


def astray(work: Work | None) -> bool:
    """Whether commits may be in the session's bundle alone: they did not get into the mirror."""
    return work is not None and bool(work.problem)


def month_due(name: str, kept: timedelta, now: datetime) -> bool:
    """Whether a file YYYY-MM is older than `kept` from its last day on."""
    try:
        year, month = (int(part) for part in name.split("-"))
        end = datetime(year, month, monthrange(year, month)[1], tzinfo=UTC) + timedelta(days=1)
    except ValueError:
        return False
    return _since(end, kept, now)


def month_excused(name: str, there: Collection[str], kept: timedelta, now: datetime) -> bool:
    """Whether the file of a month may be gone: it was due, and what goes by age goes from the oldest on."""
    return bool(there) and name < min(there) and month_due(name, kept, now)


def day_due(name: str, kept: timedelta, now: datetime) -> bool:
    """Whether a file YYYY-MM-DD is older than `kept`."""
    try:
        day = date.fromisoformat(name)
    except ValueError:
        return False
    return _since(datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=2), kept, now)


def _with_bundles(ticket: Ticket, kept: timedelta, limits: Retention) -> timedelta:
    """A bundle that did not get into the mirror is kept longer."""
    return max(kept, limits.unfetched) if kept and any(astray(round.work) for round in ticket.rounds) else kept


def _since(at: datetime | None, kept: timedelta, now: datetime) -> bool:
    return kept > FOR_EVER and at is not None and now - at > kept
