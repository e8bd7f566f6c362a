"""agents/claude without the CLI: what it is started with, what its end means, what it has used."""

import json
import os
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pco.ground.attempt import Launch
from pco.ground.config import Claude
from pco.ground.errors import BadConfig, TryLater
from pco.ground.leavings import Exit
from pco.outside.agents import Session, claude
from pco.outside.agents.claude import folder, program, results, settings
from pco.outside.agents.claude.transcript import Ledger
from support import TOP

TEMPLATE = TOP / "share" / "claude" / "template"
ID = "0e9d6dd0-7c1e-4d3a-9a55-0f2f6a3d0001"


def a_program(tmp_path: Path, says: str = "2.1.330 (Claude Code)") -> Path:
    """A program that only knows its version."""
    path = tmp_path / "claude"
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)
    return path


def a_session(tmp_path: Path, **changes: Any) -> Session:
    """A session of WEB-12 whose folders are under tmp_path."""
    home = tmp_path / "WEB-12" / "1.1"
    home.mkdir(parents=True, exist_ok=True)
    given = Claude(program=a_program(tmp_path), template=TEMPLATE, **changes.pop("claude", {}))
    session = Session(
        "WEB-12", 1, 1, home, home / "prompt.md", tmp_path / "WEB-12" / "workspace", home / "out", claude=given
    )
    return replace(session, **changes)


