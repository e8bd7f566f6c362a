"""What may be done about the sessions' units without root: by user pco very little, by people nothing."""

import re
from collections.abc import Iterator

import pytest
from host import Done
from inside import STATES, Inside, begin, furnish, state
from installed import Installed, booted

REFUSED = re.compile("access denied|authentication required|not authorized|permission denied", re.IGNORECASE)
MANAGER = ("org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager")
SESSION = "pco-session@{key}.service"
TRANSIENT = ("x.service", "fail", "1", "ExecStart", "a(sasb)", "1", "/bin/true", "1", "true", "false", "0")
ORDERS = (
    ("systemctl", "start", "pco-poll.service"),
    ("systemctl", "stop", "pco-watch.service"),
    ("systemctl", "stop", "pco-sessions.slice"),
    ("systemctl", "stop", "systemd-journald.service"),
    ("systemctl", "start", "pco-session@web-1.service"),
    ("systemctl", "start", "pco-session@WEB-1-2.service"),
    ("systemctl", "start", "pco-session@.WEB-1.service"),
    ("systemctl", "start", "pco-session@ABCDEFGHIJKLM-1.service"),
    ("systemctl", "restart", SESSION),
    ("systemctl", "kill", SESSION),
    ("systemctl", "freeze", SESSION),
    ("systemctl", "reset-failed", SESSION),
    ("systemctl", "set-property", "--runtime", SESSION, "MemoryMax=1G"),
    ("systemctl", "bind", SESSION, "/etc/pco/credentials"),
    ("systemctl", "mask", SESSION),
    ("systemctl", "enable", "pco-watch.service"),
    ("systemctl", "clean", "--what=state", "pco-post.service"),
    ("systemctl", "clean", "--what=runtime", "pco-watch.service"),
    ("systemctl", "set-environment", "LD_PRELOAD=/tmp/x.so"),
    ("systemctl", "daemon-reload"),
    ("systemctl", "isolate", "rescue.target"),
    ("systemd-run", "--no-ask-password", "true"),
    ("systemd-run", "--no-ask-password", "--unit=pco-session@WEB-77.service", "true"),
    ("busctl", "call", *MANAGER, "StartTransientUnit", "ssa(sv)a(sa(sv))", *TRANSIENT),
    ("busctl", "call", *MANAGER, "CleanUnit", "sas", "pco-poll.service", "1", "all"),
    ("busctl", "call", *MANAGER, "KillUnit", "ssi", SESSION, "all", "9"),
)


@pytest.fixture(scope="module")
def pco(able: None) -> Iterator[Installed]:
    """A host of its own, where agents do what a test says and what is finished is kept for a second."""
    with booted("k") as pco:
        furnish(pco, "retention: {workspaces: 1s}\n")
        yield pco


@pytest.fixture(scope="module")
def session(pco: Installed) -> Inside:
    """A session that runs on."""
    return begin(pco)[0]


def says(pco: Installed, user: str, *order: str) -> Done:
    """Let a user give an order, without anybody to ask for a password."""
    order = (order[0], "--no-ask-password", *order[1:]) if order[0] == "systemctl" else order
    return pco.host.exec("runuser", "-u", user, "--", *order, code=None)


def kept(pco: Installed, session: Inside) -> list[str]:
    """What is left of a session's folders."""
    key = session.key
    folders = (f"{STATES}/{key}", f"{STATES}/{key}.tmp", f"/var/lib/pco-agent/{key}", f"/var/lib/pco/sessions/{key}")
    return [folder for folder in folders if not pco.host.exec("test", "-e", folder, code=None).returncode]


def reject(pco: Installed, session: Inside) -> None:
    """Have a running session end."""
    pco.run("pco-queue", "stop", session.key)
    pco.wait("its end", lambda: state(pco, session) == "rejected" and session.main == 0)


@pytest.mark.parametrize("order", ORDERS, ids=" ".join)
@pytest.mark.parametrize("user", ["pco", "alice"])
def test_systemd_refuses(pco, session, user, order):
    done = says(pco, user, *(word.format(key=session.key) for word in order))

    assert done.returncode != 0
    assert REFUSED.search(done.stderr), done.stderr
    assert session.says("print('here')") == "here\n"


@pytest.mark.parametrize("order", ["start", "stop", "clean"])
def test_a_member_of_the_group_gives_no_orders_to_the_unit_of_a_session(pco, session, order):
    done = says(pco, "alice", "systemctl", order, session.unit)

    assert REFUSED.search(done.stderr), done.stderr
    assert session.says("print('here')") == "here\n"


def test_the_user_pco_may_start_and_stop_the_unit_of_a_session(pco):
    (own,) = begin(pco)

    stopped = says(pco, "pco", "systemctl", "stop", own.unit)
    started = says(pco, "pco", "systemctl", "--no-block", "start", own.unit)

    assert (stopped.returncode, started.returncode) == (0, 0)


def test_the_state_of_a_running_session_is_not_removed(pco, session):
    done = says(pco, "pco", "busctl", "call", *MANAGER, "CleanUnit", "sas", session.unit, "1", "state")

    assert done.returncode != 0
    assert "not inactive" in done.stderr or "busy" in done.stderr.lower(), done.stderr
    assert len(kept(pco, session)) == 4
    assert session.says("print('here')") == "here\n"


def test_all_folders_of_a_ticket_go_when_a_member_drops_it(pco):
    (session,) = begin(pco)
    session.says("import os; os.makedirs('a/b'); os.chmod('a', 0); open('/tmp/x', 'w')")
    reject(pco, session)
    before = kept(pco, session)

    pco.run("pco-queue", "drop", "--yes", session.key)
    wanted = ("ls", "/var/spool/pco/control/clean")
    pco.wait("the cleaning", lambda: not kept(pco, session) and not pco.host.exec(*wanted).stdout, patience=10)

    assert len(before) == 4


def test_what_the_agent_of_a_finished_ticket_wrote_goes_after_its_time_and_the_screen_stays(pco, session):
    (finished,) = begin(pco)
    reject(pco, finished)
    young = ("find", f"/var/spool/pco/rejected/{finished.key}.json", "-newermt", "-2 seconds")
    pco.wait("its time", lambda: not pco.host.exec(*young).stdout)

    pco.host.systemctl("start", "pco-retention.service")
    pco.wait("its removal", lambda: kept(pco, finished) == [f"/var/lib/pco/sessions/{finished.key}"])

    assert pco.host.read(f"/var/lib/pco/sessions/{finished.key}/1.1/prompt.md")
    assert len(kept(pco, session)) == 4
    assert pco.failed() == ""
