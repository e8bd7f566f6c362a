"""pco-notify with programs of an administrator: who is told, when, how often, whatever goes wrong."""

import json
import os
import signal
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pco.ground import delivered
from programs.notifying import NOTE, Office
from sessions import until

KEY = "sk-ant-api03-" + "x" * 40


def test_a_program_gets_the_event_as_json_and_the_notice_goes(office: Office) -> None:
    office.hook("completed/10-note")
    office.site.configure(contacts={"owner": "Ann"}, notify={"url": "https://board.example.org"})
    office.leave("completed-WEB-1", "completed", "WEB-1", title="Fix it", summary="Fixed.")

    office.run()

    (got,) = office.got()
    assert (got["schema"], got["event"], got["test"], got["count"], got["keys"]) == (
        1,
        "completed",
        False,
        1,
        ["WEB-1"],
    )
    assert got["headline"] == "WEB-1 is completed: its summary is to be read"
    assert got["subject"] == f"{got['headline']}: Fix it"
    assert got["url"] == "https://board.example.org/ticket/WEB-1.html"
    assert got["contacts"] == {"owner": "Ann"}
    assert got["notices"][0]["fields"] == {"title": "Fix it", "summary": "Fixed."}
    assert "Fixed." in got["text"] and "owner: Ann" in got["text"]
    assert (office.waits(), os.listdir(office.spool / "sending")) == ([], [])
    assert office.delivered().ways["completed/10-note"].success


def test_the_environment_of_a_program_is_clean(office: Office) -> None:
    office.hook("all/env", 'env | sed "s/=.*//" | sort | tr "\\n" " " >"{heard}"; pwd >>"{heard}"')
    office.leave("x", "posted", "WEB-1")

    office.run(env={**office.site.environment(), "SECRET": "x", "HTTPS_PROXY": "http://proxy:3128"})

    names, _, folder = office.heard.read_text().rpartition(" ")
    assert set(names.split()) - {"_", "OLDPWD", "SHLVL"} == {"HOME", "HTTPS_PROXY", "LANG", "PATH", "PCO_EVENT", "PWD"}
    assert folder.strip() == "/"


def test_secrets_are_masked_in_what_is_told_those_of_the_ways_by_their_value_others_by_their_form(
    office: Office, tmp_path: Path
) -> None:
    (tmp_path / "granted").mkdir()
    (tmp_path / "granted" / "notify-mail").write_text("no-form-at-all\n")
    office.hook("completed/10-note")
    office.hook("daily-digest/10-note")
    office.leave(
        "completed-WEB-1", "completed", "WEB-1", title="no-form-at-all", summary=f"It is no-form-at-all. {KEY}"
    )
    office.leave("digest-1", "daily digest", text=f"Said no-form-at-all. {KEY}")

    office.run(env={**office.site.environment(), "CREDENTIALS_DIRECTORY": str(tmp_path / "granted")})

    assert len(office.got()) == 2
    for got in office.got():
        assert (
            "no-form-at-all" not in json.dumps(got)
            and KEY not in json.dumps(got)
            and "(the credential notify-mail)" in got["text"]
        )


def test_programs_of_other_events_are_not_run_and_those_of_all_are(office: Office) -> None:
    for name in ("failed/a", "all/b", "posted/c"):
        office.hook(name, f'echo \'{{"by": "{name}"}}\' >>"{{heard}}"')
    office.leave("failed-WEB-1", "failed", "WEB-1")

    office.run()

    assert sorted(got["by"] for got in office.got()) == ["all/b", "failed/a"]


def test_a_storm_of_a_thousand_notices_becomes_two_messages(office: Office) -> None:
    office.hook("failed/note")
    office.leave("failed-WEB-1", "failed", "WEB-1")
    office.run()
    for n in range(2, 1001):
        office.leave(f"failed-WEB-{n}", "failed", f"WEB-{n}", title="x" * 100)

    office.run()
    assert len(office.got()) == 1
    assert len(office.waits()) == 999
    office.later()
    office.run()

    first, second = office.got()
    assert (first["count"], second["count"]) == (1, 999)
    assert second["headline"].startswith("999 tickets have failed (WEB-")
    assert (len(second["notices"]), len(second["keys"])) == (50, 200)
    assert len(json.dumps(second)) < 100_000
    assert office.waits() == []


def test_other_events_do_not_wait_for_the_one_that_storms(office: Office) -> None:
    office.hook("all/note")
    office.leave("failed-WEB-1", "failed", "WEB-1")
    office.run()
    office.leave("failed-WEB-2", "failed", "WEB-2")
    office.leave("completed-WEB-3", "completed", "WEB-3")

    office.run()

    assert [got["event"] for got in office.got()] == ["failed", "completed"]
    assert office.waits() == ["failed-WEB-2.json"]


