"""pco-attach and pco-relay: a person's terminal, the relay, a real tmux server; without systemd all as one user."""

import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from pco.outside import console, relay
from sessions import until
from support import TOP
from terminal import Terminal

PYTHON = sys.executable
ENVIRON = {"PATH": os.environ["PATH"], "HOME": "/", "LC_ALL": "C.UTF-8", "PCO_NO_VENV": "1"}
# What systemd does: the socket is descriptor 3, and the variables name the very process.
BEGIN = """\
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execv(sys.argv[2], sys.argv[2:])
"""


class Place:
    """A tmux server with one session, WEB-1, and its relay."""

    def __init__(self, folder):
        self.folder = folder
        self.server = folder / "tmux.sock"
        self.path = folder / "relay.sock"
        self.people = []
        self.tmux("-f", "/dev/null", "new-session", "-d", "-s", "WEB-1", "-x", "80", "-y", "24", "sh")
        # tmux takes keys that come within a millisecond for pasted text, in which Ctrl-B D does nothing.
        self.tmux("set-option", "-g", "assume-paste-time", "0")
        door = socket.socket(socket.AF_UNIX)
        door.bind(str(self.path))
        door.listen()
        program = [PYTHON, str(TOP / "bin" / "pco-relay"), "--idle", "60", str(self.server), "WEB-1"]
        self.log = folder / "relay.log"
        with open(self.log, "wb") as log:
            begin = [PYTHON, "-c", BEGIN, str(door.fileno()), *program]
            self.relay = subprocess.Popen(begin, env=ENVIRON, pass_fds=[door.fileno()], stderr=log)
        door.close()

    def tmux(self, *words, check=True):
        done = subprocess.run(["tmux", "-S", str(self.server), *words], env=ENVIRON, capture_output=True, text=True)
        assert done.returncode == 0 or not check, done.stderr
        return done.stdout.strip()

    def attach(self, *options, rows=24, columns=80):
        """A person attaches; returns once tmux has drawn."""
        program = [PYTHON, str(TOP / "bin" / "pco-attach"), "--socket", str(self.path), *options, "WEB-1"]
        person = Terminal(program, ENVIRON, rows, columns)
        self.people.append(person)
        before = person.modes()
        person.until(rb"leaves; the session goes on")
        person.before = before
        return person

    def clients(self):
        return self.tmux("list-clients", "-F", "#{client_pid} #{client_width}x#{client_height}").split("\n")

    def close(self):
        for person in self.people:
            person.close()
        self.relay.terminate()
        self.relay.wait(10)
        self.tmux("kill-server", check=False)


@pytest.fixture
def place(tmp_path):
    made = Place(tmp_path)
    yield made
    made.close()


def raw(place):
    """A connection without pco-attach."""
    made = socket.socket(socket.AF_UNIX)
    made.settimeout(20)
    made.connect(str(place.path))
    return made


def children(pid):
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def hello(**changes):
    given = {"size": relay.Size(24, 80), "terminal": "xterm", **changes}
    return relay.frame(relay.HELLO, relay.Hello(**given).to_bytes())


def words(connection, kinds=relay.OUTPUT + relay.END):
    """All that comes until the connection ends: what is shown, and the letter that says why."""
    frames, shown, why = relay.Frames(kinds), b"", b""
    with suppress(ConnectionResetError):
        while came := connection.recv(1 << 16):
            for kind, data in frames.feed(came):
                shown, why = (shown, data) if kind == relay.END else (shown + data, why)
    return shown, why


def test_what_a_person_types_reaches_the_session_and_what_it_says_the_person(place):
    person = place.attach()

    person.type(b"echo $((40+2)) shown\r")

    person.until(rb"42 shown")


def test_a_person_leaves_with_the_keys_of_tmux_and_the_session_goes_on(place):
    person = place.attach()

    person.type(b"\x02d")

    assert person.end() == 0
    assert b"WEB-1: detached; the session goes on" in person.shown
    assert place.tmux("has-session", "-t", "=WEB-1") == ""


def test_a_person_leaves_with_an_escape_that_no_session_can_take_away(place):
    place.tmux("unbind-key", "d")
    person = place.attach()

    person.type(b"\x1d\x1d\x1d")

    assert person.end() == 0
    assert b"detached" in person.shown


