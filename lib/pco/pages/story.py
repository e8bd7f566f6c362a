"""The page of one ticket: what it waits for and how to do it, what was approved, what came of it, its whole way.

It depends only on the record, the attempt's papers and the configuration, not on the hour: a page whose ticket has
not changed is not written again.  Every text is bounded; the record holds the whole of it.
"""

from datetime import datetime
from functools import cache, lru_cache

from pco.ground import markup, text, times
from pco.ground.ticket import Attempt, Round, State, Ticket, Work
from pco.pages import screen
from pco.pages.clock import took
from pco.pages.frame import badge, command, dotted, foot, page, several
from pco.pages.html import Element, Node, el, web
from pco.pages.snapshot import Story, Unreadable, trigger
from pco.pages.steps import next_step, steps
from pco.pages.way import timeline
from pco.rules import budget, hearing

MOST_TEXT = 100_000  # characters of one text
MOST_LISTED = 100  # comments, commits, notes, attempts
MOVING = (State.APPROVED, State.ACTIVE, State.OUTBOX)  # these change by themselves while somebody looks


def ticket_page(story: Story) -> bytes:
    """ticket/KEY.html."""
    ticket = story.ticket
    sections = [
        _step(story),
        _section(*_outcome(ticket, story.comment)),
        _section("Failure", _failure(story)),
        _section(f"Screen{_of(story)}", _screen(story)),
        _section("Work", _work(ticket.round.work)),
        _section("What the agent gets", _text(story)),
        _section("Its way", timeline(ticket, story.clock)),
        _section("Attempts", _attempts(story)),
        _section("Notes", _notes(story)),
        _section("Seen in Plane meanwhile", _noted(story)),
        _section("Rounds", _rounds(story)),
        _section(f"Prompt{_of(story)}", _folded("Show the prompt", _prompt(story))),
    ]
    title = f"{ticket.key} {text.line(ticket.title, 80)}"
    below = foot(story.clock, story.version)
    return page(title, "../", below, _head(story), el("main", None, sections), refresh=ticket.state in MOVING)


def unreadable_page(found: Unreadable) -> bytes:
    """The page of a ticket whose record cannot be read."""
    card = found.card
    head = el("header", {"class": "top"}, _up(), el("h1", None, card.key), el("p", None, badge(State.CORRUPT)))
    said = el("p", None, f"Its record cannot be read: {card.reason}")
    was = el("p", None, f"It was {card.from_}.") if card.from_ else None
    lines = (f"pco-queue show {card.key}", f"pco-queue repair {card.key}", f"pco-queue drop {card.key}")
    body = el("main", None, said, was, el("div", {"class": "commands"}, (command(line) for line in lines)))
    return page(card.key, "../", foot(found.clock, found.version), head, body)


# The head.


@cache
def _up() -> Element:
    return el("p", None, el("a", {"href": "../index.html"}, "Board"))


def _head(story: Story) -> Element:
    ticket = story.ticket
    labels: Node = [[el("bdi", {"class": "label"}, label), " "] for label in ticket.labels[:MOST_LISTED]]
    state = ticket.plane_state
    facts = dotted(
        badge(ticket.state),
        _doing(story),
        f"{ticket.priority} priority" if ticket.priority != "none" else None,
        ["in Plane: ", el("bdi", None, state.name)] if state else None,
        "gone from Plane" if ticket.gone else None,
        el("a", {"href": web(ticket.url), "rel": "noopener noreferrer"}, "open in Plane") if ticket.url else None,
    )
    key = el("span", {"class": "key"}, ticket.key)
    title = el("h1", None, key, " ", el("bdi", None, ticket.title or "(no title)"))
    below = el("p", {"class": "labels"}, labels) if ticket.labels else None
    return el("header", {"class": "top"}, _up(), title, el("p", {"class": "facts"}, facts), below)


def _doing(story: Story) -> Node:
    what, since = hearing.doing(story.ticket)
    return [text.line(what, 120), " since ", story.clock.at(since)] if what and since else what or None


