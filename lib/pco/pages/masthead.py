"""The head of the board: whether all is well, when Plane was and will be asked, whom to turn to, how many are where."""

from pco.ground.ticket import FINISHED, State
from pco.pages.frame import NAMES, dotted, usd
from pco.pages.html import Element, Node, el, web
from pco.pages.lanes import Lane
from pco.pages.snapshot import Snapshot

WORDS = {
    "blocked": "to answer",
    "pending": "to approve",
    "completed": "to accept",
    "failed": "failed",
    "corrupt": "corrupt",
}


def masthead(snapshot: Snapshot, shown: tuple[Lane, ...]) -> Element:
    """The whole of it."""
    return el(
        "header",
        {"class": "top"},
        el(
            "div",
            {"class": "mast"},
            el("h1", None, "pco ", el("span", {"class": "muted"}, "tickets")),
            _pulse(snapshot),
        ),
        _told("reasons", snapshot.health.reasons),
        _told("notes", snapshot.health.notes),
        _contacts(snapshot),
        _waits(shown),
        _way(snapshot, shown),
    )


def _pulse(snapshot: Snapshot) -> Element:
    """One line: well or not, the last poll and the next, what today has cost."""
    well = snapshot.health.status == "ok"
    pill = el("span", {"class": f"pill {'good' if well else 'bad'}"}, "Well" if well else "Needs attention")
    paused: Node = [" ", el("span", {"class": "pill wait"}, "Paused")] if snapshot.paused else None
    facts = dotted(_polled(snapshot), _next(snapshot), _spent(snapshot))
    told: Node = [" ", el("span", {"class": "muted"}, facts)] if facts else None
    return el("p", {"class": "pulse"}, pill, paused, told)


def _told(kind: str, words: tuple[str, ...]) -> Node:
    return el("ul", {"class": kind}, (el("li", None, word) for word in words)) if words else None


def _contacts(snapshot: Snapshot) -> Node:
    """Whom to turn to, who is on call first; what is an address of the web is a link."""
    if not snapshot.contacts:
        return None
    ordered = sorted(snapshot.contacts, key=lambda contact: contact[0] != "on call")
    told: list[Node] = [[f"{name.capitalize()}: ", el("bdi", None, _linked(value))] for name, value in ordered]
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
    return ["Last poll ", snapshot.clock.brief(oldest, zone=True), f" ({snapshot.clock.age(oldest)} ago)"]


def _next(snapshot: Snapshot) -> Node:
    """When Plane will be asked again, as far as systemd has said so."""
    at = snapshot.next_poll
    return ["next ", snapshot.clock.brief(at)] if at and at > snapshot.clock.now else None


def _spent(snapshot: Snapshot) -> Node:
    """What today has cost, once it has cost something."""
    of = f" of {usd(snapshot.daily)}" if snapshot.daily else ""
    return f"{usd(snapshot.spent)}{of} spent today" if snapshot.spent else None


def _waits(shown: tuple[Lane, ...]) -> Element:
    """One sentence: what waits for a person."""
    said: list[Node] = [
        el("a", {"href": f"#{lane.id}"}, el("b", None, f"{len(lane.cards):,}"), f" {WORDS[lane.id]}")
        for lane in shown
        if lane.cards and lane.id in WORDS
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
    full = [lane.id for lane in shown if lane.state is state and lane.cards]
    lane = state.value if state.value in full else next(iter(full), "")
    target = "#finished" if state in FINISHED and count else f"#{lane}" if lane else None
    tone = f"step {state}" if count else f"step {state} none"
    number, name = el("b", None, f"{count:,}"), el("span", None, NAMES[state])
    inner = el("a", {"href": target}, number, name) if target else el("span", None, number, name)
    return el("li", {"class": tone}, inner)