def test_the_terminal_is_afterwards_as_it_was(place):
    person = place.attach()
    person.type(b"printf '\\033[?1000h\\033[?2004h\\033[?25l'\r")
    person.quiet()

    person.type(b"\x02d")
    person.end()

    assert person.modes() == person.before
    assert console.RESET in person.shown


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_killed_pco_attach_resets_the_terminal_and_says_by_its_code_that_it_was_killed(number, place):
    person = place.attach()

    os.kill(person.pid, number)

    assert person.end() == 128 + number
    assert console.RESET in person.shown
    assert person.modes() == person.before


def test_a_pco_attach_that_is_killed_hard_leaves_no_client_behind(place):
    person = place.attach()

    os.kill(person.pid, signal.SIGKILL)
    person.end()

    until(lambda: place.clients() == [""])


def test_the_end_of_the_session_ends_the_look_and_says_so(place):
    person = place.attach()

    place.tmux("kill-session", "-t", "=WEB-1")

    assert person.end() == 0
    assert b"WEB-1: the session has ended" in person.shown


def test_another_size_of_the_window_reaches_the_session(place):
    person = place.attach()

    person.resize(40, 133)

    until(lambda: "133x40" in place.clients()[0])


def test_a_flood_passes_whole_and_keys_still_pass(place):
    person = place.attach()

    person.type(b"head -c 3000000 /dev/zero | base64; echo the''end\r")

    person.until(rb"theend", seconds=60)


def test_who_reads_nothing_does_not_keep_others_waiting(place):
    slow = raw(place)
    slow.sendall(hello())
    until(lambda: len(place.clients()) == 1 and place.clients() != [""])
    person = place.attach()

    person.type(b"head -c 5000000 /dev/zero | base64; echo the''end\r")
    person.until(rb"theend", seconds=60)
    person.type(b"echo $((40+2)) again\r")

    person.until(rb"42 again")
    slow.close()


def test_a_read_only_look_passes_no_key_on(place):
    person = place.attach("--read-only")

    person.type(b"touch touched\recho $((40+2)) typed\r")
    other = place.attach()
    other.type(b"echo $((40+3)) typed\r")
    other.until(rb"43 typed")

    assert b"42 typed" not in person.quiet()


@pytest.mark.parametrize("key", [b"q", b"\x03", b"\x02d"])
def test_a_read_only_look_is_left_with_a_key(key, place):
    person = place.attach("--read-only")

    person.type(key)

    assert person.end() == 0
    assert b"detached" in person.shown


def test_what_a_session_makes_its_clients_run_runs_beside_the_relay_and_not_as_the_persons_program(place):
    person = place.attach()

    client = place.tmux("list-clients", "-F", "#{client_name}")
    place.tmux("detach-client", "-t", client, "-E", f"ps -o ppid= -p $$ >{place.folder}/parent; exec sleep 1000")
    parent = until(lambda: (place.folder / "parent").read_text().strip())
    person.type(b"\x1d\x1d\x1d")

    assert int(parent) == place.relay.pid
    assert person.end() == 0
    until(lambda: not children(place.relay.pid))


def test_a_lock_command_of_the_session_runs_beside_the_relay(place):
    person = place.attach()
    place.tmux("set", "-g", "lock-command", f"ps -o sid= -p $$ >{place.folder}/session; sleep 1")

    place.tmux("lock-server")
    said = until(lambda: (place.folder / "session").read_text().strip())

    assert int(said) != os.getsid(person.pid)


def test_when_as_many_look_as_may_the_next_is_told_to_try_later(place):
    crowd = [raw(place) for _ in range(8)]
    for one in crowd:
        one.sendall(hello())
    until(lambda: len(place.clients()) == 8)

    program = [PYTHON, str(TOP / "bin" / "pco-attach"), "--socket", str(place.path), "WEB-1"]
    person = Terminal(program, ENVIRON)
    place.people.append(person)

    assert person.end() == 75
    assert b"too many people" in person.shown


