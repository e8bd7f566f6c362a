"""Headless: what each end of the real CLI means, and that no ticket is lost by it."""

import os
import re
import signal
import time

import pytest

from claude.agents import commit, complete, write
from pco.ground.ticket import State


def test_its_last_word_is_the_summary_and_its_commits_come_along(desk, model):
    pco = desk(mode="headless")
    key = pco.ticket()
    model.set_rules(
        [{"match": "Work on", "steps": [write(pco.workspace(key) / "made.txt"), commit(), {"text": "All **done**."}]}]
    )
    pco.launch()

    ticket = pco.comes_to(key, State.COMPLETED, State.FAILED)

    assert (ticket.state, ticket.round.summary, ticket.round.summary_by) == (State.COMPLETED, "All **done**.", "agent")
    assert [c.subject for c in ticket.round.work.commits] == ["Add made.txt"]
    assert list(dict.fromkeys(pco.kinds(key))) == ["launched", "started", "working", "turn_ended", "ended"]


def test_a_summary_that_the_agent_hands_over_goes_before_its_last_word(desk, model):
    pco = desk(mode="headless")
    model.set_rules([{"match": "Work on", "steps": [complete('Handed over; it\'s "quoted".'), {"text": "Bye."}]}])

    ticket = pco.comes_to(pco.run(), State.COMPLETED)

    assert ticket.round.summary == 'Handed over; it\'s "quoted".'


@pytest.mark.parametrize(
    ("claude", "steps", "outcome", "why", "draft"),
    [
        (
            {},
            [
                {"tool": "Bash", "input": {"command": "curl http://127.0.0.1:1", "description": "x"}},
                {"text": "Could not."},
            ],
            "denied",
            "Bash curl http://127.0.0.1:1",
            "Could not.",
        ),
        ({"max_turns": 2}, [{"tool": "Bash", "input": {"command": "git status"}}], "max-turns", "max_turns", ""),
        (
            {"max_budget_usd": 0.0001},
            [{"text": "First.", "tool": "Bash", "input": {"command": "git status"}}],
            "over-budget",
            "money",
            "",
        ),
        ({}, [{"status": 400, "message": "bad thing"}], "failed", "bad thing", ""),
    ],
    ids=["denied", "turns", "budget", "bad request"],
)
def test_an_end_that_a_person_must_look_at(desk, model, claude, steps, outcome, why, draft):
    model.set_rules([{"match": "Work on", "steps": steps}])
    pco = desk(mode="headless", **claude)

    ticket = pco.comes_to(pco.run(), State.FAILED)

    assert ticket.attempt.outcome == outcome
    assert why in ticket.history[-1].why
    assert (ticket.round.summary, ticket.round.draft) == ("", draft)
    assert len(ticket.round.attempts) == 1


@pytest.mark.parametrize(
    "down", [{"status": 529}, {"status": 500}, {"status": 429}, {"status": 401}, {"garbage": True}], ids=str
)
def test_an_api_that_is_down_ends_in_a_retry_that_goes_on_where_it_was(desk, model, down):
    model.set_rules([{"match": "", "steps": [{"text": "Done at last."}]}])
    model.down = down
    pco = desk(mode="headless")
    key = pco.run()
    ticket = pco.comes_to(key, State.APPROVED)
    assert ticket.attempt.outcome == "passing-error", ticket.history[-1].why

    model.down = {}
    pco.until(
        key, lambda: pco.site.run("pco-launch") and pco.site.spool().find(key) is not State.APPROVED, "tried again"
    )

    ticket = pco.comes_to(key, State.COMPLETED)
    assert ticket.round.summary == "Done at last."
    assert len(ticket.round.attempts) == 2


def test_an_answer_that_always_breaks_off_is_no_success(desk, model):
    model.set_rules(
        [{"match": "", "steps": [{"text": "This is a long text of which only a part arrives.", "cut": True}]}]
    )
    pco = desk(mode="headless")
    key = pco.run()

    ticket = pco.comes_to(key, State.APPROVED, State.FAILED, State.COMPLETED)

    assert ticket.attempt.outcome == "cut-off", pco.result(key)
    assert "Connection to the API was lost" in ticket.history[-1].why


def test_an_answer_that_breaks_off_while_it_streams_is_asked_for_again_in_one_piece(desk, model):
    model.set_rules([{"match": "", "steps": [{"text": "This is a long text. It all arrives.", "cut": "stream"}]}])
    pco = desk(mode="headless")

    ticket = pco.comes_to(pco.run(), State.APPROVED, State.FAILED, State.COMPLETED)

    assert ticket.round.summary == "This is a long text. It all arrives."


def test_an_api_that_nobody_answers_for_ends_in_a_retry(desk, model):
    pco = desk(mode="headless", base_url="http://127.0.0.1:9")

    ticket = pco.comes_to(pco.run(), State.APPROVED, State.FAILED)

    assert ticket.attempt.outcome == "passing-error", ticket.history[-1].why


NASTY = "Done: `it` & \"it's\" $(touch /tmp/PCO-PWNED) $HOME\n\n- ünïcödé \\d *two* 'three' | < > # ;"


@pytest.mark.parametrize("mode", ["interactive", "headless"])
def test_what_the_prompt_says_hands_over_any_summary_and_nobody_is_asked(desk, model, mode):
    pco = desk(mode=mode)
    key = pco.ticket()
    pco.launch()
    prompt = (pco.home(key) / "prompt.md").read_text()
    command = re.search(r"^pco-complete .*?^END$", prompt, re.S | re.M)[0].replace("...", NASTY)
    model.set_rules(
        [
            {
                "match": "",
                "steps": [{"tool": "Bash", "input": {"command": command, "description": "x"}}, {"text": "Bye."}],
            }
        ]
    )

    ticket = pco.comes_to(key, State.COMPLETED)

    assert (ticket.round.summary, ticket.round.blocked) == (NASTY, ())
    assert not os.path.exists("/tmp/PCO-PWNED")


def test_who_attaches_reads_what_runs_there_and_where_to_look(desk, model):
    model.set_rules([{"match": "", "steps": [{"text": "x", "sleep": 30}]}])
    pco = desk(mode="headless")
    key = pco.run()
    pco.tells(key, "working")

    assert f"{key}: Claude Code at work, headless: nothing is shown or asked" in pco.screen(key)
    told = pco.site.run("pco-queue", "show", key).stdout
    assert "working" in told and "pco-queue show" in pco.screen(key)


@pytest.mark.parametrize(
    ("number", "outcome", "to"),
    [
        (signal.SIGKILL, "died", State.APPROVED),
        (signal.SIGTERM, "failed", State.FAILED),
        (signal.SIGINT, "failed", State.FAILED),
    ],
)
def test_an_agent_that_is_ended_from_outside(desk, model, number, outcome, to):
    model.set_rules([{"match": "", "steps": [{"text": "x", "sleep": 30}]}])
    pco = desk(mode="headless")
    key = pco.run()
    pco.tells(key, "working")
    time.sleep(0.3)
    os.kill(pco.pid(key), number)

    assert pco.comes_to(key, to).attempt.outcome == outcome
