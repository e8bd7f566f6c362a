"""pco-restore: what comes back, as what, when it refuses, and what a kill in the middle leaves."""

import gzip
import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
from datetime import UTC, datetime, timedelta

import pytest

from pco.ground import backups
from pco.ground.ticket import Approval, Attempt, Blocked, State
from programs.backing import everything, furnish, git, lose, manifest, mirror, newest, packed, without_times
from support import T0, TOP, WEB, a_ticket, put

BECOMES = {State.APPROVED: State.PENDING, State.ACTIVE: State.FAILED}


def states(site):
    return {key: state.value for key, state in site.spool().places(*State).items()}


def test_all_of_it_comes_back_and_nothing_is_approved_or_runs(site, pco):
    furnish(site)
    before = {state: site.spool().keys(state)[0] for state in State}
    files = {p.relative_to(site.home): p.read_bytes() for p in (site.home / "sessions").rglob("*") if p.is_file()}
    pco("pco-backup")
    audited = (site.home / "audit/2026-11.jsonl").read_bytes()
    lose(site)

    said = pco("pco-restore").stdout

    assert states(site) == {key: BECOMES.get(state, state).value for state, key in before.items()}
    assert {
        p.relative_to(site.home): p.read_bytes() for p in (site.home / "sessions").rglob("*") if p.is_file()
    } == files
    assert (site.home / "plane" / WEB / "head.json").exists() and (site.home / "metrics/spend/2026-11-22.json").exists()
    assert (site.home / "audit/2026-11.jsonl").read_bytes().startswith(audited.rpartition(b'{"at"')[0])
    assert "2 pending" in said and "2 failed" in said
    pco("pco-queue", "list")


def test_what_was_approved_waits_for_approval_anew_and_says_why(site, pco):
    ticket = a_ticket("WEB-1").with_round(approval=Approval("ann", T0, "hash"))
    put(site.spool(), ticket, State.APPROVED)
    pco("pco-backup")
    lose(site)

    pco("pco-restore")

    back = site.spool().read("WEB-1")
    assert (back.state, back.round.approval, back.id) == (State.PENDING, None, ticket.id)
    last = back.history[-1]
    assert (last.from_, last.to, last.by) == ("approved", "pending", "pco-restore")
    assert newest(site).name in last.why
    assert len(back.restored) == 1


def test_what_ran_has_failed_with_its_session_ended_and_can_be_retried(site, pco):
    running = Attempt(1, T0, boot_id="another", doing="working", doing_since=T0)
    ticket = a_ticket("WEB-1").with_round(
        attempts=(running,), blocked=(Blocked(T0, None, "permission"),), approval=Approval("ann", T0, "hash")
    )
    put(site.spool(), ticket, State.ACTIVE)
    pco("pco-backup")
    lose(site)

    pco("pco-restore")

    back = site.spool().read("WEB-1")
    assert back.state is State.FAILED and back.attempt is not None
    assert back.attempt.outcome == "restored" and back.attempt.end is not None and back.blocked is None
    assert "came back from a backup" in pco("pco-queue", "show", "WEB-1").stdout


def test_a_restored_spool_can_be_worked_with_at_once(site, pco):
    put(site.spool(), a_ticket("LOCAL-1", local=True), State.PENDING)
    put(site.spool(), a_ticket("LOCAL-2", local=True), State.POSTED)
    pco("pco-backup")
    lose(site)
    pco("pco-restore")

    pco("pco-queue", "reject", "--yes", "LOCAL-1")
    pco("pco-queue", "reopen", "--yes", "LOCAL-2")
    pco("pco-backup")

    assert states(site) == {"LOCAL-1": "rejected", "LOCAL-2": "pending"}
    assert site.spool().count(State.REJECTED) == 1
    assert site.spool().count(State.POSTED) == 0


def test_branches_come_back_with_all_of_their_history(site, pco):
    tips = mirror(site, "WEB-1", "WEB-2")
    pco("pco-backup")
    lose(site)

    pco("pco-restore")

    made = site.home / "mirrors" / f"{WEB}.git"
    assert {key: git("rev-parse", f"pco/{key}", cwd=made) for key in tips} == tips
    assert git("log", "--format=%s", "pco/WEB-2", cwd=made).splitlines() == ["of WEB-2", "of WEB-1", "first"]
    git("fsck", "--strict", cwd=made)


