"""The way of a ticket as a timeline: its moves, sessions, questions, with how long it stood at each gate."""

from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise

from pco.ground.frozen import dataclass
from pco.ground.ticket import Attempt, Round, State, Ticket
from pco.pages.amounts import span, took
from pco.pages.clock import Clock
from pco.pages.drawing import WIDE, bar, colour, picture
from pco.pages.frame import dotted, tone
from pco.pages.html import Element, Node, el

MOST_MOMENTS = 200
GATES: dict[str, str] = {
    State.PENDING: "to be approved",
    State.APPROVED: "to be started",
    State.ACTIVE: "at work",
    State.COMPLETED: "to be accepted",
    State.OUTBOX: "to be posted",
    State.POSTED: "posted",
    State.FAILED: "failed",
    State.REJECTED: "rejected",
    State.CORRUPT: "corrupt",
}
WORDS = {
    ("", "pending"): "came from Plane",
    ("pending", "approved"): "approved",
    ("approved", "active"): "started",
    ("active", "completed"): "ended with a summary",
    ("active", "approved"): "to be started again",
    ("active", "failed"): "failed",
    ("completed", "outbox"): "accepted",
    ("failed", "outbox"): "accepted",
    ("outbox", "posted"): "posted",
    ("outbox", "completed"): "called back",
    ("outbox", "failed"): "could not be posted",
    ("completed", "approved"): "sent back for another round",
    ("failed", "approved"): "tried again",
    ("approved", "pending"): "has to be approved again",
    ("posted", "pending"): "came again",
    ("rejected", "pending"): "came again",
}


@dataclass(frozen=True)
class Moment:
    """Something that happened: what, by whom, why, and how it should look."""

    at: datetime
    what: str
    by: str = ""
    why: str = ""
    tone: str = "calm"
    gate: str = ""


def timeline(ticket: Ticket, clock: Clock) -> Element:
    """All moments, oldest first; of a very long way the latest."""
    moments = sorted((*_sessions(ticket), *_moves(ticket)), key=lambda m: m.at)
    left_out = len(moments) - MOST_MOMENTS
    shown = moments[max(left_out, 0) :]
    first = el("li", {"class": "calm"}, f"{left_out} earlier moments are in the record") if left_out > 0 else None
    return el("ol", {"class": "timeline"}, first, (_shown(moment, clock) for moment in shown))


def gates(ticket: Ticket) -> Node:
    """How long it stood in each state so far, as a bar and in words; nothing before its first move."""
    spans: list[tuple[str, float]] = []
    sums: dict[str, float] = {}
    for before, after in pairwise(ticket.history):
        if before.to in GATES:
            seconds = max((after.at - before.at).total_seconds(), 0.0)
            spans.append((before.to, seconds))
            sums[before.to] = sums.get(before.to, 0.0) + seconds
    total = sum(sums.values())
    if not total:
        return None
    # What was short is seen, too: each part has its least width, the rest is shared by time.
    least = min(4.0, WIDE / len(spans) / 2)
    shapes, x = [], 0.0
    for state, seconds in spans:
        wide = least + seconds / total * (WIDE - least * len(spans))
        shapes.append(bar(x, 0, max(wide - 1, 0.5), 14, tone(state), _stood(state, seconds)))
        x += wide
    said = {state: _stood(state, seconds) for state, seconds in sums.items()}
    told = (colour(tone(state), words) for state, words in said.items())
    return [picture(f"Time in each state: {', '.join(said.values())}", 14, shapes), el("p", {"class": "legend"}, told)]


def _stood(state: str, seconds: float) -> str:
    return f"{GATES[state]} {span(seconds)}"


def _moves(ticket: Ticket) -> Iterator[Moment]:
    before: datetime | None = None
    for entry in ticket.history:
        stood = GATES.get(entry.from_, entry.from_)
        gate = f"{stood} for {took(before, entry.at)}" if entry.from_ and before else ""
        what = WORDS.get((entry.from_, entry.to), entry.to)
        yield Moment(entry.at, what, entry.by, entry.why, tone(entry.to), gate)
        before = entry.at


def _sessions(ticket: Ticket) -> Iterator[Moment]:
    for round in ticket.rounds:
        yield from _round(round)


def _round(round: Round) -> Iterator[Moment]:
    for attempt in round.attempts:
        why = f"afresh: {attempt.afresh}" if attempt.afresh else ""
        yield Moment(attempt.start, f"attempt {attempt.n} of round {round.n} begins", why=why, tone="live")
        if attempt.end:
            yield Moment(attempt.end, _ended(attempt), gate=f"ran for {took(attempt.start, attempt.end)}")
    for blocked in round.blocked:
        gate = f"answered after {took(blocked.from_, blocked.to)}" if blocked.to else "not answered yet"
        yield Moment(blocked.from_, f"the agent waits for a person: {blocked.what}", tone="bad", gate=gate)


def _ended(attempt: Attempt) -> str:
    code = f", exit {attempt.exit}" if attempt.exit is not None else ""
    return f"attempt {attempt.n} ends: {attempt.outcome or 'unknown'}{code}"


def _shown(moment: Moment, clock: Clock) -> Element:
    by: Node = ["by ", el("bdi", None, moment.by)] if moment.by else None
    rest = dotted(by, moment.gate)
    return el(
        "li",
        {"class": moment.tone},
        clock.at(moment.at),
        " ",
        el("bdi", {"class": "what"}, moment.what),
        [" ", el("span", {"class": "muted"}, rest)] if rest else None,
        el("div", {"class": "text"}, moment.why) if moment.why else None,
    )
