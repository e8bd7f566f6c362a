"""The table that `pco-queue list` prints for people: cut to the terminal, ages relative, trouble in colour."""

from typing import Any

from tabulate import tabulate

from pco.commands.queue.select import Filters
from pco.commands.queue.terminal import echo, paint, width
from pco.ground import text, times
from pco.ground.ticket import FINISHED, State, Ticket
from pco.rules import hearing
from pco.run import Pco

HEADS = ("KEY", "STATE", "AGE", "ROUND", "PRIORITY", "REMARK", "TITLE")
NARROW = ("KEY", "STATE", "AGE", "TITLE")  # what is left on a small terminal
LEAST = 16  # columns for the title; with fewer, other columns go first
REMARK = 28


def table(
    pco: Pco, tickets: list[Ticket], damaged: list[dict[str, Any]], where: tuple[State, ...], narrow: Filters
) -> None:
    """Print the tickets, then those that cannot be read, then how many there are beyond what is shown."""
    cells = [_cells(pco, ticket) for ticket in tickets] + [_damaged(row) for row in damaged]
    for line in _drawn(cells, width()):
        echo(pco, line)
    if not cells:
        named = " or ".join(where) if len(where) < 4 else "open"
        echo(pco, "No ticket fits." if narrow.any() else f"No ticket is {named}.")
    rest = _rest(pco, tickets, where, narrow)
    if rest:
        echo(pco, paint(rest, "dim"))


def _cells(pco: Pco, ticket: Ticket) -> dict[str, str]:
    """The clean cells of one ticket; LOOK names its colour."""
    entered = ticket.entered()
    current = ticket.round
    remark = describe(pco, ticket)
    return {
        "KEY": ticket.key,
        "STATE": ticket.state.value,
        "AGE": times.rough(pco.now() - entered) if entered else "?",
        "ROUND": f"{current.n}.{len(current.attempts)}" if current.attempts else str(current.n),
        "PRIORITY": text.line(ticket.priority, 8) if ticket.priority != "none" else "",
        "REMARK": text.line(remark, REMARK),
        "TITLE": text.line(ticket.title),
        "LOOK": "blocked" if hearing.waits(ticket) else ticket.state.value,
    }


def describe(pco: Pco, ticket: Ticket) -> str:
    """What a person should know of it at a glance, clean: what its agent does, held, gone, how it failed."""
    return text.line(_described(pco, ticket), 80)


def _described(pco: Pco, ticket: Ticket) -> str:
    if ticket.state is State.ACTIVE:
        return _running(pco, ticket)
    if ticket.gone:
        return "gone from Plane"
    if ticket.hold and (ticket.hold.until is None or ticket.hold.until > pco.now()):
        return f"held for {times.rough(ticket.hold.until - pco.now())}" if ticket.hold.until else "held"
    if ticket.state is State.FAILED and ticket.attempt:
        return ticket.attempt.outcome
    return ticket.round.trigger.kind if ticket.state is State.PENDING and ticket.round.trigger.kind != "new" else ""


def _running(pco: Pco, ticket: Ticket) -> str:
    if ticket.stop:
        return f"stopping (by {ticket.stop.by})"
    what, since = hearing.doing(ticket)
    if ticket.unknown and not hearing.waits(ticket):
        return text.count(len(ticket.unknown), "new comment")
    return f"{what} for {times.rough(pco.now() - since)}" if since and not ticket.blocked else what


def _damaged(row: dict[str, Any]) -> dict[str, str]:
    empty = dict.fromkeys(HEADS, "")
    return {**empty, "KEY": row["key"], "STATE": row["state"], "TITLE": text.line(row["problem"]), "LOOK": "corrupt"}


def _drawn(cells: list[dict[str, str]], columns: int) -> list[str]:
    """The lines of the table, each painted; the title takes what room is left."""
    if not cells:
        return []
    heads = [name for name in HEADS if name not in ("ROUND", "PRIORITY", "REMARK") or _tells(cells, name)]
    for shown in (heads, [n for n in heads if n != "PRIORITY"], [n for n in heads if n in NARROW]):
        taken = sum(max(text.columns(c) for c in (n, *(row[n] for row in cells))) + 2 for n in shown[:-1])
        if not columns or columns - taken >= LEAST:
            break
    room = max(columns - taken, 1) if columns else 0
    bodies = [[*(row[n] for n in shown[:-1]), text.line(row["TITLE"], room)] for row in cells]
    lines = tabulate(bodies, headers=shown, tablefmt="plain", disable_numparse=True).split("\n")
    looks = ["title", *(row["LOOK"] for row in cells)]
    return [paint_row(line, look, columns) for line, look in zip(lines, looks, strict=True)]


def paint_row(line: str, look: str, columns: int) -> str:
    """A line of the table, whose blanks count."""
    import click

    from pco.commands.queue.terminal import LOOKS

    kept = line.rstrip()
    while columns and text.columns(kept) > columns:
        kept = kept[:-1]
    return click.style(kept, **LOOKS[look]) if look in LOOKS else kept


def _tells(cells: list[dict[str, str]], name: str) -> bool:
    """Whether a column says anything."""
    return any(row[name] not in ("", "1") for row in cells)


def _rest(pco: Pco, tickets: list[Ticket], where: tuple[State, ...], narrow: Filters) -> str:
    """What is not shown: finished tickets beyond the limit, or all of them."""
    if narrow.any():
        return ""
    shown = {state: sum(t.state is state for t in tickets) for state in FINISHED}
    more = {state: pco.spool.count(state) - shown[state] for state in FINISHED}
    said = [f"{n} {'more ' if state in where else ''}{state}" for state, n in more.items() if n > 0]
    if not said:
        return ""
    how = "--limit 0 shows all" if any(more[s] > 0 and s in where for s in FINISHED) else "--state posted, --state all"
    return f"Not shown: {', '.join(said)} ({how})"
