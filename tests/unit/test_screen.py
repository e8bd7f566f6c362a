"""A terminal's screen as elements."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagewalk import walk
from pco.pages import screen
from pco.pages.html import document, el
from support import TOP

# Claude Code 2.1.330 in a terminal of tmux 3.3a, 110 by 48: an edit, a command, and an answer in Markdown.
CLAUDE = TOP / "tests" / "unit" / "screens" / "claude.ansi"
NAMES = {"bold", "dim", "italic", "strike", "swapped-text", "swapped-ground", *" ".join(screen.UNDERLINES).split()}


def drawn(data: str | bytes) -> str:
    """What is inside the <pre>."""
    made = str(screen.picture(data.encode() if isinstance(data, str) else data))
    return made.partition("<pre>")[2].removesuffix("</pre></section>")


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


@pytest.mark.parametrize(
    ("codes", "classes"),
    [
        ("4", "underline"),
        ("4:1", "underline"),
        ("21", "underline double"),
        ("4:2", "underline double"),
        ("4:3", "underline wavy"),
        ("4:4", "underline dotted"),
        ("4:5", "underline dashed"),
        ("4:3;58;2;255;0;0", "underline wavy"),
        ("4:3;58:2::255:0:0", "underline wavy"),
        ("4;58;5;7", "underline"),
        ("4;4:9", "underline"),
        ("1;21", "bold underline double"),
    ],
)
def test_an_underline_has_its_style_and_its_colour_is_passed_over(codes, classes):
    assert drawn(f"\x1b[{codes}mx") == f'<span class="{classes}">x</span>'


@pytest.mark.parametrize("codes", ["24", "4:0", "0", ""])
def test_an_underline_of_any_style_ends(codes):
    assert drawn(f"\x1b[4:3mx\x1b[{codes}my") == '<span class="underline wavy">x</span>y'


@pytest.mark.parametrize(
    "codes", ["58;2;0;0;0", "58;2;255;0;0", "58;5;0", "58;5;7", "58:5:0", "58:2::0:0:0", "59", "4:9"]
)
def test_what_is_not_drawn_changes_nothing_else(codes):
    assert drawn(f"\x1b[1;31;44mx\x1b[{codes}my") == '<span class="f1 b4 bold">xy</span>'


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


SGR = st.one_of(
    st.text("0123456789;:", max_size=40),
    st.lists(
        st.integers(0, 110) | st.sampled_from(["38;5", "48;2", "58;2;0", "4:3", "58:5", "38:2:"]), max_size=12
    ).map(lambda parts: ";".join(map(str, parts))),
)


OTHERS = re.compile("[\x1b\x90\x98\x9b-\x9f]")


@given(st.lists(st.tuples(SGR, st.text(max_size=5)), max_size=8))
def test_no_colours_ever_break_the_page_or_change_its_words(pieces):
    made = document([el("title", None, "x")], [el("main", None, screen.picture(coloured(pieces)))])
    plain = document(
        [el("title", None, "x")], [el("main", None, screen.picture(coloured([("", t) for _, t in pieces])))]
    )

    assert walk(made).text.rstrip() == walk(plain).text.rstrip()
    for classes in re.findall(r'<span class="([^"]*)">', made.decode()):
        for name in classes.split():
            assert name in NAMES or (name[0] in "fb" and int(name[1:]) < 256)


@given(
    SGR,
    st.lists(st.integers(0, 255), min_size=3, max_size=3),
    st.sampled_from(["58;5;{0}", "58;2;{0};{1};{2}", "58:2::{0}:{1}:{2}", "58:5:{0}"]),
)
def test_the_colour_of_an_underline_leaks_into_nothing(before, numbers, form):
    colour = form.format(*numbers)

    assert drawn(f"\x1b[{before}mx\x1b[{colour}my") == drawn(f"\x1b[{before}mxy")


def coloured(pieces: list[tuple[str, str]]) -> bytes:
    """Texts, each behind its SGR sequence; without what would be another escape."""
    return "".join(f"\x1b[{codes}m{OTHERS.sub('', words)}" for codes, words in pieces).encode()


def test_what_claude_code_draws_is_shown_as_it_is():
    data = CLAUDE.read_bytes()
    made = str(screen.picture(data))
    lines = re.sub(r"\x1b\[[0-9;:]*m", "", data.decode()).split("\n")

    page = walk(document([el("title", None, "x")], [el("main", None, el("h1", None, "x"), screen.picture(data))]))
    assert "\x1b" not in page.text
    assert page.text.rstrip().endswith("\n".join(lines).rstrip())
    assert '<span class="f77 b22"> 2 +</span><span class="f231 b22">world &amp; &lt;b&gt;more&lt;/b&gt;' in made
    assert '<span class="bold underline">Done' in made


def test_all_classes_of_a_pen_stand_in_the_style_sheet():
    sheet = (TOP / "share" / "www" / "style.css").read_text()

    for name in NAMES:
        assert f".{name} " in sheet
