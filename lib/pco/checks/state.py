"""What pco keeps: that it persists, how much it is, and that what should be gone is gone."""

import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from pco.checks import Finding, Site, checks, fail, ok, unseen, warn
from pco.ground import durable, spend, times
from pco.ground.errors import PcoError
from pco.ground.ticket import State
from pco.outside import process
from pco.rules import retention as rules
from pco.spool import Spool

FLEETING = ("tmpfs", "ramfs", "overlay", "squashfs", "iso9660")
FAR = ("nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "ceph", "glusterfs")
LAZY = {"nobarrier", "barrier=0"}
KEPT = ("spool", "sessions", "mirrors", "plane", "audit", "metrics", "www")
COUNTED = timedelta(seconds=3)
GRACE = timedelta(days=2)  # pco-retention clears up once a day
PURGES = "control/purge"
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}
_ENDED = (State.POSTED, State.REJECTED, State.FAILED)


@checks("9.2")
def sizes(site: Site) -> Finding:
    """How much lies in each folder; what pco keeps should not outgrow what is left of its disk."""
    paths = {name: getattr(site.config.paths, name) for name in KEPT}
    there = {name: path for name, path in paths.items() if path.is_dir()}
    closed = [name for name, path in there.items() if not os.access(path, os.R_OK | os.X_OK)]
    seen = [name for name in there if name not in closed]
    told, large = [], []
    with ThreadPoolExecutor(len(KEPT)) as crew:
        weights = crew.map(lambda name: _weight(there[name]), seen)
    for name, size in zip(seen, weights, strict=True):
        if size is None:
            told.append(f"{name} too many files to be counted in {COUNTED.total_seconds():g} s")
            continue
        told.append(f"{name} {size >> 20} MiB" if size >> 20 else f"{name} {size >> 10} KiB")
        facts = os.statvfs(there[name])
        if size > facts.f_bavail * facts.f_frsize:
            large.append((name, there[name]))
    said = ", ".join(told)
    if large:
        name, path = large[0]
        more = f"{said}; {name} takes more than is left on its disk"
        return warn(more, f"sudo du -xh --max-depth=2 {path} | sort -h | tail")
    return unseen(f"{said}; closed to this user: {', '.join(closed)}") if closed else ok(said)


@checks("11.1")
def persists(site: Site) -> Finding:
    """Whether the spool is on a local disk, takes what is written, and gives it back."""
    spool = site.config.paths.spool
    kind, options = _file_system(site, spool)
    if kind in FLEETING and site.systemd:
        return fail(f"{spool} is on {kind}: it does not survive a restart", f"mount a disk at {spool}")
    if kind in FAR:
        return fail(f"{spool} is on {kind}: renaming is not safe there", f"mount a local disk at {spool}")
    if lazy := sorted(LAZY & set(options)):
        mend = f"sudo mount -o remount,barrier=1 {spool}, and in /etc/fstab"
        return fail(f"{spool} is mounted with {lazy[0]}: a power cut takes what was flushed", mend)
    probe = spool / "tmp" / f".doctor-{os.getpid()}"
    try:
        durable.write_temporary(probe, b"pco-doctor\n")
        same = durable.read(probe, 100) == b"pco-doctor\n"
    except PermissionError:
        return unseen(f"{spool} on {kind}; this user may not write there")
    except OSError as error:
        return fail(f"{spool} on {kind}: {error.strerror}", f"df -h {spool}; df -i {spool}; sudo dmesg | tail")
    finally:
        with suppress(OSError):
            probe.unlink()
    if not same:
        return fail(f"{spool} on {kind}: what was read is not what was written", "sudo dmesg | tail")
    return ok(f"{spool} on {kind}: written, flushed, read back")


