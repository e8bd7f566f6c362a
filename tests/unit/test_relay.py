"""What is said between a person's terminal and the relay of a session, and what keys mean to pco-attach."""

import os
import subprocess
import sys

import pytest

from pco.commands.attach import Hands
from pco.ground.errors import BadData
from pco.outside.console import RESET
from pco.outside.relay import END, HELLO, KEYS, MOST, SIZE, Frames, Hello, Size, frame


def test_frames_come_whole_however_the_bytes_are_cut():
    sent = frame(KEYS, b"abc") + frame(SIZE, Size(24, 80).to_bytes()) + frame(KEYS, b"")
    frames = Frames(KEYS + SIZE)

    got = [whole for at in range(len(sent)) for whole in frames.feed(sent[at : at + 1])]

    assert got == [(KEYS, b"abc"), (SIZE, b"\x00\x18\x00\x50"), (KEYS, b"")]
    assert list(Frames(KEYS + SIZE).feed(sent)) == got


def test_what_is_too_long_for_a_frame_is_sent_in_several():
    sent = list(Frames(KEYS).feed(frame(KEYS, b"x" * (MOST + 1))))

    assert [len(data) for _, data in sent] == [MOST, 1]


@pytest.mark.parametrize("sent", [frame(END, b"d"), b"\0", b"\xff\xff\xff", frame(HELLO, b"")], ids=repr)
def test_a_kind_that_is_not_expected_is_refused_before_its_data_has_come(sent):
    with pytest.raises(BadData):
        list(Frames(KEYS + SIZE).feed(sent[:1]))


def test_a_hello_says_who_comes():
    hello = Hello(Size(30, 100), "xterm-256color", read_only=True)

    assert Hello.from_bytes(hello.to_bytes()) == hello


@pytest.mark.parametrize("name", ["", "../../x", "-x", "a b", "x" * 41, "\x1b[m", "é"])
def test_a_strange_name_of_a_terminal_is_taken_for_xterm(name):
    assert Hello.from_bytes(b"\x01\x00\x00\x18\x00\x50" + name.encode()).terminal == "xterm"


@pytest.mark.parametrize("data", [b"", b"\x01", b"\x02\x00\x00\x18\x00\x50xterm"], ids=repr)
def test_a_hello_of_another_version_or_half_of_one_is_refused(data):
    with pytest.raises(BadData):
        Hello.from_bytes(data)


def test_a_size_stays_within_bounds():
    assert Size.from_bytes(b"\xff\xff\xff\xff") == Size(500, 1000)
    assert Size.from_bytes(b"\0\0\0\0") == Size(1, 1)
    with pytest.raises(BadData):
        Size.from_bytes(b"\0\0\0")


@pytest.mark.parametrize("key", [b"\x1d", b"\x1b[27;5;93~", b"\x1b[93;5u", b"\x1b[93:125;5:1u"], ids=repr)
def test_ctrl_bracket_three_times_leaves_however_the_terminal_sends_it(key):
    hands = Hands(read_only=False)

    assert [hands.leave(typed) for typed in (key, b"q\x03", key, key)] == [False, False, False, True]


def test_only_a_read_only_look_is_left_by_q_or_ctrl_c_or_the_keys_of_tmux():
    assert [Hands(True).leave(typed) for typed in (b"q", b"\x03", b"\x02d", b"x", b"d")] == [True] * 3 + [False] * 2
    assert [Hands(False).leave(typed) for typed in (b"q", b"\x03", b"\x02d")] == [False] * 3
    slow = Hands(True)
    assert [slow.leave(b"\x02"), slow.leave(b"d")] == [False, True]


def test_what_the_terminal_answers_by_itself_does_not_leave():
    assert not Hands(True).leave(b"\x1bP1$r0 q\x1b\\")


def test_modes_that_no_test_can_ask_a_terminal_for_are_switched_off():
    for mode in (b"?2004l", b"?1004l", b"?1000l", b"?1002l", b"?1006l", b"?1049l", b"?25h", b">4m", b"=0u"):
        assert b"\x1b[" + mode in RESET


@pytest.mark.parametrize(("locale", "said"), [("C.UTF-8", True), ("C", False)])
def test_a_terminal_of_utf8_is_put_back_to_that(locale, said):
    ours, theirs = os.openpty()
    code = "import os; from pco.outside import console; os.write(1, console.reset(0))"
    environment = {**os.environ, "LC_ALL": locale, "PYTHONUTF8": "0", "PYTHONPATH": os.pathsep.join(sys.path)}

    told = subprocess.run([sys.executable, "-c", code], stdin=theirs, stdout=-1, env=environment, check=True).stdout

    os.close(ours), os.close(theirs)
    assert told == RESET + (b"\x1b%G" if said else b"")
