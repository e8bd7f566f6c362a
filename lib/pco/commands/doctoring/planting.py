"""Items in Plane for test tickets: made, brought in by pco-poll, and deleted.

Before the first is made control/trial says under which ids they will be, and after each one which it was: what a killed
run leaves in Plane, the next one finds there.
"""

import secrets
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from html import escape
from typing import TYPE_CHECKING

from pco.commands.doctoring import means
from pco.commands.doctoring.progress import Progress
from pco.commands.queue import making
from pco.ground import polled, text
from pco.ground.errors import BadConfig, BadData, TryLater
from pco.ground.ticket import State, Ticket
from pco.run import Pco
from pco.spool.control import Planted

if TYPE_CHECKING:
    from pco.outside.plane import Item, Plane

SOURCE = "pco-doctor"  # external_source of the items
TURN = timedelta(seconds=90)  # longer than the window of the budget of requests
LOOK = 0.2  # seconds between two looks at what has arrived
AGAIN = 10.0  # seconds between two polls


def plant(pco: Pco, project: str, count: int, progress: Progress) -> Planted:
    """Make items.  Raises BadConfig, TryLater, NotPermitted; control/trial then knows of those that were made."""
    planted = Planted(project, _prefix(pco, project), secrets.token_hex(8))
    plane = _plane(pco)
    try:
        pco.spool.control.set_trial(planted)
        for n in range(1, count + 1):
            item = _made(plane, planted, f"Test {n} of {count} by pco-doctor")
            items = {**planted.items, f"{planted.prefix}-{item.sequence_id}": item.id}
            planted = replace(planted, items=items)
            pco.spool.control.set_trial(planted)
            progress.show(f"{n} of {count} made in Plane", "making them in Plane")
    finally:
        plane.close()
    return planted


def fetch(pco: Pco, project: str, items: Mapping[str, str], progress: Progress) -> None:
    """Have items of Plane pending, and marked as ones that only try pco: id by key; one without is taken as it is.

    A trigger may bring them before pco-poll comes to the requests, which stay until then: of one that has gone further
    meanwhile it would say that it cannot be imported.  Raises BadData, TryLater.
    """
    missing = [key for key in items if pco.spool.find(key) is None]
    for key in missing:
        pco.spool.control.ask_import(key, pco.who, pco.now())
    until, asked = time.monotonic() + means.POLL.total_seconds(), 0.0
    while missing:
        progress.show(f"pco-poll is to fetch {text.count(len(missing), 'item')}", "pco-poll is to fetch them")
        if time.monotonic() - asked > AGAIN:
            means.poll(pco)
            asked = time.monotonic()
        requests = pco.spool.control.imports()
        left = [key for key in missing if key in requests or pco.spool.find(key) is None]
        if len(left) < len(missing):
            until = time.monotonic() + means.POLL.total_seconds()
        missing = left
        if missing and time.monotonic() > until:
            raise TryLater(f"pco-poll did not bring {' '.join(missing)}", "journalctl -u pco-poll -n 20")
        if missing:
            time.sleep(LOOK)
    for key, id in items.items():
        _mark(pco, project, key, id)


def uproot(pco: Pco, planted: Planted) -> dict[str, str]:
    """Delete them in Plane, while no poll is under way, which has perhaps seen them; returns id by key.

    Raises TryLater and others if Plane does not do it: then control/trial still knows of them.
    """
    plane = _plane(pco)
    for key in planted.items:
        pco.spool.control.imported(key)
    try:
        with pco.spool.alone(means.POLL, "pco-poll"):
            items = {**planted.items, **_cut_off(plane, planted)}
            for id in items.values():
                _delete(plane, planted.project, id)
            return items
    finally:
        plane.close()


def _cut_off(plane: "Plane", planted: Planted) -> dict[str, str]:
    """The one that was made, and not noted any more."""
    from pco.outside.plane import Gone

    try:
        item = plane.by_external(planted.project, SOURCE, _id(planted))
    except Gone:
        return {}
    return {f"{planted.prefix}-{item.sequence_id}": item.id}


def _delete(plane: "Plane", project: str, id: str) -> None:
    """Delete an item; that it is gone tells whether an answer was lost.  Raises TryLater and others."""
    from pco.outside.plane import Gone, Unanswered

    with suppress(Gone):
        try:
            plane.delete(project, id)
        except Unanswered as error:
            if not error.maybe_applied:
                raise
            plane.delete(project, id)


def ours(pco: Pco, key: str, id: str) -> bool:
    """Whether the ticket of that key, if there is one, is that of the item."""
    try:
        return pco.spool.read(key).uuid == id
    except KeyError:
        return True
    except BadData:
        return False


def _mark(pco: Pco, project: str, key: str, id: str) -> None:
    state = pco.spool.find(key)
    if state is not State.PENDING:
        raise BadData(f"{key} is {state}: only one that is pending can try pco", f"pco-queue show {key}")

    def mark(ticket: Ticket) -> tuple[Ticket, None]:
        if ticket.state is not State.PENDING or (ticket.project, ticket.uuid) != (project, id or ticket.uuid):
            raise BadData(f"{key} is no pending ticket of this project")
        return replace(ticket, scripted=True), None

    pco.spool.update(key, mark)


def _made(plane: "Plane", planted: Planted, title: str) -> "Item":
    from pco.outside.plane import Gone, Unanswered

    id, words = _id(planted), f"<p>{escape(making.TEXT, quote=False)}</p>"
    try:
        return plane.create(planted.project, title, words, SOURCE, id)
    except Unanswered as error:
        if not error.maybe_applied:
            raise
        try:
            return plane.by_external(planted.project, SOURCE, id)
        except Gone:
            raise error from None


def _id(planted: Planted) -> str:
    """The external id of the next one."""
    return f"{planted.run}:{len(planted.items) + 1}"


def _prefix(pco: Pco, project: str) -> str:
    known = pco.config.project(project)
    prefix = (known.key if known else "") or polled.read(pco.config.paths.plane, project).key
    if not prefix:
        raise BadConfig("the project has not been polled yet", "sudo systemctl start pco-poll; journalctl -u pco-poll")
    return prefix


def _plane(pco: Pco) -> "Plane":
    return pco.plane(patience=TURN, credentials=means.credentials(pco))
