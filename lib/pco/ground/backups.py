"""Backups on disk: what one consists of, and what became of the last ones.

paths.backups/20261122T030000Z/   one backup, named by its time in UTC
  manifest.json    see `Manifest`; a folder without it is no backup
  spool.tar.gz     STATE/KEY.json, corrupt/KEY.why, control/…, notify/…: all as they were at one moment
  attempts.tar.gz  KEY/R.A/…        plane.tar.gz    PROJECT/head.json, PROJECT/known/XX.json
  audit.tar.gz     YYYY-MM.jsonl …  metrics.tar.gz  spend/DAY.json …
  config.tar.gz    what lies in /etc/pco, and units/: the drop-ins of pco's units; no secret
  PROJECT.bundle   the branches pco/KEY of the project's mirror, with all of their history
  journal.gz       https://systemd.io/JOURNAL_EXPORT_FORMATS/
paths.backups/.NAME               being written or removed; what a killed run left goes with the next run

paths.metrics/backup/WHAT.json    see `Standing`; WHAT is made, offsite (handed to all hooks) or tested (restored
                                  into a scratch folder, and read)
"""

import json
import re
from dataclasses import field, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Literal

from pco.ground import durable, shape
from pco.ground.errors import BadConfig, BadData, NotPermitted, SystemFault
from pco.ground.frozen import dataclass

SCHEMA = 1
MANIFEST = "manifest.json"
MOST_MANIFEST = 64 << 20
MOST_LEFT = 1000  # are named of what was left out
What = Literal["made", "offsite", "tested"]
_NAME = re.compile(r"[0-9]{8}T[0-9]{6}Z")
_STAMP = "%Y%m%dT%H%M%SZ"
_MEMBER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,80}\.(tar\.gz|gz|bundle)")


@dataclass(frozen=True)
class Member:
    """One file of a backup; `sha256` in hex, `files` that are packed in it, `refs` of a bundle: their commits."""

    name: str
    size: int
    sha256: str
    files: int = 0
    refs: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Left:
    """What was not taken, and why."""

    path: str
    why: str


@dataclass(frozen=True)
class Manifest:
    """What a backup holds.

    `records` is the schema of its tickets, `counts` how many it has in each state, `unreadable` the keys of those that
    were torn already (they are in it as they were), `left_out` what was not taken, `put_back` what a person has to put
    back after a restore.  `locked` is for how many seconds the spool was held, `seconds` how long all of it took.
    """

    name: str
    at: datetime
    version: str
    host: str
    records: int
    counts: dict[str, int]
    members: tuple[Member, ...]
    unreadable: tuple[str, ...] = ()
    left_out: tuple[Left, ...] = ()
    put_back: tuple[str, ...] = ()
    locked: float = 0.0
    seconds: float = 0.0
    schema: int = SCHEMA

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(member.size for member in self.members)

    @property
    def tickets(self) -> int:
        """How many tickets it holds."""
        return sum(self.counts.values())

    def member(self, name: str) -> Member | None:
        """The member of that name."""
        return next((member for member in self.members if member.name == name), None)

    @property
    def bundles(self) -> dict[str, Member]:
        """The bundles, by the name of their mirror."""
        found = {m.name.removesuffix(".bundle"): m for m in self.members}
        return {name: member for name, member in found.items() if member.name != name}


@dataclass(frozen=True)
class Mark:
    """What became of one backup, and when; `note` in words."""

    name: str
    at: datetime
    note: str = ""


@dataclass(frozen=True)
class Standing:
    """How backups of a kind stand: the last one that went well, and the last one that did not."""

    good: Mark | None = None
    bad: Mark | None = None
    schema: int = SCHEMA

    @property
    def failing(self) -> bool:
        """Whether the last one did not go well."""
        return self.bad is not None and (self.good is None or self.bad.at > self.good.at)


def name_of(moment: datetime) -> str:
    """The name of a backup of that moment."""
    return moment.astimezone(UTC).strftime(_STAMP)


def time_of(name: str) -> datetime | None:
    """When a backup of that name was made; None if it is no such name."""
    try:
        return datetime.strptime(name, _STAMP).replace(tzinfo=UTC) if _NAME.fullmatch(name) else None
    except ValueError:
        return None


def names(folder: Path) -> list[str]:
    """The backups in a folder, newest first; unfinished ones are not among them.  Raises BadConfig, SystemFault."""
    try:
        found = [path.name for path in folder.iterdir() if time_of(path.name) and (path / MANIFEST).exists()]
    except FileNotFoundError:
        hint = "is it mounted? `make install` or systemd-tmpfiles lays it out"
        raise BadConfig(f"no backups at {folder}: there is no such folder", hint) from None
    except PermissionError as error:
        hint = "root may, and members of group pco"
        raise NotPermitted(f"{error.filename or folder}: {error.strerror}", hint) from None
    except OSError as error:
        raise SystemFault(f"{error.filename or folder}: {error.strerror}") from error
    return sorted(found, reverse=True)


def read(folder: Path) -> Manifest:
    """The manifest of a backup.  Raises BadData, SystemFault, BadConfig if a newer version wrote it."""
    return read_hashed(folder)[0]


def read_hashed(folder: Path) -> tuple[Manifest, str]:
    """The manifest of a backup, and its SHA-256.  Raises as `read`."""
    path = folder / MANIFEST
    try:
        data = durable.read(path, MOST_MANIFEST)
        value = json.loads(data)
        schema = value.get("schema") if isinstance(value, dict) else None
        if type(schema) is int and schema > SCHEMA:
            raise BadConfig(f"{path}: written by a newer pco", "install that version")
        manifest = shape.load(Manifest, value)
    except FileNotFoundError:
        raise BadData(f"{folder} is no backup: it has no {MANIFEST}", "pco-restore --list") from None
    except OSError as error:
        raise SystemFault(f"{path}: {error.strerror}") from error
    except (ValueError, RecursionError, BadData) as error:
        raise BadData(f"{path}: {error}") from error
    if strange := [m.name for m in manifest.members if not _MEMBER.fullmatch(m.name)]:
        raise BadData(f"{path}: {strange[0][:40]!r} is no name of a member")
    return manifest, sha256(data).hexdigest()


def to_bytes(manifest: Manifest) -> bytes:
    """The content of manifest.json."""
    short = replace(manifest, left_out=manifest.left_out[:MOST_LEFT])
    return json.dumps(shape.dump(short), indent=1).encode() + b"\n"


# What became of them.


def standing(metrics: Path, what: What) -> Standing:
    """How backups stand.  Raises SystemFault, BadData."""
    path = metrics / "backup" / f"{what}.json"
    try:
        return shape.load(Standing, json.loads(durable.read(path, 1 << 16)))
    except FileNotFoundError:
        return Standing()
    except OSError as error:
        raise SystemFault(f"{path}: {error.strerror}") from error
    except (ValueError, RecursionError, BadData) as error:
        raise BadData(f"{path}: {error}", f"remove it: the next run writes it anew ({what})") from error


def note(metrics: Path, what: What, mark: Mark, *, good: bool) -> None:
    """Keep what became of one, durably.  Raises SystemFault."""
    try:
        before = standing(metrics, what)
    except BadData:
        before = Standing()
    after = replace(before, good=mark) if good else replace(before, bad=mark)
    path = metrics / "backup" / f"{what}.json"
    try:
        path.parent.mkdir(exist_ok=True)
        durable.replace(path, json.dumps(shape.dump(after)).encode() + b"\n", 0o644)
    except OSError as error:
        raise SystemFault(f"{path}: {error.strerror}") from error
