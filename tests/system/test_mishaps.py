"""What goes wrong between the programs: folders removed, flags that stay, runs by hand, the power at any moment."""

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from inside import Inside, attempts, await_agent, furnish, state
from installed import RARE, TOKEN, Installed, booted

from pco.ground import messages

DROP_INS = "/etc/systemd/system/pco-session@.service.d"
REMOVER = "[Service]\nType=oneshot\nExecStart=/bin/rm -r /var/lib/pco/sessions/{key}\n"
# git as sessions find it: their clones take for ever while there is a file /srv/slow.
SLOW_GIT = """\
#!/bin/sh
case "$(id -un) $*" in
pco-*' clone '*) while [ -e /srv/slow ]; do sleep 0.1; done ;;
esac
exec /usr/bin/git.real "$@"
"""
COUNTING = """\
#!/bin/sh
echo "$PCO_ATTEMPT_DIR" >>"$HOME/starts"
sleep 1
exec pco-complete 'Nothing to be done.'
"""
CUTS = 4


@pytest.fixture(scope="module")
def pco(able: None) -> Iterator[Installed]:
    """A host of its own, where agents do what a test says and no timer comes to help."""
    with booted("m") as pco:
        pco.host.exec("mv", "/usr/bin/git", "/usr/bin/git.real")
        pco.host.write("/usr/bin/git", SLOW_GIT, "755")
        pco.host.write("/srv/counting", COUNTING, "755")
        pco.host.write("/etc/systemd/system/pco-launch.timer.d/rare.conf", RARE)
        furnish(pco, "  retry_after: 1s\n")
        yield pco


def added(pco: Installed, count: int = 1) -> list[Inside]:
    """Local tickets, pending."""
    said = [pco.run("pco-queue", "add", "--test", "--text", "Obey.") for _ in range(count)]
    return [Inside(pco.host, line.partition(":")[0]) for line in said]


def approve(pco: Installed, sessions: list[Inside]) -> None:
    """Approve them all at once."""
    pco.run("pco-queue", "approve", "--yes", *(session.key for session in sessions))


def finish(pco: Installed, sessions: list[Inside]) -> None:
    """End running sessions."""
    for session in sessions:
        session.complete()
        session.ends()
    pco.wait("their ends", lambda: all(state(pco, session) == "completed" for session in sessions))


def outcomes(pco: Installed, session: Inside) -> list[str]:
    """How each of its attempts ended; empty for the one that runs."""
    return [one.get("outcome", "") for one in attempts(pco, session)]


def said(pco: Installed, session: Inside) -> str:
    """All that the journal has of its ticket."""
    return "\n".join(entry["MESSAGE"] for entry in pco.host.journal(f"PCO_KEY={session.key}"))


def watcher(pco: Installed) -> dict[str, str]:
    """Which watcher runs."""
    return pco.host.show("pco-watch", "MainPID", "ActiveState")


@contextmanager
def drop_in(pco: Installed, text: str) -> Iterator[None]:
    """A drop-in for all sessions."""
    pco.host.write(f"{DROP_INS}/mishap.conf", text)
    pco.host.systemctl("daemon-reload")
    try:
        yield
    finally:
        pco.host.exec("rm", f"{DROP_INS}/mishap.conf")
        pco.host.systemctl("daemon-reload")


# Sessions that do not begin.


def test_a_session_whose_folder_is_removed_before_it_begins_is_tried_again_and_the_watcher_goes_on(pco):
    (session,) = added(pco)
    before = watcher(pco)
    pco.host.write("/etc/systemd/system/remover.service", REMOVER.format(key=session.key))

    with drop_in(pco, "[Unit]\nRequires=remover.service\nAfter=remover.service\n"):
        approve(pco, [session])
        pco.wait("a verdict", lambda: outcomes(pco, session)[:1] == ["never-started"])

    pco.wait("another attempt", lambda: state(pco, session) == "active" and session.main != 0)
    assert watcher(pco) == before
    await_agent(pco, session)
    finish(pco, [session])


def test_a_session_that_is_denied_its_credential_is_noticed_at_once_and_says_why(pco):
    (session,) = added(pco)

    with drop_in(pco, "[Service]\nLoadCredential=more:/nowhere\n"):
        approve(pco, [session])
        told = "not born in time (its unit: exit-code)"
        pco.wait("a verdict", lambda: told in said(pco, session), patience=20)

    assert outcomes(pco, session)[:1] == ["never-started"]
    pco.wait("another attempt", lambda: state(pco, session) == "active" and session.main != 0)
    await_agent(pco, session)
    finish(pco, [session])


def test_a_session_that_is_stopped_while_it_clones_leaves_nothing_behind(pco):
    (session,) = added(pco)
    pco.host.exec("touch", "/srv/slow")
    approve(pco, [session])
    cloning = ("pgrep", "-u", f"pco-{session.key}", "-f", " clone ")
    pco.wait("the clone", lambda: not pco.host.exec(*cloning, code=None).returncode)

    pco.run("pco-queue", "stop", session.key)
    pco.wait("its end", lambda: state(pco, session) == "rejected")
    pco.host.exec("rm", "/srv/slow")

    assert outcomes(pco, session) == ["stopped"]
    pco.wait("its unit's end", lambda: pco.host.show(session.unit, "ActiveState")["ActiveState"] == "inactive")
    group = f"/sys/fs/cgroup/*/pco.slice/pco-sessions.slice/{session.unit}"
    assert pco.host.exec("sh", "-c", f"cat {group}/cgroup.procs", code=None).stdout == ""


