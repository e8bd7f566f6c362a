"""pco-hook: one event file and one byte for all that Claude Code tells, and never a failure of the session."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pco.ground import leavings
from pco.ground.leavings import Event
from pco.outside.agents import read_event
from support import TOP

ID = "0e9d6dd0-7c1e-4d3a-9a55-0f2f6a3d0001"
NASTY = 'done: "it" & $(touch /tmp/PWNED) `id` \\n\nsecond line – ünïcödé \U0001f600 {{x}} !rm @/etc/passwd'


@dataclass
class Hooked:
    """A session's folder, and what the CLI does with it."""

    home: Path
    out: Path
    trigger: int
    bell: int

    def tell(self, name: str, *more: str, code: int = 0, **fields: Any) -> dict[str, Any] | None:
        """Run the hook for one event; returns its answer."""
        said = self.run(json.dumps({"hook_event_name": name, "session_id": ID, **fields}).encode(), *more, code=code)
        return json.loads(said) if said.startswith("{") else None

    def run(self, given: bytes, *more: str, code: int = 0, key: str = "WEB-12") -> str:
        """Run the hook with this on standard input, as settings.json has it."""
        argv = [sys.executable, "-ISB", str(TOP / "bin" / "pco-hook"), key, str(self.home), *more]
        environment = {"PATH": os.defpath, "CLAUDE_CONFIG_DIR": str(self.home / "claude")}
        environment["CREDENTIALS_DIRECTORY"] = str(self.home / "granted")
        done = subprocess.run(argv, input=given, capture_output=True, env=environment, check=False, cwd="/")
        assert done.returncode == code, done.stderr
        assert b"Traceback" not in done.stderr
        return done.stdout.decode()

    def events(self) -> list[Event]:
        """All that was told, oldest first."""
        handle = leavings.open_out(self.out)
        try:
            return [read_event(leavings.read_event(handle, name)) for name in leavings.event_names(handle)]
        finally:
            os.close(handle)

    def last(self) -> tuple[str, dict[str, Any]]:
        """The kind and the detail of the newest event."""
        event = self.events()[-1]
        return event.kind, event.detail

    def rung(self) -> bool:
        """Whether both who listen were rung since the last time."""
        return all([_drained(self.trigger), _drained(self.bell)])

    def trouble(self) -> list[str]:
        """What went wrong."""
        handle = leavings.open_out(self.out)
        try:
            return leavings.read_trouble(handle)
        finally:
            os.close(handle)


def _drained(handle: int) -> bool:
    try:
        return bool(os.read(handle, 4096))
    except BlockingIOError:
        return False


@pytest.fixture
def hook(tmp_path: Path) -> Iterator[Hooked]:
    """A session that was launched."""
    home, out = tmp_path / "1.1", tmp_path / "1.1" / "out"
    (out / "events").mkdir(parents=True)
    (home / "claude").mkdir()
    os.mkfifo(tmp_path / "trigger")
    os.mkfifo(out / "bell")
    launch = {"key": "WEB-12", "out": str(out), "round": 1, "attempt": 2, "trigger": str(tmp_path / "trigger")}
    (home / "launch.json").write_text(json.dumps(launch))
    handles = [os.open(path, os.O_RDWR | os.O_NONBLOCK) for path in (tmp_path / "trigger", out / "bell")]
    yield Hooked(home, out, *handles)
    for handle in handles:
        os.close(handle)


# What each event becomes.


