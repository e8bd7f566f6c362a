"""What makes a ticket of an item: triggers and filters, without disk, clock or network."""

from dataclasses import replace
from datetime import timedelta

import pytest

from pco.ground.config import Filters, Triggers
from pco.ground.known import Seen
from pco.ground.ticket import Comment, PlaneState
from pco.rules import triggers
from pco.rules.sight import Sight, make
from pco.rules.triggers import Rules
from support import T0, TODO, WEB

BACKLOG = PlaneState("b0000000-0000-4000-8000-000000000001", "Backlog", "backlog")
DONE = PlaneState("b0000000-0000-4000-8000-000000000002", "Done", "completed")
CANCELLED = PlaneState("b0000000-0000-4000-8000-000000000003", "Cancelled", "cancelled")
LATER = T0 + timedelta(minutes=5)
NOW = T0 + timedelta(minutes=10)


def an_item(**changes):
    """An item that was there before the first poll, untouched."""
    given = {
        "uuid": "00000000-0000-4000-8000-000000000001",
        "number": 1,
        "title": "Title of WEB-1",
        "description": "Do it.",
        "description_html": "<p>Do it.</p>",
        "state": TODO,
        "priority": "none",
        "labels": (),
        "assignees": (),
        "created_at": T0,
        "updated_at": T0,
    }
    return Sight(**{**given, **changes})


def a_comment(number=1, at=LATER, by="Maria", text="please hurry"):
    return Comment(f"c{number}", at, by, text)


def seen_in(state, **changes):
    return replace(Seen(state.id, T0), **changes)


def kind(sight, seen=None, rules=None, since=T0):
    trigger = triggers.arise(sight, seen, rules or Rules(), since, NOW)
    return trigger.kind if trigger else None


# Row "unknown" of the table.


def test_an_item_created_since_the_first_poll_becomes_a_ticket():
    assert kind(an_item(created_at=LATER)) == "new"


def test_an_item_that_was_there_before_does_not_become_a_ticket_when_its_text_is_edited():
    assert kind(an_item(title="Other", updated_at=LATER), seen_in(TODO)) is None


def test_a_comment_on_an_unknown_item_makes_a_ticket():
    assert kind(an_item(comments=(a_comment(),)), seen_in(TODO)) == "comment"


def test_a_move_into_a_trigger_state_makes_a_ticket():
    assert kind(an_item(state=TODO), seen_in(BACKLOG)) == "status"


@pytest.mark.parametrize("state", [DONE, CANCELLED])
def test_closing_an_unknown_item_makes_no_ticket(state):
    assert kind(an_item(state=state, comments=(a_comment(),)), seen_in(TODO)) is None


def test_an_unknown_item_that_leaves_the_filters_makes_no_ticket():
    rules = Rules(filters=Filters(labels=("agent",)))

    assert kind(an_item(labels=(), updated_at=LATER), seen_in(TODO), rules) is None


# What holds back.


def test_a_move_into_another_state_makes_no_ticket():
    assert kind(an_item(state=BACKLOG), seen_in(TODO)) is None


def test_a_move_into_any_open_state_makes_a_ticket_when_no_state_is_named():
    rules = Rules(Triggers(into_states=()))

    assert kind(an_item(state=BACKLOG), seen_in(TODO), rules) == "status"
    assert kind(an_item(state=DONE), seen_in(TODO), rules) is None


@pytest.mark.parametrize("state", [DONE, CANCELLED])
def test_an_item_created_closed_makes_no_ticket(state):
    assert kind(an_item(created_at=LATER, state=state)) is None


def test_an_item_that_was_seen_closed_is_taken_when_it_is_in_a_trigger_state_again_not_in_another():
    assert kind(an_item(created_at=LATER, state=TODO), seen_in(DONE)) == "status"
    assert kind(an_item(created_at=LATER, state=BACKLOG), seen_in(DONE)) is None


