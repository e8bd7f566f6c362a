"""pco-launch: what starts, what waits and why, and that nothing starts twice."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pco.commands import launch
from pco.ground import attempt, boot
from pco.ground.record import to_bytes
from pco.ground.ticket import Approval, Attempt, Hold, Note, PlaneState, State
from pco.rules import prompt
from pco.run import Pco
from pco.spool import Stale
from programs.launching import APP, WHO, with_stub
from support import TOP, WEB, a_ticket, put

MINUTE = timedelta(minutes=1)


def started(folder):
    """The keys that the stub was asked to start."""
    log = folder / "started"
    return [line.split(" -s ")[1].split()[0] for line in log.read_text().splitlines()] if log.exists() else []


def until(true, seconds=15):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.02)


# What starts.


def test_an_approved_ticket_becomes_a_session_that_gets_its_prompt(field, tmp_path):
    got = tmp_path / "got"
    script = f"cat > {got}~; pwd >> {got}~; echo $PCO_KEY >> {got}~; mv {got}~ {got}; exec sleep 60"
    field.site.configure(sessions={"command": ["sh", "-c", script]})
    field.approve("WEB-1", description="Do $(it) ${ticket}")
    field.spool.control.wake("launch")
    reader = os.open(field.site.home / "run" / "trigger", os.O_RDWR | os.O_NONBLOCK)

    said = field.launch()

    assert "WEB-1: approved -> active round=1 attempt=1" in said.stderr
    assert said.stderr.splitlines()[-1] == "pco-launch: 1 session started, 0 approved tickets left"
    assert said.stdout == ""
    assert os.read(reader, 10)
    os.close(reader)
    until(got.exists)
    lines = got.read_text().splitlines()
    assert lines[0].startswith("You are working on ticket WEB-1, alone")
    assert "Do $(it) ${ticket}" in lines
    assert lines[-2:] == [str(field.site.home / "sessions" / "WEB-1" / "workspace"), "WEB-1"]
    assert field.runner.list() == {"WEB-1"}
    assert not (field.site.home / "spool" / "wake" / "launch").exists()
    assert (field.site.home / "spool" / "wake" / "dashboard").exists()


def test_the_claim_is_in_the_record(field):
    failed = Attempt(1, datetime.now(UTC) - 2 * MINUTE, end=datetime.now(UTC) - 2 * MINUTE, outcome="died")
    ticket = field.approve("WEB-1")
    field.spool.record(ticket.with_round(attempts=(failed,)))
    put(field.spool, a_ticket("WEB-9").with_round(attempts=(Attempt(1, datetime.now(UTC), slot=1),)), State.ACTIVE)

    field.launch()

    begun = field.spool.read("WEB-1", State.ACTIVE).attempt
    assert (begun.n, begun.slot, begun.end, begun.outcome) == (2, 2, None, "")
    assert begun.boot_id == boot.boot_id()
    assert 0 <= time.clock_gettime(time.CLOCK_BOOTTIME) - begun.boot_time < 60
    assert begun.host


def test_the_folder_of_the_attempt_can_be_read_by_others_whatever_the_umask(field):
    field.approve("WEB-1")

    field.launch(umask=0o077)

    home = field.site.home / "sessions" / "WEB-1" / "1.1"
    modes = {name: (home / name).stat().st_mode & 0o777 for name in (".", "out", "prompt.md", "launch.json")}
    assert modes == {".": 0o755, "out": 0o755, "prompt.md": 0o644, "launch.json": 0o644}
    assert home.parent.stat().st_mode & 0o777 == 0o755


def test_each_prompt_has_a_fence_of_its_own(field):
    for key in ("WEB-1", "WEB-2"):
        field.approve(key)

    field.launch()

    prompts = [(field.site.home / "sessions" / key / "1.1" / "prompt.md").read_text() for key in ("WEB-1", "WEB-2")]
    fences = [text.split("<<<TICKET-")[1].split("\n")[0] for text in prompts]
    assert len(set(fences)) == 2
    assert all(len(fence) == 16 for fence in fences)


def test_the_workspace_comes_from_what_upstream_has_now(field):
    field.approve("WEB-1")
    upstream = field.repositories[WEB]
    (upstream / "late").write_text("x")
    for args in (("add", "-A"), ("commit", "-q", "-m", "Late")):
        subprocess.run(["git", *WHO, *args], cwd=upstream, check=True)

    field.launch()

    until((field.site.home / "sessions" / "WEB-1" / "workspace" / "late").exists)


def test_an_unbegun_folder_of_a_run_that_died_makes_way(field):
    field.approve("WEB-1")
    home = field.site.home / "sessions" / "WEB-1" / "1.1"
    (home / "out").mkdir(parents=True)
    (home / "prompt.md").write_text("old")
    (home / "fence").touch()

    field.launch()

    assert "WEB-1" in (home / "prompt.md").read_text()
    until((home / "out" / "birth").exists)


def test_a_begun_folder_of_a_restored_spool_is_kept_under_another_name(field):
    field.approve("WEB-1")
    home = field.site.home / "sessions" / "WEB-1" / "1.1"
    (home / "out").mkdir(parents=True)
    (home / "out" / "birth").write_text("old")

    field.launch()

    until((home / "out" / "birth").exists)
    assert [path.read_text() for path in home.parent.glob("1.1.*/out/birth")] == ["old"]


# What waits.


def test_nothing_to_do_is_silent_and_asks_nobody(field, stub):
    folder = stub()
    (folder / "git").write_text(f"#!/bin/sh\ntouch {folder}/asked\n")
    (folder / "git").chmod(0o755)

    said = field.launch(env=with_stub(field, folder))

    assert said.stdout == said.stderr == ""
    assert not (folder / "asked").exists()


def test_launch_leaves_the_rest_approved_when_the_limit_is_reached(field, stub):
    for key in ("WEB-1", "APP-2", "WEB-3"):
        field.approve(key, APP if key.startswith("APP") else WEB)

    field.launch("--limit", "2", env=with_stub(field, stub()))

    assert field.active() == ["APP-2", "WEB-1"]
    assert field.approved() == ["WEB-3"]


def test_launch_keeps_to_the_limit_of_a_project(field, stub):
    field.site.configure(sessions={"per_project": 1})
    for key in ("WEB-1", "WEB-2", "APP-3"):
        field.approve(key, APP if key.startswith("APP") else WEB)

    field.launch(env=with_stub(field, stub()))

    assert field.active() == ["APP-3", "WEB-1"]


def test_an_unreadable_active_ticket_takes_a_slot(field, stub):
    field.approve("WEB-1")
    (field.site.home / "spool" / "active" / "WEB-9.json").write_text("torn")

    field.launch("--limit", "1", env=with_stub(field, stub()))

    assert field.approved() == ["WEB-1"]


def test_urgent_tickets_start_first(field, stub):
    field.approve("WEB-1", priority="low")
    field.approve("WEB-2", priority="urgent")

    field.launch("--limit", "1", env=with_stub(field, stub()))

    assert field.active() == ["WEB-2"]


def test_a_held_ticket_starts_once_its_time_has_passed_and_the_hold_goes(field, stub):
    now = datetime.now(UTC)
    field.approve("WEB-1", hold=Hold("ann", now))
    field.approve("WEB-2", hold=Hold("ann", now, now + MINUTE))
    field.approve("WEB-3", hold=Hold("ann", now, now - MINUTE))

    field.launch(env=with_stub(field, stub()))

    assert field.active() == ["WEB-3"]
    assert field.spool.read("WEB-3").hold is None


def test_nothing_starts_during_a_pause_and_a_timer_hears_nothing_of_it(field, stub):
    field.approve("WEB-1")
    field.spool.control.pause(Note(datetime.now(UTC), "ann", "upgrade"))

    assert field.launch().stderr == ""
    assert "paused by ann: upgrade" in field.launch("-v").stderr

    assert field.approved() == ["WEB-1"]
    field.spool.control.resume()
    field.launch(env=with_stub(field, stub()))
    assert field.active() == ["WEB-1"]


def test_a_retry_starts_after_its_time(field, stub):
    now = datetime.now(UTC)
    for key, ended in (("WEB-1", now - MINUTE / 2), ("WEB-2", now - 2 * MINUTE)):
        failed = Attempt(1, ended, end=ended, outcome="died")
        field.spool.record(field.approve(key).with_round(attempts=(failed,)))

    field.launch(env=with_stub(field, stub()))

    assert field.active() == ["WEB-2"]


@pytest.mark.parametrize("ago", [timedelta(minutes=6), None])
def test_a_ticket_whose_project_was_not_polled_of_late_waits(field, stub, ago):
    field.approve("WEB-1")
    field.approve("APP-2", APP)
    if ago:
        field.polled(ago, WEB)
    else:
        shutil.rmtree(field.site.home / "plane" / WEB)

    field.launch(env=with_stub(field, stub()))

    assert field.active() == ["APP-2"]


def test_a_local_ticket_needs_no_poll(field, stub):
    shutil.rmtree(field.site.home / "plane" / WEB)
    field.approve("LOCAL-1", local=True, plane_state=None)

    field.launch(env=with_stub(field, stub()))

    assert field.active() == ["LOCAL-1"]


def test_gone_closed_and_edited_tickets_stay(field, stub):
    field.approve("WEB-1", gone=True)
    field.approve("WEB-2", plane_state=PlaneState("x", "Done", "completed"))
    field.spool.record(replace(field.approve("WEB-3"), description="Something else"))
    field.approve("WEB-4")

    field.launch(env=with_stub(field, stub()))

    assert field.active() == ["WEB-4"]


def test_a_person_learns_why_tickets_wait(field, stub):
    field.approve("WEB-1", hold=Hold("ann", datetime.now(UTC), None, "\x1b[31mwait"))
    field.approve("WEB-2")

    said = field.launch("--verbose", "--limit", "0", env=with_stub(field, stub()))

    assert "WEB-1: waits: on hold, by ann: [31mwait\n" in said.stderr
    assert "WEB-2: waits: no slot is free (0 of 0 taken)" in said.stderr
    assert field.launch("--limit", "0").stderr == ""


def test_a_dry_run_shows_what_would_start_and_changes_nothing(field):
    field.approve("WEB-1", gone=True)
    field.approve("WEB-2", priority="high")
    (field.site.home / "spool" / "approved" / "WEB-3.json").write_text("torn")
    field.spool.control.wake("launch")

    said = field.launch("--dry-run", code=65)

    rows = [line.split(None, 2) for line in said.stdout.splitlines()]
    assert rows[1:] == [["WEB-2", "high", "would start"], ["WEB-1", "none", "it is gone from Plane"]]
    assert "WEB-3: not JSON" in said.stderr
    assert field.approved() == ["WEB-1", "WEB-2", "WEB-3"]
    assert (field.site.home / "spool" / "wake" / "launch").exists()
    assert os.listdir(field.site.home / "mirrors") == os.listdir(field.site.home / "sessions") == []


def test_a_dry_run_says_that_nothing_waits_and_that_pco_is_paused(field):
    field.spool.control.pause(Note(datetime.now(UTC), "ann", ""))

    said = field.launch("-n")

    assert said.stdout == "pco is paused by ann: no reason given\nNo approved ticket waits for a session.\n"


def test_only_the_tickets_that_were_named_start(field, stub):
    field.approve("WEB-1")
    field.approve("WEB-2")

    field.launch("WEB-2", env=with_stub(field, stub()))

    assert field.active() == ["WEB-2"]


def test_a_key_that_is_unknown_or_not_approved_is_said(field, stub):
    field.approve("WEB-1")
    put(field.spool, a_ticket("WEB-2"), State.PENDING)

    assert "WEB-11: there is no such ticket (did you mean WEB-1?)" in field.launch("WEB-11", code=65).stderr
    said = field.launch("WEB-2", "WEB-1", code=65, env=with_stub(field, stub())).stderr
    assert "WEB-2: is pending, not approved" in said
    assert field.active() == ["WEB-1"]


# What goes wrong.


def test_a_corrupt_ticket_is_set_aside_and_the_others_start(field, stub):
    field.approve("WEB-1")
    (field.site.home / "spool" / "approved" / "WEB-2.json").write_text("torn")

    field.launch(code=65, env=with_stub(field, stub()))

    assert field.active() == ["WEB-1"]
    assert field.spool.keys(State.CORRUPT) == ["WEB-2"]


def test_a_repository_that_does_not_answer_keeps_its_tickets_approved_and_gives_up_their_slots(field, stub):
    field.repositories[WEB].rename(field.repositories[WEB].with_name("moved"))
    for n in (1, 2):
        field.approve(f"WEB-{n}", priority="urgent")
        field.approve(f"APP-{n}", APP)

    said = field.launch("--limit", "2", code=75, env=with_stub(field, stub()))

    assert field.active() == ["APP-1", "APP-2"]
    assert field.approved() == ["WEB-1", "WEB-2"]
    assert said.stderr.count("cannot fetch") == 1
    assert "WEB-1 WEB-2: cannot fetch" in said.stderr
    assert "; stay approved\n" in said.stderr


def test_a_missing_branch_is_a_fault_of_the_configuration(field, stub):
    projects = [{"id": WEB, "repository": str(field.repositories[WEB]), "branch": "trunk"}]
    field.site.configure(plane={"projects": projects})
    ticket = a_ticket("WEB-1")
    where = replace(field.where(), branch="trunk")
    approval = Approval("ann", datetime.now(UTC), prompt.content_hash(ticket, where))
    put(field.spool, ticket.with_round(approval=approval), State.APPROVED)

    said = field.launch(code=78, env=with_stub(field, stub()))

    assert "WEB-1: " in said.stderr
    assert "has no branch trunk; stays approved" in said.stderr
    assert field.approved() == ["WEB-1"]


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("Do $nonsense", "prompt template: $nonsense is not known"),
        ("/complete $ticket", "must begin with a letter"),
        (None, "No such file"),
    ],
)
def test_a_wrong_template_stops_the_run_before_any_claim(field, tmp_path, template, said):
    if template is not None:
        (tmp_path / "prompt.md").write_text(template)
    field.site.configure(sessions={"prompt": str(tmp_path / "prompt.md")})
    field.approve("WEB-1")

    assert said in field.launch(code=78).stderr

    assert field.approved() == ["WEB-1"]
    assert os.listdir(field.site.home / "sessions") == []


def test_without_a_command_nothing_is_claimed_and_a_hint_is_given(field):
    field.site.configure(sessions={"agent": "command", "command": []})
    field.approve("WEB-1")

    said = field.launch(code=78).stderr

    assert "sessions.command is empty" in said
    assert said.splitlines()[-1].startswith("(")
    assert field.approved() == ["WEB-1"]


def test_a_disk_that_refuses_keeps_the_ticket_approved(field, stub):
    (field.site.home / "sessions").rmdir()
    field.approve("WEB-1")

    said = field.launch(code=71, env=with_stub(field, stub()))

    assert "stays approved" in said.stderr
    assert field.approved() == ["WEB-1"]


def test_a_runner_that_is_not_installed_keeps_the_ticket_approved(field, tmp_path):
    field.approve("WEB-1")
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "git").symlink_to(shutil.which("git"))

    said = field.launch(code=69, env={**field.site.environment(), "PATH": str(bare)})

    assert "tmux is not installed" in said.stderr
    assert field.approved() == ["WEB-1"]


def test_a_session_that_cannot_start_stays_active_for_pco_watch_to_judge(field, stub):
    field.approve("WEB-1")

    said = field.launch(code=75, env=with_stub(field, stub("echo 'no space' >&2; exit 1")))

    assert "WEB-1: tmux cannot start the session: no space; stays active" in said.stderr
    assert field.active() == ["WEB-1"]


def test_death_between_claim_and_start_leaves_an_active_ticket_that_was_not_born(field, stub):
    field.approve("WEB-1")

    field.launch(code=-signal.SIGKILL, env=with_stub(field, stub("kill -9 $PPID")))

    assert field.active() == ["WEB-1"]
    home = field.site.home / "sessions" / "WEB-1" / "1.1"
    assert attempt.read_launch(home).attempt == 1
    assert os.listdir(home / "out") == []
    assert field.runner.list() == frozenset()
    field.launch()
    assert field.runner.list() == frozenset()


def test_a_ticket_whose_last_session_is_still_there_waits(field):
    field.approve("WEB-1")
    field.launch()
    claimed = field.spool.read("WEB-1")
    watch = field.site.spool("pco-watch")
    watch.move(claimed.with_attempt(end=datetime.now(UTC), outcome="interrupted"), State.APPROVED)

    assert "has not quite ended" in field.launch("-v").stderr

    assert field.approved() == ["WEB-1"]


# Twice.


def test_many_launchers_at_once_start_each_ticket_once(field, stub):
    keys = sorted(f"WEB-{n}" for n in range(1, 17))
    for key in keys:
        field.approve(key)
    field.site.configure(sessions={"limit": 100, "per_project": 100})
    folder = stub()
    program = [sys.executable, str(TOP / "bin" / "pco-launch")]

    codes = Counter()
    while field.approved():
        children = [subprocess.Popen(program, env=with_stub(field, folder), stderr=-1) for _ in range(8)]
        codes += Counter(child.communicate(timeout=60) and child.returncode for child in children)

    assert set(codes) <= {0, 75}
    assert sorted(started(folder)) == keys
    tickets = [field.spool.read(key, State.ACTIVE) for key in keys]
    assert all(len(ticket.round.attempts) == 1 for ticket in tickets)
    assert sorted(ticket.attempt.slot for ticket in tickets) == list(range(1, 17))


@pytest.mark.parametrize("limit", [20, 7])
def test_the_claim_itself_lets_one_of_many_through_and_keeps_to_the_limit(field, tmp_path, limit):
    keys = [f"WEB-{n}" for n in range(1, 21)]
    tickets = [field.approve(key) for key in keys]
    field.site.configure(sessions={"per_project": 100})
    gate = tmp_path / "gate"
    os.mkfifo(gate)

    children = [claiming(field, tickets, limit, gate, tmp_path / f"won{n}") for n in range(8)]
    with open(gate, "w"):  # opens once the first waits; the others follow
        time.sleep(0.5)
    for child in children:
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

    won = [key for n in range(8) for key in json.loads((tmp_path / f"won{n}").read_text())]
    assert len(won) == len(set(won)) == limit
    assert field.active() == sorted(won)


def test_a_hold_that_comes_while_the_mirror_is_fetched_is_heeded(field, stub):
    field.approve("WEB-1")
    field.approve("WEB-2")
    folder = stub()
    # git, which takes its time, stands for the person who holds the ticket meanwhile.
    git = change(field, folder, replace(field.spool.read("WEB-1"), hold=Hold("ann", datetime.now(UTC))))
    (folder / "git").write_text(f'#!/bin/sh\n{git}\nexec {shutil.which("git")} "$@"\n')
    (folder / "git").chmod(0o755)

    field.launch(env=with_stub(field, folder))

    assert field.approved() == ["WEB-1"]
    assert started(folder) == ["WEB-2"]


def test_a_ticket_that_is_refreshed_right_before_its_claim_starts_all_the_same(field, stub):
    field.approve("WEB-1")
    folder = stub()
    poll = change(field, folder, replace(field.spool.read("WEB-1"), labels=("new",)))
    script = (folder / "tmux").read_text()
    # The runner is asked after the tickets were read; the second time, with the mirror there, the claim comes next.
    asked = f"list-sessions) [ -d {field.site.home}/mirrors/*.git ] && {poll};"
    (folder / "tmux").write_text(script.replace("list-sessions)", asked, 1))

    field.launch(env=with_stub(field, folder))

    assert not (folder / "changed").exists()
    assert started(folder) == ["WEB-1"]
    assert field.spool.read("WEB-1", State.ACTIVE).labels == ("new",)


def test_a_claim_of_a_changed_ticket_is_stale(field):
    ticket = field.approve("WEB-1")
    field.spool.record(replace(ticket, hold=Hold("ann", datetime.now(UTC))))

    with pytest.raises(Stale):
        launch.claim(as_launch(field), ticket, 4)

    assert field.approved() == ["WEB-1"]


def as_launch(field):
    made = Pco("pco-launch")
    made.config_file = str(field.site.config)
    return made


def claiming(field, tickets, limit, gate, won):
    """A child that waits for the gate, then claims what it can; what it got goes into `won`."""
    child = os.fork()
    if child:
        return child
    try:
        pco = as_launch(field)
        assert pco.spool
        with open(gate) as waiting:
            waiting.read()
        got = []
        for ticket in tickets:
            try:
                got += [ticket.key] if launch.claim(pco, ticket, limit) else []
            except Stale:
                pass
        won.write_text(json.dumps(got))
    except BaseException:
        os._exit(1)
    os._exit(0)


def change(field, folder, ticket):
    """A shell command that puts `ticket` in place, as a program that was faster would."""
    (folder / "changed").write_bytes(to_bytes(replace(ticket, rev=ticket.rev + 1)))
    return f"mv {folder}/changed {field.spool.path(ticket.key, State.APPROVED)} 2>/dev/null"


@pytest.mark.parametrize(
    ("limits", "said"),
    [({"disk_free": "99.99%"}, "of the disk is free"), ({"memory_free": "999999G"}, "of memory are")],
)
def test_nothing_starts_without_room_for_it_and_people_are_told_once_of_each_change(field, limits, said):
    field.approve("WEB-1")
    field.site.configure(health=limits)

    told = field.launch("-v").stderr
    field.launch()

    assert field.approved() == ["WEB-1"]
    assert "WEB-1: waits: too little room on this machine: " in told
    assert said in told
    notice = json.loads((field.site.home / "spool/notify/room.json").read_text())
    assert (notice["event"], said in notice["fields"]["why"]) == ("short of room", True)

    field.site.configure(health={"disk_free": "0%", "memory_free": "0M"})
    field.launch()

    assert field.active() == ["WEB-1"]
    lines = [json.loads(line) for path in (field.site.home / "audit").glob("*.jsonl") for line in path.open()]
    told = [line["event"] for line in lines if line["event"] != "moved"]
    assert told == ["short of room", "room again"]
    assert json.loads((field.site.home / "spool/notify/room.json").read_text())["event"] == "room again"


def test_a_session_that_runs_is_left_alone_when_room_runs_short(field):
    field.approve("WEB-1")
    field.launch()
    field.site.configure(health={"disk_free": "99.99%"})

    field.launch()

    assert field.active() == ["WEB-1"]
    assert "WEB-1" in field.runner.list()
