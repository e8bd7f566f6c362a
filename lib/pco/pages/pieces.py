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


def remark(by: str, story: Story, at: datetime, text: str, what: str = "") -> Element:
    """What somebody said, and when."""
    head = el("p", {"class": "muted"}, dotted(el("bdi", None, by), story.clock.at(at), what))
    return el("div", {"class": "said"}, head, words(text))


def facts(rows: list[tuple[str, Node]]) -> Element:
    """Names and values."""
    return el("dl", None, ([el("dt", None, name), el("dd", None, value)] for name, value in rows))


def cells(*cells: Node) -> Element:
    """A row of a table."""
    return el("tr", None, (el("td", None, cell) for cell in cells))


def table(heads: Iterable[str], rows: list[Element]) -> Node:
    """A table with the names of its columns; nothing if it has no row."""
    if not rows:
        return None
    named = el("thead", None, el("tr", None, (el("th", {"scope": "col"}, head) for head in heads)))
    return el("table", {"class": "list"}, named, el("tbody", None, rows))
