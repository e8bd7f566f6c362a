"""The journal of a machine with pco on it: a ticket's whole way, what failed, how much is said."""

import hashlib
import json
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from installed import TOKEN, WEB, Installed, booted

from pco.ground import caller, messages

AGENT = """\
sessions:
  command: [sh, -c, "cat >/dev/null; pco-complete 'Looked at it.'"]
  complete_grace: 80s
"""
REPOSITORY = """\
set -e; umask 022; cd /srv; git init -q --bare shop.git; git init -q -b main shop; cd shop
git -c user.name=A -c user.email=a@example.org commit -q --allow-empty -m First; git push -q /srv/shop.git main
"""
HOSTILE = "evil\x1b[31m\u202e\nPCO_USER=root\x07"
# Whoever may write the record changes it so that each line still follows from the one before: its end goes, its last
# line changes, all of it is written anew.
OPENED = "import sys\npath = sys.argv[1]\nlines = open(path).readlines()\n"
WRITTEN = "\nopen(path, 'w').writelines(lines)\n"
ANEW = """\
import hashlib, json
lines = [line.replace("alice", "nobody") for line in lines]
for n, line in enumerate(lines[1:], 1):
    lines[n] = json.dumps(json.loads(line) | {"prev": hashlib.sha256(lines[n - 1].rstrip().encode()).hexdigest()}) + "\\n"
"""
CHANGED = "lines[-1] = lines[-1].replace('pco-', 'pcx-')"
REWRITTEN = [f"{OPENED}{change}{WRITTEN}" for change in ("lines.pop()", CHANGED, ANEW)]
WHOLE = re.compile(r"(\d+) records in 1 file: whole; the journal was told of \1 of them")
FORGED = """\
import socket, sys
out = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
out.connect("/run/systemd/journal/socket")
for hash in sys.argv[1:]:
    out.send(f"MESSAGE=x\\nPCO_AUDIT={hash}\\n".encode())
"""
FULL = """\
import socket
out = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
out.connect("/run/systemd/journal/socket")
out.setblocking(False)
try:
    while True:
        out.send(b"MESSAGE=x")
except BlockingIOError:
    print("full")
"""


@pytest.fixture(scope="module")
def pco(able: None) -> Iterator[Installed]:
    """A host of its own, whose pco runs real sessions of an agent that is quickly done."""
    with booted("j") as pco:
        pco.configure()
        pco.simulate()
        pco.host.write("/etc/pco/pco.yaml.d/agent.yaml", AGENT)
        pco.host.exec("sh", "-c", REPOSITORY)
        pco.host.systemctl("enable", "--now", "pco.target")
        seen = f"/var/lib/pco/plane/{WEB}/head.json"
        pco.wait("the first poll", lambda: not pco.host.exec("test", "-e", seen, code=None).returncode)
        yield pco


@pytest.fixture(scope="module")
def posted(pco: Installed) -> str:
    """A ticket that went all the way, by the installed units and alice."""
    key = new_ticket(pco, "Look at it")
    pco.run("pco-queue", "approve", key)
    pco.wait(f"{key} completed", lambda: pco.states().get(key) == "completed")
    pco.run("pco-queue", "post", key, "--yes")
    pco.wait(f"{key} posted", lambda: logged(pco, f"PCO_KEY={key}", "PCO_STATE=posted"))
    return key


def new_ticket(pco: Installed, name: str) -> str:
    """An item that somebody creates in Plane, once it is pending here."""
    key = pco.maria(f"maria.key(maria.create({name!r}, state='Todo'))")
    pco.host.systemctl("start", "pco-poll.service")
    pco.wait(f"{key} pending", lambda: pco.states().get(key) == "pending")
    return key


def verify(pco: Installed, code: int) -> str:
    """What pco-audit says about the whole record, of which it must think as the exit code says."""
    pco.host.exec("journalctl", "--sync")
    done = pco.host.exec("pco-audit", "verify", code=code)
    return str(done.stdout + done.stderr)


