"""A ticket as `pco-queue show` paints it: section by section, each a list of painted lines."""

from contextlib import suppress
from datetime import timedelta

from pco.commands import commenting, purse
from pco.commands.queue import failure
from pco.commands.queue.change import NEXT
from pco.commands.queue.table import describe
from pco.commands.queue.terminal import coloured, indent, paint, when
from pco.ground import markup, text, times
from pco.ground.errors import PcoError
from pco.ground.ticket import Attempt, Comment, Cost, Noted, Round, State, Ticket
from pco.rules import budget, hearing, prompt, pushing
from pco.run import Pco

Lines = list[str]
BEFORE = (State.PENDING, State.APPROVED)


def portrait(pco: Pco, ticket: Ticket) -> str:
    """The whole of it, painted."""
    parts = [
        head(pco, ticket),
        target(pco, ticket),
        words(pco, ticket),
        result(pco, ticket),
        broken(pco, ticket) if ticket.state is State.FAILED else [],
        screen(pco, ticket) if ticket.state is State.ACTIVE else [],
        rounds(pco, ticket),
        remarks(pco, ticket),
        history(pco, ticket),
        following(ticket),
    ]
    return "\n\n".join("\n".join(lines) for lines in parts if lines) + "\n"


def head(pco: Pco, ticket: Ticket) -> Lines:
    """Title, state, origin."""
    remark = describe(pco, ticket)
    began = ticket.round.trigger
    lines = [f"{ticket.key}  {paint(ticket.title, 'title')}", ""]
    state = f"{paint(ticket.state, 'blocked' if hearing.waits(ticket) else ticket.state)}"
    lines.append(_field("state", f"{state} since {when(pco, ticket.entered())}"))
    moved = f" to {began.state.name}" if began.kind == "status" and began.state else ""
    lines.append(
        _field("round", text.line(f"{ticket.round.n}, begun by: {began.kind}{moved} {began.what}".strip(), 120))
    )
    what, since = hearing.doing(ticket)
    facts = {
        "agent": f"{text.line(what, 200)} since {when(pco, since)}" if since else text.line(what, 200),
        "remark": remark if not what or ticket.stop or ticket.unknown else "",
        "hold": _hold(pco, ticket),
        **_money(pco, ticket),
        "in Plane": text.line(ticket.plane_state.name, 60) if ticket.plane_state else "",
        "priority": text.line(ticket.priority, 20),
        "labels": text.line(", ".join(ticket.labels), 200),
        "address": text.line(ticket.url, 300),
        "created": when(pco, ticket.created_at) if ticket.created_at else "",
        "changed": when(pco, ticket.updated_at) if ticket.updated_at else "",
    }
    return lines + [_field(name, said) for name, said in facts.items() if said]


def target(pco: Pco, ticket: Ticket) -> Lines:
    """Where the agent would work, and the hash of all that it would get."""
    where = prompt.target(ticket, pco.config)
    if where is None:
        return [paint("Its project is not configured: it cannot be approved (see plane.projects).", "failed")]
    lines = [paint("Where the agent works" if ticket.state not in BEFORE else "Where the agent would work", "title")]
    lines.append(_field("repository", text.line(where.repository)))
    lines.append(_field("branch", f"{text.line(where.branch)}, work on pco/{ticket.key}"))
    lines.append(_field("agent", f"{text.line(where.agent)}, permission mode {text.line(where.permission_mode)}"))
    present = prompt.content_hash(ticket, where)
    lines.append(_field("hash", present))
    approval = ticket.round.approval
    if approval:
        same = "" if approval.hash == present else "; what would be given now is different"
        lines.append(_field("approved", f"by {text.line(approval.by, 64)}, {when(pco, approval.at)}{same}"))
    return lines


def words(pco: Pco, ticket: Ticket) -> Lines:
    """The ticket's own words, and the comments and the remark that go with it."""
    lines = [paint("Text", "title"), indent(ticket.description or "(no description)")]
    for comment in ticket.round.comments:
        lines += ["", _comment(pco, comment), indent(comment.text)]
    if ticket.round.remark:
        lines += ["", paint("Remark for the agent", "title"), indent(ticket.round.remark)]
    return lines


