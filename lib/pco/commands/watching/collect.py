"""What a session leaves: its screen beside the prompt, now and then while it runs; at its end commits, too."""

import os
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar

from pco.commands.watching.ears import Ear
from pco.ground import attempt, durable, leavings
from pco.ground.attempt import Launch
from pco.ground.errors import BadData, PcoError, SystemFault, TryLater
from pco.ground.ticket import Work
from pco.rules.supervision import Seen

T = TypeVar("T")
WITHIN = timedelta(seconds=50)  # for each of the two steps of reading a bundle; the unit's WatchdogSec= is longer
MOST_COMMITS = 100
CUT_OFF = "cut off before it handed over its commits: what it made is still in its workspace"
SCREENS = 5.0  # seconds between two copies of the screen of a session that runs


def screen(ear: Ear) -> None:
    """Keep the last screen in the attempt's own folder: out/ may go, and stays the agent's."""
    out = ear.open()
    if out is None:
        return
    try:
        with suppress(BadData, OSError):
            if shown := leavings.read_screen(out):
                durable.replace(ear.home / "screen", shown, 0o644)
    finally:
        os.close(out)


def live(ear: Ear, clock: float) -> None:
    """Keep the screen of a session that runs, if it has changed: the group can read it there, but not its out/."""
    if clock < ear.screened + SCREENS:
        return
    out = ear.open()
    if out is None:
        return
    ear.screened = clock
    try:
        facts = os.stat("screen", dir_fd=out, follow_symlinks=False)
        if ear.screen != (stamp := (facts.st_ino, facts.st_mtime_ns)):
            ear.screen = stamp
            durable.replace(ear.home / "screen", leavings.read_screen(out), 0o644)
    except (BadData, OSError):
        return
    finally:
        os.close(out)


def tidy(ear: Ear) -> None:
    """The attempt is over: the copy of the repository that was made for it goes."""
    with suppress(OSError):
        (ear.home / attempt.SOURCE).unlink(missing_ok=True)


def work(ear: Ear, seen: Seen, pat: Callable[[], None]) -> Work | None:
    """Import out/work.bundle into the mirror; None if there is nothing to say.  A failure is noted in the record.

    `pat` is called after each unit of progress.
    """
    launch, exit = ear.launch, seen.exit
    if launch is None:
        return None
    uncommitted, problem = (exit.uncommitted, exit.problem) if exit else (0, CUT_OFF if seen.born else "")
    tip, refused, brought = _tip(ear, launch)
    pat()
    problem = refused or (problem if exit or not brought else "")
    if tip is None:
        return Work(uncommitted=uncommitted, problem=problem) if uncommitted or problem else None
    try:
        made = _described(launch, tip, pat)
    except PcoError as error:
        return Work(branch=launch.branch, tip=tip, uncommitted=uncommitted, problem=str(error))
    return Work(made.commits, made.diffstat, made.branch, made.base, made.tip, uncommitted, problem)


def _tip(ear: Ear, launch: Launch) -> tuple[str | None, str, bool]:
    """The newest commit of the ticket's branch in the mirror, once the bundle is in; why it is not; whether it is."""
    from pco.outside.git import Mirror

    mirror = Mirror(Path(launch.mirror), "")
    refused, out = "", ear.open()
    try:
        if out is not None and _again(TryLater, lambda: leavings.there(out, "work.bundle")):
            take = partial(mirror.take_bundle, "work.bundle", launch.key, WITHIN, out)
            return _again(SystemFault, take), "", True
    except PcoError as error:
        refused = str(error)
    finally:
        if out is not None:
            os.close(out)
    try:
        return mirror.tip(launch.branch), refused, False
    except PcoError as error:
        return None, refused or str(error), False


def _again(refused: type[PcoError], act: Callable[[], T]) -> T:
    """Do it, and once more if the disk refused: it may have been for a moment, and nobody asks again."""
    try:
        return act()
    except refused:
        return act()


def _described(launch: Launch, tip: str, pat: Callable[[], None]) -> Work:
    """The commits since the branch left `base`, and what they change."""
    from pco.outside.git import Mirror

    mirror = Mirror(Path(launch.mirror), "")
    main = mirror.tip(launch.base)
    pat()
    base = mirror.merge_base(main, tip) if main else None
    pat()
    if base is None:
        return Work(branch=launch.branch, tip=tip)
    commits = mirror.log(base, tip, MOST_COMMITS)
    pat()
    return Work(commits, mirror.diffstat(base, tip), launch.branch, base, tip)
