"""The board: what waits for a person, what is under way, what has finished, and whether all is well.

Bounded: a lane shows its first MOST_CARDS tickets and leads to a page of its own for the others; finished tickets
beyond the most recent are on pages by month.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from pco.ground.ticket import FINISHED, State
from pco.pages.frame import NAMES, badge, command, dotted, foot, home, page, several, usd
from pco.pages.html import Element, Node, el, web
from pco.pages.snapshot import Card, Snapshot, blocked_now, held_now, waits_now
from pco.rules.health import overdue

MOST_CARDS = 30
MOST_ROWS = 2000  # on the page of one lane
MOST_RECENT = 20
PRIORITIES = {"urgent": 0, "high": 1, "medium": 2, "low": 3}
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Lane:
    """A part of the board: its tickets in the order in which a person should look at them."""

    id: str
    state: State
    title: str
    hint: str
    cards: tuple[Card, ...]
    group: str


LANES = (
    ("blocked", State.ACTIVE, "Waits for an answer", "pco-queue attach KEY", "Waits for a person"),
    ("pending", State.PENDING, "To approve", "pco-queue review", "Waits for a person"),
    ("completed", State.COMPLETED, "To accept", "pco-queue review", "Waits for a person"),
    ("failed", State.FAILED, "Failed", "pco-queue show KEY", "Waits for a person"),
    ("corrupt", State.CORRUPT, "Corrupt", "pco-queue repair KEY", "Waits for a person"),
    ("active", State.ACTIVE, "Running", "pco-queue attach KEY", "Under way"),
    ("approved", State.APPROVED, "Approved", "", "Under way"),
    ("outbox", State.OUTBOX, "Posting", "", "Under way"),
)


def lanes(snapshot: Snapshot) -> tuple[Lane, ...]:
    """All lanes, those that wait for a person first."""
    sorted_cards = sorted(snapshot.cards, key=lambda c: (*_urgency(c), c.blocked_since or c.since or _LONG_AGO, c.key))
    held: dict[str, list[Card]] = {}
    for card in sorted_cards:
        held.setdefault(_lane_of(card), []).append(card)
    return tuple(Lane(*given[:4], tuple(held.get(given[0], ())), given[4]) for given in LANES)


def index(snapshot: Snapshot) -> bytes:
    """index.html."""
    shown = lanes(snapshot)
    waiting = sum(len(lane.cards) for lane in shown if lane.group == "Waits for a person")
    title = f"({waiting}) pco" if waiting else "pco"
    body = el(
        "main",
        None,
        _groups(shown, snapshot),
        _finished(snapshot),
    )
    end = [_contacts(snapshot), foot(snapshot.clock, snapshot.version)]
    return page(title, "", end, _header(snapshot, shown), body, refresh=True)


def lane_pages(snapshot: Snapshot) -> Iterator[tuple[str, bytes]]:
    """Name and content of the page of each lane that is too long for the board."""
    for lane in lanes(snapshot):
        if len(lane.cards) > MOST_CARDS:
            yield f"lane-{lane.id}.html", _lane_page(lane, snapshot)


def _lane_of(card: Card) -> str:
    return "blocked" if waits_now(card) else card.state.value


def _urgency(card: Card) -> tuple[int]:
    """Priority counts where tickets are chosen; elsewhere who waits longest is first."""
    chosen = card.state in (State.PENDING, State.APPROVED, State.COMPLETED)
    return (PRIORITIES.get(card.priority, 4) if chosen else 0,)


# The head: is it well, what waits, how many are where.


def _header(snapshot: Snapshot, shown: tuple[Lane, ...]) -> Element:
    return el(
        "header",
        {"class": "top"},
        el("h1", None, "pco", el("span", {"class": "muted"}, " tickets")),
        _health(snapshot),
        _waits(shown),
        _way(snapshot, shown),
    )


def _health(snapshot: Snapshot) -> Element:
    health = snapshot.health
    well = health.status == "ok"
    pill = el("span", {"class": f"pill {'good' if well else 'bad'}"}, "Well" if well else "Needs attention")
    paused = el("span", {"class": "pill wait"}, "Paused") if snapshot.paused else None
    reasons = el("ul", {"class": "reasons"}, (el("li", None, reason) for reason in health.reasons))
    on_call = "" if well else dict(snapshot.contacts).get("on call", "")
    told = (*health.notes, *([f"on call: {on_call}"] if on_call else []))
    notes = el("ul", {"class": "notes"}, (el("li", None, note) for note in told))
    return el(
        "div",
        {"class": "health"},
        el(
            "p",
            None,
            pill,
            " ",
            paused,
            " ",
            el("span", {"class": "muted"}, dotted(_polled(snapshot), _spent(snapshot))),
        ),
        reasons if health.reasons else None,
        notes if told else None,
    )


def _contacts(snapshot: Snapshot) -> Node:
    """Whom to turn to; what is an address of the web is a link."""
    if not snapshot.contacts:
        return None
    told: list[Node] = [
        [f"{name.capitalize()}: ", el("bdi", None, _linked(value))] for name, value in snapshot.contacts
    ]
    return el("p", {"class": "contacts"}, dotted(*told))


def _linked(value: str) -> Node:
    return el("a", {"href": value}, value) if web(value) else value


def _polled(snapshot: Snapshot) -> Node:
    """When Plane was last asked; with several projects, the one that waits longest."""
    polled = [head.polled_at for head in snapshot.heads]
    known = [at for at in polled if at is not None]
    if not known:
        return "Plane was not polled yet" if polled else None
    oldest = min(known)
    return ["Last poll ", snapshot.clock.at(oldest), f" ({snapshot.clock.age(oldest)} ago)"]


def _spent(snapshot: Snapshot) -> Node:
    """What today has cost, once it has cost something."""
    of = f" of {usd(snapshot.daily)}" if snapshot.daily else ""
    return f"{usd(snapshot.spent)}{of} spent today" if snapshot.spent else None


def _waits(shown: tuple[Lane, ...]) -> Element:
    """One sentence: what waits for a person."""
    words = {"blocked": "waiting for an answer", "pending": "to approve", "completed": "to accept", "failed": "failed"}
    words["corrupt"] = "corrupt"
    said: list[Node] = [
        el("a", {"href": f"#{lane.id}"}, el("b", None, f"{len(lane.cards):,}"), f" {words[lane.id]}")
        for lane in shown
        if lane.cards and lane.id in words
    ]
    if not said:
        return el("p", {"class": "waits"}, "Nothing waits for a person.")
    return el("p", {"class": "waits"}, dotted(*said))


def _way(snapshot: Snapshot, shown: tuple[Lane, ...]) -> Element:
    """How many tickets are in each state, in the order of a ticket's way."""
    steps = [_step(state, snapshot, shown) for state in NAMES]
    return el("nav", {"aria-label": "States"}, el("ol", {"class": "way"}, steps))


