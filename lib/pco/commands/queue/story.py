"""log: the way of a ticket, put together from its record and the audit record.  It takes no lock."""

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from pco.commands.queue import failure, hearsay, rowing, verb
from pco.commands.queue.change import Refused, each, unknown
from pco.commands.queue.terminal import echo, local, paint, width
from pco.ground import audit, text, times
from pco.ground.errors import PcoError, SystemFault
from pco.ground.frozen import dataclass
from pco.ground.ticket import KEY, Round, State, Ticket
from pco.rules import budget
from pco.run import Pco


@dataclass(frozen=True, order=True)
class Happened:
    """One line of the story."""

    at: datetime
    who: str
    what: str
    look: str = ""


@verb.verb
@verb.key(*State)
@click.option(
    "--format", "form", type=click.Choice(["table", "json", "jsonl"]), default="table", help="Default: table."
)
def log(pco: Pco, key: str, form: str) -> None:
    """Tell the way of a ticket: who did what, and when.

    What its sessions told of themselves is among it, and what they used; it needs no right to read the journal.
    Also of a ticket that was dropped, as far as the audit record knows it.

    \b
    Examples:
      pco-queue log WEB-12
      pco-queue log WEB-12 --format jsonl | jq -r .what
    """

    def tell(key: str) -> None:
        lines = story(pco, key)
        if form == "table":
            for line in lines:
                echo(pco, _painted(pco, line))
            return
        rowing.write_plain([{"at": times.iso(h.at), "by": h.who, "what": h.what} for h in lines], form)

    each(pco, [key], tell)


def story(pco: Pco, key: str) -> list[Happened]:
    """All that is known to have happened, oldest first.  Raises Refused if nothing is known of the key."""
    ticket = _ticket(pco, key)
    lines = [*of_record(ticket), *of_sessions(pco.config.paths.sessions, ticket)] if ticket else []
    lines += of_audit(pco.config.paths.audit, key, known=ticket)
    if not lines:
        raise unknown(pco, key)
    return sorted(lines)


def of_record(ticket: Ticket) -> Iterator[Happened]:
    """What the record says: moves, notes, events in Plane, sessions."""
    for entry in ticket.history:
        look = entry.to if entry.to in ("failed", "corrupt") else ""
        yield Happened(entry.at, entry.by, _with(f"{entry.from_ or 'new'} -> {entry.to}", entry.why), look)
    moved = {(entry.by, entry.why) for entry in ticket.history}
    for note in ticket.notes:
        if (note.by, note.text) not in moved:
            yield Happened(note.at, note.by, f"note: {note.text}")
    for event in ticket.noted:
        said = event.comment.text if event.comment else event.what
        yield Happened(event.at, (event.comment.by if event.comment else event.by) or "Plane", _with(event.kind, said))
    for round in ticket.rounds:
        yield from _sessions(round)


def of_sessions(sessions: Path, ticket: Ticket) -> Iterator[Happened]:
    """What the sessions told, as far as it was kept."""
    for round in ticket.rounds:
        for attempt in round.attempts:
            for event in hearsay.told(sessions, ticket, round, attempt):
                look = "failed" if event.kind == "turn_failed" else "dim"
                yield Happened(event.at, f"agent {round.n}.{attempt.n}", hearsay.sentence(event), look)


def of_audit(folder: Path, key: str, known: Ticket | None) -> Iterator[Happened]:
    """What the audit record says beyond the record; all of it if there is no record any more."""
    if not KEY.fullmatch(key):
        return
    began = f"{known.history[0].at:%Y-%m}" if known and known.history else ""
    needle = json.dumps(key).encode()
    for month in (month for month in audit.months(folder) if month >= began):
        path = audit.path_of(folder, month)
        try:
            with open(path, "rb") as file:
                for line in iter(lambda: file.readline(audit.MOST_LINE), b""):
                    if needle in line and (told := _audited(line, key, known is not None)):
                        yield told
        except OSError as error:
            raise SystemFault(f"{path}: {error.strerror}") from error


def _audited(line: bytes, key: str, recorded: bool) -> Happened | None:
    with suppress(ValueError, KeyError, TypeError, AttributeError):
        value: dict[str, Any] = json.loads(line)
        fields = dict(value["fields"])
        if key not in (value["key"], fields.get("key")) or (recorded and value["event"] == "moved"):
            return None
        what = f"{fields.pop('from') or 'new'} -> {fields.pop('to')}" if value["event"] == "moved" else value["event"]
        said = " ".join(
            f"{name}={shown}"
            for name, shown in fields.items()
            if shown not in ("", None) and name not in ("key", "measured")
        )
        return Happened(times.parse_time(value["at"]), str(value["by"]), _with(str(what), said))
    return None


def _ticket(pco: Pco, key: str) -> Ticket | None:
    """The record, if there is one that can be read."""
    if not KEY.fullmatch(key):
        raise unknown(pco, key)
    try:
        return pco.spool.read(key)
    except KeyError:
        return None
    except Refused:
        raise
    except PcoError as error:
        pco.log("warning", f"{key}: cannot be read: {error}; this is what the audit record knows")
        return None


def _sessions(round: Round) -> Iterator[Happened]:
    for attempt in round.attempts:
        where = f" on {attempt.host}" if attempt.host else ""
        afresh = f", afresh: {attempt.afresh}" if attempt.afresh else ""
        yield Happened(attempt.start, "session", f"attempt {round.n}.{attempt.n} begun{where}{afresh}")
        if attempt.end:
            bad = "failed" if attempt.outcome in failure.BAD else ""
            used = f"; used {bill}" if (bill := budget.bill(attempt.cost)) else ""
            said = f"attempt {round.n}.{attempt.n}: {failure.meaning(attempt)}{used}"
            yield Happened(attempt.end, "session", said, bad)
    for blocked in round.blocked:
        waited = f" (answered after {times.rough(blocked.to - blocked.from_)})" if blocked.to else ""
        yield Happened(blocked.from_, "session", f"waits for a person: {blocked.what}{waited}", "blocked")


def _with(what: str, why: str) -> str:
    return f"{what}: {why}" if why else what


def _painted(pco: Pco, line: Happened) -> str:
    age = times.ago(line.at, pco.now())
    lead = f"{local(pco, line.at)}  {age:>8}  {text.line(line.who, 16):<16}  "
    room = max(width() - text.columns(lead), 20) if width() else 300
    return lead + paint(text.line(line.what, room), line.look)
