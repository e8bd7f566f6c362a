"""What the parameters of SGR mean, and what belongs to which."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pco.ground import sgr
from pco.ground.sgr import Code, codes


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("", [Code(0)]),
        ("1;;3", [Code(1), Code(0), Code(3)]),
        ("0001", [Code(1)]),
        ("4:3", [Code(4, (3,))]),
        ("4:0;1", [Code(4, (0,)), Code(1)]),
        ("38;5;214;1", [Code(38, (5, 214)), Code(1)]),
        ("48;2;0;7;0;4", [Code(48, (2, 0, 7, 0)), Code(4)]),
        ("58;5;7;3", [Code(58, (5, 7)), Code(3)]),
        ("58;2;255;0;0", [Code(58, (2, 255, 0, 0))]),
        ("38:5:214;1", [Code(38, (5, 214)), Code(1)]),
        ("58:2::255:0:0;1", [Code(58, (2, 255, 0, 0)), Code(1)]),
        ("38:2:1:2:3", [Code(38, (2, 1, 2, 3))]),
        ("38:2:1:255:0:0", [Code(38, (2, 255, 0, 0))]),
        ("38:2::255:0:0:0:1", [Code(38, (2, 255, 0, 0))]),
        ("48;2;9999;0;0", [Code(48, (2, 255, 0, 0))]),
        ("38;2;;;", [Code(38, (2, 0, 0, 0))]),
    ],
)
def test_what_belongs_to_a_parameter_is_taken_with_it(text, meant):
    assert codes(text) == meant


@pytest.mark.parametrize(
    "text", ["38", "38;5", "38;2;1;2", "48;9;1;4", "58;;4", "38;5:3;1", "38;4:3;1", "58;2;1;2;4:1"]
)
def test_a_broken_colour_ends_the_sequence_for_what_follows_might_be_meant_for_it(text):
    assert codes(f"9;{text}") == [Code(9)]


@pytest.mark.parametrize("text", ["1:2", "4:", "4::", "4:3:1", "38:", "38:2:1:2", "38:9:1", "0:0", "58:5", "58"])
def test_a_broken_parameter_with_colons_says_nothing_and_what_follows_stands(text):
    if ":" in text:
        assert codes(f"9;{text};3") == [Code(9), Code(3)]


NUMBERS, COLOURS = st.lists(st.integers(0, 300) | st.sampled_from([2, 5]), max_size=8), st.sampled_from(sgr.COLOURS)


@given(NUMBERS, COLOURS)
@example([5, 0, 0], 38)
def test_a_colour_takes_its_arguments_and_what_follows_stands_for_itself(numbers, colour):
    taken = {2: 4, 5: 2}.get(numbers[0], 0) if numbers else 0
    found = codes(";".join(map(str, (colour, *numbers))))

    if not taken or len(numbers) < taken:
        assert found == []
        return
    assert (found[0].number, len(found[0].given)) == (colour, taken)
    assert found[1:] == (codes(";".join(map(str, numbers[taken:]))) if numbers[taken:] else [])


@given(NUMBERS, COLOURS)
def test_nothing_behind_the_colons_of_a_colour_is_ever_taken_for_an_attribute(numbers, colour):
    found = codes(":".join(map(str, (colour, *numbers))))

    assert [code.number for code in found] in ([colour], [])
    assert all(len(code.given) == {5: 2, 2: 4}[code.given[0]] for code in found)


@given(st.text("0123456789;:", max_size=400))
def test_what_is_written_again_means_the_same(text):
    once = [code for code in codes(text) if code.number != 4]

    assert codes(";".join(map(str, once))) == (once or [Code(0)])
    assert len(once) <= sgr.MOST


def test_a_style_of_an_underline_is_written_as_every_terminal_knows_it():
    assert [str(code) for code in (Code(4), Code(4, (3,)), Code(4, (0,)))] == ["4", "4", "24"]
