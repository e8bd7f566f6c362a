"""What is hidden in logs and comments, and which patterns are refused since they could hang a program."""

import pytest

from pco.ground import redaction
from pco.ground.redaction import Redaction


@pytest.mark.parametrize(
    "pattern",
    [
        r"[a-z.]{1,60}@example\.org",
        r"password\s{0,4}=\s{0,4}\S+",
        r"(?i)acme-[0-9]{6}",
        r"\b(?:Jane|John) Doe\b",
        r"DE[0-9]{2}(?:[0-9]{4})[0-9]{14}",
        r"x?y?z?key: \S+",
    ],
)
def test_a_pattern_that_people_write_is_taken(pattern):
    assert redaction.check(pattern) == pattern


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        (r"(a+)+b", "repeats a group"),
        (r"(?:a|a)*b", "repeats a group"),
        (r"(?:ab){1,3}", "repeats a group"),
        (r"a*a*b", "could take for ever"),
        (r"a{0,250}a{0,250}b", "could take for ever"),
        ("a?" * 30 + "b", "could take for ever"),
        (r"(a+|b+|c+)(a+|b+|c+)x", "could take for ever"),
        (r"(?>a+)(?>a+)b", "could take for ever"),
        (r"(a)\1", "refers back"),
        (r"(?=a+)b", "looks ahead"),
        (r"x*", "would be everywhere"),
        (r"", "expected"),
        (r"(", "no regular expression"),
        (7, "expected"),
        ("a" * 501, "expected"),
    ],
)
def test_one_that_could_take_for_ever_or_is_none_is_refused(pattern, said):
    with pytest.raises(ValueError, match=said):
        redaction.check(pattern)


def test_what_is_found_is_hidden_in_every_line_and_the_rest_stays():
    hide = Redaction([r"[a-z]{1,20}@example\.org", r"key: \S+"])

    assert hide("ask jane@example.org\nwith key: s3cr3t now") == "ask (hidden)\nwith (hidden) now"
    assert Redaction([])("jane@example.org") == "jane@example.org"


def test_a_line_that_is_very_long_is_looked_at_in_pieces():
    hide = Redaction([r"jane"])

    assert hide("x" * 10_000 + "jane").endswith("x(hidden)")


@pytest.mark.parametrize("before", [*range(785, 805), *range(985, 1005)])
def test_what_stands_where_two_pieces_meet_is_hidden_whole_and_once(before):
    hide = Redaction([r"[a-z.]{1,40}@example\.org"])

    assert hide(f"{'X' * before}jane.doe@example.org{'X' * 3000}") == f"{'X' * before}(hidden){'X' * 3000}"
