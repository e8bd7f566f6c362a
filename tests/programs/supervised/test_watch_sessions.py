"""pco-watch and pco-session together: real tmux sessions with small agents, from birth to the next state."""

import os
import signal
import time
from dataclasses import replace

from pco.commands.watching import collect, desk
from pco.ground import boot, leavings
from pco.ground.ticket import State, Stop
from pco.run import Pco
from sessions import Yard, git, sh, until
from support import T0

FOREVER = sh("sleep 1000")
DEAF = sh("trap '' TERM HUP; while :; do sleep 0.1; done")


def stop(yard: Yard, key: str, to: str = "rejected") -> None:
    """As pco-queue stop does: into the record, and a byte into the trigger."""
    asked = Stop(T0, "alice", "wrong ticket", to)
    yard.site.spool().update(key, lambda ticket: (replace(ticket, stop=asked), None))
    yard.ring()


def working(yard: Yard, key: str) -> None:
    """Wait until the agent runs."""
    until(lambda: list(yard.out(key).glob("events/*.json")))
    until(lambda: (attempt_ := yard.ticket(key).attempt) and attempt_.born)


def session_pid(yard: Yard, key: str) -> int:
    """The process of pco-session."""
    handle = leavings.open_out(yard.out(key))
    try:
        birth = leavings.read_birth(handle)
    finally:
        os.close(handle)
    assert birth
    return birth.pid


def test_a_session_that_commits_and_hands_over_a_summary_is_completed_with_its_work(yard: Yard, watch: object) -> None:
    agent = "cat > got; git add got; git commit -q -m 'the work'; echo rest > left; pco-complete 'All done.'"
    yard.run("WEB-1", sh(agent))

    ticket = yard.comes_to("WEB-1", State.COMPLETED)

    done = ticket.attempt
    assert (ticket.round.summary, ticket.round.summary_by) == ("All done.", "agent")
    assert done and done.end and (done.outcome, done.exit, done.born) == ("completed", 0, True)
    work = ticket.round.work
    assert work and [c.subject for c in work.commits] == ["the work"]
    assert (work.uncommitted, work.problem, "got" in work.diffstat) == (1, "", True)
    assert git("--git-dir", str(yard.mirror), "show", "pco/WEB-1:got") == "Work on WEB-1."


def test_who_rings_while_others_are_dealt_with_is_looked_at_again_at_once(yard: Yard) -> None:
    pco = Pco("pco-watch")
    pco.config_file = str(yard.site.config)
    rings: list[bool] = []

    def first_one_done() -> None:
        if not rings:
            leavings.write_account(yard.out(first), leavings.Account(1.0))
            rings.append(True)
            time.sleep(2 * desk.LONG)

    for key in ("WEB-1", "WEB-2"):
        yard.run(key, FOREVER)
        until(lambda key=key: list(yard.out(key).glob("events/*.json")))
    first, _ = yard.site.spool().keys(State.ACTIVE)
    quiet = desk.Desk(pco, yard.tmux, lambda: None)
    until(lambda: quiet.scan(lambda: False) > boot.clock() + desk.SOON)

    busy = desk.Desk(pco, yard.tmux, first_one_done)
    due = busy.scan(lambda: rings == [True] and rings.append(False) is None)

    assert yard.ticket(first).cost == 0.0
    assert due <= boot.clock()
    busy.scan(lambda: False)
    assert yard.ticket(first).cost == 1.0


def test_the_next_launch_the_push_and_the_dashboard_are_woken_when_a_session_is_over(yard: Yard, watch: object) -> None:
    yard.run("WEB-1", sh("pco-complete done"))

    yard.comes_to("WEB-1", State.COMPLETED)

    assert until(lambda: {"launch", "push", "dashboard"} <= set(os.listdir(yard.site.home / "spool" / "wake")))


def test_a_session_that_goes_on_after_its_summary_is_ended_after_the_grace(yard: Yard, watch: object) -> None:
    yard.run("WEB-1", sh("pco-complete done; sleep 1000"))

    ticket = yard.comes_to("WEB-1", State.COMPLETED)

    assert ticket.attempt and ticket.attempt.exit == 128 + signal.SIGTERM


def test_an_agent_that_hears_no_term_is_killed_after_its_grace(yard: Yard, watch: object) -> None:
    yard.run("WEB-1", DEAF)
    working(yard, "WEB-1")

    stop(yard, "WEB-1")

    ticket = yard.comes_to("WEB-1", State.REJECTED)
    assert ticket.attempt and ticket.attempt.exit == 128 + signal.SIGKILL


def test_a_session_that_somebody_killed_has_died_and_its_ticket_waits_for_the_next_attempt(
    yard: Yard, watch: object
) -> None:
    yard.run("WEB-1", FOREVER)
    working(yard, "WEB-1")

    os.kill(session_pid(yard, "WEB-1"), signal.SIGKILL)

    ticket = yard.comes_to("WEB-1", State.APPROVED)
    assert ticket.attempt and (ticket.attempt.outcome, ticket.attempt.exit) == ("died", None)
    assert yard.tmux.list() == frozenset()


def test_a_session_that_is_killed_between_its_summary_and_its_commits_says_where_they_are(
    yard: Yard, watch: object
) -> None:
    yard.run("WEB-1", sh("echo x >x; git add x; git commit -qm x; pco-complete done; sleep 1000"))
    until(lambda: yard.ticket("WEB-1").round.summary)

    os.kill(session_pid(yard, "WEB-1"), signal.SIGKILL)

    work = yard.comes_to("WEB-1", State.COMPLETED).round.work
    assert work and (work.commits, work.problem) == ((), collect.CUT_OFF)


