"""A ticket's file: how it is written, read, and made whole after a crash."""

import json
from dataclasses import replace

from pco.ground import shape
from pco.ground.errors import BadConfig, BadData
from pco.ground.ticket import SCHEMA, Entry, State, Stop, Ticket


def to_bytes(ticket: Ticket) -> bytes:
    """The file's content: JSON in UTF-8, one key a line, for people who read it with a pager."""
    return json.dumps(shape.dump(ticket), ensure_ascii=False, indent=1).encode("utf-8", "surrogatepass") + b"\n"


def from_bytes(data: bytes, state: State) -> Ticket:
    """Read a record.  Raises BadData if it is torn or wrong, BadConfig if a newer version wrote it."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BadData(f"not JSON: {error}") from error
    schema = value.get("schema") if isinstance(value, dict) else None
    if type(schema) is int and schema > SCHEMA:
        raise BadConfig(f"schema {schema} is newer than this pco understands ({SCHEMA})", "install the newer pco again")
    try:
        ticket = shape.load(Ticket, value)
    except shape.ShapeError as error:
        raise BadData(str(error)) from error
    if not ticket.rounds:
        raise BadData("rounds: at least one is needed")
    # In place: nobody else has this ticket yet, and a copy of each costs much where many are read.
    object.__setattr__(ticket, "state", state)
    object.__setattr__(ticket, "schema", SCHEMA)  # once written again it has this version's fields
    return settled(ticket)


def settled(ticket: Ticket) -> Ticket:
    """Undo what a crash left half done, for the directory is the truth.

    A move is recorded before the rename.  If the rename did not happen, the last history entry leads elsewhere: it
    goes, and with it the round that it opened, the attempt that it claimed, or that it was over, and the hand-over of
    noted events.
    """
    if ticket.state is State.CORRUPT:
        return ticket
    history = ticket.history
    if history and history[-1].to != ticket.state:
        if ticket.state is State.ACTIVE:
            ticket = _reopened(ticket, history[-1])
        history = history[:-1]
    rounds = ticket.rounds[: max(history[-1].round, 1)] if history else ticket.rounds[:1]
    if len(history) != len(ticket.history) or len(rounds) != len(ticket.rounds):
        ticket = replace(ticket, history=history, rounds=rounds)
    if any(n.given > len(rounds) for n in ticket.noted):
        noted = tuple(replace(n, given=0) if n.given > len(rounds) else n for n in ticket.noted)
        ticket = replace(ticket, noted=noted)
    if ticket.attempt and ticket.attempt.end is None and ticket.state is not State.ACTIVE:
        return ticket.with_round(attempts=ticket.round.attempts[:-1])
    return ticket


def _reopened(ticket: Ticket, entry: Entry) -> Ticket:
    """The attempt is not over, nor a request to stop dealt with: who moves it judges by the same evidence again."""
    attempt = ticket.attempt
    if attempt is None or attempt.end is None:
        return ticket
    if attempt.outcome == "stopped" and ticket.stop is None:
        by, _, why = entry.why.partition(": ")
        ticket = replace(ticket, stop=Stop(entry.at, by, why, entry.to))
    return ticket.with_attempt(end=None, outcome="", exit=None)
