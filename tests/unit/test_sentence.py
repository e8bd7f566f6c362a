"""What `systemctl status pco-watch` says in one line."""

import pytest

from pco.commands.watch import sentence
from pco.ground.ticket import Note
from support import T0


@pytest.mark.parametrize(
    ("active", "blocked", "approved", "paused", "said"),
    [
        (0, [], 0, None, "nothing to do"),
        (1, [], 0, None, "1 session runs"),
        (2, ["WEB-12"], 1, None, "2 sessions run (waiting for a person: WEB-12); 1 approved ticket waits"),
        (0, [], 3, None, "3 approved tickets wait"),
        (0, [], 0, "", "paused by alice"),
        (1, [], 2, "deployment", "paused by alice: deployment; 1 session runs; 2 approved tickets wait"),
    ],
)
def test_it_says_what_runs_what_waits_and_for_whom(active, blocked, approved, paused, said):
    note = None if paused is None else Note(T0, "alice", paused)

    assert sentence(active, blocked, approved, note) == said


def test_of_many_that_wait_for_a_person_it_names_a_few():
    said = sentence(9, [f"WEB-{n}" for n in range(1, 10)], 0, None)

    assert said == "9 sessions run (waiting for a person: WEB-1, WEB-2, WEB-3, WEB-4, WEB-5, …)"


def test_it_says_that_the_money_of_the_day_is_used_up_before_what_waits_for_that():
    said = sentence(0, [], 2, None, "today's budget is used up ($9.00 of $9.00, budget.daily_usd)")

    assert said == "today's budget is used up ($9.00 of $9.00, budget.daily_usd); 2 approved tickets wait"
