"""A backup read back: each member as it was written, each record as pco reads it."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from pco import __version__
from pco.commands.backing.packing import hashed, opened, unpacked
from pco.ground import backups, shape
from pco.ground.backups import Manifest
from pco.ground.errors import BadConfig, BadData, SystemFault
from pco.ground.polled import Head
from pco.ground.record import from_bytes
from pco.ground.ticket import KEY, SCHEMA, State, Ticket
from pco.outside import bundles

MOST_MEMBER = 1 << 44
STATES = frozenset(State)
HINT = "pco-restore --list shows others"
SPOOL, PLANE = "spool.tar.gz", "plane.tar.gz"


@dataclass
class Opened:
    """A backup with all of its files open: what is read later is what was verified, and by who may open it."""

    folder: Path
    manifest: Manifest
    sha256: str  # of the manifest
    files: dict[str, IO[bytes]] = field(default_factory=dict)
    _stack: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> "Opened":
        return self

    def __exit__(self, *of: object) -> None:
        self._stack.close()

    def tickets(self) -> "Iterator[tuple[str, State, bytes]]":
        """Key, state and record of each ticket, as they lie there.  Raises BadData."""
        for name, data in self.small(SPOOL):
            state, _, file = name.partition("/")
            if file.endswith(".json") and state in STATES:
                yield file.removesuffix(".json"), State(state), data

    def small(self, member: str) -> Iterator[tuple[str, bytes]]:
        """Name and content of each file in a member; nothing if the backup has none of that name."""
        if member in self.files:
            for info, content in unpacked(self.files[member], member):
                if info.isreg():
                    yield info.name, content.read()


def open_all(folder: Path) -> Opened:
    """Open a backup.  Raises BadData, BadConfig, SystemFault."""
    manifest, sha256 = backups.read_hashed(folder)
    if manifest.records > SCHEMA:
        hint = f"install pco {manifest.version}"
        raise BadConfig(
            f"{folder}: its tickets are of schema {manifest.records}, pco {__version__} knows {SCHEMA}", hint
        )
    found = Opened(folder, manifest, sha256)
    for member in manifest.members:
        try:
            file, facts = found._stack.enter_context(opened(folder / member.name, MOST_MEMBER))
        except FileNotFoundError:
            raise torn(folder, member.name, "it is not there") from None
        except OSError as error:
            raise SystemFault(f"{folder / member.name}: {error.strerror}") from error
        except BadData as error:
            raise torn(folder, member.name, str(error)) from error
        if facts.st_size != member.size:
            raise torn(folder, member.name, f"it has {facts.st_size} bytes, not {member.size}")
        found.files[member.name] = file
    return found


def verify(found: Opened, progress: Callable[[int], None]) -> None:
    """Read all of it.  `progress` is told how many bytes were read.  Raises BadData, naming what is wrong."""
    for member in found.manifest.members:
        if hashed(found.files[member.name], progress)[1] != member.sha256:
            raise torn(found.folder, member.name, "it is not what was written (SHA-256)")
        if member.refs and bundles.heads(found.files[member.name]) != member.refs:
            raise torn(found.folder, member.name, "it has other branches than it should")
        if member.name.endswith(".tar.gz"):
            _verify_names(found, member.name, progress)
    _verify_tickets(found)
    for name, data in found.small(PLANE):
        _verify_known(found, name, data)


def _verify_names(found: Opened, member: str, progress: Callable[[int], None]) -> None:
    """Each file can be put somewhere: what cannot must not be met in the middle of a restore."""
    try:
        for _ in unpacked(found.files[member], member):
            progress(0)
    except BadData as error:
        raise BadData(f"{found.folder} is damaged: {error}", HINT) from error


def _verify_tickets(found: Opened) -> None:
    counts: Counter[str] = Counter()
    for key, state, data in found.tickets():
        counts[state] += 1
        if not KEY.fullmatch(key):
            raise torn(found.folder, SPOOL, f"{state}/{key[:40]!r} is no key of a ticket")
        if state is not State.CORRUPT and key not in found.manifest.unreadable:
            ticket(key, state, data)
    wrong = [state for state in State if counts[state] != found.manifest.counts.get(state, 0)]
    if wrong:
        said = ", ".join(f"{counts[s]} {s} instead of {found.manifest.counts.get(s, 0)}" for s in wrong)
        raise torn(found.folder, SPOOL, f"it has {said}")


def ticket(key: str, state: State, data: bytes) -> Ticket:
    """A record as pco reads it.  Raises BadData."""
    read = from_bytes(data, state)
    if read.key != key:
        raise BadData(f"{key}: the record says {read.key[:40]!r}")
    return read


def _verify_known(found: Opened, name: str, data: bytes) -> None:
    try:
        value = json.loads(data)
        if name.endswith("/head.json"):
            shape.load(Head, value)
    except (ValueError, RecursionError) as error:
        raise torn(found.folder, PLANE, f"{name}: {error}") from error


def torn(folder: Path, member: str, why: str) -> BadData:
    """The error for a backup that is not whole."""
    return BadData(f"{folder} is damaged: {member}: {why}", HINT)
