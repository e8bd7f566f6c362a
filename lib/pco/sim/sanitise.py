"""What the server makes of a `description_html`: parsed, cleaned and written anew, never byte for byte.

One root stays as it is; several become a <div>, bare text a <span>.  Comments are not treated so.
"""

from dataclasses import dataclass, field
from html import escape
from html.parser import HTMLParser


def words(text: str) -> frozenset[str]:
    """Return the words of `text`."""
    return frozenset(text.split())


VOID = words("area base br col embed hr img input link meta source track wbr")
# Dropped with all that is in them.
GONE = words("script style iframe object embed noscript template link meta base title head svg math")
KEPT = words(
    "a abbr b bdi bdo blockquote br caption center cite code col colgroup dd del details dfn div dl dt em figcaption"
    " figure footer h1 h2 h3 h4 h5 h6 header hr i img input ins kbd label li mark nav ol p pre q s samp section small"
    " span strike strong sub summary sup table tbody td tfoot th thead time tr tt u ul var mention-component"
    " image-component issue-embed-component"
)
BLOCK = words(
    "blockquote center details div dl fieldset figure footer form h1 h2 h3 h4 h5 h6 header hr nav ol p pre section"
    " table ul"
)
# An opening tag on the left closes an open one on the right.
CLOSES = {
    "li": {"li"},
    "tr": {"tr", "td", "th"},
    "td": {"td", "th"},
    "th": {"td", "th"},
    "dt": {"dt", "dd"},
    "dd": {"dt", "dd"},
} | {name: {"p"} for name in BLOCK}
BAD_SCHEMES = ("javascript:", "vbscript:", "data:")


@dataclass
class Element:
    """A tag with what is in it: elements and text."""

    tag: str
    attributes: list[tuple[str, str]] = field(default_factory=list)
    inside: "list[Element | str]" = field(default_factory=list)


class Cleaner(HTMLParser):
    """Build a tree of the allowed elements; `root.inside` is the result."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("")
        self._open = [self.root]
        self._gone: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open an allowed element, after closing what it closes."""
        if tag in GONE and tag not in VOID:
            self._gone.append(tag)
        if self._gone or tag not in KEPT:
            return
        while self._open[-1].tag in CLOSES.get(tag, ()):
            self._open.pop()
        if tag == "tr" and self._open[-1].tag == "table":
            self._push(Element("tbody"))
        element = Element(tag, list(clean(tag, attrs)))
        self._push(element)
        if tag in VOID:
            self._open.pop()

    def _push(self, element: Element) -> None:
        self._open[-1].inside.append(element)
        self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        """Close the nearest open element of that name and all within it."""
        if self._gone:
            if tag == self._gone[-1]:
                self._gone.pop()
            return
        for depth in range(len(self._open) - 1, 0, -1):
            if self._open[depth].tag == tag:
                del self._open[depth:]
                return

    def handle_data(self, data: str) -> None:
        """Keep text unless it is in something dropped."""
        if not self._gone:
            self._open[-1].inside.append(data)


@dataclass
class End:
    """The end of an element."""

    tag: str


def clean(tag: str, attrs: list[tuple[str, str | None]]) -> list[tuple[str, str]]:
    """Return the attributes without handlers and without addresses that run something; links get a `rel`."""
    kept = []
    for name, value in attrs:
        text = value or ""
        if name.startswith("on") or name in ("srcdoc", "rel"):
            continue
        if name in ("href", "src", "action") and text.strip().lower().startswith(BAD_SCHEMES):
            continue
        kept.append((name, text))
    if tag == "a":
        kept.append(("rel", "noopener noreferrer"))
    return kept


def written(node: Element | str) -> str:
    """Return a node as HTML, however deep it is."""
    parts: list[str] = []
    waiting: list[Element | str | End] = [node]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            parts.append(escape(one, quote=False))
        elif isinstance(one, End):
            parts.append(f"</{one.tag}>")
        else:
            attributes = "".join(f' {name}="{escape(value)}"' for name, value in one.attributes)
            parts.append(f"<{one.tag}{attributes}>")
            if one.tag not in VOID:
                waiting += [End(one.tag), *reversed(one.inside)]
    return "".join(parts)


def sanitised(html: str) -> str:
    """Return `html` as the server stores it.  Raises ValueError when there is nothing in it."""
    if not html.strip():
        raise ValueError("empty")
    cleaner = Cleaner()
    cleaner.feed(html)
    cleaner.close()
    inside = cleaner.root.inside
    if not inside:
        return ""
    elements = [node for node in inside if isinstance(node, Element)]
    text = any(isinstance(node, str) and node.strip() for node in inside)
    if len(elements) == 1 and not text:
        return written(elements[0])
    wrap = "div" if any(element.tag in BLOCK for element in elements) else "span"
    return written(Element(wrap, [], inside))
