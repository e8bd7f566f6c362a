"""What the events of an attempt add up to."""

from datetime import timedelta
from functools import reduce
from typing import Any

from pco.ground.attempt import MOST_SUMMARY, Event, Kind
from pco.ground.ticket import Blocked
from pco.rules.hearing import MOST_BLOCKED, Heard, hear
from support import T0

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
