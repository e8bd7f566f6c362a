"""post and recall: a person accepts a summary, and may take that back as long as nothing was sent."""

from dataclasses import replace

import click

from pco.commands.queue import terminal, verb
from pco.commands.queue.change import NEXT, Refused, Told, already, change, each, expect, read
from pco.commands.queue.select import Chosen, bulk
from pco.ground import markup, text
from pco.ground.frozen import dataclass
from pco.ground.ticket import Post, State, StateChange, Ticket
from pco.rules import pushing, secrets
from pco.run import Pco

ACCEPTED = (State.COMPLETED, State.FAILED)
LAST_WORDS = "what the agent said last; it handed over no summary"


@dataclass(frozen=True)
class Draft:
    """What the person saw, and what will be sent: the ticket then, the summary, and the HTML made of it.

    `unread`: the summary is what the agent said last, and nobody has taken it for one yet.
    """

    seen: Ticket
    summary: str
    body: str
    unread: bool = False


@verb.verb
@bulk(*ACCEPTED, asks_itself=True)
@verb.note
@click.option("--edit", "editing", is_flag=True, help="Change the summary in $VISUAL or $EDITOR first.")
@click.option("--summary", metavar="TEXT|-", default=None, help="Send this in place of the summary.")
@click.option("--despite-secrets", is_flag=True, help="With --yes: what looks like a secret in it is none.")
@click.option(
    "--draft", "drafts", is_flag=True, help="With --yes: take the agent's last words where it has no summary."
)
def post(
    pco: Pco,
    chosen: Chosen,
    yes: bool,
    note: str,
    editing: bool,
    summary: str | None,
    drafts: bool,
    despite_secrets: bool,
) -> None:
    """Accept a summary: it becomes the comment in Plane.

    Shows the comment just as it will be sent, and asks.  pco-post sends it; until then `recall` takes it back.
    A failed ticket may be posted too, with words of your own, or with the last words of its agent: a draft, shown as
    such, that becomes the summary when you take it.  --yes alone never takes one.

    What looks like a password, a token or a key in the comment is named, and asked about once more; --yes refuses it.
    Who posts it all the same is audited, with the kinds of secrets, never the secret.

    \b
    Examples:
      pco-queue post WEB-12
      pco-queue post WEB-12 --edit
      pco-queue post WEB-13 --draft --yes
      echo "Done by hand." | pco-queue post WEB-12 --yes --summary -
      pco-queue post --all --project WEB --yes
    """
    if summary is not None and len(chosen) != 1:
        raise click.UsageError("--summary takes one ticket.")
    if not yes and chosen and not terminal.asks():
        raise click.UsageError("Nobody is there to confirm the comment (add --yes).")
    words = terminal.given(summary) if summary is not None else None
    each(pco, chosen, lambda key: post_one(pco, key, words, editing, yes, note, drafts, despite_secrets))


def post_one(
    pco: Pco,
    key: str,
    words: str | None,
    editing: bool,
    yes: bool,
    note: str = "",
    drafts: bool = False,
    despite: bool = False,
) -> None:
    """Show one comment, ask, and put the ticket into the outbox.  Raises Refused, Done, Abort."""
    draft = drafted(pco, key, words, editing)
    while True:
        if yes and draft.unread and not drafts:
            hint = f"read them: pco-queue show {key}; then pco-queue post {key} --draft --yes, or --edit"
            raise Refused("has no summary, only a draft, the last words of its agent: --yes does not take it", hint)
        if yes and (found := leaks(draft)) and not despite:
            hint = f"pco-queue post {key} --edit takes it out; or --yes --despite-secrets, if it is none"
            raise Refused(f"looks as if it held {found}: --yes does not take it", hint)
        if not yes:
            shown(pco, draft)
            asked = "take these last words of its agent for the summary, and post them" if draft.unread else "post this"
            if not click.confirm(f"{key}: {asked}{'' if draft.unread else ' comment'}?", err=True):
                kept = f"; your words are in {terminal.keep(own)}" if (own := _own(draft)) else ""
                pco.say(f"{key}: stays {draft.seen.state}{kept}")
                return
            if (found := leaks(draft)) and not click.confirm(
                f"{key}: it looks as if it held {found}. Post it all the same?", err=True
            ):
                pco.say(f"{key}: stays {draft.seen.state} (pco-queue post {key} --edit takes it out)")
                return
        try:
            accept(pco, draft, note)
            return
        except Changed:
            # Somebody or something was faster: the person decides about what is there now.
            draft = drafted(pco, key, words if words is not None else _own(draft), False)
            if yes:
                continue
            click.echo(f"{key} changed meanwhile; this is the comment now:", err=True)


class Changed(Exception):
    """The ticket is no longer what the person saw."""


def drafted(pco: Pco, key: str, words: str | None, editing: bool) -> Draft:
    """The comment as it would be sent.  Raises Refused if there is none, or it must not be sent."""
    from pco.commands import commenting

    ticket = read(pco, key)
    acceptable(pco, ticket)
    known = _known(ticket)
    summary = words if words is not None else known
    if editing:
        summary = terminal.edit(summary)
    summary = text.lines(summary).strip()
    sent = ticket.round.post
    if sent and sent.sending_since:
        if summary != ticket.round.summary:
            hint = f"pco-queue post {key} sends the same again; or reject, or retry for a new round"
            raise Refused("its comment was sent once already and cannot change", hint)
        return Draft(ticket, summary, sent.body)
    if not summary:
        raise Refused("there is no summary to post", f"pco-queue post {key} --edit, or --summary TEXT")
    unread = words is None and not ticket.round.summary and summary == known
    return Draft(ticket, summary, commenting.body(pco, ticket, summary, pco.who), unread)


