"""pco-post: an accepted summary becomes one comment in Plane."""

import json
import os
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from pco.ground import boot
from pco.ground.ticket import Comment, Noted, State
from pco.ground.times import parse_time
from programs.posting import LISTS, POSTS, TOKEN, Desk, ago, desk
from support import Site, a_ticket, put


@pytest.fixture
def plane(site: Site) -> Iterator[Desk]:
    """A Plane with three items, and pco beside it."""
    with desk(site) as made:
        yield made


def test_nothing_to_post_says_nothing_and_needs_no_plane(site):
    said = site.run("pco-post")

    assert said.stdout + said.stderr == ""


def test_an_accepted_summary_becomes_a_comment_and_the_item_moves(plane):
    plane.ticket()

    said = plane.post()

    assert plane.posted().comment_id == plane.only_comment()
    assert plane.posted().posted_at is not None
    assert plane.posted().state.outcome == "done"
    assert plane.in_plane() == "In Progress"
    assert said.stdout == ""
    assert f"WEB-1: outbox -> posted round=1 comment_id={plane.only_comment()}" in said.stderr


def test_the_wake_flag_is_taken_and_the_dashboard_is_woken(plane):
    plane.ticket()
    plane.site.spool().control.wake("post")

    plane.post()

    assert sorted(os.listdir(plane.site.home / "spool" / "wake")) == ["dashboard", "notify"]


def test_a_local_ticket_is_posted_without_any_request(site):
    put(site.spool(), a_ticket("LOCAL-1", local=True), State.OUTBOX)

    site.run("pco-post")

    assert site.spool().keys(State.POSTED) == ["LOCAL-1"]


def test_only_the_tickets_that_were_named_are_posted(plane):
    plane.ticket("WEB-1")
    plane.ticket("WEB-2")

    plane.post("WEB-2")

    assert plane.read("WEB-1").state is State.OUTBOX
    assert plane.read("WEB-2").state is State.POSTED


def test_keys_that_do_not_wait_in_outbox_are_refused_and_the_rest_is_posted(plane):
    plane.ticket("WEB-1")
    plane.ticket("WEB-2", State.COMPLETED)

    said = plane.post("WEB-1", "WEB-2", "WEB-11", "../WEB", code=65)

    assert "WEB-2: it is in completed, not in outbox" in said.stderr
    assert "WEB-11: no such ticket (did you mean WEB-1?)" in said.stderr
    assert "'../WEB' is no ticket key" in said.stderr
    assert plane.posted("WEB-1")


def test_a_dry_run_shows_the_comment_and_sends_and_changes_nothing(plane):
    before = plane.ticket()
    plane.site.spool().control.wake("post")

    said = plane.post("--dry-run")

    assert "WEB-1: comment WEB-1:1:record1; then state group:started" in said.stdout
    assert "    Did WEB-1." in said.stdout
    assert plane.plane.requests() == []
    assert plane.read() == before
    assert plane.site.spool().control.awake("post")


def test_an_answer_that_was_lost_is_found_and_nothing_is_sent_twice(plane):
    plane.ticket()
    plane.plane.faults({"kind": "lost_after", **POSTS, "count": 1})

    said = plane.post(code=75)

    assert "WEB-1: the connection to Plane broke" in said.stderr
    assert "stays in outbox" in said.stderr
    assert plane.read().state is State.OUTBOX
    plane.post()
    assert plane.posted().comment_id == plane.only_comment()
    assert plane.asked("POST") == 1


def test_a_500_that_was_applied_is_found_and_nothing_is_sent_twice(plane):
    plane.ticket()
    plane.plane.faults({"kind": "error_after", **POSTS, "count": 1})

    plane.post(code=75)
    plane.post()

    assert plane.posted().comment_id == plane.only_comment()
    assert plane.asked("POST") == 1


@pytest.mark.parametrize("kind", ["lost_before", "error_before", "html", "redirect"])
def test_a_request_that_was_not_applied_is_sent_again(plane, kind):
    plane.ticket()
    plane.plane.faults({"kind": kind, **POSTS, "count": 1})

    plane.post(code=75)
    plane.post()

    assert plane.plane.fired() == 1
    assert plane.posted().comment_id == plane.only_comment()


