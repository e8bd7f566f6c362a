"""What the pictures of the board are drawn from: the audit record and ledgers of the last days, sessions by records.

Nothing here costs more for tickets that are finished: the audit record is read on from where the last run stopped, a
ledger only if it has changed.  Remembered in .built/trend.json: {"audit": {MONTH: offset}, "days": see `rules.trend`,
"spend": {DAY: [signature, USD]}}; without it the days are counted anew.
"""

from datetime import UTC, datetime, time, timedelta
from typing import Any

from pco.commands.dashboard.run import Run
from pco.ground import audit, shape, spend, times
from pco.ground.errors import PcoError
from pco.outside.www import signature
from pco.pages.charts import DAY
from pco.pages.frame import home
from pco.pages.snapshot import Ran, Trends
from pco.rules import trend

Known = dict[str, Any]
NAME = "trend"


def gather(run: Run, ran: Known) -> Trends:
    """All that is drawn; `ran` are the sessions of the last day.  What cannot be read is said, and not drawn."""
    made = read(run)
    since = trend.first(run.clock.now, run.clock.zone)
    costs = {name: usd for name, (_, usd) in made["spend"].items()}
    sessions = tuple(shape.load(Ran, one) for those in ran.values() for one in those)
    return Trends(trend.shown(made["days"], costs, since), trend.gates(made["days"]), sessions)


def read(run: Run) -> Known:
    """Read on in the audit record and the ledgers; returns what is remembered."""
    memory = run.site.recall(NAME)
    since = trend.first(run.clock.now, run.clock.zone)
    made: Known = {"audit": {}, "days": {}, "spend": {}}
    try:
        made = {**_days(run, memory, since), "spend": _spent(run, memory.get("spend", {}))}
    except PcoError as error:
        run.pco.log("warning", f"not drawn: {error}")
    if made != memory:
        run.site.remember(NAME, made)
    return made


def sessions(run: Run, known: Known, seen: Known) -> Known:
    """The sessions of the last day, by key: those that were known, those of the tickets that were read in this run."""
    edge = times.iso(run.clock.now - DAY)
    found = {}
    for key, those in {**known, **run.ran}.items():
        late = [one for one in those if one["end"] is None or one["end"] >= edge]
        if late and (key in seen or not run.site.empty(home(key))):
            found[key] = late
    return found


def _days(run: Run, memory: Known, since: Any) -> Known:
    """Go on in each month of the audit record, from `since` at the earliest.  Raises SystemFault."""
    folder, zone = run.pco.config.paths.audit, run.clock.zone
    begun = datetime.combine(since, time(), UTC) - timedelta(days=1)
    marks: dict[str, int] = dict(memory.get("audit", {}))
    days = trend.pruned(memory.get("days", {}), since)
    for month in audit.months(folder):
        if month < f"{begun:%Y-%m}":
            continue
        start = marks[month] if month in marks else audit.offset_of(folder, month, begun)
        for record, offset in audit.read(folder, month, start):
            if record is not None:
                trend.add(days, record, zone)
            marks[month] = offset
    return {"audit": marks, "days": trend.pruned(days, since)}


def _spent(run: Run, known: Known) -> Known:
    """What each of the days has cost.  Raises BadData, SystemFault, BadConfig."""
    metrics, found = run.pco.config.paths.metrics, {}
    for n in range(trend.DAYS):
        day = times.day(run.clock.now, run.clock.zone) - timedelta(days=n)
        stamp = signature(spend.path(metrics, day))
        if stamp == "-":
            continue
        before = known.get(day.isoformat(), ["", 0.0])
        found[day.isoformat()] = before if before[0] == stamp else [stamp, spend.read(metrics, day).total]
    return found
