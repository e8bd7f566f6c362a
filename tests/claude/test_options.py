"""What the configuration says of Claude Code, for all projects or for one, and what the real CLI makes of it."""

import json
import re
import sys
import uuid
from contextlib import closing
from pathlib import Path

import pytest

from claude.agents import Desk, write
from pco.ground.ticket import State
from pco.sim.model import Model
from pco.sim.model.script import blocks
from sessions import git

SERVER = Path(__file__).with_name("mcp_server.py")
KIND = "This repository wants everybody to be kind."


def bash(command):
    """A step with one command."""
    return {"tool": "Bash", "input": {"command": command, "description": "x"}}


LOOK = {"text": "First.", **bash("git status")}
DEAR = {**LOOK, "usage": {"input_tokens": 800_000}}
SAY = {"text": "Done."}
# Of each project: what it has otherwise than all, and what its agent does.
PROJECTS = {
    "plain": ({}, [bash("git tag made"), SAY]),
    "model": ({"model": "haiku"}, [SAY]),
    "allowed": ({"allowed_tools": ["Bash(git tag:*)"]}, [bash("git tag made"), SAY]),
    "disallowed": ({"disallowed_tools": ["Bash(git status:*)"]}, [LOOK, SAY]),
    "turns": ({"max_turns": 2}, [LOOK, LOOK, LOOK, SAY]),
    "budget": ({"max_budget_usd": 1}, [DEAR, SAY]),
    "mcp": (
        {"mcp_config": "shop", "allowed_tools": ["mcp__shop__price"]},
        [{"tool": "mcp__shop__price", "input": {"thing": "cake"}}, SAY],
    ),
    "unkind": ({"instructions": False}, [SAY]),
    "mode": ({"permission_mode": "dontAsk"}, [write(Path("made.txt")), SAY]),
    "person": ({"mode": "interactive", "max_budget_usd": 1}, [DEAR, SAY]),
}


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A pco whose projects differ, after one ticket of each: the pco, and the tickets by the project's name."""
    home, claude = tmp_path_factory.mktemp("options") / "pco", {"mode": "headless", "model": "sonnet"}
    with Model() as model, closing(Desk.of(home, model, claude)) as pco:
        work = pco.repository.with_suffix(".work")
        (work / "CLAUDE.md").write_text(f"{KIND}\n")
        git("add", ".", cwd=work)
        git("commit", "-qm", "be kind", cwd=work)
        git("push", "-q", "origin", "main", cwd=work)
        shop = pco.site.home / "shop.json"
        shop.write_text(json.dumps({"mcpServers": {"shop": {"command": sys.executable, "args": [str(SERVER)]}}}))
        ids = {name: str(uuid.uuid4()) for name in PROJECTS}
        projects = []
        for name, (claude, _) in PROJECTS.items():
            claude = {**claude, **({"mcp_config": str(shop)} if "mcp_config" in claude else {})}
            projects.append({"id": ids[name], "repository": str(pco.repository), "claude": claude})
        pco.site.configure(plane={"projects": projects})
        pco.watch_anew()
        keys = {name: pco.place(ids[name]) for name in PROJECTS}
        model.set_rules([{"match": rf"{keys[name]}\b", "steps": steps} for name, (_, steps) in PROJECTS.items()])
        pco.launch(*keys.values())
        yield pco, {name: pco.comes_to(key, State.COMPLETED, State.FAILED) for name, key in keys.items()}


def asked(ran, name):
    """The requests of a project's agent."""
    pco, tickets = ran
    return [turn for turn in pco.model.turns() if re.search(rf"{tickets[name].key}\b", turn["said"])]


def results(ran, name):
    """What its tools answered."""
    parts = [part for message in asked(ran, name)[-1]["messages"] for part in blocks(message)]
    return [str(part["content"]) for part in parts if part["type"] == "tool_result"]


def tags(ran, name):
    """What its agent has tagged."""
    return git("tag", cwd=ran[0].workspace(ran[1][name].key))


def end(ran, name):
    """How the attempt of a project's ticket ended."""
    return ran[1][name].attempt.outcome


def test_what_is_not_allowed_is_refused(ran):
    assert end(ran, "plain") == "denied"
    assert tags(ran, "plain") == ""


def test_a_project_has_a_model_of_its_own(ran):
    assert {turn["model"].split("-")[1] for turn in asked(ran, "plain")} == {"sonnet"}
    assert {turn["model"].split("-")[1] for turn in asked(ran, "model")} == {"haiku"}


def test_allowed_tools_are_used_unasked(ran):
    assert end(ran, "allowed") == "completed"
    assert tags(ran, "allowed") == "made"


def test_disallowed_tools_are_refused_even_where_every_ticket_needs_them(ran):
    assert end(ran, "disallowed") == "denied"
    assert "git status" in ran[1]["disallowed"].history[-1].why
    assert "nothing to commit" not in str(results(ran, "disallowed"))


def test_turns_are_counted(ran):
    assert end(ran, "turns") == "max-turns"
    assert len(asked(ran, "turns")) == 2


@pytest.mark.parametrize("name", ["budget", "person"])
def test_a_session_that_spends_too_much_is_ended(ran, name):
    ticket = ran[1][name]
    assert (ticket.state, ticket.attempt.outcome) == (State.FAILED, "over-budget")
    assert ticket.attempt.cost.usd > 1


def test_a_server_of_tools_is_there_and_asked(ran):
    assert end(ran, "mcp") == "completed"
    assert "cake: 4711 crowns" in str(results(ran, "mcp"))
    assert "mcp__shop__price" not in str([turn["tools"] for turn in asked(ran, "plain")])


def test_the_instructions_of_the_repository_come_with_the_system_prompt_unless_they_are_not_wanted(ran):
    assert KIND in json.dumps(asked(ran, "plain")[0]["system"])
    assert KIND not in json.dumps(asked(ran, "unkind"))


def test_a_permission_mode_of_a_project_goes_before_that_of_all(ran):
    assert end(ran, "mode") == "denied"
    assert "Write" in ran[1]["mode"].history[-1].why
