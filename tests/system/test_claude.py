"""The real Claude Code in sessions under the installed units, beside a stand-in of the model's API."""

import json
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from inside import REPOSITORY, Inside, attempts, state
from installed import ADDRESS, TOKEN, TOP, WEB, Installed, booted

TESTED = re.findall("^version=(.+)$", (TOP / "share/claude/fetch").read_text(), re.M)[0]
KEY = "sk-ant-api03-stand-in-0123456789abcdef"
MODEL = "http://127.0.0.1:8481"
OPS = "0d5a8a52-2b0b-4a51-9d1c-7f6d1f0a0002"
PROJECTS = {"interactive": "WEB", "headless": "OPS"}
CONFIG = f"""\
plane:
  url: {ADDRESS}
  workspace: acme
  projects:
    - {{id: {WEB}, key: WEB, repository: /srv/shop.git}}
    - {{id: {OPS}, key: OPS, repository: /srv/shop.git, claude: {{mode: headless}}}}
sessions: {{agent: claude, limit: 40, per_project: 40, complete_grace: 1s, retry_after: 1s, start_within: 2m}}
claude:
  program: /src/.venv/claude/{TESTED}/claude
  base_url: {MODEL}
  allowed_tools: [Bash]
  environment: {{CLAUDE_CODE_MAX_RETRIES: "1"}}
"""
SERVICE = f"""\
[Service]
Environment=PYTHONPATH=/src/lib
ExecStartPre=/bin/rm -f /run/model
ExecStart=/usr/bin/python3 -m pco.sim.model --port 8481 --url-file /run/model --key {KEY}
ExecStartPost=/bin/sh -c 'until [ -s /run/model ]; do sleep 0.05; done'
"""
PUT = ("-X", "PUT", "--data-binary", "@-")
PATIENCE = 240.0
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def pco(able: None) -> Iterator[Installed]:
    """A host of its own, where agents are Claude Code, and the model says what a test says."""
    with booted("c") as pco:
        host = pco.host
        host.exec("bash", "-c", REPOSITORY)
        host.write("/etc/systemd/system/model.service", SERVICE)
        host.write("/etc/pco/pco.yaml", CONFIG)
        host.write("/etc/pco/credentials/plane-token", TOKEN, "600")
        host.write("/etc/pco/credentials/agent", KEY, "600")
        host.systemctl("daemon-reload")
        host.systemctl("start", "model.service")
        host.systemctl("enable", "--now", "pco.target")
        yield pco


def play(pco: Installed, *rules: dict[str, Any]) -> None:
    """Say what the model does."""
    pco.host.exec("curl", "-sSf", *PUT, f"{MODEL}/_rules", input=json.dumps(rules))


def turns(pco: Installed, key: str) -> list[dict[str, Any]]:
    """What the model was asked about a ticket."""
    asked = json.loads(pco.host.exec("curl", "-sSf", f"{MODEL}/_requests").stdout)
    return [turn for turn in asked if turn.get("tools") and re.search(rf"{key}\b", turn["said"])]


def results(turn: dict[str, Any]) -> list[str]:
    """What tools have answered in a conversation, oldest first."""
    parts = [
        part for message in turn["messages"] if isinstance(message["content"], list) for part in message["content"]
    ]
    return [str(part["content"]) for part in parts if part["type"] == "tool_result"]


def bash(command: str) -> dict[str, Any]:
    """A step with one command."""
    return {"tool": "Bash", "input": {"command": command, "description": "x"}}


def completes(summary: str) -> list[dict[str, Any]]:
    """Steps in which the agent commits a file and hands over a summary."""
    words = shlex.quote(summary)
    made = bash(f"echo {words} >> made.txt && git add made.txt && git commit -qm {words}")
    return [made, bash(f"pco-complete {words}"), {"text": "Bye."}]