def record_of(pco: Installed) -> str:
    """The path of the audit record of this month."""
    return str(pco.host.exec("sh", "-c", "ls /var/lib/pco/audit/*.jsonl").stdout.strip())


def forge(pco: Installed, *hashes: str) -> None:
    """Have a stranger tell the journal of lines."""
    pco.python(FORGED, *hashes, user="nobody")


def test_the_audit_record_is_known_to_the_journal_and_what_is_rewritten_is_found(pco, posted):
    assert re.search(f"{WHOLE.pattern}, and of nothing else", verify(pco, 0))
    assert "not compared with the journal" in pco.run("pco-audit", "verify")
    path = record_of(pco)
    whole = pco.host.read(path)
    for rewritten in REWRITTEN:
        pco.python(rewritten, path)
        assert "is no longer there, or was changed" in verify(pco, 65), rewritten
        pco.host.exec("tee", path, input=whole)


def test_a_month_that_is_gone_before_its_time_is_found(pco, posted):
    path = record_of(pco)
    pco.host.exec("mv", path, "/var/lib/pco/audit/away")

    said = verify(pco, 65)
    pco.host.exec("mv", "/var/lib/pco/audit/away", path)

    assert f"{path.rpartition('/')[2]} is gone, and was not due to go" in said
    assert "is no longer there" not in verify(pco, 0)


def test_strangers_who_flood_the_journal_hide_no_line_that_was_taken_away(pco, posted):
    path = record_of(pco)
    whole = pco.host.read(path)
    last = hashlib.sha256(whole.splitlines()[-1].encode()).hexdigest()

    forge(pco, *(f"{n:064x}" for n in range(30)), last)
    assert "nobody, who is none of pco's users, told the journal of a line" in verify(pco, 0)
    pco.python(REWRITTEN[0], path)
    forge(pco, last)
    said = verify(pco, 65)
    pco.host.exec("tee", path, input=whole)

    assert said.count("is no longer there, or was changed") == 1
    assert last in said


@pytest.mark.parametrize("instead", ["", "#!/bin/sh\nkill -9 $$\n"], ids=["missing", "killed"])
def test_a_journal_that_cannot_be_asked_is_none_that_agrees(pco, posted, instead):
    pco.host.exec("mv", "/usr/bin/journalctl", "/usr/bin/journalctl.away")
    try:
        if instead:
            pco.host.write("/usr/bin/journalctl", instead, "755")
        done = pco.host.exec("pco-audit", "verify", code=69)
    finally:
        pco.host.exec("mv", "/usr/bin/journalctl.away", "/usr/bin/journalctl")

    assert "whole" not in done.stdout
    assert "journalctl" in done.stderr


def test_at_a_level_that_says_little_the_journal_is_told_of_each_line_all_the_same(pco, posted):
    keys = [new_ticket(pco, "In silence"), new_ticket(pco, "In the silence of a unit")]
    pco.host.write("/etc/pco/pco.yaml.d/quiet.yaml", "log: {level: error}\n")
    try:
        pco.run("pco-queue", "reject", keys[0])
        pco.host.exec("systemd-run", "--quiet", "--wait", "--uid=alice", "pco-queue", "reject", keys[1])
        assert pco.states()[keys[0]] == pco.states()[keys[1]] == "rejected"
        found = WHOLE.search(verify(pco, 0))
    finally:
        pco.host.exec("rm", "/etc/pco/pco.yaml.d/quiet.yaml")

    assert found
    assert all(logged(pco, f"PCO_KEY={key}", "PCO_STATE=rejected") for key in keys)


def drop_in(pco: Installed, unit: str, text: str) -> None:
    """What `systemctl edit` does; an empty text takes it away."""
    path = f"/etc/systemd/system/{unit}.d/test.conf"
    pco.host.write(path, text) if text else pco.host.exec("rm", path)
    pco.host.systemctl("daemon-reload")


def alerts(pco: Installed, unit: str) -> list[dict[str, Any]]:
    """The records that a unit has failed."""
    id = messages.message_id("unit failed")
    return pco.host.journal(f"MESSAGE_ID={id}", f"PCO_UNIT={unit}")


