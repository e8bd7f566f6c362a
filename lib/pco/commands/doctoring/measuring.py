"""How long each step of test tickets took, and whether they did what their program does."""

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from pco.checks.trials import latencies
from pco.ground.errors import PcoError
from pco.ground.ticket import State, Ticket
from pco.outside.agents.scripted import SUMMARY
from pco.run import Pco

STEPS = {
    "approved to running": (State.APPROVED, State.ACTIVE),
    "running to completed": (State.ACTIVE, State.COMPLETED),
    "accepted to posted": (State.OUTBOX, State.POSTED),
}
NOTICED = "of it: end noticed"


@dataclass
class Report:
    """Seconds by step, of all tickets that took it."""

    steps: dict[str, list[float]] = field(default_factory=dict)
    troubles: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """A table."""
        for name, took in self.steps.items():
            if took:
                yield f"  {name:<22} {statistics.median(took):6.1f} s, at most {max(took):.1f} s"

    def summary(self) -> str:
        """The medians in one line."""
        return ", ".join(f"{name} {statistics.median(took):.1f} s" for name, took in self.steps.items() if took)


def measure(pco: Pco, keys: Sequence[str]) -> Report:
    """What the records say, before they are removed."""
    report = Report(
        {name: [] for name in ("approved to running", "running to completed", NOTICED, "accepted to posted")}
    )
    for key in keys:
        try:
            ticket = pco.spool.read(key)
        except (KeyError, PcoError):
            continue  # said already
        for step, (from_, to) in STEPS.items():
            report.steps[step] += _spans(ticket, from_, to)
        report.steps[NOTICED] += [span.total_seconds() for span in latencies(pco.config.paths.sessions, ticket)]
        if ticket.state is State.POSTED:
            report.troubles += [f"{key}: {trouble}" for trouble in _wrong(ticket)]
    return report


def _spans(ticket: Ticket, from_: State, to: State) -> list[float]:
    steps = [(entry.to, entry.at) for entry in ticket.history]
    return [
        (end - begin).total_seconds() for (one, begin), (other, end) in pairwise(steps) if (one, other) == (from_, to)
    ]


def _wrong(ticket: Ticket) -> Iterator[str]:
    """What is not as the program leaves it."""
    if ticket.round.summary.strip() != SUMMARY:
        yield "its summary is another one"
    work = ticket.round.work
    if work is None or not work.commits:
        yield f"its commit did not arrive{f' ({work.problem})' if work and work.problem else ''}"
    if not ticket.local and not (ticket.round.post and ticket.round.post.comment_id):
        yield "its comment has no id of Plane"
