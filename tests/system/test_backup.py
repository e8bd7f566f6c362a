"""Backups by the installed units, and a machine that is lost and comes back."""

import gzip
import io
import json
import tarfile
from collections.abc import Iterator
from typing import Any

import pytest
from inside import REPOSITORY
from installed import CONFIG, WEB, Installed, booted
from test_chain import AGENT, new_ticket

pytestmark = pytest.mark.timeout(400)
HOME = "/var/backups/pco"
TIMERS = ("pco-backup.timer", "pco-restore-test.timer")
# Carries a backup away; what it needs to know it is told.
HOOK = '#!/bin/sh\nset -e\ncat >/srv/away/told\ncp -r "$1" /srv/away/\nreadlink /proc/self/ns/net >/srv/away/network\n'


@pytest.fixture(scope="module")
def pco(able: None) -> Iterator[Installed]:
    """A host whose pco polls a simulated Plane; one ticket is completed, of another a member holds the file."""
    with booted("b") as pco:
        pco.host.exec("bash", "-c", REPOSITORY)
        pco.host.write("/srv/agent", AGENT, "755")
        pco.simulate()
        begin(pco)
        seen = f"/var/lib/pco/plane/{WEB}/head.json"
        pco.wait("the first poll", lambda: not pco.host.exec("test", "-e", seen, code=None).returncode)
        yield pco


def begin(pco: Installed) -> None:
    """Configure it, and start it."""
    pco.configure()
    pco.host.write("/etc/pco/pco.yaml", CONFIG.replace("[/bin/true]", "[/srv/agent]"))
    pco.host.systemctl("enable", "--now", "pco.target")


def work(pco: Installed, name: str) -> str:
    """A ticket that an agent has completed."""
    key = new_ticket(pco, name)
    pco.run("pco-queue", "approve", "--yes", key)
    pco.wait("completed", lambda: pco.states().get(key) == "completed")
    return key


def post(pco: Installed, key: str) -> None:
    """Accept its summary, and wait until it is posted."""
    pco.run("pco-queue", "post", "--yes", key)
    pco.wait("posted", lambda: pco.states().get(key) == "posted")


def comments(pco: Installed, key: str) -> int:
    """How many comments the item has."""
    return int(pco.maria(f"len(maria.comments({key!r}))"))


def back_up(pco: Installed, code: int = 0) -> str:
    """Have the unit make a backup; returns its name, or its failure's."""
    before = set(names(pco))
    pco.host.systemctl("start", "pco-backup.service")
    ended = ("inactive", "failed")
    pco.wait("the backup", lambda: pco.host.show("pco-backup", "ActiveState")["ActiveState"] in ended)
    shown = pco.host.show("pco-backup", "ExecMainStatus")
    assert shown["ExecMainStatus"] == str(code), pco.host.exec("journalctl", "-u", "pco-backup", "-n", "20").stdout
    return "".join(set(names(pco)) - before)


def names(pco: Installed) -> list[str]:
    """The backups."""
    rows = json.loads(pco.run("pco-restore", "--list", "--format", "json"))
    return [row["name"] for row in rows]


def member(pco: Installed, name: str) -> dict[str, bytes]:
    """The files in a member of a backup."""
    data = pco.host.exec("cat", name, text=False).stdout
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as tar:
        return {m.name: tar.extractfile(m).read() for m in tar if m.isreg()}  # type: ignore[union-attr]


@pytest.fixture(scope="module")
def backup(pco: Installed) -> str:
    """A backup that the unit made, with a hook that carries it away."""
    work(pco, "Fix the cache")
    pco.run("pco-queue", "add", "--test", "--text", "Of alice.")
    pco.host.exec("install", "-d", "-o", "pco", "-g", "pco", "/srv/away")
    pco.host.write("/etc/pco/hooks.d/backup/10-copy", HOOK, "755")
    pco.host.write("/etc/systemd/system/pco-offsite.service.d/away.conf", "[Service]\nReadWritePaths=/srv/away\n")
    pco.host.systemctl("daemon-reload")
    return back_up(pco)


