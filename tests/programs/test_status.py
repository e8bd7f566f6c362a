"""What the programs that timers run tell systemd meanwhile, and say in the end of what they did."""

import socket
import subprocess
import sys
import time

import pytest

import pco.sim
from pco.ground.ticket import State
from pco.outside.service import Service
from programs.polling import TWO_PROJECTS, World
from programs.posting import desk
from support import TOP, a_ticket, put


@pytest.fixture
def told(tmp_path, monkeypatch):
    """Be a unit's systemd; `told()` is what it was told."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ours:
        ours.bind(str(tmp_path / "notify"))
        ours.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))

        def told():
            words = []
            try:
                while True:
                    words += ours.recv(4096).decode().splitlines()
            except BlockingIOError:
                return words

        yield told


def as_a_unit(site, tmp_path):
    return {**site.environment(), "NOTIFY_SOCKET": str(tmp_path / "notify")}


def test_post_tells_which_ticket_it_is_at_and_in_the_end_how_many_it_posted(site, told, tmp_path):
    for key in ("LOCAL-1", "LOCAL-2"):
        put(site.spool(), a_ticket(key, local=True), State.OUTBOX)

    said = site.run("pco-post", env=as_a_unit(site, tmp_path)).stderr

    assert [word for word in told() if word.startswith("STATUS=")] == [
        "STATUS=",
        "STATUS=posts LOCAL-1",
        "STATUS=posts LOCAL-2",
        "STATUS=2 tickets posted, 0 left in outbox",
    ]
    assert said.splitlines()[-1] == "pco-post: 2 tickets posted, 0 left in outbox"


def test_post_pats_the_watchdog_after_each_step_of_a_ticket(site, told, tmp_path):
    words = []
    with desk(site) as at:
        at.ticket()
        command = [sys.executable, str(TOP / "bin" / "pco-post")]
        with subprocess.Popen(command, env=as_a_unit(site, tmp_path)) as post:
            while post.poll() is None:  # a socket holds few words that nobody has read
                words += told()
                time.sleep(0.01)
    words += told()

    meanwhile = words[words.index("STATUS=posts WEB-1") : words.index("STATUS=1 ticket posted, 0 left in outbox")]
    # The item, the word that a comment is sent, its id, the states, the word of the move, its end, posted; the ticket.
    assert meanwhile.count("WATCHDOG=1") == 8


def test_poll_tells_which_project_it_is_at_and_in_the_end_what_came_of_it(site, told, tmp_path):
    with pco.sim.running(TWO_PROJECTS, rate=0) as sim:
        World(site, sim).poll()
        said = site.run("pco-poll", env={**as_a_unit(site, tmp_path), "INVOCATION_ID": "0"}).stderr

    status = [word.removeprefix("STATUS=") for word in told() if word.startswith("STATUS=")]
    assert status[1:3] == ["polls project WEB, 1 of 2", "polls project API, 2 of 2"]
    assert status[3] == "2 projects polled, 0 changes, 2 requests"
    assert said == ""


def test_a_run_that_did_nothing_says_so_only_at_debug(site):
    site.configure(sessions={"command": ["/bin/true"]})

    for program, words in (("pco-post", "0 tickets posted, 0 left in outbox"), ("pco-launch", "0 sessions started")):
        assert site.run(program).stderr == ""
        assert words in site.run(program, env={**site.environment(), "PCO_LOG_LEVEL": "debug"}).stderr


def test_a_status_is_one_line_whatever_is_in_it(told):
    service = Service()

    service.ready("paused by alice: x\nMAINPID=1\x1b[31m")
    service.doing("polls\nREADY=0")

    assert told() == ["WATCHDOG=1", "READY=1", "STATUS=paused by alice: x MAINPID=1[31m", "STATUS=polls READY=0"]


def test_where_no_systemd_listens_nothing_is_told(monkeypatch):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)

    Service().doing("anything")


@pytest.mark.parametrize(("within", "warned"), [("10m", False), ("15m", True)])
def test_launch_warns_of_a_mirror_that_may_outlive_its_watchdog(within, warned, site, told, tmp_path):
    site.configure(sessions={"clone_within": within})

    said = site.run("pco-launch", env={**as_a_unit(site, tmp_path), "WATCHDOG_USEC": str(15 * 60 * 10**6)}).stderr

    assert ("longer than WatchdogSec=" in said) == warned