def entered(session: Session, monkeypatch: pytest.MonkeyPatch, key: str = "sk-ant-dummy-1") -> tuple[Any, Launch]:
    """What pco-launch and then pco-session do."""
    prepared = claude.prepare(session)
    for name, content in prepared.files.items():
        (session.home / name).write_bytes(content)
    for name in ("prompt.md", "afresh.md"):
        with (session.home / name).open("a") as prompt:
            prompt.write("" if prompt.tell() else "Do it.\n")
    launch = Launch(
        "WEB-12",
        1,
        1,
        out=str(session.out),
        workspace=str(session.workspace),
        mirror="/m",
        base="main",
        branch="pco/WEB-12",
        prompt=str(session.prompt),
        trigger="/t",
        argv=prepared.argv,
        environment=dict(prepared.environment),
        agent="claude",
    )
    (session.out / "events").mkdir(parents=True, exist_ok=True)
    (session.home / "launch.json").write_text(
        json.dumps({"key": "WEB-12", "out": launch.out, "round": 1, "attempt": 1, "trigger": "/t"})
    )
    session.workspace.mkdir(parents=True, exist_ok=True)
    granted = session.home.parent.parent / "credentials"
    granted.mkdir(exist_ok=True)
    (granted / "agent").write_text(f"{key}\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(granted))
    monkeypatch.setattr(sys, "argv", [str(TOP / "bin" / "pco-session")])
    return claude.enter(launch), launch


# Options.


def test_the_first_words_name_a_file_and_hold_no_word_of_the_ticket(tmp_path, monkeypatch):
    way, _ = entered(a_session(tmp_path), monkeypatch)

    assert way.argv[-2] == "--"
    assert way.argv[-1] == f"Work on ticket WEB-12. The task and the rules are in @{tmp_path}/WEB-12/1.1/prompt.md"


@pytest.mark.parametrize(("size", "told"), [(20_000, False), (20_001, True)])
def test_of_a_file_that_may_come_in_part_the_first_words_say_that_it_must_be_read(tmp_path, monkeypatch, size, told):
    session = a_session(tmp_path)
    session.prompt.write_text("x\n" * (size // 2) + "y" * (size % 2))

    way, _ = entered(session, monkeypatch)

    assert f"@{session.prompt}" in way.argv[-1].split()
    assert way.argv[-1].endswith("prompt.md") is not told
    assert ("10001 lines, of which only a part" in way.argv[-1]) is told


def test_a_prompt_in_a_folder_with_a_space_is_quoted_and_one_with_a_quote_is_refused(tmp_path, monkeypatch):
    way, _ = entered(a_session(tmp_path / "a b"), monkeypatch) if (tmp_path / "a b").mkdir() is None else (None, None)
    assert way.argv[-1].endswith(f'@"{tmp_path}/a b/WEB-12/1.1/prompt.md"')

    (tmp_path / 'a"b').mkdir()
    with pytest.raises(BadConfig, match="no file there"):
        claude.prepare(a_session(tmp_path / 'a"b'))


def test_every_way_has_the_options_without_which_a_repository_could_speak(tmp_path, monkeypatch):
    for mode in ("interactive", "headless"):
        way, _ = entered(a_session(tmp_path, claude={"mode": mode}, permission_mode="plan"), monkeypatch)
        line = " ".join(way.argv)

        assert "--setting-sources user" in line
        assert "--strict-mcp-config" in line
        assert "--permission-mode plan" in line
        assert f"--settings {tmp_path}/WEB-12/1.1/settings.json" in line
        for kept in way.kept:
            os.close(kept)


def test_headless_it_reads_nothing_and_prints_into_a_file(tmp_path, monkeypatch):
    given = {"mode": "headless", "max_turns": 7, "max_budget_usd": 5.0, "model": "opus"}
    way, _ = entered(a_session(tmp_path, claude=given, left=1.5), monkeypatch)

    assert (way.stdin, way.stdout) == (Path("/dev/null"), tmp_path / "WEB-12/1.1/out/result")
    line = " ".join(way.argv)
    assert "-p --output-format json --max-budget-usd 1.5000" in line
    assert "--max-turns 7" in line
    assert "--model opus" in line


def test_interactive_it_has_the_terminal(tmp_path, monkeypatch):
    way, _ = entered(a_session(tmp_path, claude={"max_turns": 7}), monkeypatch)

    assert (way.stdin, way.stdout) == (None, None)
    assert "--max-turns" not in way.argv


def test_the_agent_gets_few_variables_and_the_key_only_by_its_environment(tmp_path, monkeypatch):
    given = {"base_url": "http://127.0.0.1:9", "environment": {"HTTPS_PROXY": "http://proxy:3128"}}
    way, launch = entered(a_session(tmp_path, claude=given), monkeypatch)

    assert dict(way.environment) == {
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
        "CLAUDE_CONFIG_DIR": f"{tmp_path}/WEB-12/claude",
        "ANTHROPIC_BASE_URL": "http://127.0.0.1:9",
        "HTTPS_PROXY": "http://proxy:3128",
        "PCO_KEY": "WEB-12",
        "PCO_ATTEMPT_DIR": f"{tmp_path}/WEB-12/1.1",
        "PCO_PROMPT": f"{tmp_path}/WEB-12/1.1/prompt.md",
        "ANTHROPIC_API_KEY": "sk-ant-dummy-1",
    }
    assert "sk-ant-dummy-1" not in " ".join(way.argv)
    assert "sk-ant-dummy-1" not in json.dumps(launch.environment)


def test_a_login_token_goes_where_the_cli_looks_for_one(tmp_path, monkeypatch):
    way, _ = entered(a_session(tmp_path), monkeypatch, key="sk-ant-oat01-dummy")

    assert way.environment["CLAUDE_CODE_OAUTH_TOKEN"] == "sk-ant-oat01-dummy"
    assert "ANTHROPIC_API_KEY" not in way.environment


@pytest.mark.parametrize(("key", "said"), [("", "no key"), ("two words", "no key: it is more than one word")])
def test_without_a_key_it_does_not_begin(tmp_path, monkeypatch, key, said):
    with pytest.raises(BadConfig, match=said):
        entered(a_session(tmp_path), monkeypatch, key=key)


def test_another_provider_needs_no_key_of_ours(tmp_path, monkeypatch):
    given = {"environment": {"CLAUDE_CODE_USE_BEDROCK": "1"}}
    way, _ = entered(a_session(tmp_path, claude=given), monkeypatch, key="")
    assert "ANTHROPIC_API_KEY" not in way.environment


def test_the_instructions_of_the_repository_are_copied_and_a_link_is_not_followed(tmp_path, monkeypatch):
    session = a_session(tmp_path)
    session.workspace.mkdir(parents=True)
    (session.workspace / "CLAUDE.md").write_text("Use tabs.\n")
    way, _ = entered(session, monkeypatch)
    copy = Path(way.argv[way.argv.index("--append-system-prompt-file") + 1])
    assert copy.read_text().endswith("Use tabs.\n")
    os.close(way.kept[0])

    (session.workspace / "CLAUDE.md").unlink()
    (session.workspace / "CLAUDE.md").symlink_to("/etc/passwd")
    way, _ = entered(session, monkeypatch)
    assert "--append-system-prompt-file" not in way.argv


def test_two_sessions_never_open_one_conversation(tmp_path, monkeypatch):
    way, launch = entered(a_session(tmp_path), monkeypatch)

    with pytest.raises(TryLater, match="still lives"):
        claude.enter(launch)
    os.close(way.kept[0])
    os.close(claude.enter(launch).kept[0])


# Conversations.


def a_transcript(own: Path, *lines: Any, name: str = ID) -> Path:
    """A transcript with these lines."""
    path = own / "projects" / "-ws" / f"{name}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return path


def test_a_conversation_that_is_there_goes_on(tmp_path, monkeypatch):
    a_transcript(tmp_path / "WEB-12" / "claude", {"type": "user"})
    way, _ = entered(a_session(tmp_path, conversation=ID), monkeypatch)

    assert way.argv[way.argv.index("--resume") + 1] == ID
    assert "--session-id" not in way.argv
    assert way.argv[-1].endswith("prompt.md")
    assert way.told["afresh"] == ""


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda own: None, "no longer there"),
        (lambda own: a_transcript(own, "no json"), "nothing of the earlier conversation was written down"),
        (lambda own: a_transcript(own, '{"type":"mode","mode":"normal","note":"user"}'), "was written down"),
        (lambda own: (a_transcript(own, {}), (own / "pco-resuming").write_text(ID)), "failed the last time"),
    ],
)
def test_what_cannot_go_on_begins_afresh_and_says_why(tmp_path, monkeypatch, spoil, why):
    (tmp_path / "WEB-12" / "claude").mkdir(parents=True)
    spoil(tmp_path / "WEB-12" / "claude")
    way, _ = entered(a_session(tmp_path, conversation=ID), monkeypatch)

    assert "--resume" not in way.argv
    assert way.argv[-1].endswith("afresh.md")
    assert why in way.told["afresh"]