@pytest.mark.parametrize(
    ("name", "fields", "kind", "detail"),
    [
        (
            "SessionStart",
            {"source": "startup", "model": "m", "transcript_path": "/t"},
            "started",
            {"session": ID, "transcript": "/t", "source": "startup", "model": "m"},
        ),
        ("SessionEnd", {"reason": "prompt_input_exit"}, "ended", {"reason": "prompt_input_exit"}),
        ("UserPromptSubmit", {"prompt": "x"}, "working", {"tool": ""}),
        ("PostToolUse", {"tool_name": "Bash"}, "working", {"tool": "Bash"}),
        ("PostToolUseFailure", {"tool_name": "Bash"}, "working", {"tool": "Bash"}),
        ("Stop", {"last_assistant_message": "Done."}, "turn_ended", {"last": "Done."}),
        ("Stop", {}, "turn_ended", {"last": ""}),
        ("StopFailure", {"error": "overloaded"}, "turn_failed", {"error": "overloaded", "last": ""}),
        (
            "StopFailure",
            {"error": "unknown", "last_assistant_message": "API Error: 400"},
            "turn_failed",
            {"error": "API Error: 400", "last": ""},
        ),
        (
            "StopFailure",
            {"error": "server_error", "last_assistant_message": "API Error: 500"},
            "turn_failed",
            {"error": "server_error: API Error: 500", "last": ""},
        ),
        (
            "PermissionRequest",
            {"tool_name": "Bash", "tool_input": {"command": "rm -r build", "description": "d"}},
            "blocked",
            {"what": "Bash: rm -r build"},
        ),
        (
            "PermissionRequest",
            {"tool_name": "AskUserQuestion", "tool_input": {"questions": [{"question": "Which colour?"}]}},
            "blocked",
            {"what": "question: Which colour?"},
        ),
        ("PermissionRequest", {}, "blocked", {"what": ""}),
        ("Notification", {"notification_type": "permission_prompt", "message": "m"}, "blocked", {"what": "m"}),
        ("Notification", {"notification_type": "idle_prompt"}, "idle", {}),
    ],
)
def test_each_event_of_the_cli_is_one_of_ours(hook, name, fields, kind, detail):
    assert hook.tell(name, **fields) is None

    (event,) = hook.events()
    assert (event.kind, event.detail, event.round, event.attempt) == (kind, detail, 1, 2)
    assert hook.rung()


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("SessionEnd", {"reason": "clear"}),
        ("Notification", {"notification_type": "auth_success"}),
        ("SubagentStop", {}),
        ("EventOfALaterVersion", {}),
        ("UserPromptExpansion", {"command_name": "cost", "command_args": ""}),
    ],
)
def test_what_says_nothing_about_the_ticket_is_passed_over(hook, name, fields):
    assert hook.tell(name, **fields) is None
    assert hook.events() == []


def test_many_tool_calls_in_a_moment_are_one_sign_of_work_but_the_screen_is_looked_at(hook):
    hook.tell("PostToolUse", tool_name="Read")
    assert hook.rung()
    for _ in range(3):
        hook.tell("PostToolUse", tool_name="Read")
    assert len(hook.events()) == 1
    assert hook.rung()


@pytest.mark.parametrize(
    "before", [("PermissionRequest", {"tool_name": "Bash"}), ("Stop", {}), ("StopFailure", {"error": "x"})]
)
def test_the_first_call_after_a_wait_or_a_turn_is_told_however_soon(hook, before):
    hook.tell("PostToolUse", tool_name="Read")
    hook.tell(before[0], **before[1])
    hook.tell("PostToolUse", tool_name="Bash")
    assert hook.last() == ("working", {"tool": "Bash"})
    assert len(hook.events()) == 3


@pytest.mark.parametrize("words", ["/complete", "/complete All done.", "/complete\nAll done."])
def test_what_is_typed_for_pco_itself_is_no_sign_of_work_for_no_turn_follows(hook, words):
    hook.tell("Stop", last_assistant_message="What now?")
    hook.tell("UserPromptSubmit", prompt=words)
    assert hook.last()[0] == "turn_ended"
    hook.tell("UserPromptSubmit", prompt=words.replace("/complete", "/completely new"))
    assert hook.last()[0] == "working"


def test_a_session_that_goes_on_is_no_longer_one_that_may_fail_to(hook):
    (hook.home / "claude" / "pco-resuming").write_text(ID)
    hook.tell("SessionStart", source="resume")
    assert not (hook.home / "claude" / "pco-resuming").exists()


# /complete.


def test_complete_takes_the_words_as_they_are_and_the_model_is_not_asked(hook):
    answer = hook.tell("UserPromptExpansion", command_name="complete", command_args=NASTY)

    assert answer and answer["decision"] == "block"
    assert "WEB-12 was handed over" in answer["reason"]
    assert hook.last() == ("completed", {"summary": NASTY, "by": "agent"})
    assert hook.rung()
    assert not Path("/tmp/PWNED").exists()


