"""What the events of an attempt add up to."""

from dataclasses import replace
from datetime import timedelta
from functools import reduce
from typing import Any

import pytest

from pco.ground.leavings import MOST_SUMMARY, Event, Kind
from pco.ground.ticket import Attempt, Blocked, State, Ticket
from pco.rules.hearing import MOST_BLOCKED, MOST_DRAFT, Heard, at_rest, doing, hear
from pco.rules.hearing import waits as waits_for_a_person
from support import T0, a_ticket

NOW = 1000.0


def at(kind: Kind, boot: float, **detail: Any) -> Event:
    """An event at a clock value; its wall clock time follows."""
    return Event(kind, T0 + timedelta(seconds=boot), 1, 1, detail, boot)


def heard(*events: Event) -> Heard:
    """All of them, one after the other."""
    return reduce(lambda so_far, event: hear(so_far, event, NOW), events, Heard())


def test_each_event_is_a_sign_of_life() -> None:
    assert heard(at("started", 10), at("idle", 30), at("working", 20)).life == 30


def test_an_event_from_the_future_counts_as_now() -> None:
    assert heard(at("working", 1e9)).life == NOW


def test_the_first_summary_counts() -> None:
    told = heard(at("completed", 1, summary="one", by="agent"), at("completed", 2, summary="two", by="bob"))

    assert (told.summary, told.summary_by) == ("one", "agent")


def test_an_empty_summary_is_no_completion() -> None:
    for empty in ("", " \n\t", "\x1b", "\u202e\u200b", None, 7, ["x"]):
        assert heard(at("completed", 1, summary=empty)).summary == ""


def test_a_summary_after_an_empty_one_counts() -> None:
    assert heard(at("completed", 1, summary=" "), at("completed", 2, summary="done")).summary == "done"


def test_a_summary_is_cleaned_and_bounded_and_always_the_agents() -> None:
    told = heard(at("completed", 1, summary=" \x1b[31mred\u202e\r\n" + "x" * 2 * MOST_SUMMARY, by="alice"))

    assert told.summary.startswith("[31mred\nxxx") and len(told.summary) <= MOST_SUMMARY
    assert told.summary_by == "agent"


def test_blocked_time_runs_from_the_request_to_the_next_work() -> None:
    told = heard(at("blocked", 100, what="Bash"), at("idle", 150), at("working", 400))

    assert told.waited == 300 and told.since is None
    assert told.blocked == (Blocked(T0 + timedelta(seconds=100), T0 + timedelta(seconds=400), "Bash"),)


def test_whoever_still_waits_has_waited_until_now() -> None:
    told = heard(at("blocked", 100), at("working", 200), at("blocked", 900))

    assert told.since == 900 and told.waited_until(NOW) == 200


def test_a_second_request_while_blocked_changes_nothing() -> None:
    assert len(heard(at("blocked", 100), at("blocked", 200)).blocked) == 1


def test_a_jump_of_the_wall_clock_does_not_change_how_long_it_waited() -> None:
    late = Event("working", T0 - timedelta(days=400), 1, 1, {}, 160.0)

    told = heard(at("blocked", 100), late)

    assert told.waited == 60
    assert told.blocked[0].to == told.blocked[0].from_  # for people; never negative


def test_a_flood_of_requests_leaves_a_bounded_record() -> None:
    events = [at(kind, n) for n in range(500) for kind in ("blocked", "working")]

    told = heard(*events)

    assert len(told.blocked) == MOST_BLOCKED


def test_what_was_forwarded_and_taken_adds_up() -> None:
    told = heard(at("working", 1, given=[1]), at("working", 2), at("working", 3, given=[2, 3]))

    assert told.given == {1, 2, 3}


def test_what_is_taken_after_the_summary_was_taken_too_late() -> None:
    told = heard(at("working", 1, given=[1]), at("completed", 2, summary="done"), at("working", 3, given=[2]))

    assert told.given == {1}


def test_numbers_that_are_none_are_passed_over() -> None:
    for wrong in ("12", {"1": 1}, None, 1, [True, "1", 1.0, None, [1]]):
        assert heard(at("working", 1, given=wrong)).given == frozenset()


# What the agent says of itself.


def test_an_agent_is_launched_before_it_says_that_it_has_started() -> None:
    launched = heard(at("launched", 10, pid=7))

    assert (launched.launched, launched.started, launched.doing) == (10, False, "starting")
    assert heard(at("launched", 10), at("started", 12)).started


def test_why_a_conversation_began_afresh_is_heard_clean_and_short() -> None:
    told = heard(at("launched", 1, afresh="it is gone\x1b[31m\n" + "x" * 1000))

    assert told.afresh.startswith("it is gone[31m xxx") and len(told.afresh) <= 300


def test_the_name_of_a_conversation_and_its_file_are_heard() -> None:
    told = heard(at("started", 1, session="0b-1f", transcript="/home/x/0b-1f.jsonl", source="startup"))

    assert (told.agent_session, told.transcript) == ("0b-1f", "/home/x/0b-1f.jsonl")


