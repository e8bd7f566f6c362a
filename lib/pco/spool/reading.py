"""Looking into the spool: where tickets are, and what their records say.  It takes no lock, and changes nothing."""

import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from pco.ground import durable, times
from pco.ground.errors import BadConfig, BadData, NotPermitted, PcoError, SystemFault
from pco.ground.frozen import dataclass
from pco.ground.record import from_bytes
from pco.ground.ticket import FINISHED, KEY, MOST_BYTES, State, Ticket
from pco.spool.index import Index

RESTORING = "control/restoring"  # see spool.comeback


@dataclass(frozen=True)
class Aside:
    """Why a ticket is in corrupt, and where it came from."""

    reason: str
    from_: State
    at: datetime
    by: str


class Reader:
    """The spool at `root`, for who only looks."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.index = Index(root)

    def check(self) -> None:
        """Raise BadConfig if the spool is not there: an unmounted spool must not be mistaken for an empty one.

        So too if only a part of a backup is back in it.  Raises NotPermitted for who may not use it.
        """
        try:
            there = (self.root / ".lock").exists() and (self.root / State.PENDING).is_dir()
            half = (self.root / RESTORING).exists()
        except PermissionError:
            hint = "members of group pco may: sudo adduser YOU pco, then log in again"
            raise NotPermitted(f"{self.root}: you may not use this spool", hint) from None
        if not there:
            raise BadConfig(f"no spool at {self.root}", "is it mounted? `make install` or systemd-tmpfiles lays it out")
        if half:
            raise BadConfig(f"{self.root}: a restore is not finished", "sudo pco-restore goes on with it")

    def path(self, key: str, state: State) -> Path:
        """Where the file of `key` is in `state`.  Raises BadData for what is no key: it must never become a path."""
        return Path(self.file(key, state))

    def file(self, key: str, state: State) -> str:
        """As `path`, written: to look at hundreds of files without making as many objects."""
        if not KEY.fullmatch(key):
            raise BadData(f"{key[:40]!r} is no ticket key (a key looks like WEB-12)")
        return f"{self.root}/{state}/{key}.json"

    def keys(self, *states: State) -> list[str]:
        """The keys in these states, each once, unsorted."""
        return list(self.places(*states))

    def places(self, *states: State) -> dict[str, State]:
        """Where each key is, seen in one piece: what moves between the folders meanwhile is looked for again."""
        for _ in range(5):
            before = self._stamps(states)
            found = {name: state for state in states for name in self._names(state)}
            if self._stamps(states) == before:
                break
        return found

    def find(self, key: str) -> State | None:
        """The state that `key` is in.  Raises SystemFault."""
        for _ in range(3):  # a ticket may pass from a folder not yet seen to one already seen
            for state in State:
                if durable.there(self.path(key, state)):
                    return state
        return None

    def read(self, key: str, state: State | None = None) -> Ticket:
        """Read one ticket.  Raises KeyError if there is none, BadData if it is corrupt, SystemFault if unreadable."""
        for _ in range(3):
            where = state or self.find(key)
            if where is None:
                break
            with suppress(FileNotFoundError):
                return self._load(key, where)
        raise KeyError(key)

    def tickets(self, *states: State, trouble: Callable[[str, PcoError], None] | None = None) -> Iterator[Ticket]:
        """The readable tickets in these states.  What is unreadable goes to `trouble`, or is raised without one."""
        for key, state in self.places(*states).items():
            try:
                yield self.read(key, state)
            except KeyError:
                with suppress(KeyError, BadData):  # moved meanwhile
                    moved = self.read(key)
                    if moved.state in states:
                        yield moved
            except BadData as error:
                if trouble is None:
                    raise
                trouble(key, error)

    def count(self, state: State) -> int:
        """How many tickets are in `state`; costs the same however many have finished."""
        return self.index.count(state) if state in FINISHED else len(self._names(state))

    def strangers(self) -> list[Path]:
        """What lies in the state folders and is no ticket."""
        folders = [self.root / state for state in State if state not in FINISHED]
        found = [path for folder in folders for path in folder.iterdir() if not _key_of(path.name)]
        return [path for path in found if not (path.suffix == ".why" and path.parent.name == State.CORRUPT)]

    def data(self, key: str, state: State) -> bytes:
        """The record as it lies there.  Raises FileNotFoundError, SystemFault, BadData if it is no file."""
        path = self.file(key, state)
        try:
            return durable.read(path, MOST_BYTES)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise SystemFault(f"{path}: {error.strerror}") from error

    def _load(self, key: str, state: State) -> Ticket:
        ticket = from_bytes(self.data(key, state), state)
        if ticket.key != key:
            raise BadData(f"the record says {ticket.key[:40]!r}")
        return ticket

    def _names(self, state: State) -> list[str]:
        try:
            return [key for entry in os.listdir(self.root / state) if (key := _key_of(entry))]
        except FileNotFoundError as error:
            self.check()
            raise BadConfig(f"{self.root / state} is missing", "systemd-tmpfiles --create lays it out") from error
        except OSError as error:
            raise SystemFault(f"{self.root / state}: {error.strerror}") from error

    def _stamps(self, states: Iterable[State]) -> list[int]:
        try:
            return [os.stat(self.root / state).st_mtime_ns for state in states]
        except OSError:
            return []  # `_names` says what is wrong

    def aside(self, key: str) -> Aside | None:
        """Why `key` was set aside; None if nothing says so that can be read."""
        with suppress(SystemFault):
            return self._aside(key)
        return None

    def _aside(self, key: str) -> Aside | None:
        """Raises SystemFault."""
        path = self.root / State.CORRUPT / f"{key}.why"
        try:
            why = json.loads(durable.read(path, 1 << 16))
            return Aside(str(why["reason"]), State(why["from"]), times.parse_time(why["at"]), str(why["by"]))
        except (FileNotFoundError, ValueError, KeyError, TypeError, RecursionError, BadData):
            return None
        except OSError as error:
            raise SystemFault(f"{path}: {error.strerror}") from error


def _key_of(name: str) -> str:
    """The key that a file name carries, or an empty string."""
    stem = name.removesuffix(".json")
    return stem if stem != name and KEY.fullmatch(stem) else ""
