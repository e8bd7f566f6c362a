"""Remove all that is known of one ticket: begun durably, done in any order, finished by pco-retention after a crash.

control/purge/KEY is written first and removed last; in between every step may be done again.  The record goes before
all else, so that nothing is shown or started of a ticket that is half gone, and a pco-dashboard that has perhaps read
it comes to its end before the page goes for good.  The audit record of it comes last, and says nothing but that KEY was
purged, by whom, and from which state.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import field
from datetime import date, datetime, timedelta
from functools import partial
from itertools import chain
from pathlib import Path

from pco.ground import durable, reserve, spend, times
from pco.ground.errors import BadData, PcoError, SystemFault, TryLater
from pco.ground.frozen import dataclass
from pco.ground.ticket import State
from pco.outside.git import Mirror, branch_of
from pco.outside.runners import Runner
from pco.pages.frame import home
from pco.run import Pco

KEPT = (State.ACTIVE, State.OUTBOX)  # something is under way that must come to its end first
LEDGER_AGE = timedelta(days=2)  # pco-watch writes those of today, and of yesterday around midnight
GC_WITHIN = timedelta(minutes=10)
MOST_NOTICE = 1 << 20
PAGES = timedelta(seconds=10)  # a run of pco-dashboard takes less, unless it makes very many pages


@dataclass(frozen=True)
class Trace:
    """Something of a ticket: where, in words, and what removes it; `remove` does nothing if it is gone already."""

    where: str
    remove: Callable[[], object] = field(compare=False)


def refusal(pco: Pco, key: str, runner: Runner) -> PcoError | None:
    """Why a ticket cannot be purged now; None if it can."""
    state = pco.spool.find(key)
    if state in KEPT:
        hint = {State.ACTIVE: f"pco-queue stop {key}", State.OUTBOX: f"pco-queue recall {key}"}[state]
        return BadData(f"is {state}: it is not purged", f"{hint}; or wait until it has come to its end")
    living = runner.list()
    if living is None:
        return TryLater("the runner does not say which sessions there are; it is not purged")
    return TryLater("its last session has not quite ended; it is not purged") if key in living else None


def purge(pco: Pco, key: str, runner: Runner, by: str, why: str = "") -> None:
    """Remove all of it.  Raises BadData or TryLater if that must not be now, SystemFault if it cannot be finished."""
    if error := refusal(pco, key, runner):
        raise error
    pco.spool.control.begin_purge(key, by, pco.now())
    finish(pco, key, runner, by, why)


def finish(pco: Pco, key: str, runner: Runner, by: str, why: str = "") -> None:
    """Go on with what was begun, to its end."""
    from_ = _remove_record(pco, key)
    for trace in chain(traces(pco, key, runner), _page_again(pco, key)):
        try:
            trace.remove()
        except OSError as error:
            raise SystemFault(f"{trace.where}: {error.strerror}; the rest of it goes with pco-retention") from error
        pco.service.pat()
    pco.announce("purged", None, {"key": key, "by": by, "from": from_, "why": why})
    pco.spool.control.purged(key)
    pco.spool.control.wake("dashboard")


def came_back(pco: Pco, key: str, begun: datetime) -> bool:
    """Whether there is a ticket of that key which is younger than its purge: it is another one, and stays."""
    try:
        history = pco.spool.read(key).history
    except (KeyError, PcoError):
        return False
    return bool(history) and history[0].at > begun


def traces(pco: Pco, key: str, runner: Runner) -> Iterator[Trace]:
    """What there is of a ticket beside its record."""
    paths = pco.config.paths
    if durable.there(paths.sessions / key):
        yield Trace(f"{paths.sessions / key}", partial(remove_tree, paths.sessions / key))
    if key in runner.kept():
        yield Trace("what its agents wrote", partial(runner.clean, key))
    for folder in sorted(paths.mirrors.glob("*.git")):
        mirror = Mirror(folder, "")
        if mirror.holds(branch_of(key)):
            yield Trace(f"{folder}: the branch {branch_of(key)}", partial(mirror.forget, branch_of(key), GC_WITHIN))
    yield from _page(pco, key)
    for path in _notices(paths.spool, key):
        yield Trace(str(path), partial(_remove, path))
    for path in sorted((paths.spool / "tmp").glob(f"{key}.*")):
        yield Trace(str(path), partial(_remove, path))
    if days := [day for day in ledgers(pco) if _books(pco, day, key)]:
        yield Trace(f"its key in the ledgers of {len(days)} days", partial(nameless, pco, frozenset([key])))


def remove_tree(folder: Path) -> None:
    """Remove a folder without following a link, at its top or below, so that it stays away.  Raises OSError."""
    assert shutil.rmtree.avoids_symlink_attacks, "no other system than Linux runs pco"
    if folder.is_symlink():
        folder.unlink()
    else:
        with suppress(FileNotFoundError):
            shutil.rmtree(folder)
    durable.sync_folder(folder.parent)


def _remove(path: Path) -> None:
    """Remove a file, so that no power cut brings it back when the purge is over.  Raises OSError."""
    path.unlink(missing_ok=True)
    durable.sync_folder(path.parent)


def ledgers(pco: Pco) -> list[date]:
    """The days whose ledgers pco-watch has closed."""
    edge = times.day(pco.now() - LEDGER_AGE, pco.config.display.zone)
    return [day for day in spend.days(pco.config.paths.metrics) if day <= edge]


def nameless(pco: Pco, keys: frozenset[str]) -> None:
    """Take keys out of the closed ledgers; what the days have cost stays.  Raises SystemFault."""
    metrics = pco.config.paths.metrics
    for day in ledgers(pco):
        with suppress(BadData):
            book = spend.read(metrics, day)
            without = spend.nameless(book, keys)
            if without is not book:
                spend.write(metrics, day, without)


def _books(pco: Pco, day: date, key: str) -> bool:
    with suppress(BadData):
        return any(name.partition(":")[0] == key for name in spend.read(pco.config.paths.metrics, day).sessions)
    return False


def _remove_record(pco: Pco, key: str) -> str:
    """The record and what the index says of it; returns the state that it was in."""
    with pco.spool.lock():
        state = pco.spool.find(key)
        if state in KEPT:
            raise BadData(f"was moved meanwhile: it is {state}")
        if state is not None:
            pco.spool.drop(key)
        reserve.spare(pco.spool.root, lambda: pco.spool.index.forget(key))
    return state.value if state else ""


def _page(pco: Pco, key: str) -> Iterator[Trace]:
    """The page of a ticket that is gone; of a new one of that key it stays."""
    page = pco.config.paths.www / home(key)
    if durable.there(page):
        yield Trace(str(page), lambda: None if pco.spool.find(key) else _remove(page))


def _page_again(pco: Pco, key: str) -> Iterator[Trace]:
    """The page, once more: a pco-dashboard that began while there was a record could put it back, and then be killed.

    One that takes longer than we wait looks for such pages when all are made.
    """
    with suppress(PcoError), pco.spool.alone(PAGES, "pco-dashboard"):
        pass
    yield from _page(pco, key)


def _notices(spool: Path, key: str) -> list[Path]:
    found = []
    for path in sorted((spool / "notify").glob("*.json")):
        with suppress(OSError, ValueError, BadData):
            value = json.loads(durable.read(path, MOST_NOTICE))
            if isinstance(value, dict) and value.get("key") == key:
                found.append(path)
    return found