@pytest.mark.parametrize("kind", ["cut", "bad_json", "bad_utf8", "deep_json", "bomb"])
def test_an_answer_that_cannot_be_read_is_no_answer(plane, kind):
    plane.ticket()
    plane.plane.faults({"kind": kind, **POSTS, "count": 1})

    plane.post(code=75)
    plane.post()

    assert plane.posted().comment_id == plane.only_comment()
    assert plane.asked("POST") == 1


def test_a_request_that_plane_applies_late_is_waited_for(plane):
    plane.site.configure(plane={"settle": "3s"})
    plane.ticket()
    plane.plane.faults({"kind": "late", **POSTS, "count": 1, "seconds": 3600})
    plane.post(code=75)

    run = plane.site.start("pco-post")
    time.sleep(1.5)
    assert plane.asked("GET", "/comments/") == 0
    plane.plane.settle()

    assert run.wait(20) == 0
    assert plane.posted().comment_id == plane.only_comment()
    assert plane.asked("POST") == 1


def test_settling_begins_when_the_answer_was_given_up(plane):
    plane.ticket()
    plane.plane.faults({"kind": "slow", **POSTS, "seconds": 0.5}, {"kind": "lost_after", **POSTS, "count": 1})

    plane.post(code=75)

    sent = next(parse_time(r["time"]) for r in plane.plane.requests() if r["method"] == "POST")
    assert (plane.read().round.post.sending_since - sent).total_seconds() > 0.4


def test_while_a_request_may_be_under_way_the_others_go_first(plane):
    plane.site.configure(plane={"settle": "1s"})
    plane.ticket("WEB-1", sending_since=ago(0))
    plane.ticket("WEB-2")

    said = plane.post().stderr

    assert said.index("WEB-2: outbox -> posted") < said.index("WEB-1: outbox -> posted")


def test_a_request_that_needs_long_to_settle_is_left_for_the_next_run(plane):
    plane.site.configure(plane={"settle": "5m"})
    plane.ticket(sending_since=ago(0))

    said = plane.post(code=75)

    assert "a request may still be under way for 4m; stays in outbox" in said.stderr
    assert plane.plane.requests() == []


def test_a_clock_that_was_set_back_does_not_make_anyone_wait_for_days(plane):
    plane.ticket(sending_since=ago(-86400))
    begun = time.monotonic()

    plane.post()

    assert time.monotonic() - begun < 20
    assert plane.posted()


def test_a_list_that_lags_leads_to_409_and_that_is_success(plane):
    plane.ticket()
    plane.plane.faults({"kind": "lost_after", **POSTS, "count": 1}, {"kind": "lag", **LISTS, "seconds": 60})

    plane.post(code=75)
    plane.post()

    assert plane.asked("POST") == 2
    assert [r["status"] for r in plane.plane.requests() if r["method"] == "POST"] == [None, 409]
    assert plane.posted().comment_id == plane.only_comment()


def test_our_comment_is_found_behind_a_thousand_others(site):
    ours = {"by": "bot", "html": "<p>x</p>", "created_at": "2026-01-01T00:00:00Z"}
    ours |= {"external_id": "WEB-1:1:record1", "external_source": "pco"}
    others = [{"by": "maria", "html": "<p>me too</p>", "external_id": "WEB-1:1:record1"} for _ in range(1100)]
    with desk(site, seed={"comments": [ours, *others]}) as plane:
        plane.ticket(sending_since=ago(60))

        plane.post()

        assert plane.posted().comment_id == plane.comments()[0]["id"]
        assert plane.asked("GET", "/comments/") == 2
        assert plane.asked("POST") == 0


def test_a_comment_that_only_looks_like_ours_is_not_ours(site):
    forged = {"by": "maria", "html": "<p>x</p>", "external_id": "WEB-1:1:record1", "external_source": "jira"}
    with desk(site, seed={"comments": [forged]}) as plane:
        plane.ticket(sending_since=ago(60))

        plane.post()

        assert plane.posted().comment_id == plane.only_comment()


def test_an_id_that_is_known_is_not_looked_for_again(plane):
    plane.ticket(sending_since=ago(60), comment_id="00000000-0000-4000-8000-00000000000c")

    plane.post()

    assert plane.asked("GET", "/comments/") + plane.asked("POST") == 0
    assert plane.posted().comment_id == "00000000-0000-4000-8000-00000000000c"


