"""hold and release: a ticket that pco-launch must leave alone for a while."""

from dataclasses import replace
from datetime import datetime

import click

from pco.commands import purse
from pco.commands.queue import verb
from pco.commands.queue.change import Done, Told, change, each, expect
from pco.commands.queue.select import Chosen, bulk
from pco.commands.queue.terminal import when, zone
from pco.ground import text, times
from pco.ground.ticket import Hold, Released, State, Ticket
from pco.rules import budget
from pco.run import Pco

# A hold on an active ticket counts once its session has ended.
HOLDABLE = (State.PENDING, State.APPROVED, State.ACTIVE, State.COMPLETED, State.FAILED)


@verb.verb
@bulk(*HOLDABLE)
@click.option("--until", metavar="TIME", default="", help="2h, 7d, 2026-11-24, 2026-11-24T09:00; default: for ever.")
@verb.note
def hold(pco: Pco, chosen: Chosen, note: str, until: str) -> None:
    """Keep tickets from being launched, for a time or until released.

    A time without zone is local (display.timezone).

    \b
    Examples:
      pco-queue hold WEB-12 --until 2h
      pco-queue hold WEB-12 --until 2026-11-24T09:00 --note "after the release"
      pco-queue hold --all --state approved --project WEB
    """
    end = moment(pco, until) if until else None
    words = f"held until {when(pco, end)}" if end else "held until released"
    told = Told("held", words, {"until": times.iso(end) if end else "", "why": note})

    def judge(ticket: Ticket) -> tuple[Ticket, None]:
        expect(pco, ticket, "held", *HOLDABLE)
        return replace(ticket, hold=Hold(pco.who, pco.now(), end, note.strip())), None

    each(pco, chosen, lambda key: change(pco, key, judge, note=note, told=told))


@verb.verb
@bulk(*HOLDABLE)
@verb.note
def release(pco: Pco, chosen: Chosen, note: str) -> None:
    """End a hold, or give a ticket its budget anew.

    Money, rounds and idle rounds that pco counts against the ticket (`budget` in the configuration) begin at nothing.

    \b
    Examples:
      pco-queue release WEB-12
      pco-queue release --all --mine
    """
    limits = purse.filled(pco.config, 0.0, pco.now())

    def judge(ticket: Ticket) -> tuple[Ticket, None]:
        if ticket.hold is None and not budget.braked(ticket, limits):
            raise Done("is not held")
        return replace(ticket, hold=None, released=Released(pco.who, pco.now(), ticket.cost)), None

    told = Told("released", "released", {"why": note})
    each(pco, chosen, lambda key: change(pco, key, judge, note=note, wake="launch", told=told))


def moment(pco: Pco, until: str) -> datetime:
    """A duration from now, or a time, local where it names no zone.  Raises a usage error, also for what is past."""
    try:
        end = pco.now() + times.parse_duration(until)
    except ValueError:
        end = _time(pco, until)
    except OverflowError:
        raise click.UsageError("--until lies too far ahead.") from None
    if end <= pco.now():
        raise click.UsageError(f"--until {text.line(until, 40)} is past.")
    return end


def _time(pco: Pco, until: str) -> datetime:
    try:
        given = datetime.fromisoformat(until)
        return times.parse_time((given if given.tzinfo else _local(pco, given)).isoformat())
    except (ValueError, OverflowError):
        hint = "write 2h, 7d, 2026-11-24 or 2026-11-24T09:00"
        raise click.UsageError(f"--until {text.line(until, 40)} is no time: {hint}.") from None


def _local(pco: Pco, given: datetime) -> datetime:
    """A time as the configured zone's clock shows it."""
    there = zone(pco)
    return given.replace(tzinfo=there) if there else given.astimezone()
