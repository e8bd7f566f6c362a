"""What an event in Plane does to a ticket: every cell of the table, without disk, clock or network."""

from dataclasses import replace
from datetime import timedelta

import pytest

from pco.ground.config import Filters, Triggers
from pco.ground.known import Seen
from pco.ground.record import from_bytes, to_bytes
from pco.ground.ticket import (
    Approval,
    Comment,
    Entry,
    Forward,
    Noted,
    PlaneState,
    Post,
    Round,
    State,
    StateChange,
    Stop,
    Trigger,
)
from pco.rules import effects
from pco.rules.sight import Sight
from pco.rules.triggers import Rules
from support import T0, TODO, a_ticket

BACKLOG = PlaneState("b0000000-0000-4000-8000-000000000001", "Backlog", "backlog")
DOING = PlaneState("b0000000-0000-4000-8000-000000000004", "In Progress", "started")
DONE = PlaneState("b0000000-0000-4000-8000-000000000002", "Done", "completed")
CANCELLED = PlaneState("b0000000-0000-4000-8000-000000000003", "Cancelled", "cancelled")
LATER = T0 + timedelta(minutes=5)
NOW = T0 + timedelta(minutes=10)
AGENT = Rules(filters=Filters(labels=("agent",)))
STATES = [state for state in State if state is not State.CORRUPT]
BUSY = [State.ACTIVE, State.COMPLETED, State.FAILED, State.OUTBOX]
RESTING = [State.COMPLETED, State.FAILED]
FINISHED = [State.POSTED, State.REJECTED]


def a_comment(number=1, text="please hurry"):
    return Comment(f"c{number}", T0 + timedelta(minutes=number), "Maria", text)


def in_state(state, **changes):
    """A ticket with one comment in its round, which the polls know."""
    approval = Approval("ada", T0, "0" * 64) if state is not State.PENDING else None
    first = Round(1, Trigger("new", T0, state=TODO), comments=(a_comment(0, "first"),), approval=approval)
    history = (Entry(T0, "", state.value, "test", 1),)
    return a_ticket(**{"state": state, "rounds": (first,), "labels": ("agent",), "history": history, **changes})


def as_in(ticket, **changes):
    """The item as the record has it."""
    same = Sight(
        uuid=ticket.uuid,
        number=1,
        title=ticket.title,
        description=ticket.description,
        description_html=ticket.description_html,
        state=ticket.plane_state,
        priority=ticket.priority,
        labels=ticket.labels,
        assignees=ticket.assignees,
        created_at=T0,
        updated_at=LATER,
        comments=(a_comment(0, "first"),),
    )
    return replace(same, **changes)


SEEN = Seen(TODO.id, T0, "WEB-1", ("c0",))


def judged(ticket, rules=None, seen=SEEN, **changes):
    return effects.judge(ticket, as_in(ticket, **changes), seen, rules or Rules(), NOW)


EDIT = {"title": "Another", "description": "Do that.", "description_html": "<p>Do that.</p>"}
COMMENT = {"comments": (a_comment(0, "first"), a_comment(1))}
MOVE = {"state": DOING}


def kinds(verdict):
    return [event.kind for event in verdict.ticket.noted]


# Nothing happened.


@pytest.mark.parametrize("state", STATES)
def test_a_late_bump_of_the_time_alone_changes_nothing(state):
    assert judged(in_state(state)) is None


# Text edited.


def test_the_text_of_a_pending_ticket_is_refreshed():
    verdict = judged(in_state(State.PENDING), **EDIT)

    assert (verdict.to, verdict.event) == (None, "refreshed")
    assert (verdict.ticket.title, verdict.ticket.description) == ("Another", "Do that.")
    assert verdict.ticket.description_html == "<p>Do that.</p>"


def test_an_approved_ticket_goes_back_to_pending_when_its_text_is_edited():
    verdict = judged(in_state(State.APPROVED), **EDIT)

    assert verdict.to is State.PENDING
    assert verdict.ticket.round.approval is None
    assert verdict.ticket.title == "Another"
    assert "text was edited" in verdict.why


@pytest.mark.parametrize("state", [State.ACTIVE, *RESTING])
def test_an_edited_text_is_noted_and_replaces_the_content_of_a_busy_ticket(state):
    verdict = judged(in_state(state), **EDIT)

    assert (verdict.to, verdict.event, kinds(verdict)) == (None, "noted", ["text"])
    assert (verdict.ticket.title, verdict.ticket.description) == ("Another", "Do that.")
    assert verdict.ticket.stop is None