def test_a_torn_ticket_comes_back_as_corrupt_and_can_be_repaired(site, pco):
    whole = put(site.spool(), a_ticket("WEB-1"), State.PENDING)
    path = site.spool().path("WEB-1", State.PENDING)
    record = path.read_bytes()
    path.write_bytes(record[:100])
    pco("pco-backup")
    lose(site)

    pco("pco-restore")
    site.spool().path("WEB-1", State.CORRUPT).write_bytes(record)
    pco("pco-queue", "repair", "WEB-1")

    assert site.spool().read("WEB-1").id == whole.id
    assert states(site) == {"WEB-1": "pending"}


def test_a_pause_and_what_people_asked_for_come_back_but_not_what_was_for_sessions(site, pco):
    put(site.spool(), a_ticket("WEB-1"), State.PENDING)
    pco("pco-queue", "pause", "--note", "deployment")
    control = site.home / "spool/control"
    (control / "import/WEB-7").write_text('{"by": "ann", "at": "2026-11-22T12:00:00Z"}')
    (control / "clean/WEB-8").write_text('{"by": "ann", "at": "2026-11-22T12:00:00Z"}')
    (control / "halted").touch()
    pco("pco-backup")
    lose(site)

    pco("pco-restore")

    paused = site.spool().control.paused()
    assert paused is not None and paused.text == "deployment"
    assert site.spool().control.imports() == {"WEB-7": "ann"}
    assert site.spool().control.cleanings() == {} and not site.spool().control.halted()


def test_an_audit_record_that_the_new_machine_has_begun_is_kept_beside(site, pco):
    furnish(site)
    pco("pco-backup")
    lose(site)
    (site.home / "audit/2026-11.jsonl").write_text('{"at": "of the new machine"}\n')

    said = pco("pco-restore").stdout

    (kept,) = (site.home / "audit").glob("2026-11.jsonl.before-*")
    assert kept.read_text() == '{"at": "of the new machine"}\n'
    assert f"what was there is kept: {kept}" in said
    first = json.loads((site.home / "audit/2026-11.jsonl").read_text().splitlines()[0])
    assert first["event"] == "note"


# The configuration.


def test_a_configuration_comes_back_where_none_was_edited_and_is_laid_beside_where_one_was(site, pco):
    etc = site.home / "etc"
    etc.mkdir()
    site.config.rename(etc / "pco.yaml")
    site.config = etc / "pco.yaml"
    (etc / "hooks.d/backup").mkdir(parents=True)
    (etc / "hooks.d/backup/10-copy").write_text("#!/bin/sh\n")
    (etc / "hooks.d/backup/10-copy").chmod(0o755)
    (etc / "pco.yaml.d").mkdir()
    (etc / "pco.yaml.d/a.yaml").write_text("log: {level: debug}\n")
    pco("pco-backup")
    lose(site)
    shutil.rmtree(etc / "hooks.d")
    (etc / "pco.yaml.d/a.yaml").write_text("log: {level: warning}\n")

    said = pco("pco-restore").stdout

    assert os.access(etc / "hooks.d/backup/10-copy", os.X_OK)
    assert (etc / "pco.yaml.d/a.yaml").read_text() == "log: {level: warning}\n"
    assert (etc / "restored/pco.yaml.d/a.yaml").read_text() == "log: {level: debug}\n"
    assert "a.yaml is yours and stays; that of the backup: " in said


# When it refuses.


def test_it_refuses_a_spool_that_has_tickets_and_changes_nothing(site, pco):
    furnish(site)
    pco("pco-backup")
    before = everything(site)

    said = pco("pco-restore", code=65).stderr

    assert "has tickets already (9: WEB-1, WEB-2, WEB-3, …)" in said
    assert everything(site) == before