def test_the_timers_come_with_the_target(pco):
    for timer in TIMERS:
        assert pco.host.systemctl("is-active", timer) == "active"
    listed = pco.host.systemctl("list-timers", "--all", "--no-legend", *TIMERS)
    assert "03:00:00" in listed and "01 04:30:00" in listed


def test_the_unit_backs_up_what_members_wrote_too_and_only_the_group_can_read_it(pco, backup):
    tickets = {name.partition("/")[0] for name in member(pco, f"{HOME}/{backup}/spool.tar.gz")}
    manifest: dict[str, Any] = json.loads(pco.host.read(f"{HOME}/{backup}/manifest.json"))

    assert {"completed", "pending"} <= tickets
    assert manifest["counts"] == {"completed": 1, "pending": 1}
    assert manifest["left_out"] == [] or [row for row in manifest["left_out"] if "spool" in row["path"]] == []
    assert {row["name"] for row in manifest["members"]} >= {f"{WEB}.bundle", "journal.gz", "audit.tar.gz"}
    modes = pco.host.exec("stat", "-c", "%A %U:%G", HOME, f"{HOME}/{backup}", f"{HOME}/{backup}/spool.tar.gz").stdout
    assert modes.split("\n")[:3] == ["drwxr-x--- pco:pco", "drwxr-x--- pco:pco", "-rw-r----- pco:pco"]
    assert pco.host.exec("runuser", "-u", "nobody", "--", "ls", HOME, code=None).returncode
    assert pco.failed() == ""


def test_the_journal_of_pco_is_in_it(pco, backup):
    data = gzip.decompress(pco.host.exec("cat", f"{HOME}/{backup}/journal.gz", text=False).stdout)

    assert b"approved -> active" in data
    assert b"SYSLOG_IDENTIFIER=pco-queue" in data


def test_no_credential_is_in_it(pco, backup):
    found = member(pco, f"{HOME}/{backup}/config.tar.gz")

    assert "pco.yaml" in found and "units/pco-poll.timer.d/often.conf" in found
    everything = pco.host.exec("sh", "-c", f"cat {HOME}/{backup}/*", text=False).stdout
    for data in (everything, *found.values()):
        assert b"plane_api_demo_bot" not in data
    assert "/etc/pco/credentials/" in json.loads(pco.host.read(f"{HOME}/{backup}/manifest.json"))["put_back"]


def test_a_hook_carries_it_away_in_a_unit_that_has_a_network(pco, backup):
    pco.wait("the hook", lambda: not pco.host.exec("test", "-e", "/srv/away/network", code=None).returncode)
    pco.wait("the end", lambda: pco.host.show("pco-offsite", "ActiveState")["ActiveState"] == "inactive")

    assert pco.host.read("/srv/away/network") == pco.host.exec("readlink", "/proc/self/ns/net").stdout
    pco.host.exec("cmp", f"/srv/away/{backup}/manifest.json", f"{HOME}/{backup}/manifest.json")
    assert json.loads(pco.host.read("/srv/away/told"))["name"] == backup
    standing = json.loads(pco.host.read("/var/lib/pco/metrics/backup/offsite.json"))
    assert (standing["good"]["name"], standing["bad"]) == (backup, None)


def test_the_monthly_trial_restores_it_in_its_sandbox(pco, backup):
    pco.host.systemctl("start", "pco-restore-test.service")
    pco.wait("the trial", lambda: pco.host.show("pco-restore-test", "ActiveState")["ActiveState"] == "inactive")

    standing = json.loads(pco.host.read("/var/lib/pco/metrics/backup/tested.json"))
    assert standing["good"]["name"] == backup
    assert pco.host.exec("ls", "-A", HOME).stdout.split() == names(pco)[::-1]
    assert "ok" in pco.host.exec("pco-doctor", "--section", "10.2", code=None).stdout


