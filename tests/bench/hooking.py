"""How long Claude Code waits for pco-hook at each event, and how soon what a person hands over is in the record."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from bench.measure import PYTHON, Figure, a_site, processor, scratch
from bench.supervising import a_yard, rank, recorded
from pco.outside.runners.tmux import Tmux
from sessions import Yard, born
from support import TOP

CALLS = 200
# What the CLI says, as 2.1.330 says it.
COMMON = {
    "session_id": "0e9d6dd0-7c1e-4d3a-9a55-0f2f6a3d0001",
    "transcript_path": "/t.jsonl",
    "cwd": "/",
    "prompt_id": "p",
}
TOOL = {"tool_name": "Bash", "tool_input": {"command": "make test", "description": "Run all tests"}}
EVENTS: dict[str, dict[str, Any]] = {
    "SessionStart": {"source": "startup", "model": "claude-opus-5-5"},
    "UserPromptSubmit": {"prompt": "Work on ticket WEB-1. " * 20},
    "PostToolUse": {**TOOL, "tool_response": {"stdout": "ok\n" * 5000}},
    "PostToolUseFailure": {**TOOL, "error": "exit 1"},
    "PermissionRequest": TOOL,
    "Notification": {"notification_type": "idle_prompt", "message": "Claude is waiting for your input"},
    "Stop": {"last_assistant_message": "All done. " * 100, "stop_hook_active": False},
    "StopFailure": {"error": "rate_limit", "last_assistant_message": "API Error: 429"},
    "SessionEnd": {"reason": "other"},
    "UserPromptExpansion": {"command_name": "complete", "command_args": "All done. " * 100},
}
STATUS = {**COMMON, "cost": {"total_cost_usd": 0.25}}


def waited(folder: Path) -> Iterator[Figure]:
    """Each kind of event, 200 times, beside a Python that does nothing; and the status line."""
    with scratch(folder) as home:
        site = a_site(home / "pco")
        yard = Yard(site, home, Tmux(home / "sock", site.home / "run" / "trigger"), home / "log", [])
        yard.claim("WEB-1")
        out = born(yard.out("WEB-1"))
        os.mkfifo(out / "bell", 0o600)
        call = hook(yard, "WEB-1")
        told = {name: ([], {**COMMON, "hook_event_name": name, **said}) for name, said in EVENTS.items()}
        for name, (words, said) in {**told, "status line": (["status"], STATUS)}.items():
            floors, taken = [], []
            for n in range(CALLS):
                taken.append(spent([*call, *words], fresh(out, said)))
                floors += [spent(["-ISB", "-c", "pass"], b"")] if n % 4 == 0 else []
            given = fresh(out, said)
            busy = processor(lambda words=words, given=given: spent([*call, *words], given))  # type: ignore[misc]
            value, floor = rank(0.95, taken), rank(0.95, floors)
            note = f"median {rank(0.5, taken) * 1000:.1f} ms, fewest {min(taken) * 1000:.1f}; {busy * 1000:.0f} ms of processor"
            yield Figure(f"pco-hook {name}, p95 of {CALLS}", value * 1000, "ms", 60, floor * 1000, "<= 60 ms", note)


def hook(yard: Yard, key: str) -> list[str]:
    """What settings.json has the CLI run, after the Python."""
    return ["-ISB", str(TOP / "bin" / "pco-hook"), key, str(yard.home(key))]


def fresh(out: Path, said: dict[str, Any]) -> bytes:
    """Standard input of the hook; what earlier calls left is removed."""
    shutil.rmtree(out / "events")
    (out / "events").mkdir()
    for name in (".working", ".blocked"):
        with suppress(FileNotFoundError):
            (out / name).unlink()
    return json.dumps(said).encode()


def spent(words: list[str], given: bytes) -> float:
    """The seconds that a Python takes."""
    begun = time.perf_counter()
    subprocess.run([PYTHON, *words], input=given, capture_output=True, check=True, env={"PATH": os.defpath})
    return time.perf_counter() - begun


def typed(folder: Path) -> Iterator[Figure]:
    """From the hook's answer to `/complete SUMMARY` to the record of pco-watch, 200 times."""
    said = {**COMMON, "hook_event_name": "UserPromptExpansion", "command_name": "complete", "command_args": "All done."}

    def hand_over(yard: Yard, key: str) -> None:
        spent(hook(yard, key), json.dumps(said).encode())

    with a_yard(folder) as yard:
        yield recorded(yard, "/complete to record", hand_over)
