"""An empty spool that gets back what a backup holds.

control/restoring is there from before the first ticket until after the last one, and as long as it is no other program
uses the spool: half of the tickets must not be taken for all of them.  Whoever finds it goes on with the same backup,
and comes to the same end.
"""

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta

from pco.ground import durable, shape
from pco.ground.errors import BadData, PcoError, SystemFault, TryLater
from pco.ground.frozen import dataclass
from pco.ground.ticket import Entry, State, Ticket
from pco.spool.locks import Lock
from pco.spool.reading import RESTORING
from pco.spool.store import LOCKS, Spool


@dataclass(frozen=True)
class Mark:
    """Which backup is being restored (`sha256` of its manifest), since when, on whose word."""

    backup: str
    sha256: str
    at: datetime
    by: str
    schema: int = 1


@contextmanager
def quiet(spool: Spool) -> Iterator[None]:
    """Be the only program at work here.  Raises TryLater, naming which is not at rest."""
    with ExitStack() as stack:
        for name in LOCKS[1:]:
            try:
                stack.enter_context(Lock(spool.root / name, timedelta(0)).held())
            except TryLater:
                program = f"pco-{name.strip('.').partition('.')[0]}"
                raise TryLater(f"{program} is at work in {spool.root}", "sudo systemctl stop pco.target") from None
        yield


def begun(spool: Spool) -> Mark | None:
    """The restore that is not finished yet.  Raises BadData, SystemFault."""
    path = spool.root / RESTORING
    try:
        return shape.load(Mark, json.loads(durable.read(path, 1 << 16)))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SystemFault(f"{path}: {error.strerror}") from error
    except (ValueError, RecursionError, BadData) as error:
        raise BadData(f"{path}: {error}", "remove it, and all tickets; then restore anew") from error


def check(spool: Spool, backup: str, sha256: str) -> Mark | None:
    """The unfinished restore of this backup, None if none was begun.

    Raises BadData if there are tickets already, or another backup is being restored.
    """
    mark = begun(spool)
    if mark and (mark.backup, mark.sha256) != (backup, sha256):
        hint = f"pco-restore {mark.backup} finishes it"
        raise BadData(f"a restore of {mark.backup}, begun by {mark.by}, is not finished", hint)
    if mark is None and (keys := spool.keys(*State)):
        some = ", ".join(sorted(keys)[:3]) + (", …" if len(keys) > 3 else "")
        hint = "pco-restore fills an empty spool only; what is not wanted any more must be moved away by hand"
        raise BadData(f"{spool.root} has tickets already ({len(keys)}: {some})", hint)
    return mark


def begin(spool: Spool, mark: Mark) -> None:
    """From now on nobody else uses the spool.  Raises OSError."""
    durable.replace(spool.root / RESTORING, json.dumps(shape.dump(mark)).encode() + b"\n")


def end(spool: Spool) -> None:
    """All is back, and on the disk."""
    os.unlink(spool.root / RESTORING)
    durable.sync_folder(spool.root / "control")


def place(spool: Spool, mark: Mark, batch: list[tuple[Ticket, State]], why: str) -> list[Ticket]:
    """Put tickets, which are as they were in the backup, into these states, but those that an earlier run has placed.

    Returns all of them as they are now.  Whatever was to move has moved before its file is in any state: an approved
    ticket is never seen approved.
    """
    with spool.lock():
        placed = [(_there(spool, mark, ticket.key, to), _stamped(spool, mark, ticket, to, why)) for ticket, to in batch]
        made = [ticket for there, ticket in placed if there is None]
        for ticket in made:
            _rename(spool, ticket, spool.write_temporary(ticket))
        for state in {ticket.state for ticket in made}:
            durable.sync_folder(spool.root / state)
        return [there or ticket for there, ticket in placed]


def place_corrupt(spool: Spool, key: str, record: bytes, why: bytes) -> bool:
    """Put a record that nobody can read, and why it was set aside, into corrupt; False if it was there already."""
    with spool.lock():
        target = spool.path(key, State.CORRUPT)
        if spool.find(key) is not None:
            return False
        durable.replace(spool.root / State.CORRUPT / f"{key}.why", why)
        durable.replace(target, record)
        return True


def _there(spool: Spool, mark: Mark, key: str, to: State) -> Ticket | None:
    """The ticket as an earlier run has placed it.  Raises BadData if something else has its key."""
    state = spool.find(key)
    if state is None:
        return None
    if state is to:
        with suppress(PcoError):
            found = spool.read(key, state)
            if mark.at in found.restored:
                return found
    raise BadData(f"{key} is in {state}, and not from this backup", "empty the spool, then restore anew")


def _stamped(spool: Spool, mark: Mark, ticket: Ticket, to: State, why: str) -> Ticket:
    came = None if to is ticket.state else ticket.state
    spool.permit(came, to)
    history = ticket.history
    if came:
        history = (*history, Entry(mark.at, came.value, to.value, spool.program, ticket.round.n, why))
    return replace(ticket, history=history, state=to, rev=ticket.rev + 1)


def _rename(spool: Spool, ticket: Ticket, temporary: os.PathLike[str]) -> None:
    try:
        os.rename(temporary, spool.path(ticket.key, ticket.state))
    except OSError as error:
        raise SystemFault(f"{ticket.key}: {spool.root / ticket.state}: {error.strerror}") from error
