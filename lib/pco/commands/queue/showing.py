"""show: all there is about a ticket; before an approval what the agent would get, and where.  No lock is taken."""

from typing import Any

from pco.commands.queue import rowing, verb
from pco.commands.queue.change import NEXT, Damaged, Refused, each, find, read
from pco.commands.queue.select import named
from pco.commands.queue.terminal import page
from pco.ground import shape, text
from pco.ground.ticket import State, Ticket
from pco.rules import prompt, rows
from pco.run import Pco


@verb.verb
@verb.keys(*State)
@verb.formats
def show(pco: Pco, keys: tuple[str, ...], form: str) -> None:
    """Show all there is about a ticket: what is to be approved, what came of it.

    Before the session it is what an approval is bound to: text, comments, repository, branch, agent, permission mode,
    and their hash.  After a failure it is also the last screen, and what can be done.

    \b
    Examples:
      pco-queue show WEB-12
      pco-queue show WEB-12 --format json | jq -r '.[0].content.hash'
      pco-queue list --state failed --format keys | pco-queue show -
    """
    from click import UsageError

    if not keys:
        raise UsageError("Name a ticket by its key, such as WEB-12.")
    if form == "table":
        each(pco, named(keys), lambda key: page(pco, told(pco, look(pco, key))))
        return
    found: list[dict[str, Any]] = []
    each(pco, named(keys), lambda key: found.append(details(pco, look(pco, key))))
    rowing.write(found, form)


def look(pco: Pco, key: str) -> Ticket:
    """Read a ticket, as who must not move it: a damaged one is told of, and stays.  Raises Refused."""
    state = find(pco, key)
    try:
        return read(pco, key)
    except Damaged as error:
        raise Refused(f"cannot be read: {error}; stays in {state}", NEXT[State.CORRUPT].format(key=key)) from error


def told(pco: Pco, ticket: Ticket) -> str:
    """The ticket for a person, painted."""
    from pco.commands.queue.portrait import portrait

    return portrait(pco, ticket)


def details(pco: Pco, ticket: Ticket) -> dict[str, Any]:
    """The row of the ticket, and beside it `content`, which an approval is bound to, and the whole `record`."""
    from pco.commands.queue.failure import screen

    where = prompt.target(ticket, pco.config)
    content = {
        "title": ticket.title,
        "description": ticket.description,
        "comments": shape.dump(ticket.round.comments),
        "remark": ticket.round.remark,
        "repository": where.repository if where else None,
        "branch": where.branch if where else None,
        "agent": where.agent if where else None,
        "permission_mode": where.permission_mode if where else None,
        "hash": prompt.content_hash(ticket, where) if where else None,
    }
    seen = text.lines(screen(pco, ticket, colour=False)) if ticket.state in (State.ACTIVE, State.FAILED) else None
    return {**rows.row(ticket), "content": content, "screen": seen, "record": shape.dump(ticket)}
