"""Who did what, and who may: the audit record, the members of group pco, rules of sudo."""

import grp
import pwd
import re
from datetime import datetime
from pathlib import Path

from pco.checks import Finding, Site, checks, fail, not_applicable, ok, warn
from pco.ground import audit, chain, text, times
from pco.ground.audit import Record

MOST_READ = 16 << 20  # bytes: some 70,000 records


@checks("22.1")
def chained(site: Site) -> Finding:
    """Whether the audit record is whole, as far back as can be read in no time, and who was the last in it."""
    folder, total = site.config.paths.audit, 0
    last: chain.Link | None = None
    months = _latest(folder)
    for last in chain.links(folder, months[0] if months else ""):
        total += 1
        if not last.follows:
            mend = f"sudo pco-audit verify; sed -n '{last.line - 1 or 1},{last.line}p' {folder / last.file}"
            return fail(f"{last.file}: line {last.line} does not follow from the one before", mend)
    if last is None:
        return warn("nothing was recorded yet", "approve a ticket, and look again")
    whole = len(months) == len(audit.months(folder))
    since = f"in {text.count(len(months), 'file')}" if whole else f"since {months[0]} (sudo pco-audit verify reads all)"
    return ok(f"{text.count(total, 'record')} {since}, each follows from the one before{_told(last.record, site.now)}")


def _latest(folder: Path) -> list[str]:
    """The latest months, as many as are looked through; the last one in any case."""
    months, left = audit.months(folder), MOST_READ
    for number, month in enumerate(reversed(months)):
        left -= (audit.path_of(folder, month)).stat().st_size
        if left < 0:
            return months[len(months) - max(number, 1) :]
    return months


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


def _told(last: Record | None, now: datetime) -> str:
    if last is None:
        return "; the last is torn"
    return f"; the last: {text.line(f'{last.event} by {last.by} {times.ago(last.at, now)}', 100)}"


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