def _step(story: Story) -> Element:
    lines = el("div", {"class": "commands"}, (command(line) for line in steps(story)))
    return el("section", {"class": "step-box"}, el("p", None, next_step(story)), _hold(story), lines)


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


# What was asked for, and what came of it.


def _text(story: Story) -> list[Node]:
    ticket, target = story.ticket, story.target
    where = [("Repository", target.repository), ("Branch", target.branch)] if target else []
    where += [("Agent", target.agent), ("Permission mode", target.permission_mode)] if target else []
    approval = ticket.round.approval
    said: Node = "not approved"
    if approval:
        changed = " (what the agent would get has changed since)" if story.hash and story.hash != approval.hash else ""
        said = ["by ", el("bdi", None, approval.by), " at ", story.clock.at(approval.at), changed]
    rows: list[tuple[str, Node]] = [("Began with", trigger(ticket)), *where, ("Approved", said)]
    if story.money:
        rows.append(("Has cost", story.money))
    if story.hash:
        rows.append(("Hash", el("code", None, story.hash)))
    return [
        _words(ticket.description or "(no description)"),
        [_said(c.by, story, c.at, c.text) for c in ticket.round.comments[-MOST_LISTED:]],
        [el("h3", None, "Remark"), _words(ticket.round.remark)] if ticket.round.remark else None,
        _facts(rows),
    ]


def _summary(ticket: Ticket) -> Node:
    current = ticket.round
    if not current.summary:
        return None
    by = el("p", {"class": "by"}, "by ", el("bdi", None, current.summary_by)) if current.summary_by else None
    return [by, _words(current.summary)]


def _outcome(ticket: Ticket, proposed: str) -> tuple[str, Node]:
    """The exact comment, as it was or will be sent, or as it would be; before there is one, the summary.

    Where there is none of both, the last words of the agent, which nobody has taken for a summary.
    """
    post = ticket.round.post
    title, body = ("Comment", post.body) if post else ("Comment, as it would be posted", proposed)
    if post and post.posted_at:
        title = "Comment, as posted"
    if not body and not ticket.round.summary and ticket.round.draft:
        return "Draft: what the agent said last; it handed over no summary", _words(ticket.round.draft)
    if not body:
        return "Summary", _summary(ticket)
    told = _folded("Show the summary that it was made of", _summary(ticket))
    return title, [_words(markup.plain(body[:MOST_TEXT])), told, _folded("Show its HTML", _words(body, "code"))]


def _failure(story: Story) -> Node:
    ticket = story.ticket
    post, attempt = ticket.round.post, ticket.attempt
    said: list[Node] = []
    if ticket.state is State.FAILED and attempt:
        said.append(el("p", None, f"Attempt {attempt.n}: {story.meaning or attempt.outcome or 'unknown'}"))
    if ticket.state is State.FAILED:
        why = ticket.history[-1].why if ticket.history else ""
        said += [
            el("p", None, why) if why else None,
            el("p", None, f"What can be done: {story.remedy}") if story.remedy else None,
        ]
    if post and post.state.outcome in ("left", "refused"):
        said.append(el("p", None, f"State in Plane {post.state.outcome}: {post.state.why}"))
    return said or None


def _work(work: Work | None) -> Node:
    if work is None:
        return None
    commits = [
        el("li", None, el("code", None, c.id[:10]), " ", el("bdi", None, c.subject)) for c in work.commits[:MOST_LISTED]
    ]
    left = several(work.uncommitted, "uncommitted change") + " left behind" if work.uncommitted else None
    return [
        el("p", None, dotted(several(len(work.commits), "commit"), el("code", None, work.branch or "no branch"), left)),
        el("p", {"class": "flag bad"}, work.problem) if work.problem else None,
        el("ul", {"class": "commits"}, commits) if commits else None,
        _words(work.diffstat, "code") if work.diffstat else None,
        _pushed(work),
    ]


def _pushed(work: Work) -> Node:
    known = work.pushed
    if known is None:
        return None
    if known.outcome == "done":
        return el("p", None, "Pushed to ", el("bdi", None, known.url))
    refused = known.outcome == "refused"
    return el("p", {"class": "flag bad"}, f"{'Its push was refused' if refused else 'Not pushed yet'}: {known.why}")


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
    return _words(story.papers.prompt, "code") if story.papers and story.papers.prompt else None