@pytest.mark.parametrize("program", ["poll", "launch", "watch", "post", "backup"])
def test_it_refuses_while_a_program_is_at_work(site, pco, program):
    pco("pco-backup")

    with site.spool(f"pco-{program}").alone():
        said = pco("pco-restore", code=75).stderr

    assert f"pco-{program} is at work" in said


def test_a_member_that_was_changed_is_named_and_nothing_is_restored(site, pco):
    furnish(site)
    pco("pco-backup")
    path = newest(site) / "spool.tar.gz"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    lose(site)

    said = pco("pco-restore", code=65).stderr

    assert "is damaged: spool.tar.gz: it is not what was written (SHA-256)" in said
    assert states(site) == {}


@pytest.mark.parametrize("how", ["short", "gone", "link", "fifo"])
def test_a_torn_or_a_foreign_member_is_named(site, pco, how):
    pco("pco-backup")
    path = newest(site) / "audit.tar.gz"
    data = path.read_bytes()
    path.unlink()
    if how == "short":
        path.write_bytes(data[:-1])
    elif how == "link":
        path.symlink_to("/etc/passwd")
    elif how == "fifo":
        os.mkfifo(path)
    lose(site)

    assert "is damaged: audit.tar.gz: it " in pco("pco-restore", code=65).stderr


@pytest.mark.parametrize("member", ["spool", "attempts", "audit", "metrics"])
def test_a_member_with_a_file_without_a_name_is_refused_before_anything_is_changed(site, pco, member):
    furnish(site)
    pco("pco-backup")
    forge(newest(site), member, "")
    lose(site)
    before = everything_there(site)

    said = pco("pco-restore", code=65).stderr

    assert f"is damaged: {member}.tar.gz: it has a file without a name" in said
    assert everything_there(site) == before


@pytest.mark.parametrize("name", ["corrupt/.json", "corrupt/web 1.json", "pending/.json"])
def test_a_ticket_whose_name_is_no_key_is_refused_before_anything_is_changed(site, pco, name):
    furnish(site)
    pco("pco-backup")
    forge(newest(site), "spool", name)
    lose(site)
    before = everything_there(site)

    assert "is no key of a ticket" in pco("pco-restore", code=65).stderr
    assert everything_there(site) == before


def forge(backup, member, name):
    """Give a member one more file, of this name, and let the manifest say so."""
    path = backup / f"{member}.tar.gz"
    files = packed(backup, member)
    with gzip.open(path, "wb") as file, tarfile.open(fileobj=file, mode="w|", format=tarfile.PAX_FORMAT) as tar:
        for each, data in [*files.items(), (name, b"{}")]:
            info = tarfile.TarInfo(each)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    told = json.loads((backup / "manifest.json").read_text())
    for row in told["members"]:
        if row["name"] == path.name:
            row |= {"size": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    (backup / "manifest.json").write_text(json.dumps(told))


def everything_there(site):
    """The paths of all that is there."""
    return sorted(str(path) for path in site.home.rglob("*"))


def test_what_is_no_backup_or_has_no_such_name_is_said(site, pco, tmp_path):
    (site.home / "backups").mkdir()
    assert "there is no backup in" in pco("pco-restore", code=65).stderr
    pco("pco-backup")
    name = newest(site).name

    assert f"did you mean {name}?" in pco("pco-restore", name.replace("T", "T9", 1), code=65).stderr
    assert "is no backup" in pco("pco-restore", f"{tmp_path}/", code=65).stderr


def test_a_backup_of_a_newer_pco_is_refused_whole(site, pco):
    pco("pco-backup")
    path = newest(site) / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "records": 99}))
    lose(site)

    assert "schema 99" in pco("pco-restore", code=78).stderr


# Looking first.


def test_a_dry_run_says_what_would_become_of_each_ticket_and_changes_nothing(site, pco):
    furnish(site)
    pco("pco-backup")
    lose(site)
    before = sorted(str(path) for path in site.home.rglob("*"))

    said = pco("pco-restore", "--dry-run").stdout
    rows = json.loads(pco("pco-restore", "--dry-run", "--format", "json").stdout)

    assert {row["was"]: row["becomes"] for row in rows} == {s.value: BECOMES.get(s, s).value for s in State}
    assert "has to be approved anew" in said and "its session is lost" in said
    assert sorted(str(path) for path in site.home.rglob("*")) == before


