"""People at a session that wants to hold them, to spoil their terminal or to type for them; and a relay that lies."""

import os
import select
import shlex
import signal
import socket
import subprocess
import sys
import threading

import pytest

from pco.outside import relay
from programs.test_attach import ENVIRON, Place, children, hello, raw
from sessions import until
from support import TOP
from terminal import Terminal

# All that a terminal has; the session can write it, for the relay's terminals are its own user's.
NASTY = (
    b"\x1b[?1049h\x1b[?1003h\x1b[?1006h\x1b[?2004h\x1b[?1004h\x1b[?25l\x1b[?1h\x1b=\x1b[4h\x1b[2;4r\x1b[?6h\x1b[?7l"
    b"\x1b[31;7m\x1b(0\x1b]0;unfinished"
)
STATE = (
    "#{alternate_on} #{mouse_any_flag}#{mouse_sgr_flag} #{cursor_flag} #{keypad_cursor_flag}#{keypad_flag} "
    "#{insert_flag} #{scroll_region_upper}-#{scroll_region_lower} #{origin_flag} #{wrap_flag}"
)
SANE = "0 00 1 00 0 0-23 0 1"


@pytest.fixture
def place(tmp_path):
    made = Place(tmp_path)
    yield made
    made.close()


@pytest.fixture
def around(tmp_path):
    """A real terminal, whose state can be asked for: a tmux of the person's own, with a shell in it."""
    tmux = ["tmux", "-f", "/dev/null", "-S", str(tmp_path / "around.sock")]

    def ask(*words):
        return subprocess.run([*tmux, *words], env=ENVIRON, capture_output=True, text=True, check=True).stdout.strip()

    ask("new-session", "-d", "-x", "80", "-y", "24", "env", *(f"{k}={v}" for k, v in ENVIRON.items()), "PS1=", "sh")
    ask("set-option", "-g", "status", "off")
    yield ask
    ask("kill-server")


def state(around):
    return around("display-message", "-p", STATE)


def test_a_real_terminal_is_sane_again_whatever_the_session_did_to_it(place, around, tmp_path):
    attach = shlex.join([sys.executable, f"{TOP}/bin/pco-attach", "--socket", str(place.path), "WEB-1"])
    around("send-keys", f"echo FIRST; {attach} & echo $! >{tmp_path}/pid; fg; stty -echo; echo qq'q'", "Enter")
    until(lambda: "leaves; the session goes on" in around("capture-pane", "-p"))
    with open(place.tmux("list-clients", "-F", "#{client_tty}"), "wb", buffering=0) as tty:
        tty.write(NASTY)
    until(lambda: state(around).startswith("1 11 0"))

    os.kill(int((tmp_path / "pid").read_text()), signal.SIGTERM)
    until(lambda: "qqq" in around("capture-pane", "-p").split("\n"))

    assert until(lambda: state(around) == SANE)
    shown = around("capture-pane", "-e", "-p").split("\n")
    assert "FIRST" in shown  # the screen from before is back
    assert "qqq" in shown  # neither red nor drawn as lines


def test_a_session_neither_asks_for_nor_sets_what_is_the_persons_own(place):
    person = place.attach()

    with open(place.tmux("list-clients", "-F", "#{client_tty}"), "wb", buffering=0) as tty:
        tty.write(b"one\x1b]52;c;?\x07\x1b]52;c;eA==\x1b\\\x1b[21t\x1bP+q544e\x1b\\\x1b[5i\x05two")

    person.until(b"onetwo")


def test_what_the_terminal_answers_late_does_not_reach_the_command_line(place):
    person = place.attach()
    person.answers = False
    slave = os.open(f"/proc/{person.pid}/fd/0", os.O_RDWR | os.O_NOCTTY)
    try:
        person.type(b"\x02d")
        person.until(rb"\x1b\[c")
        person.type(b"\x1b[24;80R; rm -rf x\r\x1b[?62;22c")

        assert person.end() == 0
        assert select.select([slave], [], [], 0)[0] == []
    finally:
        os.close(slave)


def test_a_session_whose_tmux_does_not_listen_holds_nobody(place):
    person = place.attach()
    os.kill(int(place.clients()[0].split()[0]), signal.SIGSTOP)

    person.type(b"\x1d\x1d\x1d")

    assert person.end() == 0
    until(lambda: place.clients() == [""])


def test_a_program_that_outlives_the_client_holds_nobody(place):
    person = place.attach()

    client = place.tmux("list-clients", "-F", "#{client_name}")
    place.tmux("detach-client", "-t", client, "-E", "(trap '' HUP; exec sleep 30) & exit 3")

    assert person.end() == 69
    assert b"tmux could not show the session" in person.shown


