"""pco-queue review, at a terminal."""

from dataclasses import replace
from datetime import timedelta

import pytest

from pco.ground.ticket import Attempt, State
from programs.queueing import Desk
from support import T0


@pytest.fixture
def desk(site):
    return Desk(site)


def test_review_walks_through_what_waits(desk):
    desk.has("WEB-1")
    desk.has("WEB-2")
    desk.has("WEB-3", State.COMPLETED, summary="Done.")
    desk.has("WEB-4", State.FAILED, attempts=(Attempt(1, T0, T0 + timedelta(minutes=1), "died"),))
    with desk.terminal("review") as screen:
        assert "Do it." in screen.until("(1/4) WEB-1: approve, reject, note, skip, quit [a,r,n,s,q,?]? ")
        screen.type("?\n")
        assert "let the agent work on it" in screen.until("WEB-1: approve")
        screen.type("n\n")
        screen.until("Note")
        screen.type("mind the umlauts\n")
        screen.until("WEB-1: noted")
        screen.until("WEB-1: approve")
        screen.type("a\n")
        screen.until("WEB-1: pending -> approved")
        screen.until("(2/4) WEB-2")
        screen.type("reject\n")
        screen.until("Why")
        screen.type("no\n")
        screen.until("WEB-2: pending -> rejected")
        screen.until("(3/4) WEB-3: post")
        screen.type("w\n")
        screen.until("What shall be different")
        screen.type("tests\n")
        screen.until("WEB-3: completed -> approved")
        screen.until("(4/4) WEB-4: retry")
        screen.type("t\n")
        screen.until("WEB-4: failed -> approved")
        screen.end()
    assert [note.text for note in desk.read("WEB-1").notes] == ["mind the umlauts"]
    assert desk.read("WEB-2").history[-1].why == "no"
    assert desk.read("WEB-3").round.remark == "tests"


def test_review_posts_after_showing_the_comment(desk):
    desk.has("WEB-3", State.COMPLETED, summary="All **done**.")
    with desk.terminal("review") as screen:
        screen.until("[p,e,w,r,n,s,q,?]? ")
        screen.type("p\n")
        assert "<strong>done</strong>" in screen.until("[y/N]")
        screen.type("n\n")
        screen.until("[p,e,w,r,n,s,q,?]? ")
        screen.type("p\n")
        screen.until("[y/N]")
        screen.type("y\n")
        screen.until("WEB-3: completed -> outbox")
        screen.end()


def test_review_offers_to_post_a_failed_ticket_only_if_it_has_a_draft(desk):
    desk.has("WEB-1", State.FAILED)
    desk.has("WEB-2", State.FAILED, draft="I think that all is done.")
    with desk.terminal("review") as screen:
        screen.until("[t,e,r,n,s,q,?]? ")
        screen.type("s\n")
        assert "DRAFT: what the agent said last" in screen.until("[t,p,e,r,n,s,q,?]? ")
        screen.type("p\n")
        screen.until("take these last words of its agent for the summary, and post them? [y/N]")
        screen.type("y\n")
        screen.until("WEB-2: failed -> outbox")
        screen.end()


def test_review_approves_only_what_it_showed(desk):
    desk.has("WEB-1")
    with desk.terminal("review") as screen:
        screen.until("[a,r,n,s,q,?]? ")
        spool = desk.site.spool()
        spool.record(replace(spool.read("WEB-1"), description="Something else."))
        screen.type("a\n")
        assert "Something else." in screen.until("[a,r,n,s,q,?]? ")
        assert desk.read("WEB-1").state is State.PENDING
        screen.type("a\n")
        screen.until("WEB-1: pending -> approved")
        screen.end()


def test_review_goes_on_when_another_admin_was_faster(desk):
    desk.has("WEB-1")
    desk.has("WEB-2")
    with desk.terminal("review") as screen:
        screen.until("[a,r,n,s,q,?]? ")
        desk.run("reject", "WEB-1")
        screen.type("a\n")
        assert "waits no more: it is rejected (by " in screen.until("(2/2) WEB-2")
        screen.type("s\n")
        screen.end(0)
    assert desk.read("WEB-1").state is State.REJECTED


def test_quit_leaves_all_others_as_they_are(desk):
    desk.has("WEB-1")
    desk.has("WEB-2")
    with desk.terminal("review", "--project", "WEB") as screen:
        screen.until("[a,r,n,s,q,?]? ")
        screen.type("q\n")
        assert "WEB-2" not in screen.end()
    assert sorted(desk.spool.keys(State.PENDING)) == ["WEB-1", "WEB-2"]


def test_the_lock_is_free_while_review_asks(desk):
    desk.has("WEB-1")
    with desk.terminal("review") as screen:
        screen.until("[a,r,n,s,q,?]? ")
        with desk.site.spool().lock():
            pass
        screen.type("q\n")
        screen.end()


def test_review_needs_somebody_and_something(desk):
    assert "nobody is there" in desk.run("review", code=2).stderr
    with desk.terminal("review") as screen:
        assert "Nothing waits for you." in screen.end()