def test_a_dry_run_says_that_it_would_be_refused(site, pco):
    put(site.spool(), a_ticket("WEB-1"), State.PENDING)
    pco("pco-backup")

    assert "now it would be refused" in pco("pco-restore", "-n").stderr


def test_the_list_names_backups_newest_first_and_what_is_wrong_with_one(site, pco):
    put(site.spool(), a_ticket("WEB-1"), State.PENDING)
    pco("pco-backup")
    yesterday = backups.name_of(datetime.now(UTC) - timedelta(days=1))
    older = newest(site).rename(newest(site).with_name(yesterday))
    pco("pco-backup")
    (older / "manifest.json").write_text("{torn")

    rows = json.loads(pco("pco-restore", "--list", "--format", "json").stdout)
    said = pco("pco-restore", "--list").stdout

    assert [row["name"] for row in rows] == [newest(site).name, yesterday]
    assert (rows[0]["tickets"], rows[0]["counts"], rows[0]["problem"]) == (1, {"pending": 1}, None)
    assert "manifest.json" in rows[1]["problem"]
    assert newest(site).name in said


# Killed in the middle.


def test_while_a_restore_is_not_finished_no_other_program_uses_the_spool(site, pco):
    furnish(site)
    pco("pco-backup")
    lose(site)
    half(site)

    for program in ("pco-watch", "pco-launch", "pco-post", "pco-backup"):
        assert "a restore is not finished" in site.run(program, code=78).stderr
    assert "a restore is not finished" in site.run("pco-queue", "list", code=78).stderr
    pco("pco-restore")
    pco("pco-queue", "list")


def test_another_backup_cannot_be_restored_into_an_unfinished_one(site, pco):
    furnish(site)
    pco("pco-backup")
    first = newest(site).name
    pco("pco-backup")
    lose(site)
    half(site)

    assert f"a restore of {newest(site).name}, begun by" in pco("pco-restore", first, code=65).stderr


def half(site):
    """Let a restore die in the middle of its tickets."""
    (site.home / "spool/tmp").rename(site.home / "spool/away")
    site.run("pco-restore", code=71)
    (site.home / "spool/away").rename(site.home / "spool/tmp")


def test_a_restore_killed_at_any_rename_and_run_again_comes_to_the_same_end(site, pco):
    furnish(site)
    pco("pco-backup")
    lose(site)
    pco("pco-restore")
    wanted = without_times(everything(site))
    died, when = 0, 1
    while True:
        lose(site)
        if not killed(site, "pco-restore", when):
            break
        died += 1
        pco("pco-restore")
        assert without_times(everything(site)) == wanted
        when += 4
    assert died >= 5


@pytest.mark.parametrize("call", ["fsync", "rename"])
def test_a_restore_killed_while_it_tells_what_moved_tells_each_once(site, pco, call):
    """The calls of its end are those of audit lines, of notices, and of the mark that goes last."""
    furnish(site)
    put(site.spool(), a_ticket("WEB-11"), State.ACTIVE)
    put(site.spool(), a_ticket("WEB-12"), State.APPROVED)
    pco("pco-backup")
    lose(site)
    calls = counted(site, call)
    wanted = without_times(everything(site))
    moved = [(key, fields["to"]) for event, key, _, fields in wanted["audit"] if event == "moved"]
    assert sorted(moved) == [("WEB-11", "failed"), ("WEB-12", "pending"), ("WEB-2", "pending"), ("WEB-3", "failed")]
    assert {"spool/notify/failed-WEB-3.json", "spool/notify/failed-WEB-11.json"} <= set(wanted)
    for when in range(max(calls - 7, 1), calls + 1):
        lose(site)
        assert killed(site, "pco-restore", when, call), when
        if (site.home / "spool/control/restoring").exists():
            pco("pco-restore")
        assert without_times(everything(site)) == wanted, when