def test_of_several_edits_only_the_last_is_kept_in_the_notes():
    once = judged(in_state(State.ACTIVE), **EDIT).ticket

    twice = effects.judge(once, as_in(once, title="A third"), SEEN, Rules(), NOW)

    assert (kinds(twice), twice.ticket.title) == (["text"], "A third")


def test_an_edited_text_is_nothing_to_a_ticket_in_outbox():
    assert judged(in_state(State.OUTBOX), **EDIT) is None


@pytest.mark.parametrize("state", FINISHED)
def test_an_edited_text_is_nothing_to_a_finished_ticket(state):
    assert judged(in_state(state), **EDIT) is None


def test_html_that_plane_wrote_anew_is_no_edit():
    assert judged(in_state(State.APPROVED), title="Title of WEB-1", description_html="<div><p>Do it.</p></div>") is None


# Someone commented.


def test_a_comment_on_a_pending_ticket_enters_its_round():
    verdict = judged(in_state(State.PENDING), **COMMENT)

    assert (verdict.to, verdict.event) == (None, "refreshed")
    assert [c.id for c in verdict.ticket.round.comments] == ["c0", "c1"]


def test_a_comment_that_was_edited_or_deleted_changes_a_pending_ticket():
    edited = judged(in_state(State.PENDING), comments=(a_comment(0, "other words"),))
    deleted = judged(in_state(State.PENDING), comments=())

    assert edited.ticket.round.comments == (a_comment(0, "other words"),)
    assert deleted.ticket.round.comments == ()


def test_an_approved_ticket_goes_back_to_pending_when_someone_comments():
    verdict = judged(in_state(State.APPROVED), **COMMENT)

    assert verdict.to is State.PENDING
    assert verdict.ticket.round.approval is None
    assert [c.id for c in verdict.ticket.round.comments] == ["c0", "c1"]
    assert verdict.why == "Maria commented"


def test_an_approved_ticket_goes_back_to_pending_when_a_comment_that_was_approved_is_edited():
    verdict = judged(in_state(State.APPROVED), comments=(a_comment(0, "rm -rf"),))

    assert (verdict.to, verdict.ticket.round.approval) == (State.PENDING, None)


def test_an_approved_ticket_keeps_a_comment_that_was_deleted_since():
    assert judged(in_state(State.APPROVED), comments=()) is None


def test_comments_that_a_reworked_round_left_out_do_not_come_back():
    ticket = in_state(State.APPROVED).with_round(comments=())

    assert judged(ticket) is None


@pytest.mark.parametrize("state", BUSY)
def test_a_comment_on_a_busy_ticket_is_noted(state):
    verdict = judged(in_state(state), **COMMENT)

    assert (verdict.to, verdict.event, kinds(verdict)) == (None, "noted", ["comment"])
    assert verdict.ticket.noted[0].comment == a_comment(1)
    assert verdict.ticket.noted[0].given == 0
    assert verdict.ticket.round == in_state(state).round


@pytest.mark.parametrize("state", FINISHED)
def test_a_comment_brings_a_finished_ticket_back_for_the_next_round(state):
    ticket = in_state(state)

    verdict = judged(ticket, **COMMENT)

    assert verdict.to is State.PENDING
    opened = verdict.ticket.round
    assert (opened.n, opened.trigger.kind, opened.approval) == (2, "comment", None)
    assert [c.id for c in opened.comments] == ["c0", "c1"]
    assert verdict.ticket.rounds[0] == ticket.round


def test_the_next_round_has_the_text_as_it_is_now():
    verdict = judged(in_state(State.POSTED), **EDIT, **COMMENT)

    assert (verdict.ticket.title, verdict.ticket.description) == ("Another", "Do that.")


def test_comments_bring_nothing_back_when_they_are_no_trigger():
    rules = Rules(Triggers(comments=False))

    assert judged(in_state(State.POSTED), rules, **COMMENT) is None
    assert judged(in_state(State.APPROVED), rules, **COMMENT).to is State.PENDING


FORWARDED = Noted(LATER, "comment", "Maria", comment=a_comment(1), forward=Forward(1, "bob", LATER))
NOTE = Noted(LATER, "note", "bob", comment=Comment("note-1-2", LATER, "bob", "of my own"), forward=FORWARDED.forward)
BOTH = {"comments": (a_comment(0, "first"), a_comment(1))}