# Several runs at once.


def test_of_several_launches_at_once_each_ticket_starts_once(pco):
    sessions = added(pco, 6)
    pco.host.systemctl("stop", "pco-launch.path")
    approve(pco, sessions)

    run = "for n in 1 2 3 4; do runuser -u pco -- pco-launch & done; systemctl start pco-launch.path; wait"
    pco.host.exec("sh", "-c", run)

    for session in sessions:
        await_agent(pco, session)
    assert [len(attempts(pco, session)) for session in sessions] == [1] * 6
    assert said(pco, sessions[0]).count("approved -> active") == 1
    finish(pco, sessions)


@contextmanager
def by_hand(pco: Installed, name: str) -> Iterator[None]:
    """A run of a program by hand, which takes long: its lock is held."""
    lock = f"/var/spool/pco/.{name}.lock"
    holds = "touch /run/by-hand; exec sleep 1000"
    # A timer's run may have the lock just now: it is waited for.
    pco.host.exec("systemd-run", "--quiet", "--collect", "--unit=by-hand", "flock", lock, "sh", "-c", holds)
    try:
        pco.wait("the lock", lambda: not pco.host.exec("test", "-e", "/run/by-hand", code=None).returncode)
        yield
    finally:
        pco.host.systemctl("stop", "by-hand.service")
        pco.host.exec("rm", "-f", "/run/by-hand")


def test_an_approval_during_a_run_by_hand_does_not_wait_for_a_timer(pco):
    (session,) = added(pco)
    busy = ("SYSLOG_IDENTIFIER=pco-launch", f"MESSAGE_ID={messages.message_id('later')}")

    with by_hand(pco, "launch"):
        approve(pco, [session])
        pco.wait("a run that gives way", lambda: bool(pco.host.journal(*busy)))
        assert state(pco, session) == "approved"

    await_agent(pco, session)
    assert len(pco.host.journal(*busy)) < 3
    assert not pco.host.journal("PCO_UNIT=pco-launch.service")
    finish(pco, [session])


def test_a_poll_that_gives_way_to_one_by_hand_has_not_failed(pco):
    pco.host.write("/etc/pco/credentials/plane-token", TOKEN, "600")

    with by_hand(pco, "poll"):
        pco.host.systemctl("start", "pco-poll.service")
        pco.wait("its end", lambda: pco.host.show("pco-poll", "ActiveState")["ActiveState"] in ("inactive", "failed"))

    assert pco.host.show("pco-poll", "Result", "ExecMainStatus") == {"Result": "success", "ExecMainStatus": "75"}


# Wake-ups.


def test_a_flag_that_cannot_be_removed_slows_a_program_down_and_does_not_end_it(pco):
    (session,) = added(pco)
    pco.wait("no run", lambda: pco.host.show("pco-launch", "ActiveState")["ActiveState"] == "inactive")
    pco.host.exec("mkdir", "/var/spool/pco/wake/launch")
    before = len(pco.host.journal("PCO_UNIT=pco-launch.service"))
    ends = ("UNIT=pco-launch.service", "MESSAGE=pco-launch.service: Deactivated successfully.")
    ended = len(pco.host.journal(*ends))

    approve(pco, [session])
    await_agent(pco, session)

    pco.wait("its end", lambda: len(pco.host.journal(*ends)) > ended)
    pco.host.exec("rmdir", "/var/spool/pco/wake/launch")
    assert pco.host.show("pco-launch.path", "ActiveState")["ActiveState"] == "active"
    assert len(pco.host.journal("PCO_UNIT=pco-launch.service")) == before
    finish(pco, [session])


# Power.


def test_whenever_the_power_is_cut_no_attempt_runs_twice_and_all_come_to_their_end(pco):
    pco.host.write("/etc/pco/pco.yaml.d/counting.yaml", "sessions: {command: [/srv/counting]}\n")
    pco.host.systemctl("restart", "pco-watch")
    sessions, moments = added(pco, CUTS), random.Random(3)

    for session in sessions:
        approve(pco, [session])
        pco.wait("its start", lambda session=session: state(pco, session) != "approved")
        time.sleep(moments.uniform(0, 1.2))  # the moment is the input here
        pco.host.cut()
        pco.host.start()
        assert set(pco.states()) >= {session.key for session in sessions}

    pco.wait("the end of all", lambda: all(state(pco, session) == "completed" for session in sessions))
    for session in sessions:
        starts = pco.host.exec("cat", f"{session.state}/starts").stdout.splitlines()
        tried = attempts(pco, session)
        assert len(set(starts)) == len(starts) <= len(tried)
        assert [one["outcome"] for one in tried] == ["reboot"] * (len(tried) - 1) + ["completed"]
    assert sum(len(attempts(pco, session)) for session in sessions) > len(sessions)
    assert not pco.host.exec("ls", "/var/spool/pco/control", code=None).stdout.count("pause")


def test_nothing_has_failed(pco):
    assert [line for line in pco.failed().splitlines() if "pco-session@" not in line] == []
