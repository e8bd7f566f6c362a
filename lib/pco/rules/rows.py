"""A ticket as one flat row: what `pco-queue list --format json` and board.json hand to other programs.

Every row has the same names.  Times are ISO 8601 with Z; what is not there is null.

    key, state, title, project (UUID), priority, labels (list), url, local, gone
    trigger      what began the round: new, status, comment, retry, rework, reopen, import or local
    created_at, updated_at   of the item in Plane          entered_at   when it came into its state
    round        number of the current round               attempts     sessions begun in it
    approved_by  who approved the round                    blocked      {since, what}: the agent waits for a person
    doing        {what, since}: what the agent of an active ticket does; what begins with `blocked`, `idle`, …
    waits        whether that agent does nothing until a person speaks to it
    hold         {by, at, until, why}: not to be launched  stop         {by, at, why, to}: its end was asked for
    summary      of the current round                      comment_id   of its comment in Plane
    cost_usd     of all rounds together                    problem      why it is corrupt, how its last attempt failed
"""

from dataclasses import fields
from datetime import datetime
from typing import Any

from pco.ground import times
from pco.ground.ticket import SCHEMA, State, Ticket
from pco.rules import hearing

NAMES = (
    *("key", "state", "title", "project", "trigger", "priority", "labels", "created_at", "updated_at", "entered_at"),
    *("round", "attempts", "approved_by", "blocked", "doing", "waits", "hold", "stop", "summary", "cost_usd"),
    *("comment_id", "url", "local", "gone", "problem"),
)
_RECORD = {field.name for field in fields(Ticket) if not field.metadata.get("state")}


def row(ticket: Ticket) -> dict[str, Any]:
    """The row of a ticket, its names in the order of `NAMES`."""
    current = ticket.round
    values = (
        ticket.key,
        ticket.state.value,
        ticket.title,
        ticket.project or None,
        current.trigger.kind,
        ticket.priority,
        list(ticket.labels),
        _iso(ticket.created_at),
        _iso(ticket.updated_at),
        _iso(ticket.entered()),
        current.n,
        len(current.attempts),
        current.approval.by if current.approval else None,
        _blocked(ticket),
        _doing(ticket),
        hearing.waits(ticket),
        _hold(ticket),
        _stop(ticket),
        current.summary or None,
        round(sum(r.cost.usd for r in ticket.rounds), 6),
        current.post.comment_id or None if current.post else None,
        ticket.url or None,
        ticket.local,
        ticket.gone,
        ticket.attempt.outcome if ticket.attempt and ticket.state is State.FAILED else None,
    )
    return dict(zip(NAMES, values, strict=True))


def of_record(key: str, state: State, record: Any) -> dict[str, Any] | None:
    """The row of a record as it comes from JSON, without making a ticket of it: what `list` needs to be quick.

    None if the record is not just as pco writes it, or a crash left it half done: then it must be read in full.
    """
    try:
        if record.keys() != _RECORD or record["schema"] != SCHEMA or record["key"] != key:
            return None
        current, last = record["rounds"][-1], record["history"][-1]
        if last["to"] != state.value or last["round"] != current["n"] or current["n"] != len(record["rounds"]):
            return None
        attempts, post = current["attempts"], current["post"]
        if state is State.ACTIVE or (attempts and attempts[-1]["end"] is None):
            return None  # they are few, and what their agents do is judged in one place
        words = (record["title"], record["project"], record["priority"], record["url"], current["summary"], last["at"])
        if not all(type(word) is str for word in (*words, *record["labels"], current["trigger"]["kind"])):
            return None
        values = (
            key,
            state.value,
            record["title"],
            record["project"] or None,
            current["trigger"]["kind"],
            record["priority"],
            record["labels"],
            record["created_at"],
            record["updated_at"],
            last["at"],
            current["n"],
            len(attempts),
            current["approval"]["by"] if current["approval"] else None,
            None,
            None,
            False,
            _plain(record["hold"], "by", "at", "until", "why"),
            _plain(record["stop"], "by", "at", "why", "to"),
            current["summary"] or None,
            round(sum(one["cost"]["usd"] for one in record["rounds"]), 6),
            post["comment_id"] or None if post else None,
            record["url"] or None,
            record["local"],
            record["gone"],
            attempts[-1]["outcome"] if attempts and state is State.FAILED else None,
        )
    except (AttributeError, LookupError, TypeError):
        return None
    return dict(zip(NAMES, values, strict=True))


def _plain(part: dict[str, Any] | None, *names: str) -> dict[str, Any] | None:
    return {name: part[name] for name in names} if part else None


def unreadable(key: str, state: State, problem: str) -> dict[str, Any]:
    """The row of a ticket whose record cannot be read: only key, state and problem say something."""
    return {**dict.fromkeys(NAMES), "key": key, "state": state.value, "labels": [], "problem": problem}


def _blocked(ticket: Ticket) -> dict[str, Any] | None:
    now = ticket.blocked if ticket.state is State.ACTIVE else None
    return {"since": times.iso(now.from_), "what": now.what} if now else None


def _doing(ticket: Ticket) -> dict[str, Any] | None:
    what, since = hearing.doing(ticket)
    return {"what": what, "since": _iso(since)} if what else None


def _hold(ticket: Ticket) -> dict[str, Any] | None:
    hold = ticket.hold
    return {"by": hold.by, "at": times.iso(hold.at), "until": _iso(hold.until), "why": hold.why} if hold else None


def _stop(ticket: Ticket) -> dict[str, Any] | None:
    stop = ticket.stop
    return {"by": stop.by, "at": times.iso(stop.at), "why": stop.why, "to": stop.to} if stop else None


def _iso(moment: datetime | None) -> str | None:
    return times.iso(moment) if moment else None
