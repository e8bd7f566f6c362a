"""Who did what, and who may: the audit record, the members of group pco, rules of sudo."""

import grp
import json
import pwd
import re
from datetime import datetime

from pco.checks import Finding, Site, checks, fail, not_applicable, ok, warn
from pco.ground import audit, text, times

_LINE = 1 << 20


@checks("22.1")
def chained(site: Site) -> Finding:
    """Whether the audit record is whole, and who was the last in it."""
    months = sorted(site.config.paths.audit.glob("????-??.jsonl"))
    if not months:
        return warn("nothing was recorded yet", "approve a ticket, and look again")
    before, lines, last, total = audit.BEGINNING, 0, b"", 0
    for month in months:
        lines = 0
        with open(month, "rb") as file:
            for line in iter(lambda: file.readline(_LINE), b""):
                line = line.rstrip(b"\n")
                prev = _prev(line)
                lines, total = lines + 1, total + 1
                # The months before may have been put away with backups.
                if prev not in (before, None) and total > 1:
                    mend = f"sed -n '{max(lines - 1, 1)},{lines}p' {month}; compare with the backup of that day"
                    return fail(f"{month.name}: line {lines} does not follow from the one before", mend)
                before, last = audit.line_hash(line), line
    said = f"{text.count(total, 'record')} in {text.count(len(months), 'file')}, each follows from the one before"
    return ok(f"{said}{_told(last, site.now)}")


@checks("22.3")
def people(site: Site) -> Finding:
    """Members of group pco, and rules of sudo that name pco."""
    try:
        group = grp.getgrnam("pco")
    except KeyError:
        return not_applicable("there is no group pco: who owns the files may use them")
    first = {user.pw_name for user in pwd.getpwall() if user.pw_gid == group.gr_gid}
    members = sorted({*group.gr_mem, *first} - {"pco"})
    more = f"; {_sudoers(site)}"
    if not members:
        return fail(f"nobody is in group pco: nobody but root can approve{more}", 'sudo usermod -aG pco "$USER"')
    return ok(f"group pco: {', '.join(members)}{more}")


def _prev(line: bytes) -> str | None:
    """What a record is bound to; None for a torn one, to which the next is bound as it is."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return str(value.get("prev")) if isinstance(value, dict) else None


def _told(line: bytes, now: datetime) -> str:
    try:
        value = json.loads(line)
        said = f"{value['event']} by {value['by']} {times.ago(times.parse_time(value['at']), now)}"
    except (ValueError, KeyError, TypeError, RecursionError):
        return "; the last is torn"
    return f"; the last: {text.line(said, 100)}"


def _sudoers(site: Site) -> str:
    rules = set()
    try:
        folder = site.at("/etc/sudoers.d")
        for path in (site.at("/etc/sudoers"), *(sorted(folder.iterdir()) if folder.is_dir() else ())):
            if path.is_file():
                lines = path.read_text(errors="replace").splitlines()
                rules |= {path.name for line in lines if re.match(r"[^#]*\bpco", line)}
    except PermissionError:
        return "rules of sudo are for root to see"
    return f"sudo: {', '.join(sorted(rules)) or 'no rule names pco'}"
