"""Where an item goes once its comment is there."""

import pytest

from pco.ground.errors import BadConfig
from pco.ground.ticket import PlaneState
from pco.rules import workflow

BACKLOG = PlaneState("0", "Backlog", "backlog")
TODO = PlaneState("1", "Todo", "unstarted")
DOING = PlaneState("2", "In Progress", "started")
REVIEW = PlaneState("3", "In Review", "started")
DONE = PlaneState("4", "Done", "completed")
CANCELLED = PlaneState("5", "Cancelled", "cancelled")
ALL = (BACKLOG, TODO, DOING, REVIEW, DONE, CANCELLED)


def test_a_group_means_its_first_state():
    assert workflow.goal(ALL, "group:started", TODO) == DOING


def test_an_item_that_is_in_the_group_is_where_it_shall_be():
    assert workflow.goal(ALL, "group:started", REVIEW) == REVIEW


def test_a_name_means_the_state_of_that_name():
    assert workflow.goal(ALL, "In Review", DOING) == REVIEW


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("In Reveiw", r"no state 'In Reveiw' \(did you mean In Review\?\); it has Backlog, Todo"),
        ("group:strated", r"no group 'strated' \(did you mean started\?\)"),
    ],
)
def test_an_unknown_goal_is_refused_with_what_there_is(wanted, said):
    with pytest.raises(BadConfig, match=said):
        workflow.goal(ALL, wanted, TODO)


def test_an_item_that_stayed_where_it_was_may_be_moved():
    assert workflow.obstacle(TODO, TODO) == ""


@pytest.mark.parametrize(
    ("now", "began", "why"),
    [
        (DONE, TODO, "closed in Plane (Done)"),
        (CANCELLED, TODO, "closed"),
        (DONE, DONE, "closed"),
        (REVIEW, TODO, "moved to In Review"),
        (TODO, None, "nobody knows"),
    ],
)
def test_an_item_that_a_person_moved_or_closed_is_left_alone(now, began, why):
    assert why in workflow.obstacle(now, began)