def test_a_comment_that_was_forwarded_and_taken_brings_nothing_back():
    known = replace(SEEN, comments=("c0", "c1"))

    assert judged(in_state(State.POSTED, noted=(replace(FORWARDED, given=1),)), seen=known, **BOTH) is None
    assert judged(in_state(State.POSTED, noted=(FORWARDED,)), seen=known, **BOTH).to is State.PENDING


def test_a_note_that_no_agent_has_taken_brings_the_ticket_back_and_goes_into_its_prompt():
    ticket = in_state(State.POSTED, noted=(NOTE,))

    verdict = judged(ticket)

    assert effects.waits(ticket)
    assert verdict.to is State.PENDING
    assert [c.id for c in verdict.ticket.round.comments] == ["c0", "note-1-2"]


def test_a_note_is_no_comment_that_was_deleted_in_plane():
    ticket = in_state(State.PENDING)
    ticket = ticket.with_round(comments=(*ticket.round.comments, NOTE.comment))

    assert judged(ticket, comments=()).ticket.round.comments == (NOTE.comment,)


# Moved into a trigger state.


@pytest.mark.parametrize("state", [State.PENDING, State.APPROVED])
def test_a_move_into_a_trigger_state_is_refreshed_before_the_launch(state):
    ticket = in_state(state)

    verdict = judged(ticket, **MOVE)

    assert (verdict.to, verdict.event, verdict.ticket.plane_state) == (None, "refreshed", DOING)
    assert verdict.ticket.round == ticket.round


@pytest.mark.parametrize("state", BUSY)
def test_a_move_into_a_trigger_state_is_noted_by_a_busy_ticket(state):
    verdict = judged(in_state(state), **MOVE)

    assert (verdict.to, kinds(verdict), verdict.ticket.plane_state) == (None, ["moved"], DOING)
    assert verdict.ticket.noted[0].state == DOING


@pytest.mark.parametrize("state", FINISHED)
def test_a_move_into_a_trigger_state_brings_a_finished_ticket_back(state):
    verdict = judged(in_state(state), **MOVE)

    assert verdict.to is State.PENDING
    assert (verdict.ticket.round.n, verdict.ticket.round.trigger.kind) == (2, "status")
    assert verdict.ticket.round.trigger.state == DOING


def test_a_move_brings_nothing_back_when_it_is_no_trigger():
    verdict = judged(in_state(State.POSTED), Rules(Triggers(status_changes=False)), **MOVE)

    assert (verdict.to, verdict.event, verdict.ticket.plane_state) == (None, "", DOING)


@pytest.mark.parametrize("state", [State.ACTIVE, *RESTING, State.OUTBOX])
def test_a_move_into_any_other_state_is_only_kept(state):
    verdict = judged(in_state(state), state=BACKLOG)

    assert (verdict.to, kinds(verdict), verdict.ticket.plane_state) == (None, [], BACKLOG)


def test_a_finished_ticket_that_moves_away_and_back_again_comes_back():
    away = judged(in_state(State.POSTED), state=BACKLOG)
    assert (away.to, away.ticket.plane_state) == (None, BACKLOG)

    back = effects.judge(away.ticket, as_in(away.ticket, state=TODO), replace(SEEN, state=BACKLOG.id), Rules(), NOW)

    assert back.to is State.PENDING


# Closed, cancelled.


@pytest.mark.parametrize("closed", [DONE, CANCELLED])
@pytest.mark.parametrize("state", [State.PENDING, State.APPROVED])
def test_closing_the_item_rejects_a_ticket_that_has_not_begun(state, closed):
    verdict = judged(in_state(state), state=closed)

    assert (verdict.to, verdict.ticket.plane_state) == (State.REJECTED, closed)
    assert closed.name in verdict.why


@pytest.mark.parametrize("closed", [DONE, CANCELLED])
def test_closing_the_item_asks_an_active_session_to_stop(closed):
    verdict = judged(in_state(State.ACTIVE), state=closed)

    assert (verdict.to, verdict.event) == (None, "stop")
    assert (verdict.ticket.stop.to, verdict.ticket.stop.by, verdict.ticket.stop.at) == ("rejected", "Plane", NOW)


def test_closing_the_item_goes_before_a_pause():
    ticket = in_state(State.ACTIVE, stop=Stop(T0, "ada", to="approved"))

    assert judged(ticket, state=DONE).ticket.stop.to == "rejected"


