"""Sessions in a private tmux server: exact names, a clean environment, a sure end."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from datetime import timedelta

import pytest

from pco.ground.errors import BadConfig, BadData, Unavailable
from pco.outside.runners import Alive, RunnerSession, choose, tmux
from support import TOP

GRACE = timedelta(seconds=1)
NO_KEYS = ["", "web-1", "WEB-1:0", "WEB-1.0", "=WEB-1", "WEB-*", "#(touch mark)", "-x", "WEB-1\n", "$0", "@1", "%1"]


@pytest.fixture
def runner(tmp_path):
    """A server of its own, ended with the test; `trigger` is a FIFO."""
    os.mkfifo(tmp_path / "trigger")
    made = choose("auto", tmp_path, tmp_path / "trigger")
    yield made
    tmux = ["tmux", "-S", str(made.socket)]
    panes = subprocess.run(
        [*tmux, "list-panes", "-a", "-F", "#{pane_pid}"], check=False, capture_output=True, text=True
    )
    for pid in panes.stdout.split():
        os.kill(int(pid), signal.SIGKILL)  # some of them listen to nothing else
    subprocess.run([*tmux, "kill-server"], check=False, capture_output=True)


@pytest.fixture
def bell(runner):
    """The reader's end of the trigger; call it for the bytes that came."""
    handle = os.open(runner.trigger, os.O_RDWR | os.O_NONBLOCK)

    def read():
        try:
            return os.read(handle, 100)
        except BlockingIOError:
            return b""

    yield read
    os.close(handle)


