"""systemd's units: whether they are there, well, bounded, confined, and regular."""

import re
import sys
from datetime import timedelta
from pathlib import Path

from pco.checks import Finding, Site, checks, fail, not_applicable, ok, unseen, warn, worst
from pco.ground import polled, times
from pco.ground.errors import PcoError
from pco.outside import rates, units

NO_SYSTEMD = "this pco does not run under systemd"
WANTED = (
    *("pco.target", "pco-watch.service", "pco-poll.timer", "pco-launch.path", "pco-launch.timer", "pco-post.path"),
    *("pco-post.timer", "pco-dashboard.path", "pco-dashboard.timer"),
)
# Tenths of systemd's measure, as tests/system/test_exposure.py has them.
NETWORK, NEAR, ALONE = 1.1, 0.6, 0.4
BARS = dict.fromkeys(("pco-poll", "pco-launch", "pco-post", "pco-session@"), NETWORK)
BARS |= dict.fromkeys(("pco-attach@", "pco-collect@", "pco-collect-failed@"), NEAR)
MEMORY, QUOTA = 512 << 20, 1_000_000  # of the tools, bytes and microseconds a second
UNBOUND = ("infinity", "", str((1 << 64) - 1))
POLLS = timedelta(seconds=60)
REPEATED = timedelta(hours=1)
START = "sudo systemctl enable --now pco.target"


@checks("1.2")
def present(site: Site) -> Finding:
    """Every unit is loaded, enabled, read anew since it was changed, and understood whole."""
    if not site.systemd:
        return not_applicable(NO_SYSTEMD)
    shown = units.show(*WANTED, properties=("LoadState", "UnitFileState", "NeedDaemonReload", "ActiveState"))
    found = []
    for unit in WANTED:
        facts = shown.get(unit, {})
        if facts.get("LoadState") != "loaded":
            found.append(fail(f"{unit} is {facts.get('LoadState') or 'not there'}", "install pco again"))
        elif facts["UnitFileState"] not in ("enabled", "static", "linked"):
            found.append(fail(f"{unit} is {facts['UnitFileState']}", f"sudo systemctl enable --now {unit}"))
        elif facts["NeedDaemonReload"] == "yes":
            found.append(warn(f"{unit} was changed, and not read since", "sudo systemctl daemon-reload"))
        elif facts["ActiveState"] not in ("active", "activating", "reloading"):
            found.append(fail(f"{unit} is {facts['ActiveState']}", f"sudo systemctl start {unit}"))
    return worst(found) if found else ok(f"{len(WANTED)} units are loaded, enabled and active")


@checks("5.4")
def confined(site: Site) -> Finding:
    """How exposed each service is, beside its bar."""
    if not site.systemd:
        return not_applicable(NO_SYSTEMD)
    levels = {unit: level for unit, level in units.exposure().items() if unit.startswith("pco-")}
    over = [f"{unit} {level} (bar {_bar(unit)})" for unit, level in levels.items() if level > _bar(unit)]
    if over:
        return fail(", ".join(over), "systemctl cat UNIT shows the drop-in that opens it")
    if not levels:
        return unseen("systemd-analyze security tells of no unit of pco")
    most = max(levels, key=lambda unit: levels[unit])
    return ok(f"{len(levels)} services, {most} at most: {levels[most]}")


@checks("12.1")
def bounded(site: Site) -> Finding:
    """Limits of the tools and of sessions, as they are in force."""
    if not site.systemd:
        return not_applicable(NO_SYSTEMD)
    names = ("CPUQuotaPerSecUSec", "MemoryMax", "MemoryLow", "TasksMax")
    shown = units.show("pco-tools.slice", "pco-session@PCO-1.service", properties=names)
    tools, session = shown.get("pco-tools.slice", {}), shown.get("pco-session@PCO-1.service", {})
    edit = "systemctl revert pco-tools.slice"
    if tools.get("MemoryMax", "") in UNBOUND or tools.get("CPUQuotaPerSecUSec", "") in UNBOUND:
        return fail("the tools have no limit of memory or CPU", f"sudo {edit}")
    if session.get("MemoryMax", "") in UNBOUND or session.get("TasksMax", "") in UNBOUND:
        return fail("sessions have no limit of memory or tasks", "sudo systemctl revert pco-session@.service")
    said = f"tools: {_mib(tools['MemoryMax'])}, CPU {tools['CPUQuotaPerSecUSec']}; "
    said += f"each session: {_mib(session['MemoryMax'])}, {session['TasksMax']} tasks"
    if tools.get("MemoryLow") in ("0", ""):
        return warn(f"{said}; no memory is kept for the tools", f"sudo {edit}")
    return ok(said)