def _step(state: State, snapshot: Snapshot, shown: tuple[Lane, ...]) -> Element:
    count = snapshot.counts.get(state, 0)
    lane = next((lane.id for lane in shown if lane.state is state and lane.cards), "")
    target = "#finished" if state in FINISHED and count else f"#{lane}" if lane else None
    tone = f"step {state}" if count else f"step {state} none"
    number, name = el("b", None, f"{count:,}"), el("span", None, NAMES[state])
    inner = el("a", {"href": target}, number, name) if target else el("span", None, number, name)
    return el("li", {"class": tone}, inner)


# The lanes.


def _groups(shown: tuple[Lane, ...], snapshot: Snapshot) -> Iterator[Node]:
    for group in dict.fromkeys(lane.group for lane in shown):
        full = [lane for lane in shown if lane.group == group and lane.cards]
        if full:
            yield el("h2", None, group)
            yield el("div", {"class": "lanes"}, (_lane(lane, snapshot) for lane in full))


def _lane(lane: Lane, snapshot: Snapshot) -> Element:
    more = len(lane.cards) - MOST_CARDS
    return el(
        "section",
        # Small lanes stand side by side where there is room.
        {
            "class": f"lane {lane.id} {'small' if len(lane.cards) <= 2 else 'large'}",
            "id": lane.id,
            "aria-labelledby": f"{lane.id}-title",
        },
        _lane_title(lane),
        el("ul", {"class": "cards"}, (_card(card, snapshot) for card in lane.cards[:MOST_CARDS])),
        el("p", None, el("a", {"href": f"lane-{lane.id}.html"}, f"and {more:,} more")) if more > 0 else None,
    )


def _lane_title(lane: Lane) -> Element:
    title = el(
        "h3", {"id": f"{lane.id}-title"}, lane.title, " ", el("span", {"class": "count"}, f"{len(lane.cards):,}")
    )
    return el("div", {"class": "lane-head"}, title, command(lane.hint) if lane.hint else None)


def _card(card: Card, snapshot: Snapshot) -> Element:
    name = el("span", {"class": "key"}, card.key)
    title = el("bdi", {"class": "title"}, card.title or ("(no title)" if not card.reason else "(cannot be read)"))
    flags = list(_flags(card, snapshot))
    return el(
        "li",
        {"class": "card"},
        el("h4", None, el("a", {"href": home(card.key)}, name, " ", title)),
        el("p", {"class": "flags"}, flags) if flags else None,
        el("p", {"class": "facts"}, _facts(card, snapshot)),
        el("p", {"class": "labels"}, _labels(card)) if card.labels else None,
    )


