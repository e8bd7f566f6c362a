"""When a branch is pushed, when again, and what is said of it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from pco.ground.config import Project
from pco.ground.ticket import Commit, Pushed, Round, Ticket, Trigger, Work
from pco.rules import pushing
from support import T0, WEB, a_ticket

URL = "git@git.example.org:web.git"
PROJECT = Project(WEB, "/srv/git/web.git", push=True, push_url=URL, compare_url="https://e.example/{base}...{branch}")
ONE, TWO = "1" * 40, "2" * 40
MINUTE = timedelta(minutes=1)


def worked(tip: str = ONE, pushed: Pushed | None = None, *before: Work) -> Ticket:
    last = Work((Commit(tip, "x"),), branch="pco/WEB-1", base="0" * 40, tip=tip, pushed=pushed)
    rounds = tuple(Round(n, Trigger("new", T0), work=work) for n, work in enumerate((*before, last), 1))
    return a_ticket(rounds=rounds)


def branch(pushed: Pushed | None = None, project: Project = PROJECT) -> pushing.Branch:
    found = pushing.branch(worked(pushed=pushed), project)
    assert found
    return found


def tried(outcome: str, tries: int = 0, **more) -> Pushed:
    return replace(Pushed(ONE, URL, T0, outcome, "", tries), **more)


def test_only_a_project_that_wants_it_has_branches_to_push():
    assert pushing.branch(worked(), PROJECT) == pushing.Branch(ONE, "pco/WEB-1", URL, None)
    assert pushing.branch(worked(), replace(PROJECT, push_url="")).url == "/srv/git/web.git"
    assert pushing.branch(worked(), replace(PROJECT, push=False)) is None
    assert pushing.branch(worked(), None) is None
    assert pushing.branch(a_ticket(), PROJECT) is None


def test_a_round_without_commits_leaves_the_branch_of_the_round_before():
    ticket = worked()
    ticket = replace(ticket, rounds=(*ticket.rounds, Round(2, Trigger("rework", T0), work=Work(uncommitted=1))))

    assert pushing.branch(ticket, PROJECT).commit == ONE


def test_what_is_there_is_not_pushed_again_but_another_commit_or_another_place_is():
    assert not pushing.due(branch(tried("done")), None, T0 + timedelta(days=9))
    assert pushing.due(branch(tried("done", commit=TWO)), None, T0)
    assert pushing.due(branch(tried("done", url="/elsewhere")), None, T0)
    assert pushing.due(branch(), None, T0)


@pytest.mark.parametrize(("tries", "minutes"), [(1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (5000, 60)])
def test_after_each_failure_it_waits_twice_as_long_and_at_most_an_hour(tries, minutes):
    failed = branch(tried("later", tries))

    assert not pushing.due(failed, None, T0 + minutes * MINUTE - timedelta(seconds=1))
    assert pushing.due(failed, None, T0 + minutes * MINUTE)


def test_a_clock_that_was_set_back_keeps_nobody_waiting():
    assert pushing.due(branch(tried("later", 9)), None, T0 - timedelta(days=300))


def test_what_was_refused_or_is_there_is_tried_again_only_if_a_person_asks_later_than_that():
    refused = branch(tried("refused", 1))

    assert not pushing.due(refused, None, T0 + timedelta(days=9))
    assert not pushing.due(refused, T0 - MINUTE, T0 + MINUTE)
    assert pushing.due(refused, T0 + MINUTE, T0 + 2 * MINUTE)
    assert not pushing.due(branch(tried("done")), T0 - MINUTE, T0 + MINUTE)
    assert pushing.due(branch(tried("done")), T0 + MINUTE, T0 + 2 * MINUTE)


def test_failures_are_counted_until_it_is_there():
    one = pushing.ended(branch(), "later", "a\x1b[31m\nb", T0)
    two = pushing.ended(branch(one), "later", "away", T0)
    done = pushing.ended(branch(two), "done", "", T0)

    assert (one.tries, two.tries, done.tries) == (1, 2, 0)
    assert one.why == "a[31m b"
    assert pushing.ended(branch(replace(done, outcome="done")), "later", "x", T0).tries == 1


def test_what_became_of_it_stands_where_the_commit_stands():
    ticket = worked(TWO, None, Work((Commit(ONE, "x"),), tip=ONE))

    noted = pushing.noted(ticket, tried("done"))

    assert [r.work.pushed for r in noted.rounds] == [tried("done"), None]
    assert pushing.noted(ticket, tried("done", commit="3" * 40)) == ticket
    assert pushing.ours(ticket) == {ONE, TWO}


def test_people_are_told_where_to_look_only_while_it_is_there():
    def url(pushed: Pushed | None, project: Project = PROJECT) -> str:
        return pushing.compare(worked(pushed=pushed).round.work, project)

    assert url(tried("done")) == "https://e.example/main...pco/WEB-1"
    for pushed in (None, tried("later"), tried("refused"), tried("done", commit=TWO), tried("done", url="/x")):
        assert url(pushed) == ""
    assert url(tried("done"), replace(PROJECT, push=False)) == ""
    assert url(tried("done"), replace(PROJECT, compare_url="")) == ""


def test_it_is_said_how_far_it_is():
    def said(pushed: Pushed | None, project: Project = PROJECT) -> str:
        return pushing.told(worked(pushed=pushed).round.work, project, T0 + 5 * MINUTE)

    assert said(None, replace(PROJECT, push=False)) == ""
    assert said(None) == "not yet"
    assert said(tried("done")) == f"to {URL}, 5m ago"
    assert said(tried("later", 3, why="away")) == "not yet, tried 3 times, last 5m ago: away"
    assert said(tried("refused", 1, why="no")) == "refused 5m ago, and not tried again: no"


def test_a_comment_does_not_depend_on_how_often_a_push_failed():
    def seen(pushed: Pushed | None) -> object:
        return pushing.as_posted(worked(pushed=pushed).round.work)

    assert seen(None) == seen(tried("later", 3)) == seen(tried("refused", 1)) != seen(tried("done"))
