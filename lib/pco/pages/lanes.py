"""The lanes of the board: open tickets in the order in which a person should look at them, as cards.

Bounded: a lane shows its first MOST_CARDS tickets and leads to a page of its own for the others.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

from pco.ground import text
from pco.ground.frozen import dataclass
from pco.ground.ticket import State
from pco.pages.clock import Clock
from pco.pages.frame import badge, command, dotted, foot, home, page, several, top, usd
from pco.pages.html import Element, Node, el
from pco.pages.snapshot import Card, Snapshot, blocked_now, held_now, waits_now
from pco.rules.health import overdue

MOST_CARDS = 30
MOST_ROWS = 2000  # on the page of one lane
MOST_LABELS = 4  # on a card;
MOST_TITLE, MOST_WORDS, MOST_LABEL = 120, 60, 20  # and columns of what somebody wrote: a card stays a card
PRIORITIES = {"urgent": 0, "high": 1, "medium": 2, "low": 3}
WAITS, UNDER_WAY = "Waits for a person", "Under way"
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
    ("blocked", State.ACTIVE, "To answer", "pco-queue attach KEY", WAITS),
    ("pending", State.PENDING, "To approve", "pco-queue review", WAITS),
    ("completed", State.COMPLETED, "To accept", "pco-queue review", WAITS),
    ("failed", State.FAILED, "Failed", "pco-queue show KEY", WAITS),
    ("corrupt", State.CORRUPT, "Corrupt", "pco-queue repair KEY", WAITS),
    ("approved", State.APPROVED, "Approved", "", UNDER_WAY),
    ("active", State.ACTIVE, "Running", "pco-queue attach KEY", UNDER_WAY),
    ("outbox", State.OUTBOX, "Posting", "", UNDER_WAY),
)


def lanes(snapshot: Snapshot) -> tuple[Lane, ...]:
    """All lanes, those that wait for a person first, then in the order of a ticket's way."""
    sorted_cards = sorted(snapshot.cards, key=lambda c: (*_urgency(c), c.blocked_since or c.since or _LONG_AGO, c.key))
    held: dict[str, list[Card]] = {}
    for card in sorted_cards:
        held.setdefault(_lane_of(card), []).append(card)
    return tuple(Lane(*given[:4], tuple(held.get(given[0], ())), given[4]) for given in LANES)


def groups(shown: tuple[Lane, ...], snapshot: Snapshot) -> Iterator[Node]:
    """The lanes that have tickets, under the heads of their groups."""
    for group in dict.fromkeys(lane.group for lane in shown):
        full = [lane for lane in shown if lane.group == group and lane.cards]
        if full:
            made = el("div", {"class": "lanes"}, (_lane(lane, snapshot) for lane in full))
            yield el("section", {"class": "group"}, el("h2", None, group), made)


def long(shown: tuple[Lane, ...]) -> dict[str, Lane]:
    """The lanes that are too long for the board, by the names of their pages."""
    return {f"lane-{lane.id}.html": lane for lane in shown if len(lane.cards) > MOST_CARDS}


def lane_page(lane: Lane, clock: Clock, version: str) -> bytes:
    """The page of a long lane; it depends on the lane's tickets alone, not on the hour."""
    rows = [_row(card, clock) for card in lane.cards[:MOST_ROWS]]
    more = len(lane.cards) - MOST_ROWS
    said = el("p", None, f"and {more:,} more: ", command(f"pco-queue list --state {lane.state}")) if more > 0 else None
    head = el("header", {"class": "top"}, top(""), _lane_title(lane, "h1"))
    body = el("main", {"id": "main"}, el("table", {"class": "list tickets"}, el("tbody", None, rows)), said)
    return page(f"{lane.title} - pco", "", foot(clock, version), head, body, refresh=True)


def _row(card: Card, clock: Clock) -> Element:
    """A card as a row: what stands out of it, as far as that does not pass by itself, and its facts."""
    told = el("span", {"class": "facts"}, _facts(card), _labels(card))
    said = el("td", {"class": "told"}, list(_lasting(card, clock)), told)
    return el("tr", None, *_named(card.key, card.title), said, _since(card, clock))


def finished_cells(key: str, title: str, state: State) -> list[Node]:
    """Key with its link, title and state, as the cells of a list from the top folder."""
    return [*_named(key, title), el("td", None, badge(state))]


def _named(key: str, title: str) -> list[Node]:
    return [
        el("td", {"class": "key"}, el("a", {"href": home(key)}, key)),
        el("td", {"class": "title"}, el("bdi", None, title or "(no title)")),
    ]


def _lane_of(card: Card) -> str:
    return "blocked" if waits_now(card) else card.state.value


def _urgency(card: Card) -> tuple[int]:
    """Priority counts where tickets are chosen; elsewhere who waits longest is first."""
    chosen = card.state in (State.PENDING, State.APPROVED, State.COMPLETED)
    return (PRIORITIES.get(card.priority, 4) if chosen else 0,)


def _width(count: int) -> int:
    """How many columns a lane would like to have, so that no lane is much longer than its neighbours."""
    return 1 if count <= 2 else 2 if count <= 6 else 3 if count <= 12 else 4


