"""How attempts count, and when a ticket may be tried again.

| outcome       | what happened                                              | counted | then               |
|---------------|------------------------------------------------------------|---------|--------------------|
| completed     | a summary was handed over                                  | –       | completed          |
| never-started | the session was not born in time                           | yes     | again, or failed   |
| start-failed  | it was born, but its agent never began                     | yes     | again, or failed   |
| died          | it is gone and left no exit record                         | yes     | again, or failed   |
| stalled       | no sign of life for too long: pco ended it                 | yes     | again, or failed   |
| passing-error | the agent ended with an error that passes (its API down)   | yes     | again, or failed   |
| cut-off       | the answer of its API broke off in the middle, each time   | yes     | again, or failed   |
| failed        | the agent ended by itself, without a summary               | yes     | failed             |
| denied        | it ended, but was refused tools that it asked for          | yes     | failed             |
| max-turns     | its turns were used up                                     | yes     | failed             |
| over-budget   | its money was used up                                      | yes     | failed             |
| idle          | its turn ended, nobody spoke to it for long: pco ended it  | yes     | failed             |
| too-long      | its time was used up: pco ended it                         | yes     | failed             |
| stopped       | a person, Plane or a pause asked for it                    | no      | where `stop` says  |
| interrupted   | it was told to end, not by pco: shutdown, stopped slice    | no      | again (5 times)    |
| reboot        | the machine went down under it                             | no      | again              |
| restored      | its ticket came back from a backup; the session is lost    | no      | failed             |
"""

from datetime import datetime, timedelta

from pco.ground.ticket import Round, Ticket

COMPLETED, STOPPED, INTERRUPTED, REBOOT = "completed", "stopped", "interrupted", "reboot"
RESTORED = "restored"
NEVER_STARTED, START_FAILED, DIED = "never-started", "start-failed", "died"
STALLED, PASSING, CUT_OFF = "stalled", "passing-error", "cut-off"
FAILED, DENIED, MAX_TURNS, OVER_BUDGET = "failed", "denied", "max-turns", "over-budget"
IDLE, TOO_LONG = "idle", "too-long"

# Counted, and tried again while attempts are left; counted, and not tried again.
AGAIN = (NEVER_STARTED, START_FAILED, DIED, STALLED, PASSING, CUT_OFF)
FINAL = (FAILED, DENIED, MAX_TURNS, OVER_BUDGET, IDLE, TOO_LONG)
OUTCOMES = (COMPLETED, *AGAIN, *FINAL, STOPPED, INTERRUPTED, REBOOT, RESTORED)
MOST_INTERRUPTED = 5  # an agent can end its own session so: without a bound it would be started for ever
LONGEST = timedelta(hours=1)  # no back-off is longer, unless `retry_after` itself is


def counted(round: Round) -> int:
    """How many attempts of the round count against `sessions.attempts`."""
    return sum(attempt.outcome in (*AGAIN, *FINAL) for attempt in round.attempts)


def left(round: Round, attempts: int) -> bool:
    """Whether the round may be tried once more; every attempt of it has an outcome."""
    interrupted = sum(attempt.outcome == INTERRUPTED for attempt in round.attempts)
    return counted(round) < attempts and interrupted <= MOST_INTERRUPTED


def backoff(times: int, retry_after: timedelta) -> timedelta:
    """How long to wait after the `times`-th counted attempt: doubled each time, up to an hour."""
    doubled = retry_after * (1 << min(max(times - 1, 0), 20))
    return min(doubled, max(LONGEST, retry_after))


def not_before(ticket: Ticket, retry_after: timedelta, now: datetime) -> datetime | None:
    """When the ticket may be launched again; None if it need not wait: a new round, a stop, a reboot."""
    last = ticket.attempt
    if last is None or last.end is None or last.outcome not in AGAIN:
        return None
    # An end that is still to come: the clock was set back, maybe by years, and for so long nobody waits.
    return last.end + backoff(counted(ticket.round), retry_after) if last.end <= now else None
