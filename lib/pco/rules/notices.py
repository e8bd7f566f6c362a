"""Which announced events people are told of, and what of them.

A notice has one name for each event and ticket, so that a storm of them is bounded by the number of tickets.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from pco.ground import text
from pco.ground.notice import HealthTold, Notice
from pco.ground.ticket import State, Ticket
from pco.rules.health import Health

Hide = Callable[[str], str]
MOST_TITLE = 200
MOST_WHY = 500
MOST_SUMMARY = 2000
SETTLED = timedelta(minutes=1)  # so long pco must be unwell before people are told: a restart is not worth a message
_STATES = {State.COMPLETED: "completed", State.FAILED: "failed", State.POSTED: "posted"}
_TOLD = {"blocked": "blocked", "at rest": "blocked", "held back": "held", "push refused": "push"}
_WORDS = {"held": "held back", "push": "push refused"}
_PLAIN = {"budget reached": "budget-reached", "short of room": "room", "room again": "room"}  # about no ticket
_NUMBERS = re.compile(r"[0-9]+")


def of(
    event: str, ticket: Ticket | None, fields: Mapping[str, Any], now: datetime, hide: Hide = str
) -> tuple[str, Notice] | None:
    """The notice of an announced event, and its name; None if nobody is told of such.

    `hide` takes out of texts what must not be told, before they are cut: half of it would not be found any more.
    """
    if event in _PLAIN:
        shown = {name: text.line(hide(str(value)), MOST_WHY) for name, value in fields.items()}
        return _PLAIN[event], Notice(event, now, fields=shown)
    if ticket is None:
        return None
    what = _TOLD.get(event, "") if event != "moved" else _name(ticket.state)
    if not what or (fields.get("from") == State.OUTBOX and what == "completed"):
        return None  # a person recalled it
    return f"{what}-{ticket.key}", Notice(_WORDS.get(what, what), now, ticket.key, _fields(what, ticket, fields, hide))


def over(event: str, ticket: Ticket | None) -> list[str]:
    """The names of the notices that an announced event makes needless."""
    if ticket is None or event not in ("moved", "unblocked", "released"):
        return []
    if event != "moved":
        return [f"{'held' if event == 'released' else 'blocked'}-{ticket.key}"]
    return [f"{name}-{ticket.key}" for name in ("blocked", *_STATES.values()) if name != _name(ticket.state)]


def of_health(judged: Health, told: HealthTold, now: datetime) -> tuple[HealthTold, Notice | None]:
    """What is to be remembered of pco's health, and the notice if people are to be told something new of it."""
    if judged.status == "ok":
        return HealthTold(), Notice("health recovered", now) if told.told else None
    kinds = {kind(reason): reason for reason in judged.reasons}
    seen = {name: min(told.seen.get(name, now), now) for name in kinds}
    fresh = [name for name in kinds if name not in told.told and now - seen[name] >= SETTLED]
    if not fresh:
        return HealthTold(told.told, seen), None
    why = "\n".join(text.line(reason, MOST_WHY) for reason in judged.reasons)
    notice = Notice("health degraded", now, fields={"why": why, "new": "; ".join(kinds[name] for name in fresh)})
    return HealthTold((*told.told, *fresh), seen), notice


def kind(reason: str) -> str:
    """A reason without what changes in it from minute to minute."""
    return _NUMBERS.sub("#", text.line(reason, MOST_WHY))


def _name(state: State) -> str:
    return _STATES.get(state, "")


def _fields(what: str, ticket: Ticket, fields: Mapping[str, Any], hide: Hide) -> dict[str, str]:
    """What a person wants to know of it; all of it is text from outside."""
    words = {name: hide(str(fields.get(name, ""))) for name in ("what", "why", "problem")}
    found = {
        "title": text.line(hide(ticket.title)[:1000], MOST_TITLE),
        "state": ticket.state.value,
        "round": str(ticket.round.n),
        "what": text.line(words["what"], MOST_WHY),
        "outcome": text.line(str(fields.get("outcome", "")), 60),
        "why": text.line(words["why"], MOST_WHY),
        "problem": text.line(words["problem"], MOST_WHY),
        "branch": text.line(str(fields.get("branch", "")), MOST_TITLE),
        "url": text.line(str(fields.get("url", "")), MOST_WHY),
    }
    if what == "completed":
        found["summary"] = _cut(text.lines(hide(ticket.round.summary)[: MOST_SUMMARY * 2]), MOST_SUMMARY)
        found["work"] = text.line(ticket.round.work.diffstat.strip().rpartition("\n")[2]) if ticket.round.work else ""
    return {name: value for name, value in found.items() if value}


def _cut(said: str, most: int) -> str:
    return said if len(said) <= most else f"{said[:most].rstrip()} …"