# What happened.


def _attempts(story: Story) -> Node:
    rows = [
        _cells(
            f"{round.n}.{attempt.n}",
            story.clock.at(attempt.start),
            took(attempt.start, attempt.end) if attempt.end else "running" if attempt is story.ticket.attempt else "",
            attempt.outcome,
            f"exit {attempt.exit}" if attempt.exit is not None else "",
            attempt.host,
            budget.bill(attempt.cost),
            _conversation(attempt),
        )
        for round in story.ticket.rounds
        for attempt in round.attempts
    ]
    return _table(rows[-MOST_LISTED:])


def _conversation(attempt: Attempt) -> Node:
    """How the agent calls it, and where it lies: what a person needs to read it."""
    named = {"conversation": attempt.agent_session, "transcript": attempt.transcript, "begun afresh": attempt.afresh}
    rows: list[tuple[str, Node]] = [(name, el("code", None, said[:500])) for name, said in named.items() if said]
    return _folded("Conversation", _facts(rows)) if rows else ""


def _rounds(story: Story) -> Node:
    rounds = story.ticket.rounds
    if len(rounds) < 2 and not (rounds[-1].cost.usd or rounds[-1].cost.tokens or rounds[-1].waited()):
        return None
    return _table([_round(round, story) for round in rounds[-MOST_LISTED:]])


def _round(round: Round, story: Story) -> Element:
    return _cells(
        f"round {round.n}",
        round.trigger.kind,
        story.clock.at(round.trigger.at),
        several(len(round.attempts), "attempt"),
        budget.bill(round.cost),
        f"waited {times.rough(round.waited())} for a person" if round.waited() else "",
        _ended_with(round) if round is not story.ticket.round else "",
    )


def _ended_with(round: Round) -> Node:
    if round.summary:
        return _folded("Summary", _words(round.summary))
    return _folded("Draft, no summary", _words(round.draft)) if round.draft else ""


def _notes(story: Story) -> Node:
    return [_said(note.by, story, note.at, note.text) for note in story.ticket.notes[-MOST_LISTED:]] or None


def _noted(story: Story) -> Node:
    said = []
    for event in story.ticket.noted[-MOST_LISTED:]:
        taken = f" (given to round {event.given})" if event.given else ""
        if event.forward:
            taken = f" (forwarded by {event.forward.by}{', and taken' if event.given else ', not taken yet'})"
        words = event.comment.text if event.comment else event.what
        said.append(_said(event.by, story, event.at, words, f"{event.kind}{taken}"))
    return said or None


# Pieces.


def _section(title: str, content: Node) -> Node:
    return el("section", None, _heading(title), content) if content else None


@lru_cache(maxsize=64)
def _heading(title: str) -> Element:
    return el("h2", None, title)


def _folded(title: str, content: Node) -> Node:
    return el("details", None, el("summary", None, title), content) if content else None


def _words(words: str, kind: str = "") -> Element:
    """A text from outside with its own lines; `kind` code: as it stands, in a typewriter's letters."""
    cut = el("em", None, "\n(cut here: the record holds the whole of it)") if len(words) > MOST_TEXT else None
    name = f"text {kind}".rstrip()
    return el("div", {"class": name, "dir": "auto"}, words[:MOST_TEXT], cut)


def _said(by: str, story: Story, at: datetime, words: str, what: str = "") -> Element:
    head = el("p", {"class": "muted"}, dotted(el("bdi", None, by), story.clock.at(at), what))
    return el("div", {"class": "said"}, head, _words(words))


def _facts(rows: list[tuple[str, Node]]) -> Element:
    return el("dl", None, ([el("dt", None, name), el("dd", None, value)] for name, value in rows))


def _cells(*cells: Node) -> Element:
    return el("tr", None, (el("td", None, cell) for cell in cells))


def _table(rows: list[Element]) -> Node:
    return el("table", {"class": "list"}, el("tbody", None, rows)) if rows else None