def test_the_budget_of_a_conversation_that_goes_on_counts_from_its_beginning(tmp_path, monkeypatch):
    own = tmp_path / "WEB-12" / "claude"
    a_transcript(own, {"type": "user"})
    folder.remember_spent(own, ID, 2.25)
    session = a_session(tmp_path, claude={"mode": "headless", "max_budget_usd": 1.0}, conversation=ID)
    way, _ = entered(session, monkeypatch)

    assert way.argv[way.argv.index("--max-budget-usd") + 1] == "3.2500"


# The folder.


def test_the_folder_is_seeded_anew_and_keeps_what_the_agent_knows(tmp_path, monkeypatch):
    own = tmp_path / "WEB-12" / "claude"
    own.mkdir(parents=True)
    (own / ".claude.json").write_text(json.dumps({"numStartups": 3, "projects": {"/x": {"a": 1}}}))
    (own / "settings.json").write_text('{"disableAllHooks": true}')
    entered(a_session(tmp_path), monkeypatch)

    state = json.loads((own / ".claude.json").read_text())
    assert state["numStartups"] == 3
    assert state["hasCompletedOnboarding"] is True
    assert state["projects"]["/x"] == {"a": 1}
    assert state["projects"][os.path.realpath(tmp_path / "WEB-12" / "workspace")] == {"hasTrustDialogAccepted": True}
    assert state["customApiKeyResponses"]["approved"] == ["sk-ant-dummy-1"]
    assert json.loads((own / "settings.json").read_text()) == {}
    assert (own / "commands" / "complete.md").exists()
    assert oct(own.stat().st_mode & 0o777) == "0o700"


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "lacks commands/complete.md"),
        ({"commands/complete.md": "x", "settings.json": "{"}, "expected a JSON object"),
        ({"commands/complete.md": "x", ".claude.json": "[]"}, "expected a JSON object"),
        ({"commands/complete.md": b"\xff"}, "codec"),
    ],
)
def test_a_template_that_would_not_do_is_refused_by_pco_launch(tmp_path, files, said):
    for name, content in files.items():
        path = tmp_path / "template" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(BadConfig, match=said):
        folder.seed(tmp_path / "template")


# The program.


@pytest.mark.parametrize(
    ("says", "said"),
    [("2.0.1 (Claude Code)", "older than 2.1.300"), ("hello", "is it Claude Code"), ("", "is it Claude")],
)
def test_an_old_or_another_program_is_refused(tmp_path, says, said):
    with pytest.raises(BadConfig, match=said):
        program.check(a_program(tmp_path, says), tmp_path)


def test_a_newer_program_is_a_warning_and_asked_once(tmp_path):
    path = a_program(tmp_path, "3.0.0 (Claude Code)")
    assert "version 3.0.0; tested is 2.1.330" in program.check(path, tmp_path)

    stamp = path.stat().st_mtime_ns
    path.write_text("#!/bin/sh\necho '9.0.0 (Claude Code)'\n")
    os.utime(path, ns=(stamp, stamp))  # the same size and time: it is not asked again
    assert "version 3.0.0" in program.check(path, tmp_path)
    os.utime(path)
    assert "version 9.0.0" in program.check(path, tmp_path)