@pytest.mark.parametrize("state", [*RESTING, State.OUTBOX])
def test_closing_the_item_is_noted_by_a_ticket_that_has_a_result(state):
    verdict = judged(in_state(state), state=DONE)

    assert (verdict.to, kinds(verdict), verdict.ticket.plane_state) == (None, ["closed"], DONE)


@pytest.mark.parametrize("state", FINISHED)
def test_closing_the_item_is_nothing_to_a_finished_ticket(state):
    verdict = judged(in_state(state), state=DONE)

    assert (verdict.to, verdict.event, verdict.ticket.noted) == (None, "", ())


@pytest.mark.parametrize("state", FINISHED)
def test_a_last_word_said_while_closing_brings_nothing_back(state):
    assert judged(in_state(state), state=DONE, **COMMENT).to is None


def test_a_closing_state_is_no_trigger_although_it_is_named_as_one():
    rules = Rules(Triggers(into_states=("Done",)))

    assert judged(in_state(State.POSTED), rules, state=DONE).to is None
    assert kinds(judged(in_state(State.COMPLETED), rules, state=DONE)) == ["closed"]


# Gone.


@pytest.mark.parametrize("state", [State.PENDING, State.APPROVED])
def test_a_ticket_that_has_not_begun_is_rejected_when_its_item_is_gone(state):
    verdict = effects.vanish(in_state(state), NOW)

    assert (verdict.to, verdict.ticket.gone) == (State.REJECTED, True)


def test_an_active_session_is_asked_to_stop_when_its_item_is_gone():
    verdict = effects.vanish(in_state(State.ACTIVE), NOW)

    assert (verdict.to, verdict.event, verdict.ticket.gone) == (None, "stop", True)
    assert verdict.ticket.stop.to == "rejected"


@pytest.mark.parametrize("state", RESTING)
def test_that_the_item_is_gone_is_noted_once_by_a_ticket_with_a_result(state):
    verdict = effects.vanish(in_state(state), NOW)

    assert (verdict.to, kinds(verdict), verdict.ticket.gone) == (None, ["gone"], True)
    assert effects.vanish(verdict.ticket, NOW) is None


@pytest.mark.parametrize("state", [State.OUTBOX, *FINISHED])
def test_that_the_item_is_gone_is_left_to_pco_post_or_nothing(state):
    assert effects.vanish(in_state(state), NOW) is None


def test_an_item_that_came_back_is_no_longer_gone():
    verdict = judged(in_state(State.COMPLETED, gone=True))

    assert verdict.ticket.gone is False


# The filter no longer matches.


def test_a_pending_ticket_is_rejected_when_the_filters_no_longer_let_it_pass():
    verdict = judged(in_state(State.PENDING), AGENT, labels=("bug",))

    assert (verdict.to, verdict.ticket.labels) == (State.REJECTED, ("bug",))


def test_a_pending_ticket_that_never_passed_the_filters_stays():
    ticket = in_state(State.PENDING, labels=())

    assert judged(ticket, AGENT, labels=("bug",)).to is None


@pytest.mark.parametrize("state", [State.APPROVED, *BUSY])
def test_a_filter_that_no_longer_matches_is_nothing_to_a_ticket_that_was_approved(state):
    verdict = judged(in_state(state), AGENT, labels=("bug",))

    assert (verdict.to, verdict.ticket.noted, verdict.ticket.stop) == (None, (), None)
    assert verdict.ticket.round == in_state(state).round


@pytest.mark.parametrize("state", FINISHED)
def test_a_filter_that_no_longer_matches_is_nothing_to_a_finished_ticket(state):
    assert judged(in_state(state), AGENT, labels=("bug",)) is None


def test_a_finished_ticket_outside_the_filters_comes_back_only_if_a_person_imported_it():
    ticket = in_state(State.POSTED, labels=())
    imported = ticket.with_round(trigger=Trigger("import", T0))

    assert judged(ticket, AGENT, **COMMENT) is None
    assert judged(imported, AGENT, **COMMENT).to is State.PENDING


# Priority, labels, assignees.


@pytest.mark.parametrize("state", [State.PENDING, State.APPROVED])
def test_labels_priority_and_assignees_are_refreshed_and_cost_no_approval(state):
    ticket = in_state(state)

    verdict = judged(ticket, labels=("agent", "bug"), priority="urgent", assignees=("Jonas",))

    assert (verdict.to, verdict.event) == (None, "refreshed")
    now = verdict.ticket
    assert (now.labels, now.priority, now.assignees) == (("agent", "bug"), "urgent", ("Jonas",))
    assert now.round.approval == ticket.round.approval


