"""What happened to a ticket, as lists: attempts, rounds and what each came to, notes, what was seen meanwhile."""

from pco.ground import times
from pco.ground.ticket import Attempt, Round
from pco.pages import results
from pco.pages.amounts import took
from pco.pages.frame import several
from pco.pages.html import Node, el
from pco.pages.pieces import MOST_LISTED, facts, folded, remark, table, words
from pco.pages.snapshot import TRIGGERS, Story
from pco.rules import budget

MOST_ROUNDS = 20  # earlier ones that are told in full


def attempts(story: Story) -> Node:
    """Each session: when, how long, how it ended, what it cost."""
    rows = [_attempt(round, attempt, story) for round in story.ticket.rounds for attempt in round.attempts]
    return table(("Attempt", "Began", "Took", "Ended", "Where", "Cost", "Conversation"), rows[-MOST_LISTED:])


def _attempt(round: Round, attempt: Attempt, story: Story) -> tuple[Node, ...]:
    code = f", exit {attempt.exit}" if attempt.exit is not None else ""
    return (
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
    if len(known) < 2 and len(known[-1].attempts) < 2 and not known[-1].waited():
        return None
    heads = ("Round", "Began with", "At", "Attempts", "Cost", "Waited for a person")
    return table(heads, [_round(round, story) for round in known[-MOST_LISTED:]])


def _round(round: Round, story: Story) -> tuple[Node, ...]:
    return (
        f"{round.n}",
        TRIGGERS.get(round.trigger.kind, round.trigger.kind),
        story.clock.at(round.trigger.at),
        several(len(round.attempts), "attempt"),
        budget.bill(round.cost),
        times.rough(round.waited()) if round.waited() else "",
    )


def earlier(story: Story) -> Node:
    """What each round before this one was asked, and what came of it, folded."""
    return [_earlier(round, story) for round in story.ticket.rounds[:-1][-MOST_ROUNDS:]] or None


def _earlier(round: Round, story: Story) -> Node:
    title, said = results.outcome(round, "")
    parts: list[Node] = [
        asked(round, story),
        el("p", {"class": "by"}, "Approved ", approved(round, story)) if round.approval else None,
        [el("h3", None, title), said] if said else None,
        [el("h3", None, "Work"), left] if (left := results.work(round)) else None,
    ]
    return folded(f"Round {round.n}", parts) if any(parts) else None


def asked(round: Round, story: Story) -> Node:
    """The comments and the remark that a round began with."""
    said: list[Node] = [remark(c.by, story, c.at, c.text) for c in round.comments[-MOST_LISTED:]]
    said += [el("h3", None, "Remark"), words(round.remark)] if round.remark else []
    return said or None


def approved(round: Round, story: Story) -> Node:
    """By whom, and when."""
    given = round.approval
    return ["by ", el("bdi", None, given.by), " at ", story.clock.at(given.at)] if given else "not approved"


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