def until(true, seconds=10):
    """Wait until it is true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.02)


def shell(key, script, *args, **more):
    return RunnerSession(key, ("sh", "-c", script, "sh", *map(str, args)), **more)


def sleeper(key, **more):
    return RunnerSession(key, ("sleep", "60"), **more)


def test_a_session_is_alive_from_its_start_to_its_end(runner):
    assert runner.list() == frozenset()
    assert runner.alive("WEB-1") is Alive.NO

    runner.start(sleeper("WEB-1"))
    assert runner.list() == {"WEB-1"}
    assert runner.alive("WEB-1") is Alive.YES

    runner.stop("WEB-1", GRACE)
    until(lambda: runner.alive("WEB-1") is Alive.NO)
    assert runner.list() == frozenset()


def test_a_session_that_is_there_already_is_left_as_it_is(runner, tmp_path):
    runner.start(shell("WEB-1", 'echo x >> "$1"; exec sleep 60', tmp_path / "begun"))
    until((tmp_path / "begun").exists)

    runner.start(shell("WEB-1", 'echo x >> "$1"; exec sleep 60', tmp_path / "begun"))

    time.sleep(0.2)
    assert (tmp_path / "begun").read_text() == "x\n"


def test_a_key_is_no_prefix_of_another(runner):
    runner.start(sleeper("WEB-12"))

    assert runner.alive("WEB-1") is Alive.NO
    runner.stop("WEB-1", timedelta(0))
    time.sleep(0.3)
    assert runner.alive("WEB-12") is Alive.YES


@pytest.mark.parametrize("name", NO_KEYS, ids=repr)
def test_only_keys_become_names(runner, name):
    for call in (
        lambda: runner.start(sleeper(name)),
        lambda: runner.stop(name, GRACE),
        lambda: runner.alive(name),
        lambda: runner.attach(name),
    ):
        with pytest.raises(BadData):
            call()

    assert runner.list() == frozenset()


def test_words_and_values_reach_the_session_as_they_are(runner, tmp_path):
    evil = ["a;", ";", "#(touch mark)", "#{session_name}", "$(touch mark)", "'\"\\", "%H", "", "\\;", "-x", "é\n"]
    code = "import json, os, sys; json.dump([sys.argv[2:], os.environ['PCO_X']], open(sys.argv[1] + '~', 'w'))"
    code += "; os.rename(sys.argv[1] + '~', sys.argv[1])"
    argv = (sys.executable, "-c", code, str(tmp_path / "got"), *evil)

    runner.start(RunnerSession("WEB-1", argv, {"PCO_X": "#(touch mark);"}, tmp_path))

    until((tmp_path / "got").exists)
    assert json.loads((tmp_path / "got").read_text()) == [evil, "#(touch mark);"]
    assert not (tmp_path / "mark").exists()


def test_a_single_word_is_not_run_by_a_shell(runner, tmp_path):
    runner.start(RunnerSession("WEB-1", ("touch mark",), home=tmp_path))

    time.sleep(0.3)
    assert not (tmp_path / "mark").exists()


def test_a_session_starts_in_its_folder_whatever_it_is_called(runner, tmp_path):
    folder = tmp_path / "a #(touch mark) $(touch mark) ;"
    folder.mkdir()

    runner.start(shell("WEB-1", 'pwd > "$1"', tmp_path / "got", home=folder))

    until(lambda: (tmp_path / "got").exists() and (tmp_path / "got").read_text())
    assert (tmp_path / "got").read_text() == f"{folder}\n"
    assert os.listdir(folder) == []


def test_a_session_inherits_no_secret_and_no_setting_of_the_caller(runner, tmp_path, monkeypatch):
    for name in ("PLANE_TOKEN", "SSH_AUTH_SOCK", "CREDENTIALS_DIRECTORY", "DISPLAY", "INVOCATION_ID"):
        monkeypatch.setenv(name, "secret-canary")
    (tmp_path / ".tmux.conf").write_text("set-environment -g FROM_HOME secret-canary\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    script = 'env > "$1~"; tmux show-environment -g >> "$1~"; mv "$1~" "$1"'

    runner.start(shell("WEB-1", script, tmp_path / "got", environment={"PCO_X": "1"}))

    until((tmp_path / "got").exists)
    got = (tmp_path / "got").read_text()
    assert "secret-canary" not in got
    assert "PCO_X=1\n" in got
    assert "LC_ALL=C.UTF-8\n" in got


def test_the_terminal_has_the_size_that_was_asked_for(runner, tmp_path):
    runner.start(shell("WEB-1", 'stty size > "$1"', tmp_path / "got", width=132, height=43))

    until(lambda: (tmp_path / "got").exists() and (tmp_path / "got").read_text())
    assert (tmp_path / "got").read_text() == "43 132\n"


def test_a_session_is_asked_to_end_by_term_and_may_take_its_time(runner, tmp_path):
    script = 'trap "sleep 0.5; echo done > $1; exit" TERM; echo x > "$1.ready"; while :; do sleep 0.05; done'
    runner.start(shell("WEB-1", script, tmp_path / "got"))
    until((tmp_path / "got.ready").exists)

    before = time.monotonic()
    runner.stop("WEB-1", timedelta(seconds=30))

    assert time.monotonic() - before < 5
    assert runner.alive("WEB-1") is Alive.YES
    until(lambda: runner.alive("WEB-1") is Alive.NO)
    assert (tmp_path / "got").read_text() == "done\n"


def test_a_session_that_does_not_listen_is_killed_after_its_grace_and_no_other(runner, tmp_path):
    deaf = 'trap "" TERM HUP INT; echo $$ > "$1"; while :; do sleep 0.05; done'
    runner.start(shell("WEB-1", deaf, tmp_path / "one"))
    runner.start(shell("WEB-2", deaf, tmp_path / "two"))
    until(lambda: (tmp_path / "one").exists() and (tmp_path / "one").read_text())

    runner.stop("WEB-1", GRACE)

    time.sleep(0.5)
    assert runner.alive("WEB-1") is Alive.YES
    until(lambda: runner.alive("WEB-1") is Alive.NO)
    assert not os.path.exists(f"/proc/{(tmp_path / 'one').read_text().strip()}")
    assert runner.alive("WEB-2") is Alive.YES


def test_the_grace_of_an_earlier_session_does_not_end_a_later_one_of_the_same_key(runner):
    runner.start(sleeper("WEB-2"))
    runner.start(sleeper("WEB-1"))
    runner.stop("WEB-1", GRACE)
    until(lambda: runner.alive("WEB-1") is Alive.NO)

    runner.start(sleeper("WEB-1"))

    time.sleep(GRACE.total_seconds() + 0.5)
    assert runner.list() == {"WEB-1", "WEB-2"}


@pytest.mark.parametrize("listens", [True, False])
def test_the_end_of_a_session_shows_nothing_in_another_one(runner, tmp_path, listens):
    runner.start(sleeper("WEB-1") if listens else shell("WEB-1", "trap '' TERM; while :; do sleep 1; done"))
    runner.start(sleeper("WEB-2"))
    server = ["tmux", "-S", str(runner.socket)]

    runner.stop("WEB-1", timedelta(milliseconds=100))
    # tmux shows what such a job says, or how it failed, in whatever pane it finds, and keys no longer go to the agent.
    subprocess.run([*server, "run-shell", "-b", "-d", "0.5", f"touch {tmp_path}/later"], check=True)
    until((tmp_path / "later").exists)
    until(lambda: runner.alive("WEB-1") is Alive.NO)

    asked = [*server, "display-message", "-p", "-t", "=WEB-2:", "#{pane_in_mode}"]
    assert subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip() in ("", "0")


def test_stopping_what_is_not_there_does_nothing(runner):
    runner.stop("WEB-1", GRACE)


def test_the_end_of_a_session_rings_even_of_the_last_and_of_a_killed_one(runner, bell):
    runner.start(sleeper("WEB-1"))
    runner.start(sleeper("WEB-2"))
    assert bell() == b""

    runner.stop("WEB-1", GRACE)
    until(bell)
    time.sleep(0.2)
    bell()
    kill = ["tmux", "-S", str(runner.socket), "list-panes", "-t", "=WEB-2:", "-F", "#{pane_pid}"]
    os.kill(int(subprocess.run(kill, capture_output=True, check=True).stdout), 9)

    until(bell)


def test_the_end_of_a_session_waits_for_no_reader_and_makes_no_file(runner):
    runner.start(sleeper("WEB-1"))
    os.unlink(runner.trigger)
    runner.stop("WEB-1", GRACE)

    until(lambda: runner.alive("WEB-1") is Alive.NO)
    time.sleep(0.2)
    assert not runner.trigger.exists()


def test_nothing_is_left_running_after_the_last_session(runner):
    runner.start(sleeper("WEB-1"))
    show = ["tmux", "-S", str(runner.socket), "display-message", "-p", "#{pid}"]
    server = int(subprocess.run(show, capture_output=True, check=True).stdout)

    runner.stop("WEB-1", GRACE)

    until(lambda: not os.path.exists(f"/proc/{server}"))


def test_the_server_does_not_hold_the_pipes_of_who_started_it(runner, tmp_path):
    code = f"""
