"""Tickets on disk: create, read, record, move, set aside; the lock around them.

    spool/STATE/KEY.json    a ticket; the folder is its state          spool/tmp/KEY.PID   being written, read by nobody
    spool/corrupt/KEY.why   why it was set aside, and where it was     spool/.lock         taken for moves and records
    spool/wake/NAME         a flag that wakes a program                spool/control/      pause, import/KEY
    spool/.reserve          room for a full disk, see `ground.reserve`

Every write re-reads under the lock and compares state and `rev`; who was slower gets `Stale` and starts again.
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from pco.ground import durable, reserve, times
from pco.ground.errors import BadConfig, BadData, NotPermitted, PcoError, SystemFault, TryLater
from pco.ground.ticket import FINISHED, KEY, MOST_BYTES, Entry, State, Ticket, from_bytes, to_bytes
from pco.spool.control import Control
from pco.spool.index import Index
from pco.spool.locks import Lock
from pco.spool.moves import allowed

FOLDERS = (
    *State,
    "tmp",
    "wake",
    "control",
    "control/import",
    "control/clean",
    "control/push",
    "control/purge",
    "notify",
    "sending",
    "index",
)
LOCKS = (
    ".lock",
    *(
        f".{program}.lock"
        for program in ("poll", "launch", "watch", "post", "push", "dashboard", "backup", "notify", "doctor")
    ),
)
RESTORING = "control/restoring"  # see spool.comeback
BATCH = 100  # tickets created under one lock


Judge = Callable[[Ticket], tuple[Ticket, State | None] | None]


class Stale(TryLater):
    """Another program changed the ticket meanwhile; read it again and decide anew."""


@dataclass(frozen=True)
class Aside:
    """Why a ticket is in corrupt, and where it came from."""

    reason: str
    from_: State
    at: datetime
    by: str


class Spool:
    """The spool at `root`, as `program` sees it (pco-queue gives its verb too: what it may move hangs on that)."""

    def __init__(self, root: Path, program: str, patience: timedelta = timedelta(seconds=10)) -> None:
        self.root = root
        self.program = program
        self.patience = patience
        self.index = Index(root)
        self.control = Control(root)
        self._lock = Lock(root / ".lock", patience)

    def lay_out(self) -> None:
        """Make folders and lock files: only for `make demo` and the tests; tmpfiles does it on an installed system."""
        for name in FOLDERS:
            (self.root / name).mkdir(parents=True, exist_ok=True)
        for name in LOCKS:
            (self.root / name).touch(0o660)

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

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the spool.  For moves and records, never for work.  May be nested.  Raises TryLater after a time-out."""
        with self._lock.held():
            yield

    @contextmanager
    def alone(self, patience: timedelta = timedelta(0), program: str = "") -> Iterator[None]:
        """Hold this program's own lock, or another's: one run at a time.  Raises TryLater if one stays under way."""
        name = (program or self.program).removeprefix("pco-")
        with Lock(self.root / f".{name}.lock", patience).held():
            yield

    def alive(self) -> None:
        """Say that this program, which is alone, has made progress: by the time of its lock file."""
        with suppress(OSError):
            os.utime(self.root / f".{self.program.removeprefix('pco-')}.lock")

    # Reading.

    def path(self, key: str, state: State) -> Path:
        """Where the file of `key` is in `state`.  Raises BadData for what is no key: it must never become a path."""
        if not KEY.fullmatch(key):
            raise BadData(f"{key[:40]!r} is no ticket key (a key looks like WEB-12)")
        return self.root.joinpath(state, f"{key}.json")

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
        """The state that `key` is in."""
        for _ in range(3):  # a ticket may pass from a folder not yet seen to one already seen
            for state in State:
                if os.path.lexists(self.path(key, state)):
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
        path = self.path(key, state)
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

    # Writing.

    def create(self, ticket: Ticket, by: str = "", why: str = "") -> Ticket:
        """Put one new ticket into pending.  Raises FileExistsError if its key is in any state."""
        made = self.create_all([ticket], by, why)
        if not made:
            raise FileExistsError(ticket.key)
        return made[0]

    def create_all(self, tickets: list[Ticket], by: str = "", why: str = "") -> list[Ticket]:
        """Put new tickets into pending, durably, a batch under one lock; returns those whose key was free."""
        made: list[Ticket] = []
        for start in range(0, len(tickets), BATCH):
            batch = tickets[start : start + BATCH]
            made += self._create_batch([self._stamp(ticket, None, State.PENDING, by, why) for ticket in batch])
        return made

    def _create_batch(self, tickets: list[Ticket]) -> list[Ticket]:
        first = {ticket.key: ticket for ticket in reversed(tickets)}
        written = {key: self.write_temporary(ticket) for key, ticket in first.items()}
        made = []
        with self.lock():
            for ticket in reversed(first.values()):
                if self.find(ticket.key) is None:
                    temporary, path = written.pop(ticket.key), self.path(ticket.key, ticket.state)
                    reserve.spare(self.root, partial(os.rename, temporary, path))
                    made.append(ticket)
            durable.sync_folder(self.root / State.PENDING)
        for unused in written.values():
            os.unlink(unused)
        return made

    def record(self, ticket: Ticket) -> Ticket:
        """Write the record in its state.  Raises Stale if it was changed since it was read."""
        with self.lock():
            self._compare(ticket)
            recorded = self._put(ticket)
            if self.index.rewritten(recorded):
                self.index.touched(recorded.state)
            return recorded

    def move(self, ticket: Ticket, to: State, by: str = "", why: str = "") -> Ticket:
        """Record the ticket, then move it.  Raises Stale if it was changed since, ValueError if not in MOVES."""
        with self.lock():
            self._compare(ticket)
            self.index.check(ticket.state, to)
            recorded = self._put(self._stamp(ticket, ticket.state, to, by, why), ticket.state)
            self._rename(ticket.key, ticket.state, to)
            self.index.moved(recorded, ticket)
            return recorded

    def update(self, key: str, judge: Judge, by: str = "", why: str = "") -> Ticket:
        """Under the lock: read, let `judge` say the new record and where it goes (None: stays), write.

        `judge` must be quick and pure.  None leaves the ticket as it is.  Raises KeyError if there is no such ticket.
        """
        with self.lock():
            ticket = self.read(key)
            verdict = judge(ticket)
            if verdict is None:
                return ticket
            changed, to = verdict
            return self.record(changed) if to is None else self.move(changed, to, by, why)

    def set_aside(self, key: str, state: State, reason: str) -> None:
        """Move an unreadable ticket to corrupt; it blocks its key until a person repairs or drops it."""
        with self.lock():
            self.permit(state, State.CORRUPT)
            try:
                self._load(key, state)
                return  # it was repaired meanwhile
            except FileNotFoundError:
                return
            except BadData:
                pass
            aside = {"reason": reason, "from": state.value, "at": times.iso(datetime.now(UTC)), "by": self.program}
            why, data = self.root / State.CORRUPT / f"{key}.why", json.dumps(aside).encode() + b"\n"
            reserve.spare(self.root, lambda: durable.replace(why, data))
            self._rename(key, state, State.CORRUPT)
            self.index.recount(state)

    def mend_index(self) -> bool:
        """See that the index of finished tickets is there and true; says whether something had to be done."""
        if self.index.whole() and self.index.true(*FINISHED):
            return False
        with self.lock():
            self.index.check(*FINISHED) if self.index.whole() else self.index.rebuild()
        return True

    def aside(self, key: str) -> Aside | None:
        """Why `key` was set aside; None if nothing says so."""
        try:
            why = json.loads(durable.read(self.root / State.CORRUPT / f"{key}.why", 1 << 16))
            return Aside(str(why["reason"]), State(why["from"]), times.parse_time(why["at"]), str(why["by"]))
        except (OSError, ValueError, KeyError, TypeError, BadData):
            return None

    def repair(self, key: str) -> Ticket:
        """Put a repaired ticket back where it came from.  Raises BadData as long as it is not readable."""
        with self.lock():
            if self.find(key) is not State.CORRUPT:
                raise KeyError(key)
            why = self.aside(key)
            if why is None:
                raise BadData(f"{key}.why does not say which state it came from")
            self.permit(State.CORRUPT, why.from_)
            self._load(key, State.CORRUPT)
            self._rename(key, State.CORRUPT, why.from_)
            with suppress(FileNotFoundError):
                os.unlink(self.root / State.CORRUPT / f"{key}.why")
            self.index.recount(why.from_)
            return self._load(key, why.from_)

    def drop(self, key: str) -> None:
        """Remove a ticket's file for good."""
        with self.lock():
            state = self.find(key)
            if state is None:
                raise KeyError(key)
            self.permit(state, None)
            path, dropped = self.path(key, state), None
            self.index.check(state)
            with suppress(PcoError, FileNotFoundError):
                dropped = self._load(key, state)
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
            durable.sync_folder(path.parent)
            with suppress(FileNotFoundError):
                os.unlink(self.root / State.CORRUPT / f"{key}.why")
            if dropped is None or self.index.left(dropped):
                self.index.recount(state)

    def _compare(self, ticket: Ticket) -> None:
        """Raise Stale unless the file still is in the state and of the `rev` that `ticket` was read with."""
        try:
            there = self._load(ticket.key, ticket.state)
        except FileNotFoundError:
            raise Stale(f"{ticket.key} is no longer {ticket.state}") from None
        if there.rev != ticket.rev:
            raise Stale(f"{ticket.key} was changed meanwhile")

    def _stamp(self, ticket: Ticket, from_: State | None, to: State, by: str, why: str) -> Ticket:
        self.permit(from_, to)
        came = from_.value if from_ else ""
        entry = Entry(datetime.now(UTC), came, to.value, by or self.program, ticket.round.n, why)
        return replace(ticket, history=(*ticket.history, entry), state=to)

    def permit(self, from_: State | None, to: State | None) -> None:
        """Raise ValueError if this program may not move a ticket so; None is "no file"."""
        if not allowed(from_, to, self.program):
            raise ValueError(f"{self.program} may not move a ticket from {from_ or 'nothing'} to {to or 'nothing'}")

    def _put(self, ticket: Ticket, where: State | None = None) -> Ticket:
        """Write the next revision over the file in `where`."""
        following = replace(ticket, rev=ticket.rev + 1)
        folder = self.root / (where or ticket.state)
        temporary = self.write_temporary(following)
        self.index.check(where or ticket.state)
        try:
            reserve.spare(self.root, lambda: os.rename(temporary, folder / f"{ticket.key}.json"))
        except OSError as error:
            with suppress(OSError):
                os.unlink(temporary)
            raise SystemFault(f"{ticket.key}: {folder}: {error.strerror}") from error
        durable.sync_folder(folder)
        return following

    def write_temporary(self, ticket: Ticket) -> Path:
        """Write a record where nobody reads it, flushed; the caller renames it.  Raises BadData, SystemFault."""
        temporary = self.root / "tmp" / f"{self.path(ticket.key, State.PENDING).stem}.{os.getpid()}"
        data = to_bytes(ticket)
        if len(data) > MOST_BYTES:
            raise BadData(f"{ticket.key}: the record would have {len(data)} bytes")
        try:
            reserve.spare(self.root, lambda: durable.write_temporary(temporary, data))
        except OSError as error:
            raise SystemFault(f"{ticket.key}: {temporary.parent}: {error.strerror}") from error
        return temporary

    def _rename(self, key: str, from_: State, to: State) -> None:
        try:
            reserve.spare(self.root, lambda: os.rename(self.path(key, from_), self.path(key, to)))
        except OSError as error:
            raise SystemFault(f"{key}: cannot move from {from_} to {to}: {error.strerror}") from error
        durable.sync_folder(self.root / to)
        durable.sync_folder(self.root / from_)


def _key_of(name: str) -> str:
    """The key that a file name carries, or an empty string."""
    stem = name.removesuffix(".json")
    return stem if stem != name and KEY.fullmatch(stem) else ""
