"""A terminal's screen as elements."""

import re

import pytest

from pagewalk import walk
from pco.pages import screen
from pco.pages.html import document, el
from support import TOP


def drawn(data: str | bytes) -> str:
    """What is inside the <pre>."""
    made = str(screen.picture(data.encode() if isinstance(data, str) else data))
    return made.partition(">")[2].removesuffix("</pre>")


def test_colours_and_weights_become_classes():
    assert drawn("a \x1b[1;31mred\x1b[0m b") == 'a <span class="f1 bold">red</span> b'
    assert drawn("\x1b[97;44mx") == '<span class="f15 b4">x</span>'
    assert drawn("\x1b[38;5;214mx\x1b[39my") == '<span class="f214">x</span>y'
    assert drawn("\x1b[3;4;9mx\x1b[23;24;29my") == '<span class="italic strike underline">x</span>y'
    assert drawn("\x1b[1mb\x1b[2md\x1b[22mn") == '<span class="bold">b</span><span class="bold dim">d</span>n'


def test_a_24_bit_colour_becomes_the_nearest_class():
    assert drawn("\x1b[38;2;255;135;0mx") == '<span class="f208">x</span>'
    assert drawn("\x1b[38:2::255:135:0mx") == '<span class="f208">x</span>'
    assert drawn("\x1b[48;2;34;92;43mx") == '<span class="b2">x</span>'
    assert drawn("\x1b[48;2;9999;0;0mx") == '<span class="b196">x</span>'


def test_reverse_swaps_text_and_ground():
    assert drawn("\x1b[31;44;7mx") == '<span class="f4 b1">x</span>'
    assert drawn("\x1b[7mx\x1b[27my") == '<span class="swapped-ground swapped-text">x</span>y'


def test_neighbours_that_look_alike_are_one_piece():
    assert drawn("\x1b[31ma\x1b[31mb\x1b[0;31mc") == '<span class="f1">abc</span>'


@pytest.mark.parametrize(
    "sequence",
    [
        "\x1b[2J",
        "\x1b[10;20H",
        "\x1b[?1049h",
        "\x1b]0;a title\x07",
        "\x1b]8;;https://evil.example.org\x1b\\",
        "\x1b]52;c;ZXZpbA==\x07",
        "\x1bPq#0;2;0;0;0\x1b\\",
        "\x1b_payload\x1b\\",
        "\x1b(0",
        "\x1bc",
        "\x9b31;1H",
        "\x9d0;title\x9c",
        "\x1b",
        "\x07\x08\x00\x7f",
        "\u202e\u2066",
    ],
)
def test_whatever_else_a_terminal_obeys_is_dropped(sequence):
    assert drawn(f"a{sequence}b") in ("ab", "a")
    assert drawn(f"a{sequence}\nb").startswith("a")


@pytest.mark.parametrize(
    "codes", ["38", "38;5", "38;5;256", "38;2;1;2", "48;9", "999999999999", ";;;", "38;2;;;", "-1"]
)
def test_broken_colours_do_no_harm(codes):
    assert "x" in drawn(f"\x1b[{codes}mx")


def test_concealed_text_is_shown():
    assert drawn("\x1b[8mhidden\x1b[0m") == "hidden"


def test_markup_on_the_screen_is_text():
    assert drawn("<script>alert(1)</script>&") == "&lt;script&gt;alert(1)&lt;/script&gt;&amp;"


def test_bytes_that_are_no_text_are_shown_as_such():
    assert drawn(b"a\xff\xfeb") == "a��b"


def test_a_hostile_screen_stays_small_and_quick():
    many = b"\x1b[31mx\x1b[32my" * 100_000
    unfinished = b"\x1b]" * 200_000 + b"\x1b[" * 200_000

    for data in (many, unfinished, b"\x1b[" + b"1;" * 500_000 + b"mx", b"\x1bP" * 300_000):
        made = document([el("title", None, "x")], [el("main", None, screen.picture(data))])
        assert len(made) < 1_500_000
        walk(made)


def test_the_style_sheet_has_the_colours_of_the_classes():
    sheet = (TOP / "share" / "www" / "style.css").read_text()

    for n in range(256):
        found = re.search(rf"\.f{n}{{color:#([0-9a-f]+)}}\.b{n}{{background:#([0-9a-f]+)}}", sheet)
        assert found, n
        both = [value if len(value) == 6 else "".join(2 * c for c in value) for value in found.groups()]
        wanted = [screen.TEXTS.split()[n], screen.GROUNDS.split()[n]] if n < 16 else 2 * [bytes(screen.rgb(n)).hex()]
        assert both == wanted, n


def test_all_classes_of_a_pen_stand_in_the_style_sheet():
    sheet = (TOP / "share" / "www" / "style.css").read_text()

    for name in (*screen._ATTRIBUTES.values(), "swapped-text", "swapped-ground"):
        assert name == "reverse" or f".{name} " in sheet