def test_a_full_disk_is_a_failed_unit_a_notice_and_no_half_backup(pco, backup):
    owner = pco.host.exec("id", "-u", "pco").stdout.strip()
    pco.host.exec("mount", "-t", "tmpfs", "-o", f"size=16k,mode=750,uid={owner}", "full", HOME)
    try:
        pco.host.systemctl("start", "pco-backup.service")
        pco.wait("its failure", lambda: "pco-backup" in pco.failed())
        assert pco.host.exec("ls", "-A", HOME).stdout == ""
    finally:
        pco.host.exec("umount", HOME)
    said = [entry["MESSAGE"] for entry in pco.host.journal("-u", "pco-backup.service", "-p", "err")]
    assert any("No space left on device" in line for line in said)
    pco.wait("the alert", lambda: bool(pco.host.journal("-t", "pco-alert", "PCO_UNIT=pco-backup.service")))
    assert json.loads(pco.host.read("/var/lib/pco/metrics/backup/made.json"))["bad"]["note"]
    pco.host.systemctl("reset-failed", "pco-backup.service")
    assert backup in names(pco)


def test_root_makes_one_by_hand_and_it_is_the_user_pcos(pco, backup):
    said = pco.host.exec("pco-backup").stdout

    name = said.partition(":")[0]
    assert pco.host.exec("find", name, "!", "-user", "pco").stdout == ""
    assert pco.host.exec("find", "/var/lib/pco/metrics", "/var/lib/pco/audit", "-user", "root").stdout == ""


def test_a_member_may_look_at_them_but_not_make_or_restore_any(pco, backup):
    assert backup in pco.run("pco-restore", "--list")
    pco.run("pco-backup", code=77)
    pco.run("pco-restore", "--test", code=77)


def test_a_pco_at_work_is_not_restored_into(pco, backup):
    said = pco.host.exec("pco-restore", code=75).stderr

    assert "pco is at work here" in said and "systemctl stop pco.target" in said


# The machine is lost.


def lose(pco: Installed) -> None:
    """Pco is gone with all that it knew; the backups were kept elsewhere.  Another one is installed."""
    pco.host.exec("sh", "-c", f"rm -rf /srv/kept; cp -a {HOME} /srv/kept")
    pco.host.exec("make", "-C", "/src", "uninstall", "PURGE=1")
    assert pco.host.exec("test", "-e", "/var/spool/pco", code=None).returncode
    pco.install()
    pco.host.exec("usermod", "-aG", "pco", "alice")


def restore(pco: Installed, name: str) -> str:
    """Bring it back, as an administrator does."""
    said = str(pco.host.exec("pco-restore", f"/srv/kept/{name}").stdout)
    begin(pco)
    return said


def polls(pco: Installed) -> int:
    """How many polls have come to their end."""
    return len(pco.host.journal("-u", "pco-poll.service", "MESSAGE=pco-poll.service: Deactivated successfully."))


@pytest.mark.parametrize("when", ["before the post", "after the post"])
def test_a_machine_that_is_lost_comes_back_and_posts_nothing_twice(pco, when):
    key = work(pco, f"Lost {when}")
    waiting = new_ticket(pco, f"Not begun {when}")
    if when == "after the post":
        post(pco, key)
    name = back_up(pco)
    if when == "before the post":
        post(pco, key)
    assert comments(pco, key) == 1
    later = new_ticket(pco, f"After the backup, {when}")
    lose(pco)

    said = restore(pco, name)

    assert f"restored {name}" in said and "put back yourself: /etc/pco/credentials/" in said
    pco.wait("the poll", lambda: later in pco.states())
    assert pco.states()[key] == ("completed" if when == "before the post" else "posted")
    assert pco.states()[waiting] == "pending"
    if when == "before the post":
        post(pco, key)
    assert comments(pco, key) == 1
    polled = polls(pco)
    pco.wait("two more polls", lambda: polls(pco) > polled + 1)
    assert pco.states()[key] == "posted"
    assert pco.host.exec("find", "/var/spool/pco", "/var/lib/pco", "-user", "root", "-type", "f").stdout == ""
    pco.run("pco-queue", "diff", key)
    pco.run("pco-queue", "reject", "--yes", waiting, later)


def test_a_restored_machine_works_on(pco):
    key = work(pco, "Work on")

    post(pco, key)

    assert comments(pco, key) == 1
