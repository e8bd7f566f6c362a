r"""A terminal's screen as elements: colours and weights become classes; what else a terminal obeys is dropped.

What an agent drew is hostile.  Understood is only SGR, ESC [ ... m (ECMA-48): 16 colours and the 256 of xterm become
the classes f0 to f255 (text) and b0 to b255 (ground), 24-bit colours the nearest of them.  Concealed text is shown.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from pco.pages.html import Element, Node, el

MOST_CHARACTERS = 1 << 17  # of a screen's text with its colours; 200 columns and 60 rows, all coloured, take half of it
_MOST_CODES = 64

_ESCAPES = re.compile(
    r"""
      (?:\x1b\[|\x9b) (?P<sgr> [0-9;:]{0,200} ) m
    | (?:\x1b\[|\x9b) [0-?]{0,200} [\ -/]{0,20} [@-~]              # any other control sequence
    | (?:\x1b\]|\x9d) [^\x07\x1b\x9c]{0,4096} (?:\x07|\x1b\\|\x9c)?  # operating system: titles, links, clipboard
    | (?:\x1b[PX^_]|[\x90\x98\x9e\x9f]) [^\x1b\x9c]{0,65536} (?:\x1b\\|\x9c)?  # device strings
    | \x1b [\ -/]{0,20} [0-~]?
    """,
    re.VERBOSE,
)
_ATTRIBUTES = {1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "reverse", 9: "strike"}
_ENDS = {21: "bold", 23: "italic", 24: "underline", 27: "reverse", 29: "strike"}
# The 16 colours that a terminal's owner chooses, as style.css has chosen them; a test compares.
TEXTS = (
    "6c7480 f07178 8fd18a e3c078 7fb0f5 d59ae8 74cfd6 d7dae0 8b94a1 ff9aa0 b3eaae ffe0a0 abcfff efc0ff a5f0f5 ffffff"
)
GROUNDS = (
    "2b2f36 8f2f35 2f6b34 77591b 27508f 6c3a80 20646b 8a919c 4a505a b8474e 46904c a17a2b 3f70bd 9154a8 338b94 f2f3f5"
)
_LEVELS = (0, 95, 135, 175, 215, 255)  # of red, green and blue in colours 16 to 231 of xterm


@dataclass(frozen=True)
class Pen:
    """How the text that follows is drawn; colours are indexes into xterm's 256."""

    text: int | None = None
    ground: int | None = None
    marks: frozenset[str] = frozenset()

    def classes(self) -> str:
        """The classes of a piece of text drawn so; empty for plain text."""
        text, ground, marks = self.text, self.ground, self.marks
        if "reverse" in marks:
            text, ground = ground, text
            if text is None or ground is None:
                marks = marks | {"swapped-text"} if text is None else marks
                marks = marks | {"swapped-ground"} if ground is None else marks
        colours = [f"{side}{n}" for side, n in (("f", text), ("b", ground)) if n is not None]
        return " ".join([*colours, *sorted(marks - {"reverse"})])


def picture(data: bytes) -> Element:
    """The screen as a <pre>; what is longer than MOST_CHARACTERS is left out, and that is said."""
    drawn = data.decode("utf-8", "replace").replace("\r\n", "\n")
    cut = len(drawn) > MOST_CHARACTERS
    spans = list(_spans(drawn[:MOST_CHARACTERS]))
    said = el("em", None, "\n(cut here: the screen is larger)") if cut else None
    return el(
        "pre", {"class": "screen", "tabindex": "0", "role": "region", "aria-label": "Session screen"}, spans, said
    )


def _spans(drawn: str) -> Iterator[Node]:
    """Pieces of text, each with its pen; neighbours of one pen are one piece."""
    held, pen = "", Pen()
    for piece, following in _pieces(drawn):
        held += piece
        if following != pen:
            if held:
                yield _span(held, pen)
            held, pen = "", following
    yield _span(held.rstrip(), pen)


def _pieces(drawn: str) -> Iterator[tuple[str, Pen]]:
    """Each text up to the next escape, and the pen after it."""
    pen, at = Pen(), 0
    for match in _ESCAPES.finditer(drawn):
        before = drawn[at : match.start()]
        at = match.end()
        if match["sgr"] is not None:
            pen = _apply(pen, _codes(match["sgr"]))
        yield before, pen
    yield drawn[at:], pen


def _span(piece: str, pen: Pen) -> Node:
    classes = pen.classes()
    return el("span", {"class": classes}, piece) if classes else piece


def _codes(text: str) -> list[int]:
    """The numbers of an SGR sequence; `38:2::r:g:b` is brought into the form `38;2;r;g;b`."""
    parts = re.sub(r"([34]8):2:[0-9]*:([0-9]+:[0-9]+:[0-9]+)", r"\1:2:\2", text).replace(":", ";").split(";")
    return [int(part[:6]) if part else 0 for part in parts[:_MOST_CODES]]


def _apply(pen: Pen, codes: list[int]) -> Pen:
    at = 0
    while at < len(codes):
        code = codes[at]
        at += 1
        if code in (38, 48):
            colour, used = _extended(codes[at:], TEXTS if code == 38 else GROUNDS)
            at += used
            pen = replace(pen, text=colour) if code == 38 else replace(pen, ground=colour)
        else:
            pen = _simple(pen, code)
    return pen


def _simple(pen: Pen, code: int) -> Pen:
    if code == 0:
        return Pen()
    if code in _ATTRIBUTES:
        return replace(pen, marks=pen.marks | {_ATTRIBUTES[code]})
    if code == 22:
        return replace(pen, marks=pen.marks - {"bold", "dim"})
    if code in _ENDS:
        return replace(pen, marks=pen.marks - {_ENDS[code]})
    for first, base in ((30, 0), (90, 8)):
        if first <= code < first + 8:
            return replace(pen, text=code - first + base)
        if first + 10 <= code < first + 18:
            return replace(pen, ground=code - first - 10 + base)
    if code == 39:
        return replace(pen, text=None)
    return replace(pen, ground=None) if code == 49 else pen


def _extended(codes: list[int], first: str) -> tuple[int | None, int]:
    """The colour after 38 or 48, and how many numbers told it: `5;n` or `2;r;g;b`."""
    if codes[:1] == [5] and len(codes) >= 2:
        return (codes[1] if codes[1] < 256 else None), 2
    if codes[:1] == [2] and len(codes) >= 4:
        red, green, blue = (min(code, 255) for code in codes[1:4])
        return nearest(red, green, blue, first), 4
    return None, len(codes)


@lru_cache(maxsize=1024)
def nearest(red: int, green: int, blue: int, first: str) -> int:
    """The one of the 256 colours that is nearest to a 24-bit colour; `first` are the 16 of TEXTS or GROUNDS.

    xterm's own 240 have hardly a dark one that is not grey; the chosen 16 do, and agents draw changes on such grounds.
    """
    steps = [min(range(6), key=lambda n, level=level: abs(_LEVELS[n] - level)) for level in (red, green, blue)]  # type: ignore[misc]
    cube = 16 + 36 * steps[0] + 6 * steps[1] + steps[2]
    grey = 232 + min(max((red + green + blue) // 3 - 3, 0) // 10, 23)
    chosen = {n: _hex(code) for n, code in enumerate(first.split())} | {cube: rgb(cube), grey: rgb(grey)}
    wanted = (red, green, blue)
    return min(chosen, key=lambda n: sum((a - b) ** 2 for a, b in zip(chosen[n], wanted, strict=True)))


def _hex(code: str) -> tuple[int, int, int]:
    return int(code[:2], 16), int(code[2:4], 16), int(code[4:], 16)


def rgb(n: int) -> tuple[int, int, int]:
    """The colour 16 to 255 of xterm."""
    if n >= 232:
        return (8 + 10 * (n - 232),) * 3
    n -= 16
    return _LEVELS[n // 36], _LEVELS[n // 6 % 6], _LEVELS[n % 6]