@pytest.mark.parametrize(
    ("off", "sight", "seen"),
    [
        ("new_tickets", an_item(created_at=LATER), None),
        ("status_changes", an_item(), seen_in(BACKLOG)),
        ("comments", an_item(comments=(a_comment(),)), seen_in(TODO)),
    ],
)
def test_a_trigger_that_is_switched_off_does_nothing(off, sight, seen):
    assert kind(sight, seen) is not None
    assert kind(sight, seen, Rules(Triggers(**{off: False}))) is None


def test_a_new_item_that_passes_the_filters_only_later_becomes_a_ticket_then():
    rules = Rules(filters=Filters(labels=("agent",)))
    item = an_item(created_at=LATER)
    assert kind(item, None, rules) is None
    assert triggers.is_new(item, None, T0)

    labelled = replace(item, labels=("agent",))

    assert kind(labelled, seen_in(TODO, new=True), rules) == "new"
    assert kind(labelled, seen_in(TODO, new=False), rules) is None


@pytest.mark.parametrize(
    ("filters", "passes"),
    [
        (Filters(), True),
        (Filters(states=("todo",)), True),
        (Filters(states=("Backlog",)), False),
        (Filters(labels=("docs", "Agent")), True),
        (Filters(labels=("docs",)), False),
        (Filters(priorities=("high", "urgent")), True),
        (Filters(priorities=("low",)), False),
        (Filters(assignees=("Jonas",)), True),
        (Filters(assignees=("Ada",)), False),
        (Filters(labels=("agent",), assignees=("Ada",)), False),
    ],
)
def test_each_filter_lets_pass_what_it_names_and_all_must_agree(filters, passes):
    item = an_item(created_at=LATER, labels=("agent", "bug"), priority="high", assignees=("Jonas",))

    assert (kind(item, None, Rules(filters=filters)) == "new") is passes


# Which comments are news.


def test_a_comment_that_a_poll_has_seen_is_no_news():
    assert kind(an_item(comments=(a_comment(1),)), seen_in(TODO, comments=("c1",))) is None
    assert kind(an_item(comments=(a_comment(1), a_comment(2))), seen_in(TODO, comments=("c1",))) == "comment"


def test_comments_older_than_the_last_look_are_no_news_where_nobody_asked_for_them():
    old, young = a_comment(1, at=T0 - timedelta(days=1)), a_comment(2, at=LATER)

    assert triggers.unseen(an_item(comments=(old, young)), seen_in(TODO), T0 - timedelta(days=2)) == (young,)


def test_comments_older_than_the_first_poll_are_no_news_on_an_item_that_comes_out_of_hiding():
    old, young = a_comment(1, at=T0 - timedelta(days=1)), a_comment(2, at=LATER)

    assert triggers.unseen(an_item(comments=(old, young)), None, T0) == (young,)


# Backfill, and the record.


def test_a_backfill_takes_what_is_in_a_trigger_state():
    assert triggers.existing(an_item(state=TODO), Rules(), NOW).kind == "new"
    assert triggers.existing(an_item(state=BACKLOG), Rules(), NOW) is None
    assert triggers.existing(an_item(state=DONE), Rules(Triggers(into_states=("Done",))), NOW) is None
    assert triggers.existing(an_item(state=BACKLOG), Rules(Triggers(into_states=())), NOW) is not None


def test_the_record_of_a_new_ticket_has_all_that_plane_says():
    item = an_item(labels=("bug",), priority="high", assignees=("Jonas",), comments=(a_comment(),))
    trigger = triggers.existing(item, Rules(), NOW)

    ticket = make(item, "WEB-1", WEB, "https://plane.example.org/acme/browse/WEB-1/", "abc", trigger)

    assert (ticket.key, ticket.uuid, ticket.project, ticket.id) == ("WEB-1", item.uuid, WEB, "abc")
    assert (ticket.title, ticket.description, ticket.plane_state) == ("Title of WEB-1", "Do it.", TODO)
    assert (ticket.labels, ticket.priority, ticket.assignees) == (("bug",), "high", ("Jonas",))
    assert (ticket.round.n, ticket.round.trigger, ticket.round.comments) == (1, trigger, (a_comment(),))
    assert not ticket.local