def logged(pco: Installed, *matches: str) -> bool:
    """Whether there is such a record."""
    return bool(pco.host.journal(*matches))


# A ticket's way.


def test_one_match_tells_the_way_of_a_ticket_from_poll_to_post(pco, posted):
    told = pco.host.journal(f"PCO_KEY={posted}")

    # On a busy machine pco may have ended the session itself, once its summary was there.
    told = [entry for entry in told if entry["PCO_USER"] != "pco"]
    steps = [(entry["SYSLOG_IDENTIFIER"], entry["PCO_STATE"], entry["PCO_USER"]) for entry in told]
    assert steps == [
        ("pco-poll", "pending", "pco-poll"),
        ("pco-queue", "approved", "alice"),
        ("pco-launch", "active", "pco-launch"),
        ("pco-watch", "active", "agent"),
        ("pco-watch", "completed", "pco-watch"),
        ("pco-queue", "outbox", "alice"),
        ("pco-post", "posted", "pco-post"),
    ]
    assert all(entry["_TRANSPORT"] == "journal" for entry in told)
    assert {entry["PCO_PROJECT"] for entry in told} == {"WEB"}
    assert {entry["PCO_ROUND"] for entry in told} == {"1"}
    assert [entry.get("PCO_ATTEMPT") for entry in told] == [None, None, "1", "1", "1", "1", "1"]
    assert len({entry["MESSAGE_ID"] for entry in told}) == len(told)


def test_each_step_of_it_is_explained_with_the_key_in_the_commands(pco, posted):
    explained = pco.host.exec("journalctl", "-q", "-x", f"PCO_KEY={posted}").stdout

    assert explained.count("Defined-By: pco") in (7, 8)
    assert f"Then: pco-queue approve {posted} or pco-queue reject {posted}" in explained
    assert f"Subject: The summary of ticket {posted} is in Plane" in explained
    assert "@PCO" not in explained


def test_what_a_person_does_is_on_record_and_not_on_the_terminal(pco):
    key = new_ticket(pco, "Not this one")

    done = pco.host.exec("runuser", "-u", "alice", "--", "pco-queue", "reject", key, "--note", HOSTILE)

    (entry,) = pco.host.journal(f"PCO_KEY={key}", "PCO_STATE=rejected")
    assert done.stderr == ""
    assert entry["PCO_USER"] == "alice"
    assert entry["_UID"] == pco.host.exec("id", "-u", "alice").stdout.strip()
    assert entry["MESSAGE"].isprintable()


@pytest.mark.parametrize("user", ["pco", "root"])
def test_who_logged_in_is_on_record_whatever_user_they_became(pco, user):
    if not caller.LOGIN.exists():
        pytest.skip("this kernel knows no logins (CONFIG_AUDIT)")
    key = new_ticket(pco, f"As {user}")
    uid = pco.host.exec("id", "-u", "alice").stdout.strip()

    login = f'echo {uid} >/proc/self/loginuid; exec runuser -u {user} -- env SUDO_USER=nobody "$@"'
    pco.host.exec("sh", "-c", login, "sh", "pco-queue", "reject", key)

    (entry,) = pco.host.journal(f"PCO_KEY={key}", "PCO_STATE=rejected")
    assert (entry["PCO_USER"], entry["_AUDIT_LOGINUID"]) == ("alice", uid)
    said = pco.run("pco-audit", "list", "--key", key, "--by", "alice", "--format", "json")
    (record,) = json.loads(said)
    assert record["fields"]["as"] == {"pco": "pco", "root": "root, by sudo of nobody"}[user]


def test_what_a_private_pco_does_is_not_in_the_machines_journal(pco):
    project = f"plane: {{projects: [{{id: {WEB}, repository: /srv/shop.git}}]}}\n"
    pco.host.write("/tmp/own/pco.yaml", f"paths: {{root: /tmp/own}}\n{project}")
    pco.python("from pathlib import Path; from pco.spool import Spool; Spool(Path('/tmp/own/spool'), 'x').lay_out()")
    pco.host.exec("mkdir", "/tmp/own/audit")

    pco.host.exec("pco-queue", "--config", "/tmp/own/pco.yaml", "add", "--test")
    pco.run("pco-queue", "add", "--test")

    told = pco.host.journal("PCO_PROJECT=LOCAL")
    assert pco.host.exec("ls", "/tmp/own/spool/pending").stdout == "LOCAL-1.json\n"
    assert [entry["PCO_USER"] for entry in told] == ["alice"]


