"""pco-setup on a machine where pco was just installed: the tests follow one another as an administrator's day does."""

import os
import pty
import subprocess
from collections.abc import Iterator

import pytest
from host import Host
from installed import ADDRESS, TOKEN, WEB, Installed

CONFIG = "/etc/pco/pco.yaml"
SECRET = "/etc/pco/credentials/plane-token"
OPTIONS = ["--yes", "--url", ADDRESS, "--workspace", "acme", "--token-file", "-"]
OPTIONS += ["--project", "WEB=/srv/shop.git", "--command", "/bin/true"]
PARTS = ["pco-poll.timer", "pco-launch.path", "pco-launch.timer", "pco-post.path", "pco-post.timer"]
PARTS += ["pco-dashboard.path", "pco-watch.service"]
OFTEN = "[Timer]\nOnCalendar=\nOnCalendar=*:*:0/2\nRandomizedDelaySec=0\n"
OTHER = "plane_api_jonas"  # another user's, so that the log of the simulator tells who asks
# In case that this pco has none of its own.
STALE = "[Timer]\nOnCalendar=hourly\n[Install]\nWantedBy=timers.target\n"
COMMIT = """\
git init -q --bare --initial-branch=main /srv/shop.git && cd /srv/shop.git &&
git update-ref refs/heads/main $(git -c user.name=a -c user.email=a@b commit-tree -m first $(git mktree </dev/null))
"""


# What pco-setup asks is not a poll.
POLLS_OF_JONAS = f"""\
import json, urllib.request
log = json.load(urllib.request.urlopen("{ADDRESS}/_sim/requests"))
print(sum(e["user"] == "jonas" and not e["person"] and "work-items" in e["path"] for e in log if "user" in e))
"""


@pytest.fixture(scope="module")
def pco(able: None) -> Iterator[Installed]:
    """A host with pco installed and nothing configured; alice is not in group pco yet."""
    host = Host(f"s{os.getpid()}").up()
    try:
        host.exec("useradd", "--create-home", "alice")
        pco = Installed(host)
        pco.install()
        host.write("/etc/systemd/system/pco-poll.timer.d/often.conf", OFTEN)
        host.exec("sh", "-c", COMMIT)
        if pco.host.systemctl("list-unit-files", "--no-legend", "pco-stale.timer", code=None) == "":
            host.write("/etc/systemd/system/pco-stale.timer", STALE)
            host.write("/etc/systemd/system/pco-stale.service", "[Service]\nExecStart=/bin/true\n")
        pco.simulate()
        yield pco
    finally:
        host.down()


def setup(pco, *options, token=TOKEN, code=0):
    """pco-setup as alice calls it by sudo."""
    command = ["env", "SUDO_USER=alice", "/usr/local/bin/pco-setup", *options]
    return pco.host.exec(*command, input=f"{token}\n", code=code)


def active(pco, *units):
    return pco.host.systemctl("is-active", *units, code=None).split()


def test_a_target_without_a_configuration_is_up_and_nothing_fails_or_spins(pco):
    pco.host.exec("rm", CONFIG)
    pco.host.exec("touch", *(f"/var/spool/pco/wake/{name}" for name in ("launch", "post", "dashboard")))

    pco.host.systemctl("enable", "--now", "pco.target")

    assert active(pco, "pco.target") == ["active"]
    assert active(pco, *PARTS) == ["inactive"] * len(PARTS)
    assert pco.failed() == ""
    assert [entry for entry in pco.host.journal("-p", "warning") if "pco" in entry.get("UNIT", "")] == []


def test_without_root_it_says_how_and_a_dry_run_needs_none(pco):
    tried = pco.host.exec("runuser", "-u", "alice", "--", "pco-setup", *OPTIONS, code=77)
    shown = pco.host.exec("runuser", "-u", "alice", "--", "pco-setup", "--dry-run", *OPTIONS[1:], input=TOKEN)

    assert f"(sudo pco-setup --yes --url {ADDRESS} --workspace acme" in tried.stderr
    assert "pco.target is started" in shown.stdout
    assert pco.host.exec("test", "-e", CONFIG, code=None).returncode == 1


def test_one_command_configures_and_starts_everything(pco):
    done = setup(pco, *OPTIONS)

    assert active(pco, "pco.target", *PARTS) == ["active"] * (len(PARTS) + 1)
    assert "warning" not in done.stderr
    assert "pco.target - pco, tickets of Plane for agents" in done.stdout
    assert "Next: pco-queue" in done.stdout
    assert pco.failed() == ""


def test_only_root_can_read_the_token_and_everybody_the_configuration(pco):
    modes = pco.host.exec("stat", "-c", "%A %U:%G", "/etc/pco/credentials", SECRET, CONFIG).stdout.splitlines()

    assert modes == ["drwx------ root:root", "-rw------- root:root", "-rw-r--r-- root:root"]


def test_who_called_sudo_may_approve(pco):
    assert "pco" in pco.host.exec("id", "-Gn", "alice").stdout.split()
    assert pco.run("pco-queue", "list") == "No ticket is open.\n"


def test_what_tells_that_pco_is_stopped_is_started_beside_the_target(pco):
    assert pco.host.systemctl("is-enabled", "pco-stale.timer") == "enabled"
    assert active(pco, "pco-stale.timer") == ["active"]


