"""The configuration folder of one ticket's agent (CLAUDE_CONFIG_DIR), made and kept by the agent's own user.

It begins with what a template has, root's: share/claude/template, or `claude.template`.  A fresh one would ask for a
theme, for trust and for the key, contact its vendor, and end.  What pco keeps there itself is named pco-*: the agent
could change it, and would only harm itself.
"""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from pco.ground import durable
from pco.ground.errors import BadConfig, BadData

MOST_SEED = 1 << 18  # bytes of one file of the template
MOST_FILES = 200
MOST_LINE = 1 << 20
_STATE = ".claude.json"


def seed(top: Path) -> dict[str, str]:
    """The files of the template `top`: relative path: content.  Raises BadConfig."""
    found: dict[str, str] = {}
    try:
        for path in sorted(top.rglob("*")):
            if not path.is_file() or path.name.endswith("~"):
                continue
            found[str(path.relative_to(top))] = durable.read(path.resolve(), MOST_SEED).decode("utf-8")
    except OSError as error:
        raise BadConfig(f"claude.template: {error.filename or top}: {error.strerror}") from error
    except (BadData, UnicodeDecodeError) as error:
        raise BadConfig(f"claude.template: {path}: {error}") from error
    if len(found) > MOST_FILES:
        raise BadConfig(f"claude.template: {top} has more than {MOST_FILES} files")
    for name in (_STATE, "settings.json"):
        if not isinstance(_parsed(found.get(name, "{}")), dict):
            raise BadConfig(f"claude.template: {top / name}: expected a JSON object")
    if "commands/complete.md" not in found:
        raise BadConfig(
            f"claude.template: {top} lacks commands/complete.md", "copy it from pco's share/claude/template"
        )
    return found


def furnish(own: Path, files: dict[str, str], workspace: Path, key: str) -> None:
    """Put the template's files in place anew; what the agent knows besides stays.  Raises OSError."""
    for name, content in files.items():
        if name == _STATE:
            continue
        path = own / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        durable.replace(path, content.encode(), 0o600)
    if "settings.json" not in files:
        (own / "settings.json").unlink(missing_ok=True)
    state = {**_known(own / _STATE), **json.loads(files.get(_STATE, "{}"))}
    projects = state.get("projects")
    projects = projects if isinstance(projects, dict) else {}
    place = os.path.realpath(workspace)  # as the CLI names it
    here = projects.get(place)
    projects[place] = {**(here if isinstance(here, dict) else {}), "hasTrustDialogAccepted": True}
    state["projects"] = projects
    # By its last 20 characters it knows a key that was approved.
    state["customApiKeyResponses"] = {"approved": [key[-20:]] if key else [], "rejected": []}
    durable.replace(own / _STATE, json.dumps(state, indent=1).encode(), 0o600)


def obstacle(own: Path, conversation: str) -> str:
    """Why a conversation cannot go on; empty if it can."""
    if _remembered(own / "pco-resuming") == conversation:
        return "going on with the earlier conversation failed the last time"
    transcripts = list(own.glob(f"projects/*/{conversation}.jsonl"))
    if not transcripts:
        return "the earlier conversation is no longer there"
    try:
        with open(transcripts[0], "rb") as lines:
            spoken = any(_spoken(line) for line in iter(lambda: lines.readline(MOST_LINE), b""))
    except OSError:
        return "the earlier conversation cannot be read"
    # Killed in its first turn it has written down the mode, but no word: then the CLI finds no conversation.
    return "" if spoken else "nothing of the earlier conversation was written down"


def resuming(own: Path, conversation: str) -> None:
    """Remember that this is being tried; pco-hook forgets it once the session has started.  Raises OSError."""
    durable.replace(own / "pco-resuming", conversation.encode(), 0o600)


def spent(own: Path, conversation: str) -> float:
    """What a conversation has cost from its beginning, by the CLI's own count, in USD; 0.0 if that is unknown."""
    total = _known(own / "pco-spent").get(conversation)
    return float(total) if isinstance(total, int | float) and 0 <= total < 1e6 else 0.0


def remember_spent(own: Path, conversation: str, total: float) -> None:
    """Keep the count for the next session.  Raises OSError."""
    known = _known(own / "pco-spent")
    if known.get(conversation) != total:
        durable.replace(own / "pco-spent", json.dumps({**known, conversation: total}).encode(), 0o600)


def _known(path: Path) -> dict[str, Any]:
    value = _parsed(_remembered(path))
    return value if isinstance(value, dict) else {}


def _remembered(path: Path) -> str:
    with suppress(OSError, BadData):
        return durable.read(os.fspath(path), 4 << 20).decode("utf-8", "replace")
    return ""


def _spoken(line: bytes) -> bool:
    """Whether a line of a conversation is somebody's word."""
    if b'"user"' not in line and b'"assistant"' not in line:
        return False
    # One that is longer than what is read at once, was read in part, and need not be parsed.
    value = _parsed(line.decode("utf-8", "replace"))
    return len(line) == MOST_LINE or (isinstance(value, dict) and value.get("type") in ("user", "assistant"))


def _parsed(words: str) -> Any:
    try:
        return json.loads(words)
    except (ValueError, RecursionError):
        return None
