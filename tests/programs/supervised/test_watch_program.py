"""pco-watch as a program: what wakes it, what it tells systemd, how it ends, how it begins again."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pco.commands.watching.trigger import BURST, RATE
from pco.ground import events
from pco.ground.ticket import Attempt, State
from pco.rules import retry
from sessions import Yard, sh, until
from support import TOP, a_ticket, put

FOREVER = sh("sleep 1000")


def started(yard: Yard, key: str) -> None:
    """Wait until the agent runs."""
    until(lambda: list(yard.out(key).glob("events/*.json")))


def living(yard: Yard, key: str) -> Path:
    """A ticket with a session that only looks alive: a birth, and a tmux session of that name."""
    yard.claim(key, FOREVER)
    yard.begin(key)
    started(yard, key)
    return yard.out(key)


def watched(yard: Yard, tmp_path: Path) -> tuple["subprocess.Popen[str]", socket.socket]:
    """A watcher, and the socket on which it tells systemd."""
    told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    told.bind(str(tmp_path / "notify"))
    environ = {**yard.site.environment(), "NOTIFY_SOCKET": str(tmp_path / "notify")}
    watch = subprocess.Popen([sys.executable, str(TOP / "bin" / "pco-watch"), "-q"], env=environ, text=True)
    yard.started.append(watch)
    return watch, told


def heard(told: socket.socket, seconds: float) -> list[str]:
    """All that systemd is told within a time."""
    words, deadline = [], time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        told.settimeout(left)
        with suppress(TimeoutError):
            words.append(told.recv(4096).decode())
    return words


# Waking up.


def test_a_summary_is_recorded_as_soon_as_it_is_handed_over(yard: Yard, watch: object) -> None:
    out = living(yard, "WEB-1")
    until(lambda: (last := yard.ticket("WEB-1").attempt) and last.born)
    time.sleep(0.3)

    events.write(str(out), 1, 1, "completed", {"summary": "done"})
    events.ring(str(yard.site.home / "run" / "trigger"))

    until(lambda: yard.ticket("WEB-1").round.summary == "done", 10)


def test_a_flood_of_bytes_is_coalesced_and_delays_nobody_long(yard: Yard, tmp_path: Path) -> None:
    out = living(yard, "WEB-1")
    _, told = watched(yard, tmp_path)
    until(lambda: yard.ticket("WEB-1").attempt.born)  # type: ignore[union-attr]
    ended = threading.Event()

    def flood() -> None:
        handle = os.open(yard.site.home / "run" / "trigger", os.O_WRONLY | os.O_NONBLOCK)
        while not ended.is_set():
            with suppress(BlockingIOError):
                os.write(handle, b"x" * 100)
            time.sleep(0.001)

    flooding = threading.Thread(target=flood)
    flooding.start()
    heard(told, 0.1)
    during = len(heard(told, 2))
    events.write(str(out), 1, 1, "completed", {"summary": "done"})
    until(lambda: yard.ticket("WEB-1").round.summary == "done", 10)
    ended.set()
    flooding.join()

    assert during <= 2 * (BURST + 2 * RATE) + 10  # two words to systemd in each scan of one ticket
    until(lambda: len(heard(told, 1)) <= 4)


def test_without_a_byte_a_lost_wake_up_is_caught_by_the_next_look(yard: Yard) -> None:
    out = living(yard, "WEB-1")
    events.write(str(out), 1, 1, "completed", {"summary": "done"})

    yard.site.run("pco-watch", "--once")

    assert yard.ticket("WEB-1").round.summary == "done"


def test_a_trigger_that_was_replaced_ends_the_program_so_that_it_is_started_again(yard: Yard) -> None:
    watch = yard.watch()
    trigger = yard.site.home / "run" / "trigger"
    old = os.open(trigger, os.O_RDWR | os.O_NONBLOCK)
    trigger.unlink()
    os.mkfifo(trigger)

    os.write(old, b"e")

    assert watch.wait(10) == 75
    assert "was replaced" in yard.log.read_text()


@pytest.mark.parametrize("what", ["nothing", "a file", "a link"])
def test_without_a_fifo_it_does_not_start(yard: Yard, what: str) -> None:
    trigger = yard.site.home / "run" / "trigger"
    trigger.rename(trigger.with_name("other"))
    if what == "a file":
        trigger.touch()
    elif what == "a link":
        trigger.symlink_to("other")

    assert str(trigger) in yard.site.run("pco-watch", code=78).stderr


# Beginning and ending.


def test_a_wrong_configuration_is_said_at_the_start(yard: Yard) -> None:
    yard.site.configure(sessions={"stall_after": "soon"})

    assert "stall_after" in yard.site.run("pco-watch", code=78).stderr


def test_without_a_spool_it_does_not_start(yard: Yard) -> None:
    (yard.site.home / "spool").rename(yard.site.home / "elsewhere")

    yard.site.run("pco-watch", code=78)


def test_a_spool_that_cannot_be_read_ends_the_program(yard: Yard) -> None:
    watch = yard.watch()
    active = yard.site.home / "spool" / "active"
    active.rename(active.with_name("gone"))
    active.touch()
    yard.ring()

    assert watch.wait(10) == 71


def test_a_second_watcher_ends_at_once(yard: Yard, watch: object) -> None:
    assert yard.site.run("pco-watch", code=75).stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_end_it_ends_at_once_and_leaves_the_sessions_alone(yard: Yard, number: signal.Signals) -> None:
    watch = yard.watch()
    living(yard, "WEB-1")

    watch.send_signal(number)

    assert watch.wait(5) == 0
    assert yard.tmux.list() == {"WEB-1"}
    assert "Traceback" not in yard.log.read_text()


@pytest.mark.parametrize("phase", ["before birth", "while it works", "after the summary", "after its end"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_new_watcher_goes_on_from_what_is_on_disk(yard: Yard, phase: str, number: signal.Signals) -> None:
    first = yard.watch()
    agent = sh(
        "until test -e $PCO_ATTEMPT_DIR/go; do sleep 0.05; done; pco-complete done; until test -e $PCO_ATTEMPT_DIR/end; do sleep 0.05; done"
    )
    yard.site.configure(sessions={"complete_grace": "30s"})
    home = yard.home("WEB-1")
    yard.claim("WEB-1", agent)
    steps = {
        "before birth": lambda: yard.begin("WEB-1"),
        "while it works": lambda: started(yard, "WEB-1") or (home / "go").touch(),
        "after the summary": lambda: (
            until(lambda: len(list((home / "out" / "events").iterdir())) == 2) and (home / "end").touch()
        ),
        "after its end": lambda: until((home / "out" / "exit").exists),
    }
    restarted = False
    for name, step in steps.items():
        if name == phase:
            first.send_signal(number)
            first.wait(5)
            restarted = True
        step()
        if restarted:
            yard.watch()
            restarted = False

    ticket = yard.comes_to("WEB-1", State.COMPLETED)
    assert ticket.round.summary == "done" and len(ticket.round.attempts) == 1


def test_once_looks_once(yard: Yard) -> None:
    living(yard, "WEB-1")

    begin = time.monotonic()
    yard.site.run("pco-watch", "--once")

    assert time.monotonic() - begin < 5
    last = yard.ticket("WEB-1").attempt
    assert last and last.born


def test_it_never_imports_what_it_does_not_need(yard: Yard) -> None:
    environ = {**yard.site.environment(), "PYTHONPROFILEIMPORTTIME": "1"}
    living(yard, "WEB-1")

    said = yard.site.run("pco-watch", "--once", env=environ).stderr

    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in said.splitlines() if "|" in line}
    assert "filelock" in imported
    assert not imported & {"requests", "urllib3", "tabulate", "markdown_it", "asyncio", "http", "ssl"}


# What systemd is told.


def test_systemd_is_told_ready_status_and_each_progress(yard: Yard, tmp_path: Path) -> None:
    put(yard.site.spool(), a_ticket("WEB-8"), State.APPROVED)
    put(yard.site.spool(), a_ticket("WEB-9"), State.APPROVED)
    out = living(yard, "WEB-1")
    events.write(str(out), 1, 1, "blocked", {"what": "Bash"})
    watch, told = watched(yard, tmp_path)

    words: list[str] = []
    until(lambda: words.extend(heard(told, 0.1)) or any(word.startswith("READY") for word in words))
    watch.terminate()
    watch.wait(10)
    words += heard(told, 0.1)

    assert "READY=1\nSTATUS=1 session runs (waiting for a person: WEB-1); 2 approved tickets wait" in words
    assert words.count("WATCHDOG=1") >= 2
    assert words[-1] == "STOPPING=1"


# Housekeeping.


def test_launch_is_woken_for_a_retry_that_an_earlier_watcher_scheduled(yard: Yard) -> None:
    ended = datetime.now(UTC) - timedelta(seconds=0.2)
    ticket = a_ticket("WEB-1").with_round(attempts=(Attempt(1, ended, ended, retry.DIED),))
    put(yard.site.spool(), ticket, State.APPROVED)
    watch = yard.watch()
    wake = yard.site.home / "spool" / "wake" / "launch"

    until(wake.exists)

    watch.terminate()


def test_what_a_crash_left_in_tmp_is_swept_and_a_lost_index_made_again(yard: Yard) -> None:
    spool = yard.site.home / "spool"
    (spool / "tmp" / "WEB-1.99").touch()
    os.utime(spool / "tmp" / "WEB-1.99", (0, 0))
    (spool / "tmp" / "WEB-2.99").touch()
    put(yard.site.spool(), a_ticket("WEB-3"), State.POSTED)
    for path in (spool / "index").iterdir():
        path.unlink()

    yard.site.run("pco-watch", "--once")

    assert os.listdir(spool / "tmp") == ["WEB-2.99"]
    assert yard.site.spool().index.whole()
