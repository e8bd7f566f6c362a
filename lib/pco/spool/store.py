"""Tickets on disk: create, record, move, set aside; the lock around them.  Looking is `spool.reading`.

    spool/STATE/KEY.json    a ticket; the folder is its state          spool/tmp/KEY.PID   being written, read by nobody
    spool/corrupt/KEY.why   why it was set aside, and where it was     spool/.lock         taken for moves and records
    spool/wake/NAME         a flag that wakes a program                spool/control/      pause, import/KEY
    spool/.reserve          room for a full disk, see `ground.reserve`

Every write re-reads under the lock and compares state and `rev`; who was slower gets `Stale` and starts again.
"""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from pco.ground import durable, reserve, times
from pco.ground.errors import BadData, PcoError, SystemFault, TryLater
from pco.ground.record import to_bytes
from pco.ground.ticket import FINISHED, MOST_BYTES, Entry, State, Ticket
from pco.spool.control import Control
from pco.spool.locks import Lock
from pco.spool.moves import allowed
from pco.spool.reading import Reader

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
BATCH = 100  # tickets created under one lock


Judge = Callable[[Ticket], tuple[Ticket, State | None] | None]


class Stale(TryLater):
    """Another program changed the ticket meanwhile; read it again and decide anew."""


class Spool(Reader):
    """The spool at `root`, as `program` sees it (pco-queue gives its verb too: what it may move hangs on that)."""

    def __init__(self, root: Path, program: str, patience: timedelta = timedelta(seconds=10)) -> None:
        super().__init__(root)
        self.program = program
        self.patience = patience
        self.control = Control(root)
        self._lock = Lock(root / ".lock", patience)

    def lay_out(self) -> None:
        """Make folders and lock files: only for `make demo` and the tests; tmpfiles does it on an installed system."""
        for name in FOLDERS:
            (self.root / name).mkdir(parents=True, exist_ok=True)
        for name in LOCKS:
            (self.root / name).touch(0o660)

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

    def repair(self, key: str) -> Ticket:
        """Put a repaired ticket back where it came from.  Raises BadData as long as it is not readable."""
        with self.lock():
            if self.find(key) is not State.CORRUPT:
                raise KeyError(key)
            why = self._aside(key)
            if why is None:
                raise BadData(f"{key}.why does not say which state it came from")
            self.permit(State.CORRUPT, why.from_)
            self._load(key, State.CORRUPT)
            self._rename(key, State.CORRUPT, why.from_)
            with suppress(FileNotFoundError):
                os.unlink(self.root / State.CORRUPT / f"{key}.why")
            self.index.recount(why.from_)
            return self._load(key, why.from_)

    def tidy(self) -> None:
        """Remove the reasons of tickets that are no longer set aside: who was killed as it put one back left them."""
        with self.lock():
            for why in (self.root / State.CORRUPT).glob("*.why"):
                if not durable.there(why.with_suffix(".json")):
                    why.unlink()

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
            if dropped is None:
                self.index.check(state)  # the folder has changed: it finds what its months say too much
            else:
                self.index.dropped(dropped)

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
        durable.sync_moved(self.path(key, to))
        durable.sync_folder(self.root / to)
        durable.sync_folder(self.root / from_)
