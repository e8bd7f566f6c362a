"""repair and drop: what a person does about a ticket that pco could not read, and one that nobody needs."""

import shutil

from pco.commands.queue import terminal, verb
from pco.commands.queue.change import NEXT, Refused, each, find, unknown
from pco.commands.queue.select import Chosen, bulk
from pco.ground import durable, events
from pco.ground.errors import BadData, SystemFault
from pco.ground.ticket import KEY, State
from pco.run import Pco

DROPPABLE = (State.CORRUPT, State.REJECTED)
WAKES = {State.APPROVED: "launch", State.OUTBOX: "post"}


@verb.verb
@bulk(State.CORRUPT)
def repair(pco: Pco, chosen: Chosen) -> None:
    """Put a mended ticket back where it was before it was set aside.

    Mend the file first, as pco-spool(5) describes it; pco-queue says where it is.

    \b
    Examples:
      pco-queue repair WEB-12
      pco-queue repair --all --yes
    """
    each(pco, chosen, lambda key: _repair(pco, key))


def _repair(pco: Pco, key: str) -> None:
    state = find(pco, key)
    path = pco.spool.path(key, State.CORRUPT)
    if state is not State.CORRUPT:
        raise Refused(f"needs no repair: it is {state}")
    try:
        ticket = pco.spool.repair(key)
    except KeyError:
        raise Refused("is no longer in corrupt: somebody else was faster") from None
    except BadData as error:
        raise Refused(f"still cannot be put back: {error}", f"mend {path}, or pco-queue drop {key}") from error
    pco.announce("repaired", ticket, {"from": "corrupt", "to": ticket.state.value})
    for name in {WAKES.get(ticket.state, "dashboard"), "dashboard"}:
        pco.spool.control.wake(name)
    pco.say(f"{key}: corrupt -> {ticket.state}")


@verb.verb
@bulk(*DROPPABLE, asks_itself=True)
@verb.note
def drop(pco: Pco, chosen: Chosen, yes: bool, note: str) -> None:
    """Remove a corrupt or rejected ticket and all its files for good.

    Its branch in the mirror and the audit record stay.  If the item changes in Plane, it may come back as a new ticket.

    \b
    Examples:
      pco-queue drop WEB-12
      pco-queue drop --all --state corrupt --yes
    """
    each(pco, chosen, lambda key: _drop(pco, key, yes, note))


def _drop(pco: Pco, key: str, yes: bool, note: str) -> None:
    state = pco.spool.find(key) if KEY.fullmatch(key) else None
    files = KEY.fullmatch(key) and durable.there(pco.config.paths.sessions / key)
    if state is None and not files:
        raise unknown(pco, key)
    if state not in (None, *DROPPABLE):
        raise Refused(f"cannot be dropped: it is {state}", NEXT[State(state)].format(key=key))
    if not terminal.confirm(f"{key} ({state or 'no record'}): remove it and all its files for good?", yes):
        pco.say(f"{key}: stays")
        return
    # The record first: without it nothing refers to the files, and `drop` finishes what a crash left of them.
    _remove_record(pco, key, state)
    pco.announce("dropped", None, {"key": key, "from": state.value if state else "", "why": note})
    pco.spool.control.wake("dashboard")
    # What is not ours to remove, as the session's own folder under systemd, pco-watch does.
    pco.spool.control.ask_clean(key, pco.who, pco.now())
    _remove_files(pco, key)
    events.ring(str(pco.config.paths.trigger))
    pco.say(f"{key}: dropped")


def _remove_record(pco: Pco, key: str, state: State | None) -> None:
    with pco.spool.lock():
        if pco.spool.find(key) is not state:
            raise Refused("was moved meanwhile; nothing was removed", f"pco-queue show {key}")
        if state is not None:
            pco.spool.drop(key)


def _remove_files(pco: Pco, key: str) -> None:
    folder = pco.config.paths.sessions / key
    try:
        if folder.is_symlink():
            folder.unlink()
        elif folder.exists():
            shutil.rmtree(folder)
    except PermissionError:
        return
    except OSError as error:
        hint = f"the record is gone; pco-queue drop {key} as a user who may remove them"
        raise SystemFault(f"its files in {folder} cannot be removed: {error.strerror}", hint) from error
