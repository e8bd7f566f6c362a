"""Test tickets are removed everywhere: at the end, when a run is interrupted, and by the next one if it was killed."""

import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta

from pco.commands.doctoring import means, planting
from pco.commands.queue import running
from pco.ground import events, text
from pco.ground.errors import PcoError, SystemFault
from pco.ground.ticket import LOCAL, State, Ticket
from pco.outside import process
from pco.run import Pco

NOTE = "pco-doctor --end-to-end"  # why local ones were made: by that they are known
AGAIN = 1.0  # seconds between two tries
PURGE = timedelta(minutes=5)
UNDER_WAY = (State.ACTIVE, State.OUTBOX)


def leftovers(pco: Pco) -> list[str]:
    """The local test tickets of runs that were killed."""
    found = []
    for key in sorted(pco.spool.keys(*(state for state in State if state is not State.CORRUPT))):
        if key.startswith(f"{LOCAL}-"):
            with suppress(KeyError, PcoError):
                if _ours(pco.spool.read(key)):
                    found.append(key)
    return found


def clear(pco: Pco, keys: Sequence[str]) -> None:
    """End what runs of these, and remove all of them, and what is in Plane for test tickets.

    Raises SystemFault if something stays, TryLater and others if Plane does not do it.
    """
    planted = pco.spool.control.trial()
    items = planted.items if planted else {}
    keys = [*(key for key in keys if key not in items), *_own(pco, items)]
    until = time.monotonic() + PURGE.total_seconds()
    _end(pco, keys, until)
    if planted:
        # In this order: what is still in Plane when its ticket is gone would become a ticket again.
        items = planting.uproot(pco, planted)
        keys = [*(key for key in keys if key not in items), *_own(pco, items)]
    _purge(pco, [key for key in keys if _there(pco, key)], until)
    if planted:
        pco.spool.control.set_trial(None)


def _own(pco: Pco, items: dict[str, str]) -> list[str]:
    """The keys whose tickets are those of the items, and no others that have the same key."""
    return [key for key, id in items.items() if planting.ours(pco, key, id)]


def _ours(ticket: Ticket) -> bool:
    first = ticket.history[0] if ticket.history else None
    return ticket.local and ticket.scripted and first is not None and first.why.startswith(NOTE)


def _there(pco: Pco, key: str) -> bool:
    return pco.spool.find(key) is not None or (pco.config.paths.sessions / key).exists()


def _end(pco: Pco, keys: Sequence[str], until: float) -> None:
    """Have sessions stop, and comments that are under way arrive."""
    with means.as_queue(pco, "stop") as queue:
        for key in keys:
            if pco.spool.find(key) is State.ACTIVE:
                with suppress(PcoError):
                    running.ask_stop(queue, key, "rejected", NOTE)
    events.ring(str(pco.config.paths.trigger))
    while where := {key: state for key in keys if (state := pco.spool.find(key)) in UNDER_WAY}:
        if time.monotonic() > until:
            raise SystemFault(f"{' '.join(where)} do not end", f"sudo pco-purge {' '.join(where)}")
        if not means.units_do_it(pco):
            means.start(pco, {key: state for key, state in where.items() if state is State.OUTBOX})
        time.sleep(AGAIN)


def _purge(pco: Pco, keys: list[str], until: float) -> None:
    done: process.Result | None = None
    while keys:
        if time.monotonic() > until:
            said = text.line(done.error, 300) if done else "no time was left"
            raise SystemFault(f"{' '.join(keys)} stay: {said}", f"sudo pco-purge {' '.join(keys)}")
        done = means.run(pco, "pco-purge", "--yes", *keys, within=PURGE)
        keys = [key for key in keys if _there(pco, key)]
        if keys:
            time.sleep(AGAIN)
