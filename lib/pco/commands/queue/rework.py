"""rework, retry, reopen: another round, on a person's word."""

import click

from pco.commands.queue import verb
from pco.commands.queue.approval import bound, current_hash
from pco.commands.queue.change import Refused, already, change, each, expect
from pco.commands.queue.select import Chosen, bulk
from pco.ground.ticket import State, Ticket
from pco.rules.rounds import following
from pco.run import Pco


@verb.verb
@bulk(State.COMPLETED, worded=True)
@click.option("--note", metavar="REMARK", default=None, help="The remark, where it is not the last word.")
def rework(pco: Pco, chosen: Chosen, note: str | None) -> None:
    """Send a result back to the agent with a remark: a new round.

    REMARK says what is to be done differently; the agent gets it, in the same conversation if that can go on.  The
    approval is bound anew, to the content with the remark and with all comments that came meanwhile.

    \b
    Examples:
      pco-queue rework WEB-12 "The tests are missing."
      pco-queue rework --all --label docs --note "Keep lines below 80 columns."
    """
    if not (note or "").strip():
        raise click.UsageError('Say what is to be done differently: pco-queue rework WEB-12 "The tests are missing."')
    assert note
    each(pco, chosen, lambda key: rework_one(pco, key, note))


def rework_one(pco: Pco, key: str, remark: str, shown: Ticket | None = None) -> None:
    """Send one result back; with `shown` only if the agent would get what was shown.  Raises Refused."""

    def judge(ticket: Ticket) -> tuple[Ticket, State]:
        expect(pco, ticket, "sent back", State.COMPLETED)
        return _anew(pco, "rework", remark.strip(), ticket, shown), State.APPROVED

    change(pco, key, judge, note=remark, wake="launch")


@verb.verb
@bulk(State.FAILED)
@verb.note
def retry(pco: Pco, chosen: Chosen, note: str) -> None:
    """Give a failed ticket another round, approved as it is now.

    Attempts are counted from nothing again; comments that came meanwhile go into the prompt.

    \b
    Examples:
      pco-queue retry WEB-12
      pco-queue retry --all --project WEB --note "the API is back"
    """
    each(pco, chosen, lambda key: retry_one(pco, key, note))


def retry_one(pco: Pco, key: str, note: str = "", shown: Ticket | None = None) -> None:
    """Give one failed ticket another round; with `shown` only as it was shown.  Raises Refused."""

    def judge(ticket: Ticket) -> tuple[Ticket, State]:
        expect(pco, ticket, "tried again", State.FAILED)
        return _anew(pco, "retry", ticket.round.remark, ticket, shown), State.APPROVED

    change(pco, key, judge, note=note, wake="launch")


@verb.verb
@bulk(State.POSTED, State.REJECTED)
@verb.note
def reopen(pco: Pco, chosen: Chosen, note: str) -> None:
    """Begin another round of a posted or rejected ticket.

    \b
    Examples:
      pco-queue reopen WEB-12 --note "it came back in production"
    """

    def judge(ticket: Ticket) -> tuple[Ticket, State]:
        already(pco, ticket, State.PENDING)
        expect(pco, ticket, "reopened", State.POSTED, State.REJECTED)
        if ticket.gone:
            raise Refused("cannot be reopened: it is gone from Plane", "restore the item in Plane, then poll")
        return following(ticket, "reopen", pco.now(), what=note.strip()[:200]), State.PENDING

    each(pco, chosen, lambda key: change(pco, key, judge, note=note))


def _anew(pco: Pco, kind: str, remark: str, ticket: Ticket, shown: Ticket | None) -> Ticket:
    """The ticket with another round, approved by this person.  Raises Refused."""
    expected = current_hash(pco, following(shown, kind, pco.now(), remark=remark)) if shown else ""
    return bound(pco, following(ticket, kind, pco.now(), remark=remark), expected)