@pytest.mark.parametrize(
    "hostile",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        relay.frame(relay.KEYS, b"x"),
        relay.frame(relay.HELLO, b"\x02\x00\x00\x18\x00\x50xterm"),
        relay.frame(relay.HELLO, b"\x01"),
        hello() + relay.frame(relay.HELLO, b"\x01\x00\x00\x18\x00\x50xterm"),
        hello() + relay.frame(relay.SIZE, b"\xff"),
        hello() + relay.frame(relay.OUTPUT, b"x"),
    ],
)
def test_who_says_what_the_relay_does_not_know_is_put_out_and_others_stay(hostile, place):
    person = place.attach()
    stranger = raw(place)

    stranger.sendall(hostile)
    _, why = words(stranger)

    assert why == relay.Why.REFUSED.value
    person.type(b"echo $((40+2)) well\r")
    person.until(rb"42 well")


@pytest.mark.parametrize("name", ["", "x" * 60, "../../etc/passwd", "no-such-terminal", "xterm;id"])
def test_a_strange_name_of_a_terminal_does_not_keep_anybody_out(name, place):
    person = raw(place)

    person.sendall(hello(terminal=name))

    until(lambda: len(place.clients()) == 1 and place.clients() != [""])


def test_sizes_beyond_reason_are_cut(place):
    person = raw(place)

    person.sendall(hello(size=relay.Size(0xFFFF, 0xFFFF)))

    until(lambda: "1000x500" in place.clients()[0])


def test_the_relay_ends_well_when_it_is_told_to_and_people_learn_it(place):
    person = place.attach()

    place.relay.terminate()

    assert place.relay.wait(10) == 0
    assert person.end() == 0


def test_a_relay_that_nobody_passed_a_socket_to_says_so(tmp_path):
    done = subprocess.run(
        [PYTHON, str(TOP / "bin" / "pco-relay"), str(tmp_path / "s"), "WEB-1"],
        env=ENVIRON,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 78
    assert "has not passed on a socket" in done.stderr


def attach(tmp_path, key="WEB-1"):
    """Without a relay, on a terminal; returns the exit code and what was shown."""
    program = [PYTHON, str(TOP / "bin" / "pco-attach"), "--socket", str(tmp_path / "none.sock"), key]
    person = Terminal(program, ENVIRON)
    code = person.end()
    person.close()
    return code, person.shown


def test_a_ticket_without_a_session_is_named(tmp_path):
    code, shown = attach(tmp_path)

    assert code == 69
    assert b"WEB-1: has no session that runs" in shown


def test_what_is_no_key_is_refused(tmp_path):
    code, shown = attach(tmp_path, "../x")

    assert code == 65
    assert b"is no ticket key" in shown


def test_who_is_not_in_the_group_is_told_what_to_do(tmp_path, monkeypatch):
    if os.geteuid() == 0:
        os.chmod(tmp_path, 0o755)
        for folder in list(tmp_path.parents)[:3]:
            os.chmod(folder, folder.stat().st_mode | 0o055)
    door = socket.socket(socket.AF_UNIX)
    door.bind(str(tmp_path / "none.sock"))
    door.listen()
    os.chmod(tmp_path / "none.sock", 0o600)
    code = (
        f"import os, sys; sys.path.insert(0, {str(TOP / 'lib')!r})\n"
        "from pathlib import Path\nfrom pco.outside.relay import connect\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"  # now: it may lie where that user cannot look
        f"try: connect(Path({str(tmp_path / 'none.sock')!r}))\n"
        "except Exception as error: print(error, error.hint)"
    )
    if os.geteuid() != 0:
        pytest.skip("changes the user")

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd="/")

    assert "only members of group pco may attach" in done.stdout, done.stderr


def test_without_a_terminal_nothing_is_attached(tmp_path):
    program = [PYTHON, str(TOP / "bin" / "pco-attach"), "WEB-1"]
    done = subprocess.run(program, env=ENVIRON, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)

    assert done.returncode == 65
    assert "needs a terminal" in done.stderr


def test_frames_come_whole_however_they_are_cut():
    data = relay.frame(relay.OUTPUT, b"x" * 100_000) + relay.frame(relay.END, b"d")
    frames = relay.Frames(relay.OUTPUT + relay.END)

    found = [one for at in range(0, len(data), 997) for one in frames.feed(data[at : at + 997])]

    assert b"".join(d for kind, d in found if kind == relay.OUTPUT) == b"x" * 100_000
    assert found[-1] == (relay.END, b"d")
