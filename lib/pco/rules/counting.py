"""What is counted for monitoring, of requests to Plane and of the audit record; what only grows.

The names that begin with plane_ are those that monitoring knows of old.  Labels are few: words of pco's own, names of
Plane's endpoints, prefixes of keys.
"""

from datetime import datetime, timedelta
from typing import Any

from pco.ground import messages
from pco.ground.audit import Record
from pco.ground.tally import Tally, amount
from pco.ground.ticket import KEY, State, Ticket
from pco.rules import retry

APPROVED = "plane_tickets_approved_total"
COMPLETED = "plane_tickets_completed_total"
UPDATES = "plane_updates_total"
CALLS = "plane_api_calls_total"
RETRIES = "plane_api_retry_total"
REQUEST_SECONDS = "plane_api_request_duration_seconds"
SESSION_SECONDS = "plane_session_duration_seconds"
TURN_SECONDS = "pco_api_turn_wait_seconds_total"
POLLS = "pco_polls_total"
MOVES = "pco_moves_total"
OUTCOMES = "pco_session_outcomes_total"
BLOCKED_SECONDS = "pco_session_blocked_seconds_total"
GATE_SECONDS = "pco_gate_wait_seconds"
COST = "pco_cost_usd_total"
TOKENS = "pco_tokens_total"
EVENTS = "pco_events_total"

WHAT = {  # name: its labels, and what it counts
    APPROVED: ("", "Approvals by people: of tickets that wait, are sent back or tried again."),
    COMPLETED: ("", "Sessions that ended with a summary."),
    UPDATES: ("status", "Comments that Plane has (success), or refused for good (failure)."),
    CALLS: ("operation, status", "Requests to Plane: success, error, throttled, unanswered."),
    RETRIES: ("operation", "Requests to Plane that were sent once more."),
    REQUEST_SECONDS: ("method, endpoint", "How long Plane took to answer."),
    SESSION_SECONDS: ("", "How long sessions took, what they waited for a person included."),
    TURN_SECONDS: ("", "Time that requests waited for their turn, under plane.requests_per_minute."),
    POLLS: ("status", "Polls of a project: success, failure."),
    MOVES: ("from, to", "Tickets that went from one state to another; from new, where one was made."),
    OUTCOMES: ("outcome", "How sessions ended."),
    BLOCKED_SECONDS: ("project", "Time that sessions waited for a person."),
    GATE_SECONDS: ("gate", "How long tickets waited for a gate: approval, launch, acceptance, posting."),
    COST: ("project", "What sessions have cost, by their own word; running ones included."),
    TOKENS: ("project, kind", "Tokens that sessions have used: input, output, cache_read, cache_write."),
    EVENTS: ("event", "What else the audit record tells of: held_back, set_aside, budget_reached and others."),
}
ANSWERED = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
RAN = (60, 300, 600, 1200, 1800, 3600, 7200, 14400, 28800)
WAITED = (60, 300, 900, 3600, 14400, 28800, 86400, 259200, 604800)
BOUNDS: dict[str, tuple[float, ...]] = {REQUEST_SECONDS: ANSWERED, SESSION_SECONDS: RAN, GATE_SECONDS: WAITED}

GATES: dict[tuple[str, str], str] = {
    (State.PENDING, State.APPROVED): "approval",
    (State.APPROVED, State.ACTIVE): "launch",
    (State.COMPLETED, State.OUTBOX): "acceptance",
    (State.OUTBOX, State.POSTED): "posting",
}
KINDS = ("input", "output", "cache_read", "cache_write")
OTHER = "other"
_OPERATIONS = {
    ("GET", "users/me"): "get_me",
    ("GET", "work-items/{id}"): "get_work_item",
    ("GET", "work-items/{identifier}"): "get_work_item",
    ("PATCH", "work-items/{id}"): "update_work_item",
    ("GET", "work-items/{id}/comments"): "list_comments",
    ("POST", "work-items/{id}/comments"): "create_comment",
}


