"""What becomes of an active ticket: judged from its record and from what is seen of its session.

All deadlines are counted on CLOCK_BOOTTIME from `attempt.boot_time`, and hold as long as `attempt.boot_id` is this
boot's: the wall clock may jump.  Time in which the agent waited for a person does not count.
"""

from collections import Counter
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from pco.ground.config import Sessions
from pco.ground.frozen import dataclass
from pco.ground.leavings import Account, Exit, Outcome, clean_summary
from pco.ground.ticket import Attempt, Blocked, Cost, Round, State, Ticket
from pco.rules import budget, retry
from pco.rules.budget import NO_LIMIT, Purse
from pco.rules.hearing import MOST_BLOCKED, Heard

CLONE_MARGIN = 15.0  # pco-session ends a slow clone itself after clone_within; only if it hangs, pco-watch does
LINGER = 30.0  # how long a process may take to end after its runner has forgotten it
EXIT_MARGIN = 2.0  # between the exit record and the end of the session's last process


class Step(StrEnum):
    """What to do next: nothing yet, make the fence and look again, end the session, move the ticket."""

    WAIT = "wait"
    FENCE = "fence"
    END = "end"
    MOVE = "move"


@dataclass(frozen=True)
class Seen:
    """What is seen of a session.  `clock` is CLOCK_BOOTTIME in seconds, `alive` None if the runner does not know.

    `exit` is its exit record, `meaning` what its agent says about that, `result` how its unit ended (systemd).
    """

    boot_id: str
    clock: float
    alive: bool | None
    fenced: bool = False
    born: bool = False
    heard: Heard = Heard()
    exit: Exit | None = None
    meaning: Outcome | None = None
    result: str = ""
    account: Account | None = None


@dataclass(frozen=True)
class Verdict:
    """The next step: for WAIT `at` is the clock at which to look again (None: when something happens).

    For END `outcome` is why, and `why` the same with figures, where there are some; for MOVE it is the attempt's
    outcome, and `to` the state.
    """

    step: Step
    outcome: str = ""
    why: str = ""
    to: State | None = None
    at: float | None = None


def noted(ticket: Ticket, seen: Seen) -> Ticket:
    """The record with what the session told: birth, summary, what it was given, when it waited for a person."""
    attempt, heard = ticket.attempt, seen.heard
    if attempt is None or attempt.end is not None:
        return ticket
    if seen.born and not attempt.born:
        ticket = ticket.with_attempt(born=True)
    if not ticket.round.summary:
        ticket = _taken(ticket, heard)
    if heard.summary and not ticket.round.summary:
        ticket = ticket.with_round(summary=heard.summary, summary_by=heard.summary_by)
    if ticket.round.summary and not attempt.ending:
        ticket = ticket.with_attempt(ending=retry.COMPLETED, ending_at=seen.clock)
    ticket = _told(ticket, attempt, seen)
    return ticket.with_round(blocked=_merged(ticket.round.blocked, heard.blocked))


def _taken(ticket: Ticket, heard: Heard) -> Ticket:
    """What was forwarded and taken is given: no later prompt needs to bring it."""
    taken = [event for event in ticket.forwarded if event.forward and event.forward.n in heard.given]
    if not taken:
        return ticket
    n = ticket.round.n
    return replace(ticket, noted=tuple(replace(e, given=n) if e in taken else e for e in ticket.noted))


def _told(ticket: Ticket, attempt: Attempt, seen: Seen) -> Ticket:
    """What the agent says of its conversation, and what it has used."""
    heard = seen.heard
    changes: dict[str, Any] = {"doing": heard.doing or attempt.doing}
    changes["doing_since"] = heard.doing_since or attempt.doing_since
    changes["agent_session"] = heard.agent_session or attempt.agent_session
    changes["transcript"] = heard.transcript or attempt.transcript
    changes["afresh"] = heard.afresh or attempt.afresh
    if seen.account and _counts(seen.account, attempt.cost):
        changes["cost"] = Cost(seen.account.usd, seen.account.tokens, seen.account.estimated)
    ticket = ticket.with_attempt(**changes)
    return ticket.with_round(cost=total(ticket.round))


def _counts(account: Account, known: Cost) -> bool:
    """Whether an account goes before what is known: it never shrinks, but what the agent told ends an estimate."""
    if account.estimated != known.estimated and known != Cost():
        return known.estimated
    return account.usd >= known.usd


def total(round: Round) -> Cost:
    """What all attempts of a round have used."""
    costs = [attempt.cost for attempt in round.attempts]
    tokens: Counter[str] = Counter()
    for cost in costs:
        tokens.update(cost.tokens)
    return Cost(sum(cost.usd for cost in costs), dict(tokens), any(cost.estimated for cost in costs))