def test_reports_are_told_as_they_are_and_never_kept_waiting(office: Office) -> None:
    office.hook("daily-digest/note")
    for n in (1, 2):
        office.leave(f"digest-{n}", "daily digest", text=f"Day {n}\n\n  all well\n")

    office.run()

    assert [(got["headline"], f"Day {n}\n\n  all well" in got["text"]) for n, got in enumerate(office.got(), 1)] == [
        ("daily digest", True),
        ("daily digest", True),
    ]


def test_a_program_that_fails_is_said_keeps_no_other_back_and_is_tried_again(office: Office) -> None:
    bad = office.hook("failed/10-bad", "echo no route >&2; exit 3\n")
    office.hook("failed/20-note")
    office.leave("failed-WEB-1", "failed", "WEB-1")

    said = office.run()

    assert "failed/10-bad: exit 3: no route; tried again in 1m: WEB-1 has failed" in said.replace("59s", "1m")
    assert len(office.got()) == 1
    office.run()  # not its time yet
    (message,) = office.under_way()
    assert (message["ways"]["failed/10-bad"]["tries"], message["ways"]["failed/20-note"]["state"]) == (1, "done")
    bad.write_text("#!/bin/sh\n" + NOTE.replace("{heard}", str(office.heard)))
    office.soon()
    office.run()
    one, other = office.got()
    assert one == other
    assert office.under_way() == []


def test_after_five_tries_it_is_given_up_and_health_says_so_until_something_arrives(office: Office) -> None:
    hook = office.hook("failed/bad", "exit 1\n")
    office.leave("failed-WEB-1", "failed", "WEB-1")
    for _ in range(4):
        assert "tried again in" in office.run()
        office.soon()

    said = office.run()

    assert "failed/bad: exit 1; given up after 5 tries: WEB-1 has failed" in said
    assert office.under_way() == []
    office.site.run("pco-dashboard")
    health = json.loads((office.site.home / "www" / "health.json").read_text())
    assert any(reason.startswith("failed/bad: nobody has been told") for reason in health["reasons"])
    hook.write_text("#!/bin/sh\nexit 0\n")
    office.run("--test", "failed")
    office.site.run("pco-dashboard", "--full")
    health = json.loads((office.site.home / "www" / "health.json").read_text())
    assert not any("nobody has been told" in reason for reason in health["reasons"])


def test_a_program_that_hangs_is_killed_with_its_children_and_delays_each_run_once(office: Office) -> None:
    office.site.configure(notify={"timeout": "1s"})
    office.hook("all/hang", 'sleep 987 & echo $! >>"{heard}.pid"; sleep 987\n')
    office.hook("all/note")
    for n, event in enumerate(("failed", "completed", "posted"), 1):
        office.leave(f"x-{n}", event, f"WEB-{n}")

    before = time.monotonic()
    said = office.run()

    assert said.count("all/hang: did not end within 1 s; tried again") == 1
    assert len(office.got()) == 3
    assert time.monotonic() - before < 30
    (pid,) = Path(f"{office.heard}.pid").read_text().split()
    until(lambda: not alive(int(pid)))