@checks("12.2")
def used(site: Site) -> Finding:
    """What memory each unit takes now, and took at most."""
    if not site.systemd:
        return not_applicable(NO_SYSTEMD)
    names = ("MemoryCurrent", "MemoryPeak", "MemoryMax")
    shown = units.show("pco-tools.slice", "pco-sessions.slice", "pco-watch.service", "pco-session@*", properties=names)
    found = []
    for unit, facts in shown.items():
        now, most = facts.get("MemoryCurrent", ""), facts.get("MemoryMax", "")
        if now in UNBOUND or now == "[not set]":
            continue
        peak = facts.get("MemoryPeak", "")
        told = f"{unit} {_mib(now)}" + (f" (at most {_mib(peak)})" if peak.isdigit() and peak not in UNBOUND else "")
        near = most.isdigit() and most not in UNBOUND and int(now) > 0.9 * int(most)
        mend = f"systemctl status {unit}; raise MemoryMax= by systemctl edit {unit}"
        found.append(warn(f"{told}, near its limit {_mib(most)}", mend) if near else ok(told))
    return worst(found) if found else unseen("memory is not accounted", "sudo systemctl start pco.target")


@checks("13.1")
def regular(site: Site) -> Finding:
    """The timer of polls as it is in force, and how many requests are left."""
    if not site.systemd:
        return not_applicable(NO_SYSTEMD)
    names = ("ActiveState", "TimersMonotonic", "TimersCalendar", "LastTriggerUSec", "UnitFileState")
    facts = units.show("pco-poll.timer", properties=names).get("pco-poll.timer", {})
    if facts.get("ActiveState") != "active":
        return fail(
            f"pco-poll.timer is {facts.get('ActiveState', 'not there')}", "sudo systemctl enable --now pco-poll.timer"
        )
    told = re.findall(
        r"On\w+USec=([^;]+?) ;|OnCalendar=([^;]+?) ;",
        facts.get("TimersMonotonic", "") + facts.get("TimersCalendar", ""),
    )
    every = ", ".join(sorted({(a or b).strip() for a, b in told}))
    last = units.calendar(facts["LastTriggerUSec"])
    said = f"every {every or '?'}; last {times.ago(last, site.now) if last else 'never'}{_requests(site)}"
    if last and site.now - last > 10 * POLLS:
        return fail(said, "systemctl status pco-poll.service")
    return ok(said)


@checks("18.1")
def well(site: Site) -> Finding:
    """No unit failed, and none was restarted lately."""
    if not site.systemd:
        return not_applicable(NO_SYSTEMD)
    names = ("ActiveState", "SubState", "NRestarts", "Result", "ActiveEnterTimestamp")
    shown = units.show("pco*", properties=names)
    found = []
    for unit, facts in shown.items():
        if unit.startswith(("pco-session@", "pco-attach@")):
            continue
        if facts.get("ActiveState") == "failed":
            found.append(fail(f"{unit} has failed ({facts.get('Result')})", f"systemctl status {unit}"))
        since = units.calendar(facts.get("ActiveEnterTimestamp", ""))
        if facts.get("NRestarts", "0") not in ("0", "") and since and site.now - since < REPEATED:
            found.append(warn(f"{unit} was restarted {times.ago(since, site.now)}", f"journalctl -u {unit}"))
    if shown.get("pco-watch.service", {}).get("ActiveState") != "active":
        found.append(fail("pco-watch does not run", "sudo systemctl restart pco-watch"))
    return worst(found) if found else ok(f"{len(shown)} units, none failed, none restarted within the hour")


@checks("18.4")
def polls(site: Site) -> Finding:
    """The last poll of each project."""
    found = []
    for project in site.config.plane.projects:
        head = polled.read(site.config.paths.plane, project.id)
        name = head.key or project.key or project.id
        mend = "systemctl status pco-poll; pco-poll -v shows what Plane answers"
        if head.polled_at is None:
            found.append(fail(f"{name} was never polled{f': {head.error}' if head.error else ''}", mend))
        elif not head.fresh(site.now, site.config.health.stale_after):
            found.append(fail(f"{name}: no good poll {_since(site, head)}: {head.error or 'none was tried'}", mend))
        elif head.failed:
            found.append(warn(f"{name}: {head.failed} polls failed since {_since(site, head)}: {head.error}", mend))
        else:
            found.append(ok(f"{name} {_since(site, head)}, {head.total_count} items"))
    return worst(found) if found else fail("no project is configured", "sudo pco-setup")


def library() -> Path:
    """The folder of the modules in use: its time is that of the deployment."""
    return Path(sys.modules["pco"].__file__ or ".").resolve().parent


def _since(site: Site, head: polled.Head) -> str:
    return times.ago(head.polled_at, site.now) if head.polled_at else "never"


def _requests(site: Site) -> str:
    try:
        left = rates.Budget(site.config.paths.plane / "rate.json", site.config.plane.requests_per_minute).left()
    except (PcoError, OSError):
        return ""
    return f"; {left} of {site.config.plane.requests_per_minute} requests of this minute are left"


def _bar(unit: str) -> float:
    name = unit.removesuffix(".service")
    return BARS.get(f"{name.partition('@')[0]}@" if "@" in name else name, ALONE)


def _mib(amount: str) -> str:
    return f"{int(amount) >> 20} MiB" if amount.isdigit() else amount
