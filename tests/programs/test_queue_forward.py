"""pco-queue forward: a comment that came meanwhile is meant for the running agent."""

import os
from dataclasses import replace
from datetime import timedelta

import pytest

from pco.ground import attempt
from pco.ground.attempt import Launch
from pco.ground.ticket import Attempt, Comment, Forward, Noted, State, Stop
from programs.queueing import Desk
from support import T0

LATER = T0 + timedelta(minutes=5)


def commented(n=1, **more):
    """A comment that found the ticket busy."""
    return Noted(
        LATER, "comment", "Maria", "Maria commented", comment=Comment(f"c{n}", LATER, "Maria", f"No {n}"), **more
    )


@pytest.fixture
def desk(site):
    site.configure(sessions={"agent": "claude"})
    return Desk(site)


def running(desk, *noted, agent="claude", doing="working", **changes):
    """WEB-1, whose session runs; `noted` came meanwhile."""
    desk.has("WEB-1", State.ACTIVE, attempts=(Attempt(1, T0, born=True, doing=doing),), noted=noted, **changes)
    home = attempt.folder(desk.site.home / "sessions", "WEB-1", 1, 1)
    home.mkdir(parents=True)
    places = {name: str(home / name) for name in ("out", "workspace", "mirror", "prompt", "trigger")}
    attempt.write_launch(home, Launch("WEB-1", 1, 1, base="main", branch="pco/WEB-1", argv=(), agent=agent, **places))


def test_forward_notes_the_wish_in_the_record_and_rings_pco_watch(desk):
    running(desk, commented(1), commented(2))
    bell = os.open(desk.site.home / "run" / "trigger", os.O_RDWR | os.O_NONBLOCK)
    try:
        said = desk.out("forward", "WEB-1")
        assert os.read(bell, 10)
    finally:
        os.close(bell)
    assert said == ["WEB-1: forwarded 2 comments; the agent gets it at the end of its turn"]
    ticket = desk.read("WEB-1")
    assert [event.forward.n for event in ticket.noted] == [1, 2]
    assert [event.given for event in ticket.noted] == [0, 0]
    assert ticket.state is State.ACTIVE
    assert desk.audited() == [("forwarded", "WEB-1")]


def test_what_was_forwarded_before_is_not_forwarded_twice(desk):
    running(desk, commented(1, forward=Forward(4, "ann", T0)), commented(2, given=1))
    assert desk.out("forward", "WEB-1")[0].startswith("WEB-1: was forwarded by ann ")
    spool = desk.site.spool()
    spool.record(replace(spool.read("WEB-1"), noted=(*spool.read("WEB-1").noted, commented(3))))
    desk.run("forward", "WEB-1")
    assert [event.forward and event.forward.n for event in desk.read("WEB-1").noted] == [4, None, 5]


def test_without_a_comment_there_is_nothing_to_do(desk):
    running(desk, Noted(LATER, "text", "Plane", "its text was edited"), commented(1, given=1))
    said = desk.out("forward", "WEB-1")
    assert said == ["WEB-1: no comment came that its agent does not know: nothing to forward"]
    assert desk.read("WEB-1").forwarded == ()


def test_words_of_ones_own_go_after_the_comments(desk):
    running(desk, commented(1))
    said = desk.out("forward", "WEB-1", "--note", " Leave the API\x1b[2J alone. ")
    assert said[0].startswith("WEB-1: forwarded 1 comment and your note; ")
    comment, note = desk.read("WEB-1").forwarded
    assert (comment.kind, comment.forward.n, note.kind, note.forward.n) == ("comment", 1, "note", 2)
    assert (note.comment.text, note.comment.by) == ("Leave the API[2J alone.", note.forward.by)


@pytest.mark.parametrize("doing", ["its turn has ended", "idle", "its turn failed: overloaded"])
def test_an_agent_whose_turn_is_over_gets_it_only_at_the_end_of_the_next_one(desk, doing):
    running(desk, commented(), doing=doing)
    said = desk.out("forward", "WEB-1")[0]
    assert "only at the end of its next one" in said and "pco-queue attach WEB-1" in said


def test_an_agent_without_hooks_is_refused_whatever_is_configured_now(desk):
    running(desk, commented(), agent="command")
    said = desk.run("forward", "WEB-1", code=65).stderr
    assert "its agent (command) has no hooks" in said and "pco-queue attach WEB-1" in said
    assert desk.read("WEB-1").forwarded == ()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"summary": "Done."}, 'pco-queue rework WEB-1 "REMARK"'),
        ({"stop": Stop(T0, "bob")}, "bob asked that its session ends"),
    ],
)
def test_a_session_that_is_over_but_for_its_end_is_refused(desk, changes, said):
    running(desk, commented(), **changes)
    assert said in desk.run("forward", "WEB-1", code=65).stderr
    assert desk.read("WEB-1").forwarded == ()


def test_only_a_running_session_can_be_forwarded_to(desk):
    desk.has("WEB-1", State.COMPLETED, summary="x", noted=(commented(),))
    assert "it is completed" in desk.run("forward", "WEB-1", code=65).stderr


def test_the_list_and_the_inbox_say_what_runs_with_comments_that_its_agent_does_not_know(desk):
    running(desk, commented(1), commented(2), commented(3, given=1))
    assert "2 new comments" in desk.run("list").stdout
    assert "New comments on what runs: WEB-1 (pco-queue forward KEY)" in desk.out()
    desk.run("forward", "WEB-1")
    assert "new comment" not in desk.run("list").stdout
    assert not [line for line in desk.out() if "comments" in line]


def test_show_tells_what_came_meanwhile_and_whether_the_agent_knows_it(desk):
    bob = Forward(1, "bob", LATER)
    running(desk, commented(1, forward=bob, given=1), commented(2, forward=replace(bob, n=2)), commented(3))
    said = desk.run("show", "WEB-1").stdout
    lines = [line for line in said.splitlines() if line.startswith("  comment by Maria")]
    assert [line.rpartition("; ")[2].split(" ago")[-1] for line in lines] == [
        ", and taken by the agent",
        ", not taken yet",
        "its agent does not know it",
    ]
    assert "Next: pco-queue forward WEB-1 hands 1 comment to its agent" in said
    desk.run("forward", "WEB-1")
    assert "pco-queue forward" not in desk.run("show", "WEB-1").stdout
