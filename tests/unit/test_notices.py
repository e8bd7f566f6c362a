"""Which events become notices for people, and what of pco's health they are told."""

from dataclasses import replace
from datetime import timedelta

import pytest

from pco.ground import notice
from pco.ground.errors import BadData
from pco.ground.notice import EVENTS, HealthTold, slug
from pco.ground.redaction import Redaction
from pco.ground.ticket import State, Work
from pco.rules import notices
from pco.rules.health import Health
from support import T0, a_ticket

MINUTE = timedelta(minutes=1)


def at(state: State, **changes):
    """A ticket in a state."""
    return a_ticket("WEB-1", state=state, **changes)


@pytest.mark.parametrize(
    ("event", "state", "name", "told"),
    [
        ("moved", State.COMPLETED, "completed-WEB-1", "completed"),
        ("moved", State.FAILED, "failed-WEB-1", "failed"),
        ("moved", State.POSTED, "posted-WEB-1", "posted"),
        ("blocked", State.ACTIVE, "blocked-WEB-1", "blocked"),
        ("at rest", State.ACTIVE, "blocked-WEB-1", "blocked"),
        ("held back", State.APPROVED, "held-WEB-1", "held back"),
        ("push refused", State.COMPLETED, "push-WEB-1", "push refused"),
    ],
)
def test_what_a_person_wants_to_know_of_a_ticket_has_one_name(event, state, name, told):
    found, made = notices.of(event, at(state), {"why": "so"}, T0)

    assert (found, made.event, made.key, made.fields["why"]) == (name, told, "WEB-1", "so")
    assert slug(made.event) in EVENTS


@pytest.mark.parametrize(
    ("event", "state"),
    [
        *(("moved", state) for state in (State.PENDING, State.APPROVED, State.ACTIVE, State.OUTBOX, State.REJECTED)),
        ("unblocked", State.ACTIVE),
        ("note", State.COMPLETED),
        ("summary", State.ACTIVE),
    ],
)
def test_of_all_else_nobody_is_told(event, state):
    assert notices.of(event, at(state), {}, T0) is None


def test_a_text_is_hidden_before_it_is_cut_for_half_of_it_would_not_be_found_any_more():
    hide = Redaction([r"[a-z.]{1,40}@example\.org"])
    ticket = at(State.COMPLETED, title=f"{'x ' * 94} jane.doe@example.org")
    ticket = ticket.with_round(summary="x\n" * 994 + "jane.doe@example.org")

    fields = notices.of("moved", ticket, {"why": f"{'x ' * 244} jane.doe@example.org"}, T0, hide)[1].fields

    assert [name for name, value in fields.items() if "jane" in value] == []


def test_what_a_person_took_back_is_no_news():
    assert notices.of("moved", at(State.COMPLETED), {"from": "outbox"}, T0) is None
    assert notices.of("moved", at(State.COMPLETED), {"from": "active"}, T0)


@pytest.mark.parametrize(
    ("event", "name"), [("budget reached", "budget-reached"), ("short of room", "room"), ("room again", "room")]
)
def test_what_is_about_no_ticket_is_told_too(event, name):
    found, made = notices.of(event, None, {"why": "so\x1b"}, T0)

    assert (found, made.event, made.key, made.fields) == (name, event, "", {"why": "so"})
    assert slug(event) in EVENTS


def test_a_completed_ticket_comes_with_its_summary_and_work_cleaned_and_cut():
    ticket = at(State.COMPLETED, title="a\x1b[31m\nb" * 200)
    ticket = ticket.with_round(summary="Done.\n\u202e" + "x" * 9000, work=Work(diffstat=" a | 1 +\n 1 file changed"))

    fields = notices.of("moved", ticket, {}, T0)[1].fields

    assert fields["summary"].startswith("Done.\nxx") and len(fields["summary"]) <= notices.MOST_SUMMARY + 2
    assert fields["work"] == "1 file changed"
    assert len(fields["title"]) <= notices.MOST_TITLE and "\n" not in fields["title"] and "\x1b" not in fields["title"]


def test_what_is_no_longer_so_is_not_told_any_more():
    assert notices.over("unblocked", at(State.ACTIVE)) == ["blocked-WEB-1"]
    assert notices.over("released", at(State.APPROVED)) == ["held-WEB-1"]
    assert notices.over("moved", at(State.OUTBOX)) == [
        f"{name}-WEB-1" for name in ("blocked", "completed", "failed", "posted")
    ]
    assert "failed-WEB-1" not in notices.over("moved", at(State.FAILED))
    assert notices.over("noted", at(State.ACTIVE)) == []


# Health.


def ill(*reasons: str) -> Health:
    """pco, for these reasons not well."""
    return Health("degraded", reasons)


WELL = Health("ok")


def test_that_pco_is_unwell_is_told_after_a_minute_once_and_that_it_is_well_again():
    told, said = HealthTold(), []
    for minute, judged in enumerate([WELL, ill("a 1m"), ill("a 2m"), ill("a 3m"), WELL, WELL]):
        told, made = notices.of_health(judged, told, T0 + minute * MINUTE)
        said.append(made.event if made else "")

    assert said == ["", "", "health degraded", "", "health recovered", ""]


def test_what_passes_within_a_minute_is_not_told():
    told, made = notices.of_health(ill("a"), HealthTold(), T0)
    assert made is None
    assert notices.of_health(WELL, told, T0 + MINUTE) == (HealthTold(), None)
    told, _ = notices.of_health(ill("b"), told, T0 + MINUTE)
    assert told.seen == {"b": T0 + MINUTE}


def test_one_more_reason_is_told_and_one_that_comes_back_is_not():
    told, _ = notices.of_health(ill("a"), HealthTold(), T0)
    told, _ = notices.of_health(ill("a", "b"), told, T0 + MINUTE)
    told, made = notices.of_health(ill("a", "b"), told, T0 + 2 * MINUTE)
    assert (made.fields["new"], made.fields["why"]) == ("b", "a\nb")
    told, _ = notices.of_health(ill("b"), told, T0 + 3 * MINUTE)
    told, made = notices.of_health(ill("a", "b"), told, T0 + 9 * MINUTE)
    assert (made, set(told.told)) == (None, {"a", "b"})


def test_a_clock_that_was_set_back_delays_by_a_minute_at_most():
    told, _ = notices.of_health(ill("a"), HealthTold(), T0 + 99 * MINUTE)
    told, made = notices.of_health(ill("a"), told, T0)
    assert made is None
    assert notices.of_health(ill("a"), told, T0 + MINUTE)[1]


# What is read of a file.


def test_a_notice_is_read_as_it_was_written_and_its_event_gets_its_name():
    made = notices.of("held back", at(State.APPROVED), {"why": "a\nb"}, T0)[1]

    assert notice.notice_of(notice.to_bytes(made)) == replace(made, event="held-back", fields=dict(made.fields))


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'{"schema":1}', b'{"schema":2,"event":"failed"}', b"[" * 99_999])
def test_what_is_no_notice_is_refused(data):
    with pytest.raises(BadData):
        notice.notice_of(data)