def ending(ticket: Ticket, outcome: str, clock: float, why: str = "") -> Ticket:
    """The record saying that pco ends the session, and why; written before it does."""
    attempt = ticket.attempt
    if attempt is None or attempt.ending not in ("", retry.COMPLETED) or attempt.ending == outcome:
        return ticket
    return ticket.with_attempt(ending=outcome, ending_at=clock, ending_why=why)


def judge(ticket: Ticket, seen: Seen, limits: Sessions, purse: Purse = NO_LIMIT) -> Verdict:
    """What to do with an active ticket, of which `noted` has taken in what its session told."""
    attempt = ticket.attempt
    if attempt is None or attempt.end is not None:
        return _unclaimed(seen)
    rebooted = "" not in (attempt.boot_id, seen.boot_id) and attempt.boot_id != seen.boot_id
    if not rebooted and seen.alive is None:
        return Verdict(Step.WAIT)  # nothing is decided about what cannot be seen
    born = attempt.born or seen.born
    due = attempt.boot_time + limits.start_within.total_seconds()
    if not (born or seen.fenced or rebooted):
        # Without the fence a session that is late could begin after its ticket went elsewhere.
        asked = ticket.stop is not None or ticket.round.summary != ""
        return Verdict(Step.FENCE) if asked or seen.result or seen.clock >= due else Verdict(Step.WAIT, at=due)
    if rebooted or not seen.alive:
        return _gone(ticket, seen, limits, rebooted, born)
    if not born:
        return Verdict(Step.END, retry.STOPPED if ticket.stop else retry.NEVER_STARTED)
    return _living(ticket, attempt, seen, limits, purse)


def ending_still(since: float, clock: float) -> bool:
    """Whether to wait for a session that its runner forgot at `since`, though its process was there.

    Not for ever: which process that is stands in a file of the agent.
    """
    return since <= clock < since + LINGER


def finished(ticket: Ticket, seen: Seen, verdict: Verdict, now: datetime) -> Ticket:
    """The record as it moves: the attempt is closed, and the request to stop is dealt with."""
    changes = {"end": now, "outcome": verdict.outcome, "exit": seen.exit.code if seen.exit else None}
    blocked = tuple(b if b.to else replace(b, to=max(now, b.from_)) for b in ticket.round.blocked)
    if ticket.attempt is None or ticket.attempt.end is not None:
        return replace(ticket, stop=None)
    ticket = _last_words(ticket, seen, verdict)
    return replace(ticket.with_attempt(**changes).with_round(blocked=blocked), stop=None)


def _last_words(ticket: Ticket, seen: Seen, verdict: Verdict) -> Ticket:
    """The summary of an agent whose last word is one; else what it said last, as a draft for a person to look at."""
    if ticket.round.summary:
        return ticket
    meaning = seen.meaning
    if verdict.outcome == retry.COMPLETED and meaning and meaning.summary:
        return ticket.with_round(summary=clean_summary(meaning.summary), summary_by="agent")
    draft = clean_summary((meaning.draft if meaning else "") or seen.heard.said)
    return ticket.with_round(draft=draft or ticket.round.draft)


def _merged(known: tuple[Blocked, ...], heard: tuple[Blocked, ...]) -> tuple[Blocked, ...]:
    """The intervals of earlier attempts stay; those heard of again, by when they began, are replaced."""
    began = {interval.from_ for interval in heard}
    return (*(interval for interval in known if interval.from_ not in began), *heard)[-5 * MOST_BLOCKED :]


def _unclaimed(seen: Seen) -> Verdict:
    """Active without an open attempt: somebody put the file there, no program did."""
    if seen.alive is None:
        return Verdict(Step.WAIT)
    if seen.alive:
        return Verdict(Step.END, retry.STOPPED)
    return Verdict(Step.MOVE, "", "no attempt was begun", State.APPROVED)


