"""pco-setup and the agent: Claude Code or a command, by options and by questions; its key, tried at a stand-in."""

import re
import socket
import termios
import time
from contextlib import closing

import pytest

from pco.commands.setting import agent
from pco.outside.agents.claude import program
from pco.sim.model import KEY, Model
from programs import setting

OTHER = "sk-ant-oat01-stand-in-0123456789abcdef"
TESTED = f"{'.'.join(map(str, program.TESTED))} (Claude Code)"


@pytest.fixture
def desk(site, tmp_path):
    with setting.desk(site, tmp_path / "place") as desk:
        desk.key = desk.config.parent / "credentials" / "agent"
        desk.given_key = desk.folder / "key"
        desk.given_key.write_text(f"{KEY}\n")
        yield desk


@pytest.fixture
def model():
    with Model() as model:
        yield model


def a_program(desk, says=TESTED, name="claude"):
    """A program that knows its version."""
    path = desk.folder / name
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)
    return path


def options(desk, model, **changes):
    """All that is needed for Claude Code; a change to None leaves an option out."""
    given = {
        "command": None,
        "agent": "claude",
        "claude": str(a_program(desk)),
        "agent_key_file": str(desk.given_key),
        "base_url": model.url,
    }
    return desk.options(**{**given, **changes})


def asked(model):
    """What the model's API was asked: path, and how the key came."""
    return [(request["path"], request["by"]) for request in model.requests]


