"""Pictures as SVG within the page: shapes with classes, which the style sheet colours by day and by night.

A picture is WIDE units wide, and a unit is about a pixel on a small phone: so its words can be read everywhere.  Each
stands in a figure with a title, one sentence that says what is to be seen, and all its numbers as a table.
"""

from collections.abc import Iterable

from pco.pages.html import Element, Node, el

WIDE = 320.0


def figure(
    title: str, said: str, drawn: Element, heads: Iterable[str], rows: Iterable[Iterable[Node]], *legend: Node
) -> Element:
    """A picture with its text alternative: the sentence `said`, and the numbers; `legend` says what colours mean."""
    head = el("tr", None, (el("th", {"scope": "col"}, name) for name in heads))
    body = [el("tr", None, (el("td", None, cell) for cell in row)) for row in rows]
    numbers = el("table", {"class": "numbers"}, el("thead", None, head), el("tbody", None, body))
    caption = el("figcaption", None, el("h3", None, title), el("p", None, said))
    folded = el("details", None, el("summary", None, "Numbers", el("span", {"class": "unseen"}, f": {title}")), numbers)
    colours = el("p", {"class": "legend"}, legend) if legend else None
    return el("figure", {"class": "figure"}, caption, drawn, colours, folded)


def colour(tone: str, meaning: str) -> Node:
    """A part of a legend."""
    return [el("span", {"class": tone}, meaning), " "]


def picture(said: str, height: float, *shapes: Node) -> Element:
    """The picture itself; `said` is what it shows, for who cannot see it."""
    box = f"0 0 {_number(WIDE)} {_number(height)}"
    return el("svg", {"class": "chart", "viewBox": box, "role": "img", "aria-label": said}, shapes)


def bar(x: float, y: float, width: float, height: float, tone: str, tip: str = "") -> Element:
    """A rectangle; who points at it reads `tip`."""
    place = {"x": _number(x), "y": _number(y), "width": _number(max(width, 0.5)), "height": _number(height)}
    return el("rect", {**place, "class": tone}, el("title", None, tip) if tip else None)


def rule(x1: float, y1: float, x2: float, y2: float, kind: str = "rule") -> Element:
    """A thin line."""
    return el("line", {"x1": _number(x1), "y1": _number(y1), "x2": _number(x2), "y2": _number(y2), "class": kind})


def words(x: float, y: float, said: str, kind: str = "") -> Element:
    """A few words, on the line `y`; `kind` end or middle says where `x` is in them."""
    return el("text", {"x": _number(x), "y": _number(y), "class": kind or None}, said)


def _number(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".") or "0"
