"""forward: comments for a running agent.  pco-watch lays them into the attempt's folder, its hook takes them."""

from dataclasses import replace
from itertools import count

import click

from pco.commands.queue import verb
from pco.commands.queue.change import Done, Refused, Told, change, each, expect, read
from pco.commands.queue.select import Chosen, bulk
from pco.ground import attempt, durable, events, text, times
from pco.ground.errors import BadData
from pco.ground.ticket import Comment, Forward, Noted, State, Ticket
from pco.outside import agents
from pco.rules import hearing
from pco.rules.prompt import is_note
from pco.run import Pco


@verb.verb
@bulk(State.ACTIVE)
@click.option("--note", metavar="WORDS", default="", help="Words of your own, handed over after the comments.")
def forward(pco: Pco, chosen: Chosen, note: str) -> None:
    """Hand comments that came meanwhile to the running agent.

    It gets them at the end of its turn, and goes on with them.  If its session ends before that, nothing is lost: what
    it did not take goes into the next prompt, and a comment brings the posted ticket back.

    \b
    Examples:
      pco-queue forward WEB-12
      pco-queue forward WEB-12 --note "Leave the old API as it is."
      pco-queue forward --all --project WEB
    """
    each(pco, chosen, lambda key: forward_one(pco, key, note.strip()))
    events.ring(str(pco.config.paths.trigger))


def forward_one(pco: Pco, key: str, note: str = "") -> None:
    """Note in the record that the agent shall get what it does not know yet.  Raises Refused, Done."""
    ticket = read(pco, key)
    expect(pco, ticket, "forwarded to", State.ACTIVE)
    takes(pco, ticket)

    def judge(ticket: Ticket) -> tuple[Ticket, None]:
        expect(pco, ticket, "forwarded to", State.ACTIVE)
        open_to(ticket)
        wished = wish(ticket, pco, note)
        if wished == ticket:
            raise Done(_nothing(pco, ticket))
        return wished, None

    change(pco, key, judge, told=_told)


def takes(pco: Pco, ticket: Ticket) -> None:
    """Raise Refused unless the agent that runs has hooks: only so can anything be handed to it."""
    name = pco.config.agent
    if ticket.attempt:
        home = attempt.folder(pco.config.paths.sessions, ticket.key, ticket.round.n, ticket.attempt.n)
        try:
            # pco-launch may not have come so far, or its folder may be gone.
            name = attempt.read_launch(home).agent if durable.there(home / "launch.json") else name
        except BadData:
            pass  # it says nothing: what is configured must do, as where there is none
    if not agents.named(name).TELLS:
        hint = f"pco-queue attach {ticket.key}; or wait: the comments go into the next round"
        raise Refused(f"cannot be forwarded to: its agent ({name}) has no hooks that could take it", hint)


def open_to(ticket: Ticket) -> None:
    """Raise Refused if the session is over but for its end."""
    if ticket.round.summary:
        hint = f'once it is completed: pco-queue rework {ticket.key} "REMARK"'
        raise Refused("cannot be forwarded to: its agent has handed over its summary", hint)
    if ticket.stop:
        hint = "what came meanwhile stays noted, and goes into the next round"
        raise Refused(f"cannot be forwarded to: {ticket.stop.by} asked that its session ends", hint)


def wish(ticket: Ticket, pco: Pco, note: str) -> Ticket:
    """The record in which all comments that the agent has not got are to be handed to it, and the note after them."""
    now, who = pco.now(), pco.who
    numbers = count(1 + max((event.forward.n for event in ticket.noted if event.forward), default=0))
    unknown = ticket.unknown
    noted = [replace(e, forward=Forward(next(numbers), who, now)) if e in unknown else e for e in ticket.noted]
    if note:
        n = next(numbers)
        words = Comment(f"note-{ticket.round.n}-{n}", now, who, text.lines(note))
        noted.append(Noted(now, "note", who, f"a note by {who}", comment=words, forward=Forward(n, who, now)))
    return replace(ticket, noted=tuple(noted))


def _told(before: Ticket, after: Ticket) -> Told:
    """How many, and when the agent gets them."""
    fresh = [event for event in after.forwarded if event not in before.noted]
    comments = sum(not (event.comment and is_note(event.comment)) for event in fresh)
    parts = [text.count(comments, "comment")] if comments else []
    parts += ["your note"] if len(fresh) > comments else []
    numbers = ",".join(str(event.forward.n) for event in fresh if event.forward)
    return Told("forwarded", f"forwarded {' and '.join(parts)}; {moment(after)}", {"numbers": numbers})


def moment(ticket: Ticket) -> str:
    """When the agent will get what is forwarded now."""
    attach = f"pco-queue attach {ticket.key}"
    if ticket.blocked:
        return f"the agent gets it at the end of its turn, but waits for an answer first ({attach})"
    if ticket.attempt and hearing.at_rest(ticket.attempt.doing):
        return (
            "the agent has ended its turn already, so it gets it only at the end of its next one: "
            f"speak to it ({attach})"
        )
    return "the agent gets it at the end of its turn"


def _nothing(pco: Pco, ticket: Ticket) -> str:
    waiting = ticket.forwarded
    last = waiting[-1].forward if waiting else None
    if last:
        return f"was forwarded by {last.by} {times.ago(last.at, pco.now())}; {moment(ticket)}"
    return "no comment came that its agent does not know: nothing to forward"