@pytest.fixture
def closed():
    """An address at which nobody answers."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
    return f"http://127.0.0.1:{port}"


# By options.


def test_the_help_says_of_each_mode_what_the_questions_say(site):
    said = site.run("pco-setup", "--help").stdout

    for name, about in agent.PERMISSIONS.items():
        assert re.search(rf"^ +{name} +{re.escape(about)}$", said, re.M)


def test_options_alone_make_claude_code_the_agent_and_its_key_readable_for_its_owner_alone(desk, model):
    said = desk.run("--yes", *options(desk, model))

    config = desk.load()
    assert (config.agent, config.sessions.permission_mode) == ("claude", "acceptEdits")
    assert (config.claude.program, config.claude.mode) == (desk.folder / "claude", "interactive")
    assert (config.claude.base_url, config.claude.key_file) == (model.url, desk.key)
    assert (config.budget.ticket_usd, config.budget.daily_usd) == (20, 100)
    assert desk.key.read_text() == f"{KEY}\n"
    assert (setting.mode(desk.key), setting.mode(desk.key.parent)) == ("0o600", "0o700")
    assert asked(model) == [("/v1/models?limit=1", "key")]
    assert f"ok       {desk.folder}/claude: {TESTED}" in said.stderr
    assert "the agent's API key is taken by 127.0.0.1" in said.stderr
    assert "a ticket may cost $20, a day $100" in said.stderr
    assert "Agent: Claude Code, interactive, acceptEdits" in said.stdout
    assert "warning" not in said.stderr


def test_what_it_writes_explains_itself(desk, model):
    desk.run("--yes", *options(desk, model))

    written = desk.config.read_text()
    for section in ("sessions", "claude", "budget"):
        assert re.search(rf"^# .+\n{section}:$", written, re.M), section
    assert "ticket_usd: 20\n" in written


def test_the_key_is_nowhere_but_in_its_file(desk, model):
    done = desk.run("--yes", "-vv", *options(desk, model))

    assert KEY not in done.stdout + done.stderr
    assert [name for name, (_, text) in desk.files().items() if KEY in text] == ["agent"]


def test_the_key_may_come_on_standard_input(desk, model):
    desk.run("--yes", *options(desk, model, agent_key_file="-"), input=f"{KEY}\n")

    assert desk.key.read_text() == f"{KEY}\n"


def test_standard_input_cannot_hold_both_secrets(desk, model):
    said = desk.run("--yes", *options(desk, model, agent_key_file="-", token_file="-"), input=KEY, code=2).stderr

    assert "standard input can hold only one of them" in said


def test_a_token_of_an_account_goes_as_a_bearer(desk):
    desk.given_key.write_text(OTHER)
    with Model(key=OTHER) as model:
        said = desk.run("--yes", *options(desk, model)).stderr

        assert asked(model) == [("/v1/models?limit=1", "bearer")]
    assert "the agent's OAuth token is taken" in said


def test_what_is_missing_is_named_where_nobody_can_be_asked(desk, model):
    said = desk.run("--yes", *options(desk, model, agent_key_file=None), code=2).stderr

    assert "nobody is there to ask; add --agent-key-file" in said
    assert not desk.config.exists()


def test_a_dry_run_shows_all_but_the_key_and_needs_none(desk, model):
    said = desk.run("--dry-run", *options(desk, model))
    without = desk.run("--dry-run", *options(desk, model, agent_key_file=None))

    assert "the agent's API key, for its owner alone (0600)" in said.stdout
    assert KEY not in said.stdout + said.stderr
    assert "  mode: interactive" in without.stdout
    assert not desk.config.parent.exists()


def test_a_second_run_changes_nothing_and_asks_nobody_about_the_key(desk, model):
    desk.run("--yes", *options(desk, model))
    before, requests = desk.files(), len(model.requests)

    said = desk.run("--yes", "--agent", "claude").stdout

    assert "nothing to do" in said
    assert desk.files() == before
    assert len(model.requests) == requests


def test_one_answer_can_be_changed_and_the_others_stay(desk, model):
    desk.run("--yes", *options(desk, model, ticket_usd="2.50"))
    more = desk.config.read_text().replace("claude:\n", "claude:\n  model: opus\n  allowed_tools: [WebSearch]\n", 1)
    assert "opus" in more
    desk.config.write_text(more)

    desk.run("--yes", "--mode", "headless", "--daily-usd", "0")

    config = desk.load()
    assert (config.claude.mode, config.claude.model, config.claude.allowed_tools) == (
        "headless",
        "opus",
        ("WebSearch",),
    )
    assert (config.budget.ticket_usd, config.budget.daily_usd) == (2.5, 0)
    assert (config.claude.base_url, desk.key.read_text()) == (model.url, f"{KEY}\n")


def test_an_address_of_the_api_can_be_taken_back(desk, model):
    desk.run("--yes", *options(desk, model))

    said = desk.run("--yes", "--base-url", "-").stderr

    assert desk.load().claude.base_url == ""
    assert "the key in place is sent to https://api.anthropic.com from now on" in said


def test_a_command_gives_way_to_claude_code_and_comes_back(desk, model):
    desk.configured(command="/bin/cat -n")

    there = desk.run("--yes", *options(desk, model)).stderr
    assert desk.load().agent == "claude"
    back = desk.run("--yes", "--agent", "command").stderr

    config = desk.load()
    assert (config.agent, config.sessions.command) == ("command", ("/bin/cat", "-n"))
    assert "approved tickets wait for a new one" in there
    assert "approved tickets wait for a new one" in back
    assert f"{desk.key} stays, and sessions of the command are given it" in back
    assert "stays" not in there


def test_a_project_that_has_its_own_way_is_named(desk, model):
    desk.run("--yes", *options(desk, model))
    own = "branch: main\n      claude: {mode: headless}"
    desk.config.write_text(desk.config.read_text().replace("branch: main", own))

    said = desk.run("--yes", "--permission-mode", "plan").stderr

    id = desk.plane.project("WEB")["id"]
    assert f"project {id} has its own: headless, plan" in said
    assert desk.load().plane.projects[0].claude.mode == "headless"


def test_a_token_of_a_place_of_its_own_has_the_key_beside_it(desk, model):
    desk.run("--yes", "--token-to", str(desk.folder / "mine" / "token"), *options(desk, model))

    assert (desk.folder / "mine" / "agent").read_text() == f"{KEY}\n"
    assert desk.load().claude.key_file == desk.folder / "mine" / "agent"


def test_a_configuration_with_a_command_stays_one_with_a_command(desk):
    desk.configured()

    desk.run("--yes", "--label", "bug")

    assert desk.load().agent == "command"
    assert "claude:" not in desk.config.read_text()


@pytest.mark.parametrize("option", ["--mode=headless", "--claude=/bin/true", "--daily-usd=1"])
def test_what_only_claude_code_has_needs_claude_code(desk, option):
    desk.configured()

    said = desk.run("--yes", option, code=2).stderr

    assert f"{option.partition('=')[0]} goes with Claude Code: --agent claude" in said


def test_a_cloud_of_its_own_needs_no_key(desk, model):
    desk.configured()
    with open(desk.config, "a") as file:
        file.write('claude: {environment: {CLAUDE_CODE_USE_BEDROCK: "1"}}\n')

    desk.run("--yes", "--agent", "claude", "--claude", str(a_program(desk)))

    assert desk.load().agent == "claude"
    assert not desk.key.exists()


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"claude": "/nowhere/claude"}, 78, "--claude: claude.program: /nowhere/claude is no program"),
        ({"claude": "no-such-claude"}, 2, "there is no program no-such-claude in PATH"),
        ({"mode": "headles"}, 2, "'interactive', 'headless'"),
        ({"permission_mode": "yolo"}, 2, "'bypassPermissions'"),
        ({"command": "/bin/cat"}, 2, "--command goes with --agent command"),
        ({"base_url": "gateway"}, 2, "--base-url: expected an address such as"),
        ({"ticket_usd": "much"}, 2, "--ticket-usd: expected an amount in USD such as 5 or 2.50"),
        ({"daily_usd": "nan"}, 2, "--daily-usd: expected an amount in USD"),
        ({"agent_key_file": "/nowhere"}, 65, "--agent-key-file: /nowhere: No such file or directory"),
    ],
)
def test_a_wrong_option_is_an_error_that_helps(desk, model, changes, code, words):
    said = desk.run("--yes", *options(desk, model, **changes), code=code).stderr

    assert words in " ".join(said.split())
    assert not desk.config.exists()


@pytest.mark.parametrize(
    ("says", "words"),
    [
        ("1.9.9 (Claude Code)", "is version 1.9.9, older than"),
        ("cat 9.1", "is it Claude Code?"),
        ("", "is it Claude Code?"),
    ],
)
def test_a_program_that_is_too_old_or_another_one_is_refused(desk, model, says, words):
    other = a_program(desk, says, "other")

    said = desk.run("--yes", *options(desk, model, claude=str(other)), code=78).stderr

    assert words in said
    assert f"({program.HINT})" in said
    assert not desk.config.exists()


def test_a_program_that_cannot_start_says_why(desk, model):
    given = options(desk, model)
    (desk.folder / "claude").write_text("#!/usr/bin/env no-such-node\n")

    said = desk.run("--yes", *given, code=78).stderr

    assert "no-such-node" in said


def test_a_newer_version_than_the_tested_one_is_a_warning(desk, model):
    other = a_program(desk, "99.9.0 (Claude Code)", "newer")

    said = desk.run("--yes", *options(desk, model, claude=str(other))).stderr

    assert f"{other} is version 99.9.0; tested is" in said.partition("warning")[2]
    assert desk.load().claude.program == other


def test_a_program_that_is_gone_meanwhile_is_a_warning_for_who_changes_something_else(desk, model):
    desk.run("--yes", *options(desk, model))
    (desk.folder / "claude").unlink()

    said = desk.run("--yes", "--label", "bug").stderr

    assert "claude is no program" in said.partition("warning")[2]
    assert desk.load().filters.labels == ("bug",)


def test_who_is_headless_and_may_edit_nothing_unasked_is_warned(desk, model):
    said = desk.run("--yes", *options(desk, model, mode="headless", permission_mode="default")).stderr

    assert "it edits nothing" in said


# The key.


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "this is no key"),
        ("two words", "this is no key"),
        ("short", "this is no key"),
        ("sk-ant-api03-ключ-0123456789", "this is no key"),
        ("plane_api_0123456789abcdef", "this is a token of Plane"),
    ],
)
def test_what_is_no_key_is_not_taken_and_not_repeated(desk, model, content, words):
    desk.given_key.write_text(content)

    said = desk.run("--yes", *options(desk, model), code=65).stderr

    assert words in said
    assert not content or content not in said
    assert not desk.config.exists()


def test_a_key_that_is_refused_is_not_written(desk, model):
    desk.given_key.write_text("sk-ant-api03-of-nobody")

    said = desk.run("--yes", *options(desk, model), code=77).stderr

    assert "the agent's API key: " in said
    assert "refuses it: invalid x-api-key" in said
    assert "--no-key-check" in said
    assert "of-nobody" not in said
    assert not desk.config.exists()


def test_nobody_need_have_the_key_tried(desk, model):
    desk.given_key.write_text("sk-ant-api03-of-nobody")

    desk.run("--yes", "--no-key-check", *options(desk, model))

    assert desk.key.read_text() == "sk-ant-api03-of-nobody\n"
    assert model.requests == []


def test_an_api_that_does_not_answer_is_a_warning(desk, model, closed):
    said = desk.run("--yes", *options(desk, model, base_url=closed)).stderr

    assert "could not be tried: 127.0.0.1 does not answer: Connection refused" in said.partition("warning")[2]
    assert desk.key.read_text() == f"{KEY}\n"


def test_an_api_that_is_overloaded_is_a_warning(desk, model):
    model.down = {"status": 529}

    said = desk.run("--yes", *options(desk, model)).stderr

    assert "answers 529: overloaded_error" in said.partition("warning")[2]
    assert desk.key.read_text() == f"{KEY}\n"


def test_the_request_goes_where_the_agent_would_send_it_by_its_own_proxy(desk, model):
    desk.configured()
    with open(desk.config, "a") as file:
        file.write(f'claude: {{environment: {{HTTP_PROXY: "{model.url}"}}}}\n')

    desk.run("--yes", *options(desk, model, base_url="http://gateway.invalid"))

    assert asked(model) == [("http://gateway.invalid/v1/models?limit=1", "key")]


def test_a_key_of_no_known_form_is_warned_of_where_no_gateway_may_have_made_it(desk, model):
    desk.given_key.write_text("0123456789abcdef")
    rest = ("--no-key-check", *options(desk, model, base_url=None))

    said = desk.run("--yes", *rest).stderr

    assert "it begins neither as an API key (sk-ant-api…) nor as an OAuth token" in said


def test_with_a_key_alone_only_the_key_changes_and_plane_is_not_asked(desk, model, closed):
    desk.run("--yes", *options(desk, model))
    desk.config.write_text(desk.config.read_text().replace(desk.plane.url, closed))
    before = desk.files()
    model.key = OTHER
    desk.given_key.write_text(OTHER)

    said = desk.run("--agent-key-file", str(desk.given_key)).stderr
    again = desk.run("--agent-key-file", str(desk.given_key)).stderr

    assert "the next session uses it" in said
    assert "nothing to do" in again
    assert desk.files() == {**before, "agent": ("0o600", f"{OTHER}\n")}


def test_token_and_key_can_be_changed_together(desk, model):
    desk.run("--yes", *options(desk, model))
    desk.given.write_text("plane_api_service")
    desk.given_key.write_text(OTHER)
    model.key = OTHER

    desk.run("--agent-key-file", str(desk.given_key), "--token-file", str(desk.given))

    assert (desk.token.read_text(), desk.key.read_text()) == ("plane_api_service\n", f"{OTHER}\n")


def test_a_new_key_that_is_refused_leaves_the_old_one(desk, model):
    desk.run("--yes", *options(desk, model))
    before = desk.files()
    desk.given_key.write_text("sk-ant-api03-of-nobody")

    desk.run("--agent-key-file", str(desk.given_key), code=77)

    assert desk.files() == before


def test_a_key_for_a_command_is_kept_for_it_and_sent_nowhere(desk, model):
    desk.configured()

    desk.run("--agent-key-file", str(desk.given_key))

    assert desk.key.read_text() == f"{KEY}\n"


def test_ctrl_c_while_it_writes_leaves_all_of_it(desk, model):
    strace = ["strace", "-f", "-qq", "-o", "/dev/null", "--inject=rename:signal=SIGINT:when=1"]

    done = desk.run_under([*strace, "--"], "--yes", *options(desk, model))

    assert done.returncode == 130
    assert desk.load().agent == "claude"
    assert (desk.token.read_text(), desk.key.read_text()) == (f"{desk.plane.token}\n", f"{KEY}\n")


# At a terminal.


def answer(screen, question, said=""):
    """Wait for a question and answer it."""
    seen = screen.until(question)
    screen.type(f"{said}\n")
    return seen


def answer_secretly(screen, said):
    """Wait for the key's question, type once the terminal shows nothing: what came before would be thrown away."""
    seen = screen.until("it is not shown")
    deadline = time.monotonic() + 20
    while termios.tcgetattr(screen.master)[3] & termios.ECHO:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    screen.type(f"{said}\n")
    return seen


