"""The Debian package: built, judged by lintian, installed, upgraded under a running session, removed, purged."""

import os
import re
from collections.abc import Iterator

import inside
import pytest
from host import Host
from installed import WEB, Installed

PACKAGE = "/src/build/pco_{}_all.deb"
FIRST, SECOND = "0.1.0", "0.1.1"
# Starts programs again and again, two at once, until the file `stop` is there; whatever fails is told.
STARTER = """\
starts() {
    until [ -e /tmp/stop ]; do
        "$@" >/tmp/said.$$ 2>&1 || cat /tmp/said.$$ >>/tmp/trouble
        echo . >>/tmp/starts
    done
}
starts pco-queue list & starts pco-dashboard --help & wait
"""


@pytest.fixture(scope="module")
def pco(able: None) -> Iterator[Installed]:
    """A host of its own on which the package was built and installed; these tests tell one story, in their order."""
    host = Host(f"d{os.getpid()}").up()
    try:
        # A machine made for builds forbids packages to start and stop anything.
        host.exec("rm", "-f", "/usr/sbin/policy-rc.d")
        # The index of all manual pages takes seconds, each time.
        host.exec("rm", "-f", "/var/lib/man-db/auto-update")
        build(host, FIRST)
        host.exec("dpkg", "-i", PACKAGE.format(FIRST))
        host.exec("useradd", "--groups", "pco", "alice")
        yield Installed(host)
    finally:
        host.down()


def build(host: Host, version: str) -> None:
    """make deb, of a source that has this version."""
    said = re.sub("0[.]1[.]0", version, host.read("/src/lib/pco/__init__.py"))
    host.write("/src/lib/pco/__init__.py", said)
    host.exec("make", "-C", "/src", "deb")


def there(pco: Installed, *paths: str) -> list[str]:
    """Which of these are there."""
    return [path for path in paths if not pco.host.exec("test", "-e", path, code=None).returncode]


def test_lintian_has_nothing_to_say(pco):
    given = ("--allow-root", "--fail-on=error,warning", "--tag-display-limit=0")

    said = pco.host.exec("lintian", *given, PACKAGE.format(FIRST)).stdout

    assert said == ""


def test_the_same_source_makes_the_same_package(pco):
    sum_ = pco.host.exec("sha256sum", PACKAGE.format(FIRST)).stdout

    pco.host.exec("env", "TZ=Asia/Tokyo", "make", "-C", "/src", "deb")

    assert pco.host.exec("sha256sum", PACKAGE.format(FIRST)).stdout == sum_


def test_all_it_needs_is_what_debian_has_and_the_configuration_is_declared(pco):
    def told(field: str) -> str:
        return str(pco.host.exec("dpkg-query", "-W", "-f", f"${{{field}}}", "pco").stdout)

    assert told("Architecture") == "all"
    assert {"tmux", "git", "python3-click", "libnss-systemd"} <= {
        word.split()[0] for word in told("Depends").split(", ")
    }
    assert "nginx" in told("Recommends")
    assert " /etc/pco/pco.yaml.example " in told("Conffiles")
    assert pco.host.exec("dpkg", "--verify", "pco").stdout == ""


def test_systemd_finds_nothing_to_complain_about_and_nothing_is_started(pco):
    listed = pco.host.exec("dpkg", "-L", "pco").stdout.splitlines()
    units = [path for path in listed if re.search(r"/systemd/system/pco[^/]*\.\w+$", path)]

    done = pco.host.exec("systemd-analyze", "verify", "--recursive-errors=yes", *units)

    assert len(units) >= 18
    assert done.stdout + done.stderr == ""
    assert pco.host.systemctl("list-unit-files", "--state=enabled", "--no-legend", "pco*", code=None) == ""
    assert pco.host.systemctl("list-units", "--no-legend", "pco*.service", "pco*.timer", "pco*.path") == ""


def test_people_find_pages_completion_and_bytecode_that_pco_cannot_write(pco):
    wanted = ("man1/pco-queue.1.gz", "bash-completion/completions/pco-queue", "zsh/vendor-completions/_pco")
    library = pco.host.exec("readlink", "-f", "/usr/lib/pco/current").stdout.strip()
    pages = [f"/usr/share/{'man/' if name.startswith('man') else ''}{name}" for name in wanted]

    assert there(pco, *pages) == pages
    assert there(pco, f"{library}/pco/commands/__pycache__/watch.cpython-311.pyc")
    assert pco.host.exec("find", "/usr/lib/pco", "/usr/share/pco", "-not", "-user", "root").stdout == ""


