"""What pco's programs and units have written into the journal, for the checks that look through it."""

import json
import math
from collections.abc import Iterator
from dataclasses import field
from datetime import UTC, datetime, timedelta

from pco.checks import Site
from pco.ground.errors import NotPermitted
from pco.ground.frozen import dataclass
from pco.outside import journalctl, process

WITHIN = timedelta(seconds=4)
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}
_FIELDS = "MESSAGE,MESSAGE_ID,SYSLOG_IDENTIFIER,_SYSTEMD_UNIT,UNIT"


@dataclass(frozen=True)
class Record:
    """What one said: `by` is a program, or systemd of a unit."""

    at: datetime
    by: str
    message: str
    kind: str = ""


@dataclass(frozen=True)
class Records:
    """Oldest first; `cut`: there was more."""

    records: list[Record] = field(default_factory=list)
    cut: bool = False


def records(site: Site, since: datetime, priority: str, most: int) -> Records:
    """What was logged after that moment, of this priority and above; the latest of it up to `most` bytes.

    Raises NotPermitted: who may not read the journal is shown a part of it by journalctl, and no error.
    """
    if not (site.root or journalctl.readable(site.top)):
        raise NotPermitted("the journal is for root and group systemd-journal", "sudo pco-doctor")
    asked = [f"--since=@{math.floor(since.timestamp())}", f"--priority={priority}", "--reverse", "--output=json"]
    asked += ["--all", f"--output-fields={_FIELDS}"]
    found: dict[str, Record] = {}
    cut = False
    for matches in (["--unit=pco*"], _identifiers(site)):
        if not matches:
            continue
        said = process.run(["journalctl", "--quiet", "--no-pager", *asked, *matches], _ENVIRONMENT, WITHIN, most)
        cut = cut or said.cut
        found |= dict(_read(said.out))
    later = (record for record in found.values() if record.at > since)
    return Records(sorted(later, key=lambda record: record.at), cut)


def _identifiers(site: Site) -> list[str]:
    """Matches for the programs of pco: those that people run belong to no unit of it."""
    names = site.once("identifiers", lambda: _values("SYSLOG_IDENTIFIER"))
    return [f"SYSLOG_IDENTIFIER={name}" for name in names if name == "pco" or name.startswith("pco-")]


def _values(field: str) -> list[str]:
    """All that a field of the journal ever said."""
    said = process.run(["journalctl", "--quiet", f"--field={field}"], _ENVIRONMENT, WITHIN)
    return sorted(said.out.decode("utf-8", "replace").split("\n"))


def _read(out: bytes) -> Iterator[tuple[str, Record]]:
    """Each with its place in the journal."""
    for line in out.splitlines():
        try:
            entry = json.loads(line)
            at = datetime.fromtimestamp(int(entry["__REALTIME_TIMESTAMP"]) / 1e6, UTC)
        except (ValueError, KeyError, TypeError):
            continue  # the last one was cut
        names = [_words(entry.get(name)) for name in ("SYSLOG_IDENTIFIER", "UNIT", "_SYSTEMD_UNIT")]
        by = next((name for name in names if name.startswith("pco")), names[0] or "?")
        yield str(entry.get("__CURSOR")), Record(at, by, _words(entry.get("MESSAGE")), _words(entry.get("MESSAGE_ID")))


def _words(value: object) -> str:
    """A field: a text, its bytes where it is none, or, where it was given several times, the first of them."""
    if isinstance(value, list) and value and all(isinstance(one, int) for one in value):
        return bytes(one & 255 for one in value).decode("utf-8", "replace")
    if isinstance(value, list) and value:
        return _words(value[0])
    return value if isinstance(value, str) else ""


def complaints(site: Site) -> list[tuple[str, datetime, str]]:
    """What systemd did not understand of the units of pco: file, time, message; the last for each file.

    Raises NotPermitted.
    """
    if not (site.root or journalctl.readable(site.top)):
        raise NotPermitted("the journal is for root and group systemd-journal", "sudo pco-doctor")
    paths = [path for path in _values("CONFIG_FILE") if "/pco" in path]
    if not paths:
        return []
    argv = ["journalctl", "--quiet", "--no-pager", "--output=json", "--boot", "--output-fields=CONFIG_FILE,MESSAGE"]
    out = process.run([*argv, *(f"CONFIG_FILE={path}" for path in paths)], _ENVIRONMENT, WITHIN, 1 << 20).out
    found = {}
    for line in out.splitlines():
        try:
            entry = json.loads(line)
            at = datetime.fromtimestamp(int(entry["__REALTIME_TIMESTAMP"]) / 1e6, UTC)
        except (ValueError, KeyError, TypeError):
            continue
        path = _words(entry.get("CONFIG_FILE"))
        found[path] = (path, at, _words(entry.get("MESSAGE")))
    return list(found.values())