def at_agent(desk, *more):
    """pco-setup at a terminal, which has only the agent to ask about."""
    states = ("--into-state", "Todo", "--label", "-", "--post-state", "none")
    return desk.terminal(*desk.options(command=None), *states, *more)


def test_questions_lead_to_claude_code(desk, model):
    with at_agent(desk, "--base-url", model.url) as screen:
        answer(screen, "Program of Claude Code", "/bin/cat")
        assert "is it Claude Code?" in answer(screen, "Program of Claude Code", str(a_program(desk)))
        modes = answer(screen, "Which one?", "headless")
        may = answer(screen, "Which one?", "dontAsk")
        answer(screen, "What one ticket may cost, all its rounds, in USD; 0 is no limit [20]", "lots")
        assert "expected an amount" in answer(screen, "What one ticket", "7.5")
        answer(screen, "What all sessions of a day may cost", "")
        answer_secretly(screen, "sk-ant-api03-of-nobody")
        answer(screen, "Try it now? One request to 127.0.0.1, for its list of models [Y/n]")
        assert "refuses it: invalid x-api-key" in answer_secretly(screen, KEY)
        answer(screen, "Try it now?")
        shown = answer(screen, "Do this?", "y")
        said = screen.end()

    config = desk.load()
    assert "interactive  in its terminal; people attach, answer it, take over\n" in modes
    assert "…" not in modes + may
    assert "dontAsk            asks nothing; what is not allowed is refused" in may
    assert (config.claude.mode, config.sessions.permission_mode) == ("headless", "dontAsk")
    assert (config.budget.ticket_usd, config.budget.daily_usd) == (7.5, 100)
    assert desk.key.read_text() == f"{KEY}\n"
    assert "the agent's API key is taken" in shown
    assert KEY not in shown + said


