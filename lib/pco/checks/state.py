"""What pco keeps: that it persists, how much it is, how quickly it comes, who may change it, who did."""

import grp
import json
import os
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from pco.checks import Finding, Site, checks, fail, not_applicable, ok, unseen, warn
from pco.ground import attempt, attested, audit, durable, times
from pco.ground.errors import BadData, PcoError
from pco.ground.ticket import State, Ticket
from pco.rules import retry
from pco.spool import Spool

FLEETING = ("tmpfs", "ramfs", "overlay", "squashfs", "iso9660")
FAR = ("nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "ceph", "glusterfs")
MOST_WALKED = 200_000  # files
MOST_READ = 40  # of the latest finished tickets
SLOW = 5.0  # seconds
TRIED = timedelta(days=180)
_LINE = 1 << 20


@checks("9.2")
def sizes(site: Site) -> Finding:
    """How much lies in each folder."""
    paths = site.config.paths
    told, left = [], MOST_WALKED
    for path in (paths.spool, paths.sessions, paths.mirrors, paths.plane, paths.audit, paths.metrics, paths.www):
        size, seen = _weight(path, left)
        left -= seen
        told.append(f"{path.name} {size >> 20} MiB" if size >> 20 else f"{path.name} {size >> 10} KiB")
    said = ", ".join(told)
    return ok(said if left > 0 else f"{said} (at least)")


@checks("11.1")
def persists(site: Site) -> Finding:
    """Whether the spool is on a local disk, takes what is written, and gives it back."""
    spool = site.config.paths.spool
    kind = _file_system(site, spool)
    if kind in FLEETING and site.systemd:
        return fail(f"{spool} is on {kind}: it does not survive a restart", "put it on a disk: paths.spool")
    if kind in FAR:
        return fail(f"{spool} is on {kind}: renaming is not safe there", "put it on a local disk: paths.spool")
    probe = spool / "tmp" / f".doctor-{os.getpid()}"
    try:
        durable.write_temporary(probe, b"pco-doctor\n")
        same = durable.read(probe, 100) == b"pco-doctor\n"
    except PermissionError:
        return unseen(f"{spool} on {kind}; this user may not write there")
    finally:
        probe.unlink(missing_ok=True) if os.access(probe.parent, os.W_OK | os.X_OK) else None
    return ok(f"{spool} on {kind}: written, flushed, read back") if same else fail("what was read differs", "fsck")


@checks("17.2")
def walked(site: Site) -> Finding:
    """Whether a test ticket went the whole way, and when."""
    return _seen_before(site, "17.2", "pco-doctor --end-to-end PROJECT")


@checks("17.4")
def bore(site: Site) -> Finding:
    """Whether many at once did."""
    return _seen_before(site, "17.4", "pco-doctor --end-to-end PROJECT --tickets 20")


@checks("24.3")
def watched(site: Site) -> Finding:
    """Whether the logs were watched for half an hour, and what was seen."""
    return _seen_before(site, "24.3", "pco-doctor --watch 30m")


@checks("18.5")
def prompt(site: Site) -> Finding:
    """How long it took from the hand-over of a summary to its record, for the last ones."""
    spans = [span for ticket in _finished(site) for span in _latencies(site, ticket)]
    if not spans:
        return warn("no session has ended with a summary lately", "pco-doctor --end-to-end PROJECT")
    longest, middle = max(spans).total_seconds(), sorted(spans)[len(spans) // 2].total_seconds()
    said = f"of the last {len(spans)}: {middle:.1f} s from the end of the session to completed, {longest:.1f} s at most"
    return ok(said) if middle <= SLOW else warn(said, "systemctl status pco-watch")


@checks("21.1")
def retention(site: Site) -> Finding:
    """How long things are kept, and the oldest of each kind."""
    oldest = []
    spool = site.config.paths.spool
    for state in (State.POSTED, State.REJECTED, State.FAILED):
        times_ = [entry.stat().st_mtime for entry in os.scandir(spool / state) if entry.name.endswith(".json")]
        if times_:
            oldest.append(f"{state} {_age(site.now, min(times_))}")
    kept = times.duration(site.config.sessions.keep)
    return ok(f"what agents wrote is kept {kept}; oldest: {', '.join(oldest) or 'nothing yet'}")


@checks("22.1")
def chained(site: Site) -> Finding:
    """Whether the audit record is whole, and who was the last in it."""
    folder = site.config.paths.audit
    months = sorted(folder.glob("????-??.jsonl"))
    if not months:
        return warn("nothing was recorded yet", "approve a ticket, and look again")
    before, lines, last = audit.BEGINNING, 0, b""
    for number, month in enumerate(months):
        with open(month, "rb") as file:
            for line in iter(lambda: file.readline(_LINE), b""):
                line = line.rstrip(b"\n")
                prev = _prev(line)
                # The months before may have been put away with backups.
                if prev not in (before, None) and not (number == 0 and lines == 0):
                    mend = "pco-backup keeps it as it was each night: compare"
                    return fail(f"{month.name}: line {lines + 1} does not follow from the one before", mend)
                before, lines, last = audit.line_hash(line), lines + 1, line
    told = json.loads(last) if _prev(last) else {}
    said = (
        f"; the last: {told['event']} by {told['by']} {times.ago(times.parse_time(told['at']), site.now)}"
        if told
        else ""
    )
    return ok(f"{lines} records in {len(months)} files, each follows from the one before{said}")


@checks("22.3")
def people(site: Site) -> Finding:
    """Members of group pco, and rules of sudo that name pco."""
    try:
        members = sorted(set(grp.getgrnam("pco").gr_mem) - {"pco"})
    except KeyError:
        return not_applicable("there is no group pco: who owns the files may use them")
    rules = []
    try:
        for path in (site.at("/etc/sudoers"), *site.at("/etc/sudoers.d").iterdir()):
            rules += [
                path.name for line in path.read_text(errors="replace").splitlines() if re.match(r"[^#]*\bpco", line)
            ]
        more = f"; sudo: {', '.join(sorted(set(rules))) or 'no rule names pco'}"
    except PermissionError:
        more = "; rules of sudo are for root to see"
    if not members:
        return fail(f"nobody is in group pco: nobody can approve{more}", "sudo pco-setup --member NAME")
    return ok(f"group pco: {', '.join(members)}{more}")


@checks("24.4")
def first(site: Site) -> Finding:
    """The first ticket that was posted, after the deployment."""
    for ticket in _finished(site):
        post = ticket.round.post
        if post and post.posted_at and not ticket.local:
            return ok(f"{ticket.key} was posted {times.ago(post.posted_at, site.now)}")
    return warn("no ticket of Plane was posted yet", "approve one, and accept its summary")


def _finished(site: Site) -> list[Ticket]:
    """The latest posted tickets, some of them."""

    def read() -> list[Ticket]:
        spool = Spool(site.config.paths.spool, "pco-doctor")
        places = [(entry.stat().st_mtime, entry.name) for entry in os.scandir(site.config.paths.spool / State.POSTED)]
        found = []
        for _, name in sorted(places, reverse=True)[:MOST_READ]:
            try:
                found.append(spool.read(name.removesuffix(".json"), State.POSTED))
            except (PcoError, KeyError):
                continue  # pco itself says so
        return found

    return site.once("finished", read)


def _latencies(site: Site, ticket: Ticket) -> Iterator[timedelta]:
    """From the end of each session, by its exit record, to its ticket's move."""
    for round in ticket.rounds:
        last = round.attempts[-1] if round.attempts else None
        if last is None or last.end is None or last.outcome != retry.COMPLETED:
            continue
        home = attempt.folder(site.config.paths.sessions, ticket.key, round.n, last.n)
        try:
            out = attempt.open_out(home / "out")
        except OSError:
            continue  # it was removed by now
        try:
            exit = attempt.read_exit(out)
        except BadData:
            continue
        finally:
            os.close(out)
        if exit:
            yield max(last.end - exit.at, timedelta(0))


def _seen_before(site: Site, id: str, how: str) -> Finding:
    word = attested.read(site.config.paths.audit, id)
    if word is None:
        return warn("not yet", how)
    said = f"{word.note} ({word.by}, {times.ago(word.at, site.now)})"
    if not word.good:
        return fail(said, how)
    return ok(said) if site.now - word.at < TRIED else warn(said, how)


def _prev(line: bytes) -> str | None:
    """What a record is bound to; None for a torn one, to which the next is bound as it is."""
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return str(value.get("prev")) if isinstance(value, dict) else None


def _file_system(site: Site, path: Path) -> str:
    """The kind of file system under a path (proc(5), mountinfo)."""
    best, kind = "", "?"
    real = os.path.realpath(path)
    for line in site.at("/proc/self/mountinfo").read_text().splitlines():
        head, _, tail = line.partition(" - ")
        point = head.split()[4]
        if (real == point or real.startswith(point.rstrip("/") + "/")) and len(point) >= len(best):
            best, kind = point, tail.split()[0]
    return kind


def _weight(path: Path, most: int) -> tuple[int, int]:
    """Bytes on disk below a folder, and how many files were counted."""
    size, seen, left = 0, 0, [str(path)]
    while left and seen < most:
        try:
            with os.scandir(left.pop()) as entries:
                for entry in entries:
                    seen += 1
                    facts = entry.stat(follow_symlinks=False)
                    size += facts.st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        left.append(entry.path)
        except OSError:
            continue
    return size, seen


def _age(now: datetime, stamp: float) -> str:
    return times.rough(timedelta(seconds=max(now.timestamp() - stamp, 0.0)))