def test_what_a_session_makes_its_client_run_inherits_nothing_but_its_terminal(place):
    people = [place.attach(), place.attach()]

    look = f"(ls -l /proc/$$/fd; env) >{place.folder}/$$.part; mv {place.folder}/$$.part {place.folder}/$$.said"
    place.tmux("set-option", "-g", "lock-command", look)
    place.tmux("lock-session", "-t", "=WEB-1")
    said = until(lambda: len(found := [*place.folder.glob("*.said")]) == 2 and [path.read_text() for path in found])

    fds = f"/proc/{place.relay.pid}/fd"
    # Not where it listens: the one who began it, a test, let that be inherited.
    held = {os.readlink(f"{fds}/{name}") for name in os.listdir(fds)} - {os.readlink(f"{fds}/3")}
    secret = [*(link for link in held if link.startswith("socket:")), "ptmx", "LISTEN"]
    assert len(secret) == 4
    assert [word for word in secret if any(word in text for text in said)] == []
    assert len(people) == 2


def test_a_session_whose_tmux_is_killed_has_ended(place):
    person = place.attach()

    os.kill(int(place.tmux("display-message", "-p", "#{pid}")), signal.SIGKILL)

    assert person.end() == 0
    assert b"WEB-1: the session has ended" in person.shown


def test_a_relay_that_is_killed_leaves_the_terminal_as_it_was(place):
    person = place.attach()

    place.relay.kill()

    assert person.end() == 75
    assert b"the connection was lost" in person.shown
    assert person.modes() == person.before


@pytest.mark.parametrize(
    "said",
    [b"", b"junk", relay.frame(relay.END, b"?"), relay.frame(relay.OUTPUT, b"x") + b"\0\0\0", b"O\xff\xffxx"],
    ids=repr,
)
def test_a_relay_that_is_none_harms_nobody(tmp_path, said):
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(tmp_path / "door"))
        door.listen()

        def answer():
            with door.accept()[0] as caller:
                caller.recv(100)
                caller.sendall(said)

        threading.Thread(target=answer, daemon=True).start()
        program = [sys.executable, str(TOP / "bin" / "pco-attach"), "--socket", str(tmp_path / "door"), "WEB-1"]
        person = Terminal(program, ENVIRON)

        assert person.end() == 75
        assert b"the connection was lost" in person.shown
        person.close()


def test_keys_of_who_only_looks_are_dropped_even_if_somebody_sends_them(place):
    place.tmux("respawn-pane", "-k", "-t", "=WEB-1:", "cat")
    with raw(place) as looks, raw(place) as types:
        looks.sendall(hello(read_only=True) + relay.frame(relay.KEYS, b"forbidden\r"))
        until(lambda: place.tmux("list-clients", "-F", "#{client_readonly}") == "1")
        types.sendall(hello() + relay.frame(relay.KEYS, b"allowed\r"))
        until(lambda: "allowed" in place.tmux("capture-pane", "-p", "-t", "=WEB-1:"))

    assert "forbidden" not in place.tmux("capture-pane", "-p", "-t", "=WEB-1:")


def test_what_is_typed_before_the_session_shows_arrives_whole(place):
    place.tmux("respawn-pane", "-k", "-t", "=WEB-1:", "stty raw -echo; echo ready; exec cat -v")
    until(lambda: "ready" in place.tmux("capture-pane", "-p", "-t", "=WEB-1:"))

    with raw(place) as person:
        person.sendall(hello() + relay.frame(relay.KEYS, b"x\x03y\x1cz\r"))

        until(lambda: "x^Cy^\\z^M" in place.tmux("capture-pane", "-p", "-t", "=WEB-1:"))


def test_who_comes_and_says_nothing_does_not_take_a_seat_for_long(place):
    with raw(place) as silent:
        frames = list(relay.Frames(relay.OUTPUT + relay.END).feed(silent.recv(100)))

        assert frames == [(relay.END, relay.Why.REFUSED.value)]


def test_more_keys_than_a_session_takes_stay_with_the_person(place):
    with raw(place) as person:
        person.sendall(hello())
        until(lambda: place.clients() != [""])
        server = int(place.tmux("display-message", "-p", "#{pid}"))
        os.kill(server, signal.SIGSTOP)
        try:
            person.settimeout(0.5)
            with pytest.raises(TimeoutError):
                for _ in range(200):
                    person.sendall(relay.frame(relay.KEYS, b"x" * 60_000))
            with open(f"/proc/{place.relay.pid}/status") as status:
                (kib,) = (int(line.split()[1]) for line in status if line.startswith("VmRSS"))
        finally:
            os.kill(server, signal.SIGCONT)

    assert kib < 60_000


def test_a_terminal_that_can_show_nothing_is_told_so(place):
    program = [sys.executable, str(TOP / "bin" / "pco-attach"), "--socket", str(place.path), "WEB-1"]
    person = Terminal(["env", "TERM=dumb", *program], ENVIRON)

    assert person.end() == 69
    assert b"is TERM the name of your terminal?" in person.shown
    person.close()


def test_of_whoever_has_left_no_process_stays(place):
    person = place.attach()
    client = place.tmux("list-clients", "-F", "#{client_name}")
    place.tmux("detach-client", "-t", client, "-E", "trap '' HUP TERM INT; echo deaf; while :; do sleep 0.1; done")
    person.until(rb"deaf")

    person.type(b"\x1d\x1d\x1d")
    person.end()

    until(lambda: children(place.relay.pid) == [])