# What goes wrong.


def test_a_silent_plane_is_a_record_that_explains_itself(pco):
    pco.host.systemctl("stop", "plane.service")
    match = (f"MESSAGE_ID={messages.message_id('later')}", "_SYSTEMD_UNIT=pco-poll.service")
    pco.wait("a poll that fails", lambda: logged(pco, *match))
    pco.host.systemctl("start", "plane.service")

    entry = pco.host.journal(*match)[0]
    assert (entry["PRIORITY"], entry["PCO_PROJECT"]) == ("3", "WEB")
    assert "no connection" in entry["MESSAGE"]


def test_an_error_of_a_ticket_is_found_by_its_key_with_what_may_mend_it(pco):
    key = new_ticket(pco, "Gone soon")
    pco.place(key, "failed")
    pco.host.systemctl("stop", "pco-poll.timer", "pco-post.path")
    pco.run("pco-queue", "post", key, "--yes", "--summary", "Done by hand.")
    pco.maria(f"maria.delete({key!r})")

    pco.host.systemctl("start", "pco-poll.timer", "pco-post.path")
    refused = (f"PCO_KEY={key}", f"MESSAGE_ID={messages.message_id('refused')}")
    pco.wait("the refusal", lambda: logged(pco, *refused))

    assert pco.states()[key] == "failed"
    (entry,) = pco.host.journal(*refused)
    assert entry["SYSLOG_IDENTIFIER"] == "pco-post"
    assert f"pco-queue post {key} tries again" in entry["MESSAGE"]


def test_a_mistake_in_the_configuration_is_told_with_its_line_and_an_alert(pco):
    pco.host.systemctl("stop", "pco-poll.timer", "pco-poll.service")  # a run that has begun has read the former one
    pco.host.write("/etc/pco/pco.yaml.d/wrong.yaml", "log: {levle: info}\n")
    try:
        pco.host.systemctl("start", "pco-poll.service", code=1)
        pco.wait("the alert", lambda: bool(alerts(pco, "pco-poll.service")))
    finally:
        pco.host.exec("rm", "/etc/pco/pco.yaml.d/wrong.yaml")
        pco.host.systemctl("start", "pco-poll.timer")

    (entry,) = pco.host.journal(f"MESSAGE_ID={messages.message_id('misconfigured')}", "SYSLOG_IDENTIFIER=pco-poll")
    assert "/etc/pco/pco.yaml.d/wrong.yaml:1: log.levle: unknown key (did you mean level?)" in entry["MESSAGE"]
    assert "exit code 78 (the configuration" in alerts(pco, "pco-poll.service")[0]["MESSAGE"]


def test_a_unit_that_fails_is_one_alert_one_notice_and_a_wake_up(pco):
    before = alerts(pco, "pco-post.service")
    drop_in(pco, "pco-post.service", "[Service]\nExecStart=\nExecStart=/bin/false\n")
    pco.host.systemctl("stop", "pco-notify.path", "pco-notify.timer", "pco-notify.service")  # it takes the flag away
    flag, notice = "/var/spool/pco/wake/notify", "/var/spool/pco/notify/failed-pco-post.service.json"
    try:
        pco.host.exec("rm", "-f", flag)
        pco.host.systemctl("start", "pco-post.service", code=1)
        pco.wait("the alert", lambda: len(alerts(pco, "pco-post.service")) > len(before))
        pco.wait("the wake-up", lambda: not pco.host.exec("test", "-e", flag, code=None).returncode)
    finally:
        pco.host.systemctl("start", "pco-notify.path", "pco-notify.timer")
        drop_in(pco, "pco-post.service", "")

    (entry,) = alerts(pco, "pco-post.service")[len(before) :]
    assert (entry["PRIORITY"], entry["PCO_RESULT"]) == ("2", "exit-code")
    assert "journalctl -u pco-post.service -n 50" in entry["MESSAGE"]
    assert json.loads(pco.host.read(notice))["fields"]["why"] == "its program ended with exit code 1"
    assert pco.host.exec("stat", "-c", "%a %U:%G", notice).stdout == "660 pco:pco\n"


