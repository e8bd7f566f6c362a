"""Changes of the configuration, noticed and audited: what was taken up last lies in audit/configuration.json.

    {"schema": 1, "at": ISO 8601, "stamp": of the files, "files": {"pco.yaml": text, "pco.yaml.d/10-x.yaml": text}}

Secrets do not belong there; what looks like one is masked before it is kept or audited.
"""

import json
import os
import pwd
from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from difflib import unified_diff
from pathlib import Path

from pco.ground import apitoken, durable, shape, text, times, yamlfile
from pco.ground.errors import BadConfig, BadData, SystemFault
from pco.ground.frozen import dataclass
from pco.rules import secrets
from pco.run import Pco

SCHEMA = 1
MOST_KEPT = 4 << 20
MOST_LINES = 200  # of a diff in the audit record


@dataclass(frozen=True)
class Taken:
    """The configuration as it was taken up."""

    at: datetime
    stamp: str
    files: dict[str, str] = field(default_factory=dict)
    schema: int = SCHEMA


def notice(pco: Pco, by: str = "") -> list[str]:
    """Audit what has changed since the configuration was taken up last, and take it up; returns the diff.

    At the very first nothing has changed.  `by`: on whose word; else the owner of the file that is newest, for nobody
    tells who edited it.  Raises SystemFault, and BadConfig for what cannot be read.
    """
    stamp = yamlfile.stamp(pco.config_path)
    before = taken(pco)
    if before and before.stamp == stamp:
        return []
    now = texts(pco)
    changed = diff(before.files, now) if before else []
    if changed:
        who = by or _owner(pco.config_path)
        shown = changed[:MOST_LINES] + (["…"] if changed[MOST_LINES:] else [])
        pco.announce("configured", None, {"by": who, "diff": "\n".join(shown)})
    path = _path(pco)
    try:
        data = json.dumps(shape.dump(Taken(pco.now(), stamp, now))).encode()
        durable.replace(path, data, 0o660)
    except OSError as error:
        raise SystemFault(f"{path}: {error.strerror}") from error
    return changed


def taken(pco: Pco) -> Taken | None:
    """What was taken up last; None if nothing was, or what is kept is damaged.  Raises SystemFault."""
    path = _path(pco)
    try:
        return shape.load(Taken, json.loads(durable.read(path, MOST_KEPT)))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SystemFault(f"{path}: {error.strerror}") from error
    except (BadData, ValueError, RecursionError):
        return None  # a torn one is taken up anew


def texts(pco: Pco) -> dict[str, str]:
    """The files as they are, masked.  Raises BadConfig."""
    found = {}
    for file in (pco.config_path, *yamlfile.drop_ins(pco.config_path)):
        name = file.name if file == pco.config_path else f"{file.parent.name}/{file.name}"
        try:
            content = durable.read(file.resolve(), yamlfile.MOST_BYTES).decode("utf-8", "replace")
        except (OSError, BadData) as error:
            raise BadConfig(f"{file}: {getattr(error, 'strerror', None) or error}") from error
        found[name] = secrets.masked(content, _token(pco))
    return found


def diff(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """How the files differ, as unified diff, clean lines."""
    lines: list[str] = []
    for name in sorted({*before, *now}):
        pieces = before.get(name, "").splitlines(), now.get(name, "").splitlines()
        lines += [text.lines(line, 300) for line in unified_diff(*pieces, name, name, lineterm="", n=1)]
    return lines


def since(pco: Pco) -> str:
    """When it was taken up, in words."""
    known = taken(pco)
    return f"as it was taken up {times.ago(known.at, pco.now())}" if known else "it was never taken up"


def _token(pco: Pco) -> list[tuple[str, str]]:
    try:
        return [("the token of Plane", apitoken.read(pco.config.plane, os.environ))]
    except BadConfig:
        return []


def _path(pco: Pco) -> Path:
    return pco.config.paths.audit / "configuration.json"


def _owner(path: Path) -> str:
    newest = max((path, *yamlfile.drop_ins(path)), key=lambda file: file.stat().st_mtime_ns)
    uid = newest.stat().st_uid
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