def begin(pco: Installed, mode: str = "interactive") -> Inside:
    """A new local ticket whose session is about to start."""
    added = pco.run("pco-queue", "add", "--test", "--project", PROJECTS[mode], "--text", "Obey.")
    session = Inside(pco.host, added.partition(":")[0])
    pco.run("pco-queue", "approve", "--yes", session.key)
    return session


def events(pco: Installed, session: Inside) -> list[dict[str, Any]]:
    """What its latest attempt told."""
    read = f"for f in {session.out}/events/*.json; do cat $f; echo; done"
    said = pco.host.exec("sh", "-c", read, code=None).stdout
    return [json.loads(line) for line in said.splitlines() if line.strip()]


def tells(pco: Installed, session: Inside, kind: str, attempt: int = 1, round: int = 1) -> dict[str, Any]:
    """Wait until an attempt has told something."""
    found: list[dict[str, Any]] = []

    def told() -> bool:
        if not pco.host.exec("sh", "-c", f"ls -d {session.state}/out/{round}.{attempt}-*", code=None).returncode:
            found[:] = [
                e for e in events(pco, session) if (e["event"], e["round"], e["attempt"]) == (kind, round, attempt)
            ]
        return bool(found)

    pco.wait(f"{session.key}: {kind} of attempt {round}.{attempt}", told, PATIENCE)
    return found[-1]


def comes_to(pco: Installed, session: Inside, wanted: str) -> None:
    """Wait until its ticket is in a state."""
    pco.wait(f"{session.key} {wanted}", lambda: state(pco, session) == wanted, PATIENCE)


def outcomes(pco: Installed, session: Inside) -> list[str]:
    """How its attempts ended."""
    return [one.get("outcome", "") for one in attempts(pco, session)]


@pytest.mark.parametrize("mode", ["interactive", "headless"])
def test_a_ticket_goes_from_approved_to_completed_and_its_commits_come_along(pco, mode):
    play(pco, {"match": "", "steps": completes(f"a summary, {mode}")})

    session = begin(pco, mode)

    comes_to(pco, session, "completed")
    assert outcomes(pco, session) == ["completed"]
    assert f"a summary, {mode}" in pco.run("pco-queue", "show", session.key)
    assert f"+a summary, {mode}" in pco.run("pco-queue", "diff", session.key)
    said = [entry["MESSAGE"] for entry in pco.host.journal(f"PCO_KEY={session.key}")]
    for words in ("new -> pending", "pending -> approved", "approved -> active", "active -> completed"):
        assert [line for line in said if words in line], (words, said)
    assert KEY not in str(said)


def test_a_rework_goes_on_in_the_same_conversation(pco):
    play(pco, {"match": "with you again", "steps": completes("better")}, {"match": "", "steps": completes("first")})
    session = begin(pco)
    comes_to(pco, session, "completed")

    pco.run("pco-queue", "rework", session.key, "The tests are missing.")
    tells(pco, session, "completed", round=2)

    comes_to(pco, session, "completed")
    last = json.dumps(turns(pco, session.key)[-1]["messages"])
    assert f"Work on ticket {session.key}." in last
    assert f"Ticket {session.key} is with you again." in last
    assert "The tests are missing." in last
    assert "+first\n+better" in pco.run("pco-queue", "diff", session.key)
    named = {one["agent_session"] for one in record(pco, session)["rounds"][0]["attempts"]}
    assert named == {one["agent_session"] for one in record(pco, session)["rounds"][1]["attempts"]}


def record(pco: Installed, session: Inside) -> dict[str, Any]:
    """Its record, where it rests."""
    found: dict[str, Any] = json.loads(pco.host.read(f"/var/spool/pco/{state(pco, session)}/{session.key}.json"))
    return found