def test_a_watcher_that_the_watchdog_ends_again_and_again_is_one_alert_when_it_stays_down(pco):
    # It looks around once a minute, if nobody rings: for this watchdog it hangs.
    drop_in(pco, "pco-watch.service", "[Unit]\nStartLimitBurst=2\n[Service]\nWatchdogSec=300ms\n")
    pco.host.systemctl("restart", "pco-watch.service")
    pco.wait("the alert", lambda: bool(alerts(pco, "pco-watch.service")))
    aborted = pco.host.journal("UNIT=pco-watch.service", "UNIT_RESULT=watchdog")
    drop_in(pco, "pco-watch.service", "")
    pco.host.systemctl("reset-failed", "pco-watch.service")
    pco.host.systemctl("start", "pco-watch.service")

    (entry,) = alerts(pco, "pco-watch.service")
    assert len(aborted) >= 2
    assert "has failed: it made no progress and was ended" in entry["MESSAGE"]


def at_rest(pco, unit):
    """Whether a service neither runs nor is wanted."""
    flag = pco.host.exec("test", "-e", "/var/spool/pco/wake/post", code=None).returncode == 0
    return not flag and pco.host.show(unit, "ActiveState")["ActiveState"] in ("inactive", "failed")


def test_a_wake_up_that_nobody_serves_any_more_is_one_alert_that_says_so(pco):
    # A run that is just beginning would still take the flag away, and fail at its credential.
    pco.host.systemctl("stop", "pco-post.timer")
    pco.wait("pco-post at rest", lambda: at_rest(pco, "pco-post.service"))
    pco.host.exec("mv", "/etc/pco/credentials/plane-token", "/etc/pco/credentials/gone")
    try:
        pco.run("touch", "/var/spool/pco/wake/post")
        pco.wait("the alert", lambda: bool(alerts(pco, "pco-post.path")))
        notice = "/var/spool/pco/notify/failed-pco-post.path.json"
        pco.wait("its notice", lambda: not pco.host.exec("test", "-e", notice, code=None).returncode)
    finally:
        pco.host.exec("mv", "/etc/pco/credentials/gone", "/etc/pco/credentials/plane-token")
        # Its limit still counts: it would be hit again at once.
        pco.host.exec("rm", "-f", "/var/spool/pco/wake/post")
        pco.host.systemctl("reset-failed", "pco-post.path")
        pco.host.systemctl("start", "pco-post.path", "pco-post.timer")

    (entry,) = alerts(pco, "pco-post.path")
    assert "systemd gave up on it" in entry["MESSAGE"]
    assert "PCO_RESULT" not in entry


def test_an_alert_is_explained_with_the_unit_in_the_commands(pco):
    explained = pco.host.exec("journalctl", "-q", "-x", "PCO_UNIT=pco-post.path").stdout

    assert "Subject: pco-post.path has failed" in explained
    assert "Then: systemctl reset-failed pco-post.path; systemctl start pco-post.path" in explained


def test_an_alert_is_told_where_the_spool_is_what_is_missing(pco):
    pco.host.exec("mv", "/var/spool/pco", "/var/spool/away")
    pco.host.systemctl("start", "pco-alert@pco-x.service.service")
    pco.wait("the alert", lambda: bool(alerts(pco, "pco-x.service")))
    pco.wait("its end", lambda: pco.host.show("pco-alert@pco-x.service", "ActiveState")["ActiveState"] == "inactive")
    pco.host.exec("mv", "/var/spool/away", "/var/spool/pco")

    assert logged(pco, "SYSLOG_IDENTIFIER=pco-alert", "PRIORITY=4")


