"""pco-queue as a window: inbox, list, show, log, help.  Nothing is changed by looking."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pco.commands.queue import VERBS
from pco.ground import events, polled
from pco.ground.ticket import Approval, Attempt, Blocked, Comment, Cost, Hold, Note, Noted, State
from programs.queueing import CONTROLS, Desk
from support import T0, TOP, WEB, a_ticket, put

HOSTILE = "evil\x7f\x1b]0;x\x07\x1b[2J\u202e\x9b title"


@pytest.fixture
def desk(site):
    return Desk(site)


# The inbox.


def test_the_inbox_says_what_waits_for_whom_and_the_next_command(desk):
    desk.has("WEB-1")
    desk.has("WEB-2")
    desk.has("WEB-9", State.ACTIVE, attempts=(Attempt(1, T0),), blocked=(Blocked(T0, None, "Bash"),))
    desk.has("WEB-3", State.COMPLETED, summary="Done.")
    desk.has("WEB-4", State.FAILED)
    lines = desk.out()
    assert lines[0] == "2 wait for approval, 1 blocked (WEB-9: Bash), 1 to accept, 1 failed"
    assert any("WEB-1" in line and "Title of WEB-1" in line for line in lines)
    assert lines[-1] == "Next: pco-queue attach WEB-9"


def test_the_inbox_says_whose_agent_has_stopped_and_waits_for_a_word(desk):
    desk.has("WEB-1", State.COMPLETED, summary="Done.")
    desk.has("WEB-8", State.ACTIVE, attempts=(Attempt(1, T0, doing="its turn has ended", doing_since=T0),))
    desk.has("WEB-9", State.ACTIVE, attempts=(Attempt(1, T0, doing="working", doing_since=T0),))

    lines = desk.out()

    assert lines[0] == "1 at rest (WEB-8: its turn has ended), 1 to accept"
    assert any("WEB-8" in line and "[its turn has ended]" in line for line in lines)
    assert any("1 active" in line for line in lines)
    assert lines[-1] == "Next: pco-queue attach WEB-8"


def test_the_list_says_what_each_agent_does_and_for_how_long(desk):
    since = datetime.now(UTC) - timedelta(minutes=12)
    desk.has("WEB-1", State.ACTIVE, attempts=(Attempt(1, T0, doing="working", doing_since=since),))
    desk.has("WEB-2", State.ACTIVE, attempts=(Attempt(1, T0, doing="idle", doing_since=since),))

    said = desk.run("list").stdout

    assert "working for 12m" in said and "idle for 12m" in said
    told = {row["key"]: (row["doing"]["what"], row["waits"]) for row in desk.json("list")}
    assert told == {"WEB-1": ("working", False), "WEB-2": ("idle", True)}


def test_show_tells_what_each_session_used_by_kind_and_how_long_it_waited(desk):
    tokens = {"input": 1200, "output": 340, "cache_read": 56000, "cache_write": 7800}
    first = Attempt(1, T0, T0 + timedelta(minutes=3), "died", 137, cost=Cost(0.12, tokens, True))
    second = Attempt(
        2, T0, T0 + timedelta(minutes=9), "completed", 0, cost=Cost(0.5), agent_session="5a", transcript="/x/5a.jsonl"
    )
    both = (Blocked(T0, T0 + timedelta(minutes=5), "Bash"),)
    desk.has("WEB-1", State.COMPLETED, attempts=(first, second), blocked=both, summary="x", cost=Cost(0.62, tokens))

    said = desk.run("show", "WEB-1").stdout

    used = "1,200 in, 340 out, 56,000 read from cache, 7,800 written to it (tokens)"
    assert f"used: $0.12 (estimated): {used}" in said
    assert f"round 1 used $0.62: {used}" in said
    assert "conversation: 5a" in said and "transcript: /x/5a.jsonl" in said
    assert "round 1 waited 5m for a person, 1 time" in said
    record = desk.json("show", "WEB-1")[0]["record"]
    assert record["rounds"][0]["attempts"][0]["cost"] == {"usd": 0.12, "tokens": tokens, "estimated": True}


def test_show_has_the_screen_of_a_session_that_runs(desk):
    desk.has("WEB-1", State.ACTIVE, attempts=(Attempt(1, T0, doing="working", doing_since=T0),))
    home = desk.site.home / "sessions" / "WEB-1" / "1.1"
    home.mkdir(parents=True)
    (home / "screen").write_bytes(b"\x1b[31mI think\x1b[0m\x1b]0;x\x07\n\n\n\nso\n")

    said = desk.run("show", "WEB-1").stdout

    assert "  agent       working since" in said
    assert "  | I think\n  | \n  | so\n" in said


def test_the_inbox_names_the_one_ticket_that_waits_or_review_for_several(desk):
    desk.has("WEB-12")
    assert desk.out()[0] == "1 waits for approval"
    assert desk.out()[-1] == "Next: pco-queue show WEB-12"
    desk.has("WEB-13", State.COMPLETED, summary="Done.")
    assert desk.out()[-1] == "Next: pco-queue review"


def test_an_empty_inbox_says_so(desk):
    lines = desk.out()
    assert lines[0] == "Nothing waits for you."
    assert "never polled" in lines[-1]


def test_the_inbox_tells_of_the_last_poll_and_of_failed_ones(desk):
    now = datetime.now(UTC)
    head = polled.Head(WEB, key="WEB", polled_at=now - timedelta(minutes=3), failed=2, error="Plane answers\x1b[2J 500")
    polled.write(desk.site.home / "plane", head)
    said = desk.run().stdout
    assert "Last poll" in said and "(3m ago)" in said
    assert "2 polls failed since the last good one: Plane answers" in said


def test_the_inbox_tells_of_the_pause_and_of_corrupt_tickets(desk):
    desk.run("pause", "--note", "deployment")
    desk.spool.path("WEB-7", State.PENDING).write_text("{")
    said = desk.run().stdout
    assert "1 corrupt" in said.splitlines()[0]
    assert "Paused by" in said and "deployment" in said
    assert "WEB-7: not JSON" in said
    assert desk.spool.find("WEB-7") is State.PENDING  # a reader does not move it


# list.


def test_list_shows_the_open_tickets_most_urgent_first_and_counts_the_finished(desk):
    desk.has("WEB-1")
    desk.has("WEB-2", priority="urgent")
    desk.has("WEB-3", State.APPROVED)
    desk.has("WEB-4", State.POSTED)
    lines = desk.out("list")
    assert [line.split()[0] for line in lines[1:4]] == ["WEB-2", "WEB-1", "WEB-3"]
    assert lines[4].startswith("Not shown: 1 posted")


@pytest.mark.parametrize(
    ("option", "keys"),
    [
        (["--state", "failed", "--state", "approved"], ["WEB-3", "WEB-2"]),
        (["--label", "BUG"], ["WEB-1"]),
        (["--priority", "high"], ["WEB-2"]),
        (["--project", "API"], ["API-1"]),
        (["--project", "WEB"], ["WEB-1", "WEB-3", "WEB-2"]),
        (["--state", "all"], ["WEB-1", "WEB-3", "API-1", "WEB-2", "WEB-4"]),
        (["--state", "finished"], ["WEB-4"]),
        (["--mine"], []),
    ],
)
def test_list_narrows_down(desk, option, keys):
    desk.has("WEB-1", labels=("bug",))
    desk.has("WEB-2", State.FAILED, priority="high")
    desk.has("WEB-3", State.APPROVED)
    desk.has("API-1", State.ACTIVE, project="00000000-0000-4000-8000-000000000009")
    desk.has("WEB-4", State.POSTED)
    assert desk.out("list", *option, "--format", "keys") == keys


def test_list_mine_shows_what_i_decided(desk):
    desk.has("WEB-1")
    desk.has("WEB-2")
    desk.run("approve", "WEB-2")
    assert desk.out("list", "--mine", "--format", "keys") == ["WEB-2"]


def test_list_gives_rows_in_each_format(desk):
    desk.has("WEB-1", title=HOSTILE, labels=("a", "b"))
    (row,) = desk.json("list")
    assert (row["key"], row["state"], row["title"], row["labels"]) == ("WEB-1", "pending", HOSTILE, ["a", "b"])
    assert row["created_at"] == "2026-11-22T12:00:00.000000Z"
    assert json.loads(desk.run("list", "--format", "jsonl").stdout) == row
    names, cells = (line.split("\t") for line in desk.out("list", "--format", "tsv"))
    assert names == list(row)
    assert cells[names.index("labels")] == "a,b"


def test_list_is_empty_in_each_format(desk):
    assert desk.json("list") == []
    assert desk.out("list", "--format", "jsonl") == []
    assert desk.out("list") == ["No ticket is open."]


def test_list_shows_the_latest_finished_tickets_only(desk):
    for n in range(1, 6):
        desk.has(f"WEB-{n}", State.COMPLETED)
        ticket = desk.site.spool("pco-queue reject").read(f"WEB-{n}")
        desk.site.spool("pco-queue reject").move(ticket, State.REJECTED)
    assert desk.out("list", "--state", "rejected", "--limit", "2", "--format", "keys") == ["WEB-5", "WEB-4"]
    assert "3 more rejected" in desk.run("list", "--state", "rejected", "--limit", "2").stdout
    assert len(desk.out("list", "--state", "rejected", "--limit", "0", "--format", "keys")) == 5


def test_list_finds_finished_tickets_of_which_the_index_knows_nothing(desk):
    desk.has("WEB-1", State.POSTED)
    assert desk.out("list", "--state", "posted", "--format", "keys") == ["WEB-1"]


def test_a_damaged_ticket_is_listed_with_its_reason_and_not_moved(desk):
    desk.has("WEB-1")
    desk.spool.path("WEB-2", State.APPROVED).write_text("{")
    rows = {row["key"]: row for row in desk.json("list")}
    assert (rows["WEB-2"]["state"], rows["WEB-2"]["title"]) == ("approved", None)
    assert rows["WEB-2"]["problem"].startswith("not JSON")
    done = desk.run("list")
    assert "WEB-2: cannot be read" in done.stderr and "not JSON" in done.stdout
    assert desk.spool.find("WEB-2") is State.APPROVED


def test_what_was_set_aside_is_listed_with_its_reason(desk):
    desk.spool.path("WEB-2", State.PENDING).write_text("{")
    desk.spool.set_aside("WEB-2", State.PENDING, "torn")
    (row,) = desk.json("list")
    assert (row["key"], row["state"], row["problem"]) == ("WEB-2", "corrupt", "torn")


def test_a_record_of_a_newer_pco_is_78_and_the_others_are_shown(desk):
    desk.has("WEB-1")
    path = desk.spool.path("WEB-2", State.PENDING)
    path.write_text(json.dumps({"schema": 99}))
    for form in ("json", "table"):
        done = desk.run("list", "--format", form, code=78)
        assert "WEB-1" in done.stdout and "newer" in done.stderr
    assert path.exists()


def test_a_half_done_move_is_listed_where_the_file_is(desk):
    ticket = desk.has("WEB-1", State.APPROVED)
    desk.spool.path("WEB-1", State.APPROVED).rename(desk.spool.path("WEB-1", State.PENDING))
    (row,) = desk.json("list")
    assert row["state"] == "pending"
    assert row["entered_at"] is None  # the entry that led elsewhere does not count
    assert ticket.history[-1].to == "approved"


@pytest.mark.parametrize("columns", [20, 40, 60, 80, 200])
def test_the_table_is_cut_to_the_terminal(desk, columns):
    desk.has("WEB-1", title="A very long title " * 20, priority="urgent")
    desk.has(
        "WEB-2", State.ACTIVE, title="長い題名" * 30, attempts=(Attempt(1, T0),), blocked=(Blocked(T0, None, "x" * 90),)
    )
    lines = desk.out("list", env={**desk.site.environment(), "COLUMNS": str(columns)})
    assert all(len(line) <= columns for line in lines)
    assert "WEB-1" in lines[1]


def test_colours_are_for_terminals_unless_asked_for(desk):
    desk.has("WEB-1", State.FAILED)
    assert "\x1b" not in desk.run("list").stdout
    assert "\x1b[31m" in desk.run("list", "--color", "always").stdout
    assert "\x1b[31m" in desk.run("--color", "always", "list").stdout
    with desk.terminal("list") as screen:
        assert "\x1b[31m" in screen.end()
    with desk.terminal("list", NO_COLOR="1") as screen:
        assert "\x1b" not in screen.end()
    with desk.terminal("list", "--color", "never") as screen:
        assert "\x1b" not in screen.end()


def test_hostile_text_reaches_no_terminal(desk):
    comment = Comment("c", T0, HOSTILE, HOSTILE)
    home = desk.site.home / "sessions" / "WEB-2" / "1.1" / "out"
    home.mkdir(parents=True)
    (home / "screen").write_text(HOSTILE)
    more = {"title": HOSTILE, "description": HOSTILE, "labels": (HOSTILE,), "url": HOSTILE, "comments": (comment,)}
    more |= {"notes": (Note(T0, HOSTILE, HOSTILE),), "noted": (Noted(T0, "comment", comment=comment),)}
    more |= {"summary": HOSTILE, "remark": HOSTILE}
    desk.has("WEB-1", **more)
    desk.has("WEB-2", State.FAILED, attempts=(Attempt(1, T0, T0, HOSTILE, 1, host=HOSTILE),), **more)
    desk.has("WEB-3", State.ACTIVE, attempts=(Attempt(1, T0),), blocked=(Blocked(T0, None, HOSTILE),), **more)
    looks = [["list"], ["list", "--format", "json"], ["list", "--format", "tsv"], ["show", "WEB-1", "WEB-2", "WEB-3"]]
    for args in ([], *looks, ["log", "WEB-2"], ["show", "WEB-2", "--format", "json"]):
        assert not CONTROLS.search(desk.run(*args).stdout.replace("\n", "").replace("\t", "")), args


def test_a_closed_pipe_is_no_trouble(desk):
    for n in range(1, 300):
        desk.has(f"WEB-{n}", title="x" * 200)
    reader, writer = os.pipe()
    os.close(reader)
    child = desk.site.start("pco-queue", "list", "--format", "json", stdout=writer, stderr=-1)
    os.close(writer)
    assert child.communicate(timeout=30)[1] == ""
    assert child.returncode == 0


def test_readers_take_no_lock(desk):
    desk.has("WEB-1")
    with desk.spool.lock():
        for args in ([], ["list"], ["show", "WEB-1"], ["log", "WEB-1"]):
            desk.run(*args, timeout=8)


def test_a_quick_list_imports_neither_filelock_nor_tabulate_and_help_no_record(desk):
    watched = "import sys; sys.path.insert(0, sys.argv.pop(1)); from pco.start import main\ntry: main('queue')\n"
    watched += (
        "finally: print('', *({'filelock', 'tabulate', 'pco.ground.ticket'} & sys.modules.keys()), file=sys.stderr)"
    )
    for args, loaded in ((["list", "--format", "json"], "pco.ground.ticket"), (["--help"], "")):
        command = [sys.executable, "-c", watched, str(TOP / "lib"), *args]
        done = subprocess.run(command, env=desk.site.environment(), capture_output=True, text=True, check=True)
        assert done.stderr.strip() == loaded


# show.


def test_show_prints_all_that_is_approved_and_its_hash(desk):
    comments = (Comment("c1", T0, "Ann", "Mind the umlauts."),)
    desk.has("WEB-1", description="Fix it.\nSoon.", comments=comments, remark="Slowly.")
    said = desk.run("show", "WEB-1").stdout
    words = ["Title of WEB-1", "Fix it.", "Soon.", "Ann", "Mind the umlauts.", "Slowly."]
    target = ["/srv/git/web.git", "main", "claude", "acceptEdits", desk.hash("WEB-1")]
    assert all(word in said for word in words + target)


def test_show_in_json_has_the_row_the_content_and_the_record(desk):
    desk.has("WEB-1")
    (shown,) = desk.json("show", "WEB-1")
    assert shown["key"] == "WEB-1"
    assert shown["content"]["hash"] == desk.hash("WEB-1")
    assert shown["content"]["repository"] == "/srv/git/web.git"
    assert shown["record"]["history"][-1]["to"] == "pending"


def test_show_after_a_failure_has_the_last_screen_what_it_means_and_what_to_do(desk):
    desk.has("WEB-1", State.FAILED, attempts=(Attempt(1, T0, T0 + timedelta(minutes=5), "died", 137),))
    home = desk.site.home / "sessions" / "WEB-1" / "1.1" / "out"
    home.mkdir(parents=True)
    (home / "screen").write_bytes(b"one\n\x1b[31mFatal: no more memory\x1b]0;x\x07\n")
    said = desk.run("show", "WEB-1").stdout
    assert "  | Fatal: no more memory\n" in said
    assert "signal KILL" in said
    assert "pco-queue retry WEB-1" in said
    assert "\x1b[31mFatal: no more memory\x1b[0m" in desk.run("show", "--color", "always", "WEB-1").stdout


@pytest.mark.parametrize("planted", ["link", "fifo", "folder", "large"])
def test_show_reads_the_screen_as_hostile_input(desk, planted):
    desk.has("WEB-1", State.FAILED, attempts=(Attempt(1, T0, T0, "died"),))
    home = desk.site.home / "sessions" / "WEB-1" / "1.1" / "out"
    home.mkdir(parents=True)
    screen = home / "screen"
    {
        "link": lambda: screen.symlink_to("/etc/passwd"),
        "fifo": lambda: os.mkfifo(screen),
        "folder": screen.mkdir,
        "large": lambda: screen.write_bytes(b"x" * (2 << 20)),
    }[planted]()
    said = desk.run("show", "WEB-1").stdout
    assert "the screen cannot be read" in said
    assert "root:" not in said


def test_show_of_a_failed_post_speaks_of_the_comment_not_of_the_session(desk):
    ticket = desk.has("WEB-1", State.OUTBOX, attempts=(Attempt(1, T0, T0, "completed", 0),))
    posting = desk.site.spool("pco-post")
    posting.move(posting.read("WEB-1"), State.FAILED, why="Plane refused the comment: 400")
    said = desk.run("show", "WEB-1").stdout
    assert "Plane refused the comment: 400" in said
    assert "pco-queue post WEB-1 sends the comment again" in said
    assert ticket.key in said


def test_show_pages_on_a_terminal_what_does_not_fit(desk, tmp_path):
    desk.has("WEB-1", description="\n".join(f"line {n}" for n in range(200)))
    pager = tmp_path / "pager"
    pager.write_text("#!/bin/sh\necho PAGED\ncat >/dev/null\n")
    pager.chmod(0o755)
    with desk.terminal("show", "WEB-1", PAGER=str(pager), LINES="24") as screen:
        assert screen.end().strip() == "PAGED"


def test_an_unknown_key_gets_the_nearest_one(desk):
    desk.has("WEB-12")
    assert "(did you mean WEB-12?)" in desk.run("show", "WEB-122", code=65).stderr
    assert "(did you mean WEB-12?)" in desk.run("show", "web-12", code=65).stderr
    assert "is no key such as WEB-12" in desk.run("show", "../../etc/passwd", code=65).stderr


def test_an_unknown_verb_gets_the_nearest_one(desk):
    assert "(did you mean approve?)" in desk.run("aprove", "WEB-1", code=2).stderr


# log.


def test_log_tells_the_way_of_a_ticket_in_order(desk):
    desk.has("WEB-1", notes=(Note(T0, "ann", "look here"),))
    desk.run("hold", "WEB-1", "--until", "2h")
    desk.run("approve", "WEB-1", "--note", "go")
    told = [line["what"] for line in desk.json("log", "WEB-1")]
    assert told[:2] == ["note: look here", "pending -> pending"]
    assert told[2].startswith("held: until=")
    assert told[3:] == ["pending -> approved: go"]


def test_log_tells_what_the_sessions_told_and_used_harmlessly(desk):
    ended = Attempt(1, T0, T0 + timedelta(minutes=3), "completed", 0, cost=Cost(0.5))
    desk.has("WEB-1", State.COMPLETED, attempts=(ended,), summary="x")
    out = desk.site.home / "sessions" / "WEB-1" / "1.1" / "out"
    (out / "events").mkdir(parents=True)
    for kind, detail in (
        ("launched", {"afresh": ""}),
        ("started", {"model": "m1", "source": "startup"}),
        ("working", {"tool": "Bash"}),
        ("turn_failed", {"error": "overloaded\x1b[2J"}),
        ("completed", {"summary": 7}),
    ):
        events.write(str(out), 1, 1, kind, detail)
    (out / "events" / "1-1.json").write_text("no json")
    (out / "events" / "2-1.json").symlink_to("/etc/passwd")

    told = [line["what"] for line in desk.json("log", "WEB-1") if line["by"] == "agent 1.1"]

    assert told == [
        "the agent is started",
        "the agent begins: m1, startup",
        "its turn failed: overloaded[2J",
        "it hands over its summary",
    ]
    assert any("used $0.50" in line["what"] for line in desk.json("log", "WEB-1"))


def test_log_of_a_session_whose_events_cannot_be_read_yet_says_what_it_does(desk):
    desk.has("WEB-1", State.ACTIVE, attempts=(Attempt(1, T0, doing="working", doing_since=T0),))

    told = [line["what"] for line in desk.json("log", "WEB-1") if line["by"] == "agent 1.1"]

    assert told == ["working (more can be read here once it has ended)"]


def test_log_knows_a_dropped_ticket_from_the_audit_record(desk):
    desk.has("WEB-1")
    desk.run("reject", "WEB-1", "--note", "no")
    desk.run("drop", "WEB-1", "--yes")
    told = [line["what"] for line in desk.json("log", "WEB-1")]
    assert told == ["pending -> rejected: round=1", "dropped: from=rejected"]
    desk.run("log", "WEB-2", code=65)


# help.


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_has_examples_and_the_help_of_the_group(desk, verb):
    said = desk.run(verb, "--help").stdout
    assert "Examples:" in said and f"pco-queue {verb}" in said
    assert max(map(len, said.splitlines())) <= 100
    lines = " ".join(desk.run("--help").stdout.split())
    first = " ".join(said.partition("\n\n")[2].partition("\n\n")[0].split())
    assert f"{verb} {first}" in lines


def test_times_are_those_of_the_configured_zone(desk):
    desk.site.configure(display={"timezone": "Asia/Tokyo"})
    ticket = replace(a_ticket("WEB-1"), hold=Hold("ann", T0, T0 + timedelta(days=9000)))
    put(desk.spool, ticket.with_round(approval=Approval("ann", T0, "00")), State.APPROVED)
    assert "2026-11-22 21:00 JST" in desk.run("show", "WEB-1").stdout