def test_a_missing_program_is_named_with_what_to_do(tmp_path):
    session = a_session(tmp_path)
    with pytest.raises(BadConfig, match="is no program") as error:
        claude.prepare(replace(session, claude=replace(session.claude, program=tmp_path / "nowhere")))
    assert "npm install" in (error.value.hint or "")


# Settings.


def test_the_settings_hold_a_hook_for_every_event_with_the_ticket_in_its_arguments(tmp_path):
    value = json.loads(settings.made(a_session(tmp_path, claude={"disallowed_tools": ("WebFetch",)})))

    assert value["disableAllHooks"] is False
    for event in (*settings.EVENTS, "UserPromptExpansion"):
        command = value["hooks"][event][0]["hooks"][0]["command"]
        assert command.endswith(f"pco-hook WEB-12 {tmp_path}/WEB-12/1.1")
    assert value["permissions"]["deny"] == ["WebFetch"]
    assert "Bash(pco-complete:*)" in value["permissions"]["allow"]


@pytest.mark.parametrize("spoil", ["", "{", "[]", "null", '{"hooks": {}}'])
def test_settings_that_would_be_passed_over_in_silence_are_refused(tmp_path, spoil):
    settings.check(settings.made(a_session(tmp_path)))
    with pytest.raises(BadConfig, match=r"settings\.json"):
        settings.check(spoil.encode())


@pytest.mark.parametrize("event", [*settings.EVENTS, "UserPromptExpansion"])
def test_settings_without_one_of_the_hooks_are_refused(tmp_path, event):
    value = json.loads(settings.made(a_session(tmp_path)))
    del value["hooks"][event]
    with pytest.raises(BadConfig, match=r"settings\.json"):
        settings.check(json.dumps(value).encode())


def test_a_session_whose_hook_cannot_run_does_not_begin(tmp_path, monkeypatch):
    session = a_session(tmp_path)
    way, launch = entered(session, monkeypatch)
    os.close(way.kept[0])
    (session.home / "launch.json").write_text("{")

    with pytest.raises(BadConfig, match="pco-hook cannot run"):
        claude.enter(launch)


# Ends.

T0 = datetime(2026, 11, 27, tzinfo=UTC)
SUCCESS = {"type": "result", "subtype": "success", "is_error": False, "result": "All done.", "permission_denials": []}
DENIED = [{"tool_name": "Bash", "tool_input": {"command": "curl http://x"}}]


@pytest.mark.parametrize(
    ("code", "changes", "kind", "why"),
    [
        (0, {}, "completed", ""),
        (0, {"permission_denials": DENIED}, "denied", "Bash curl http://x"),
        (1, {"permission_denials": DENIED}, "denied", "Bash curl http://x"),
        (0, {"result": " "}, "failed", "without a word"),
        (0, {"is_error": True}, "failed", "success"),
        (1, {}, "failed", "exit 1: what stood there"),
        (1, {"subtype": "error_max_turns", "is_error": True}, "max-turns", "max_turns"),
        (1, {"subtype": "error_max_budget_usd", "is_error": True}, "over-budget", "money"),
        (1, {"is_error": True, "terminal_reason": "api_error", "api_error_status": 529}, "passing-error", "All done."),
        (1, {"is_error": True, "terminal_reason": "api_error", "api_error_status": 401}, "passing-error", "API failed"),
        (1, {"is_error": True, "terminal_reason": "api_error", "api_error_status": None}, "passing-error", "API"),
        (1, {"is_error": True, "terminal_reason": "api_error", "api_error_status": 400}, "failed", "API failed"),
        (0, {"is_error": True, "subtype": "error_during_execution"}, "failed", "error_during_execution"),
    ],
)
def test_what_a_headless_end_means(code, changes, kind, why):
    outcome = results.judged(Exit(T0, code), json.dumps({**SUCCESS, **changes}).encode(), "what stood there")

    assert outcome.kind == kind
    assert why in outcome.why
    assert (outcome.summary == "All done.") == (kind == "completed")


@pytest.mark.parametrize(
    ("code", "kind"), [(0, "failed"), (1, "failed"), (137, "died"), (139, "died"), (143, "failed"), (129, "failed")]
)
def test_what_an_end_means_of_which_nothing_was_printed(code, kind):
    outcome = results.judged(Exit(T0, code), b"", "Error: Invalid session ID")
    assert outcome.kind == kind
    assert ("Invalid session ID" in outcome.why) == (code == 1)


