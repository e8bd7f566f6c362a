"""What came of a ticket's session: the comment, the work that it left, or why there is none."""

from pco.ground.ticket import Round, State, Work
from pco.pages.frame import dotted, several
from pco.pages.html import Node, el
from pco.pages.pieces import MOST_LISTED, MOST_TEXT, drawn, folded, words
from pco.pages.snapshot import Story


def outcome(round: Round, proposed: str) -> tuple[str, Node]:
    """The exact comment of a round, as it was or will be sent, or as it would be; before there is one, the summary.

    Where there is none of both, the last words of the agent, which nobody has taken for a summary.
    """
    post = round.post
    title, body = ("Comment", post.body) if post else ("Comment, as it would be posted", proposed)
    if post and post.posted_at:
        title = "Comment, as posted"
    if not body and not round.summary and round.draft:
        return "Draft: what the agent said last; it handed over no summary", words(round.draft)
    if not body:
        return "Summary", _summary(round)
    from pco.ground import markup  # few pages get here, and its parser is slow to load

    told = folded("Show the summary that it was made of", _summary(round))
    return title, [words(markup.plain(body[:MOST_TEXT])), told, folded("Show its HTML", words(body, "code"))]


def _summary(round: Round) -> Node:
    if not round.summary:
        return None
    by = el("p", {"class": "by"}, "by ", el("bdi", None, round.summary_by)) if round.summary_by else None
    return [by, words(round.summary)]


def failure(story: Story) -> Node:
    """Why it failed, what can be done; and what Plane refused."""
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


def work(round: Round) -> Node:
    """Commits, branch and diff stat that the last session of a round left, and whether they were pushed."""
    left = round.work
    if left is None:
        return None
    commits = [
        el("li", None, el("code", None, c.id[:10]), " ", el("bdi", None, c.subject)) for c in left.commits[:MOST_LISTED]
    ]
    more = len(left.commits) - len(commits)
    rest = several(left.uncommitted, "uncommitted change") + " left behind" if left.uncommitted else None
    branch = el("code", None, left.branch or "no branch")
    return [
        el("p", None, dotted(several(len(left.commits), "commit"), branch, rest)),
        el("p", {"class": "flag bad"}, left.problem) if left.problem else None,
        el("ul", {"class": "commits"}, commits) if commits else None,
        el("p", {"class": "muted"}, f"and {several(more, 'more commit')}") if more else None,
        drawn(f"Diff stat of round {round.n}", left.diffstat) if left.diffstat else None,
        _pushed(left),
        el("p", None, "Fetched by ", el("bdi", None, left.fetched.by)) if left.fetched else None,
    ]


def _pushed(work: Work) -> Node:
    known = work.pushed
    if known is None:
        return None
    if known.outcome == "done":
        return el("p", None, "Pushed to ", el("bdi", None, known.url))
    refused = known.outcome == "refused"
    return el("p", {"class": "flag bad"}, f"{'Its push was refused' if refused else 'Not pushed yet'}: {known.why}")
