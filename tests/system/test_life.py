"""Sessions under a systemd that is stopped, restarted, halted, rebooted and cut off its power."""

import json
from collections.abc import Iterator

import pytest
from inside import Inside, attempts, await_agent, begin, furnish, state
from installed import Installed, booted

from pco.commands.halting import WHY


@pytest.fixture(scope="module")
def pco(able: None) -> Iterator[Installed]:
    """A host of its own, where agents do what a test says."""
    with booted("l") as pco:
        furnish(pco)
        yield pco


@pytest.fixture
def three(pco: Installed) -> Iterator[list[Inside]]:
    """Three running sessions; what is left of them afterwards is ended, and nothing is paused."""
    sessions = begin(pco, 3)
    yield sessions
    pco.run("pco-queue", "resume")
    keys = [session.key for session in sessions if state(pco, session) == "active"]
    if keys:
        pco.run("pco-queue", "stop", "--yes", *keys)
    open_ = [session.key for session in sessions if state(pco, session) in ("approved", "pending")]
    if open_:
        pco.run("pco-queue", "reject", "--yes", *open_)
    pco.wait("the end of all", lambda: all(state(pco, session) != "active" for session in sessions))


def outcomes(pco: Installed, session: Inside) -> list[tuple[int, str]]:
    """The number and the outcome of each attempt of its round."""
    return [(one["n"], one.get("outcome", "")) for one in attempts(pco, session)]


def births(pco: Installed, session: Inside) -> int:
    """How often a session of this ticket was born."""
    found = pco.host.exec("sh", "-c", f"cat {session.state}/out/*/birth", code=None).stdout
    return found.count('"pid"')


def restart_watcher(pco: Installed) -> None:
    """Have it read its configuration anew; more often than its start limit allows."""
    pco.host.systemctl("reset-failed", "pco-watch.service")
    pco.host.systemctl("restart", "pco-watch.service")


def paused(pco: Installed) -> str:
    """Why pco is paused; empty if it is not."""
    done = pco.host.exec("cat", "/var/spool/pco/control/pause", code=None)
    return str(json.loads(done.stdout)["why"]) if done.returncode == 0 else ""


def all_in(pco: Installed, sessions: list[Inside], wanted: str) -> None:
    """Wait until all tickets are in a state."""
    pco.wait(f"all {wanted}", lambda: all(state(pco, session) == wanted for session in sessions))


@pytest.mark.parametrize(
    "deed",
    ["restart pco.target", "restart pco-watch.service", "daemon-reload", "kill --signal=KILL pco-watch.service"],
)
def test_a_restart_leaves_sessions_running_and_their_summaries_arrive(deed, pco):
    (session,) = begin(pco)
    before = session.main
    pco.host.systemctl("reset-failed", "pco-watch.service")

    pco.host.systemctl(*deed.split())

    assert session.main == before != 0
    session.complete()
    session.ends()
    pco.wait("its end", lambda: state(pco, session) == "completed")
    assert births(pco, session) == 1


def test_what_is_handed_over_while_pco_is_stopped_is_there_when_it_runs_again(pco):
    (session,) = begin(pco)
    pco.host.systemctl("stop", "pco.target")
    pco.wait("its end", lambda: pco.host.systemctl("is-active", "pco-watch", code=None) == "inactive")

    session.complete("Said into the silence.")
    session.ends()
    pco.wait("its unit's end", lambda: session.main == 0)
    pco.host.systemctl("start", "pco.target")

    pco.wait("its end", lambda: state(pco, session) == "completed")
    assert "Said into the silence." in pco.run("pco-queue", "show", session.key)


def test_pause_with_stop_ends_all_and_nothing_runs_again_before_resume(pco, three):
    pco.run("pco-queue", "pause", "--stop", "--note", "the end of the day")

    all_in(pco, three, "approved")
    pco.wait("the units' end", lambda: not any(session.main for session in three))
    pco.host.systemctl("start", "--wait", "pco-launch.service")
    assert not any(session.main for session in three)
    assert [outcomes(pco, session) for session in three] == [[(1, "stopped")]] * 3

    pco.run("pco-queue", "resume")

    pco.wait("their second start", lambda: [births(pco, session) for session in three] == [2, 2, 2])
    all_in(pco, three, "active")