# pco's own writes are no events.


def posting(state, outcome="", to=DOING):
    ticket = in_state(state)
    return ticket.with_round(post=Post("<p>done</p>", "WEB-1:1:x", state=StateChange(to, outcome)))


@pytest.mark.parametrize("state", [State.OUTBOX, State.POSTED])
def test_the_state_that_pco_post_set_is_no_event_before_it_is_recorded(state):
    verdict = judged(posting(state), **MOVE)

    assert (verdict.to, verdict.event, verdict.ticket.noted) == (None, "", ())
    assert verdict.ticket.plane_state == DOING


def test_a_closing_state_that_pco_post_set_is_no_event():
    assert judged(posting(State.OUTBOX, to=DONE), state=DONE).ticket.noted == ()


def test_a_person_who_moves_it_there_once_more_is_an_event():
    ticket = replace(posting(State.POSTED, "done"), plane_state=BACKLOG)

    verdict = effects.judge(ticket, as_in(ticket, state=DOING), replace(SEEN, state=BACKLOG.id), Rules(), NOW)

    assert verdict.to is State.PENDING


def test_a_sight_older_than_the_change_by_pco_post_is_no_event():
    ticket = replace(posting(State.POSTED, "done"), plane_state=DOING)

    assert effects.judge(ticket, as_in(ticket, state=TODO), SEEN, Rules(), NOW) is None


# After a crash the same events are seen again.


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("event", [EDIT, COMMENT, MOVE, {"state": DONE}], ids=["text", "comment", "move", "close"])
def test_the_same_event_seen_again_after_a_crash_changes_nothing(state, event):
    ticket = in_state(state)
    first = judged(ticket, **event)
    after = first.ticket if first else ticket
    if first and first.to:
        entry = Entry(NOW, state.value, first.to.value, "pco-poll", after.round.n)
        after = from_bytes(to_bytes(replace(after, history=(*after.history, entry))), first.to)

    again = effects.judge(after, as_in(ticket, **event), SEEN, Rules(), NOW)

    assert again is None


# Noted events bring it back.


def noted(state, *events, **changes):
    return in_state(state, noted=events, **changes)


SAID = Noted(T0, "comment", "Maria", "Maria commented", comment=a_comment(1))
PUSHED = Noted(T0, "moved", "Plane", "moved to In Progress", state=DOING)


@pytest.mark.parametrize("state", FINISHED)
@pytest.mark.parametrize(("event", "kind"), [(SAID, "comment"), (PUSHED, "status")])
def test_what_was_noted_brings_a_finished_ticket_back(state, event, kind):
    verdict = judged(noted(state, event), seen=replace(SEEN, comments=("c0", "c1")), **COMMENT)

    assert verdict.to is State.PENDING
    assert (verdict.ticket.round.n, verdict.ticket.round.trigger.kind) == (2, kind)
    assert [c.id for c in verdict.ticket.round.comments] == ["c0", "c1"]
    assert [n.given for n in verdict.ticket.noted] == [2]


@pytest.mark.parametrize("event", [replace(SAID, given=1), Noted(T0, "text"), Noted(T0, "closed"), Noted(T0, "gone")])
def test_what_was_given_or_is_no_trigger_brings_nothing_back(event):
    ticket = noted(State.POSTED, event)

    assert judged(ticket, seen=replace(SEEN, comments=("c0", "c1")), **COMMENT) is None
    assert not effects.waits(ticket)


def test_what_was_said_before_the_item_was_withdrawn_does_not_bring_it_back():
    ticket = noted(State.REJECTED, SAID, plane_state=DONE)

    assert judged(ticket, seen=replace(SEEN, state=DONE.id, comments=("c0", "c1")), **COMMENT) is None


def test_many_comments_on_a_busy_ticket_stay_bounded():
    ticket = noted(State.ACTIVE, *[replace(SAID, what=str(n)) for n in range(effects.MOST_NOTED)])

    verdict = judged(ticket, comments=(a_comment(0, "first"), a_comment(2, "x" * 200_000)))

    assert len(verdict.ticket.noted) == effects.MOST_NOTED
    assert len(verdict.ticket.noted[-1].comment.text) < 60_000
