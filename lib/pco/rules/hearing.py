"""What the events of an attempt add up to.

Events are told by the session, and only believed as far as it harms nobody but itself: a clock value that lies ahead
counts as now, and of the times in which it waited for a person the record keeps a bounded number.
"""

from dataclasses import dataclass, replace

from pco.ground import text
from pco.ground.attempt import Event, clean_summary
from pco.ground.ticket import Blocked

MOST_BLOCKED = 200  # intervals kept for each attempt
RESUMES = ("working", "turn_ended", "turn_failed", "completed", "ended")  # what says that it waits no more


@dataclass(frozen=True)
class Heard:
    """All that an attempt's events said so far.  `life`, `since` and `waited` are seconds of CLOCK_BOOTTIME.

    `life` is the last sign of life, `since` when it began to wait for a person (None: it does not), `waited` how long
    it has waited in all before that.
    """

    started: bool = False
    idle: bool = False
    summary: str = ""
    summary_by: str = ""
    life: float = 0.0
    blocked: tuple[Blocked, ...] = ()
    since: float | None = None
    waited: float = 0.0

    def waited_until(self, clock: float) -> float:
        """How many seconds it has waited for a person by `clock`."""
        return self.waited + (max(clock - self.since, 0.0) if self.since is not None else 0.0)


def hear(heard: Heard, event: Event, clock: float) -> Heard:
    """Take in one event of this attempt; `clock` is CLOCK_BOOTTIME now."""
    at = min(event.boot, clock)
    heard = replace(heard, life=max(heard.life, at), idle=event.kind == "idle")
    if event.kind == "started":
        return replace(heard, started=True)
    if event.kind == "blocked":
        return _blocked(heard, event, at)
    if event.kind == "completed":
        heard = _completed(heard, event)
    return _resumed(heard, event, at) if event.kind in RESUMES else heard


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
