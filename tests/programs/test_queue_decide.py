"""pco-queue approve, unapprove, reject, hold, release, and how tickets are chosen."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pco.ground.ticket import Approval, Attempt, State
from programs.queueing import Desk
from support import T0

OTHER = "00000000-0000-4000-8000-000000000009"


@pytest.fixture
def desk(site):
    return Desk(site)


# approve.


def test_approve_binds_to_what_the_agent_would_get(desk):
    desk.has("WEB-1")
    assert desk.out("approve", "WEB-1", "--note", "go on") == ["WEB-1: pending -> approved"]
    ticket = desk.read("WEB-1")
    assert ticket.state is State.APPROVED
    assert ticket.round.approval.hash == desk.hash("WEB-1")
    assert [note.text for note in ticket.notes] == ["go on"]
    assert (ticket.history[-1].by, ticket.history[-1].why) == (ticket.round.approval.by, "go on")
    assert desk.flags() == ["dashboard", "launch"]
    assert desk.audited() == [("moved", "WEB-1")]


def test_approve_if_hash_refuses_any_other_content(desk):
    desk.has("WEB-1")
    desk.has("WEB-2", description="Something else.")
    seen = desk.hash("WEB-1")
    done = desk.run("approve", "WEB-2", "--if-hash", seen, code=65)
    assert "changed meanwhile" in done.stderr and "pco-queue show WEB-2" in done.stderr
    assert desk.read("WEB-2").state is State.PENDING
    desk.run("approve", "WEB-1", "--if-hash", seen[:8].upper())
    assert desk.read("WEB-1").state is State.APPROVED


@pytest.mark.parametrize("args", [["WEB-1", "--if-hash", "abc"], ["WEB-1", "--if-hash", "x" * 64], []])
def test_approve_if_hash_takes_one_ticket_and_enough_digits(desk, args):
    desk.run("approve", *(args or ["WEB-1", "WEB-2", "--if-hash", "a" * 64]), code=2)


def test_approve_twice_says_who_did_it(desk):
    desk.has("WEB-1")
    desk.run("approve", "WEB-1")
    (line,) = desk.out("approve", "WEB-1")
    assert line.startswith("WEB-1: already approved by ") and line.endswith("s ago")
    assert desk.read("WEB-1").rev == 1


def test_approve_speaks_of_the_admin_who_was_faster(desk):
    entry = Approval("bob", datetime.now(UTC) - timedelta(seconds=90), "00")
    desk.has("WEB-1", State.ACTIVE, approval=entry, attempts=(Attempt(1, T0),))
    assert desk.out("approve", "WEB-1") == ["WEB-1: already approved by bob 1m ago"]


def test_what_cannot_be_approved_is_refused_with_what_to_do(desk):
    desk.has("WEB-1", gone=True)
    desk.has("WEB-2", project=OTHER)
    desk.has("WEB-3", State.REJECTED)
    said = desk.run("approve", "WEB-1", "WEB-2", "WEB-3", code=65).stderr
    assert "WEB-1: cannot be approved: it is gone from Plane" in said
    assert "WEB-2: cannot be approved: its project is not configured" in said
    assert "WEB-3: cannot be approved: it is rejected" in said
    assert "pco-queue reopen WEB-3" in said
    assert desk.audited() == []


def test_one_bad_ticket_does_not_stop_the_others(desk):
    desk.spool.path("WEB-1", State.PENDING).write_text("{")
    desk.has("WEB-2")
    done = desk.run("approve", "WEB-1", "WEB-9", "WEB-2", code=65)
    assert done.stdout.splitlines() == ["WEB-2: pending -> approved"]
    assert "WEB-1: not JSON" in done.stderr and "WEB-9: there is no such ticket" in done.stderr
    assert desk.spool.find("WEB-1") is State.CORRUPT  # who changes tickets holds the lock, and sets it aside
    assert "pco-queue repair WEB-1" in desk.run("approve", "WEB-1", code=65).stderr


def test_a_damaged_record_of_a_running_session_is_left_to_pco_watch(desk):
    desk.spool.path("WEB-1", State.ACTIVE).write_text("{")
    desk.run("stop", "WEB-1", code=65)
    assert desk.spool.find("WEB-1") is State.ACTIVE


def test_a_held_lock_is_temporary(desk):
    desk.has("WEB-1")
    script = "import sys; sys.path[:0] = sys.argv[1:3]; from pathlib import Path; from pco.run import Pco;"
    script += (
        "from pco.spool import Spool; from datetime import timedelta; from pco.commands.queue import approval, change;"
    )
    script += "p = Pco('pco-queue'); p.verb = 'approve'; p.spool.patience = p.spool._lock.patience = timedelta(0);"
    script += "change.each(p, ['WEB-1'], lambda k: approval.approve_one(p, k)); sys.exit(p.trouble)"
    import subprocess
    import sys

    from support import TOP

    with desk.spool.lock():
        command = [sys.executable, "-c", script, str(TOP / "lib"), str(TOP / "tests")]
        done = subprocess.run(command, env=desk.site.environment(), capture_output=True, text=True)
    assert done.returncode == 75, done.stderr
    assert "is held by another program" in done.stderr


# unapprove, reject.


def test_unapprove_takes_the_approval_back(desk):
    desk.has("WEB-1")
    desk.run("approve", "WEB-1")
    assert desk.out("unapprove", "WEB-1") == ["WEB-1: approved -> pending"]
    assert desk.read("WEB-1").round.approval is None
    assert desk.out("unapprove", "WEB-1")[0].startswith("WEB-1: already pending")


@pytest.mark.parametrize("state", [State.PENDING, State.APPROVED, State.COMPLETED, State.FAILED])
def test_reject_turns_a_ticket_away_and_keeps_why(desk, state):
    desk.has("WEB-1", state)
    assert desk.out("reject", "WEB-1", "--note", "duplicate") == [f"WEB-1: {state} -> rejected"]
    assert desk.read("WEB-1").history[-1].why == "duplicate"


def test_reject_of_a_running_session_says_how_to_stop_it(desk):
    desk.has("WEB-1", State.ACTIVE, attempts=(Attempt(1, T0),))
    assert "pco-queue stop WEB-1" in desk.run("reject", "WEB-1", code=65).stderr


# hold, release.


def test_hold_and_release(desk):
    desk.has("WEB-1", State.APPROVED)
    assert "held until" in desk.out("hold", "WEB-1", "--until", "2h", "--note", "release day")[0]
    hold = desk.read("WEB-1").hold
    assert timedelta(hours=1.9) < hold.until - datetime.now(UTC) < timedelta(hours=2)
    assert hold.why == "release day"
    assert "held" in desk.run("list").stdout
    assert desk.out("release", "WEB-1") == ["WEB-1: released"]
    assert desk.read("WEB-1").hold is None
    assert desk.flags() == ["dashboard", "launch"]
    assert desk.out("release", "WEB-1") == ["WEB-1: is not held"]
    assert [event for event, _ in desk.audited()] == ["held", "released"]


@pytest.mark.parametrize(
    ("until", "expected"),
    [
        ("2031-05-01T09:00", "2031-05-01T00:00:00+00:00"),
        ("2031-05-01", "2031-04-30T15:00:00+00:00"),
        ("2031-05-01T09:00Z", "2031-05-01T09:00:00+00:00"),
        ("2031-05-01T09:00+02:00", "2031-05-01T07:00:00+00:00"),
    ],
)
def test_hold_until_a_time_is_local(desk, until, expected):
    desk.site.configure(display={"timezone": "Asia/Tokyo"})
    desk.has("WEB-1")
    desk.run("hold", "WEB-1", "--until", until)
    assert desk.read("WEB-1").hold.until.isoformat() == expected


def test_hold_until_nonsense_or_the_past_is_a_usage_error(desk):
    desk.has("WEB-1")
    for until in ("tomorrowish", "2020-01-01", "0s"):
        assert "--until" in desk.run("hold", "WEB-1", "--until", until, code=2).stderr
    assert desk.read("WEB-1").hold is None


# Choosing.


def test_all_with_filters_changes_what_fits(desk):
    desk.has("WEB-1", labels=("bug",))
    desk.has("WEB-2")
    desk.has("WEB-3", State.APPROVED, labels=("bug",))
    assert desk.out("approve", "--all", "--label", "bug", "--yes") == ["WEB-1: pending -> approved"]
    assert desk.out("approve", "--all", "--label", "none such", "--yes") == ["No ticket fits: nothing to do."]


def test_all_asks_and_where_nobody_can_answer_needs_yes(desk):
    desk.has("WEB-1")
    assert "add --yes" in desk.run("approve", "--all", code=2).stderr
    with desk.terminal("approve", "--all") as screen:
        assert "Title of WEB-1" in screen.until("[y/N]")
        screen.type("n\n")
        screen.end(130)
    assert desk.read("WEB-1").state is State.PENDING
    with desk.terminal("approve", "--all") as screen:
        screen.until("approve these 1 tickets?")
        screen.type("y\n")
        assert "WEB-1: pending -> approved" in screen.end()


def test_what_all_showed_is_what_is_approved(desk):
    ticket = desk.has("WEB-1")
    with desk.terminal("approve", "--all") as screen:
        screen.until("[y/N]")
        spool = desk.site.spool("pco-poll")
        spool.record(replace(spool.read("WEB-1"), description="Something else entirely."))
        screen.type("y\n")
        assert "changed meanwhile" in screen.end(65)
    assert desk.read("WEB-1").state is State.PENDING
    assert ticket.description != desk.read("WEB-1").description


@pytest.mark.parametrize("args", [["approve"], ["approve", "WEB-1", "--all"], ["approve", "WEB-1", "--label", "x"]])
def test_choosing_must_be_clear(desk, args):
    desk.has("WEB-1")
    desk.run(*args, code=2)
    assert desk.read("WEB-1").state is State.PENDING


def test_keys_come_from_standard_input_too(desk):
    desk.has("WEB-1")
    desk.has("WEB-2")
    assert len(desk.out("approve", "-", "WEB-1", input="WEB-1\nWEB-2\n")) == 2
    assert json.loads(desk.run("list", "--format", "json").stdout)[0]["approved_by"]


def test_ctrl_c_at_a_question_is_130_and_nothing_is_done(desk):
    desk.has("WEB-1")
    with desk.terminal("approve", "--all") as screen:
        screen.until("[y/N]")
        screen.interrupt()
        assert "Traceback" not in screen.end(130)
    assert desk.read("WEB-1").state is State.PENDING


def test_eight_at_once_approve_each_ticket_once(desk):
    keys = [f"WEB-{n}" for n in range(1, 51)]
    for key in keys:
        desk.has(key)
    children = [desk.site.start("pco-queue", "approve", *keys, stdout=-1, stderr=-1) for _ in range(8)]
    said = [child.communicate(timeout=60) for child in children]
    assert [child.returncode for child in children] == [0] * 8, said
    lines = [line for out, _ in said for line in out.splitlines()]
    assert sorted(line for line in lines if line.endswith("pending -> approved")) == sorted(
        f"{key}: pending -> approved" for key in keys
    )
    assert len(lines) == 400
    assert all(desk.read(key).rev == 1 for key in keys)
    assert sorted(desk.audited()) == sorted(("moved", key) for key in keys)
