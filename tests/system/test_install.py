"""make install and make uninstall: twice, over an edited configuration, under a running session, by a plain user."""

import os
import re
from collections.abc import Iterator

import inside
import pytest
from host import Done, Host
from installed import Installed

SPOOL = "/var/spool/pco"
OURS = r".*/[^/]*\bpco\b[^/]*"
MODES = """
import os, sys
for path in sorted(os.path.join(top, name) for root in sys.argv[1:] for top, *found in os.walk(root) for name in
                   [".", *found[0], *found[1]]):
    told = os.lstat(path)
    names = [name for name in os.listxattr(path) if "posix_acl" in name]
    print(path, oct(told.st_mode), told.st_uid, told.st_gid, *((name, os.getxattr(path, name)) for name in names))
"""


@pytest.fixture(scope="module")
def pco(able: None) -> Iterator[Installed]:
    """A host of its own with nothing installed; these tests tell one story, in their order."""
    host = Host(f"i{os.getpid()}").up()
    try:
        yield Installed(host)
    finally:
        host.down()


def make(pco: Installed, *words: str, code: int = 0) -> Done:
    """What an administrator types."""
    return pco.host.exec("make", "-C", "/src", "--no-print-directory", *words, code=code)


def counts(said: str) -> dict[str, int]:
    """The line of counts: `new` -> 12."""
    return {what: int(number) for number, what in re.findall(r"(\d+) (new|updated|unchanged|removed)", said)}


def modes(pco: Installed) -> str:
    """What tmpfiles made, with owners, modes and default access lists."""
    return str(pco.host.exec("/usr/bin/python3", "-c", MODES, SPOOL, "/var/lib/pco", "/run/pco", "/etc/pco").stdout)


def test_a_missing_package_is_one_line_that_names_the_command(pco):
    pco.host.exec("mv", "/usr/bin/tmux", "/usr/bin/tmux-gone")
    pco.host.exec("mv", "/usr/lib/python3/dist-packages/sdnotify", "/usr/lib/python3/dist-packages/sdnotify_gone")

    said = make(pco, "install", code=2).stderr

    pco.host.exec("mv", "/usr/bin/tmux-gone", "/usr/bin/tmux")
    pco.host.exec("mv", "/usr/lib/python3/dist-packages/sdnotify_gone", "/usr/lib/python3/dist-packages/sdnotify")
    assert said.splitlines()[0] == "install: packages are missing: apt install python3-sdnotify tmux"
    assert pco.host.exec("test", "-e", "/usr/local/lib/pco", code=None).returncode == 1


def test_a_plain_user_can_install_into_a_folder_and_systemd_is_not_told(pco):
    pco.host.exec("useradd", "--create-home", "bob")
    pco.host.exec("mkdir", "-p", "/src/build")  # as in a checkout of bob's own
    pco.host.exec("chown", "-R", "bob", "/src/build")
    install = "umask 077; make -C /src install DESTDIR=/home/bob/root PREFIX=/opt/pco"

    said = pco.host.exec("runuser", "-u", "bob", "--", "sh", "-c", install).stdout

    assert counts(said)["new"] > 150
    assert pco.host.exec("find", "/home/bob/root", "-type", "f", "-not", "-perm", "-044").stdout == ""
    assert pco.host.exec("test", "-e", "/etc/pco", code=None).returncode == 1
    assert pco.host.exec("getent", "passwd", "pco", code=None).returncode == 2


def test_the_first_install_says_what_comes_next_and_a_second_one_changes_nothing(pco):
    first = make(pco, "install").stdout
    before = modes(pco)

    second = make(pco, "install").stdout

    assert counts(first)["new"] > 150
    assert (counts(first)["updated"], counts(first)["removed"]) == (0, 0)
    assert "next: pco-setup" in first
    assert {what for what, number in counts(second).items() if number} == {"unchanged"}
    assert "units changed" not in second
    assert modes(pco) == before


def test_folders_and_locks_that_were_opened_or_closed_are_repaired(pco):
    before = modes(pco)
    pco.host.exec("chmod", "777", SPOOL, f"{SPOOL}/pending", "/etc/pco/credentials")
    pco.python("import os, sys; os.removexattr(sys.argv[1], 'system.posix_acl_default')", f"{SPOOL}/approved")
    pco.host.exec("chown", "root:root", f"{SPOOL}/.lock")
    pco.host.exec("rm", "/run/pco/trigger")

    pco.host.exec("systemd-tmpfiles", "--create", "pco.conf")

    assert modes(pco) == before


def test_an_edited_configuration_is_kept_and_one_that_was_not_follows_the_example(pco):
    pco.host.exec("sed", "-i", "1i # A newer example.", "/src/etc/pco.yaml")
    make(pco, "install")
    followed = pco.host.read("/etc/pco/pco.yaml")
    pco.host.write("/etc/pco/pco.yaml", "# mine\n")
    pco.host.exec("sed", "-i", "1i # The newest example.", "/src/etc/pco.yaml")

    said = make(pco, "install").stdout

    assert followed.startswith("# A newer example.\n")
    assert pco.host.read("/etc/pco/pco.yaml") == "# mine\n"
    assert pco.host.read("/etc/pco/pco.yaml.example").startswith("# The newest example.\n")
    assert "/etc/pco/pco.yaml is yours and stays; as shipped: /etc/pco/pco.yaml.example" in said