def test_an_end_is_noticed_though_the_runner_was_asked_a_moment_before(yard: Yard, watch: object) -> None:
    yard.run("WEB-1", FOREVER)
    working(yard, "WEB-1")
    for _ in range(25):
        yard.ring()
        time.sleep(0.02)

    os.kill(session_pid(yard, "WEB-1"), signal.SIGKILL)

    yard.comes_to("WEB-1", State.APPROVED)


def test_the_last_attempt_that_dies_leads_to_failed(yard: Yard) -> None:
    yard.site.configure(sessions={"attempts": 1})
    yard.watch()
    yard.run("WEB-1", FOREVER)
    working(yard, "WEB-1")

    os.kill(session_pid(yard, "WEB-1"), signal.SIGKILL)

    yard.comes_to("WEB-1", State.FAILED)


def test_an_agent_that_ends_without_a_summary_has_failed_and_what_it_committed_is_kept(
    yard: Yard, watch: object
) -> None:
    yard.run("WEB-1", sh("echo x > x; git add x; git commit -q -m half; exit 3"))

    ticket = yard.comes_to("WEB-1", State.FAILED)

    assert ticket.attempt and (ticket.attempt.outcome, ticket.attempt.exit) == ("failed", 3)
    assert ticket.round.work and [c.subject for c in ticket.round.work.commits] == ["half"]


def test_a_passing_error_is_tried_again_in_the_same_workspace_and_then_completes(yard: Yard, watch: object) -> None:
    agent = sh(
        "test -e done && pco-complete 'second time' && exit; touch done; git add done; git commit -qm one; exit 75"
    )
    yard.run("WEB-1", agent)
    ticket = yard.comes_to("WEB-1", State.APPROVED)
    assert ticket.attempt and ticket.attempt.outcome == "passing-error"
    os.unlink(yard.site.spool().path("WEB-1", State.APPROVED))

    yard.claim("WEB-1", agent, ticket=ticket)
    yard.begin("WEB-1", n=2)

    ticket = yard.comes_to("WEB-1", State.COMPLETED)
    assert [a.outcome for a in ticket.round.attempts] == ["passing-error", "completed"]
    assert ticket.round.work and [c.subject for c in ticket.round.work.commits] == ["one"]


def test_launch_is_woken_when_the_time_for_the_next_attempt_has_come(yard: Yard, watch: object) -> None:
    yard.run("WEB-1", sh("exit 75"))
    yard.comes_to("WEB-1", State.APPROVED)
    wake = yard.site.home / "spool" / "wake" / "launch"
    until(wake.exists)
    wake.unlink()

    until(wake.exists)


def test_a_session_asked_to_stop_is_ended_and_rejected(yard: Yard, watch: object) -> None:
    yard.run("WEB-1", FOREVER)
    working(yard, "WEB-1")

    stop(yard, "WEB-1")

    ticket = yard.comes_to("WEB-1", State.REJECTED)
    assert ticket.attempt and (ticket.attempt.outcome, ticket.stop) == ("stopped", None)
    assert "alice: wrong ticket" in ticket.history[-1].why


def test_a_session_stopped_by_a_pause_goes_back_to_approved_and_does_not_count(yard: Yard, watch: object) -> None:
    yard.run("WEB-1", FOREVER)
    working(yard, "WEB-1")

    stop(yard, "WEB-1", to="approved")

    ticket = yard.comes_to("WEB-1", State.APPROVED)
    assert ticket.attempt and (ticket.attempt.outcome, ticket.stop) == ("stopped", None)


def test_a_request_to_stop_loses_against_a_summary(yard: Yard, watch: object) -> None:
    yard.run("WEB-1", sh("trap 'pco-complete \"just in time\"; exit' TERM; while :; do sleep 0.05; done"))
    working(yard, "WEB-1")

    stop(yard, "WEB-1")

    assert yard.comes_to("WEB-1", State.COMPLETED).round.summary == "just in time"


def test_a_session_whose_pane_somebody_closed_was_interrupted(yard: Yard, watch: object) -> None:
    yard.run("WEB-1", FOREVER)
    working(yard, "WEB-1")

    yard.tmux._tmux(("kill-session", "-t", "=WEB-1"))

    ticket = yard.comes_to("WEB-1", State.APPROVED)
    assert ticket.attempt and (ticket.attempt.outcome, ticket.attempt.exit) == ("interrupted", 128 + signal.SIGHUP)


def test_a_session_that_the_runner_forgot_before_it_ended_is_waited_for(yard: Yard, watch: object) -> None:
    yard.run(
        "WEB-1",
        sh("trap 'sleep 0.7; pco-complete \"on the way out\"; exit' HUP; while :; do sleep 0.05; done"),
        launch={"grace": 10.0},
    )
    working(yard, "WEB-1")

    yard.tmux._tmux(("kill-session", "-t", "=WEB-1"))

    assert yard.comes_to("WEB-1", State.COMPLETED).round.summary == "on the way out"


def test_a_summary_handed_over_from_outside_ends_the_session_and_completes_the_ticket(
    yard: Yard, watch: object
) -> None:
    yard.run("WEB-1", FOREVER)
    working(yard, "WEB-1")

    yard.site.run("pco-complete", "WEB-1", "by hand")

    assert yard.comes_to("WEB-1", State.COMPLETED).round.summary == "by hand"


def test_two_sessions_at_the_same_time_do_not_touch_each_other(yard: Yard, watch: object) -> None:
    yard.run("WEB-1", FOREVER)
    yard.run("WEB-10", FOREVER)
    working(yard, "WEB-1")
    working(yard, "WEB-10")

    stop(yard, "WEB-1")

    yard.comes_to("WEB-1", State.REJECTED)
    assert yard.state("WEB-10") is State.ACTIVE
    assert yard.tmux.list() == frozenset(["WEB-10"])
