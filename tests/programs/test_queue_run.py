"""pco-queue stop, pause, resume, attach: what a person can do about running sessions."""

import os
import subprocess

import pytest

from pco.ground import yamlfile
from pco.ground.ticket import Attempt, State
from pco.outside.runners import RunnerSession, choose
from programs.queueing import Desk
from support import T0


@pytest.fixture
def desk(site):
    return Desk(site)


def listen(desk):
    """The trigger's reading end, as pco-watch holds it."""
    return os.open(desk.site.home / "run" / "trigger", os.O_RDWR | os.O_NONBLOCK)


def test_stop_notes_it_in_the_record_and_rings_pco_watch(desk):
    desk.has("WEB-1", State.ACTIVE, attempts=(Attempt(1, T0),))
    bell = listen(desk)
    try:
        desk.run("stop", "WEB-1", "--note", "wrong branch")
        assert os.read(bell, 10)
    finally:
        os.close(bell)
    stop = desk.read("WEB-1").stop
    assert (stop.to, stop.why) == ("rejected", "wrong branch")
    assert desk.read("WEB-1").state is State.ACTIVE  # pco-watch moves it once the session is gone
    assert desk.out("stop", "WEB-1")[0].startswith("WEB-1: was asked to stop by ")
    assert desk.audited() == [("stop asked", "WEB-1")]


def test_only_a_running_session_can_be_stopped(desk):
    desk.has("WEB-1", State.APPROVED)
    said = desk.run("stop", "WEB-1", code=65).stderr
    assert "it is approved" in said and "pco-queue unapprove WEB-1" in said


def test_pause_and_resume(desk):
    desk.run("pause", "--note", "deployment")
    note = desk.spool.control.paused()
    assert note.text == "deployment"
    assert f"already paused by {note.by}" in desk.out("pause")[0]
    assert "launch" not in desk.flags()
    desk.run("resume")
    assert desk.spool.control.paused() is None
    assert "launch" in desk.flags()
    assert desk.out("resume") == ["nothing is paused"]
    assert [event for event, _ in desk.audited()] == ["paused", "resumed"]


def test_pause_with_stop_lets_running_tickets_go_back_to_approved(desk):
    desk.has("WEB-1", State.ACTIVE, attempts=(Attempt(1, T0),))
    desk.has("WEB-2", State.ACTIVE, attempts=(Attempt(1, T0),))
    desk.run("stop", "WEB-2")
    desk.run("pause", "--stop")
    assert desk.read("WEB-1").stop.to == "approved"
    assert desk.read("WEB-2").stop.to == "rejected"  # somebody wanted that; a pause does not undo it
    assert desk.out("stop", "WEB-1") == ["WEB-1: stopping; it will be rejected"]


def test_attach_needs_a_running_session(desk):
    desk.has("WEB-1")
    desk.has("WEB-2", State.ACTIVE, attempts=(Attempt(1, T0),))
    assert "it is pending" in desk.run("attach", "WEB-1", code=65).stderr
    assert "its session is not running" in desk.run("attach", "WEB-2", code=65).stderr


def test_attach_shows_the_session_on_the_terminal(desk, tmp_path_factory):
    run = tmp_path_factory.mktemp("r")
    desk.site.configure(paths={"run": str(run)})
    os.mkfifo(run / "trigger")
    desk.has("WEB-1", State.ACTIVE, attempts=(Attempt(1, T0),))
    paths = yamlfile.load(desk.site.config).paths
    runner = choose("tmux", paths.run, paths.trigger)
    runner.start(RunnerSession("WEB-1", ("sh", "-c", "echo HERE; read x; echo GOT $x; sleep 60")))
    try:
        with desk.terminal("attach", "WEB-1") as screen:
            screen.until("HERE")
            screen.type("answer\r")
            screen.until("GOT answer")
    finally:
        subprocess.run(["tmux", "-S", str(run / "tmux.sock"), "kill-server"], check=False)