def result(pco: Pco, ticket: Ticket) -> Lines:
    """Summary, work and comment of the round."""
    current, lines = ticket.round, Lines()
    if current.summary:
        lines += [paint("Summary", "title"), indent(current.summary)]
    elif current.draft:
        lines += [paint("DRAFT: what the agent said last; it handed over no summary", "failed"), indent(current.draft)]
    if current.work:
        work = current.work
        lines += ["", paint(f"Work: {text.count(len(work.commits), 'commit')} on {work.branch}", "title")]
        lines += [f"  {text.line(c.id[:10], 10)} {text.line(c.subject, 100)}" for c in work.commits]
        lines += [indent(work.diffstat)] if work.diffstat.strip() else []
        pushed = pushing.told(work, pco.config.project(ticket.project), pco.now())
        lines += [_field("pushed", pushed)] if pushed else []
        fetched = work.fetched
        lines += [_field("fetched", f"by {text.line(fetched.by, 64)}, {when(pco, fetched.at)}")] if fetched else []
        lines += [_field("left behind", f"{work.uncommitted} uncommitted changes")] if work.uncommitted else []
        lines += [paint(f"  {work.problem}", "failed")] if work.problem else []
    if current.post:
        sent = current.post.posted_at or current.post.sending_since
        kind = "in Plane" if current.post.posted_at else "being sent"
        lines += ["", paint("Comment", "title"), f"  {kind} since {when(pco, sent)}" if sent else "  not sent yet"]
        lines += [paint(f"  {current.post.state.why}", "failed")] if current.post.state.why else []
        lines += [indent(markup.plain(current.post.body))]
    elif ticket.state is State.COMPLETED and (wrong := commenting.trouble(pco)):
        lines += ["", paint(f"It cannot be posted: {wrong}", "failed")]
    return lines[1:] if lines[:1] == [""] else lines


def broken(pco: Pco, ticket: Ticket) -> Lines:
    """What went wrong, what can be done, and the last screen."""
    lines = [paint("What went wrong", "failed")]
    lines += [f"  {text.line(ticket.history[-1].why, 300)}"] if ticket.history and ticket.history[-1].why else []
    posting = failure.unposted(ticket)
    lines += [f"  {failure.meaning(ticket.attempt)}"] if ticket.attempt and not posting else []
    lines.append(f"  To do: {failure.remedy(ticket)}")
    if ticket.round.draft and not ticket.round.summary:
        lines.append(f"  Or take the draft: pco-queue post {ticket.key} shows it and asks, --edit changes it first")
    return lines if posting else [*lines, "", *screen(pco, ticket)]


def screen(pco: Pco, ticket: Ticket) -> Lines:
    """What its terminal showed last; of one that runs it is some seconds old."""
    drawn = failure.screen(pco, ticket, coloured(pco))
    # An agent that draws on the whole of it leaves much of that empty.
    lines = [line for line, before in zip(drawn.split("\n"), ["", *drawn.split("\n")], strict=False) if line or before]
    return [paint("The last screen", "title"), *(f"  | {line}" for line in lines)] if drawn.strip() else []


def rounds(pco: Pco, ticket: Ticket) -> Lines:
    """Every attempt of every round."""
    lines = [line for one in ticket.rounds for line in _round(pco, one)]
    return [paint("Sessions", "title"), *lines] if lines else []


def remarks(pco: Pco, ticket: Ticket) -> Lines:
    """Notes of people here, and events in Plane that are not dealt with yet, or were handed to the running agent."""
    lines = Lines()
    for note in ticket.notes:
        lines += [f"  {text.line(note.by, 64)}, {when(pco, note.at)}:", indent(note.text, "    ")]
    for event in ticket.noted:
        if event.given and not (event.forward and event.given == ticket.round.n):
            continue
        what = event.comment.text if event.comment else event.what
        by = event.comment.by if event.comment else event.by
        handed = f"; {said}" if (said := _handed(pco, ticket, event)) else ""
        lines += [f"  {event.kind}{f' by {text.line(by, 64)}' if by else ''}, {when(pco, event.at)}{handed}"]
        lines += [indent(what, "    ")] if what else []
    return [paint("Notes, and what happened meanwhile", "title"), *lines] if lines else []


