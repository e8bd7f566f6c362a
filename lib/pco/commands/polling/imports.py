"""Requests to import an item: `pco-queue add WEB-12` leaves one, for people hold no token.

A person's word goes before triggers and filters.  A request stays while Plane cannot be asked; else it is answered,
by a ticket or by a message, and removed.
"""

from typing import TYPE_CHECKING

from pco.ground import text
from pco.ground.errors import BadData
from pco.ground.ticket import FINISHED, State, Trigger

if TYPE_CHECKING:
    from pco.commands.polling.run import Run
    from pco.commands.polling.visit import Visit


def take_up(run: "Run", visits: "list[Visit]", all_polled: bool) -> None:
    """Answer the requests for projects whose visit went well, and, if all did, those that are for no project."""
    from pco.outside.plane import Forbidden, Gone

    by_prefix = {visit.prefix: visit for visit in visits}
    for key, asker in run.pco.spool.control.imports().items():
        prefix, _, number = key.rpartition("-")
        visit = by_prefix.get(prefix)
        if visit is None and not all_polled:
            run.pco.log("info", "the request to import it stays until its project has been polled", key)
            continue
        try:
            if visit is None:
                raise BadData(f"no project with the key {prefix} is configured", _known(by_prefix))
            _import(visit, int(number), text.line(asker, 64))
        except Gone:
            run.pco.fail(BadData(f"Plane has no such item, or it is archived; asked for by {asker}"), key)
        except Forbidden as error:
            run.pco.fail(BadData(f"Plane does not show it: {error}"), key)
        except BadData as error:
            run.pco.fail(error, key)
        if not run.dry:
            run.pco.spool.control.imported(key)


def _import(visit: "Visit", number: int, asker: str) -> None:
    """Make a ticket of one item, unless it waits as one already.  Raises BadData if it is further."""
    item = visit.run.plane.by_identifier(f"{visit.head.identifier}-{number}")
    if item.project != visit.project.id:
        raise BadData("Plane has it in another project")
    seen = visit.known.get(item.id)
    key = visit.key_of(item, seen)
    state = visit.run.pco.spool.find(key)
    if state is State.PENDING:
        # A trigger was faster, most often in this very poll: what was wished for is there.
        visit.run.pco.log("info", f"it is pending already; asked for by {asker}", key)
        return
    if state:
        hint = f"pco-queue reopen {key} begins a new round" if state in FINISHED else f"pco-queue show {key}"
        raise BadData(f"it is {state} already", hint)
    sight = visit.with_comments(visit.lists.sight(item))
    visit.begin(sight, key, Trigger("import", visit.run.pco.now(), f"asked for by {asker}", sight.state))
    visit.flush(asker)
    visit.save()


def _known(by_prefix: "dict[str, Visit]") -> str:
    return f"known are {', '.join(sorted(by_prefix))}" if by_prefix else ""