def alive(pid: int) -> bool:
    """Whether a process runs."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def test_a_child_that_stays_behind_keeps_nobody_waiting_and_goes(office: Office) -> None:
    office.hook("failed/fork", 'sleep 987 & echo $! >"{heard}.pid"; exit 0\n')
    office.leave("x", "failed", "WEB-1")

    said = office.run("-v")

    assert "failed/fork: WEB-1 has failed" in said
    until(lambda: not alive(int(Path(f"{office.heard}.pid").read_text())))


def test_a_flood_of_output_is_ended_and_does_not_fill_the_log(office: Office) -> None:
    office.hook("failed/flood", "exec yes 'a \x1b[31mlong line'\n")
    office.leave("x", "failed", "WEB-1")

    said = office.run()

    assert "failed/flood: said more than 1 MB, and was ended" in said
    assert len(said) < 2000
    assert "\x1b" not in said


def test_a_program_that_does_not_read_its_input_has_got_it(office: Office) -> None:
    office.hook("failed/deaf", "exit 0\n")
    office.leave("x", "failed", "WEB-1", why="y" * 60_000)

    office.run()

    assert office.delivered().ways["failed/deaf"].success


@pytest.mark.parametrize(
    ("mend", "why"),
    [
        (lambda office: (office.hooks / "failed/a").chmod(0o775), "others than root can write to"),
        (lambda office: (office.hooks / "failed/a").chmod(0o757), "others than root can write to"),
        (lambda office: (office.hooks / "failed").chmod(0o777), "others than root can write to"),
        (lambda office: office.hooks.chmod(0o775), "others than root can write to"),
        (lambda office: os.chown(office.hooks / "failed/a", 4242, -1), "belongs to user 4242"),
        (lambda office: os.chown(office.hooks / "failed", 4242, -1), "belongs to user 4242"),
    ],
)
def test_what_somebody_else_could_have_written_is_refused_and_said(office: Office, mend, why: str) -> None:
    if os.geteuid():
        pytest.skip("giving files away needs root")
    office.hook("failed/a")
    office.hook("all/b", "exit 0\n")
    mend(office)
    office.leave("x", "failed", "WEB-1")

    said = office.run()

    assert (
        f"hooks.d/failed/a is not run: {why}"
        in said.replace(f"{office.hooks}/failed/a ", "")
        .replace(f"{office.hooks}/failed ", "")
        .replace(f"{office.hooks} ", "")
        or why in said
    )
    assert office.got() == []
    assert "refused" in office.run("--list")


def test_a_link_is_judged_by_what_it_leads_to(office: Office, tmp_path: Path) -> None:
    if os.geteuid():
        pytest.skip("giving files away needs root")
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    program = theirs / "program"
    program.write_text("#!/bin/sh\nexit 0\n")
    program.chmod(0o755)
    office.hook("failed/ours", "exit 0\n")
    (office.hooks / "failed" / "link").symlink_to(program)
    (office.hooks / "failed" / "dangling").symlink_to(tmp_path / "nowhere")
    assert "failed/link: failed" in office.run("--list")

    os.chown(theirs, 4242, -1)
    said = office.run("--list")

    assert f"failed/link: refused: {theirs} belongs to user 4242, not to root" in said
    assert "failed/dangling: refused: cannot be read" in said
    assert "failed/ours: failed" in said


def test_what_is_no_program_is_passed_over(office: Office) -> None:
    office.hook("failed/README", mode=0o644)
    office.hook("failed/a.bak")
    office.hook("failed/.hidden")
    (office.hooks / "failed" / "folder").mkdir()

    assert "nobody is told of anything" in office.run("--list")


@pytest.mark.parametrize("nth", range(1, 9))
def test_killed_at_any_step_each_notice_is_told_and_at_most_one_message_twice(office: Office, nth: int) -> None:
    """Each durable step is one `rename`, `unlink` or fsynced write: killed at the nth, and started again."""
    office.hook("all/note")
    for n in (1, 2, 3):
        office.leave(f"failed-WEB-{n}", "failed", f"WEB-{n}")
    office.leave("completed-WEB-9", "completed", "WEB-9")
    trap = f"""
import os, signal, sys
left = [{nth}]
def counted(function):
    def call(*args, **more):
        if "sending" in str(args[:2]):
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **more)
    return call
