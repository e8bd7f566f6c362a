"""What the page of a ticket is put together of: sections, texts from outside, remarks, tables."""

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache

from pco.pages.frame import dotted
from pco.pages.html import Element, Node, el
from pco.pages.snapshot import Story

MOST_TEXT = 100_000  # characters of one text
MOST_LISTED = 100  # comments, commits, notes, attempts


def section(title: str, content: Node) -> Node:
    """A part of the page under its head; nothing if it is empty."""
    return el("section", None, _heading(title), content) if content else None


@lru_cache(maxsize=64)
def _heading(title: str) -> Element:
    return el("h2", None, title)


def folded(title: str, content: Node) -> Node:
    """What is shown when somebody asks for it."""
    return el("details", None, el("summary", None, title), content) if content else None


def words(said: str, kind: str = "") -> Element:
    """A text from outside with its own lines; `kind` code: as it stands, in a typewriter's letters."""
    cut = el("em", None, "\n(cut here: the record holds the whole of it)") if len(said) > MOST_TEXT else None
    name = f"text {kind}".rstrip()
    return el("div", {"class": name, "dir": "auto"}, said[:MOST_TEXT], cut)


def drawn(name: str, said: str) -> Element:
    """A text from outside that is a drawing of letters: its lines are not broken, but can be moved sideways."""
    region = {"class": "text code drawn", "tabindex": "0", "aria-label": name}  # scrolled with the keyboard, too
    return el("section", region, said[:MOST_TEXT])


def remark(by: str, story: Story, at: datetime, text: str, what: str = "") -> Element:
    """What somebody said, and when."""
    head = el("p", {"class": "muted"}, dotted(el("bdi", None, by), story.clock.at(at), what))
    return el("div", {"class": "said"}, head, words(text))


def facts(rows: list[tuple[str, Node]]) -> Element:
    """Names and values."""
    return el("dl", None, ([el("dt", None, name), el("dd", None, value)] for name, value in rows))


def table(heads: Iterable[str], rows: list[tuple[Node, ...]]) -> Node:
    """A table with the names of its columns, but for those that have nothing to show; nothing if it has no row."""
    if not rows:
        return None
    full = [n for n, _ in enumerate(rows[0]) if any(row[n] not in (None, "") for row in rows)]
    names = [head for n, head in enumerate(heads) if n in full]
    named = el("thead", None, el("tr", None, (el("th", {"scope": "col"}, name) for name in names)))
    body = (el("tr", None, (el("td", None, row[n]) for n in full)) for row in rows)
    return el("table", {"class": "list"}, named, el("tbody", None, body))