def test_a_conversation_that_was_cleared_has_another_name_from_then_on() -> None:
    told = heard(
        at("started", 1, session="one", transcript="/one.jsonl"),
        at("started", 2, session="two", transcript="/two.jsonl", source="clear"),
    )

    assert (told.agent_session, told.transcript) == ("two", "/two.jsonl")


def test_what_is_no_name_of_a_conversation_leaves_the_one_before() -> None:
    for wrong in ("", "../x", "--dangerously-skip-permissions", "-p", "a b", "x" * 65, 7, None, ["one"]):
        assert heard(at("started", 1, session="one"), at("started", 2, session=wrong)).agent_session == "one"


def test_a_turn_that_has_ended_rests_until_the_next_sign_of_work() -> None:
    resting = heard(at("started", 1), at("turn_ended", 100, last="Shall I go on?"), at("idle", 160))

    assert (resting.resting, resting.said, resting.doing) == (100, "Shall I go on?", "idle")
    assert resting.waited_until(NOW) == 900
    again = heard(at("turn_ended", 100), at("working", 400))
    assert (again.resting, again.waited, again.doing) == (None, 300, "working")


def test_a_turn_that_ends_after_another_rests_anew_and_the_time_between_counts_as_waited() -> None:
    told = heard(at("turn_ended", 100), at("turn_ended", 250))

    assert (told.resting, told.waited) == (250, 150)


def test_a_turn_that_failed_says_why_and_is_not_at_rest() -> None:
    failed = heard(at("turn_failed", 100, error="overloaded"), at("idle", 160))

    assert (failed.failing, failed.resting, failed.failure) == (100, None, "overloaded")
    assert failed.doing == "its turn failed: overloaded"
    assert failed.doing_since == T0 + timedelta(seconds=100)
    assert heard(at("turn_failed", 100), at("working", 200)).failing is None


def test_a_turn_that_failed_without_a_word_says_that() -> None:
    assert heard(at("turn_failed", 1)).doing == "its turn failed: it did not say why"


def test_the_last_words_count_and_an_empty_message_is_none() -> None:
    told = heard(
        at("turn_ended", 1, last="first"), at("turn_ended", 2, last="sec\x1bond "), at("turn_ended", 3, last=" ")
    )

    assert told.said == "second"
    assert len(heard(at("turn_ended", 1, last="x" * (MOST_DRAFT + 9))).said) == MOST_DRAFT
    for wrong in (None, 7, ["x"]):
        assert heard(at("turn_ended", 1, last=wrong)).said == ""


def test_whether_an_agent_is_at_rest_shows_in_what_it_does() -> None:
    for event in (at("turn_ended", 1), at("turn_failed", 1, error="x"), at("idle", 1)):
        assert at_rest(heard(event).doing)
    for event in (at("launched", 1), at("started", 1), at("working", 1)):
        assert not at_rest(heard(event).doing)
    assert not at_rest("")


def running(**attempt: Any) -> Ticket:
    """An active ticket with one attempt."""
    return replace(a_ticket("WEB-1").with_round(attempts=(Attempt(1, T0, **attempt),)), state=State.ACTIVE)


def test_idle_does_not_hide_that_it_waits_for_an_answer() -> None:
    assert heard(at("blocked", 1, what="Bash"), at("idle", 60)).doing == "blocked"
    assert heard(at("blocked", 1, what="Bash"), at("working", 60)).doing == "working"


def test_a_summary_and_a_warning_are_heard() -> None:
    told = heard(at("launched", 1, warning="2.9.9 is newer than what was tested"), at("completed", 2, summary="x"))

    assert (told.doing, told.warning) == (
        "has handed over its summary",
        "2.9.9 is newer than what was tested",
    )


@pytest.mark.parametrize(
    ("attempt", "change", "said", "waits"),
    [
        ({}, {}, "starting", False),
        ({"doing": "working", "doing_since": T0}, {}, "working", False),
        ({"doing": "idle", "doing_since": T0}, {}, "idle", True),
        ({"doing": "its turn failed: overloaded", "doing_since": T0}, {}, "its turn failed: overloaded", True),
        ({"doing": "working", "doing_since": T0}, {"blocked": (Blocked(T0, None, "Bash"),)}, "blocked: Bash", True),
        ({"doing": "idle", "doing_since": T0}, {"summary": "Done."}, "idle", False),
        ({"end": T0}, {}, "", False),
    ],
)
def test_what_an_agent_does_is_one_rule_and_blocked_goes_first(attempt, change, said, waits) -> None:  # type: ignore[no-untyped-def]
    ticket = running(**attempt).with_round(**change)

    assert (doing(ticket)[0], waits_for_a_person(ticket)) == (said, waits)


def test_nothing_is_done_for_a_ticket_that_is_not_active() -> None:
    ticket = replace(running(doing="working", doing_since=T0), state=State.FAILED)

    assert doing(ticket) == ("", None)
    assert not waits_for_a_person(ticket)
