"""The snapshot for Prometheus: metrics.txt, in its text format 0.0.4.  pco-metrics(7) names what is in it.

Gauges are what is so now; counters and histograms come from the tallies (`ground.tally`), and what they count is said
in `rules.counting`.

<https://prometheus.io/docs/instrumenting/exposition_formats/>
"""

from collections.abc import Iterable, Iterator

from pco.ground import tally
from pco.ground.ticket import State
from pco.pages.snapshot import Snapshot, blocked_now, waiting_since
from pco.rules import counting

Samples = Iterable[tuple[str, float]]  # the label's value, empty if there is none; the value

GAUGES = {  # name: its label, and what it is
    "plane_pending_tickets": ("", "Tickets that wait for an approval."),
    "plane_active_sessions": ("", "Tickets whose session runs."),
    "plane_completed_tickets": ("", "Tickets whose summary waits to be accepted."),
    "pco_tickets": ("state", "Tickets in each state."),
    "pco_oldest_ticket_timestamp_seconds": (
        "state",
        "Since when the oldest ticket waits: pending, completed, outbox; absent if none does.",
    ),
    "pco_last_poll_timestamp_seconds": ("project", "The last successful poll of a project."),
    "pco_blocked_sessions": ("", "Sessions that wait for a person."),
    "pco_oldest_blocked_timestamp_seconds": ("", "Since when the first of them waits; absent if none does."),
    "pco_spent_usd": ("", "What the sessions of today (of display.timezone) have cost."),
    "pco_daily_budget_usd": ("", "What the sessions of one day may cost; absent if there is no limit."),
    "pco_request_budget": ("", "Requests that Plane may be sent in a minute."),
    "pco_request_budget_left": ("", "Requests that are left of this minute; absent if that is unknown."),
    "pco_health": ("", "Whether pco is well; /health says why not."),
    "pco_watcher_up": ("", "Whether pco-watch runs; absent if that is unknown."),
    "pco_written_timestamp_seconds": ("", "When all this was true."),
    "pco_build_info": ("version", "The version of pco."),
}


def text_of(snapshot: Snapshot) -> bytes:
    """metrics.txt."""
    lines = [line for name, samples in _gauges(snapshot).items() for line in _gauge(name, samples)]
    for name in sorted(snapshot.total.counts.keys() & counting.WHAT.keys()):
        lines += _counter(name, snapshot.total.counts[name])
    for name in sorted(snapshot.total.spans.keys() & counting.BOUNDS.keys()):
        lines += _histogram(name, snapshot.total.spans[name])
    return "".join(lines).encode()


def _gauges(snapshot: Snapshot) -> dict[str, Samples]:
    """What is so now; nothing for what is not, or not known."""
    counts, health, requests = snapshot.counts, snapshot.health, snapshot.requests_left
    since = waiting_since(snapshot.cards).items()
    polled = {head.key or head.project: head.polled_at for head in snapshot.heads}
    blocked = [card.blocked_since for card in snapshot.cards if blocked_now(card)]
    first = min((since for since in blocked if since), default=None)
    return {
        "plane_pending_tickets": _one(counts.get(State.PENDING, 0)),
        "plane_active_sessions": _one(counts.get(State.ACTIVE, 0)),
        "plane_completed_tickets": _one(counts.get(State.COMPLETED, 0)),
        "pco_tickets": [(state.value, counts.get(state, 0)) for state in State],
        "pco_oldest_ticket_timestamp_seconds": [(state.value, at.timestamp()) for state, at in since if at],
        "pco_last_poll_timestamp_seconds": [(name, at.timestamp()) for name, at in polled.items() if at],
        "pco_blocked_sessions": _one(len(blocked)),
        "pco_oldest_blocked_timestamp_seconds": _one(first.timestamp() if first else None),
        "pco_spent_usd": _one(snapshot.spent),
        "pco_daily_budget_usd": _one(snapshot.daily or None),
        "pco_request_budget": _one(None if requests is None else snapshot.requests),
        "pco_request_budget_left": _one(requests),
        "pco_health": _one(health.status == "ok"),
        "pco_watcher_up": _one(snapshot.watching),
        "pco_written_timestamp_seconds": _one(snapshot.clock.now.timestamp()),
        "pco_build_info": [(snapshot.version, 1)],
    }


def _one(value: float | None) -> Samples:
    return [] if value is None else [("", value)]


def _gauge(name: str, samples: Samples) -> Iterator[str]:
    """The lines of one gauge; none if it has no sample."""
    label, what = GAUGES[name]
    lines = []
    for value, sample in samples:
        labels = _braced(tally.labelled(**{label: value})) if label else ""
        lines.append(f"{name}{labels} {_number(sample)}\n")
    if lines:
        yield from (*_head(name, "gauge", what), *lines)


def _counter(name: str, known: dict[str, float]) -> Iterator[str]:
    """The lines of a counter."""
    yield from _head(name, "counter", counting.WHAT[name][1])
    for labels, value in sorted(known.items()):
        yield f"{name}{_braced(labels)} {_number(value)}\n"


def _histogram(name: str, known: dict[str, dict[str, float]]) -> Iterator[str]:
    """The lines of a histogram.  A bound that an earlier version had stays."""
    yield from _head(name, "histogram", counting.WHAT[name][1])
    for labels, span in sorted(known.items()):
        bounds = {float(bound) for bound in span if bound != tally.SUM} | {*counting.BOUNDS[name], float("inf")}
        total = 0.0
        for bound in sorted(bounds):
            le = tally.INFINITE if bound == float("inf") else f"{bound:g}"
            total += span.get(le, 0)
            yield f"{name}_bucket{_braced(labels, tally.labelled(le=le))} {_number(total)}\n"
        yield f"{name}_sum{_braced(labels)} {_number(span.get(tally.SUM, 0))}\n"
        yield f"{name}_count{_braced(labels)} {_number(total)}\n"


def _head(name: str, kind: str, what: str) -> tuple[str, str]:
    return f"# HELP {name} {what}\n", f"# TYPE {name} {kind}\n"


def _braced(*labels: str) -> str:
    joined = ",".join(label for label in labels if label)
    return f"{{{joined}}}" if joined else ""


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value:.6f}".rstrip("0")
