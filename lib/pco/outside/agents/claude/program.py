"""The program itself: whether it is there, and which version it is."""

import os
import re
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from pco.ground import durable, text
from pco.ground.errors import BadConfig, BadData
from pco.outside import process

OLDEST = (2, 1, 300)  # hooks, options and exit codes are as this module expects
TESTED = (2, 1, 330)
_PATIENCE = timedelta(seconds=20)
HINT = "npm install -g @anthropic-ai/claude-code@" + ".".join(map(str, TESTED))
_NOWHERE = Path("/nonexistent")  # a home for who only asks


def there(path: Path) -> None:
    """Raises BadConfig if there is no such program."""
    if not os.access(path, os.X_OK) or path.is_dir():
        raise BadConfig(f"claude.program: {path} is no program", f"{HINT}; or name another")


def check(path: Path, own: Path) -> str:
    """A warning if this version is newer than what was tested; asked once for each file and ticket.

    Raises BadConfig if it is too old, or none.
    """
    there(path)
    found = os.stat(path)
    seal = f"{path} {found.st_size} {found.st_mtime_ns} "
    known = _remembered(own / "pco-version")
    said = known.removeprefix(seal) if known.startswith(seal) else asked(path, own)
    warning = judged(path, said)
    if not known.startswith(seal):
        durable.replace(own / "pco-version", f"{seal}{said}".encode(), 0o600)
    return warning


def judged(path: Path, said: str) -> str:
    """A warning if what `--version` said is newer than what was tested.  Raises BadConfig if it is too old, or none."""
    version = _parsed(said)
    if version is None:
        raise BadConfig(f"{path} --version says {text.line(said, 120)!r}: is it Claude Code?", HINT)
    if version < OLDEST:
        raise BadConfig(f"{path} is version {_dotted(version)}, older than {_dotted(OLDEST)}", HINT)
    return f"{path} is version {_dotted(version)}; tested is {_dotted(TESTED)}" if version > TESTED else ""


def asked(path: Path, own: Path = _NOWHERE, become: Sequence[str] = (), patience: timedelta = _PATIENCE) -> str:
    """What `--version` says; `own` is its home, `become` a command that runs it as somebody else.  Raises PcoError."""
    # As in a unit: a wrapper finds node where an administrator puts it.
    environment = {"PATH": f"/usr/local/bin:{os.defpath}", "HOME": str(own), "CLAUDE_CONFIG_DIR": str(own)}
    quiet = {"DISABLE_AUTOUPDATER": "1"}
    result = process.run([*become, str(path), "--version"], {**environment, **quiet}, patience, cwd=Path("/"))
    return text.line(result.out.decode("utf-8", "replace").strip() or result.error, 200).strip()


def _remembered(path: Path) -> str:
    try:
        return durable.read(path, 4096).decode("utf-8", "replace")
    except (OSError, BadData):
        return ""


def _parsed(said: str) -> tuple[int, ...] | None:
    found = re.match(r"(\d+)\.(\d+)\.(\d+)\b.*Claude Code", said)
    return tuple(int(part) for part in found.groups()) if found else None


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