@given(
    st.binary(max_size=300)
    | st.builds(
        lambda v: json.dumps(v).encode(),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=9),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(
                        ["result", "is_error", "permission_denials", "subtype", "terminal_reason", "tool_input"]
                    ),
                    inner,
                    max_size=4,
                )
            ),
            max_leaves=12,
        ),
    ),
    st.integers(0, 255),
)
def test_whatever_was_printed_has_a_meaning(printed, code):
    outcome = results.judged(Exit(T0, code), printed, "")
    assert outcome.kind == "completed" or outcome.why


# The account.


def said(id: str, usage: tuple[int, int, int, int], model: str = "claude-sonnet-5") -> dict[str, Any]:
    """A line of a transcript."""
    names = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    return {"type": "assistant", "message": {"id": id, "model": model, "usage": dict(zip(names, usage, strict=True))}}


@pytest.mark.parametrize(("said", "why"), [("", "exit 1"), ("no such model\n", "exit 1: no such model")])
def test_why_it_does_not_begin_is_what_it_said_itself_and_not_the_line_that_pco_shows(tmp_path, monkeypatch, said, why):
    session = a_session(tmp_path, claude={"mode": "headless"})
    way, _ = entered(session, monkeypatch)
    (session.out / "screen").write_text(f"{way.shown}\n{said}")

    out = os.open(session.out, os.O_RDONLY)
    assert claude.outcome(Exit(datetime.now(UTC), 1), out).why == f"the agent ended with {why}"
    os.close(out)


def test_only_a_headless_session_is_told_of_on_its_terminal(tmp_path, monkeypatch):
    (tmp_path / "other").mkdir()
    assert entered(a_session(tmp_path / "other"), monkeypatch)[0].shown == ""
    headless = a_session(tmp_path, claude={"mode": "headless"})
    assert "WEB-12: Claude Code at work, headless" in entered(headless, monkeypatch)[0].shown


def test_a_message_on_several_lines_counts_once_with_what_its_last_line_says(tmp_path):
    ledger = Ledger(tmp_path, tmp_path)
    a_transcript(tmp_path, said("m1", (10, 1, 0, 0)), said("m1", (10, 20, 5, 7)), said("m2", (1, 1, 1, 1)), "{no json")

    assert ledger.account().tokens == {"input": 11, "output": 21, "cache_read": 6, "cache_write": 8}


def test_what_earlier_sessions_used_is_not_counted_again(tmp_path):
    path = a_transcript(tmp_path, said("m1", (10, 10, 0, 0)))
    ledger = Ledger(tmp_path, tmp_path)
    with open(path, "a") as more:
        more.write(json.dumps(said("m2", (1, 2, 0, 0))) + "\n" + json.dumps(said("m3", (100, 0, 0, 0)))[:50])
    a_transcript(tmp_path, said("m1", (10, 10, 0, 0)), name="a-copy")

    assert ledger.account().tokens == {"input": 1, "output": 2, "cache_read": 0, "cache_write": 0}


def test_money_that_the_cli_does_not_tell_is_estimated_and_says_so(tmp_path):
    ledger = Ledger(tmp_path, tmp_path)
    a_transcript(tmp_path, said("m1", (1_000_000, 100_000, 0, 0)), said("m2", (0, 1_000_000, 0, 0), "unheard-of"))

    account = ledger.account()
    assert (account.usd, account.estimated) == (3 + 1.5 + 25, True)


def test_headless_the_money_is_the_result_less_what_the_conversation_had_cost_before(tmp_path):
    folder.remember_spent(tmp_path, ID, 2.0)
    ledger = Ledger(tmp_path, tmp_path)
    (tmp_path / "result").write_text(json.dumps({"total_cost_usd": 2.5, "session_id": ID}))

    assert [ledger.account().usd, ledger.account().usd] == [0.5, 0.5]
    assert folder.spent(tmp_path, ID) == 2.5


def test_a_cli_that_has_forgotten_what_was_before_begins_at_nothing(tmp_path):
    folder.remember_spent(tmp_path, ID, 2.0)
    ledger = Ledger(tmp_path, tmp_path)
    (tmp_path / "result").write_text(json.dumps({"total_cost_usd": 0.5, "session_id": ID}))

    assert ledger.account().usd == 0.5


# Versions.


def test_the_version_that_is_tested_is_the_one_that_is_fetched_and_named_to_people():
    tested, oldest = (".".join(map(str, version)) for version in (program.TESTED, program.OLDEST))

    assert f"\nversion={tested}\n" in (TOP / "share/claude/fetch").read_text()
    assert f"tested is {tested}" in (TOP / "etc/pco.yaml").read_text()
    readme = (TOP / "README.md").read_text()
    assert f"claude-code@{tested} " in readme
    assert f"older than {oldest} are refused; {tested} is" in readme