@pytest.mark.parametrize("how", ["deleted", "archived", "draft"])
def test_an_item_that_is_gone_gets_no_comment_and_the_ticket_fails(plane, how):
    plane.ticket()
    plane.set_item(**{how: True})

    said = plane.post(code=65)

    assert "WEB-1: nothing was posted: the item is deleted or archived in Plane; moved to failed" in said.stderr
    failed = plane.read()
    assert failed.state is State.FAILED
    assert failed.gone
    assert "archived" in failed.history[-1].why
    assert plane.comments() == []
    assert plane.asked("POST") == 0


def test_what_plane_refuses_for_good_fails_with_the_reason_and_can_be_mended(plane):
    plane.ticket("WEB-1", body="<p>a NUL: \x00</p>")
    plane.ticket("WEB-2")

    said = plane.post(code=65)

    assert "WEB-1: nothing was posted: Plane refused: 400" in said.stderr
    failed = plane.read("WEB-1")
    assert failed.state is State.FAILED
    assert "400" in failed.history[-1].why
    assert failed.round.post.sending_since is None
    assert plane.posted("WEB-2")


@pytest.mark.parametrize("where", ["{}", "</p><p>{}", "a<b>{}</b>", "<a href='/?t={}'>a</a>"])
def test_a_comment_with_the_token_in_it_is_not_sent_and_the_reason_names_the_kind_alone(plane, where):
    plane.ticket("WEB-1", body=f"<p>It is {where.format(TOKEN)}.</p>")
    plane.ticket("WEB-2")

    said = plane.post(code=65)

    assert "WEB-1: nothing was posted: the comment has the token of Plane in it; moved to failed" in said.stderr
    assert TOKEN not in said.stdout + said.stderr
    failed = plane.read("WEB-1")
    assert (failed.state, failed.round.post.sending_since) == (State.FAILED, None)
    assert plane.comments("WEB-1") == []
    assert plane.posted("WEB-2")
    assert "the comment has the token of Plane in it" in plane.site.run("pco-queue", "show", "WEB-1").stdout


def test_what_else_the_unit_was_given_is_looked_for_too(plane, tmp_path):
    (tmp_path / "other").write_text("a-secret-of-no-form\n")
    plane.ticket(body="<p>Look: a-secret-of-no-form</p>")

    env = {**plane.site.environment(), "CREDENTIALS_DIRECTORY": str(tmp_path)}
    said = plane.site.run("pco-post", code=65, env=env)

    assert "the comment has the credential other in it; moved to failed" in said.stderr
    assert plane.comments() == []


def test_a_bad_token_stops_the_run_and_nothing_is_lost(plane):
    plane.ticket("WEB-1")
    plane.ticket("WEB-2")
    (plane.site.home / "token").write_text("plane_api_wrong")

    said = plane.post(code=77)

    assert "WEB-1: Plane: 403 Given API token is not valid; stays in outbox" in said.stderr
    assert "(make a new token in Plane" in said.stderr
    assert "WEB-2" not in said.stderr
    assert len(plane.plane.requests()) == 1
    assert sorted(plane.site.spool().keys(State.OUTBOX)) == ["WEB-1", "WEB-2"]


def test_a_missing_permission_keeps_the_ticket_in_outbox_and_the_others_go_on(plane):
    plane.ticket("WEB-1", project="11111111-1111-4111-8111-111111111111")
    plane.ticket("WEB-2")

    said = plane.post(code=77)

    assert "WEB-1: Plane: 403 You do not have permission to perform this action.; stays in outbox" in said.stderr
    assert plane.read("WEB-1").state is State.OUTBOX
    assert plane.posted("WEB-2")


def test_plane_throttles_and_the_run_stops_for_the_next_one(plane):
    plane.ticket("WEB-1")
    plane.ticket("WEB-2")
    plane.plane.faults({"kind": "throttle", **POSTS, "seconds": 90})

    said = plane.post(code=75)

    assert "WEB-1: Plane: 429" in said.stderr
    assert plane.asked("POST") == 1
    assert plane.asked("GET") == 1
    assert sorted(plane.site.spool().keys(State.OUTBOX)) == ["WEB-1", "WEB-2"]
    assert plane.read("WEB-1").round.post.sending_since is None


def test_the_budget_of_this_machine_counts_too(plane):
    plane.site.configure(plane={"requests_per_minute": 1})
    plane.ticket("WEB-1")

    said = plane.post(code=75)

    assert "1 requests a minute are used up; stays in outbox" in said.stderr
    assert plane.asked("POST") == 0
    assert plane.read("WEB-1").round.post.sending_since is None


