"""What a ticket waits for, in a sentence, and the commands that a person may type for it, ready to copy."""

from pco.ground.ticket import State
from pco.pages.html import Node
from pco.pages.snapshot import Story
from pco.rules import hearing

SENTENCES = {
    State.PENDING: "A person must approve what the agent will get.",
    State.APPROVED: "Approved. It starts as soon as a slot is free.",
    State.ACTIVE: "A session works on it.",
    State.COMPLETED: "The session has ended with a summary. A person must accept it, or send it back.",
    State.OUTBOX: "Accepted. The comment is on its way into Plane.",
    State.POSTED: "Done: the comment is in Plane. A new comment there brings it back.",
    State.FAILED: "It did not work out. A person must decide.",
    State.REJECTED: "Rejected. Nothing more happens, unless somebody comments on it in Plane.",
    State.CORRUPT: "Its record cannot be read.",
}
VERBS = {
    State.PENDING: ("show {key}", "approve {key}{hash}", "reject {key}", "hold {key}"),
    State.APPROVED: ("show {key}", "unapprove {key}", "hold {key}", "reject {key}"),
    State.ACTIVE: ("attach {key}", "log {key}", "stop {key}"),
    State.COMPLETED: (
        "show {key}",
        "diff {key}",
        "fetch {key}",
        "post {key}",
        'rework {key} "..."',
        "reject {key}",
    ),
    State.OUTBOX: ("show {key}", "recall {key}"),
    State.POSTED: ("show {key}", "reopen {key}"),
    State.FAILED: ("show {key}", "log {key}", "retry {key}", "post {key}", "reject {key}"),
    State.REJECTED: ("show {key}", "reopen {key}", "drop {key}"),
    State.CORRUPT: ("show {key}", "repair {key}", "drop {key}"),
}


def next_step(story: Story) -> Node:
    """What it waits for."""
    ticket, post = story.ticket, story.ticket.round.post
    if ticket.state is State.ACTIVE and ticket.blocked:
        return f"The agent waits for an answer: {ticket.blocked.what or 'a question'}"
    if hearing.waits(ticket):
        return f"Its agent waits for a word, or for /complete: {hearing.doing(ticket)[0]}."
    if ticket.state is State.PENDING and story.target is None:
        return "Its project is no longer configured: it cannot be approved."
    if ticket.state is State.APPROVED and story.short:
        return f"Approved, but {story.short}."
    if ticket.state is State.OUTBOX and post and post.sending_since:
        sent = story.clock.at(post.sending_since)
        return ["Accepted. First sent at ", sent, ". Plane has not confirmed it: pco-post looks before it sends again."]
    return SENTENCES[ticket.state]


def steps(story: Story) -> list[str]:
    """The commands for its state.  An approval is bound to what this page shows."""
    ticket = story.ticket
    bound = f" --if-hash {story.hash[:16]}" if story.hash else ""
    verbs = [verb for verb in VERBS[ticket.state] if story.target or not verb.startswith("approve")]
    if ticket.state is State.FAILED and not (ticket.round.summary or ticket.round.post):
        verbs = ["post {key} --edit" if verb == "post {key}" else verb for verb in verbs]
    if ticket.hold or story.short:
        verbs = ["release {key}" if verb == "hold {key}" else verb for verb in verbs]
    if ticket.state is State.ACTIVE and ticket.unknown:
        verbs.insert(1, "forward {key}")
    return [f"pco-queue {verb.format(key=ticket.key, hash=bound)}" for verb in verbs]
