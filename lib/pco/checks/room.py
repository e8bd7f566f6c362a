"""What keeps disks from filling, and data from staying: the alarm, the daily clean-up, and what purges have left."""

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from pco.checks import Finding, Site, checks, fail, not_applicable, ok, unseen, warn, worst
from pco.checks.asked import properties
from pco.checks.host import free
from pco.checks.services import NO_SYSTEMD
from pco.ground import audit, durable, reserve, text, times
from pco.ground.errors import BadData, PcoError
from pco.ground.frozen import dataclass
from pco.ground.ticket import KEY
from pco.outside import units
from pco.outside.git import branch_of
from pco.spool import Spool

EARLY = 0.2  # of a disk: below that the box wants an alarm
CLEANER, DAILY = "pco-retention", timedelta(hours=26)
PURGES = "control/purge"
FINISHED = timedelta(days=2)  # by then pco-retention has done what a purge left undone
MOST_PURGED = 50  # of the latest
MOST_AUDIT = 64 << 20  # bytes of the audit record, from its end
BOARD = "sudo systemctl start pco-dashboard"
_PURGED = b'"event":"purged"'


@dataclass(frozen=True)
class Purged:
    """A ticket of which all was removed, by whom, and when; no later record has its key."""

    key: str
    by: str
    at: datetime


@checks("9.1")
def alarm(site: Site) -> Finding:
    """Whether a disk that fills would be told in time: the limit, the reserve, and what is said of one that is full."""
    wanted = site.config.health.disk_free
    if not wanted:
        return fail("health.disk_free is 0: nobody is told of a full disk", site.setting("health", "disk_free", "20%"))
    found = [warn(said, mend) for said, mend in _weak(site, wanted)]
    short = [path for path, share in free(site) if share < wanted]
    reasons = _reasons(site)
    if reasons is None:
        found.append(warn("health.json is not there: nobody is told of anything", BOARD))
    elif mute := [str(path) for path in short if not any(f"{path}: " in reason for reason in reasons)]:
        found.append(fail(f"{', '.join(mute)}: less than {wanted:.0%} is free, and health.json does not say so", BOARD))
    if found:
        return worst(found)
    told = f"{', '.join(map(str, short))} has less, and health.json says so" if short else "each disk has more now"
    return ok(f"told below {wanted:.0%}, and no session starts; {told}")


@checks("9.3")
def cleaned(site: Site) -> Finding:
    """Whether the daily clean-up is scheduled, has run, and was well."""
    if not site.systemd:
        return not_applicable(NO_SYSTEMD)
    shown = properties(site)
    timer, service = shown.get(f"{CLEANER}.timer", {}), shown.get(f"{CLEANER}.service", {})
    if timer.get("ActiveState") != "active":
        return fail(
            f"{CLEANER}.timer does not run: nothing goes by itself", f"sudo systemctl enable --now {CLEANER}.timer"
        )
    again = f"journalctl -u {CLEANER} -n 20; sudo systemctl start {CLEANER}"
    if service.get("ActiveState") == "failed":
        return fail(f"{CLEANER}.service has failed ({service.get('Result')})", again)
    names = ("LastTriggerUSec", "NextElapseUSecRealtime", "ActiveEnterTimestamp")
    last, next_, since = (units.calendar(timer.get(name, "")) for name in names)
    then = f"next {times.ago(next_, site.now)}" if next_ else "runs now"
    if last is None:
        said = f"it has not run yet; {then}"
        return ok(said) if since and site.now - since < DAILY else warn(said, f"sudo systemctl start {CLEANER}")
    said = f"last {times.ago(last, site.now)}, {then}"
    return ok(said) if site.now - last < DAILY else warn(f"it is late: {said}", again)