# How much is said.


def test_the_level_of_one_unit_is_a_drop_in(pco):
    drop_in(pco, "pco-poll.service", "[Service]\nEnvironment=PCO_LOG_LEVEL=debug\n")
    pco.host.systemctl("start", "pco-poll.service")
    pco.wait("a debug line", lambda: logged(pco, "SYSLOG_IDENTIFIER=pco-poll", "PRIORITY=7"))
    drop_in(pco, "pco-poll.service", "")

    assert not logged(pco, "SYSLOG_IDENTIFIER=pco-watch", "PRIORITY=7")


def test_a_level_that_is_none_is_a_warning_and_the_poll_goes_on(pco):
    drop_in(pco, "pco-poll.service", "[Service]\nEnvironment=PCO_LOG_LEVEL=loud\n")
    key = new_ticket(pco, "In spite of it")
    pco.wait("the warning", lambda: logged(pco, "SYSLOG_IDENTIFIER=pco-poll", "PRIORITY=4"))
    drop_in(pco, "pco-poll.service", "")

    said = [entry["MESSAGE"] for entry in pco.host.journal("SYSLOG_IDENTIFIER=pco-poll", "PRIORITY=4")]
    assert "PCO_LOG_LEVEL='loud' is none of debug, info, warning, error; passed over" in said
    assert logged(pco, f"PCO_KEY={key}", "SYSLOG_IDENTIFIER=pco-poll")


def test_a_journal_that_hangs_holds_nobody_up(pco):
    key = new_ticket(pco, "While it hangs")
    leader = pco.host.show("systemd-journald", "MainPID")["MainPID"]
    pco.host.exec("kill", "-STOP", leader)
    try:
        assert pco.python(FULL).stdout == "full\n"
        before = time.monotonic()
        pco.run("pco-queue", "approve", key)
        took = time.monotonic() - before
        pco.wait(f"{key} completed", lambda: pco.states().get(key) == "completed")
    finally:
        pco.host.exec("kill", "-CONT", leader)

    assert took < 10


# What systemctl shows.


def test_the_next_runs_are_listed(pco):
    def coming() -> set[str]:
        """The timers whose next run has a time: while a service runs, that of its timer has none."""
        listed = pco.host.systemctl("list-timers", "--no-legend", "pco-*").splitlines()
        return {line.split()[-2] for line in listed if " left " in line}

    pco.wait("all next runs", lambda: {"pco-poll.timer", "pco-launch.timer", "pco-post.timer"} <= coming())


def test_a_pause_and_its_end_show_in_the_status_of_the_watcher_at_once(pco):
    def status() -> str:
        return pco.host.show("pco-watch", "StatusText")["StatusText"]

    pco.run("pco-queue", "pause", "--note", "deployment\nMAINPID=1")
    pco.wait("the pause", lambda: status().startswith("paused by alice: deployment MAINPID=1"), patience=10)
    pco.run("pco-queue", "resume")
    pco.wait("its end", lambda: "paused" not in status(), patience=10)

    assert [e["PCO_USER"] for e in pco.host.journal(f"MESSAGE_ID={messages.message_id('paused')}")] == ["alice"]


def test_a_run_that_is_over_still_says_what_it_did(pco):
    key = new_ticket(pco, "Count me")

    def said() -> list[str]:
        return [entry["MESSAGE"] for entry in pco.host.journal("SYSLOG_IDENTIFIER=pco-poll")]

    pco.wait("the last word", lambda: said()[-1].startswith("1 project polled, 1 change"))
    assert key in said()[-2]

    def shown() -> bool:
        """Between two runs, of which the next takes the words of the last one back."""
        found = pco.host.show("pco-poll", "ActiveState", "StatusText")
        return found["ActiveState"] == "inactive" and "project polled" in found["StatusText"]

    pco.wait("its words, after its end", shown)


def test_the_token_is_nowhere_in_the_journal(pco):
    said = pco.host.exec("journalctl", "-q", "-o", "json", "--all").stdout

    assert "GET " in said  # what was asked is, at debug
    assert TOKEN not in said
