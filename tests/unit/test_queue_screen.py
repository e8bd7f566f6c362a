"""A screen drawn by an agent is shown without anything that a terminal would obey."""

import pytest

from pco.commands.queue.failure import harmless


@pytest.mark.parametrize(
    "drawn",
    [
        "a\x1b]0;title\x07b",
        "a\x1b]52;c;aGk=\x1b\\b",
        "a\x1b[2Jb",
        "a\x1b[?1049hb",
        "a\x1bPq#0\x1b\\b",
        "a\x1bcb",
        "a\x9b2Jb",
        "a\x9d0;x\x9cb",
        "a\x08\x00\x7fb",
        "a\u202eb",
        "a\x1b[12;",
        "a\x1b",
    ],
)
def test_what_a_terminal_would_obey_is_dropped(drawn):
    for colour in (True, False):
        shown = harmless(drawn, colour)
        assert all(c.isprintable() for c in shown), repr(shown)
        assert shown.replace("b", "") in ("a", "a[12;", "ac")


def test_colours_stay_and_end_with_their_line():
    assert harmless("\x1b[31mred\nplain", colour=True) == "\x1b[31mred\x1b[0m\nplain"
    assert harmless("\x1b[38;5;8mgrey", colour=True) == "\x1b[38;5;8mgrey\x1b[0m"


def test_without_colour_no_escape_is_left():
    assert harmless("\x1b[1;31mred\x1b[0m", colour=False) == "red"


def test_blinking_and_concealed_text_are_shown_as_text():
    assert harmless("\x1b[8mhidden\x1b[1;5mblink", colour=True) == "hidden\x1b[1mblink\x1b[0m"


@pytest.mark.parametrize(
    ("codes", "kept"),
    [
        ("4:3", "4"),
        ("1;58;5;8;3", "1;3"),
        ("58;2;1;0;8", None),
        ("38;2;8;5;6;8;1", "38;2;8;5;6;1"),
        ("38:2::8:5:6", "38;2;8;5;6"),
        ("58:5:8", None),
        ("008", None),
    ],
)
def test_what_belongs_to_a_colour_is_neither_concealing_nor_left_alone(codes, kept):
    assert harmless(f"\x1b[{codes}mx", colour=True) == (f"\x1b[{kept}mx\x1b[0m" if kept else "x")


def test_only_the_end_of_a_long_screen_is_shown():
    assert harmless("\n".join(map(str, range(1000))), False).split("\n")[0] == "800"
