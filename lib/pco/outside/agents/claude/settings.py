"""settings.json of an attempt: the hooks by which pco hears of all that happens, and what the agent may do unasked.

A file with broken JSON is passed over by the CLI without a word, and with it the hooks: so it is read again, and the
hook tried, before it is used.  A repository's own settings could switch hooks off or change their environment; they
are not read (`--setting-sources user`), and the ticket stands in the hook's arguments.
"""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

from pco.ground import durable, text
from pco.ground.errors import BadConfig, BadData
from pco.outside.agents import Session

EVENTS = (
    "SessionStart",
    "SessionEnd",
    "UserPromptSubmit",
    "PostToolUse",
    "PostToolUseFailure",
    "PermissionRequest",
    "Notification",
    "Stop",
    "StopFailure",
)
EXPANSION = "UserPromptExpansion"
# What every ticket needs, in its own clone.
_GIT = ("status", "diff", "log", "show", "add", "commit")
GRANTED = ("Bash(pco-complete:*)", *(f"Bash(git {verb}:*)" for verb in _GIT))
TIMEOUT = 15  # seconds; without one a slow SessionEnd hook is cancelled
KEPT_DAYS = 3650  # of conversations: the CLI removes those older than a month when it starts
MOST_SERVERS = 1 << 16


def made(session: Session) -> bytes:
    """The file's content."""
    claude = session.claude
    hook = shlex.join(_hook(session.key, session.home))
    call = [{"hooks": [{"type": "command", "command": hook, "timeout": TIMEOUT}]}]
    allowed = [*GRANTED, f"Read(/{session.home}/**)", *claude.allowed_tools]
    value = {
        "disableAllHooks": False,
        "hooks": {**dict.fromkeys(EVENTS, call), EXPANSION: [{"matcher": "complete", **call[0]}]},
        "statusLine": {"type": "command", "command": f"{hook} status"},
        "permissions": {"allow": allowed, "deny": list(claude.disallowed_tools)},
        "cleanupPeriodDays": KEPT_DAYS,
    }
    return json.dumps(value, indent=1).encode()


def check(data: bytes) -> None:
    """Raises BadConfig unless these settings are whole, and every hook is in them."""
    try:
        value = json.loads(data)
        hooks = value["hooks"]
        whole = value["disableAllHooks"] is False and all(_calls(hooks[event]) for event in (*EVENTS, EXPANSION))
    except (ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        raise BadConfig(f"settings.json is damaged: {error}; the agent would run without hooks") from error
    if not whole:
        raise BadConfig("settings.json lacks a hook; the agent would run unheard")


def try_hook(key: str, home: Path) -> None:
    """Run pco-hook once, as the agent will.  Raises BadConfig if it does not work here.

    In a checkout this is also what leaves it compiled; the agent's own calls write nothing.
    """
    python, _, *words = _hook(key, home)
    try:
        tried = subprocess.run(
            [python, "-IS", *words, "check"], stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BadConfig(f"pco-hook cannot run: {error}") from error
    if tried.returncode:
        raise BadConfig(f"pco-hook cannot run: {text.line(tried.stderr.decode('utf-8', 'replace')[-300:], 300)}")


def servers(path: Path) -> bytes:
    """The file of claude.mcp_config, checked.  Raises BadConfig."""
    try:
        data = durable.read(path, MOST_SERVERS)
        value: Any = json.loads(data)
    except OSError as error:
        raise BadConfig(f"claude.mcp_config: {path}: {error.strerror}") from error
    except (BadData, ValueError, RecursionError) as error:
        raise BadConfig(f"claude.mcp_config: {path}: {error}") from error
    if not isinstance(value, dict) or not isinstance(value.get("mcpServers"), dict):
        raise BadConfig(f'claude.mcp_config: {path}: expected {{"mcpServers": {{…}}}}')
    return data


def _hook(key: str, home: Path) -> list[str]:
    """What the agent runs on events: without site-packages, which would take longer than all the rest."""
    program = Path(sys.argv[0]).resolve().with_name("pco-hook")
    return [sys.executable, "-ISB", str(program), key, os.fspath(home)]


def _calls(matchers: Any) -> bool:
    return all(call["type"] == "command" and "pco-hook" in call["command"] for call in matchers[0]["hooks"])