def test_what_is_new_in_plane_then_waits_for_approval(pco):
    seen = f"/var/lib/pco/plane/{WEB}/head.json"
    pco.wait("the first poll", lambda: not pco.host.exec("test", "-e", seen, code=None).returncode)

    key = pco.maria("maria.key(maria.create('Fix the cache', state='Todo'))")
    pco.wait(f"{key} pending", lambda: pco.states().get(key) == "pending")

    assert key in pco.run("pco-queue", "list")


def test_a_second_run_changes_nothing(pco):
    files = ["stat", "-c", "%n %i %y", CONFIG, SECRET]
    before = pco.host.exec(*files).stdout, pco.host.show("pco-watch", "MainPID")

    done = setup(pco, *OPTIONS)

    assert "nothing to do" in done.stdout
    assert (pco.host.exec(*files).stdout, pco.host.show("pco-watch", "MainPID")) == before


def test_a_changed_answer_reaches_the_watcher_that_runs(pco):
    before = pco.host.show("pco-watch", "MainPID")

    setup(pco, "--yes", "--label", "agent")

    assert pco.host.show("pco-watch", "MainPID") != before
    assert "labels: [agent]" in pco.host.read(CONFIG)
    assert pco.host.exec("sh", "-c", "ls /etc/pco/pco.yaml.bak-*").stdout.count("\n") == 1


def test_a_new_token_is_used_by_the_next_poll(pco):
    before = pco.host.read(CONFIG)

    setup(pco, "--token-file", "-", token=OTHER)
    pco.wait("a poll with it", lambda: int(pco.python(POLLS_OF_JONAS).stdout) > 0)

    assert pco.host.read(SECRET) == f"{OTHER}\n"
    assert pco.host.read(CONFIG) == before
    assert pco.failed() == ""


def test_no_token_is_anywhere_but_in_its_file(pco):
    for token in (TOKEN, OTHER):
        # The simulator's unit has it on its command line.
        said = [e for e in pco.host.journal() if token in str(e) and "plane" not in e.get("_SYSTEMD_UNIT", "")]
        found = pco.host.exec("grep", "-rlF", token, "/etc/pco", "/var/lib/pco", "/var/spool/pco", "/run", code=None)
        assert said == []
        # Of a poll that runs just now there is the credential, too.
        assert [path for path in found.stdout.split() if "/run/credentials/" not in path] in ([], [SECRET])


def test_a_repository_that_user_pco_cannot_read_is_a_warning_though_root_can(pco):
    pco.host.exec("cp", "-r", "/srv/shop.git", "/srv/private.git")
    pco.host.exec("chmod", "700", "/srv/private.git")

    pco.host.exec("chmod", "700", "/home/alice")
    command = "cd /home/alice && exec pco-setup --dry-run --project WEB=/srv/private.git"

    done = pco.host.exec("sh", "-c", command, stdin=subprocess.DEVNULL)

    assert "warning  WEB: /srv/private.git" in done.stderr
    assert "sudo -u pco -H git ls-remote /srv/private.git" in done.stderr


def test_further_members_are_added_and_unknown_ones_named(pco):
    pco.host.exec("useradd", "bob")

    wrong = setup(pco, "--yes", "--member", "bbo", code=2)
    setup(pco, "--yes", "--member", "bob")

    assert "there is no user 'bbo'" in wrong.stderr
    assert "pco" in pco.host.exec("id", "-Gn", "bob").stdout.split()
    assert "pco" in pco.host.exec("id", "-Gn", "alice").stdout.split()


def test_at_a_terminal_it_asks_who_may_approve_and_again_for_whom_nobody_knows(pco):
    pco.host.exec("useradd", "carol")
    pco.host.write("/root/token", TOKEN, "600")
    given = [word if word != "-" else "/root/token" for word in OPTIONS if word != "--yes"]
    given += ["--into-state", "Todo", "--label", "-", "--post-state", "none"]
    master, slave = pty.openpty()
    os.write(master, b"caro\ncarol\ny\n")

    said = pco.host.exec("env", "SUDO_USER=alice", "pco-setup", *given, stdin=slave)
    os.close(slave)
    os.close(master)

    assert "Who may approve, besides root? (user names, with commas; - for nobody) [alice]" in said.stderr
    assert "there is no user 'caro'" in said.stderr
    assert "group pco: carol may approve" in said.stdout
    assert "pco" in pco.host.exec("id", "-Gn", "carol").stdout.split()


def test_a_configuration_that_was_gone_is_made_again_and_what_waited_for_it_runs(pco):
    pco.host.exec("rm", CONFIG)
    pco.host.systemctl("restart", "pco.target")
    assert active(pco, *PARTS) == ["inactive"] * len(PARTS)

    setup(pco, *OPTIONS, token=OTHER)

    assert active(pco, *PARTS) == ["active"] * len(PARTS)


def test_a_part_that_somebody_disabled_for_good_stays_so(pco):
    pco.host.systemctl("disable", "--now", "pco-launch.timer")

    setup(pco, "--yes", "--post-state", "none")
    pco.host.exec("rm", SECRET)
    pco.host.systemctl("restart", "pco.target")
    setup(pco, *OPTIONS)

    assert active(pco, "pco-poll.timer", "pco-launch.timer") == ["active", "inactive"]
    pco.host.systemctl("enable", "--now", "pco-launch.timer")


def test_all_of_it_is_there_after_a_reboot(pco):
    pco.host.reboot()

    assert active(pco, "pco.target", *PARTS) == ["active"] * (len(PARTS) + 1)
    assert pco.failed() == ""
