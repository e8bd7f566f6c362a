"""list: tickets as a table for people, or as rows for programs.  It takes no lock."""

import gc
import json
from collections.abc import Iterator
from typing import Any

import click

from pco.commands.queue import rowing, verb
from pco.commands.queue.select import PRIORITY, Filters, filters, ordered, read_all
from pco.ground.errors import PcoError
from pco.ground.ticket import FINISHED, OPEN, State, Ticket
from pco.rules import rows
from pco.run import Pco

GROUPS = {"open": OPEN, "finished": FINISHED, "all": tuple(State)}
RANK = {state.value: n for n, state in enumerate(State)}
LATEST = 100  # of the finished tickets, unless --limit says otherwise: there may be a great many


@verb.verb
@verb.filters((*State, *GROUPS))
@click.option("--limit", type=click.IntRange(0), help=f"Of the finished ones the latest N ({LATEST}); 0: all.")
@verb.formats
def list_(pco: Pco, form: str, limit: int | None, states: tuple[str, ...], **wanted: Any) -> None:
    """List tickets: the open ones, or those of some states.

    Times in the formats for programs are ISO 8601 in UTC.

    \b
    Examples:
      pco-queue list
      pco-queue list --state posted --project WEB --limit 20
      pco-queue list --state failed --format keys | pco-queue retry -
      pco-queue list --format jsonl | jq -r 'select(.blocked) | .key'
    """
    narrow = filters(pco, **wanted)
    where = _states(states)
    damaged: list[dict[str, Any]] = []

    def trouble(key: str, state: State, error: PcoError) -> None:
        damaged.append(rows.unreadable(key, state, str(error)))
        pco.log("warning", f"{key}: cannot be read: {error}; stays in {state}")

    quick = form != "table" and not narrow.any()
    found, rest = plain(pco, _open(where)) if quick else ([], pco.spool.places(*_open(where)))
    tickets = ordered([t for t in read_all(pco, rest, where, trouble) if narrow.match(t)])
    finished = latest(pco, where, narrow, LATEST if limit is None else limit)
    damaged = [] if narrow.any() else damaged + ([*asides(pco)] if State.CORRUPT in where else [])
    if form == "table":
        from pco.commands.queue.table import table

        table(pco, [*tickets, *finished], damaged, where, narrow)
    else:
        opened = [*found, *map(rows.row, tickets)]
        opened = sorted(opened, key=_place) if rest and found else opened
        rowing.write([*opened, *map(rows.row, finished), *damaged], form)


def plain(pco: Pco, states: tuple[State, ...]) -> tuple[list[dict[str, Any]], dict[str, State]]:
    """The rows of the tickets whose record is plainly in order, sorted, and where the others are."""
    gc.disable()
    found: list[dict[str, Any]] = []
    rest: dict[str, State] = {}
    for key, state in pco.spool.places(*states).items():
        try:
            row = rows.of_record(key, state, json.loads(pco.spool.data(key, state)))
        except (OSError, PcoError, ValueError, RecursionError):
            row = None
        if row:
            found.append(row)
        else:
            rest[key] = state
    return sorted(found, key=_place), rest


def _place(row: dict[str, Any]) -> tuple[int, int, str, str]:
    """Where a row stands in the list; as `select.ordered`."""
    return RANK[row["state"]], PRIORITY.get(row["priority"], 9), row["entered_at"] or "", row["key"]


def asides(pco: Pco) -> Iterator[dict[str, Any]]:
    """The tickets that were set aside, with the reason."""
    for key in sorted(pco.spool.keys(State.CORRUPT)):
        why = pco.spool.aside(key)
        yield rows.unreadable(key, State.CORRUPT, why.reason if why else "nothing says why")


def latest(pco: Pco, where: tuple[State, ...], narrow: Filters, limit: int) -> list[Ticket]:
    """The finished tickets that pass the filters, latest first, at most `limit` (0: all)."""
    wanted = tuple(state for state in FINISHED if state in where)
    found: list[Ticket] = []
    for key, state in _finished(pco, wanted) if wanted else ():
        try:
            ticket = pco.spool.read(key, state)
        except KeyError:
            continue  # reopened meanwhile
        except PcoError as error:
            pco.fail(error, key)
            continue
        if narrow.match(ticket):
            found.append(ticket)
        if limit and len(found) == limit:
            break
    return found


def _finished(pco: Pco, wanted: tuple[State, ...]) -> Iterator[tuple[str, State]]:
    """The finished keys, latest first, from the index; then those of which the index does not know."""
    seen: set[str] = set()
    for month in pco.spool.index.months():
        for line in pco.spool.index.month(month):
            if line.state in wanted and line.key not in seen:
                seen.add(line.key)
                yield line.key, State(line.state)
    if len(seen) < sum(pco.spool.count(state) for state in wanted):
        yield from ((key, state) for key, state in pco.spool.places(*wanted).items() if key not in seen)


def _states(names: tuple[str, ...]) -> tuple[State, ...]:
    """The states that the names stand for; the open ones without any."""
    chosen = {state for name in names or ("open",) for state in GROUPS.get(name) or (State(name),)}
    return tuple(state for state in State if state in chosen)


def _open(where: tuple[State, ...]) -> tuple[State, ...]:
    return tuple(state for state in where if state not in FINISHED and state is not State.CORRUPT)
