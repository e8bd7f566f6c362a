"""Carrying a backup away: the programs of hooks.d/backup get its path.

Each is called as `PROGRAM PATH`, with one JSON object on standard input: {"schema": 1, "event": "backup", "at", "name",
"path", "size", "tickets", "sha256"} (of manifest.json, which has that of all members).
"""

import json
import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from pco.ground import backups, text, times
from pco.ground.backups import Manifest, Mark
from pco.ground.errors import BadData, PcoError, TryLater, Unavailable
from pco.outside import hooks
from pco.outside.hooks import Hook
from pco.run import Pco

FOLDER, EVENT = "hooks.d", "backup"
SCHEMA = 1
_KEPT = ("PATH", "HOME", "LANG", "CREDENTIALS_DIRECTORY", "SSH_AUTH_SOCK", "http_proxy", "https_proxy", "no_proxy")


def programs(pco: Pco) -> list[Hook]:
    """The hooks, in the order of their names; one that others could have written is said and passed over.

    Raises SystemFault.
    """
    owners = {0} if pco.config.paths.root is None else {0, os.geteuid()}
    found, refused = hooks.find(pco.config_path.parent / FOLDER, EVENT, owners)
    for one in refused:
        pco.fail(BadData(f"{FOLDER}/{one.name} is not run: {one.why}", "only root's programs are, from root's folders"))
    return found


def hand_over(pco: Pco, folder: Path) -> bool:
    """Give a backup to every hook, and keep whether all went well; False if there is none.  Raises PcoError."""
    carriers = programs(pco)
    if not carriers:
        return False
    manifest, sha256 = backups.read_hashed(folder)
    failed: list[PcoError] = []
    for hook in carriers:
        pco.service.doing(f"{hook.path.name} carries {manifest.name} away")
        try:
            _call(hook, folder, _told(pco, folder, manifest, sha256), pco.config.backup.hook_within)
        except PcoError as error:
            failed.append(error)
            pco.fail(error, manifest.name)
        pco.service.pat()
    names = ", ".join(hook.path.name for hook in carriers)
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


def _call(hook: Hook, folder: Path, told: bytes, within: timedelta) -> None:
    """Raises Unavailable if it fails, TryLater if it takes too long."""
    argv = [str(hook.path), str(folder)]
    done = hooks.run(argv, told, _environment(os.environ), within.total_seconds())
    if done.trouble:
        kind = TryLater if done.hung else Unavailable
        said = f"{done.trouble}: {done.said or 'it said nothing'}"
        raise kind(f"{hook.path} did not carry it away: {said}", f"run it by hand: {' '.join(argv)}")


def _environment(given: Mapping[str, str]) -> dict[str, str]:
    return {"PATH": os.defpath, **{name: given[name] for name in _KEPT if name in given}}
