"""approve, unapprove, reject: the word of a person before, and against, a session."""

from dataclasses import replace

import click

from pco.commands.queue import verb
from pco.commands.queue.change import Done, Refused, already, change, each, expect
from pco.commands.queue.select import Chosen, bulk
from pco.ground import times
from pco.ground.ticket import Approval, State, Ticket
from pco.rules import prompt
from pco.run import Pco


@verb.verb
@bulk(State.PENDING)
@verb.note
@click.option("--if-hash", metavar="HEX", default="", help="Only if the content has this hash (8 or more digits).")
def approve(pco: Pco, chosen: Chosen, note: str, if_hash: str) -> None:
    """Let the agent work on tickets, just as they are now.

    The approval is bound to the content and the target that `pco-queue show` prints.  If either changes afterwards,
    the ticket comes back.

    \b
    Examples:
      pco-queue approve WEB-12 WEB-13
      pco-queue approve WEB-12 --if-hash 3f9a1c77
      pco-queue approve --all --project WEB --label bug
      pco-queue list --priority urgent --state pending --format keys | pco-queue approve -
    """
    if if_hash and (len(if_hash) < 8 or len(chosen) != 1 or set(if_hash.lower()) - set("0123456789abcdef")):
        raise click.UsageError("--if-hash takes one ticket and 8 or more hexadecimal digits.")
    each(pco, chosen, lambda key: approve_one(pco, key, if_hash.lower() or _seen(pco, chosen[key]), note))


def approve_one(pco: Pco, key: str, expected: str = "", note: str = "") -> None:
    """Approve one ticket; its hash must begin with `expected`.  Raises Refused, Done."""

    def judge(ticket: Ticket) -> tuple[Ticket, State]:
        if ticket.state in (State.APPROVED, State.ACTIVE) and ticket.round.approval:
            approval = ticket.round.approval
            raise Done(f"already approved by {approval.by} {times.ago(approval.at, pco.now())}")
        expect(pco, ticket, "approved", State.PENDING)
        return bound(pco, ticket, expected), State.APPROVED

    change(pco, key, judge, note=note, wake="launch")


def bound(pco: Pco, ticket: Ticket, expected: str = "") -> Ticket:
    """The ticket with this person's approval of what the agent would get now.  Raises Refused."""
    present = current_hash(pco, ticket)
    if not present.startswith(expected):
        hint = f"look again: pco-queue show {ticket.key}"
        raise Refused(f"changed meanwhile: its hash is {present[:12]} now, not {expected[:12]}", hint)
    return ticket.with_round(approval=Approval(pco.who, pco.now(), present))


def current_hash(pco: Pco, ticket: Ticket) -> str:
    """The hash that an approval would be bound to now.  Raises Refused if the ticket cannot be approved at all."""
    if ticket.gone:
        hint = f"pco-queue reject {ticket.key}, or restore the item in Plane and poll"
        raise Refused("cannot be approved: it is gone from Plane", hint)
    where = prompt.target(ticket, pco.config)
    if where is None:
        raise Refused("cannot be approved: its project is not configured", "see plane.projects in the configuration")
    return prompt.content_hash(ticket, where)


def _seen(pco: Pco, listed: Ticket | None) -> str:
    """The hash of what --all showed; a ticket named by its key is taken as it is."""
    where = prompt.target(listed, pco.config) if listed else None
    return prompt.content_hash(listed, where) if listed and where else ""


@verb.verb
@bulk(State.APPROVED)
@verb.note
def unapprove(pco: Pco, chosen: Chosen, note: str) -> None:
    """Take an approval back, as long as no session runs.

    \b
    Examples:
      pco-queue unapprove WEB-12
      pco-queue unapprove --all --mine
    """

    def judge(ticket: Ticket) -> tuple[Ticket, State]:
        already(pco, ticket, State.PENDING)
        expect(pco, ticket, "unapproved", State.APPROVED)
        return ticket.with_round(approval=None), State.PENDING

    each(pco, chosen, lambda key: change(pco, key, judge, note=note))


@verb.verb
@bulk(State.PENDING, State.APPROVED, State.COMPLETED, State.FAILED)
@verb.note
def reject(pco: Pco, chosen: Chosen, note: str) -> None:
    """Turn tickets away.

    Nothing is written to Plane.  A new comment or a new state there brings the ticket back.

    \b
    Examples:
      pco-queue reject WEB-12 --note "duplicate of WEB-3"
      pco-queue reject --all --state failed --project WEB
    """
    each(pco, chosen, lambda key: reject_one(pco, key, note))


def reject_one(pco: Pco, key: str, note: str = "") -> None:
    """Reject one ticket.  Raises Refused, Done."""

    def judge(ticket: Ticket) -> tuple[Ticket, State]:
        already(pco, ticket, State.REJECTED)
        expect(pco, ticket, "rejected", State.PENDING, State.APPROVED, State.COMPLETED, State.FAILED)
        return replace(ticket, hold=None), State.REJECTED

    change(pco, key, judge, note=note)
