"""The page of one ticket: what it waits for and how to do it, what was approved, what came of it, its whole way.

It depends only on the record, the attempt's papers and the configuration, not on the hour: a page whose ticket has
not changed is not written again; only that of a ticket under way says when it was.  Every text is bounded; the record
holds the whole of it.
"""

from pco.ground import text
from pco.ground.ticket import State
from pco.pages import chronicle, results, screen, way
from pco.pages.frame import badge, command, dotted, foot, page, top, usd
from pco.pages.html import Element, Node, el, web
from pco.pages.pieces import MOST_LISTED, facts, folded, section, words
from pco.pages.snapshot import Story, Unreadable, trigger
from pco.pages.steps import next_step, steps
from pco.rules import hearing

# These change by themselves while somebody looks; what a person reads to decide about does not change under his eyes.
MOVING = (State.APPROVED, State.ACTIVE, State.OUTBOX)


def ticket_page(story: Story) -> bytes:
    """ticket/KEY.html."""
    ticket = story.ticket
    asked = "What was approved" if ticket.round.approval else "What the agent would get"
    left = (
        section("Failure", results.failure(story)),
        section(*results.outcome(ticket.round, story.comment)),
        section(f"Screen{_of(story)}", _screen(story)),
        section("Work", results.work(ticket.round)),
        section(asked, _text(story)),
        section(f"Prompt{_of(story)}", folded("Show the prompt", _prompt(story))),
        section("Attempts", chronicle.attempts(story)),
        section("Rounds", chronicle.rounds(story)),
        section("Earlier rounds", chronicle.earlier(story)),
    )
    right = (
        section("Facts", _facts(story)),
        section("Its way", [way.gates(ticket), way.timeline(ticket, story.clock)]),
        section("Notes", chronicle.notes(story)),
        section("Seen in Plane meanwhile", chronicle.noted(story)),
    )
    columns = (el("div", {"class": "column"}, part) for part in (left, right))
    body = el("main", {"id": "main"}, _step(story), el("div", {"class": "columns"}, columns))
    title = f"{ticket.key} {text.line(ticket.title, 80)}"
    moving = ticket.state in MOVING
    return page(title, "../", foot(story.clock, story.version, dated=moving), _head(story), body, refresh=moving)


def unreadable_page(found: Unreadable) -> bytes:
    """The page of a ticket whose record cannot be read."""
    card = found.card
    head = el("header", {"class": "top"}, top("../"), el("h1", None, card.key), el("p", None, badge(State.CORRUPT)))
    said = el("p", None, f"Its record cannot be read: {card.reason}")
    was = el("p", None, f"It was {card.from_}.") if card.from_ else None
    lines = (f"pco-queue show {card.key}", f"pco-queue repair {card.key}", f"pco-queue drop {card.key}")
    body = el("main", {"id": "main"}, said, was, el("div", {"class": "commands"}, (command(line) for line in lines)))
    return page(card.key, "../", foot(found.clock, found.version), head, body)


# The head.


def _head(story: Story) -> Element:
    ticket = story.ticket
    labels: Node = [[el("bdi", {"class": "label"}, label), " "] for label in ticket.labels[:MOST_LISTED]]
    state, since = ticket.plane_state, ticket.entered()
    told = dotted(
        [badge(ticket.state), [" since ", story.clock.at(since)] if since else None],
        _doing(story),
        f"attempt {len(ticket.round.attempts)}" if ticket.round.attempts else None,
        usd(ticket.cost) if ticket.cost else None,
        f"{ticket.priority} priority" if ticket.priority != "none" else None,
        ["in Plane: ", el("bdi", None, state.name)] if state else None,
        "gone from Plane" if ticket.gone else None,
        el("a", {"href": web(ticket.url), "rel": "noopener noreferrer"}, "open in Plane") if ticket.url else None,
    )
    key = el("span", {"class": "key"}, ticket.key)
    title = el("h1", None, key, " ", el("bdi", None, ticket.title or "(no title)"))
    below = el("p", {"class": "labels"}, labels) if ticket.labels else None
    return el("header", {"class": "top"}, top("../"), title, el("p", {"class": "facts"}, told), below)


def _doing(story: Story) -> Node:
    what, since = hearing.doing(story.ticket)
    return [text.line(what, 120), " since ", story.clock.at(since)] if what and since else what or None


def _step(story: Story) -> Element:
    lines = el("div", {"class": "commands"}, (command(line) for line in steps(story)))
    alarm = " alarm" if hearing.waits(story.ticket) or story.ticket.blocked else ""
    return el("section", {"class": f"step-box{alarm}"}, el("p", None, next_step(story)), _hold(story), lines)


def _hold(story: Story) -> Node:
    hold, stop, clock = story.ticket.hold, story.ticket.stop, story.clock
    said: list[Node] = []
    if hold:
        until: Node = ["until ", clock.at(hold.until)] if hold.until else "until somebody releases it"
        why = f": {hold.why}" if hold.why else ""
        said.append(el("p", None, el("span", {"class": "flag wait"}, "held"), " ", until, f", by {hold.by}{why}"))
    if stop:
        why = f": {stop.why}" if stop.why else ""
        asked = el("span", {"class": "flag wait"}, "stopping")
        said.append(el("p", None, asked, f" by {stop.by} at ", clock.at(stop.at), why))
    return said


# What was asked for, and what the session shows.


def _text(story: Story) -> list[Node]:
    ticket = story.ticket
    return [words(ticket.description or "(no description)"), chronicle.asked(ticket.round, story)]


def _facts(story: Story) -> Element:
    """Where it works, who approved it, and what the approval is bound to."""
    ticket, target = story.ticket, story.target
    where = [("Repository", target.repository), ("Branch", target.branch)] if target else []
    where += [("Agent", target.agent), ("Permission mode", target.permission_mode)] if target else []
    rows: list[tuple[str, Node]] = [("Began with", trigger(ticket)), ("Approved", _approval(story)), *where]
    if story.money:
        rows.append(("Has cost", story.money))
    if story.hash:
        rows.append(("Hash", el("code", None, story.hash)))
    return facts(rows)


def _approval(story: Story) -> Node:
    current = story.ticket.round
    changed = story.hash and current.approval and story.hash != current.approval.hash
    said = " (what the agent would get has changed since)" if changed else None
    return [chronicle.approved(current, story), said]


def _of(story: Story) -> str:
    papers = story.papers
    return f" of round {papers.round}, attempt {papers.attempt}" if papers else ""


def _screen(story: Story) -> Node:
    papers = story.papers
    if papers is None:
        return None
    trouble = el("p", {"class": "muted"}, papers.trouble) if papers.trouble else None
    return [screen.picture(papers.screen) if papers.screen else None, trouble] if papers.screen or trouble else None


def _prompt(story: Story) -> Node:
    return words(story.papers.prompt, "code") if story.papers and story.papers.prompt else None