def blank() -> Tally:
    """All that is counted at nothing: so the first of a kind is seen to have come."""
    tally = Tally()
    for name in (APPROVED, COMPLETED, TURN_SECONDS):
        tally.count(name, 0)
    for name in (UPDATES, POLLS):
        for status in ("success", "failure"):
            tally.count(name, 0, status=status)
    for outcome in retry.OUTCOMES:
        tally.count(OUTCOMES, 0, outcome=outcome)
    return tally


def of_call(tally: Tally, method: str, endpoint: str, code: int, seconds: float, again: bool) -> None:
    """Add a request to Plane, of which the answer had this `code` (0: none came)."""
    operation = _OPERATIONS.get((method, endpoint)) or f"list_{endpoint.replace('-', '_')}"
    tally.count(CALLS, operation=operation, status=status(code))
    tally.measure(REQUEST_SECONDS, ANSWERED, seconds, method=method, endpoint=endpoint)
    if again:
        tally.count(RETRIES, operation=operation)


def status(code: int) -> str:
    """What became of a request: success, throttled, error or, of one that nobody answered, unanswered."""
    if not code:
        return "unanswered"
    return "success" if code < 400 else "throttled" if code == 429 else "error"


def of_record(tally: Tally, record: Record) -> None:
    """Add what a record of the audit tells of: people write it, too, and anything may stand in it."""
    move = (record.fields.get("from"), record.fields.get("to"))
    if record.event == "moved" and all(part in (*State, "") for part in move):
        _moved(tally, record, *map(str, move))
    elif record.event != "moved" and messages.message_id(record.event):
        tally.count(EVENTS, event=record.event.replace(" ", "_"))


def _moved(tally: Tally, record: Record, came: str, to: str) -> None:
    measured = record.fields.get("measured")
    measured = measured if isinstance(measured, dict) else {}
    tally.count(MOVES, **{"from": came or "new", "to": to})
    if to == State.APPROVED and came != State.ACTIVE:
        tally.count(APPROVED)
    if came == State.OUTBOX and to in (State.POSTED, State.FAILED):
        tally.count(UPDATES, status="success" if to == State.POSTED else "failure")
    if came == State.ACTIVE:
        _ended(tally, record, to, measured)
    for (before, after), gate in GATES.items():
        if (came, to) == (before, after):
            tally.measure(GATE_SECONDS, WAITED, measured.get("stayed", -1), gate=gate)


def _ended(tally: Tally, record: Record, to: str, measured: dict[str, Any]) -> None:
    """A session has ended."""
    if to == State.COMPLETED:
        tally.count(COMPLETED)
    outcome = record.fields.get("outcome")
    if not outcome:
        return  # no session was begun
    tally.count(OUTCOMES, outcome=outcome if outcome in retry.OUTCOMES else OTHER)
    tally.measure(SESSION_SECONDS, RAN, measured.get("ran", -1))
    project = prefix(record.key)
    tally.count(BLOCKED_SECONDS, measured.get("waited", 0), project=project)
    used = measured.get("tokens")
    for kind, number in used.items() if isinstance(used, dict) else ():
        tally.count(TOKENS, number if amount(number) else 0, project=project, kind=kind if kind in KINDS else OTHER)


def prefix(key: str) -> str:
    """The prefix of a key, which is that of a project."""
    return key.rpartition("-")[0] if KEY.fullmatch(key) else OTHER


def measured(ticket: Ticket) -> dict[str, Any]:
    """What is told of the current attempt as it ends: how long it ran and waited for a person, what it used."""
    attempt = ticket.attempt
    if attempt is None or attempt.end is None:
        return {}
    waits = [_within(blocked.from_, blocked.to, attempt.start, attempt.end) for blocked in ticket.round.blocked]
    return {
        "ran": max((attempt.end - attempt.start).total_seconds(), 0.0),
        "waited": sum(waits, timedelta(0)).total_seconds(),
        "usd": attempt.cost.usd,
        "tokens": dict(attempt.cost.tokens),
    }


def _within(came: datetime, went: datetime | None, start: datetime, end: datetime) -> timedelta:
    """How much of an interval lies in another; one that has not ended has none."""
    return max(min(went, end) - max(came, start), timedelta(0)) if went else timedelta(0)
