"""What of a session's drawing reaches a terminal."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import corpus
from pco.rules.passing import MOST, Passing

DRAWN = (
    b"plain text\r\n\ttabs \xc3\xa4\xc3\xb6 \xc2\xab\xc2\xa0\xe2\x9c\xbb",
    b"\x1b[1;31mred\x1b[0m\x1b[38;2;1;2;3m\x1b[4:3m",
    b"\x1b[2J\x1b[H\x1b[?1049h\x1b[?25l\x1b[2;4r\x1b[?6h",
    b"\x1b[c\x1b[>c\x1b[>q\x1b[6n\x1b[?2026$p\x1b[14t\x1b[18t\x1b[22;0t\x1b[1 q",
    b"\x1b(0lqqk\x1b(B\x1b=\x1b>\x1b7\x1b8\x1bM\x1bc",
    b"\x1b]0;a title\x07\x1b]2;another\x1b\\\x1b]11;?\x07\x1b]8;;https://example.org\x1b\\link\x1b]8;;\x1b\\",
)
KEPT_BACK = {
    "the clipboard, asked for": b"\x1b]52;c;?\x07",
    "the clipboard, set": b"\x1b]52;c;dG91Y2ggeA==\x1b\\",
    "the clipboard of kitty": b"\x1b]5522;type=read;aGVsbG8=\x1b\\",
    "a number with noughts": b"\x1b]052;c;?\x07",
    "a font, asked for": b"\x1b]50;?\x07",
    "a file of iTerm2": b"\x1b]1337;File=name=x:AAAA\x07",
    "a notification": b"\x1b]777;notify;a;b\x07",
    "the title, asked for": b"\x1b[21t",
    "the icon's title, asked for": b"\x1b[020;1t",
    "a setting, asked for": b'\x1bP$q"p\x1b\\',
    "a capability, asked for": b"\x1bP+q544e\x1b\\",
    "something passed through": b"\x1bPtmux;\x1b\x1b]52;c;?\x07",
    "a picture of kitty": b"\x1b_Gi=1;AAAA\x1b\\",
    "a private message": b"\x1b^x\x1b\\",
    "a string": b"\x1bXx\x1b\\",
    "a title of screen": b"\x1bktitle\x1b\\",
    "a checksum of the screen": b"\x1b[1;1;1;1;1;1*y",
    "a macro": b"\x1b[1*z",
    "a printer": b"\x1b[5i",
    "the title, asked for with a colon": b"\x1b[21:0t",
    "the screen on paper": b"\x1b[?1i",
    "an answerback": b"\x05",
    "OSC as one character": b"\xc2\x9d",
    "DCS as one character": b"\xc2\x90",
    "CSI as one character": b"\xc2\x9b",
    "OSC behind half a character": b"\xc2\xc2\x9d",
    "OSC in two halves": b"\xc2\x05",
    "OSC as one character in a title": b"\x1b]0;\xc2\x9d52;c;?\x07",
    "an answerback in a title": b"\x1b]0;\x05\x07",
    "characters that are not UTF-8": b"\x1b%@",
    "UTF-8 without a way back": b"\x1b%/G",
}


def passed(data: bytes, step: int = 1 << 20) -> bytes:
    passing = Passing()
    return b"".join(passing.feed(data[at : at + step]) for at in range(0, len(data), step))


@pytest.mark.parametrize("step", [1, 2, 3, 1000])
@pytest.mark.parametrize("data", DRAWN, ids=repr)
def test_what_draws_passes_as_it_is_however_it_is_cut(data, step):
    assert passed(data, step) == data


@pytest.mark.parametrize("step", [1, 2, 1000])
@pytest.mark.parametrize("what", KEPT_BACK)
def test_what_takes_or_answers_is_dropped_and_what_follows_is_shown(what, step):
    assert passed(b"before " + KEPT_BACK[what] + b"after", step) == b"before after"


def test_a_string_that_never_ends_is_not_kept_in_memory_and_its_end_is_found():
    passing = Passing()

    said = b"".join(passing.feed(b"\x1b]0;" + b"x" * 1000 if n == 0 else b"x" * 1000) for n in range(1000))

    assert said == b""
    assert len(passing._held) <= MOST
    assert passing.feed(b"\x07shown") == b"shown"


@pytest.mark.parametrize("inner", [b"\x1b[31m", b"\x1b[21t", b"\x1b]52;c;?\x07"], ids=repr)
def test_a_string_that_another_sequence_cuts_off_hides_nothing_of_that(inner):
    assert passed(b"\x1b]2;title" + inner + b"x") == passed(inner + b"x")
    assert passed(b"\x1bPdata" + inner + b"x") == passed(inner + b"x")


def test_nothing_of_the_corpus_passes_that_would_be_dropped_from_what_passed():
    for text in corpus.ALL:
        once = passed(text.encode("utf-8", "replace"))
        assert passed(once) == once


@settings(max_examples=2000)
@given(
    st.lists(
        st.sampled_from(
            [
                b"\x1b",
                b"]",
                b"52;c;?",
                b"0;",
                b"\x07",
                b"\\",
                b"P",
                b"[",
                b"21",
                b"t",
                b"\xc2",
                b"\x9d",
                b"\x05",
                b"%",
                b"x",
            ]
        )
    )
)
def test_whatever_is_put_together_and_cut_no_question_about_the_clipboard_or_the_title_passes(parts):
    whole = b"".join(parts)
    said = passed(whole)

    assert said == b"".join(map(Passing().feed, parts))
    assert b"\x1b]52" not in said and b"\x1b[21t" not in said and b"\x1bP" not in said and b"\xc2\x9d" not in said
    assert b"\x1b%" not in said
