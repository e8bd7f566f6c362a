"""review: what waits for a person, one ticket after the other.  The spool is not locked while it asks."""

from collections.abc import Callable
from typing import Any

import click

from pco.commands.queue import terminal, verb
from pco.commands.queue.approval import approve_one, current_hash, reject_one
from pco.commands.queue.change import Refused, Told, change, each, read, since
from pco.commands.queue.portrait import portrait
from pco.commands.queue.results import post_one
from pco.commands.queue.rework import retry_one, rework_one
from pco.commands.queue.select import filters, ordered, readable
from pco.commands.queue.work import changes
from pco.ground.frozen import dataclass
from pco.ground.ticket import State, Ticket
from pco.rules import pushing
from pco.run import Pco

WAITING = (State.PENDING, State.COMPLETED, State.FAILED)


@dataclass(frozen=True)
class Answer:
    """One thing a person can say; `verb` is what it is called elsewhere, empty for what changes nothing."""

    key: str
    word: str
    help: str
    verb: str = ""


APPROVE = Answer("a", "approve", "let the agent work on it, just as shown", "approve")
POST = Answer("p", "post", "accept the summary; the comment is shown first", "post")
EDIT = Answer("e", "edit", "accept it after changing the summary in your editor", "post")
REWORK = Answer("w", "rework", "send it back to the agent with a remark", "rework")
RETRY = Answer("t", "retry", "another round, as it is now", "retry")
REJECT = Answer("r", "reject", "turn it away", "reject")
NOTE = Answer("n", "note", "leave a note on it", "note")
DIFF = Answer("d", "diff", "show what was changed in the repository")
SKIP = Answer("s", "skip", "leave it as it is, go on")
QUIT = Answer("q", "quit", "leave this and all others as they are")
COMMON = (NOTE, DIFF, SKIP, QUIT)
ANSWERS = {
    State.PENDING: (APPROVE, REJECT, *COMMON),
    State.COMPLETED: (POST, EDIT, REWORK, REJECT, *COMMON),
    State.FAILED: (RETRY, POST, EDIT, REJECT, *COMMON),
}


@verb.verb
@verb.filters(tuple(WAITING))
def review(pco: Pco, states: tuple[str, ...], **wanted: Any) -> None:
    """Walk through what waits for a person, one by one.

    For each ticket one letter decides; ? explains them.  What others decide meanwhile is noticed.

    \b
    Examples:
      pco-queue review
      pco-queue review --project WEB --state completed
    """
    if not terminal.asks():
        raise click.UsageError("review asks questions, and nobody is there to answer (see approve, post, reject).")
    narrow = filters(pco, **wanted)
    where = tuple(State(name) for name in states) or WAITING
    tickets = ordered([ticket for ticket in readable(pco, *where) if narrow.match(ticket)])
    if not tickets:
        pco.say("Nothing waits for you.")
    for n, ticket in enumerate(tickets, 1):
        if not attend(pco, ticket.key, f"{n}/{len(tickets)}"):
            break


def attend(pco: Pco, key: str, place: str) -> bool:
    """Show one ticket and do what the person says, until it is decided or skipped; False to quit."""
    shown = _look(pco, key)
    if shown is None:
        return True
    terminal.page(pco, portrait(pco, shown))
    while True:
        answer = ask(shown, place)
        if answer in (SKIP, QUIT):
            return answer is SKIP
        if answer is DIFF:
            each(pco, [key], lambda key: terminal.page(pco, changes(pco, read(pco, key))))
            continue
        now = _look(pco, key, shown)
        if now is None:
            return True
        if _seen(now) != _seen(shown):
            terminal.echo(pco, f"\n{key} changed while you looked at it. This is what it is now:\n")
            terminal.page(pco, portrait(pco, now))
            shown = now
            continue
        _act(pco, answer, shown)
        if answer is not NOTE and pco.spool.find(key) is not shown.state:
            return True


def ask(shown: Ticket, place: str) -> Answer:
    """One letter, or the word, of what fits the ticket."""
    current = shown.round
    idle = {DIFF} if not any(r.work and r.work.tip for r in shown.rounds) else set()
    idle |= set() if current.summary or current.draft else {POST}
    fitting = [a for a in ANSWERS[shown.state] if a not in idle]
    letters = ",".join([*(a.key for a in fitting), "?"])
    words = ", ".join(a.word for a in fitting)
    while True:
        said = click.prompt(
            f"\n({place}) {shown.key}: {words} [{letters}]", prompt_suffix="? ", default="?", show_default=False
        )
        chosen = next((a for a in fitting if said.strip().lower() in (a.key, a.word)), None)
        if chosen:
            return chosen
        for a in fitting:
            click.echo(f"  {a.key}  {a.word:<8} {a.help}")


def _act(pco: Pco, answer: Answer, shown: Ticket) -> None:
    """Do it, as the verb of that name would."""
    why = _words(answer)
    acts: dict[Answer, Callable[[str], None]] = {
        APPROVE: lambda key: approve_one(pco, key, current_hash(pco, shown)),
        POST: lambda key: post_one(pco, key, None, False, False),
        EDIT: lambda key: post_one(pco, key, None, True, False),
        REWORK: lambda key: rework_one(pco, key, why, shown),
        RETRY: lambda key: retry_one(pco, key, "", shown),
        REJECT: lambda key: reject_one(pco, key, why),
        NOTE: lambda key: change(pco, key, lambda t: (t, None), note=why, told=Told("note", "noted", {"text": why})),
    }
    if answer in (REWORK, NOTE) and not why.strip():
        click.echo("Nothing was said: nothing is done.")
        return
    pco.verb = answer.verb
    pco.spool.program = f"{pco.program} {answer.verb}".strip()  # what may be moved hangs on the verb
    each(pco, [shown.key], acts[answer])


def _words(answer: Answer) -> str:
    asked = {REWORK: "What shall be different", REJECT: "Why (may be empty)", NOTE: "Note"}.get(answer)
    return str(click.prompt(asked, default="", show_default=False)) if asked else ""


def _look(pco: Pco, key: str, shown: Ticket | None = None) -> Ticket | None:
    """The ticket now; None, and a line that says why, if it no longer waits here."""
    found: list[Ticket] = []

    def look(key: str) -> None:
        ticket = read(pco, key)
        if ticket.state not in ANSWERS or (shown and ticket.state is not shown.state):
            raise Refused(f"waits no more: it is {since(pco, ticket)}")
        found.append(ticket)

    before = pco.trouble
    each(pco, [key], look)
    pco.trouble = before  # somebody else decided it: that is no failure of this run
    return found[0] if found else None


def _seen(ticket: Ticket) -> tuple[object, ...]:
    """All of a ticket that a decision hangs on."""
    current = ticket.round
    words = (ticket.title, ticket.description, current.comments, current.remark, ticket.noted, ticket.gone)
    return (current.n, words, current.summary, current.draft, pushing.as_posted(current.work))