@pytest.mark.parametrize("mode", ["interactive", "headless"])
def test_a_killed_agent_is_tried_again_and_goes_on_where_it_was(pco, mode):
    going = {"match": "with you again", "steps": completes("after all")}
    play(pco, going, {"match": "", "steps": [bash("git status"), {"text": "x", "sleep": 600}]})
    session = begin(pco, mode)
    tells(pco, session, "started")
    pco.wait("its second turn", lambda: len(turns(pco, session.key)) == 2, PATIENCE)

    pco.host.exec("kill", "-KILL", str(tells(pco, session, "launched")["detail"]["pid"]))

    comes_to(pco, session, "completed")
    assert outcomes(pco, session) == ["died", "completed"]
    assert f"Work on ticket {session.key}." in json.dumps(turns(pco, session.key)[-1]["messages"])
    assert "ended by signal 9" in str([entry["MESSAGE"] for entry in pco.host.journal(f"PCO_KEY={session.key}")])


def test_a_session_that_an_administrator_stops_is_interrupted_and_begins_again(pco):
    play(pco, {"match": "with you again", "steps": completes("after all")}, {"match": "", "steps": [{"text": "Well?"}]})
    session = begin(pco)
    tells(pco, session, "turn_ended")

    pco.host.systemctl("stop", session.unit)

    comes_to(pco, session, "completed")
    assert outcomes(pco, session) == ["interrupted", "completed"]


@contextmanager
def limited(pco: Installed) -> Iterator[None]:
    """Meanwhile sessions have little memory, as by `systemctl edit`."""
    folder = "/etc/systemd/system/pco-session@.service.d"
    pco.host.write(f"{folder}/override.conf", "[Service]\nMemoryMax=1G\nMemorySwapMax=0\n")
    pco.host.systemctl("daemon-reload")
    yield
    pco.host.exec("rm", "-r", folder)
    pco.host.systemctl("daemon-reload")


@pytest.mark.parametrize(
    ("first", "how"),
    [("", ["completed"]), ("echo 1000 >/proc/$PPID/oom_score_adj; ", ["died", "completed"])],
    ids=["tool", "agent"],
)
def test_memory_that_runs_out_ends_what_needs_it_and_the_ticket_is_completed(pco, first, how):
    if not pco.host.limits:
        pytest.skip("limits do not bite in this layout of control groups")
    hog = bash(f"{first}python3 -c 'x = bytearray(2 << 30)'; echo ended with $?")
    again = {"match": "with you again", "steps": completes("after all")}
    play(pco, again, {"match": "", "steps": [hog, *completes("the hog is gone")]})

    with limited(pco):
        session = begin(pco)
        comes_to(pco, session, "completed")

    assert outcomes(pco, session) == how
    said = str([entry["MESSAGE"] for entry in pco.host.journal(f"PCO_KEY={session.key}")])
    assert ("out of memory" in said) is ("died" in how)
    assert ("ended with 137" in str(results(turns(pco, session.key)[-1]))) is ("died" not in how)


def test_an_agent_that_may_run_everything_reads_neither_spool_nor_token(pco):
    wanted = ("/var/spool/pco/active", "/etc/pco/credentials/plane-token", "/etc/pco/pco.yaml", "/var/lib/pco/mirrors")
    look = [bash(f"ls -la {path}; cat {path}; find {path}") for path in wanted]
    play(
        pco,
        {"match": "", "steps": [*look, bash("id -un; env"), bash("cat /proc/[0-9]*/environ"), *completes("looked")]},
    )

    session = begin(pco)

    comes_to(pco, session, "completed")
    *denied, itself, others = results(turns(pco, session.key)[-1])[: len(wanted) + 2]
    for path, said in zip(wanted, denied, strict=True):
        assert said.count("No such file") + said.count("Permission denied") >= 3, (path, said)
    assert f"pco-{session.key}" in itself
    assert TOKEN not in json.dumps(turns(pco, session.key))
    assert others


def test_after_all_this_nothing_has_failed(pco):
    assert [line for line in pco.failed().splitlines() if "pco-session@" not in line] == []
    assert KEY not in str([entry for entry in pco.host.journal() if "model" not in entry.get("_SYSTEMD_UNIT", "")])