def test_complete_does_not_take_a_summary_that_has_the_login_in_it_and_does_not_repeat_it(hook):
    (hook.home / "granted").mkdir()
    (hook.home / "granted" / "agent").write_text("login-of-no-form\n")

    answer = hook.tell("UserPromptExpansion", command_name="complete", command_args="Done: login-of-no-form")

    assert answer and "The summary has the credential agent in it" in answer["reason"]
    assert "login-of-no-form" not in answer["reason"]
    assert hook.events() == []


@pytest.mark.parametrize(
    ("name", "fields", "told"),
    [
        ("Stop", {"last_assistant_message": "x" * 65_530 + " LOGIN"}, "last"),
        ("StopFailure", {"error": "401 LOGIN", "last_assistant_message": "LOGIN"}, "error"),
        ("PermissionRequest", {"tool_name": "Bash", "tool_input": {"command": "echo " + "x" * 180 + " LOGIN"}}, "what"),
        ("PermissionRequest", {"tool_name": "x", "tool_input": {"questions": [{"question": "LOGIN?"}]}}, "what"),
        ("Notification", {"notification_type": "permission_prompt", "message": "LOGIN"}, "what"),
    ],
)
def test_what_the_agent_says_is_told_without_its_login_also_where_it_is_cut(hook, name, fields, told):
    (hook.home / "granted").mkdir()
    (hook.home / "granted" / "agent").write_text("login-of-no-form\n")

    hook.run(json.dumps({"hook_event_name": name, **fields}).replace("LOGIN", "login-of-no-form").encode())

    said = hook.last()[1][told]
    assert "login-of" not in said and "(the" in said


def test_complete_is_taken_once(hook):
    hook.tell("UserPromptExpansion", command_name="complete", command_args="first")
    answer = hook.tell("UserPromptExpansion", command_name="complete", command_args="second")

    assert answer and "handed over before" in answer["reason"]
    assert [event.detail["summary"] for event in hook.events()] == ["first"]


@pytest.mark.parametrize(
    ("words", "said"), [("", "Write /complete SUMMARY"), (" \n", "Write /complete"), ("x" * 300_000, "larger than 256")]
)
def test_a_summary_that_says_nothing_or_too_much_is_refused_with_what_to_do(hook, words, said):
    answer = hook.tell("UserPromptExpansion", command_name="complete", command_args=words)

    assert answer and answer["decision"] == "block"
    assert said in answer["reason"]
    assert hook.events() == []


def test_a_summary_that_cannot_be_kept_is_not_lost_in_silence(hook):
    (hook.out / "events").rmdir()
    answer = hook.tell("UserPromptExpansion", command_name="complete", command_args="x")

    assert answer and answer["decision"] == "block"
    assert "could not take the summary" in answer["reason"]
    assert "UserPromptExpansion" in hook.trouble()[0]


# What was forwarded.


def test_what_a_person_forwards_is_handed_over_once_when_the_turn_ends(hook):
    (hook.home / "forward").mkdir()
    for number, words in ((2, "second"), (10, "tenth"), (1, "first")):
        (hook.home / "forward" / f"{number}.md").write_text(words)
    (hook.home / "forward" / ".3.md").write_text("being written")

    answer = hook.tell("Stop", last_assistant_message="Done.")

    assert answer == {"decision": "block", "reason": "first\n\nsecond\n\ntenth"}
    assert hook.last() == ("working", {"last": "Done.", "given": [1, 2, 10]})
    assert hook.tell("Stop", last_assistant_message="Again.") is None
    assert hook.last() == ("turn_ended", {"last": "Again."})


# The status line, and the money.


def status(hook: Hooked, total: float, session: str = ID) -> str:
    """What the status line shows."""
    return hook.run(json.dumps({"session_id": session, "cost": {"total_cost_usd": total}}).encode(), "status")


