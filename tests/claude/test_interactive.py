"""Interactive: a person at the terminal of the real CLI, and what pco knows of it at once."""

import os
import signal
from pathlib import Path

import pytest

from claude.agents import commit, complete, write
from pco.ground.ticket import State

NASTY = 'done: "it" & $(touch /tmp/PCO-PWNED) `id`; {{x}} !rm – ünïcödé'
RUN = {"tool": "Bash", "input": {"command": "echo built > built.txt", "description": "build"}}
ASK = {
    "tool": "AskUserQuestion",
    "input": {
        "questions": [
            {
                "question": "Which colour?",
                "header": "Colour",
                "multiSelect": False,
                "options": [{"label": "Red", "description": "as now"}, {"label": "Blue", "description": "new"}],
            }
        ]
    },
}


def test_a_person_hands_over_with_complete_and_the_model_is_not_asked(desk, model):
    pco = desk()
    model.set_rules([{"match": "Work on", "steps": [{"text": "I am done, I think."}]}])
    key = pco.run()
    pco.tells(key, "turn_ended")
    before = len(model.turns())

    pco.type(key, f"/complete {NASTY}\nsecond line")
    ticket = pco.comes_to(key, State.COMPLETED)

    assert ticket.round.summary == f"{NASTY}\nsecond line"
    assert len(model.turns()) == before
    assert not os.path.exists("/tmp/PCO-PWNED")


def test_a_summary_that_is_refused_leaves_the_session_at_rest(desk, model):
    pco = desk()
    model.set_rules([{"match": "Work on", "steps": [{"text": "I am done, I think."}]}])
    key = pco.run()
    pco.until(key, lambda: pco.record(key).attempt.doing == "its turn has ended", "at rest")

    pco.type(key, "/complete")
    pco.shows(key, "Write /complete SUMMARY")

    assert pco.kinds(key)[-1] == "turn_ended"
    assert pco.record(key).attempt.doing == "its turn has ended"


def test_the_agent_itself_works_and_hands_over(desk, model):
    pco = desk()
    key = pco.ticket()
    steps = [write(pco.workspace(key) / "made.txt"), commit(), complete("Made it."), {"text": "Bye."}]
    model.set_rules([{"match": "Work on", "steps": steps}])
    pco.launch()

    ticket = pco.comes_to(key, State.COMPLETED)

    assert ticket.round.summary == "Made it."
    assert [c.subject for c in ticket.round.work.commits] == ["Add made.txt"]
    assert ticket.round.blocked == ()
    assert ticket.attempt.exit == 143


def test_a_permission_dialog_is_blocked_at_once_and_until_a_person_answers(desk, model):
    pco = desk()
    pco.site.configure(sessions={"permission_mode": "default"})
    model.set_rules([{"match": "Work on", "steps": [RUN, {"text": "Built."}]}])
    key = pco.run()
    blocked = pco.until(key, lambda: pco.record(key).blocked, "blocked")
    assert blocked.what == "Bash: echo built > built.txt"

    pco.shows(key, "Do you want to proceed?")
    pco.press(key, "1")
    pco.tells(key, "turn_ended")

    ticket = pco.until(key, lambda: not pco.record(key).blocked and pco.record(key), "unblocked")
    (interval,) = ticket.round.blocked
    assert interval.to > interval.from_
    assert (pco.workspace(key) / "built.txt").read_text() == "built\n"


def test_a_question_of_the_agent_is_blocked_with_the_question(desk, model):
    pco = desk()
    model.set_rules([{"match": "Work on", "steps": [ASK, {"text": "Blue it is."}]}])
    key = pco.run()

    blocked = pco.until(key, lambda: pco.record(key).blocked, "blocked")
    assert blocked.what == "question: Which colour?"
    pco.shows(key, "Which colour?")
    pco.press(key, "2")
    pco.tells(key, "turn_ended")
    pco.until(key, lambda: not pco.record(key).blocked, "unblocked")


def test_idle_is_known_and_ends_in_a_draft_that_nobody_posts(desk, model):
    pco = desk()
    pco.site.configure(sessions={"idle_after": "2s"})
    pco.watch_anew()
    model.set_rules([{"match": "Work on", "steps": [{"text": "What shall I do next?"}]}])

    key = pco.run()
    ticket = pco.comes_to(key, State.FAILED)

    assert (ticket.attempt.outcome, ticket.round.summary, ticket.round.draft) == ("idle", "", "What shall I do next?")
    assert "nobody spoke to it" in ticket.history[-1].why


def test_a_failed_turn_is_told_and_the_session_stays_for_a_person(desk, model):
    pco = desk()
    model.set_rules([{"match": "again", "steps": [{"text": "Better."}]}, {"match": "", "steps": [{"status": 500}]}])
    key = pco.run()
    pco.tells(key, "turn_failed")
    ticket = pco.until(
        key, lambda: pco.record(key).attempt.doing.startswith("its turn failed") and pco.record(key), "told"
    )
    assert "API Error: 500" in ticket.attempt.doing

    pco.type(key, "Try again, please")
    assert pco.tells(key, "turn_ended").detail["last"] == "Better."