def _living(ticket: Ticket, attempt: Attempt, seen: Seen, limits: Sessions, purse: Purse) -> Verdict:
    clock, heard = seen.clock, seen.heard
    if ticket.stop:
        return Verdict(Step.END, retry.STOPPED)
    if attempt.ending and attempt.ending != retry.COMPLETED:
        return Verdict(Step.END, attempt.ending)
    if seen.exit:
        # It is just ending; what hangs on is ended after a moment.
        return _at(min(seen.exit.boot, clock) + EXIT_MARGIN, clock, attempt.ending)
    if attempt.ending:
        return _at(attempt.ending_at + limits.complete_grace.total_seconds(), clock, retry.COMPLETED)
    if broke := budget.overdrawn(ticket, purse, waits=heard.since is not None or heard.resting is not None):
        return Verdict(Step.END, retry.OVER_BUDGET, broke)
    too_long = attempt.boot_time + limits.max_duration.total_seconds() + heard.waited_until(clock)
    if clock >= too_long:
        return Verdict(Step.END, retry.TOO_LONG)
    if not heard.started and heard.launched is not None:
        return _at(min(heard.launched + limits.start_within.total_seconds(), too_long), clock, retry.START_FAILED)
    if not heard.started:
        cloned = attempt.boot_time + limits.clone_within.total_seconds() + CLONE_MARGIN
        return _at(min(cloned, too_long), clock, retry.START_FAILED)
    if heard.since is not None:
        return Verdict(Step.WAIT)  # on a person; neither clock runs
    if heard.failing is not None:
        return _at(heard.failing + limits.turn_failed_after.total_seconds(), clock, retry.PASSING)
    if heard.resting is not None:
        return _at(heard.resting + limits.idle_after.total_seconds(), clock, retry.IDLE)
    stalled = max(heard.life, attempt.boot_time) + limits.stall_after.total_seconds()
    return _at(min(stalled, too_long), clock, retry.STALLED)


def _at(due: float, clock: float, outcome: str) -> Verdict:
    return Verdict(Step.END, outcome) if clock >= due else Verdict(Step.WAIT, at=due)


def _gone(ticket: Ticket, seen: Seen, limits: Sessions, rebooted: bool, born: bool) -> Verdict:
    outcome, why = _outcome(ticket, seen, rebooted, born)
    round = replace(ticket.round, attempts=(*ticket.round.attempts[:-1], _closed(ticket.round.attempts[-1], outcome)))
    return Verdict(Step.MOVE, outcome, why, _goes_to(ticket, outcome, retry.left(round, limits.attempts)))


def _closed(attempt: Attempt, outcome: str) -> Attempt:
    return replace(attempt, outcome=outcome)


def _goes_to(ticket: Ticket, outcome: str, again: bool) -> State:
    if outcome == retry.COMPLETED:
        return State.COMPLETED
    if outcome == retry.STOPPED:
        return State.REJECTED if ticket.stop and ticket.stop.to == State.REJECTED else State.APPROVED
    if outcome == retry.REBOOT:
        return State.APPROVED
    return State.APPROVED if again and outcome not in retry.FINAL else State.FAILED


def _outcome(ticket: Ticket, seen: Seen, rebooted: bool, born: bool) -> tuple[str, str]:
    """How the attempt ended, and why in a few words.  A summary wins over everything, then what a person asked."""
    attempt, exit = ticket.round.attempts[-1], seen.exit
    if ticket.round.summary:
        return retry.COMPLETED, ""
    if ticket.stop:
        return retry.STOPPED, " ".join(f"{ticket.stop.by}: {ticket.stop.why}".split()).rstrip(":")
    if attempt.ending:
        said = f": {seen.heard.failure}" if attempt.ending == retry.PASSING and seen.heard.failure else ""
        because = f"{attempt.ending_why}: the session was ended" if attempt.ending_why else ""
        return attempt.ending, f"{because or _ENDINGS.get(attempt.ending, '')}{said}"
    if exit and exit.error:
        return retry.START_FAILED, exit.error
    if rebooted and (exit is None or exit.told):
        return retry.REBOOT, "the machine was restarted"
    if exit and exit.told:
        return retry.INTERRUPTED, f"the session was sent {exit.told}, not by pco"
    if exit and exit.code and seen.heard.launched is not None and not seen.heard.started:
        return retry.START_FAILED, seen.meaning.why if seen.meaning else f"the agent did not begin (exit {exit.code})"
    if exit:
        meaning = seen.meaning or Outcome(retry.FAILED, f"the agent ended without a summary (exit {exit.code})")
        return (meaning.kind if meaning.kind in _MEANT else retry.FAILED), meaning.why
    if not born or (seen.fenced and not seen.heard.started):
        return retry.NEVER_STARTED, f"{_ENDINGS[retry.NEVER_STARTED]}{_of_unit(seen)}"
    return retry.DIED, f"the session is gone without an exit record{_of_unit(seen)}"


def _of_unit(seen: Seen) -> str:
    return f" (its unit: {seen.result})" if seen.result not in ("", "success") else ""


_MEANT = (retry.COMPLETED, retry.DIED, retry.PASSING, retry.CUT_OFF, *retry.FINAL)
_ENDINGS = {
    retry.NEVER_STARTED: "the session was not born in time",
    retry.START_FAILED: "the agent did not begin in time",
    retry.STALLED: "no sign of life: the session was ended",
    retry.TOO_LONG: "its time is used up: the session was ended",
    retry.IDLE: "its turn had ended without a summary, and nobody spoke to it: the session was ended",
    retry.PASSING: "its turn failed, and nobody spoke to it: the session was ended",
    retry.OVER_BUDGET: "its money is used up: the session was ended",
}
