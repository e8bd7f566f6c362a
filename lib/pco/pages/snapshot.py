"""What the pages show, as values: made by pco-dashboard of spool, attempts and polls, turned into HTML beside this."""

from dataclasses import field
from datetime import datetime

from pco.ground import text
from pco.ground.frozen import dataclass
from pco.ground.polled import Head
from pco.ground.tally import Tally
from pco.ground.ticket import Blocked, Note, State, Ticket
from pco.pages.clock import Clock
from pco.rules import budget, hearing
from pco.rules.health import Health
from pco.rules.prompt import Target
from pco.rules.report import Gate
from pco.rules.trend import Day
from pco.spool.index import Finished

MOST_TITLE = 300
TRIGGERS = {
    "new": "new ticket",
    "status": "moved",
    "comment": "new comment",
    "retry": "tried again",
    "rework": "sent back",
    "reopen": "reopened",
    "import": "imported",
    "local": "local",
}


@dataclass(frozen=True)
class Card:
    """An open ticket on the board; kept between runs, so that an unchanged ticket is not read again.

    `doing` is what its agent does, and `waits` whether that does nothing until a person speaks to it.
    `since` is when it came into its state, `attempt` the number of the current round's last attempt, `usd` the cost of
    all rounds.  `short` says of an approved one that its money is used up, `failed` of a failed one why.  `reason` and
    `from_` belong to a ticket that cannot be read: why, and where it was or still is.
    """

    key: str
    state: State
    title: str = ""
    since: datetime | None = None
    trigger: str = ""
    priority: str = "none"
    labels: tuple[str, ...] = ()
    project: str = ""
    round: int = 1
    attempt: int = 0
    usd: float = 0.0
    blocked: str = ""
    blocked_since: datetime | None = None
    doing: str = ""
    doing_since: datetime | None = None
    waits: bool = False
    held: bool = False
    held_until: datetime | None = None
    held_by: str = ""
    held_why: str = ""
    short: str = ""
    stopping: str = ""
    gone: bool = False
    noted: int = 0
    approved_by: str = ""
    failed: str = ""
    reason: str = ""
    from_: str = ""


@dataclass(frozen=True)
class Month:
    """A month with finished tickets: `2026-11`, how many, and the pages they are on, newest first."""

    name: str
    count: int
    pages: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ran:
    """A session of the last day: `blocked` are the times in which it waited for a person; no end: it goes on."""

    key: str
    start: datetime
    end: datetime | None = None
    outcome: str = ""
    blocked: tuple[Blocked, ...] = ()


@dataclass(frozen=True)
class Trends:
    """What the last days were like, for the pictures."""

    days: tuple[Day, ...] = ()
    gates: tuple[Gate, ...] = ()
    ran: tuple[Ran, ...] = ()


@dataclass(frozen=True)
class Snapshot:
    """All that the board shows.  `spent` is what today's sessions have cost of `daily` (0.0: no limit), USD.

    `total` is what was counted since the beginning.  `requests` to Plane are allowed in a minute, `requests_left` left.
    `contacts` are whom to turn to, by name.  `next_poll` is when systemd will start the next one, if it says so.
    """

    clock: Clock
    version: str
    health: Health
    counts: dict[State, int]
    cards: tuple[Card, ...] = ()
    recent: tuple[Finished, ...] = ()
    months: tuple[Month, ...] = ()
    heads: tuple[Head, ...] = ()
    paused: Note | None = None
    watching: bool | None = None
    spent: float = 0.0
    daily: float = 0.0
    total: Tally = field(default_factory=Tally)
    requests: int = 0
    requests_left: int | None = None
    contacts: tuple[tuple[str, str], ...] = ()
    next_poll: datetime | None = None
    trends: Trends = Trends()


@dataclass(frozen=True)
class Papers:
    """What lies in an attempt's folder: the prompt, the screen, and what could not be read of it."""

    round: int
    attempt: int
    prompt: str = ""
    screen: bytes = b""
    trouble: str = ""