@checks("21.4")
def purged(site: Site) -> Finding:
    """Whether anything is left of the tickets that were purged last, and whether a purge is unfinished."""
    spool = Spool(site.config.paths.spool, "pco-doctor")
    edge = site.now - FINISHED
    late = [key for key, (_, begun) in spool.control.purges().items() if begun < edge]
    if late:
        mend = f"sudo systemctl start {CLEANER}; journalctl -u {CLEANER} -n 20"
        return fail(f"a purge is not finished: {', '.join(late[:5])}", mend)
    if not os.access(site.config.paths.audit, os.R_OK | os.X_OK):
        return unseen("the audit record is closed to this user")
    latest = list(_latest(site.config.paths.audit))
    for one in latest:
        if left := list(_left(site, spool, one)):
            said = f"{one.key} was purged {times.ago(one.at, site.now)}, and is still in {', '.join(left[:3])}"
            return fail(said, f"sudo pco-purge {one.key}")
    closed = [name for name in ("sessions", "mirrors") if not os.access(getattr(site.config.paths, name), os.X_OK)]
    if closed and latest:
        return unseen(f"{' and '.join(closed)} are closed to this user")
    if not latest:
        return ok("no ticket was purged by now, and no purge is unfinished")
    first = f"the last was {latest[0].key}, by {latest[0].by}, {times.ago(latest[0].at, site.now)}"
    return ok(f"{text.count(len(latest), 'ticket')} purged, nothing is left of them; {first}")


def _weak(site: Site, wanted: float) -> Iterator[tuple[str, str]]:
    if wanted < EARLY:
        yield f"it is told below {wanted:.0%} only: late, for most disks", site.setting("health", "disk_free", "20%")
    path = site.config.paths.spool / reserve.NAME
    with suppress(FileNotFoundError, PermissionError):
        if site.config.health.reserve and not path.stat().st_blocks:
            yield f"{path} is empty: nothing is kept for a full disk", "sudo systemctl start pco-launch (it fills it)"


def _reasons(site: Site) -> list[str] | None:
    """Why pco says that it is not well; None if it does not say how it is."""
    try:
        value = json.loads(durable.read(site.config.paths.www / "health.json", 1 << 20))
        return [str(reason) for reason in value["reasons"]]
    except (FileNotFoundError, ValueError, KeyError, TypeError, BadData):
        return None


def _latest(folder: Path) -> Iterator[Purged]:
    """The latest purged tickets, latest first, of which nothing was recorded since."""
    left, younger, found = MOST_AUDIT, list[bytes](), 0
    for month in reversed(audit.months(folder)):
        path = audit.path_of(folder, month)
        with open(path, "rb") as file:
            file.seek(max(path.stat().st_size - left, 0))
            data = file.read(left)
        left -= len(data)
        place = len(data)
        while (place := data.rfind(_PURGED, 0, place)) >= 0 and found < MOST_PURGED:
            end = data.find(b"\n", place)
            one = _read(data[data.rfind(b"\n", 0, place) + 1 : end if end >= 0 else len(data)])
            sign = f'"key":"{one.key}"'.encode() if one else b""
            if one and data.find(sign, end) < 0 and not any(sign in later for later in younger):
                found += 1
                yield one
        younger.append(data)
        if left <= 0 or found >= MOST_PURGED:
            return


def _read(line: bytes) -> Purged | None:
    try:
        value = json.loads(line)
        key = str(value["key"])
        return Purged(key, str(value["by"]), times.parse_time(value["at"])) if KEY.fullmatch(key) else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _left(site: Site, spool: Spool, one: Purged) -> Iterator[str]:
    """Where something of a purged ticket still is; what is younger than its purge is another one's."""
    paths = site.config.paths
    with suppress(PcoError):
        if state := spool.find(one.key):
            yield f"spool/{state}"
    agents = site.at("/var/lib/private/pco-agent")
    for path in (paths.sessions / one.key, paths.www / "ticket" / f"{one.key}.html", agents / one.key):
        with suppress(OSError):
            if path.lstat().st_mtime < one.at.timestamp():
                yield str(path)
    for mirror in sorted(paths.mirrors.glob("*.git")):
        with suppress(OSError):
            ref = f"refs/heads/{branch_of(one.key)}"
            packed = mirror / "packed-refs"
            if (mirror / ref).exists() or (packed.exists() and f" {ref}\n" in packed.read_text(errors="replace")):
                yield f"{mirror}: {branch_of(one.key)}"
