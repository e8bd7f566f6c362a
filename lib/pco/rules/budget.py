"""What may still be spent, and which tickets go in circles: the section `budget` of the configuration, judged.

A ticket's money is what all its rounds have cost; the day's what all sessions together have.  A person's release
(`Ticket.released`) lets a ticket begin again with all that counts against it, but not the day.
"""

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime

from pco.ground.config import Budget
from pco.ground.frozen import dataclass
from pco.ground.ticket import Cost, Round, Ticket
from pco.rules import retry

FROM_PLANE = ("new", "status", "comment")  # triggers; all others are a person's word to pco
BEYOND = 2.0  # of its ticket's limit a session may have spent, in its last turn
HOLDER = "pco"  # by whom a ticket that goes in circles is held
LEAST = 0.01  # USD: never zero, which would mean that there is no limit
# Outcomes of sessions that could have changed something; not those that something else brought to an end.
_RAN = (retry.COMPLETED, retry.DIED, retry.STALLED, retry.CUT_OFF, *retry.FINAL)


@dataclass(frozen=True)
class Purse:
    """The limits (USD, rounds; 0: none), what was spent of the day's (`today`), and when that day began.

    `tickets` are the projects (UUID) whose tickets have a limit of their own, `sessions` those in which pco itself
    has to hold one session to a limit (claude.max_budget_usd; interactive, for a headless agent holds to it itself).
    """

    limits: Budget = Budget(0.0, 0.0, 0, 0)
    today: float = 0.0
    midnight: datetime | None = None
    tickets: Mapping[str, float] = field(default_factory=dict)
    sessions: Mapping[str, float] = field(default_factory=dict)


NO_LIMIT = Purse()


def spent(ticket: Ticket) -> float:
    """What a ticket has cost since it was last released, USD."""
    return max(ticket.cost - (ticket.released.usd if ticket.released else 0.0), 0.0)


def limit(ticket: Ticket, purse: Purse) -> float:
    """What a ticket may cost, USD; 0.0 if there is no limit."""
    return purse.tickets.get(ticket.project, purse.limits.ticket_usd)


def left(ticket: Ticket, purse: Purse) -> float | None:
    """What its next session may cost, USD; None if there is no limit."""
    most, daily = limit(ticket, purse), purse.limits.daily_usd
    remains = [most - spent(ticket)] if most else []
    remains += [daily - purse.today] if daily else []
    return max(min(remains), LEAST) if remains else None


def believed(ticket: Ticket, usd: float, purse: Purse) -> float:
    """What counts against the day of that which one session says that it has cost.

    It is ended at the limit of its ticket, so it cannot have spent many times that; an agent that says so must not keep
    all others from working.
    """
    most = limit(ticket, purse)
    return min(usd, BEYOND * most) if most else usd


def obstacle(ticket: Ticket, purse: Purse) -> str:
    """Why no session of this ticket may start, as far as money goes; empty if one may."""
    if gone := used_up(ticket, purse):
        return f"{gone}: raise budget.ticket_usd, or pco-queue release {ticket.key}"
    return f"{day(purse)}: it goes on tomorrow" if day_gone(purse) else ""


def used_up(ticket: Ticket, purse: Purse) -> str:
    """That a ticket may not cost more, with the figures; empty if it may."""
    gone = _ticket_gone(ticket, purse)
    return f"its budget is used up ({_of(spent(ticket), limit(ticket, purse))})" if gone else ""


def overdrawn(ticket: Ticket, purse: Purse, *, waits: bool) -> str:
    """Why its session, which runs, must end; empty if it may go on.

    One that `waits` for a person spends nothing: what others have spent of the day does not end it.
    """
    if _ticket_gone(ticket, purse):
        return f"its budget is used up ({_of(spent(ticket), limit(ticket, purse))}, budget.ticket_usd)"
    most, cost = purse.sessions.get(ticket.project, 0.0), ticket.attempt.cost.usd if ticket.attempt else 0.0
    if most and cost >= most:
        return f"what one session may cost is used up ({_of(cost, most)}, claude.max_budget_usd)"
    return day(purse) if day_gone(purse) and not waits else ""


def day_gone(purse: Purse) -> bool:
    """Whether the day's money is used up."""
    return 0 < purse.limits.daily_usd <= purse.today


def day(purse: Purse) -> str:
    """That the day's money is used up, with the figures."""
    return f"today's budget is used up ({_of(purse.today, purse.limits.daily_usd)}, budget.daily_usd)"


def circling(ticket: Ticket, purse: Purse) -> str:
    """Why a ticket whose turn it is must first be looked at by a person; empty if it need not."""
    ends = f": pco-queue release {ticket.key}, or reject it"
    rounds, idle = purse.limits.rounds_per_day, purse.limits.idle_rounds
    if rounds and (begun := rounds_begun(ticket, purse.midnight)) > rounds:
        return f"Plane began {begun} rounds of it today (budget.rounds_per_day: {rounds}){ends}"
    if idle and idle_rounds(ticket) >= idle:
        return f"its last {idle_rounds(ticket)} rounds changed nothing (budget.idle_rounds: {idle}){ends}"
    return ""


def braked(ticket: Ticket, purse: Purse) -> bool:
    """Whether something is counted against this ticket that a release would lift."""
    return _ticket_gone(ticket, purse) or bool(circling(ticket, purse))


def rounds_begun(ticket: Ticket, since: datetime | None) -> int:
    """How many rounds events in Plane have begun since then, and since its last release."""
    times = [time for time in (since, ticket.released.at if ticket.released else None) if time]
    return sum(
        round.trigger.kind in FROM_PLANE and all(round.trigger.at > time for time in times) for round in ticket.rounds
    )


def idle_rounds(ticket: Ticket) -> int:
    """How many of its last rounds, before the current one, left the branch as it was; those without a session apart."""
    counted, tip = 0, ""
    for round in ticket.rounds[:-1]:
        new = round.work.tip if round.work else ""
        changed = new not in ("", tip or (round.work.base if round.work else ""))
        tip = new or tip
        if not _ran(round):
            continue
        after = round.attempts[-1].end
        released = bool(ticket.released and after and after <= ticket.released.at)
        counted = 0 if changed or released else counted + 1
    return counted


def told(ticket: Ticket, purse: Purse) -> str:
    """What it has cost, of how much: `$3.20 of $20.00`."""
    most = limit(ticket, purse)
    return _of(spent(ticket), most) if most else usd(spent(ticket))


def usd(amount: float) -> str:
    """`$3.20`."""
    return f"${amount:,.2f}"


def bill(cost: Cost) -> str:
    """What was used, in words: `$0.12: 1,200 in, 340 out, 56,000 read from cache, 7,800 written to it`."""
    kinds = {"input": "in", "output": "out", "cache_read": "read from cache", "cache_write": "written to it"}
    tokens = ", ".join(f"{cost.tokens[kind]:,} {words}" for kind, words in kinds.items() if cost.tokens.get(kind))
    money = f"{usd(cost.usd)}{' (estimated)' if cost.estimated else ''}" if cost.usd or tokens else ""
    return ": ".join(part for part in (money, tokens and f"{tokens} (tokens)") if part)


def _ticket_gone(ticket: Ticket, purse: Purse) -> bool:
    return 0 < limit(ticket, purse) <= spent(ticket)


def _ran(round: Round) -> bool:
    return any(attempt.outcome in _RAN for attempt in round.attempts)


def _of(amount: float, most: float) -> str:
    return f"{usd(amount)} of {usd(most)}"
