"""What happened to a ticket, as lists: attempts, rounds with their cost, notes, what was seen in Plane meanwhile."""

from pco.ground import times
from pco.ground.ticket import Attempt, Round
from pco.pages.clock import took
from pco.pages.frame import several
from pco.pages.html import Element, Node, el
from pco.pages.pieces import MOST_LISTED, cells, facts, folded, remark, table, words
from pco.pages.snapshot import TRIGGERS, Story
from pco.rules import budget


def attempts(story: Story) -> Node:
    """Each session: when, how long, how it ended, what it cost."""
    rows = [_attempt(round, attempt, story) for round in story.ticket.rounds for attempt in round.attempts]
    return table(("Attempt", "Began", "Took", "Ended", "Where", "Cost", "Conversation"), rows[-MOST_LISTED:])


def _attempt(round: Round, attempt: Attempt, story: Story) -> Element:
    code = f", exit {attempt.exit}" if attempt.exit is not None else ""
    return cells(
        f"{round.n}.{attempt.n}",
        story.clock.at(attempt.start),
        took(attempt.start, attempt.end) if attempt.end else "running" if attempt is story.ticket.attempt else "",
        f"{attempt.outcome}{code}",
        attempt.host,
        budget.bill(attempt.cost),
        _conversation(attempt),
    )


def _conversation(attempt: Attempt) -> Node:
    """How the agent calls it, and where it lies: what a person needs to read it."""
    named = {"conversation": attempt.agent_session, "transcript": attempt.transcript, "begun afresh": attempt.afresh}
    rows: list[tuple[str, Node]] = [(name, el("code", None, said[:500])) for name, said in named.items() if said]
    return folded("Conversation", facts(rows)) if rows else ""


def rounds(story: Story) -> Node:
    """Each round: what began it, what it cost, how long its agents waited for a person."""
    known = story.ticket.rounds
    if len(known) < 2 and not (known[-1].cost.usd or known[-1].cost.tokens or known[-1].waited()):
        return None
    heads = ("Round", "Began with", "At", "Attempts", "Cost", "Waited for a person", "Result")
    return table(heads, [_round(round, story) for round in known[-MOST_LISTED:]])


def _round(round: Round, story: Story) -> Element:
    return cells(
        f"{round.n}",
        TRIGGERS.get(round.trigger.kind, round.trigger.kind),
        story.clock.at(round.trigger.at),
        several(len(round.attempts), "attempt"),
        budget.bill(round.cost),
        times.rough(round.waited()) if round.waited() else "",
        _ended_with(round) if round is not story.ticket.round else "",
    )


def _ended_with(round: Round) -> Node:
    if round.summary:
        return folded("Summary", words(round.summary))
    return folded("Draft, no summary", words(round.draft)) if round.draft else ""


def notes(story: Story) -> Node:
    """What people noted in pco."""
    return [remark(note.by, story, note.at, note.text) for note in story.ticket.notes[-MOST_LISTED:]] or None


def noted(story: Story) -> Node:
    """What happened in Plane while it was at work, and what became of that."""
    said = []
    for event in story.ticket.noted[-MOST_LISTED:]:
        taken = f" (given to round {event.given})" if event.given else ""
        if event.forward:
            taken = f" (forwarded by {event.forward.by}{', and taken' if event.given else ', not taken yet'})"
        told = event.comment.text if event.comment else event.what
        said.append(remark(event.by, story, event.at, told, f"{event.kind}{taken}"))
    return said or None
