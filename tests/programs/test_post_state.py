"""pco-post: the item's state in Plane, after its comment."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from pco.ground.ticket import PlaneState, State, StateChange
from programs.posting import Desk, ago, desk
from support import Site

PATCHES = {"method": "PATCH", "path": "/work-items/"}


@pytest.fixture
def plane(site: Site) -> Iterator[Desk]:
    """A Plane with two items, and pco beside it."""
    with desk(site, items=2) as made:
        yield made


@pytest.mark.parametrize(
    ("wanted", "then"),
    [("group:started", "In Progress"), ("In Review", "In Review"), ("group:completed", "Done"), ("none", "Todo")],
)
def test_the_item_goes_where_the_configuration_says(plane, wanted, then):
    plane.site.configure(post={"state": wanted})
    plane.ticket()

    plane.post()

    assert plane.posted()
    assert plane.in_plane() == then
    assert plane.read().plane_state.name == then


def test_with_state_none_the_item_is_not_asked_about_again(plane):
    plane.site.configure(post={"state": "none"})
    plane.ticket()

    plane.post()

    assert [r["method"] for r in plane.plane.requests()] == ["GET", "POST"]
    assert plane.posted().state == StateChange()


def test_the_states_of_a_project_are_asked_for_once(plane):
    plane.ticket("WEB-1")
    plane.ticket("WEB-2")

    plane.post()

    assert plane.asked("GET", "/states/") == 1


def test_the_change_is_recorded_before_it_is_sent(plane):
    plane.ticket()
    plane.plane.faults({"kind": "lost_before", **PATCHES})

    plane.post(code=75)

    ticket = plane.read()
    assert ticket.state is State.OUTBOX
    assert ticket.round.post.comment_id == plane.only_comment()
    assert ticket.round.post.state == StateChange(plane.state("In Progress"))
    assert ticket.plane_state.name == "Todo"


def test_a_change_that_was_not_applied_is_sent_again(plane):
    plane.ticket()
    plane.plane.faults({"kind": "lost_before", **PATCHES, "count": 1})

    plane.post(code=75)
    plane.post()

    assert plane.in_plane() == "In Progress"
    assert plane.posted().state.outcome == "done"
    assert plane.asked("POST") == 1


@pytest.mark.parametrize("kind", ["lost_after", "error_after", "cut"])
def test_a_change_that_was_applied_without_an_answer_is_seen_and_not_sent_again(plane, kind):
    plane.ticket()
    plane.plane.faults({"kind": kind, **PATCHES, "count": 1})

    plane.post(code=75)
    plane.post()

    assert plane.asked("PATCH") == 1
    assert plane.posted().state.outcome == "done"
    assert plane.read().plane_state.name == "In Progress"


def test_the_goal_of_a_change_that_was_sent_stays_though_the_configuration_changes(plane):
    plane.ticket()
    plane.plane.faults({"kind": "lost_before", **PATCHES, "count": 1})
    plane.post(code=75)
    plane.site.configure(post={"state": "none"})

    plane.post()

    assert plane.in_plane() == "In Progress"
    assert plane.posted().state.to.name == "In Progress"


def test_an_item_that_is_there_already_is_left_there_and_that_is_done(plane):
    plane.ticket()
    plane.move("In Review")

    plane.post()

    assert plane.in_plane() == "In Review"
    assert plane.posted().state == StateChange(plane.state("In Review"), "done")
    assert plane.asked("PATCH") == 0


@pytest.mark.parametrize("closed", ["Done", "Cancelled"])
def test_an_item_that_was_closed_meanwhile_gets_its_comment_and_stays_closed(plane, closed):
    plane.ticket()
    plane.move(closed)

    said = plane.post()

    assert plane.only_comment()
    assert plane.in_plane() == closed
    assert plane.posted().state.outcome == "left"
    assert f"its state in Plane is left alone: it is closed in Plane ({closed})" in said.stderr


def test_an_item_that_a_person_moved_meanwhile_stays_where_they_put_it(plane):
    plane.ticket()
    plane.move("Backlog")

    plane.post()

    assert plane.in_plane() == "Backlog"
    assert plane.posted().state == StateChange(None, "left", "it was moved to Backlog in Plane")
    assert plane.asked("PATCH") == 0


def test_an_item_that_a_person_moved_after_our_lost_change_stays_where_they_put_it(plane):
    plane.ticket()
    plane.plane.faults({"kind": "lost_after", **PATCHES, "count": 1})
    plane.post(code=75)
    plane.move("Backlog")

    plane.post()

    assert plane.in_plane() == "Backlog"
    assert plane.posted().state == StateChange(plane.state("In Progress"), "left", "it was moved to Backlog in Plane")


def test_an_item_that_goes_between_comment_and_state_is_posted(plane):
    plane.ticket(sending_since=ago(60), comment_id="00000000-0000-4000-8000-00000000000c")
    plane.set_item(archived=True)

    plane.post()

    assert plane.posted().state.outcome == "left"
    assert "gone" in plane.posted().state.why
    assert plane.asked("PATCH") == 0


def test_a_state_that_the_project_does_not_have_is_said_and_the_comment_stands(plane):
    plane.site.configure(post={"state": "In Reveiw"})
    plane.ticket()

    said = plane.post(code=78)

    assert "no state 'In Reveiw' (did you mean In Review?); it has Backlog, Todo, In Progress, In Review" in said.stderr
    assert plane.posted().comment_id == plane.only_comment()
    assert plane.posted().state.outcome == "refused"
    assert plane.in_plane() == "Todo"
    plane.post()


def test_a_guest_may_comment_and_the_state_that_it_may_not_change_is_said(plane):
    (plane.site.home / "token").write_text("plane_api_gus")
    plane.ticket()

    said = plane.post(code=77)

    assert "the comment is in Plane, but its state was not changed: Plane: 403" in said.stderr
    assert plane.posted().comment_id == plane.only_comment()
    assert plane.posted().state.outcome == "refused"


def test_a_change_that_plane_refuses_for_good_is_said_and_the_ticket_is_posted(plane):
    elsewhere = StateChange(PlaneState("22222222-2222-4222-8222-222222222222", "Deleted", "started"))
    plane.ticket(comment_id="00000000-0000-4000-8000-00000000000c")
    spool = plane.site.spool()
    ticket = spool.read("WEB-1")
    spool.record(ticket.with_round(post=replace(ticket.round.post, state=elsewhere)))

    said = plane.post(code=65)

    assert "its state was not changed: Plane refused: 400" in said.stderr
    assert plane.posted().state.outcome == "refused"
    assert plane.posted().state.to == elsewhere.to


@pytest.mark.parametrize("outcome", ["done", "left", "refused"])
def test_what_was_settled_before_a_run_died_is_not_tried_again(plane, outcome):
    plane.ticket(comment_id="00000000-0000-4000-8000-00000000000c")
    spool = plane.site.spool()
    ticket = spool.read("WEB-1")
    spool.record(ticket.with_round(post=replace(ticket.round.post, state=StateChange(None, outcome, "why"))))

    plane.post()

    assert plane.plane.requests() == []
    assert plane.posted().state.outcome == outcome


def test_a_throttle_between_comment_and_state_loses_nothing(plane):
    plane.ticket()
    plane.plane.faults({"kind": "throttle", **PATCHES, "seconds": 1, "count": 1})

    plane.post(code=75)
    assert plane.read().round.post.comment_id == plane.only_comment()
    plane.post()

    assert plane.in_plane() == "In Progress"
    assert plane.asked("POST") == 1


def test_a_token_that_ends_between_comment_and_state_leaves_the_rest_for_later(plane):
    plane.ticket(sending_since=ago(60), comment_id="00000000-0000-4000-8000-00000000000c")
    (plane.site.home / "token").write_text("plane_api_wrong")

    plane.post(code=77)

    assert plane.read().state is State.OUTBOX
    assert plane.read().round.post.state == StateChange()
