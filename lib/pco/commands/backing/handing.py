"""Carrying a backup away: the programs of hooks.d/backup get its path.

Each is called as `PROGRAM PATH`, with one JSON object on standard input: {"schema": 1, "event": "backup", "at", "name",
"path", "size", "tickets", "sha256"} (of manifest.json, which has that of all members).
"""

import json
import os
import stat
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from pco.command import Pco
from pco.ground import backups, text, times
from pco.ground.backups import Manifest, Mark
from pco.ground.errors import BadData, PcoError, SystemFault, Unavailable
from pco.outside import process

FOLDER = Path("hooks.d/backup")
SCHEMA = 1
MOST_SAID = 1 << 16
_KEPT = ("PATH", "HOME", "LANG", "CREDENTIALS_DIRECTORY", "SSH_AUTH_SOCK", "http_proxy", "https_proxy", "no_proxy")


def programs(pco: Pco) -> list[Path]:
    """The hooks, in the order of their names; one that others could have put there is said and passed over."""
    folder = pco.config_path.parent / FOLDER
    try:
        found = sorted(path for path in folder.iterdir() if not path.name.startswith(".") and os.access(path, os.X_OK))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise SystemFault(f"{folder}: {error.strerror}") from error
    return [path for path in found if path.is_file() and _trusted(pco, path)]


def hand_over(pco: Pco, folder: Path) -> bool:
    """Give a backup to every hook, and keep whether all went well; False if there is none.  Raises PcoError."""
    hooks = programs(pco)
    if not hooks:
        return False
    manifest, sha256 = backups.read_hashed(folder)
    failed: list[PcoError] = []
    for hook in hooks:
        pco.service.doing(f"{hook.name} carries {manifest.name} away")
        try:
            _call(hook, folder, _told(pco, folder, manifest, sha256), pco.config.backup.hook_within)
        except PcoError as error:
            failed.append(error)
            pco.fail(error, manifest.name)
        pco.service.pat()
    names = ", ".join(hook.name for hook in hooks)
    why = "; ".join(str(error) for error in failed)
    mark = Mark(manifest.name, pco.now(), text.line(why or names, 500))
    backups.note(pco.config.paths.metrics, "offsite", mark, good=not failed)
    if not failed:
        pco.announce("carried away", None, {"backup": manifest.name, "by": pco.program, "hooks": names})
    return True


def _told(pco: Pco, folder: Path, manifest: Manifest, sha256: str) -> bytes:
    value = {
        "schema": SCHEMA,
        "event": "backup",
        "at": times.iso(pco.now()),
        "name": manifest.name,
        "path": str(folder),
        "size": manifest.size,
        "tickets": manifest.tickets,
        "sha256": sha256,
    }
    return json.dumps(value).encode() + b"\n"


def _call(hook: Path, folder: Path, told: bytes, within: timedelta) -> None:
    """Raises Unavailable if it fails, or takes too long."""
    with open(os.memfd_create("pco-hook", os.MFD_CLOEXEC), "w+b") as words:
        words.write(told)
        words.seek(0)
        done = process.run(
            [str(hook), str(folder)], _environment(os.environ), within, MOST_SAID, words.fileno(), cwd=folder
        )
    if done.code:
        said = text.line((done.error.strip() or "no word").splitlines()[-1], 200)
        how = f"signal {-done.code}" if done.code < 0 else f"exit {done.code}"
        raise Unavailable(f"{hook} did not carry it away: {how}: {said}", f"run it by hand: {hook} {folder}")


def _environment(given: Mapping[str, str]) -> dict[str, str]:
    return {"PATH": os.defpath, **{name: given[name] for name in _KEPT if name in given}}


def _trusted(pco: Pco, hook: Path) -> bool:
    """Whether root or we ourselves alone can have written it: it runs as we do, and sees all tickets."""
    facts = hook.stat()
    if facts.st_uid in (0, os.geteuid()) and not facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return True
    error = BadData(f"{hook} is not run: others than root can change it", f"chown root {hook}; chmod 755 {hook}")
    pco.fail(error)
    return False
