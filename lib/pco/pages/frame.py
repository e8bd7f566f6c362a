"""What all pages have: head, title, foot, and the small pieces that look the same everywhere."""

from functools import cache, lru_cache

from pco.ground.ticket import State
from pco.pages.clock import Clock
from pco.pages.html import Element, Node, document, el, script

REFRESH = 30  # seconds after which a browser asks again for a page that may change by itself
NAMES = {
    State.PENDING: "to approve",
    State.APPROVED: "approved",
    State.ACTIVE: "running",
    State.COMPLETED: "to accept",
    State.OUTBOX: "posting",
    State.POSTED: "posted",
    State.FAILED: "failed",
    State.REJECTED: "rejected",
    State.CORRUPT: "corrupt",
}
TONES: dict[str, str] = {
    State.PENDING: "wait",
    State.COMPLETED: "wait",
    State.FAILED: "bad",
    State.CORRUPT: "bad",
    State.ACTIVE: "live",
    State.POSTED: "good",
}


def page(title: str, up: str, foot: Node, *content: Node, refresh: bool = False) -> bytes:
    """A page; `up` is the way to the top folder, empty or `../`."""
    return document([*_head(up, refresh), el("title", None, title)], [_skip(), *content, el("footer", None, foot)])


@cache
def top(up: str) -> Element:
    """The way back to the board."""
    return el("nav", {"aria-label": "Board"}, el("a", {"href": f"{up}index.html"}, "Board"))


@cache
def _skip() -> Element:
    """For who reads with the keyboard: past the head, to what the page is about."""
    return el("a", {"class": "skip", "href": "#main"}, "To the content")


@cache
def _head(up: str, refresh: bool) -> tuple[Node, ...]:
    return (
        el("meta", {"charset": "utf-8"}),
        el("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}),
        el("meta", {"name": "color-scheme", "content": "light dark"}),
        el("meta", {"name": "robots", "content": "noindex, nofollow"}),
        el("meta", {"name": "referrer", "content": "no-referrer"}),
        # Where scripts run, pco.js does the same, but not while somebody types or has marked a text.
        el("noscript", None, el("meta", {"http-equiv": "refresh", "content": str(REFRESH)})) if refresh else None,
        el("link", {"rel": "icon", "href": f"{up}icon.svg"}),
        el("link", {"rel": "stylesheet", "href": f"{up}style.css"}),
        script(f"{up}pco.js"),
    )


@lru_cache(maxsize=4)
def foot(clock: Clock, version: str, *, dated: bool = False) -> Element:
    """In which zone the page's times are; `dated`, also when it was made: where that matters to who reads it."""
    made: list[Node] = ["Made ", clock.at(clock.now, seconds=True), ", times"] if dated else ["Times"]
    return el("p", None, made, f" in {clock.zone_name()}. pco {version}.")


@cache
def badge(state: State, name: str = "") -> Element:
    """The state as a word with its colour."""
    return el("span", {"class": f"badge {tone(state)}"}, name or NAMES[state])


def tone(state: str) -> str:
    """How a state looks."""
    return TONES.get(state, "calm")


def usd(amount: float) -> str:
    """`$0.42`; what is less than a cent is shown as that."""
    return "under $0.01" if 0 < amount < 0.01 else f"${amount:,.2f}"


def several(n: int, what: str, plural: str = "") -> str:
    """`1 ticket`, `2 tickets`."""
    return f"{n:,} {what if n == 1 else plural or what + 's'}"


def home(key: str) -> str:
    """The page of a ticket, from the top."""
    return f"ticket/{key}.html"


def command(line: str) -> Element:
    """A command that a person copies: one click selects it."""
    return el("code", {"class": "command"}, line)


def dotted(*pieces: Node) -> list[Node]:
    """What is not empty, with a middle dot between."""
    kept = [piece for piece in pieces if piece not in (None, "", [])]
    return [part for n, piece in enumerate(kept) for part in ((" · ", piece) if n else (piece,))]
