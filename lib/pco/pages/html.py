"""Elements of HTML, escaped by construction: a page is built of elements, never of strings.

Text from outside can only become text, or the value of an attribute: `el` escapes both, drops control, format and bidi
characters, masks what looks like a secret, and takes no address that leads elsewhere than to http, https or a page
beside this one.  There is no way to write a script or a handler: their names are not known here; script and style are
files of pco's own.  <https://html.spec.whatwg.org/>
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Union

from pco.ground import text
from pco.rules import secrets

VOID = frozenset(["br", "hr", "link", "meta", "wbr"])
# fmt: off
TAGS = VOID | frozenset([
    "a", "article", "aside", "b", "bdi", "body", "caption", "code", "dd", "details", "div", "dl", "dt", "em",
    "figcaption", "figure", "footer", "h1", "h2", "h3", "h4", "head", "header", "html", "li", "main", "nav", "noscript",
    "ol", "p",
    "pre", "section", "small", "span", "strong", "summary", "table", "tbody", "td", "th", "thead", "time", "title",
    "tr", "ul",
    # Of SVG, <https://www.w3.org/TR/SVG2/>: nothing that leads out of the picture but a link.
    "g", "line", "path", "rect", "svg", "text",
])
ATTRIBUTES = frozenset([
    "aria-current", "aria-hidden", "aria-label", "aria-labelledby", "charset", "class", "content", "datetime", "dir",
    "href", "http-equiv", "id", "lang", "name", "open", "rel", "role", "scope", "tabindex", "title",
    "d", "height", "rx", "viewBox", "width", "x", "x1", "x2", "y", "y1", "y2",
])
# fmt: on
_EDGES = {tag: (f"<{tag}>", "" if tag in VOID else f"</{tag}>") for tag in TAGS}
_HARMLESS = re.compile(r"[\x20-\x25\x27-\x3b\x3d\x3f-\x7e\n\t]*")  # plain ASCII without & < >: shown as it is
_QUIET = re.compile(r"[\x20\x21\x23-\x25\x27-\x3b\x3d\x3f-\x7e]*")  # that, on one line and without a quote
_OUTSIDE = re.compile(r"https?://[A-Za-z0-9\[][\x21-\x7e]*", re.IGNORECASE)
_BESIDE = re.compile(r"(\.\./)?([A-Za-z0-9_-]+/)*([A-Za-z0-9_-]+\.[a-z]{1,5})?(#[A-Za-z0-9_-]*)?")
SHORT, MOST_KEPT = 80, 4096  # characters of a text that is kept as it is shown, and how many are

Node = Union["Element", str, None, Iterable["Node"]]
Attributes = Mapping[str, str | None]


class Element:
    """A piece of a page that is safe to show.  Only `el` makes one."""

    __slots__ = ("markup",)

    def __init__(self, markup: str) -> None:
        self.markup = markup

    def __str__(self) -> str:
        return self.markup


def el(tag: str, attributes: Attributes | None = None, *children: Node) -> Element:
    """An element with its attributes (those that are None are left out) and children; lists of children are fine.

    Raises ValueError for a tag or an attribute that is not known here: that is a mistake in pco, not in what it shows.
    """
    edges = _EDGES.get(tag)
    if edges is None:
        raise ValueError(f"<{tag}> is not known here")
    start, end = edges
    if attributes:
        start = _opening(tag, tuple(attributes.items()))
    if children and not end:
        raise ValueError(f"<{tag}> holds nothing")
    parts = [start]
    _render(children, parts)
    parts.append(end)
    return Element("".join(parts))


def document(head: Iterable[Node], body: Iterable[Node]) -> bytes:
    """A whole page, as the file that a web server gives out."""
    top = el("html", {"lang": "en"}, "\n", el("head", None, *head), "\n", el("body", None, *body), "\n")
    return f"<!DOCTYPE html>\n{top.markup}\n".encode()


def style(sheet: str) -> Element:
    """pco's own style in a page that stands alone; nothing else ever.  Raises ValueError for what could end it."""
    if "<" in sheet:
        raise ValueError("this is no style of pco")
    return Element(f"<style>{sheet}</style>")


def script(source: str) -> Element:
    """pco's own script, which lies beside the pages; nothing else ever.  Raises ValueError for any other place."""
    if not _BESIDE.fullmatch(source):
        raise ValueError("this is no script of pco")
    return Element(f'<script src="{source}" defer></script>')


def address(value: str) -> str | None:
    """An address that may stand behind a link: of the web, or of a page of this site; else None."""
    return value if _BESIDE.fullmatch(value) else web(value)


def web(value: str) -> str | None:
    """An http or https address without name and password; None if it is anything else.  For what comes from outside."""
    if len(value) > 2000 or not _OUTSIDE.fullmatch(value) or "\\" in value:
        return None
    host = value.partition("//")[2].partition("/")[0].partition("?")[0].partition("#")[0]
    return None if "@" in host else value


def _render(children: Iterable[Node], parts: list[str]) -> None:
    for child in children:
        if isinstance(child, str):
            parts.append(_texts[child])
        elif isinstance(child, Element):
            parts.append(child.markup)
        elif child is not None:
            _render(child, parts)


class _Texts(dict[str, str]):
    """Texts as they are shown.  Most come again and again: the pages of a thousand tickets look alike."""

    def __missing__(self, words: str) -> str:
        shown = secrets.masked(words)
        if not _HARMLESS.fullmatch(shown):
            shown = _escaped(text.lines(shown, joiners=True))
        if len(words) < SHORT:
            if len(self) >= MOST_KEPT:
                self.clear()
            self[words] = shown
        return shown


_texts = _Texts()


@lru_cache(maxsize=4096)
def _opening(tag: str, attributes: tuple[tuple[str, str | None], ...]) -> str:
    """A start tag with its attributes, as written."""
    parts = [f"<{tag}"]
    for name, value in attributes:
        if name not in ATTRIBUTES:
            raise ValueError(f"the attribute {name} is not known here")
        if name == "href" and value is not None:
            value = address(value)
        if value is not None:
            shown = text.line(secrets.masked(value))
            if not _QUIET.fullmatch(shown):
                shown = _escaped(shown).replace('"', "&quot;")
            parts.append(f' {name}="{shown}"')
    return f"{''.join(parts)}>"


def _escaped(clean: str) -> str:
    return clean.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
