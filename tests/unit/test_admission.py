"""Which approved tickets start, and what keeps the others back."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest

from pco.ground.config import Budget
from pco.ground.ticket import Approval, Attempt, Cost, Hold, PlaneState, Stop, Trigger
from pco.rules import admission, prompt
from pco.rules.admission import Terms
from pco.rules.budget import Purse
from support import T0, WEB, a_ticket

APP = "0c1cbb13-2ab6-4ba0-9d06-7f5ebd4a1f4b"
WHERE = prompt.Target("/srv/git/web.git", "main", "command", "acceptEdits")
MINUTE = timedelta(minutes=1)


def approved(key="WEB-1", at=T0, **changes):
    ticket = a_ticket(key, **changes)
    return ticket.with_round(approval=Approval("ann", at, prompt.content_hash(ticket, WHERE)))


def terms(**changes):
    given = {"now": T0, "limit": 10, "per_project": 10, "retry_after": MINUTE, "fresh": frozenset([WEB, APP])}
    return Terms(**{**given, "targets": {WEB: WHERE, APP: WHERE}, **changes})


def started(tickets, active=(), **changes):
    turns = admission.turns(tickets, Counter(active), terms(**changes))
    return [turn.ticket.key for turn in turns if not turn.why]


def why(ticket, **changes):
    return admission.obstacle(ticket, terms(**changes))


def test_an_approved_ticket_that_a_recent_poll_knew_as_open_starts():
    assert started([approved()]) == ["WEB-1"]


def test_urgent_goes_before_high_before_medium_before_low_before_none():
    names = ["none", "low", "urgent", "medium", "high"]
    tickets = [approved(f"WEB-{n}", priority=name) for n, name in enumerate(names)]

    assert started(tickets) == ["WEB-2", "WEB-4", "WEB-3", "WEB-1", "WEB-0"]


def test_a_priority_that_nobody_knows_goes_last():
    assert started([approved("WEB-1", priority="?"), approved("WEB-2")]) == ["WEB-2", "WEB-1"]


def test_of_equal_priority_the_one_approved_first_goes_first():
    tickets = [approved("WEB-1", at=T0 + MINUTE), approved("WEB-2", at=T0)]

    assert started(tickets, limit=1) == ["WEB-2"]


def test_keys_are_ordered_as_numbers_when_all_else_is_equal():
    assert started([approved("WEB-10"), approved("WEB-9")]) == ["WEB-9", "WEB-10"]


@pytest.mark.parametrize(("running", "expected"), [(0, ["WEB-1", "WEB-2"]), (1, ["WEB-1"]), (2, []), (3, [])])
def test_the_limit_counts_what_runs_already(running, expected):
    tickets = [approved(f"WEB-{n}") for n in (1, 2, 3)]

    assert started(tickets, active=[APP] * running, limit=2) == expected


def test_the_limit_of_a_project_leaves_room_for_another():
    tickets = [approved("WEB-1"), approved("WEB-2"), approved("APP-3", project=APP)]

    assert started(tickets, per_project=1) == ["APP-3", "WEB-1"]
    assert started(tickets, active=[WEB], per_project=1) == ["APP-3"]


def test_a_ticket_that_waits_takes_no_slot_from_the_next():
    held = approved("WEB-1", priority="urgent", hold=Hold("ann", T0))

    assert started([held, approved("WEB-2")], limit=1) == ["WEB-2"]


def test_a_limit_of_none_starts_nothing():
    assert started([approved()], limit=0) == []


@pytest.mark.parametrize(
    ("hold", "held"),
    [
        (Hold("ann", T0), True),
        (Hold("ann", T0, T0 + MINUTE), True),
        (Hold("ann", T0, T0), False),
        (Hold("ann", T0, T0 - MINUTE), False),
    ],
)
def test_a_hold_keeps_a_ticket_until_it_has_passed(hold, held):
    assert bool(why(approved(hold=hold))) is held


def test_a_hold_is_told_with_its_reason():
    told = why(approved(hold=Hold("ann", T0, T0 + 5 * MINUTE, "release")))

    assert told == "on hold for 5m, by ann: release"


def test_a_retry_waits_for_its_time():
    failed = Attempt(1, T0 - MINUTE, end=T0, outcome="died")
    ticket = approved().with_round(attempts=(failed,))

    assert why(ticket, now=T0 + MINUTE / 2) == "its next attempt is due in 30s"


def test_a_retry_does_not_wait_until_a_clock_that_was_set_back_is_there_again():
    ticket = approved().with_round(attempts=(Attempt(1, T0 - MINUTE, end=T0, outcome="died"),))

    assert why(ticket, now=T0 - timedelta(days=300)) == ""
    assert why(ticket, now=T0 + MINUTE) == ""


def test_a_ticket_edited_after_its_approval_stays():
    assert "not what was approved" in why(replace(approved(), title="Something else"))


def test_a_ticket_without_approval_stays():
    assert "not what was approved" in why(a_ticket())


def test_a_change_of_the_repository_undoes_the_approval():
    elsewhere = replace(WHERE, repository="/srv/git/other.git")

    assert "not what was approved" in why(approved(), targets={WEB: elsewhere})


def test_a_ticket_whose_project_is_no_longer_configured_stays():
    assert why(approved(), targets={}) == "its project is no longer configured"


def test_a_stale_poll_keeps_tickets_of_its_project_only():
    assert "not polled" in why(approved(), fresh=frozenset([APP]))
    assert why(approved("APP-1", project=APP), fresh=frozenset([APP])) == ""


def test_a_local_ticket_needs_no_poll():
    assert why(approved(local=True), fresh=frozenset()) == ""


def test_a_ticket_that_is_gone_stays():
    assert why(approved(gone=True)) == "it is gone from Plane"


@pytest.mark.parametrize("group", ["completed", "cancelled"])
def test_a_ticket_that_is_closed_in_plane_stays(group):
    assert why(approved(plane_state=PlaneState("x", "Done", group))) == f"it is {group} in Plane"


@pytest.mark.parametrize("group", ["backlog", "unstarted", "started", "triage"])
def test_a_ticket_in_any_other_state_starts(group):
    assert why(approved(plane_state=PlaneState("x", "Any", group))) == ""


def test_a_project_whose_mirror_failed_gives_its_slot_to_another():
    tickets = [approved("WEB-1", priority="urgent"), approved("APP-1", project=APP)]

    assert started(tickets, limit=1, trouble={WEB: "cannot fetch"}) == ["APP-1"]


def test_a_ticket_whose_last_session_is_still_there_waits():
    assert why(approved(), living=frozenset(["WEB-1"])) == "its last session has not quite ended"
    assert why(approved(), living=frozenset(["WEB-10"])) == ""


def test_an_old_request_to_stop_does_not_keep_a_ticket_back():
    assert why(approved(stop=Stop(T0, "ann", to="approved"))) == ""


@pytest.mark.parametrize(("taken", "free"), [([], 1), ([1], 2), ([2], 1), ([1, 3], 2), ([2, 1], 3), ([1, 1], 2)])
def test_the_lowest_free_slot_is_taken(taken, free):
    assert admission.lowest_free(taken) == free


# Money.


def test_a_ticket_without_money_leaves_its_slot_to_the_next():
    dear = replace(approved("WEB-1", priority="urgent"), released=None)
    dear = dear.with_round(cost=Cost(25.0))

    assert started([dear, approved("WEB-2")], limit=1, purse=Purse(Budget(ticket_usd=20.0))) == ["WEB-2"]


def test_a_day_without_money_starts_nothing():
    assert started([approved("WEB-1"), approved("WEB-2")], purse=Purse(Budget(daily_usd=1.0), today=1.0)) == []


def test_a_ticket_that_circles_is_told_apart_and_one_on_hold_is_not_told_again():
    circling = approved().with_round(trigger=Trigger("comment", T0 + MINUTE))
    circling = replace(circling, rounds=(replace(circling.round, n=1), replace(circling.round, n=2)))
    purse = Purse(Budget(rounds_per_day=1), midnight=T0)

    [turn] = admission.turns([circling], Counter(), terms(purse=purse))
    [held] = admission.turns([replace(circling, hold=Hold("pco", T0))], Counter(), terms(purse=purse))

    assert turn.circling == turn.why and "2 rounds" in turn.why
    assert (held.why, held.circling) == ("on hold, by pco", "")


def test_nothing_starts_on_a_machine_that_has_too_little_room_and_it_is_said_of_what():
    (turn,) = admission.turns([approved()], Counter(), terms(short="/var: 3% of the disk is free"))

    assert turn.why == "too little room on this machine: /var: 3% of the disk is free"


def test_no_more_sessions_start_than_the_memory_has_room_for_beside_those_that_run():
    tickets = [approved("WEB-1"), approved("WEB-2"), approved("WEB-3")]

    assert started(tickets, active=[WEB, WEB], fits=2) == ["WEB-1", "WEB-2"]
    assert started(tickets, fits=0) == []
    assert started(tickets, fits=None) == ["WEB-1", "WEB-2", "WEB-3"]
