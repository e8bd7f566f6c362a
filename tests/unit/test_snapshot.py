"""The spool as it was at one moment, though others work in it."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from pco.ground.record import from_bytes
from pco.ground.ticket import State
from pco.spool import Spool
from pco.spool.snapshot import Snapshot
from support import a_ticket, put


class Busy(Spool):
    """A spool in which others do something right before the lock is taken; what `act` does, by the real program."""

    act = staticmethod(lambda: None)

    @contextmanager
    def lock(self) -> Iterator[None]:
        self.act()
        with super().lock():
            yield


def taken(snapshot: Snapshot) -> dict[str, str]:
    """Where each ticket of a snapshot is."""
    return {name.removesuffix(".json"): state.value for state in State for name in snapshot.names(state)}


def read(snapshot: Snapshot, key: str, state: State) -> str:
    data = (snapshot.folder / state / f"{key}.json").read_bytes()
    return from_bytes(data, state).title


def test_what_happens_between_the_first_look_and_the_lock_is_in_it(spool: Spool) -> None:
    for n in range(1, 5):
        put(spool, a_ticket(f"WEB-{n}"), State.PENDING)
    poll, approve = Spool(spool.root, "pco-poll"), Spool(spool.root, "pco-queue approve")

    def act() -> None:
        approve.move(approve.read("WEB-1"), State.APPROVED)
        poll.record(replace(poll.read("WEB-2"), title="Another title"))
        os.unlink(spool.path("WEB-3", State.PENDING))
        poll.create(a_ticket("WEB-9"))

    busy = Busy(spool.root, "pco-backup")
    busy.act = act  # type: ignore[method-assign]
    snapshot = Snapshot(busy)
    snapshot.take()

    assert taken(snapshot) == {"WEB-1": "approved", "WEB-2": "pending", "WEB-4": "pending", "WEB-9": "pending"}
    assert read(snapshot, "WEB-2", State.PENDING) == "Another title"
    assert snapshot.counts[State.PENDING] == 3


def test_what_happens_afterwards_is_not_in_it(spool: Spool) -> None:
    put(spool, a_ticket("WEB-1"), State.PENDING)
    snapshot = Snapshot(Spool(spool.root, "pco-backup"))
    snapshot.take()

    spool.record(replace(spool.read("WEB-1"), title="Later"))
    spool.move(spool.read("WEB-1"), State.REJECTED)

    assert taken(snapshot) == {"WEB-1": "pending"}
    assert read(snapshot, "WEB-1", State.PENDING) == "Title of WEB-1"


def test_while_tickets_move_all_the_time_each_is_in_it_once_and_can_be_read(spool: Spool) -> None:
    keys = [f"WEB-{n}" for n in range(1, 41)]
    for key in keys:
        put(spool, a_ticket(key), State.PENDING)
    ended = threading.Event()

    def move() -> None:
        approve, back = Spool(spool.root, "pco-queue approve"), Spool(spool.root, "pco-queue unapprove")
        while not ended.is_set():
            for key in keys:
                approve.move(approve.read(key), State.APPROVED)
                back.move(back.read(key), State.PENDING)

    mover = threading.Thread(target=move)
    mover.start()
    try:
        for _ in range(10):
            snapshot = Snapshot(Spool(spool.root, "pco-backup"))
            snapshot.take()
            found = [name for state in State for name in snapshot.names(state)]
            assert sorted(found) == sorted(f"{key}.json" for key in keys)
            for key, state in taken(snapshot).items():
                assert from_bytes((snapshot.folder / state / f"{key}.json").read_bytes(), State(state)).key == key
            snapshot.remove()
    finally:
        ended.set()
        mover.join()


def test_nothing_of_it_stays(spool: Spool) -> None:
    put(spool, a_ticket("WEB-1"), State.PENDING)
    snapshot = Snapshot(Spool(spool.root, "pco-backup"))
    snapshot.take()

    snapshot.remove()

    assert list((spool.root / "tmp").iterdir()) == []
    assert spool.path("WEB-1", State.PENDING).stat().st_nlink == 1