import sys; sys.path.insert(0, {str(TOP / "lib")!r})
from pathlib import Path
from pco.outside.runners import RunnerSession, choose
choose("tmux", Path({str(tmp_path)!r}), Path({str(tmp_path / "trigger")!r})).start(RunnerSession("WEB-1", ("sleep", "60")))
"""
    subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=10)

    assert runner.alive("WEB-1") is Alive.YES


def test_a_server_that_does_not_answer_leaves_it_unknown(runner, monkeypatch):
    monkeypatch.setattr(tmux, "_PATIENCE", timedelta(seconds=0.5))
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(runner.socket))
        deaf.listen()

        assert runner.list() is None
        assert runner.alive("WEB-1") is Alive.UNKNOWN

    os.unlink(runner.socket)


@pytest.mark.skipif(os.getuid() != 0, reason="changes the user")
def test_a_server_that_may_not_be_asked_leaves_it_unknown(runner):
    runner.start(sleeper("WEB-1"))
    for folder in list(runner.socket.parents)[:4]:
        if str(folder) not in ("/", "/tmp"):
            folder.chmod(0o755)
    code = f"""
import os, sys; sys.path.insert(0, {str(TOP / "lib")!r})
from pathlib import Path
from pco.outside.runners import choose
asked = choose("tmux", Path({str(runner.socket.parent)!r}), Path("/nowhere"))
asked.alive("WEB-2")  # all modules are there now: they may lie where that user cannot look
os.setgroups([]); os.setgid(65534); os.setuid(65534)
print(asked.alive("WEB-1"))
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd="/")

    assert result.stdout == "unknown\n", result.stderr


def test_a_path_that_is_too_long_for_a_socket_is_named(tmp_path):
    with pytest.raises(BadConfig, match="at most 107 bytes"):
        choose("tmux", tmp_path / ("x" * 100), tmp_path / "trigger")


def test_a_machine_without_tmux_is_told_what_to_install(runner, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(Unavailable, match="tmux is not installed"):
        runner.start(sleeper("WEB-1"))
    with pytest.raises(Unavailable):
        runner.list()


def test_a_person_is_put_before_just_that_session(runner):
    command = runner.attach("WEB-1")

    assert command[-2:] == ("-t", "=WEB-1")
    assert str(runner.socket) in command