def test_a_ticket_goes_from_plane_through_a_session_and_back_into_plane(pco):
    pco.simulate()
    pco.configure()
    inside.furnish(pco)
    pco.wait("the first poll", lambda: bool(there(pco, f"/var/lib/pco/plane/{WEB}/head.json")))
    key = pco.maria("maria.key(maria.create('Fix the cache', state='Todo'))")

    pco.wait("the ticket", lambda: pco.states().get(key) == "pending")
    pco.run("pco-queue", "approve", key, "--yes")
    session = inside.Inside(pco.host, key)
    inside.await_agent(pco, session)
    session.complete("Done, and tested.")
    session.ends()
    pco.wait("its end", lambda: pco.states().get(key) == "completed")
    pco.run("pco-queue", "post", key, "--yes")
    pco.wait("the post", lambda: pco.states().get(key) == "posted")

    assert "Done, and tested." in pco.maria(f"[row['comment_html'] for row in maria.comments({key!r})]")
    assert pco.failed() == ""


def test_an_upgrade_restarts_the_watcher_and_leaves_a_session_running_to_its_end(pco):
    (session,) = inside.begin(pco)
    tmux, watch = session.main, pco.host.show("pco-watch", "MainPID")["MainPID"]
    build(pco.host, SECOND)
    pco.host.write("/tmp/starter", STARTER)
    pco.host.exec("systemd-run", "--quiet", "--unit=starter", "sh", "/tmp/starter")
    pco.wait("the first start", lambda: bool(there(pco, "/tmp/starts")))

    said = pco.host.exec("dpkg", "-i", PACKAGE.format(SECOND))
    pco.host.exec("touch", "/tmp/stop")

    assert "warning" not in said.stderr
    assert there(pco, "/tmp/trouble") == [], pco.host.read("/tmp/trouble")
    assert pco.run("pco-queue", "--version") == f"pco-queue {SECOND}\n"
    assert pco.host.show("pco-watch", "MainPID")["MainPID"] not in (watch, "0")
    assert session.main == tmux
    assert there(pco, "/etc/pco/pco.yaml.dpkg-dist", "/etc/pco/pco.yaml.dpkg-new") == []
    session.complete()
    session.ends()
    pco.wait("its end", lambda: inside.state(pco, session) == "completed")
    assert pco.failed() == ""


def test_the_upgrade_left_the_library_before_for_what_still_runs_from_it_and_no_other(pco):
    left = libraries(pco)
    pco.host.exec("dpkg", "-i", PACKAGE.format(SECOND))

    assert left == [f"{FIRST}.run", SECOND, f"{SECOND}.run", "current"]
    assert libraries(pco) == [SECOND, f"{SECOND}.run", "current"]
    assert pco.host.exec("readlink", "/usr/lib/pco/current").stdout.strip().endswith(".run")


def libraries(pco: Installed) -> list[str]:
    """What lies in the folder of the library, without the hashes of its content."""
    found = pco.host.exec("ls", "/usr/lib/pco").stdout.split()
    return [re.sub("-[0-9a-f]{8}", "", name) for name in found]


def test_removal_stops_everything_and_keeps_tickets_and_configuration(pco):
    (session,) = inside.begin(pco)
    before = pco.host.read("/etc/pco/pco.yaml")

    pco.host.exec("dpkg", "-r", "pco")

    assert pco.host.systemctl("list-units", "--no-legend", "pco*") == ""
    assert pco.host.exec("pgrep", "-f", "pco-session|pco-watch", code=None).stdout == ""
    assert pco.host.read("/etc/pco/pco.yaml") == before
    assert pco.states()[session.key] == "active"
    assert there(pco, "/usr/lib/pco", "/usr/bin/pco-queue", "/usr/share/pco") == []


def test_a_package_that_is_installed_again_goes_on_where_it_was(pco):
    before = pco.states()

    pco.host.exec("dpkg", "-i", PACKAGE.format(SECOND))
    pco.host.systemctl("start", "pco.target")
    key = next(key for key, state in before.items() if state == "active")
    pco.wait("that session's end is noticed", lambda: pco.states()[key] != "active")

    assert pco.states().keys() == before.keys()
    assert pco.host.systemctl("is-active", "pco-watch.service") == "active"


def test_purging_leaves_nothing_of_pco_on_the_machine(pco):
    pco.host.write("/etc/systemd/system/pco-watch.service.d/mine.conf", "[Service]\nNice=1\n")

    said = pco.host.exec("dpkg", "-P", "pco")

    where = ("/etc", "/usr", "/var", "/run", "/home")
    names = (
        "-not",
        "-path",
        "/var/log/*",
        "-not",
        "-path",
        "/var/cache/man/*",
        "-not",
        "-path",
        "/run/systemd/*",
        "-not",
        "-path",
        "/home/*",
    )
    left = pco.host.exec("find", *where, "-regex", ".*/[^/]*\\bpco\\b[^/]*", *names).stdout
    assert not re.search("/pco.* not empty", said.stdout + said.stderr)
    assert left == ""
    assert pco.host.exec("getent", "passwd", "pco", code=None).stdout == ""
    assert pco.host.exec("getent", "group", "pco", code=None).stdout == ""
    assert pco.host.systemctl("list-unit-files", "--no-legend", "pco*", code=None) == ""
