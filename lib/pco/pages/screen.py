r"""A terminal's screen as elements: colours and weights become classes; what else a terminal obeys is dropped.

What an agent drew is hostile.  Understood is only SGR, ESC [ ... m (ECMA-48): 16 colours and the 256 of xterm become
the classes f0 to f255 (text) and b0 to b255 (ground), 24-bit colours the nearest of them.  Concealed text is shown; the
colour of an underline is not.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache, reduce

from pco.ground import sgr
from pco.ground.frozen import dataclass
from pco.ground.sgr import Code
from pco.pages.html import Element, Node, el

MOST_CHARACTERS = 1 << 17  # of a screen's text with its colours; 200 columns and 60 rows, all coloured, take half of it

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
_ATTRIBUTES = {1: "bold", 2: "dim", 3: "italic", 7: "reverse", 9: "strike"}
_ENDS = {22: {"bold", "dim"}, 23: {"italic"}, 27: {"reverse"}, 29: {"strike"}}
# By the style of 4; 21 is the second, 24 is 0.
UNDERLINES = ("", "underline", "underline double", "underline wavy", "underline dotted", "underline dashed")
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
    underline: str = ""
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
        underline = [self.underline] if self.underline else []
        return " ".join([*colours, *sorted(marks - {"reverse"}), *underline])


_PLAIN = Pen()


def picture(data: bytes) -> Element:
    """The screen as a <pre>; what is longer than MOST_CHARACTERS is left out, and that is said."""
    drawn = data.decode("utf-8", "replace").replace("\r\n", "\n")
    cut = len(drawn) > MOST_CHARACTERS
    spans = list(_spans(drawn[:MOST_CHARACTERS]))
    said = el("em", None, "\n(cut here: the screen is larger)") if cut else None
    region = {"class": "screen", "tabindex": "0", "aria-label": "Session screen"}  # scrolled with the keyboard, too
    return el("section", region, el("pre", None, spans, said))


def _spans(drawn: str) -> Iterator[Node]:
    """Pieces of text, each with its pen; neighbours of one pen are one piece."""
    held, pen = "", _PLAIN
    for piece, following in _pieces(drawn):
        held += piece
        if following is not pen and following != pen:
            if held:
                yield _span(held, pen)
            held, pen = "", following
    yield _span(held.rstrip(), pen)


def _pieces(drawn: str) -> Iterator[tuple[str, Pen]]:
    """Each text up to the next escape, and the pen after it."""
    pen, at = _PLAIN, 0
    for match in _ESCAPES.finditer(drawn):
        before = drawn[at : match.start()]
        at = match.end()
        if (said := match["sgr"]) is not None:
            pen = _after(pen, said)
        yield before, pen
    yield drawn[at:], pen


def _span(piece: str, pen: Pen) -> Node:
    classes = _classes(pen)
    return el("span", {"class": classes}, piece) if classes else piece


# What draws a screen changes between few pens, again and again.
_classes = lru_cache(maxsize=1024)(Pen.classes)


@lru_cache(maxsize=1024)
def _after(pen: Pen, said: str) -> Pen:
    """The pen after an SGR sequence with these parameters."""
    return reduce(_apply, sgr.codes(said), pen)


def _apply(pen: Pen, code: Code) -> Pen:
    number, given = code.number, code.given
    if number == 0:
        return _PLAIN
    if number in (4, 21, 24):
        style = given[0] if given else {4: 1, 21: 2, 24: 0}[number]
        return replace(pen, underline=UNDERLINES[style]) if style < len(UNDERLINES) else pen
    if number in _ATTRIBUTES:
        return replace(pen, marks=pen.marks | {_ATTRIBUTES[number]})
    if number in _ENDS:
        return replace(pen, marks=pen.marks - _ENDS[number])
    if number in (38, 39) or 30 <= number <= 37 or 90 <= number <= 97:
        return replace(pen, text=_colour(code, TEXTS))
    if number in (48, 49) or 40 <= number <= 47 or 100 <= number <= 107:
        return replace(pen, ground=_colour(Code(number - 10, given), GROUNDS))
    return pen


def _colour(code: Code, first: str) -> int | None:
    """The colour that a code gives a text; None is the terminal's own."""
    if code.number == 39:
        return None
    if code.number == 38:
        kind, *numbers = code.given
        if kind == 2:
            red, green, blue = numbers
            return nearest(red, green, blue, first)
        return numbers[0] if numbers[0] < 256 else None
    return code.number - 30 if code.number < 90 else code.number - 90 + 8


@lru_cache(maxsize=1024)
def nearest(red: int, green: int, blue: int, first: str) -> int:
    """The one of the 256 colours that is nearest to a 24-bit colour; `first` are the 16 of TEXTS or GROUNDS.

    xterm's own 240 have hardly a dark one that is not grey; the chosen 16 do, and agents draw changes on such grounds.
    """
    steps = [_step(level) for level in (red, green, blue)]
    cube = 16 + 36 * steps[0] + 6 * steps[1] + steps[2]
    grey = 232 + min(max((red + green + blue) // 3 - 3, 0) // 10, 23)
    chosen = {n: _hex(code) for n, code in enumerate(first.split())} | {cube: rgb(cube), grey: rgb(grey)}
    wanted = (red, green, blue)
    return min(chosen, key=lambda n: sum((a - b) ** 2 for a, b in zip(chosen[n], wanted, strict=True)))


def _step(level: int) -> int:
    """Which of the six levels of xterm's cube is nearest."""
    return min(range(6), key=lambda n: abs(_LEVELS[n] - level))


def _hex(code: str) -> tuple[int, int, int]:
    return int(code[:2], 16), int(code[2:4], 16), int(code[4:], 16)


def rgb(n: int) -> tuple[int, int, int]:
    """The colour 16 to 255 of xterm."""
    if n >= 232:
        return (8 + 10 * (n - 232),) * 3
    n -= 16
    return _LEVELS[n // 36], _LEVELS[n // 6 % 6], _LEVELS[n % 6]
