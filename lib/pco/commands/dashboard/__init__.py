"""Write the static pages: the board, a page for each ticket, finished tickets by month, and the files for programs.

They lie in `paths.www`, for a web server to give out; each is replaced whole, so a reader never sees half of one.  Only
what has changed since the last run is written.  What was remembered of that run lies in .built; without it, or with
--full, everything is made anew.  pco-dashboard only reads the spool, and does so without its lock.

Where these are thousands of pages, it goes in turns of a few seconds: the open tickets and the board in each, of the
finished ones as many as there is time for, the newest first.  Meanwhile a page of before stays readable, and no list
leads to one that is not there yet.  What a turn has made the next run does not make again.

health.json says whether pco is well, and why not: Plane does not answer, a disk is nearly full, a unit has failed, the
watcher hangs, a comment does not get out. ok.json is the same, and is there only while pco is well; by it a web server
tells 200 from 503. Both, and metrics.txt for Prometheus, are written at least every two minutes, whatever happens, and
pco-stale.timer takes away what is older than three minutes; it runs on when pco is stopped. So the word that pco is
well is never older than three and a half minutes (one more where the clock was set back meanwhile), and after a boot it
is not believed at all until it has been said anew. What metrics.txt counts only grows, whatever is stopped or killed;
pco-metrics(7) names it all, and the alerts that are shipped.
"""

import gc
import hashlib
import json
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import Any

import click

from pco import __version__
from pco.command import command
from pco.commands import purse
from pco.commands.backing import owner
from pco.commands.dashboard import crew, facts, finished, lists, opened, trends
from pco.commands.dashboard.run import Run, Shelf, progress
from pco.ground import boot, shape, text
from pco.ground.config import Config
from pco.ground.errors import TryLater
from pco.ground.ticket import OPEN, State
from pco.outside.www import Site, signature
from pco.pages.frame import home
from pco.run import Pco

LOOK = 5  # counts the looks of tickets' pages, and of what is remembered: a pco that counts otherwise makes all anew
MOST_AGAIN = 5
TURN = 2.2  # seconds for the pages of finished tickets; then come the lists
LEAST = 0.1  # seconds for what no process has made of them: each turn comes further
LONGEST = 120.0  # seconds for all turns; before systemd ends it (RuntimeMaxSec) it leaves the rest to the next run


@command
@click.option("--full", is_flag=True, help="Make all pages anew; a file that is right already stays.")
def main(pco: Pco, full: bool) -> None:
    """Write the static pages for the web server, as far as something has changed.

    If another run is under way, that one is told to look once more, so that nothing is lost.

    \b
    pco-dashboard           what a timer, or the end of pco-poll, runs
    pco-dashboard -v        say how much was written
    pco-dashboard --full    if a page was damaged
    """
    owner.become(pco)  # root would follow what pco's user can put in the place of a folder
    # Pages hold no cycles, and this program ends soon: looking for garbage would cost a tenth of the time.
    gc.disable()
    with ExitStack() as stack:
        try:
            stack.enter_context(pco.spool.alone())
        except TryLater:
            pco.spool.control.wake("dashboard")
            return
        build(pco, full)


def build(pco: Pco, full: bool) -> None:
    """Bring all files up to date: once, and again while something has changed meanwhile, or pages are left to make."""
    site = Site(pco.config.paths.www)
    try:
        left = _turns(pco, site, full)
    except TryLater:
        raise
    except Exception:
        with suppress(OSError):  # what is old, pco-stale takes away
            site.remove(lists.WELL)  # nobody knows any more
        raise
    if pco.loudness > 0:
        later = f", {text.count(left, 'page')} left to the next run" if left else ""
        pco.log("info", f"{site.written} files written, {site.removed} removed{later}")


