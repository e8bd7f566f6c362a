"""All that a report says, read from audit record, ledger, spool, and, as far as they may be read, logs."""

import json
from collections import Counter, defaultdict
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from pco.checks.boxes import BOXES
from pco.commands.reporting import access
from pco.ground import attested, audit, durable, spend, text
from pco.ground.errors import BadData, PcoError
from pco.ground.ticket import FINISHED, OPEN, State
from pco.rules import counting, hearing
from pco.rules.period import Period
from pco.rules.report import Now, Report, Sums, Top
from pco.run import Pco

MOST_TITLE = 120


def gather(pco: Pco, period: Period, most: int, *, asking: bool = False) -> Report:
    """The report on a period, with `most` rows in each list of tickets; `asking`: and what people have not answered."""
    sums, unseen = Sums(period), list[str]()
    _read_audit(pco, sums, unseen)
    _read_ledger(pco, sums, unseen)
    report = sums.report(pco.now(), _now(pco, unseen, asking), most)
    readers, refusals, hidden = access.seen(period)
    return replace(
        report,
        dearest=tuple(_named(pco, top) for top in report.dearest),
        slowest=tuple(_named(pco, top) for top in report.slowest),
        readers=readers,
        refusals=refusals,
        unseen=(*unseen, *hidden),
    )


def _read_audit(pco: Pco, sums: Sums, unseen: list[str]) -> None:
    """Only the months that have something of the period, and of its first only what is young enough."""
    folder, period = pco.config.paths.audit, sums.period
    for month in audit.months(folder):
        try:
            offset = audit.begin(folder, month, period.since, period.until)
            for record, _ in () if offset is None else audit.read(folder, month, offset):
                if record is not None:
                    sums.take(record)
        except PcoError as error:
            unseen.append(str(error))


def _read_ledger(pco: Pco, sums: Sums, unseen: list[str]) -> None:
    for day in sums.period.days:
        try:
            book = spend.read(pco.config.paths.metrics, day)
        except PcoError as error:
            unseen.append(str(error))
            continue
        for session, spent in book.sessions.items():
            sums.spent(day, session.partition(":")[0], spent.seen - spent.before)


def _named(pco: Pco, top: Top) -> Top:
    """With title and state, if the ticket is still there."""
    with suppress(PcoError, KeyError):
        ticket = pco.spool.read(top.key)
        return replace(top, title=text.line(ticket.title, MOST_TITLE), state=ticket.state.value)
    return replace(top, state="dropped")


def _now(pco: Pco, unseen: list[str], asking: bool) -> Now:
    """How things stand.  Finished tickets are counted, not read."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    oldest: dict[str, datetime] = {}
    blocked = []

    def damaged(key: str, error: PcoError) -> None:
        counts[State.CORRUPT][counting.prefix(key)] += 1
        unseen.append(f"{key}: {error}")

    for ticket in pco.spool.tickets(*(state for state in OPEN if state is not State.CORRUPT), trouble=damaged):
        counts[ticket.state][counting.prefix(ticket.key)] += 1
        if entered := ticket.entered():
            oldest[ticket.state] = min(oldest.get(ticket.state, entered), entered)
        if ticket.state is State.ACTIVE and hearing.waits(ticket):
            blocked.append(ticket.key)
    for key in pco.spool.keys(State.CORRUPT):
        counts[State.CORRUPT][counting.prefix(key)] += 1
    return Now(
        open={state.value: dict(sorted(counts[state].items())) for state in OPEN if counts[state]},
        finished={state.value: pco.spool.count(state) for state in FINISHED},
        oldest={state.value: oldest[state] for state in OPEN if state in oldest},
        blocked=tuple(sorted(blocked)),
        reasons=_reasons(pco),
        asked=_asked(pco) if asking else (),
    )


def _reasons(pco: Pco) -> tuple[str, ...]:
    """Why pco is not well, as pco-dashboard said last."""
    try:
        value = json.loads(durable.read(pco.config.paths.www / "health.json", 1 << 20))
        return tuple(text.line(str(reason), 300) for reason in value["reasons"])
    except FileNotFoundError:
        return ("pco-dashboard has not said for minutes how pco is",)
    except (OSError, ValueError, KeyError, TypeError, BadData):
        return ()


def _asked(pco: Pco) -> tuple[str, ...]:
    """What only people can answer, and nobody has, or no longer."""
    found = []
    for box in BOXES:
        if box.kind == "P":
            with suppress(PcoError):
                word = attested.read(pco.config.paths.audit, box.id)
                if word is None or not word.holds(pco.now()):
                    found.append(f"{box.id} {box.asks}")
    return tuple(found)