def test_a_stopped_slice_ends_all_and_pauses_until_resume(pco, three):
    limit = "sessions: {limit: 3, per_project: 3}\n"
    pco.host.write("/etc/pco/pco.yaml.d/limit.yaml", limit)
    (waiting,) = added(pco)

    pco.host.systemctl("stop", "pco-sessions.slice")

    all_in(pco, three, "approved")
    assert paused(pco) == WHY
    pco.host.systemctl("start", "--wait", "pco-launch.service")
    assert not any(session.main for session in (*three, waiting))
    assert {outcome for session in three for _, outcome in outcomes(pco, session)} <= {"interrupted", "stopped"}
    assert births(pco, waiting) == 0

    pco.host.exec("rm", "/etc/pco/pco.yaml.d/limit.yaml")
    restart_watcher(pco)
    pco.run("pco-queue", "resume")

    pco.wait("all starts", lambda: [births(pco, session) for session in (*three, waiting)] == [2, 2, 2, 1])
    assert paused(pco) == ""
    waiting.ends()


def added(pco: Installed) -> list[Inside]:
    """An approved ticket for which there is no slot."""
    key = pco.run("pco-queue", "add", "--test", "--text", "Wait.").partition(":")[0]
    pco.run("pco-queue", "approve", "--yes", key)
    return [Inside(pco.host, key)]


def test_a_slice_that_is_stopped_while_nothing_runs_pauses_too(pco):
    pco.wait("no session", lambda: "active" not in pco.states().values())

    pco.host.systemctl("stop", "pco-sessions.slice")
    (waiting,) = added(pco)

    pco.wait("the pause", lambda: paused(pco) == WHY)
    assert births(pco, waiting) == 0
    pco.run("pco-queue", "resume")
    pco.wait("its start", lambda: state(pco, waiting) == "active")
    await_agent(pco, waiting)
    waiting.ends()
    pco.wait("its end", lambda: state(pco, waiting) != "active")


@pytest.mark.parametrize("killed", ["tmux", "wrapper"])
def test_a_session_that_is_killed_is_noticed_at_once_and_tried_again(killed, pco):
    pco.host.write("/etc/pco/pco.yaml.d/retry.yaml", "sessions: {retry_after: 1s}\n")
    restart_watcher(pco)
    (session,) = begin(pco)
    wrapper = json.loads(pco.host.exec("sh", "-c", f"cat {session.state}/out/*/birth").stdout)["pid"]

    pco.host.exec("kill", "-KILL", str(session.main if killed == "tmux" else wrapper))

    pco.wait("the next attempt", lambda: births(pco, session) == 2)
    pco.wait("the record", lambda: outcomes(pco, session)[0][1] in ("died", "interrupted"))
    pco.host.exec("rm", "/etc/pco/pco.yaml.d/retry.yaml")
    restart_watcher(pco)
    session.ends()
    pco.wait("its end", lambda: state(pco, session) != "active")


def test_a_unit_that_fails_before_birth_is_noticed_at_once_and_says_why(pco):
    fails = "[Service]\nBindReadOnlyPaths=/nowhere\n"
    pco.host.write("/etc/systemd/system/pco-session@.service.d/fails.conf", fails)
    pco.host.systemctl("daemon-reload")

    (session,) = added(pco)
    told, match = "not born in time (its unit: exit-code)", f"PCO_KEY={session.key}"
    pco.wait("the verdict", lambda: any(told in entry["MESSAGE"] for entry in pco.host.journal(match)))
    pco.host.exec("rm", "-r", "/etc/systemd/system/pco-session@.service.d")
    pco.host.systemctl("daemon-reload")

    assert state(pco, session) == "approved"
    assert outcomes(pco, session) == [(1, "never-started")]
    pco.run("pco-queue", "reject", "--yes", session.key)


@pytest.mark.parametrize("power", ["reboot", "cut"])
def test_after_the_machine_went_down_sessions_begin_again_once_and_nothing_is_paused(power, pco, three):
    kept = begin(pco)[0]
    kept.complete("Before the end.")
    pco.wait("the record", lambda: "Before the end." in pco.run("pco-queue", "show", kept.key))

    if power == "reboot":
        pco.host.reboot()
    else:
        pco.host.cut()
        pco.host.start()

    pco.wait("the summary", lambda: state(pco, kept) == "completed")
    for session in three:
        pco.wait(f"{session.key} again", lambda session=session: births(pco, session) == 2)
        await_agent(pco, session)
    assert paused(pco) == ""
    assert all(state(pco, session) == "active" for session in three)
    # Who was told to end before the machine went down may have been judged by then.
    first = {outcomes(pco, session)[0][1] for session in three}
    assert first <= ({"reboot"} if power == "cut" else {"reboot", "interrupted"})
    assert [births(pco, session) for session in three] == [2, 2, 2]
    slots = [
        json.loads(pco.host.read(f"/var/spool/pco/active/{s.key}.json"))["rounds"][-1]["attempts"][-1] for s in three
    ]
    assert sorted(one["slot"] for one in slots) == sorted({one["slot"] for one in slots})


def test_nothing_has_failed(pco):
    assert [line for line in pco.failed().splitlines() if "pco-session@" not in line] == []
