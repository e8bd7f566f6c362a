"""What leads to the tickets: the board, the pages of long lanes, the files for programs, those of the looks.

ok.json is the same as health.json, and is there only while pco is well: a web server cannot read what a file says.

Remembered: {"digest": of all that they show, "at": when they were written, "lanes": {NAME: digest of a long lane}}.
"""

import hashlib
import json
import re
from datetime import timedelta
from typing import Any

from pco import __version__
from pco.commands.dashboard import facts, telling, totals, trends
from pco.commands.dashboard.run import Run
from pco.ground import durable, shape, times
from pco.ground.ticket import FINISHED, State
from pco.outside import units
from pco.pages import board, feeds, lanes, metrics
from pco.pages.snapshot import Card, Month, Snapshot
from pco.rules import health
from pco.run import share
from pco.spool.index import Finished

# Written this often even if nothing has changed: the reader sees that pco lives.  Shorter than what lies between two
# polls, so that each writes: pco-stale.service takes away what is three minutes old.
CLOCK = timedelta(seconds=45)
WELL = "ok.json"
_OURS = re.compile(r"index\.html|lane-[a-z]+\.html|[0-9]{4}-[0-9]{2}(-[0-9]+)?\.html")
Known = dict[str, Any]


def show(run: Run, known: Known, seen: Known, done: Known, ran: Known) -> Known:
    """Write the lists if anything on them has changed; `ran` are the sessions of the last day.  What to remember."""
    heads, complaints = facts.heads(run.pco)
    found = facts.gather(run.pco, run.clock.now, seen, heads, complaints)
    judged = health.judge(found, run.pco.config.health)
    telling.tell(run.pco, judged)
    counts = _counts(run, seen)
    drawn = trends.gather(run, ran)
    total, left = totals.gather(run.pco), totals.requests_left(run.pco)
    contacts = tuple(run.pco.config.contacts.given().items())
    shown = [
        judged,
        heads,
        found.paused,
        found.watching,
        found.purse.today,
        run.purse,
        counts,
        contacts,
        [e["stamp"] for e in seen.values()],
        done,
        total,
        left,
        drawn,
    ]
    digest = hashlib.sha256(repr([__version__, run.clock.named, *shown]).encode()).hexdigest()
    if known.get("digest") == digest and not run.doubted and _young(run, known) and _said(run, judged):
        return known
    snapshot = Snapshot(
        clock=run.clock,
        version=__version__,
        health=judged,
        counts=counts,
        cards=tuple(shape.load(Card, entry["card"]) for entry in seen.values()),
        recent=tuple(shape.load(Finished, line) for line in done["recent"]),
        months=tuple(Month(name, m["shown"], tuple(m["pages"])) for name, m in done["months"].items() if m["shown"]),
        heads=heads,
        paused=found.paused,
        watching=found.watching,
        spent=found.purse.today,
        daily=found.purse.limits.daily_usd,
        total=total,
        requests=run.pco.config.plane.requests_per_minute,
        requests_left=left,
        contacts=contacts,
        trends=drawn,
        next_poll=units.next_start("pco-poll.timer"),
    )
    on_board = lanes.lanes(snapshot)
    long = _lanes(run, on_board, seen, known.get("lanes", {}))
    _write(run, snapshot, on_board, [entry["row"] for entry in seen.values()], long)
    return {"digest": digest, "at": times.iso(run.clock.now), "lanes": long}


def _lanes(run: Run, shown: tuple[lanes.Lane, ...], seen: Known, known: Known) -> Known:
    """Write the pages of long lanes on which something has changed; returns their digests by name."""
    digests = {}
    for name, lane in lanes.long(shown).items():
        content = json.dumps([__version__, [seen[card.key]["card"] for card in lane.cards]]).encode()
        digests[name] = hashlib.sha256(content).hexdigest()
        if known.get(name) != digests[name] or run.doubted or run.site.empty(name):
            run.site.put(name, lanes.lane_page(lane, run.clock, __version__))
    return digests


def _young(run: Run, known: Known) -> bool:
    age = run.clock.now - times.parse_time(known["at"])
    return timedelta() <= age < CLOCK


def _said(run: Run, judged: health.Health) -> bool:
    """Whether the word on pco's health is still there: who finds it too old takes it away."""
    return not run.site.empty("health.json") and run.site.empty(WELL) is (judged.status != "ok")


def _counts(run: Run, seen: Known) -> dict[State, int]:
    """How many tickets are in each state, as the board shows them: what cannot be read counts as corrupt."""
    counts = {state: run.pco.spool.count(state) if state in FINISHED else 0 for state in State}
    for entry in seen.values():
        counts[State(entry["card"]["state"])] += 1
    return counts


def _write(run: Run, snapshot: Snapshot, shown: tuple[lanes.Lane, ...], rows: list[str], long: Known) -> None:
    """Write all other lists, then remove what nothing leads to any more."""
    site, health_json = run.site, feeds.health(snapshot)
    well = snapshot.health.status == "ok"
    if not well:
        site.remove(WELL)  # first, as it comes last below: at no moment is pco called well that is not
    for name in ("style.css", "icon.svg", "pco.js"):
        site.put(name, durable.read(share(f"www/{name}"), 1 << 20))
    site.put("index.html", board.index(snapshot, shown))
    site.put("board.json", feeds.board(snapshot, rows))
    site.put("metrics.txt", metrics.text_of(snapshot))
    site.put("health.json", health_json)
    if well:
        site.put(WELL, health_json)
    wanted = {"index.html", *long, *(page for month in snapshot.months for page in month.pages)}
    for name in site.names():
        if name not in wanted and _OURS.fullmatch(name):
            site.remove(name)