def test_a_comment_waits_for_no_turn_once_the_record_says_that_it_is_sent(plane):
    plane.site.configure(plane={"requests_per_minute": 2})
    plane.ticket()
    used = {"boot": boot.boot_id(), "spent": [boot.clock() - 30], "held_until": 0.0}
    (plane.site.home / "plane" / "rate.json").write_text(json.dumps(used))

    plane.post(code=75)

    assert [r["method"] for r in plane.plane.requests()] == ["GET"]


def test_plane_is_down_and_the_summary_can_still_be_taken_back(plane):
    plane.ticket()
    plane.site.configure(plane={"url": "http://127.0.0.1:1"})

    said = plane.post(code=75)

    assert "WEB-1: no connection to Plane" in said.stderr
    assert plane.read().round.post.sending_since is None


def test_a_plane_that_does_not_answer_in_time_is_asked_again_by_the_next_run(plane):
    plane.site.configure(plane={"timeout": "300ms"})
    plane.ticket()
    plane.plane.faults({"kind": "slow", "method": "GET", "path": "/work-items/", "seconds": 0.6, "count": 3})

    plane.post(code=75)
    plane.post()

    assert plane.posted().comment_id == plane.only_comment()


def test_one_ticket_that_cannot_be_posted_does_not_keep_the_others(plane):
    first = plane.ticket("WEB-1")
    plane.ticket("WEB-2")
    plane.plane.faults({"kind": "error_before", "path": first.uuid})

    said = plane.post(code=75)

    assert "WEB-1: Plane failed: 500" in said.stderr
    assert plane.read("WEB-1").state is State.OUTBOX
    assert plane.posted("WEB-2")


def test_a_torn_record_is_set_aside_and_the_others_are_posted(plane):
    plane.ticket("WEB-1")
    plane.ticket("WEB-2")
    plane.site.spool().path("WEB-1", State.OUTBOX).write_text('{"schema": 1, "key": "WE')

    said = plane.post(code=65)

    assert "WEB-1: not JSON" in said.stderr
    assert plane.site.spool().keys(State.CORRUPT) == ["WEB-1"]
    assert plane.posted("WEB-2")


def test_a_record_without_a_comment_stays_and_says_so(plane):
    put(plane.site.spool(), a_ticket("WEB-1"), State.OUTBOX)

    said = plane.post(code=65)

    assert "WEB-1: no comment is in its record; stays in outbox" in said.stderr


def test_what_was_noted_meanwhile_stays_noted(plane):
    noted = Noted(ago(5), "comment", "maria", comment=Comment("c1", ago(5), "maria", "and this?"))
    plane.ticket()
    spool = plane.site.spool()
    spool.record(replace(spool.read("WEB-1"), noted=(noted,)))

    plane.post()

    assert plane.read().noted == (noted,)


def test_two_runs_at_once_are_one(plane):
    plane.ticket()
    plane.plane.faults({"kind": "slow", **POSTS, "seconds": 1.5})
    first = plane.site.start("pco-post")
    wait_for(lambda: plane.asked("POST") == 1)

    said = plane.post(code=75)

    assert ".post.lock is held by another program" in said.stderr
    assert first.wait(20) == 0
    assert plane.posted().comment_id == plane.only_comment()
    assert plane.asked("POST") == 1


def test_a_ticket_that_a_poll_wrote_to_while_its_comment_was_sent_is_posted(plane):
    plane.ticket()
    plane.plane.faults({"kind": "slow", **POSTS, "seconds": 1.0})
    run = plane.site.start("pco-post")
    wait_for(lambda: plane.asked("POST") == 1)
    spool = plane.site.spool()

    spool.record(replace(spool.read("WEB-1"), title="Changed in Plane"))

    assert run.wait(20) == 0
    assert plane.posted().comment_id == plane.only_comment()
    assert plane.read().title == "Changed in Plane"


def test_a_ticket_that_was_taken_back_before_its_turn_is_not_sent(plane):
    plane.ticket("WEB-1")
    plane.ticket("WEB-2")
    plane.plane.faults({"kind": "slow", **POSTS, "seconds": 1.0, "count": 1})
    run = plane.site.start("pco-post", "-v")
    wait_for(lambda: plane.asked("POST") == 1)
    spool = plane.site.spool("pco-queue recall")

    spool.move(spool.read("WEB-2"), State.COMPLETED)

    assert run.wait(20) == 0
    assert plane.read("WEB-2").state is State.COMPLETED
    assert plane.comments("WEB-2") == []


def wait_for(what, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.01)