def counted(site, call):
    """Restore, and say how often it made that call; git not counted."""
    trace = site.home / "trace"
    command = ["strace", "-f", "-qq", "-o", str(trace), "-e", f"trace={call}", sys.executable]
    subprocess.run([*command, str(TOP / "bin/pco-restore")], env=site.environment(), capture_output=True, check=True)
    lines = [line.split() for line in trace.read_text().splitlines()]
    return sum(pid == lines[0][0] and said.startswith(f"{call}(") for pid, said, *_ in lines)


def test_a_backup_killed_at_any_link_write_or_rename_leaves_the_ones_before_and_the_next_is_whole(site, pco):
    furnish(site)
    pco("pco-backup")
    for call, when in (("linkat", 3), ("linkat", 9), ("fsync", 1), ("fsync", 4), ("rename", 1)):
        before = backups.names(site.home / "backups")
        assert killed(site, "pco-backup", when, call), f"{call} {when}"
        assert backups.names(site.home / "backups") == before
        pco("pco-backup")
        assert len(backups.names(site.home / "backups")) == len(before) + 1
        assert [p for p in (site.home / "backups").iterdir() if p.name.startswith(".")] == []
        assert manifest(site)["counts"] == dict.fromkeys([state.value for state in State], 1)


def killed(site, program, when, call="rename"):
    """Run a program, killed at its call of that number; False if it came to its end before."""
    inject = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}"]
    inject += ["-e", f"inject={call}:signal=SIGKILL:when={when}"]
    command = [*inject, sys.executable, str(TOP / "bin" / program)]
    run = subprocess.run(command, env=site.environment(), capture_output=True, text=True, check=False)
    assert run.returncode in (0, 137, -signal.SIGKILL), run.stderr
    return run.returncode != 0


def test_a_full_disk_is_said_and_the_backups_before_stay(site, pco):
    furnish(site)
    pco("pco-backup")
    before = backups.names(site.home / "backups")
    inject = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "inject=fsync:error=ENOSPC:when=2+"]

    command = [*inject, sys.executable, str(TOP / "bin/pco-backup")]
    run = subprocess.run(command, env=site.environment(), capture_output=True, text=True, check=False)

    assert run.returncode == 71 and "No space left on device" in run.stderr
    assert [path.name for path in (site.home / "backups").iterdir()] == before


# Trying.


def test_a_trial_restores_into_a_scratch_folder_reads_everything_and_removes_it(site, pco):
    furnish(site)
    pco("pco-backup")
    before = everything(site)

    said = pco("pco-restore", "--test").stderr

    assert f"{newest(site).name} can be restored: 9 tickets" in said
    assert {**everything(site), "audit": 0} == {**before, "audit": 0}
    assert [path.name for path in (site.home / "backups").iterdir()] == [newest(site).name]
    stands = backups.standing(site.home / "metrics", "tested")
    assert stands.good is not None and stands.good.name == newest(site).name and not stands.failing


def test_a_trial_of_a_damaged_backup_fails_and_that_is_kept(site, pco):
    furnish(site)
    pco("pco-backup")
    path = newest(site) / f"{WEB}.bundle"
    path.write_bytes(path.read_bytes()[:-1] + b"x")

    pco("pco-restore", "--test", code=65)

    stands = backups.standing(site.home / "metrics", "tested")
    assert stands.failing and stands.bad is not None and f"{WEB}.bundle" in stands.bad.note


def test_a_thousand_tickets_go_there_and_back(site, pco):
    for n in range(1, 1001):
        put(site.spool(), a_ticket(f"WEB-{n}"), (State.PENDING, State.POSTED, State.APPROVED, State.FAILED)[n % 4])
    pco("pco-backup")
    said = manifest(site)
    assert said["counts"] == {"pending": 250, "approved": 250, "posted": 250, "failed": 250}
    assert len(packed(newest(site), "spool")) == 1000
    lose(site)

    pco("pco-restore")

    spool = site.spool()
    assert {state.value: len(spool.keys(state)) for state in State if spool.keys(state)} == {
        "pending": 500,
        "posted": 250,
        "failed": 250,
    }
    assert {ticket.id for ticket in spool.tickets(State.PENDING, State.POSTED, State.FAILED)} == {
        f"record{n}" for n in range(1, 1001)
    }
