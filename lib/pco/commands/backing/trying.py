"""A backup tried: restored into a scratch folder by the code that would restore it, and all of it read there."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from pco.commands.backing import keeping
from pco.commands.backing.packing import unpacked
from pco.commands.backing.restoring import Restoring, fates
from pco.commands.backing.verifying import Opened
from pco.ground import polled
from pco.ground.config import Paths, rooted
from pco.ground.errors import BadData
from pco.ground.ticket import State
from pco.outside import bundles
from pco.outside.git import Mirror
from pco.spool import comeback
from pco.spool.comeback import Mark
from pco.spool.store import Spool


def try_out(found: Opened, mark: Mark, home: Path, progress: Callable[[int], None]) -> None:
    """Restore it below `home`, look whether all is there, remove it.  Raises BadData if something is missing."""
    scratch = Path(tempfile.mkdtemp(prefix=keeping.SCRATCH, dir=home))
    try:
        paths = rooted(Paths(root=scratch), {})
        for folder in (paths.sessions, paths.mirrors, paths.plane, paths.audit, paths.metrics):
            folder.mkdir()
        spool = Spool(paths.spool, "pco-restore")
        spool.lay_out()
        comeback.begin(spool, mark)
        Restoring(paths, found, mark, progress).bring_back()
        comeback.end(spool)
        spool.check()
        _read_tickets(found, mark, spool)
        _read_branches(found, paths)
        _read_plane(paths)
        for member, top in (("attempts", paths.sessions), ("audit", paths.audit), ("metrics", paths.metrics)):
            _read_files(found, f"{member}.tar.gz", top)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _read_tickets(found: Opened, mark: Mark, spool: Spool) -> None:
    """Every ticket is where it should be, and can be read; nothing is approved or runs."""
    expected = {fate.key: fate.to for fate in fates(found, mark)}
    if (there := spool.places(*State)) != expected:
        wrong = sorted(key for key in {*there, *expected} if there.get(key) is not expected.get(key))
        raise BadData(f"{wrong[0]} is {there.get(wrong[0])} after the restore, not {expected.get(wrong[0])}")
    for ticket in spool.tickets(*(state for state in State if state is not State.CORRUPT)):
        if ticket.state in (State.APPROVED, State.ACTIVE) or mark.at not in ticket.restored:
            raise BadData(f"{ticket.key} did not come back as it should")


def _read_branches(found: Opened, paths: Paths) -> None:
    for name, member in found.manifest.bundles.items():
        if bundles.branches(Mirror(paths.mirrors / f"{name}.git", "")) != member.refs:
            raise BadData(f"the branches of {name} are not all there after the restore")


def _read_plane(paths: Paths) -> None:
    for folder in paths.plane.iterdir():
        polled.read(paths.plane, folder.name)


def _read_files(found: Opened, member: str, top: Path) -> None:
    if member not in found.files:
        raise BadData(f"it has no {member}")
    for info, _ in unpacked(found.files[member], member):
        if info.isreg() and (top / info.name).stat().st_size != info.size:
            raise BadData(f"{info.name} has another size after the restore")