def _turns(pco: Pco, site: Site, full: bool) -> int:
    """Turn after turn; returns how many pages are left to the next run, which is woken then."""
    control, shelf = pco.spool.control, Shelf()
    end, again = time.monotonic() + LONGEST, MOST_AGAIN
    control.awake("dashboard")  # before the scan: what happens from now on sets it again
    memory = _memory(pco, site, full)
    with progress(pco, anew=not memory) as step:
        left = _turn(pco, site, memory, step, shelf)
        while left or (again and control.awake("dashboard")):
            if left and time.monotonic() > end:
                control.wake("dashboard")
                break
            again -= not left
            left = _turn(pco, site, _memory(pco, site, full=False), step, shelf)
    return left


def _turn(pco: Pco, site: Site, memory: dict[str, Any], step: Callable[[], None], shelf: Shelf) -> int:
    """Write what has changed since the turn that `memory` is of: tickets before the lists that lead to them.

    Returns how many pages are left to make.
    """
    aims = _aims(pco.config)  # before anything is read that it stands for
    limits = purse.filled(pco.config, 0.0, pco.now())
    doubted = memory.get("boot") != boot.boot_id()
    run = Run(pco, site, facts.clock(pco), step, shelf, anew=not memory, doubted=doubted, purse=limits)
    lines = finished.wanted(run, memory.get("finished", {}))
    run = replace(run, until=time.monotonic() + TURN)
    places = list(pco.spool.places(*OPEN).items()) if run.anew else []
    known = crew.work(run, places, lines, trends.read if run.anew else finished.draft)
    seen = opened.show(run, known if run.anew else _open(memory, aims))
    run = replace(run, until=max(run.until, time.monotonic() + LEAST))
    done = finished.show(run, memory.get("finished", {}), seen)
    shelf.wanted = [one for one in lines if run.made.get(one.key) != finished.said(one)]
    left = finished.owed(done)
    _take_away(run, memory.get("open", {}).keys() - seen.keys(), sweep=(run.anew or bool(lines)) and not left)
    ran = trends.sessions(run, memory.get("ran", {}), seen)
    listed = lists.show(run, memory.get("listed", {}), seen, done, ran)
    of = {"look": _look(pco), "aims": aims, "boot": boot.boot_id()}
    site.remember("now", {**of, "open": seen, "finished": done, "ran": ran, "listed": listed})
    return left


def _take_away(run: Run, keys: set[str], sweep: bool) -> None:
    """Remove the pages of those tickets that are nowhere any more.

    With `sweep` of whatever ticket they are: of an earlier life, or one that was purged while a process made its page.
    """
    spool = run.pco.spool
    if sweep:
        keys |= {name.removesuffix(".html") for name in run.site.names("ticket")} - set(spool.keys(*State))
    for key in keys:
        if spool.find(key) is None:  # it may have moved while the states were listed
            run.site.remove(home(key))


def _index(pco: Pco) -> None:
    """See that the index of finished tickets is there: without it each of their records would be read every time."""
    if not pco.spool.index.whole():
        with pco.spool.lock():
            pco.spool.index.rebuild()


def _memory(pco: Pco, site: Site, full: bool) -> dict[str, Any]:
    """What is known of the last turn; nothing if all is to be made anew."""
    site.prepare()
    _index(pco)
    memory = {} if full else site.recall("now")
    if memory.get("look") != _look(pco):
        site.forget()
        return {}
    return memory


def _open(memory: dict[str, Any], aims: str) -> dict[str, Any]:
    """The open tickets as remembered, unless the pages of all of them are in doubt.

    Nothing here is flushed to the disk: after a crash of the machine a page may be empty.  And what an approval is
    bound to hangs on the configuration too.
    """
    same = memory.get("boot") == boot.boot_id() and memory.get("aims") == aims
    known: dict[str, Any] = memory.get("open", {}) if same else {}
    return known


def _look(pco: Pco) -> str:
    """What else all pages depend on."""
    return f"{LOOK} {facts.clock(pco).zone_name()}"


def _aims(config: Config) -> str:
    """What else the pages of open tickets depend on."""
    plane, sessions = config.plane, config.sessions
    parts = [__version__, shape.dump(plane.projects), config.agent, sessions.permission_mode, shape.dump(config.budget)]
    parts += [signature(config.post.template or "")]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
