"""Watch the logs, the units and pco's health for a while, and tell what there was to see."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import click

from pco.checks import Finding, Site, Status, all_checks, logged
from pco.checks.boxes import BY_ID
from pco.checks.trials import LONG, watched_for
from pco.commands.doctoring import attesting
from pco.commands.doctoring.examination import examined, site_of
from pco.commands.doctoring.progress import Progress
from pco.ground import attested, durable, text, times
from pco.ground.errors import BadData, NotPermitted
from pco.run import Pco

BOX = "24.3"
EVERY = timedelta(seconds=10)
LATE = timedelta(seconds=10)  # a record carries the time at which journald took it, and can be read after that
LOOKED_AT = ("18.1", "18.4")  # units, polls
MOST_LOG = 4 << 20
MOST_SHOWN = 40  # of what was seen


@dataclass
class Seen:
    """Something that was not well: when first and last, and how often."""

    words: str
    first: datetime
    last: datetime
    times: int = 1


class Journal:
    """What came into the journal from look to look: each record once, and none that was late."""

    def __init__(self, begun: datetime) -> None:
        """From this moment on."""
        self.begun = self.looked = begun
        self.known: set[logged.Record] = set()

    def look(self, site: Site) -> Iterator[logged.Record]:
        """What is new since the last look.  Raises NotPermitted for who may not see the journal."""
        found = logged.records(site, max(self.looked - LATE, self.begun), "err", MOST_LOG).records
        yield from (record for record in found if record not in self.known)
        self.known, self.looked = set(found), site.now


def parse(given: str) -> timedelta:
    """How long.  Raises a usage error."""
    try:
        length = times.parse_duration(given)
    except ValueError as error:
        raise click.UsageError(f"--watch: {error}") from None
    if not timedelta(seconds=1) <= length <= timedelta(days=7):
        raise click.UsageError("--watch: from 1s to 7d")
    return length


def watch(pco: Pco, length: timedelta) -> bool:
    """Watch for so long; says what was seen, keeps the result, and returns whether there was nothing.

    Raises NotPermitted for who may not see the journal.
    """
    seen: dict[str, Seen] = {}
    progress = Progress(pco.loudness < 0)
    begun, journal = time.monotonic(), Journal(pco.now())
    progress.show(f"watching for {times.duration(length)}", "watching")
    try:
        while (left := length.total_seconds() - (time.monotonic() - begun)) > 0:
            # There is nothing that would wake us for all of these.
            time.sleep(min(EVERY.total_seconds(), left))
            looked = pco.now()
            for words in _ill(pco, journal, looked):
                new = words not in seen
                known = seen.setdefault(words, Seen(words, looked, looked, 0))
                known.last, known.times = looked, known.times + 1
                if new:
                    progress.say(f"{looked:%H:%M:%S} {words}")
            rest = times.rough(timedelta(seconds=max(left - EVERY.total_seconds(), 0)))
            progress.show(f"{rest} left; {_counted(seen)}", _counted(seen))
    finally:
        progress.clear()
    _tell(pco, length, seen)
    _keep(pco, length, seen)
    return not seen


def _ill(pco: Pco, journal: Journal, now: datetime) -> Iterator[str]:
    """What is not well just now, and what was logged since the last look."""
    site = site_of(pco, now)
    if site.systemd:
        yield from (f"{record.by}: {text.line(record.message, 300)}" for record in journal.look(site))
    yield from _health(pco)
    for id, finding in _found(site).items():
        if finding.status in (Status.FAIL, Status.WARN):
            yield f"{id} {BY_ID[id].asks}: {text.line(finding.evidence, 300)}"


def _found(site: Site) -> dict[str, Finding]:
    found, bugs = examined(all_checks(), [BY_ID[id] for id in LOOKED_AT], site, EVERY.total_seconds())
    if bugs:
        raise bugs[0]
    return found


def _health(pco: Pco) -> Iterator[str]:
    """The reasons for which pco is not well, as it says itself."""
    import json

    path = Path(pco.config.paths.www) / "health.json"
    try:
        value = json.loads(durable.read(path, 1 << 20))
        if value["status"] != "ok":
            yield from (f"health: {text.line(str(reason), 300)}" for reason in value["reasons"])
    except FileNotFoundError:
        yield "health: pco has not said for minutes how it is"
    except PermissionError:
        raise NotPermitted(
            "what pco says of its health is for root and pco to read", "sudo pco-doctor --watch"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, BadData):
        yield f"health: {path} cannot be read"


def _counted(seen: dict[str, Seen]) -> str:
    return f"{len(seen)} seen" if seen else "all is well"


def _tell(pco: Pco, length: timedelta, seen: dict[str, Seen]) -> None:
    if not seen:
        pco.say(f"{times.duration(length)} watched: no error was logged, units and health were well all the time")
        return
    pco.say(f"{times.duration(length)} watched; what was not well:")
    for one in list(seen.values())[:MOST_SHOWN]:
        pco.say(f"  {one.first:%H:%M:%S}-{one.last:%H:%M:%S} {one.times:>4}x  {one.words}")
    if len(seen) > MOST_SHOWN:
        pco.say(f"  and {len(seen) - MOST_SHOWN} more: journalctl -p err -u 'pco*'")


def _keep(pco: Pco, length: timedelta, seen: dict[str, Seen]) -> None:
    before = attested.read(pco.config.paths.audit, BOX)
    if not seen and length < LONG and before and before.good and watched_for(before.note) >= LONG:
        pco.log("info", f"not kept: a longer watch is, of {before.at:%Y-%m-%d}")
        return
    first = next(iter(seen.values()), None)
    said = f"{len(seen)} seen, first: {first.words}" if first else "nothing seen"
    attesting.saw(pco, BOX, f"{times.duration(length)} watched: {said}", good=not seen)