def test_two_upgrades_leave_a_session_running_and_say_what_to_restart(pco):
    pco.host.exec("useradd", "--groups", "pco", "alice")
    inside.furnish(pco)
    (session,) = inside.begin(pco)
    tmux, watch = session.main, pco.host.show("pco-watch", "MainPID")["MainPID"]
    pco.host.exec("sed", "-i", "s/0[.]1[.]0/0.1.1/", "/src/lib/pco/__init__.py")
    pco.host.exec("sed", "-i", "s/^WatchdogSec=.*/WatchdogSec=3min/", "/src/systemd/pco-watch.service")

    said = make(pco, "install").stdout

    assert counts(said)["updated"] >= 2
    assert counts(said)["new"] == 0
    assert "units changed: pco-watch.service\n" in said
    assert "systemctl restart pco-watch.service   (sessions go on)" in said
    assert (session.main, pco.host.show("pco-watch", "MainPID")["MainPID"]) == (tmux, watch)
    assert pco.run("pco-queue", "--version") == "pco-queue 0.1.1\n"

    # Now the library goes from which the session was started.
    pco.host.systemctl("restart", "pco-watch.service")
    pco.host.exec("sed", "-i", "s/0[.]1[.]1/0.1.2/", "/src/lib/pco/__init__.py")
    make(pco, "install")

    assert "0.1.0" not in pco.host.exec("ls", "/usr/local/lib/pco").stdout
    session.complete()
    session.ends()
    pco.wait("its end", lambda: inside.state(pco, session) == "completed")


def test_a_library_stays_until_the_install_after_the_next_and_a_file_that_is_no_longer_part_goes(pco):
    pco.host.exec("sed", "-i", "s/0[.]1[.]2/0.1.3/", "/src/lib/pco/__init__.py")
    pco.host.write("/src/systemd/pco-old.timer", "[Timer]\nOnCalendar=monthly\n[Install]\nWantedBy=pco.target\n")
    pco.host.exec("sed", "-i", "$a Also=pco-old.timer", "/src/systemd/pco.target")
    assert "new in this version: systemctl enable --now pco-old.timer\n" in make(pco, "install").stdout
    pco.host.exec("rm", "/src/systemd/pco-old.timer")
    pco.host.exec("sed", "-i", "$d", "/src/systemd/pco.target")

    said = make(pco, "install").stdout

    found = sorted(pco.host.exec("ls", "/usr/local/lib/pco").stdout.split())
    assert [re.sub("-[0-9a-f]{8}", "", name) for name in found] == ["0.1.2", "0.1.3", "current"]
    assert counts(said)["removed"] == 1
    assert pco.host.systemctl("list-unit-files", "--no-legend", "pco-old*", code=None) == ""


def test_a_damaged_library_is_made_whole(pco):
    damaged = "/usr/local/lib/pco/current/pco/command.py"
    whole = pco.host.read(damaged)
    pco.host.write(damaged, "raise SystemExit(3)\n")

    make(pco, "install")

    assert pco.host.read(damaged) == whole


def test_uninstall_stops_all_keeps_what_is_not_its_own_and_says_so(pco):
    (session,) = inside.begin(pco)

    said = make(pco, "uninstall").stdout

    installed = pco.host.exec("find", "/usr/local", "/etc/dbus-1", "/etc/polkit-1", "-regex", OURS).stdout
    assert installed == ""
    assert pco.host.systemctl("list-units", "--no-legend", "pco*") == ""
    assert pco.host.exec("pgrep", "-f", "pco-session|pco-watch", code=None).stdout == ""
    assert pco.states()[session.key] == "active"
    assert pco.host.exec("test", "-e", "/etc/pco/pco.yaml").returncode == 0
    kept = "/etc/pco /var/spool/pco /var/lib/pco /var/lib/private/pco-agent /var/lib/pco-agent /var/backups/pco"
    assert f"stays: {kept}, user and group pco; make uninstall PURGE=1 removes that, too\n" in said


def test_a_purge_names_all_that_it_removes_and_leaves_nothing(pco):
    pco.host.write("/etc/systemd/system/pco-watch.service.d/mine.conf", "[Service]\nNice=1\n")

    said = make(pco, "uninstall", "PURGE=1").stdout

    gone = re.findall("^removed (.*)$", said, re.M)
    assert {"/etc/pco", SPOOL, "/var/lib/pco", "/var/lib/private/pco-agent", "user pco", "group pco"} <= set(gone)
    assert "/etc/systemd/system/pco-watch.service.d" in gone
    where = ("/etc", "/usr/local", "/var/spool", "/var/lib", "/run", "-not", "-path", "/run/systemd/*")
    assert pco.host.exec("find", *where, "-regex", OURS).stdout == ""
    assert pco.host.exec("getent", "group", "pco", code=None).returncode == 2