@dataclass(frozen=True)
class Story:
    """All that the page of one ticket shows.

    `target` is where its session would work now, `hash` what an approval would be bound to now; `meaning` and `remedy`
    say of a failed one what the end of its session means, and what can be done.  `money` is what it has cost, of how
    much; `short` why that keeps an approved one back.  `comment` is the HTML that would be posted.
    """

    ticket: Ticket
    clock: Clock
    version: str
    target: Target | None = None
    hash: str = ""
    papers: Papers | None = None
    meaning: str = ""
    remedy: str = ""
    money: str = ""
    short: str = ""
    comment: str = ""


@dataclass(frozen=True)
class Unreadable:
    """A ticket whose record cannot be read."""

    card: Card
    clock: Clock
    version: str
    lines: tuple[str, ...] = field(default=())


def card(ticket: Ticket, purse: budget.Purse = budget.NO_LIMIT) -> Card:
    """The card of a readable ticket; `purse` has the limits of tickets."""
    current, blocked, hold = ticket.round, ticket.blocked, ticket.hold
    doing, doing_since = hearing.doing(ticket)
    return Card(
        key=ticket.key,
        state=ticket.state,
        title=text.line(ticket.title[:MOST_TITLE], joiners=True),
        since=ticket.entered(),
        trigger=trigger(ticket),
        priority=ticket.priority,
        labels=tuple(text.line(label, 40) for label in ticket.labels[:8]),
        project=ticket.project,
        round=current.n,
        attempt=len(current.attempts),
        usd=ticket.cost,
        blocked=(text.line(blocked.what, 120) or "a question") if blocked else "",
        blocked_since=blocked.from_ if blocked else None,
        doing=text.line(doing, 120),
        doing_since=doing_since,
        waits=hearing.waits(ticket),
        held=hold is not None,
        held_until=hold.until if hold else None,
        held_by=hold.by if hold else "",
        held_why=text.line(hold.why, 120) if hold else "",
        short=budget.used_up(ticket, purse) if ticket.state is State.APPROVED else "",
        stopping=ticket.stop.by if ticket.stop else "",
        gone=ticket.gone,
        noted=sum(1 for noted in ticket.noted if not noted.given),
        approved_by=current.approval.by if current.approval else "",
        failed=_failed(ticket),
    )


def _failed(ticket: Ticket) -> str:
    """How the last session of a failed ticket ended, and why, in a few words."""
    if ticket.state is not State.FAILED:
        return ""
    why = ticket.history[-1].why if ticket.history else ""
    outcome = ticket.attempt.outcome if ticket.attempt else ""
    return text.line(": ".join(part for part in (outcome, why) if part), 120) or "failed"


def ran(ticket: Ticket, since: datetime) -> tuple[Ran, ...]:
    """Its sessions that run, or ended after `since`."""
    found = []
    for round in ticket.rounds:
        for attempt in round.attempts:
            end = attempt.end or (None if attempt is ticket.attempt else attempt.start)
            if end is not None and end < since:
                continue
            waits = tuple(Blocked(b.from_, b.to or end) for b in round.blocked if _during(b.from_, attempt.start, end))
            found.append(Ran(ticket.key, attempt.start, end, text.line(attempt.outcome, 30), waits))
    return tuple(found)


def _during(moment: datetime, start: datetime, end: datetime | None) -> bool:
    return start <= moment and (end is None or moment <= end)


def waiting_since(cards: tuple[Card, ...]) -> dict[State, datetime | None]:
    """Since when the oldest ticket waits that nobody works on: for an approval, to be accepted, to be posted."""
    waits = (State.PENDING, State.COMPLETED, State.OUTBOX)
    return {state: min((c.since for c in cards if c.state is state and c.since), default=None) for state in waits}


def trigger(ticket: Ticket) -> str:
    """What began the current round, in words: `moved to Todo`."""
    began = ticket.round.trigger
    said = TRIGGERS.get(began.kind, text.line(began.kind, 20))
    return f"{said} to {text.line(began.state.name, 40)}" if began.kind == "status" and began.state else said


def blocked_now(card: Card) -> bool:
    """Whether its session runs and asks a person something."""
    return card.state is State.ACTIVE and bool(card.blocked)


def waits_now(card: Card) -> bool:
    """Whether its session runs and does nothing until a person answers or speaks."""
    return card.state is State.ACTIVE and (card.waits or bool(card.blocked))


def held_now(card: Card, now: datetime) -> bool:
    """Whether somebody holds it back now; a hold ends by itself."""
    return card.held and (card.held_until is None or card.held_until > now)