def test_the_agent_itself_is_asked_for_and_claude_code_is_offered(desk, model):
    with at_agent(desk) as screen:
        asked = answer(screen, "Which one? (number or name) [1]", "")
        screen.until("Program of Claude Code")

    assert "1  claude   Claude Code: people attach" in asked
    assert "2  command  a program of your own" in asked


def test_what_is_there_is_offered_and_enter_keeps_it(desk, model):
    desk.run("--yes", *options(desk, model, mode="headless", permission_mode="plan", ticket_usd="3"))
    desk.run("--yes", "--into-state", "Todo", "--post-state", "none")
    before = desk.files()
    with at_agent(desk) as screen:
        answer(screen, "Which one? (number or name) [1]")
        answer(screen, f"Program of Claude Code [{desk.folder}/claude]")
        answer(screen, "Which one? (number or name) [2]")
        answer(screen, "Which one? (number or name) [3]")
        answer(screen, "[3]")
        answer(screen, "[100]")
        answer_secretly(screen, "")
        screen.until("(Enter: as before)")
        answer(screen, "Try it now?", "n")
        said = screen.end()

    assert "nothing to do" in said
    assert desk.files() == before
    assert len(model.requests) == 1


def test_without_a_key_it_goes_on_and_says_what_to_type(desk):
    given = ("--claude", str(a_program(desk)), "--mode", "headless", "--permission-mode", "plan")
    with at_agent(desk, *given) as screen:
        answer(screen, "What one ticket")
        answer(screen, "What all sessions")
        answer_secretly(screen, "")
        warned = answer(screen, "Do this?", "y")
        said = screen.end()

    for words in (warned, said):
        assert "the agent has no key" in words
        assert "pco-setup --agent-key-file FILE" in words
    assert not desk.key.exists()


def test_the_key_alone_may_be_typed(desk, model):
    desk.run("--yes", *options(desk, model))
    model.key = OTHER
    with desk.terminal("--agent-key-file", "-") as screen:
        answer_secretly(screen, OTHER)
        said = screen.end()

    assert desk.key.read_text() == f"{OTHER}\n"
    assert OTHER not in said


QUESTIONS = ["Which one?", "Program of", "Which one?", "Which one?", "What one ticket", "What all", "it is not shown"]
QUESTIONS += ["Try it now?", "Do this?"]


@pytest.mark.parametrize("last", [1, 6, 7, 8])
def test_ctrl_c_leaves_the_system_as_it_was(desk, model, last):
    said = ["1", str(a_program(desk)), "", "", "", "", KEY, "n"]
    with at_agent(desk) as screen:
        for question, words in zip(QUESTIONS[:last], said[:last], strict=True):
            answer_secretly(screen, words) if words == KEY else answer(screen, question, words)
        screen.until(QUESTIONS[last])
        screen.interrupt()
        screen.end(code=130)
        shows = termios.tcgetattr(screen.master)[3] & termios.ECHO

    assert shows, "the terminal stays dumb"
    assert not desk.config.parent.exists()
