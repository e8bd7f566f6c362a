"""What the events of an attempt add up to, and what its agent does by them.

Events are told by the session, and only believed as far as it harms nobody but itself: a clock value that lies ahead
counts as now, and of the times in which it waited for a person the record keeps a bounded number.
"""

import re
from dataclasses import replace
from datetime import datetime

from pco.ground import text
from pco.ground.frozen import dataclass
from pco.ground.leavings import Event, clean_summary
from pco.ground.ticket import Blocked, State, Ticket

MOST_BLOCKED = 200  # intervals kept for each attempt
MOST_DRAFT = 64 << 10
RESUMES = ("working", "turn_ended", "turn_failed", "completed", "ended")  # what says that it waits no more
_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]{0,63}")  # it becomes an argument of the agent: never an option
DOING = {
    "launched": "starting",
    "started": "working",
    "working": "working",
    "turn_ended": "its turn has ended",
    "turn_failed": "its turn failed",
    "blocked": "blocked",
    "idle": "idle",
    "completed": "has handed over its summary",
    "ended": "ended",
}


@dataclass(frozen=True)
class Heard:
    """All that an attempt's events said so far.  Times are seconds of CLOCK_BOOTTIME.

    `life` is the last sign of life, `since` when it began to wait for a person (None: it does not), `waited` how long
    it has waited in all before that.  `launched` is when its process was started, `resting` since when its turn has
    ended, `failing` since when its turn has failed (None: not so).  `said` are its last words.  `agent_session`,
    `transcript` and `afresh` are as in the record; `given` are the numbers of what was forwarded and taken; `warning`
    is what its program should be warned of.
    """

    started: bool = False
    launched: float | None = None
    resting: float | None = None
    failing: float | None = None
    failure: str = ""
    doing: str = ""
    doing_since: datetime | None = None
    said: str = ""
    agent_session: str = ""
    transcript: str = ""
    afresh: str = ""
    warning: str = ""
    given: frozenset[int] = frozenset()
    summary: str = ""
    summary_by: str = ""
    life: float = 0.0
    blocked: tuple[Blocked, ...] = ()
    since: float | None = None
    waited: float = 0.0

    def waited_until(self, clock: float) -> float:
        """How many seconds it has waited for a person by `clock`."""
        begun = [start for start in (self.since, self.resting) if start is not None]
        return self.waited + (max(clock - min(begun), 0.0) if begun else 0.0)


def at_rest(doing: str) -> bool:
    """Whether an agent that does this (`Attempt.doing`) has ended its turn, and waits for somebody to speak."""
    return doing in (DOING["turn_ended"], DOING["idle"]) or doing.startswith(DOING["turn_failed"])


def doing(ticket: Ticket) -> tuple[str, datetime | None]:
    """What the agent of an active ticket does, and since when: `blocked: Bash`, `working`; empty if none runs."""
    attempt = ticket.attempt
    if ticket.state is not State.ACTIVE or attempt is None or attempt.end is not None:
        return "", None
    if blocked := ticket.blocked:
        return f"{DOING['blocked']}: {blocked.what or 'a question'}", blocked.from_
    return (attempt.doing, attempt.doing_since) if attempt.doing else (DOING["launched"], attempt.start)


def waits(ticket: Ticket) -> bool:
    """Whether a session runs that does nothing until a person speaks to its agent."""
    attempt = ticket.attempt
    if ticket.state is not State.ACTIVE or attempt is None or attempt.end is not None:
        return False
    if ticket.round.summary or ticket.stop:
        return False
    return ticket.blocked is not None or at_rest(attempt.doing)


def hear(heard: Heard, event: Event, clock: float) -> Heard:
    """Take in one event of this attempt; `clock` is CLOCK_BOOTTIME now."""
    at = min(event.boot, clock)
    heard = _doing(replace(heard, life=max(heard.life, at)), event)
    if event.kind == "launched":
        return replace(heard, launched=at, afresh=_line(event, "afresh", 300), warning=_line(event, "warning", 300))
    if event.kind == "started":
        return _started(heard, event)
    if event.kind == "blocked":
        return _blocked(heard, event, at)
    if event.kind == "completed":
        heard = _completed(heard, event)
    if event.kind not in RESUMES:
        return heard
    heard = _resumed(heard, event, at)
    return _turned(heard, event, at)


def _doing(heard: Heard, event: Event) -> Heard:
    doing = DOING.get(event.kind, heard.doing)
    if event.kind == "turn_failed":
        doing = f"{doing}: {_line(event, 'error', 100) or 'it did not say why'}"
    if doing == heard.doing or (event.kind == "idle" and (heard.failing is not None or heard.since is not None)):
        return heard
    return replace(heard, doing=doing, doing_since=event.at)


def _started(heard: Heard, event: Event) -> Heard:
    """It says so again after a conversation was cleared, then with another name."""
    name, transcript = event.detail.get("session"), _line(event, "transcript", 500)
    known = name if isinstance(name, str) and _ID.fullmatch(name) else heard.agent_session
    return replace(heard, started=True, agent_session=known, transcript=transcript or heard.transcript)


def _turned(heard: Heard, event: Event, at: float) -> Heard:
    """Whether it rests now; time in which it rested counts as time that it waited for a person."""
    # What it takes after its summary changes nothing any more: that is for the next round.
    given = frozenset() if heard.summary else _given(event)
    rested = max(at - heard.resting, 0.0) if heard.resting is not None else 0.0
    heard = replace(heard, waited=heard.waited + rested, resting=None, failing=None, given=heard.given | given)
    said = event.detail.get("last")
    if isinstance(said, str) and said.strip():
        heard = replace(heard, said=text.lines(said, MOST_DRAFT).strip())
    if event.kind == "turn_ended":
        return replace(heard, resting=at)
    if event.kind == "turn_failed":
        return replace(heard, failing=at, failure=_line(event, "error", 200))
    return heard


def _given(event: Event) -> frozenset[int]:
    numbers = event.detail.get("given")
    return frozenset(n for n in numbers if type(n) is int) if isinstance(numbers, list) else frozenset()


def _line(event: Event, name: str, most: int) -> str:
    value = event.detail.get(name)
    return text.line(value, most) if isinstance(value, str) else ""


def _completed(heard: Heard, event: Event) -> Heard:
    """The first summary that says something counts; an empty one is no completion."""
    said = event.detail.get("summary")
    summary = clean_summary(said) if isinstance(said, str) else ""
    if heard.summary or not summary:
        return heard
    # Whatever the event says: a person's summary goes into the record, not by way of the session.
    return replace(heard, summary=summary, summary_by="agent")


def _blocked(heard: Heard, event: Event, at: float) -> Heard:
    if heard.since is not None:
        return heard
    what = event.detail.get("what")
    interval = Blocked(event.at, None, text.line(what, 200) if isinstance(what, str) else "")
    kept = heard.blocked if len(heard.blocked) < MOST_BLOCKED else heard.blocked[:-1]
    return replace(heard, blocked=(*kept, interval), since=at)


def _resumed(heard: Heard, event: Event, at: float) -> Heard:
    if heard.since is None:
        return heard
    last = replace(heard.blocked[-1], to=max(event.at, heard.blocked[-1].from_))
    waited = heard.waited + max(at - heard.since, 0.0)
    return replace(heard, blocked=(*heard.blocked[:-1], last), since=None, waited=waited)
