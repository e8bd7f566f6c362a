"""People before sessions: with the installed units, as alice of group pco, and as bob who is not in it."""

import os
from collections.abc import Iterator

import pytest
from host import CLEAN
from inside import Inside, begin, furnish
from installed import Installed, booted

from terminal import Terminal


@pytest.fixture(scope="module")
def pco(able: None) -> Iterator[Installed]:
    """A host where agents do what a test says."""
    with booted("a") as pco:
        pco.host.exec("useradd", "bob")
        furnish(pco)
        yield pco


@pytest.fixture(scope="module")
def session(pco: Installed) -> Inside:
    """A running session."""
    return begin(pco)[0]


@pytest.fixture
def attach(pco: Installed, session: Inside):
    """Let a person attach; the terminals are taken away after the test."""
    people = []

    def attach(user: str, *options: str, inside: Inside = session, drawn: bool = True) -> Terminal:
        enter = ["nsenter", "-t", str(pco.host.leader), "-m", "-u", "-i", "-n", "-p", "-C", "--"]
        clean = [word for word in CLEAN if word != "TERM=dumb"]
        line = ["runuser", "-u", user, "--", "pco-queue", "attach", *options, inside.key]
        person = Terminal([*enter, *clean, "TERM=xterm-256color", *line], dict(os.environ))
        people.append(person)
        if drawn:
            person.until(rb"leaves; the session goes on")
        return person

    yield attach
    for person in people:
        person.close()


def tmux(session: Inside, *words: str) -> str:
    """The agent asks its own tmux."""
    code, said = session.tells("tmux", "-S", f"/run/pco-session/{session.key}/tmux.sock", *words)
    assert code == 0, said
    return said.strip()


def shell(session: Inside) -> None:
    """A second window of the session, with a shell in it."""
    tmux(session, "new-window", "-d", "-k", "-t", f"={session.key}:7", "sh")
    tmux(session, "select-window", "-t", f"={session.key}:7")


def test_a_member_of_the_group_types_into_a_session_as_the_user_of_the_session(pco, session, attach):
    shell(session)
    alice = attach("alice")

    alice.type(b'echo "I am $(id -un)"\r')

    alice.until(f"I am pco-{session.key}\r\n".encode())
    alice.quiet()
    alice.type(b"\x02")
    alice.quiet()  # what comes within a millisecond counts as pasted
    alice.type(b"d")
    assert alice.end() == 0
    assert session.main
    told = pco.host.journal(f"PCO_KEY={session.key}", "PCO_USER=alice")
    assert any("attached" in entry["MESSAGE"] for entry in told)


def test_who_is_not_in_the_group_is_kept_out(session, attach):
    bob = attach("bob", drawn=False)

    assert bob.end() == 77
    assert b"members of group pco may" in bob.shown


def test_the_socket_is_for_the_group_and_the_relay_is_the_sessions_user(pco, session, attach):
    attach("alice")

    socket = pco.host.exec("stat", "-c", "%A %U:%G", f"/run/pco-attach/{session.key}.sock").stdout
    relay = pco.host.show(f"pco-attach@{session.key}.service", "MainPID")["MainPID"]

    assert socket == "srw-rw---- root:pco\n"
    assert pco.host.exec("ps", "-o", "user:40=", "-p", relay).stdout.strip() == f"pco-{session.key}"


def test_a_read_only_look_types_nothing(session, attach):
    shell(session)
    alice = attach("alice", "--read-only")

    alice.type(b"echo $((40+2)) typed\r")
    other = attach("alice")
    other.type(b"echo $((40+3)) typed\r")
    other.until(b"43 typed")

    assert b"42 typed" not in alice.quiet()
    alice.type(b"q")
    assert alice.end() == 0


@pytest.mark.parametrize("way", ["detach-client -E", "lock-command"])
def test_what_a_session_makes_its_clients_run_runs_as_nobody_else(way, pco, session, attach):
    pco.host.exec("rm", "-f", f"/run/pco-session/{session.key}/ran")
    alice = attach("alice")
    harm = f"id -un >/run/pco-session/{session.key}/ran; touch /home/ran /var/spool/pco/ran; sleep 1000"

    if way == "lock-command":
        tmux(session, "set", "-g", "lock-command", harm)
        tmux(session, "lock-session", "-t", f"={session.key}")
    else:
        tmux(session, "detach-client", "-s", f"={session.key}", "-E", harm)
    ran = f"/run/pco-session/{session.key}/ran"
    pco.wait("what it ran", lambda: not pco.host.exec("test", "-s", ran, code=None).returncode)
    alice.type(b"\x1d\x1d\x1d")

    assert pco.host.read(ran) == f"pco-{session.key}\n"
    assert pco.host.exec("stat", "/home/ran", code=None).returncode
    assert pco.host.exec("stat", "/var/spool/pco/ran", code=None).returncode
    assert alice.end() == 0
    assert b"detached" in alice.shown


def test_another_session_neither_sees_the_socket_nor_reaches_it(pco, session, attach):
    attach("alice")
    other = begin(pco)[0]

    path = f"/run/pco-attach/{session.key}.sock"

    assert other.tries(f"socket.socket(socket.AF_UNIX).connect({path!r})") == "ENOENT"
    assert other.tries("os.listdir('/run/pco-attach')") == "ENOENT"
    assert session.tries(f"socket.socket(socket.AF_UNIX).connect({path!r})") == "ENOENT"


def test_with_the_session_its_socket_goes_and_whoever_looks_learns_it(pco, attach):
    ending = begin(pco)[0]
    alice = attach("alice", inside=ending)

    ending.ends()

    alice.end()
    assert b"the session has ended" in alice.shown or b"connection was lost" in alice.shown
    gone = ("test", "-e", f"/run/pco-attach/{ending.key}.sock")
    pco.wait("the socket's end", lambda: pco.host.exec(*gone, code=None).returncode != 0)
    late = attach("alice", inside=ending, drawn=False)
    assert late.end() != 0
    assert b"Traceback" not in late.shown


def test_looking_leaves_nothing_failed_and_stays_below_its_exposure(pco, session, attach):
    attach("alice")

    unit = f"pco-attach@{session.key}.service"

    pco.host.exec("systemd-analyze", "security", "--no-pager", "--threshold=6", unit)
    assert pco.failed() == ""
