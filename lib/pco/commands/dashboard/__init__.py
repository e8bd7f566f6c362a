"""Write the static pages: the board, a page for each ticket, finished tickets by month, and the files for programs.

They lie in `paths.www`, for a web server to give out; each is replaced whole, so a reader never sees half of one.  Only
what has changed since the last run is written.  What was remembered of that run lies in .built; without it, or with
--full, everything is made anew.  pco-dashboard only reads the spool, and does so without its lock.

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
from contextlib import ExitStack
from typing import Any

import click

from pco import __version__
from pco.command import command
from pco.commands import purse
from pco.commands.backing import owner
from pco.commands.dashboard import crew, facts, finished, lists, opened, trends
from pco.commands.dashboard.run import Run, progress
from pco.ground import boot, shape
from pco.ground.config import Config
from pco.ground.errors import TryLater
from pco.ground.ticket import State
from pco.outside.www import Site, signature
from pco.pages.frame import home
from pco.run import Pco

LOOK = 4  # counts the looks of tickets' pages, and of what is remembered: a pco that counts otherwise makes all anew
MOST_AGAIN = 5


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
        pco.spool.control.awake("dashboard")  # before the scan: what happens from now on sets it again
        build(pco, full)
        for _ in range(MOST_AGAIN):
            if not pco.spool.control.awake("dashboard"):
                break
            build(pco, full=False)


def build(pco: Pco, full: bool) -> None:
    """Bring all files up to date: tickets before the lists that lead to them."""
    site = Site(pco.config.paths.www)
    site.prepare()
    _index(pco)
    try:
        draw(pco, site, _memory(pco, site, full))
    except TryLater:
        raise
    except Exception:
        site.remove(lists.WELL)  # nobody knows any more
        raise
    if pco.loudness > 0:
        pco.log("info", f"{site.written} files written, {site.removed} removed")


def draw(pco: Pco, site: Site, memory: dict[str, Any]) -> None:
    """Write what has changed since the run that `memory` is of."""
    with progress(pco, anew=not memory) as step:
        aims = _aims(pco.config)  # before anything is read that it stands for
        limits = purse.filled(pco.config, 0.0, pco.now())
        doubted = memory.get("boot") != boot.boot_id()
        run = Run(pco, site, facts.clock(pco), step, not memory, doubted, limits)
        seen = _anew(run) if run.anew else opened.show(run, _open(memory, aims))
        done = finished.show(run, memory.get("finished", {}), seen)
    opened.take_away(run, memory.get("open", {}), seen)
    known = {"look": _look(pco), "aims": aims, "boot": boot.boot_id()}
    ran = trends.sessions(run, memory.get("ran", {}), seen)
    listed = lists.show(run, memory.get("listed", {}), seen, done, ran)
    site.remember("now", {**known, "open": seen, "finished": done, "ran": ran, "listed": listed})


def _anew(run: Run) -> dict[str, Any]:
    """Make the pages of all tickets in a new folder, which then takes the place of the old one; returns the open ones.

    Afterwards nothing else is there.  What could not be made, or was moved meanwhile, is `finished.show`'s to make.
    """
    run.site.begin()
    known, made = crew.work(run)
    seen = opened.show(run, known)
    run.made.update((key, of) for key, of in made.items() if key not in seen)  # what is open again was made as that
    run.site.finish(run.made.keys() | seen.keys(), set(run.pco.spool.keys(*State)))
    _take_away(run)
    return seen


def _take_away(run: Run) -> None:
    """Remove the pages of tickets that were purged while theirs were made; who purges from now on does it himself."""
    there = set(run.pco.spool.keys(*State))
    for key in (name.removesuffix(".html") for name in run.site.names("ticket")):
        if key not in there and run.pco.spool.find(key) is None:  # it may have moved while the states were listed
            run.site.remove(home(key))


def _index(pco: Pco) -> None:
    """See that the index of finished tickets is there: without it each of their records would be read every time."""
    if not pco.spool.index.whole():
        with pco.spool.lock():
            pco.spool.index.rebuild()


def _memory(pco: Pco, site: Site, full: bool) -> dict[str, Any]:
    """What is known of the last run; nothing if all is to be made anew."""
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