def told(hook: Hooked) -> float:
    """What the attempt has cost, as out/usd says."""
    kept = json.loads((hook.out / "usd").read_text())
    return round(kept["before"] + kept["last"] - kept["base"], 6)


def test_the_status_line_says_whose_session_it_is_and_how_it_is_handed_over(hook):
    assert status(hook, 0.426) == "pco WEB-12 | $0.43 | /complete SUMMARY hands it over"
    assert told(hook) == 0.426
    assert hook.events() == []


def test_a_conversation_that_goes_on_begins_with_what_it_had_cost(hook):
    (hook.home / "claude" / "pco-spent").write_text(json.dumps({ID: 2.0}))
    assert "$0.50" in status(hook, 2.5)
    assert told(hook) == 0.5


def test_after_a_conversation_was_cleared_the_old_money_is_not_forgotten(hook):
    status(hook, 1.0)
    assert "$1.25" in status(hook, 0.25, "another")
    assert told(hook) == 1.25


# Failure.


@pytest.mark.parametrize("given", [b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b"{}"])
@pytest.mark.parametrize("more", [(), ("status",)])
def test_whatever_comes_the_session_goes_on_and_a_person_hears_of_it(hook, given, more):
    hook.run(given, *more)
    assert hook.events() == []
    assert hook.rung()
    (line,) = hook.trouble()
    assert "Error" in line


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(
        ["Stop", "SessionStart", "PermissionRequest", "Notification", "UserPromptExpansion", "PostToolUse"]
    ),
    st.dictionaries(
        st.sampled_from(
            ["tool_name", "tool_input", "command_name", "command_args", "last_assistant_message", "source"]
        ),
        st.none()
        | st.integers()
        | st.text(max_size=20)
        | st.lists(st.none(), max_size=2)
        | st.just({"questions": [{}]}),
    ),
)
def test_no_shape_of_an_event_is_a_failure(hook, name, fields):
    hook.tell(name, **fields)
    assert hook.events() is not None


def test_trouble_does_not_fill_the_disk(hook):
    (hook.out / "trouble").write_text("x" * (64 << 10))
    hook.run(b"{")
    assert (hook.out / "trouble").stat().st_size == 64 << 10


def test_a_hook_that_finds_no_session_keeps_silent_and_check_says_so(hook):
    (hook.home / "launch.json").unlink()
    assert hook.tell("Stop") is None
    hook.run(b"", "check", code=1)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda hook: (hook.home / "launch.json").write_text("{}"),
        lambda hook: (hook.out / "events").rmdir(),
    ],
)
def test_check_fails_where_nothing_could_be_told(hook, spoil):
    hook.run(b"", "check")
    spoil(hook)
    hook.run(b"", "check", code=1)


def test_check_fails_for_another_ticket(hook):
    hook.run(b"", "check", code=1, key="WEB-13")


def test_an_event_is_whole_however_the_hook_is_killed(hook):
    argv = [sys.executable, "-ISB", str(TOP / "bin" / "pco-hook"), "WEB-12", str(hook.home)]
    given = json.dumps({"hook_event_name": "Stop", "last_assistant_message": "x" * 60_000}).encode()
    for n in range(25):
        child = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        assert child.stdin
        child.stdin.write(given)
        child.stdin.close()
        time.sleep(0.002 * n)
        child.kill()
        child.wait()
    hook.tell("Notification", notification_type="idle_prompt")

    assert {event.kind for event in hook.events()} <= {"turn_ended", "idle"}
    assert all(len(event.detail["last"]) == 60_000 for event in hook.events() if event.kind == "turn_ended")


# Its users' patience.


def test_it_imports_little(hook):
    argv = [
        sys.executable,
        "-X",
        "importtime",
        "-ISB",
        str(TOP / "bin" / "pco-hook"),
        "WEB-12",
        str(hook.home),
        "check",
    ]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}

    assert {name for name in loaded if name.startswith("pco.")} == {
        "pco.commands",
        "pco.commands.hook",
        "pco.ground",
        "pco.ground.events",
    }
    assert loaded.isdisjoint({"click", "yaml", "pathlib", "dataclasses", "typing_extensions", "subprocess", "shlex"})