@checks("21.1")
def retention(site: Site) -> Finding:
    """How long things are kept, the oldest of each kind, and that what should be gone is gone."""
    limits, told, late = site.config.retention, [], []
    for kind, stamps, kept in _kinds(site):
        said = f"{kind} {times.duration(kept) if kept else 'for ever'}"
        told.append(f"{said} (oldest {_age(site.now, min(stamps))})" if stamps else said)
        # A record may have been written since it came into its state, never before: these are late for sure.
        least = timedelta(seconds=site.now.timestamp() - min(stamps)) if stamps else timedelta(0)
        if kind in _ENDED and kept and least > max(kept, limits.unfetched) + GRACE:
            late.append(f"tickets in {kind}")
    said = f"workspaces {times.duration(limits.workspaces)}, {', '.join(told)}"
    late += _overdue(site)[:3]
    late += [f"{entry.name} (its purge is unfinished)" for entry in os.scandir(site.config.paths.spool / PURGES)]
    if late:
        mend = "sudo systemctl start pco-retention; journalctl -u pco-retention"
        return warn(f"{said}; overdue: {', '.join(late[:5])}", mend)
    return ok(said)


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Its records; one that moves away meanwhile is passed over.  None, if there is no such folder."""
    for entry in os.scandir(folder) if folder.exists() else ():
        with suppress(FileNotFoundError):
            entry.stat()
            if entry.name.endswith((".json", ".jsonl")):
                yield entry


def _kinds(site: Site) -> list[tuple[str, list[float], timedelta]]:
    """What is kept, when each of it was written, and for how long it is kept."""
    paths, limits = site.config.paths, site.config.retention
    index = Spool(paths.spool, "pco-doctor").index
    ended = []
    for state, kept in ((State.POSTED, limits.posted), (State.REJECTED, limits.rejected)):
        # These grow for ever: the index knows the oldest.
        oldest = index.oldest(state)
        ended.append((str(state), [oldest.at.timestamp()] if oldest else [], kept))
    files = [
        (State.FAILED, paths.spool / State.FAILED, limits.failed),
        ("audit", paths.audit, limits.audit),
        ("ledgers", paths.metrics / spend.FOLDER, limits.ledgers),
    ]
    folders = [entry.stat().st_mtime for entry in os.scandir(paths.sessions)]
    return [
        *ended,
        *((str(kind), [entry.stat().st_mtime for entry in _entries(folder)], kept) for kind, folder, kept in files),
        ("attempts", folders, limits.attempts),
    ]


def _overdue(site: Site) -> list[str]:
    """Finished tickets whose sessions' files should be gone: systemd keeps them, and root sees them."""
    home = Path("/var/lib/private/pco-agent")
    if not site.systemd or not site.root or not site.at(home).is_dir():
        return []
    found = []
    spool = Spool(site.config.paths.spool, "pco-doctor")
    for key in sorted(entry.name for entry in os.scandir(site.at(home))):
        try:
            late = rules.workspace_due(spool.read(key), site.config.retention, site.now - GRACE)
        except (PcoError, KeyError):
            continue  # it moves, or pco itself says what is wrong
        if late:
            found.append(key)
    return found


def _file_system(site: Site, path: Path) -> tuple[str, list[str]]:
    """The kind of file system under a path, and how it is mounted (proc(5), mountinfo)."""
    best, kind, options = "", "?", ""
    real = os.path.realpath(path)
    for line in site.at("/proc/self/mountinfo").read_text().splitlines():
        head, _, tail = line.partition(" - ")
        point = re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), head.split()[4])
        if (real == point or real.startswith(point.rstrip("/") + "/")) and len(point) >= len(best):
            words = tail.split()
            best, kind, options = point, words[0], f"{head.split()[5]},{words[2]}"
    return kind, options.split(",")


def _weight(path: Path) -> int | None:
    """Bytes on disk below a folder, as du(1) counts them; None if it takes too long: there may be many files."""
    try:
        said = process.run(["du", "-skx", "--", str(path)], _ENVIRONMENT, COUNTED)
    except process.TooSlow:
        return None
    return int(said.out.split()[0]) << 10 if said.out.strip() else 0


def _age(now: datetime, stamp: float) -> str:
    return times.rough(timedelta(seconds=max(now.timestamp() - stamp, 0.0)))
