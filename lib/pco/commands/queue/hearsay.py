"""What the sessions of a ticket told of themselves, as far as it was kept: for `log`.

The events lie in the attempt's out/, or, where that is the session's own (runner systemd), in the copy that
pco-collect makes at its end: only then can a member of the group read them.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pco.ground import attempt, leavings, text
from pco.ground.errors import BadData, TryLater
from pco.ground.leavings import Event
from pco.ground.ticket import Attempt, Round, Ticket
from pco.outside.agents import read_event
from pco.rules import hearing

MOST_TOLD = 200  # of one attempt, the latest
WORDS = {
    "launched": "the agent is started",
    "started": "the agent begins",
    "turn_ended": "its turn has ended",
    "turn_failed": "its turn failed",
    "idle": "it is idle",
    "completed": "it hands over its summary",
    "ended": "the agent ends",
}
DETAILS = ("model", "source", "error", "reason", "warning", "afresh", "last", "summary")


def told(sessions: Path, ticket: Ticket, round: Round, last: Attempt) -> Iterator[Event]:
    """The events of one attempt worth telling, oldest first; of an attempt that runs, at least what it does now."""
    events = [event for event in _kept(attempt.folder(sessions, ticket.key, round.n, last.n)) if event.kind in WORDS]
    yield from events[-MOST_TOLD:]
    what, since = hearing.doing(ticket)
    if not events and last is ticket.attempt and what and since and not ticket.blocked:
        yield Event("working", since, round.n, last.n, {"doing": what})


def sentence(event: Event) -> str:
    """An event in words, with what belongs to it: `its turn failed: server_error`."""
    doing = event.detail.get("doing")
    if isinstance(doing, str):
        return f"{text.line(doing, 100)} (more can be read here once it has ended)"
    said = [text.line(value, 200) for name in DETAILS if isinstance(value := event.detail.get(name), str) and value]
    return ": ".join([WORDS[event.kind], *([", ".join(said)] if said else [])])


def _kept(home: Path) -> Iterator[Event]:
    """Hostile: what is strange is passed over."""
    try:
        out = leavings.open_out(home / "out")
    except OSError:
        return
    try:
        for name in leavings.event_names(out):
            with suppress(BadData, TryLater):
                yield read_event(leavings.read_event(out, name))
    except (BadData, TryLater):
        return
    finally:
        os.close(out)
