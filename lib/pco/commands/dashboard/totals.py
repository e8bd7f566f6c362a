"""What has happened so far, for monitoring: counts that only grow, whatever is killed or started again.

Requests to Plane each program counts itself.  All else follows from what is on disk anyway, and is counted here, each
record once: moves, approvals, outcomes from the audit record, money from the ledger of each day.  The mark of this
tally is {"audit": {MONTH: offset}, "day": the last one read of the ledger, "spent": {PROJECT: USD counted of it}}.
"""

from datetime import date

from pco.commands import tallying
from pco.ground import audit, spend, tally
from pco.ground.errors import PcoError, SystemFault
from pco.ground.tally import Tally
from pco.outside.rates import Budget
from pco.rules import counting
from pco.run import Pco

OWN = "dashboard"
SAVED_EVERY = 20_000  # records: a first run over years of them goes on where it was ended


def gather(pco: Pco) -> Tally:
    """All that all programs have counted; what cannot be read is said, and left out."""
    total = counting.blank()
    try:
        total.add(count_on(pco))
    except PcoError as error:
        pco.log("warning", f"not counted for monitoring: {error}")
    for program in tally.programs(pco.config.paths.metrics):
        if program != OWN:
            try:
                total.add(tally.read(pco.config.paths.metrics, program))
            except PcoError as error:
                pco.log("warning", f"not among the metrics: {error}")
    return total


def count_on(pco: Pco) -> Tally:
    """What was counted before, with what is new.  Raises PcoError."""
    own = tallying.recall(pco, OWN)
    _count_audit(pco, own)
    if _count_spent(pco, own):
        tally.write(pco.config.paths.metrics, OWN, own)
    return own


def _count_audit(pco: Pco, own: Tally) -> None:
    """Go on in each month, for a slow program may write into one that is over; a month that shrank has nothing new."""
    folder = pco.config.paths.audit
    marks: dict[str, int] = own.mark.setdefault("audit", {})
    fresh = 0
    for month in audit.months(folder):
        for record, offset in audit.read(folder, month, marks.get(month, 0)):
            if record is not None:
                counting.of_record(own, record)
            marks[month] = offset
            fresh += 1
            if fresh % SAVED_EVERY == 0:
                tally.write(pco.config.paths.metrics, OWN, own)
    if fresh % SAVED_EVERY:
        tally.write(pco.config.paths.metrics, OWN, own)


def _count_spent(pco: Pco, own: Tally) -> bool:
    """Add what has been spent since the last look; says whether that was anything."""
    metrics, mark = pco.config.paths.metrics, own.mark
    changed = False
    for name in sorted(path.stem for path in (metrics / spend.FOLDER).glob("????-??-??.json")):
        if name < mark.get("day", ""):
            continue
        if name > mark.get("day", ""):
            mark["day"], mark["spent"], changed = name, {}, True
        known: dict[str, float] = mark["spent"]
        for project, usd in _by_project(pco, name).items():
            if usd > known.get(project, 0.0):
                own.count(counting.COST, usd - known.get(project, 0.0), project=project)
                known[project], changed = usd, True
    return changed


def _by_project(pco: Pco, name: str) -> dict[str, float]:
    """What the sessions of a day have cost, by the prefix of their project."""
    found: dict[str, float] = {}
    try:
        book = spend.read(pco.config.paths.metrics, date.fromisoformat(name))
    except (PcoError, ValueError) as error:
        pco.log("warning", f"not counted for monitoring: {error}")
        return found
    for session, spent in book.sessions.items():
        project = counting.prefix(session.partition(":")[0])
        found[project] = found.get(project, 0.0) + spent.seen - spent.before
    return found


def requests_left(pco: Pco) -> int | None:
    """How many requests of this minute Plane may still be sent; None if that is not known."""
    plane = pco.config.plane
    try:
        budget = Budget(pco.config.paths.plane / "rate.json", plane.requests_per_minute)
        return budget.left() if plane.url else None
    except SystemFault:
        return None