def _known(ticket: Ticket) -> str:
    """What there is to post: the summary, else the draft."""
    return text.lines(ticket.round.summary or ticket.round.draft).strip()


def acceptable(pco: Pco, ticket: Ticket) -> None:
    """Raise Refused or Done unless the ticket may go to the outbox."""
    already(pco, ticket, State.OUTBOX)
    already(pco, ticket, State.POSTED)
    expect(pco, ticket, "posted", *ACCEPTED)
    if ticket.gone:
        hint = f"pco-queue reject {ticket.key}; or restore the item in Plane, poll, and post then"
        raise Refused("cannot be posted: it is gone from Plane", hint)


def shown(pco: Pco, draft: Draft) -> None:
    """Print the comment: as it reads, then the HTML to the letter."""
    where = "a local ticket: nothing is sent" if draft.seen.local else draft.seen.url or "Plane"
    terminal.echo(pco, f"{draft.seen.key}  {terminal.paint(draft.seen.title, 'title')}")
    if draft.unread:
        terminal.echo(pco, f"\n{terminal.paint(f'DRAFT: {LAST_WORDS}', 'failed')}")
    terminal.echo(pco, f"\nThe comment, for {text.line(where, 200)}:\n{terminal.indent(markup.plain(draft.body))}")
    if found := leaks(draft):
        terminal.echo(pco, terminal.paint(f"LOOK: this looks as if it held {found}.\n", "failed"))
    terminal.echo(pco, f"\nIts HTML:\n{terminal.indent(draft.body)}\n")


def leaks(draft: Draft) -> str:
    """What looks like a secret in the comment, in words that do not repeat it; empty if nothing does."""
    plain = markup.plain(draft.body)
    kinds = dict.fromkeys(leak.kind for leak in secrets.leaks(plain))
    return " and ".join(kinds)


def accept(pco: Pco, draft: Draft, note: str = "") -> None:
    """Freeze the comment in the record and move the ticket.  Raises Changed, Refused, Done."""
    from pco.rules import comment

    def judge(ticket: Ticket) -> tuple[Ticket, State]:
        acceptable(pco, ticket)
        if _answer(ticket) != _answer(draft.seen):
            raise Changed
        frozen = Post(draft.body, comment.external_id(ticket), state=StateChange())
        old = ticket.round.post
        by = ticket.round.summary_by if draft.summary == ticket.round.summary else pco.who
        kept = replace(old, state=StateChange()) if old and old.sending_since else frozen
        return ticket.with_round(summary=draft.summary, summary_by=by, post=kept), State.OUTBOX

    behind = later(pco, draft.seen)
    why, told = "", None
    if found := leaks(draft):
        why = f"although it looks as if it held {found}"
        told = Told("moved", why, {"despite": found})
    change(pco, draft.seen.key, judge, note=note, why=why, wake="post", told=told)
    if behind:
        pco.log("warning", behind, draft.seen.key)


def later(pco: Pco, ticket: Ticket) -> str:
    """What the comment does not say, as the branch is not pushed yet; pco-push is asked to go on trying."""
    branch = pushing.branch(ticket, pco.config.project(ticket.project))
    if branch is None or (branch.pushed and branch.pushed.outcome == pushing.DONE):
        return ""
    why = f" ({branch.pushed.why})" if branch.pushed else ""
    if branch.pushed and branch.pushed.outcome == pushing.REFUSED:
        return f"{branch.name} is not pushed{why}: the comment does not say where it is"
    # Of the tickets in completed pco-push knows by itself; this one is about to leave.
    pco.spool.control.ask_push(ticket.key, pco.who, pco.now())
    pco.spool.control.wake("push")
    return f"{branch.name} is not pushed yet{why}: the comment does not say where it is; pco-push goes on trying"


def _answer(ticket: Ticket) -> tuple[object, ...]:
    """All that the comment depends on."""
    current = ticket.round
    return (ticket.state, current.n, current.summary, current.draft, pushing.as_posted(current.work), current.post)


def _own(draft: Draft) -> str | None:
    """Words of the person's own, which are kept whatever happened to the ticket."""
    return draft.summary if draft.summary not in (draft.seen.round.summary, _known(draft.seen)) else None


@verb.verb
@bulk(State.OUTBOX)
@verb.note
def recall(pco: Pco, chosen: Chosen, note: str) -> None:
    """Take an accepted summary back, as long as nothing was sent.

    \b
    Examples:
      pco-queue recall WEB-12
      pco-queue recall --all --mine
    """

    def judge(ticket: Ticket) -> tuple[Ticket, State]:
        already(pco, ticket, State.COMPLETED)
        expect(pco, ticket, "recalled", State.OUTBOX)
        if ticket.round.post and ticket.round.post.sending_since:
            hint = NEXT[State.POSTED].format(key=ticket.key)
            raise Refused("cannot be recalled: pco-post has begun to send it", hint)
        return ticket.with_round(post=None), State.COMPLETED

    each(pco, chosen, lambda key: change(pco, key, judge, note=note))