def _lane(lane: Lane, snapshot: Snapshot) -> Element:
    shown = lane.cards[:MOST_CARDS]
    more = len(lane.cards) - len(shown)
    rest = el("p", {"class": "more"}, el("a", {"href": f"lane-{lane.id}.html"}, f"and {more:,} more")) if more else None
    return el(
        "section",
        {"class": f"lane {lane.id} w{_width(len(shown))}", "id": lane.id, "aria-labelledby": f"{lane.id}-title"},
        _lane_title(lane, "h3"),
        el("ul", {"class": "cards"}, (_card(card, snapshot) for card in shown)),
        rest,
    )


def _lane_title(lane: Lane, tag: str) -> Element:
    count = el("span", {"class": "count"}, f"{len(lane.cards):,}")
    title = el(tag, {"id": f"{lane.id}-title"}, lane.title, " ", count)
    return el("div", {"class": "lane-head"}, title, command(lane.hint) if lane.hint else None)


# A card.


def _card(card: Card, snapshot: Snapshot) -> Element:
    name = el("span", {"class": "key"}, card.key)
    named = text.line(card.title, MOST_TITLE, joiners=True)
    title = el("bdi", {"class": "title"}, named or ("(no title)" if not card.reason else "(cannot be read)"))
    flags = list(_flags(card, snapshot))
    return el(
        "li",
        {"class": f"card {_tone(card, snapshot)}".rstrip()},
        el("h4", None, el("a", {"href": home(card.key)}, name, " ", title)),
        [" ", snapshot.clock.old(card.since)] if card.since else None,
        el("p", {"class": "flags"}, flags) if flags else None,
        el("p", {"class": "facts"}, _facts(card), _labels(card)),
    )


def _tone(card: Card, snapshot: Snapshot) -> str:
    """How its edge looks: what is wrong, what is late, what is held back."""
    if waits_now(card) or card.state is State.CORRUPT:
        return "alarm"
    if held_now(card, snapshot.clock.now) or card.short:
        return "held"
    return "late" if overdue(card.state, card.since, snapshot.clock.now) else ""


def _flags(card: Card, snapshot: Snapshot) -> Iterator[Node]:
    """What should stand out; each is a word, the colour only helps."""
    clock = snapshot.clock
    if blocked_now(card):
        since = f" for {clock.age(card.blocked_since)}" if card.blocked_since else ""
        yield _flag("bad", f"blocked{since}: ", _short(card.blocked))
    elif card.doing and card.state is State.ACTIVE:
        since = f" for {clock.age(card.doing_since)}" if card.doing_since else ""
        yield _flag("bad" if waits_now(card) else "live", _short(card.doing), since)
    if held := held_now(card, clock.now):
        yield _held(card, [" until ", clock.brief(card.held_until)] if card.held_until else None)
    if overdue(card.state, card.since, clock.now) and not held:
        yield _flag("wait", "overdue")
    yield from _standing(card)


def _lasting(card: Card, clock: Clock) -> Iterator[Node]:
    """What of it stands out for as long as nobody does anything."""
    if card.held:
        yield _held(card, [" until ", clock.at(card.held_until)] if card.held_until else None)
    yield from _standing(card)


def _held(card: Card, until: Node) -> Node:
    return _flag("wait", "held", until, f" by {card.held_by}", f": {_short(card.held_why)}" if card.held_why else None)


def _standing(card: Card) -> Iterator[Node]:
    if card.short:
        yield _flag("wait", _short(card.short))
    if card.failed:
        yield _flag("bad", _short(card.failed))
    if card.stopping:
        yield _flag("wait", f"stop asked by {card.stopping}")
    if card.gone:
        yield _flag("wait", "gone from Plane")
    if card.noted:
        yield _flag("calm", several(card.noted, "new event"), " in Plane")
    if card.reason:
        yield _flag("bad", _short(card.reason))
    if card.priority in ("urgent", "high"):
        yield _flag("bad" if card.priority == "urgent" else "wait", card.priority)


def _short(words: str) -> str:
    return text.line(words, MOST_WORDS, joiners=True)


def _flag(tone: str, *words: Node) -> list[Node]:
    return [el("span", {"class": f"flag {tone}"}, words), " "]


def _facts(card: Card) -> list[Node]:
    said = (
        card.trigger,
        f"{card.priority} priority" if card.priority in ("medium", "low") else None,
        f"was {card.from_}" if card.from_ else None,
        f"round {card.round}" if card.round > 1 else None,
        f"attempt {card.attempt}" if card.attempt else None,
        usd(card.usd) if card.usd else None,
    )
    return dotted(*(el("span", {"class": "fact"}, fact) for fact in said if fact))


def _labels(card: Card) -> Node:
    more = len(card.labels) - MOST_LABELS
    names = [text.line(label, MOST_LABEL, joiners=True) for label in card.labels[:MOST_LABELS]]
    shown: list[Node] = [[" ", el("bdi", {"class": "label"}, name)] for name in names]
    return [*shown, f" +{more}"] if more > 0 else shown


def _since(card: Card, clock: Clock) -> Element:
    return el("td", {"class": "when"}, clock.at(card.since) if card.since else None)