os.rename, os.unlink = counted(os.rename), counted(os.unlink)
"""
    hurt = office.site.home / "hurt"
    hurt.mkdir()
    (hurt / "sitecustomize.py").write_text(trap)

    office.run(code=-signal.SIGKILL, env={**office.site.environment(), "PYTHONPATH": str(hurt)})
    for _ in range(3):
        office.soon()
        office.later()
        office.run()

    told = [notice["key"] for got in office.got() for notice in got["notices"]]
    assert set(told) == {"WEB-1", "WEB-2", "WEB-3", "WEB-9"}
    ids = [got["id"] for got in office.got()]
    assert len(ids) - len(set(ids)) <= 1
    assert len(told) - len(set(told)) <= 3
    assert len({tuple(n["key"] for n in got["notices"]) for got in office.got()}) == len(set(ids))
    assert os.listdir(office.spool / "sending") == []


def test_killed_while_a_program_runs_it_is_run_again_and_never_more_than_five_times(office: Office) -> None:
    office.hook("failed/slow", 'cat >>"{heard}"; echo >>"{heard}"; exec sleep 20\n')
    office.leave("x", "failed", "WEB-1")

    for n in range(1, 6):
        running = office.site.start("pco-notify", stderr=subprocess.DEVNULL)
        until(lambda n=n: len(office.got()) == n)
        running.kill()
        running.wait()
        office.soon()

    assert "it was cut off each time; given up after 5 tries" in office.run()
    assert len(office.got()) == 5


def test_two_at_a_time_do_not_tell_twice(office: Office) -> None:
    gate = office.site.home / "gate"
    office.hook("all/note", f"until [ -e {gate} ]; do sleep 0.05; done\n{NOTE}")
    office.leave("x", "failed", "WEB-1")

    running = office.site.start("pco-notify", stderr=subprocess.DEVNULL)
    until(lambda: office.waits() == [])
    office.run(code=75)
    gate.touch()

    assert running.wait(30) == 0
    assert len(office.got()) == 1


def test_what_nobody_wants_stays_for_a_day(office: Office) -> None:
    office.hook("posted/note")
    office.leave("old", "failed", "WEB-1", at=datetime.now(UTC) - timedelta(hours=25))
    office.leave("young", "failed", "WEB-2", at=datetime.now(UTC) - timedelta(hours=23))

    office.run()

    assert office.waits() == ["young.json"]


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"schema": 2}', '{"schema": 1, "event": "sung", "at": "2026-11-22T12:00:00Z"}', "[" * 9999]
)
def test_what_is_no_notice_is_removed_and_said(office: Office, content: str) -> None:
    office.hook("all/note")
    (office.spool / "notify" / "bad.json").write_text(content)
    (office.spool / "notify" / "fifo.json").unlink(missing_ok=True)
    os.mkfifo(office.spool / "notify" / "fifo.json")
    office.leave("good", "failed", "WEB-1")

    said = office.run()

    assert "bad.json is no notice, and removed" in said
    assert "fifo.json is no notice, and removed" in said
    assert [got["keys"] for got in office.got()] == [["WEB-1"]]


def test_hostile_text_reaches_nobody_raw(office: Office) -> None:
    office.hook("failed/note")
    office.leave("x", "failed", "WEB-1", title="a\x1b[2J\u202eb\r\nBcc: x", why="c\x07\nd\u2066")

    office.run()

    (got,) = office.got()
    said = json.dumps(got, ensure_ascii=False)
    assert not any(bad in said for bad in ("\\u001b", "\\u0007", "\u202e", "\u2066", "\\r"))
    assert "\n" not in got["subject"]


def test_a_torn_memory_is_begun_anew(office: Office) -> None:
    office.hook("failed/note")
    (office.site.home / "metrics" / "notify.json").write_text("{")
    office.leave("x", "failed", "WEB-1")

    assert "begun anew" in office.run()

    assert office.delivered().ways["failed/note"].success
    assert os.stat(office.site.home / "metrics" / delivered.FILE).st_mode & 0o777 == 0o640


# Trials.


def test_a_trial_says_what_each_way_did_and_fails_if_one_did(office: Office) -> None:
    office.hook("failed/good", "exit 0\n")
    bad = office.hook("all/bad", "echo nobody there; exit 7\n")

    done = office.site.run("pco-notify", "--test", "failed", code=69)

    assert done.stdout.splitlines() == ["all/bad: exit 7: nobody there", "failed/good: ok"]
    assert "nothing arrives by all/bad" in done.stderr
    (trial,) = office.delivered().trials
    assert (trial.event, trial.results) == ("failed", {"all/bad": "exit 7: nobody there", "failed/good": ""})
    assert office.under_way() == []
    bad.unlink()
    assert office.site.run("pco-notify", "--test", "failed").stdout.splitlines() == ["failed/good: ok"]


def test_a_trial_is_marked_as_one_and_goes_out_whatever_was_told_before(office: Office) -> None:
    office.hook("all/note")
    office.leave("x", "failed", "WEB-1")

    office.run()
    office.run("--test", "failed")
    office.run("--test")

    real, like, plain = office.got()
    assert (real["test"], like["test"], plain["test"]) == (False, True, True)
    assert like["headline"] == "TEST: TEST-1 has failed"
    assert (plain["event"], plain["headline"]) == ("test", "a test message")
    assert "Nothing has happened" in plain["text"]


def test_a_trial_of_nothing_is_a_mistake_that_says_what_to_do(office: Office) -> None:
    assert "mail, webhook or ntfy" in office.run("--test", code=78)
    assert "did you mean failed?" in office.run("--test", "faild", code=65)
    assert office.waits() == []


def test_the_list_says_who_is_told_and_what_waits(office: Office) -> None:
    office.hook("failed/bad", "exit 1\n")
    office.leave("x", "failed", "WEB-1")
    office.run()
    office.leave("y", "posted", "WEB-2")

    said = office.run("--list")

    assert "failed/bad: failed; nothing has arrived yet; failed" in said
    assert "waits: posted: 1 notice" in said
    assert "under way: WEB-1 has failed: failed/bad waiting after 1 tries, again in" in said
    assert "events: blocked, completed" in said
    assert office.waits() == ["y.json"]