def test_a_failed_turn_that_nobody_mends_is_tried_again_in_the_same_conversation(desk, model):
    pco = desk()
    pco.site.configure(sessions={"turn_failed_after": "1s"})
    pco.watch_anew()
    model.down = {"status": 529}
    key = pco.run()
    ticket = pco.comes_to(key, State.APPROVED)
    assert ticket.attempt.outcome == "passing-error"
    assert "529" in ticket.history[-1].why

    model.down = {}
    pco.until(key, lambda: pco.site.run("pco-launch") and pco.site.spool().find(key) is State.ACTIVE, "tried again")
    pco.tells(key, "turn_ended", n=2)
    pco.shows(key, f"Work on ticket {key}")
    pco.shows(key, f"Ticket {key} is with you again")


def test_esc_and_clear_do_not_confuse_it(desk, model):
    pco = desk()
    model.set_rules(
        [
            {"match": "go on", "steps": [{"text": "Here I am."}]},
            {"match": "Work on", "steps": [{"text": "I am thinking about it for a while. " * 20, "pace": 1}]},
        ]
    )
    key = pco.run()
    first = pco.tells(key, "started").detail["session"]
    pco.tells(key, "working")
    # Before its first word the prompt would only go back into the line.
    pco.shows(key, "I am thinking")
    pco.press(key, "Escape")
    pco.shows(key, "Interrupted")
    pco.type(key, "/clear")
    second = pco.tells(key, "started", count=2).detail["session"]
    assert second != first
    pco.type(key, "go on")
    pco.tells(key, "turn_ended")
    pco.type(key, "/complete All done.")

    ticket = pco.comes_to(key, State.COMPLETED)
    assert (ticket.round.summary, ticket.attempt.agent_session) == ("All done.", second)


def test_a_terminal_that_is_closed_is_not_the_agents_fault(desk, model):
    pco = desk()
    key = pco.run()
    pco.tells(key, "turn_ended")
    pco.tmux("kill-session", "-t", f"={key}")

    assert pco.comes_to(key, State.APPROVED).attempt.outcome == "interrupted"


def test_a_killed_cli_is_tried_again_and_goes_on(desk, model):
    pco = desk()
    key = pco.run()
    first = pco.tells(key, "started").detail["session"]
    pco.tells(key, "turn_ended")
    # It writes its words down a moment later than it tells.
    pco.until(key, lambda: '"assistant"' in Path(pco.record(key).attempt.transcript).read_text(), "written down")
    os.kill(pco.pid(key), signal.SIGKILL)
    assert pco.comes_to(key, State.APPROVED).attempt.outcome == "died"

    pco.until(key, lambda: pco.site.run("pco-launch") and pco.site.spool().find(key) is State.ACTIVE, "tried again")
    again = pco.tells(key, "started", n=2).detail
    assert (again["session"], again["source"]) == (first, "resume")


def test_a_cli_that_is_killed_before_it_wrote_down_a_word_begins_afresh(desk, model):
    model.set_rules([{"match": "", "steps": [{"text": "x", "sleep": 60}]}])
    pco = desk()
    key = pco.run()
    first = pco.tells(key, "started").detail["session"]
    os.kill(pco.pid(key), signal.SIGKILL)
    pco.comes_to(key, State.APPROVED)

    pco.until(key, lambda: pco.site.run("pco-launch") and pco.site.spool().find(key) is State.ACTIVE, "tried again")
    again = pco.tells(key, "started", n=2).detail

    assert again["session"] != first
    assert "earlier conversation" in pco.until(key, lambda: pco.record(key).attempt.afresh, "afresh")


def test_a_cli_that_hangs_is_ended_and_tried_again(desk, model):
    pco = desk()
    pco.site.configure(sessions={"stall_after": "2s"})
    pco.watch_anew()
    model.set_rules([{"match": "", "steps": [{"text": "x", "sleep": 60}]}])
    key = pco.run()
    pco.tells(key, "working")
    os.kill(pco.pid(key), signal.SIGSTOP)

    assert pco.comes_to(key, State.APPROVED).attempt.outcome == "stalled"


@pytest.mark.parametrize("template", ['{"hasCompletedOnboarding": false}'])
def test_a_cli_that_asks_instead_of_beginning_is_given_up_in_time(desk, model, template):
    pco = desk()
    folder = pco.site.home / "template"
    (folder / "commands").mkdir(parents=True)
    (folder / "commands" / "complete.md").write_text("x\n")
    (folder / ".claude.json").write_text(template)
    pco.site.configure(claude={"template": str(folder)}, sessions={"start_within": "3s", "attempts": 1})
    pco.watch_anew()

    ticket = pco.comes_to(pco.run(), State.FAILED)

    assert ticket.attempt.outcome in ("start-failed", "failed")