def following(ticket: Ticket) -> Lines:
    """What a person may type next."""
    fresh = len(ticket.unknown)
    if ticket.state is not State.ACTIVE or not fresh or ticket.round.summary or ticket.stop:
        return [f"Next: {NEXT[ticket.state].format(key=ticket.key)}"]
    hands = f"pco-queue forward {ticket.key} hands {text.count(fresh, 'comment')} to its agent"
    return [f"Next: {hands}; {NEXT[ticket.state].format(key=ticket.key)}"]


def _handed(pco: Pco, ticket: Ticket, event: Noted) -> str:
    """Whether the running agent, or that of the round that is over, knows of it."""
    forward = event.forward
    if forward:
        by = f"forwarded by {text.line(forward.by, 64)} {times.ago(forward.at, pco.now())}"
        return f"{by}, {'and taken by the agent' if event.given else 'not taken yet'}"
    return "its agent does not know it" if event.kind == "comment" and ticket.state is State.ACTIVE else ""


def history(pco: Pco, ticket: Ticket) -> Lines:
    """The moves."""
    lines = [
        f"  {when(pco, entry.at)}  {entry.from_ or 'new'} -> {entry.to} by {text.line(entry.by, 64)}"
        + (f": {text.line(entry.why, 200)}" if entry.why else "")
        for entry in ticket.history
    ]
    return [paint("History", "title"), *lines] if lines else []


def _round(pco: Pco, one: Round) -> Lines:
    lines = Lines()
    for attempt in one.attempts:
        lines.append(f"  {one.n}.{attempt.n}  {_attempt(pco, attempt)}")
        told = {
            "begun afresh": text.line(attempt.afresh, 200),
            "used": budget.bill(attempt.cost),
            "conversation": text.line(attempt.agent_session, 64),
            "transcript": text.line(attempt.transcript, 400),
        }
        lines += [f"       {name}: {said}" for name, said in told.items() if said]
    costs, waited = [attempt.cost for attempt in one.attempts if attempt.cost != Cost()], one.waited(pco.now())
    if len(costs) > 1:
        lines.append(f"  round {one.n} used {budget.bill(one.cost)}")
    if waited:
        lines.append(
            f"  round {one.n} waited {times.rough(waited)} for a person, {text.count(len(one.blocked), 'time')}"
        )
    return lines


def _attempt(pco: Pco, attempt: Attempt) -> str:
    if attempt.end is None:
        return f"running since {when(pco, attempt.start)}"
    lasted = times.rough(attempt.end - attempt.start)
    return f"{text.line(attempt.outcome, 40)} after {lasted}, {when(pco, attempt.end)}: {failure.meaning(attempt)}"


def _comment(pco: Pco, comment: Comment) -> str:
    return paint(f"Comment by {text.line(comment.by, 64)}, {when(pco, comment.at)}", "title")


def _money(pco: Pco, ticket: Ticket) -> dict[str, str]:
    """What it has cost, what keeps it back, and how long its agents waited for a person."""
    limits = purse.filled(pco.config, 0.0, pco.now())
    with suppress(PcoError):  # of the day; only what it says is missing then
        limits = purse.read(pco)
    why = budget.obstacle(ticket, limits) or budget.circling(ticket, limits)
    released = f", released by {text.line(ticket.released.by, 64)}" if ticket.released else ""
    waited = sum((round.waited(pco.now()) for round in ticket.rounds), timedelta(0))
    return {
        "money": f"{budget.told(ticket, limits)}{released}" if ticket.cost else "",
        "waits": why if ticket.state is State.APPROVED else "",
        "waited": f"{times.rough(waited)} for a person" if waited else "",
    }


def _hold(pco: Pco, ticket: Ticket) -> str:
    hold = ticket.hold
    if hold is None:
        return ""
    until = f"until {when(pco, hold.until)}" if hold.until else "until released"
    return text.line(f"{until} (by {hold.by}{': ' + hold.why if hold.why else ''})", 200)


def _field(name: str, painted: str) -> str:
    return f"  {name:<11} {painted}"