def _flags(card: Card, snapshot: Snapshot) -> Iterator[Node]:
    """What should stand out; each is a word, the colour only helps."""
    clock = snapshot.clock
    if blocked_now(card):
        since = f" for {clock.age(card.blocked_since)}" if card.blocked_since else ""
        yield _flag("bad", f"blocked{since}: ", card.blocked)
    elif card.doing and card.state is State.ACTIVE:
        since = f" for {clock.age(card.doing_since)}" if card.doing_since else ""
        yield _flag("bad" if waits_now(card) else "calm", card.doing, since)
    if held := held_now(card, clock.now):
        until: Node = [" until ", clock.at(card.held_until)] if card.held_until else None
        yield _flag("wait", "held", until, f" by {card.held_by}", f": {card.held_why}" if card.held_why else None)
    if overdue(card.state, card.since, clock.now) and not held:
        yield _flag("wait", "overdue")
    if card.stopping:
        yield _flag("wait", f"stop asked by {card.stopping}")
    if card.gone:
        yield _flag("wait", "gone from Plane")
    if card.noted:
        yield _flag("calm", several(card.noted, "new event"), " in Plane")
    if card.reason:
        yield _flag("bad", card.reason)
    if card.priority in ("urgent", "high"):
        yield _flag("bad" if card.priority == "urgent" else "wait", card.priority)


def _flag(tone: str, *words: Node) -> list[Node]:
    return [el("span", {"class": f"flag {tone}"}, words), " "]


def _facts(card: Card, snapshot: Snapshot) -> list[Node]:
    age: Node = None
    if card.since:
        age = [el("b", None, snapshot.clock.age(card.since)), " since ", snapshot.clock.at(card.since)]
    return dotted(
        age,
        card.trigger,
        f"{card.priority} priority" if card.priority in ("medium", "low") else None,
        f"was {card.from_}" if card.from_ else None,
        f"round {card.round}" if card.round > 1 else None,
        f"attempt {card.attempt}" if card.attempt else None,
        usd(card.usd) if card.usd else None,
    )


def _labels(card: Card) -> Node:
    return [[el("bdi", {"class": "label"}, label), " "] for label in card.labels]


# Finished tickets, and the page of a long lane.


def _finished(snapshot: Snapshot) -> Node:
    if not any(snapshot.counts.get(state) for state in FINISHED):
        return None
    rows = [
        el("tr", None, *finished_cells(done.key, done.title, State(done.state)), _finished_at(done.at, snapshot))
        for done in snapshot.recent[:MOST_RECENT]
    ]
    months: list[Node] = [
        [el("a", {"href": month.pages[0]}, month.name), f" ({month.count:,})"]
        for month in snapshot.months
        if month.pages
    ]
    return [
        el("h2", {"id": "finished"}, "Finished lately"),
        el("table", {"class": "list"}, el("tbody", None, rows)),
        el("p", {"class": "months"}, "All, by month (UTC): ", dotted(*months)) if months else None,
    ]


def _finished_at(at: datetime, snapshot: Snapshot) -> Element:
    return el("td", {"class": "when"}, snapshot.clock.at(at))


def finished_cells(key: str, title: str, state: State) -> list[Node]:
    """Key with its link, title and state, as the cells of a list from the top folder."""
    return [
        el("td", {"class": "key"}, el("a", {"href": home(key)}, key)),
        el("td", {"class": "title"}, el("bdi", None, title or "(no title)")),
        el("td", None, badge(state)),
    ]


def _lane_page(lane: Lane, snapshot: Snapshot) -> bytes:
    rows = [
        el("tr", None, *finished_cells(card.key, card.title, card.state), _since(card, snapshot))
        for card in lane.cards[:MOST_ROWS]
    ]
    more = len(lane.cards) - MOST_ROWS
    said = el("p", None, f"and {more:,} more: ", command(f"pco-queue list --state {lane.state}")) if more > 0 else None
    head = el("header", {"class": "top"}, el("p", None, el("a", {"href": "index.html"}, "Board")), _lane_title(lane))
    body = el("main", None, el("table", {"class": "list"}, el("tbody", None, rows)), said)
    return page(f"{lane.title} - pco", "", foot(snapshot.clock, snapshot.version), head, body)


def _since(card: Card, snapshot: Snapshot) -> Element:
    since: Node = [snapshot.clock.at(card.since), f" ({snapshot.clock.age(card.since)})"] if card.since else None
    return el("td", {"class": "when"}, since)
