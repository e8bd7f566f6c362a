"""The snapshot for Prometheus: metrics.txt, in its text format 0.0.4; all are gauges.

plane_pending_tickets, plane_active_sessions, plane_completed_tickets    as monitoring knows them of old
pco_tickets{state}                                  tickets in each state
pco_oldest_ticket_timestamp_seconds{state}          since when the oldest waits: pending, completed, outbox
pco_last_poll_timestamp_seconds{project}            the last poll with success
pco_blocked_sessions                                sessions that wait for a person
pco_oldest_blocked_timestamp_seconds                since when the first of them does; absent if none does
pco_spent_usd                                       what today's sessions (day of display.timezone) have cost
pco_daily_budget_usd                                what they may; absent if there is no limit
pco_health                                          1: well, 0: degraded
pco_watcher_up                                      1: pco-watch runs, 0: it does not; absent if that is unknown
pco_written_timestamp_seconds                       when these were true
pco_build_info{version}                             1

<https://prometheus.io/docs/instrumenting/exposition_formats/>
"""

from collections.abc import Iterable, Iterator

from pco.ground import text
from pco.ground.ticket import State
from pco.pages.snapshot import Snapshot, blocked_now, waiting_since

Samples = Iterable[tuple[str, str, float]]  # the label's name and value, both empty if there is none; the value


def text_of(snapshot: Snapshot) -> bytes:
    """metrics.txt."""
    return "".join(
        line for name, what, samples in _families(snapshot) for line in _family(name, what, samples)
    ).encode()


def _families(snapshot: Snapshot) -> Iterator[tuple[str, str, Samples]]:
    counts = snapshot.counts
    for name, what, state in (
        ("plane_pending_tickets", "Tickets that wait for an approval.", State.PENDING),
        ("plane_active_sessions", "Tickets whose session runs.", State.ACTIVE),
        ("plane_completed_tickets", "Tickets whose summary waits to be accepted.", State.COMPLETED),
    ):
        yield name, what, _one(counts.get(state, 0))
    yield "pco_tickets", "Tickets in each state.", [("state", s.value, counts.get(s, 0)) for s in State]
    since = waiting_since(snapshot.cards)
    oldest = [("state", state.value, at.timestamp()) for state, at in since.items() if at]
    yield "pco_oldest_ticket_timestamp_seconds", "Since when the oldest ticket has been in this state.", oldest
    polled = {head.key or head.project: head.polled_at for head in snapshot.heads}
    polls = [("project", name, at.timestamp()) for name, at in polled.items() if at]
    yield "pco_last_poll_timestamp_seconds", "The last successful poll of a project.", polls
    blocked = [card.blocked_since for card in snapshot.cards if blocked_now(card)]
    yield "pco_blocked_sessions", "Sessions that wait for a person.", _one(len(blocked))
    if first := min((since for since in blocked if since), default=None):
        yield "pco_oldest_blocked_timestamp_seconds", "Since when one waits for a person.", _one(first.timestamp())
    yield "pco_spent_usd", "What the sessions of today have cost.", _one(snapshot.spent)
    if snapshot.daily:
        yield "pco_daily_budget_usd", "What the sessions of one day may cost.", _one(snapshot.daily)
    yield "pco_health", "Whether pco is well; /health says why not.", _one(snapshot.health.status == "ok")
    if snapshot.watching is not None:
        yield "pco_watcher_up", "Whether pco-watch runs.", _one(snapshot.watching)
    yield "pco_written_timestamp_seconds", "When these values were true.", _one(snapshot.clock.now.timestamp())
    yield "pco_build_info", "The version of pco.", [("version", snapshot.version, 1)]


def _one(value: float) -> Samples:
    return [("", "", value)]


def _family(name: str, what: str, samples: Samples) -> Iterator[str]:
    """The lines of one metric; none if it has no sample."""
    lines = [f"{name}{_label(label, value)} {_number(sample)}\n" for label, value, sample in samples]
    if lines:
        yield from (f"# HELP {name} {what}\n", f"# TYPE {name} gauge\n", *lines)


def _label(name: str, value: str) -> str:
    clean = text.line(value, 200).replace("\\", "\\\\").replace('"', '\\"')
    return f'{{{name}="{clean}"}}' if name else ""


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value:.3f}"
