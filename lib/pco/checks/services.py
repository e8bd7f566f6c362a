"""systemd's units: whether they are there, well, bounded, confined, and regular."""

import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pco.checks import Finding, Site, checks, fail, logged, not_applicable, ok, unseen, warn, worst
from pco.checks.asked import FILES, INSTANCE, exposure, installed, properties
from pco.ground import polled, text, times
from pco.ground.errors import NotPermitted, PcoError
from pco.outside import rates, units

NO_SYSTEMD = "this pco does not run under systemd"
TARGET, WATCHER, POLLS = "pco.target", "pco-watch.service", "pco-poll.timer"
STALE = "pco-stale.timer"  # no part of the target: it tells when that is stopped
PUSHING = ("pco-push.path", "pco-push.timer")
# As systemd judges exposure, 0 to 10.  To Plane, to repositories, to a model: these need a network.
NETWORK = 1.1
NEAR = 0.6  # beside what sessions write
ALONE = 0.4
REMOTE = ("pco-poll", "pco-launch", "pco-post", "pco-push", "pco-notify", "pco-offsite", "pco-session@")
BARS = dict.fromkeys(REMOTE, NETWORK)
BARS |= dict.fromkeys(("pco-attach@", "pco-collect@", "pco-collect-failed@"), NEAR)
SESSION = f"pco-session@{INSTANCE}.service"
COUNTED = ("pco-tools.slice", "pco-sessions.slice", WATCHER, "pco-session@")
UNBOUND = ("infinity", "", str((1 << 64) - 1))
REPEATED = timedelta(hours=1)
SILENT = timedelta(seconds=100)  # pco-watch says each minute that it lives; systemd kills it after two
START = f"sudo systemctl enable --now {TARGET}"


@checks("1.2")
def present(site: Site) -> Finding:
    """Every unit is loaded, enabled, active, read anew since it was changed, understood whole, of this version."""
    if not site.systemd:
        return not_applicable(NO_SYSTEMD)
    wanted = _wanted(site)
    if WATCHER not in wanted:
        return fail("systemd knows no unit of pco", "install pco again; then: sudo systemctl daemon-reload")
    shown = properties(site)
    found = list(_standing(wanted, shown))
    begun = units.calendar(shown.get(WATCHER, {}).get("ActiveEnterTimestamp", ""))
    if begun and begun < deployed():
        found.append(warn("pco-watch is of the version before", "sudo systemctl restart pco-watch"))
    found += _ignored(site)
    return worst(found) if found else ok(f"{text.count(len(wanted), 'unit')} are loaded, enabled and active")


@checks("5.4")
def confined(site: Site) -> Finding:
    """How exposed each service is, beside its bar."""
    if not site.systemd:
        return not_applicable(NO_SYSTEMD)
    services = [unit for unit in installed(site) if unit.endswith(".service")]
    levels = exposure(site)
    over = {unit: level for unit, level in levels.items() if level > bar(unit)}
    if over:
        first = next(iter(over)).replace(f"@{INSTANCE}.", "@.")
        said = ", ".join(f"{unit} {level} (bar {bar(unit)})" for unit, level in over.items())
        return fail(said, f"systemctl cat {first} shows what opens it; sudo systemctl revert {first} takes it back")
    if len(levels) < len(services) or not levels:
        return unseen("systemd-analyze security does not tell of all units of pco")
    most = max(levels, key=lambda unit: levels[unit])
    return ok(f"{text.count(len(levels), 'service')}, {most} at most: {levels[most]}")


@checks("12.1")
def bounded(site: Site) -> Finding:
    """Limits of the tools and of sessions, as they are in force, and that the kernel enforces them."""
    if not site.systemd:
        return not_applicable(NO_SYSTEMD)
    shown = properties(site)
    tools, session = shown.get("pco-tools.slice", {}), shown.get(SESSION, {})
    edit = "sudo systemctl revert pco-tools.slice"
    if tools.get("MemoryMax", "") in UNBOUND or tools.get("CPUQuotaPerSecUSec", "") in UNBOUND:
        return fail("the tools have no limit of memory or CPU", edit)
    if session.get("MemoryMax", "") in UNBOUND or session.get("TasksMax", "") in UNBOUND:
        return fail("sessions have no limit of memory or tasks", "sudo systemctl revert pco-session@.service")
    if idle := _not_enforced(site):
        return fail(
            f"the kernel does not limit {' and '.join(idle)} here", "boot with systemd.unified_cgroup_hierarchy=1"
        )
    said = f"tools: {_mib(tools['MemoryMax'])}, CPU {tools['CPUQuotaPerSecUSec']} a second; "
    said += f"each session: {_mib(session['MemoryMax'])}, {session['TasksMax']} tasks"
    if tools.get("MemoryLow") in ("0", ""):
        return warn(f"{said}; no memory is kept for the tools", edit)
    return ok(said)


@checks("12.2")
def used(site: Site) -> Finding:
    """What memory each unit takes now, and took at most."""
    if not site.systemd:
        return not_applicable(NO_SYSTEMD)
    found = []
    for unit, facts in properties(site).items():
        if not unit.startswith(COUNTED):
            continue
        now, most = facts.get("MemoryCurrent", ""), facts.get("MemoryMax", "")
        if not now.isdigit() or now in UNBOUND:
            continue
        peak = _peak(site, facts.get("ControlGroup", ""))
        told = f"{unit} {_mib(now)}" + (f" (at most {_mib(peak)})" if peak else "")
        near = most.isdigit() and most not in UNBOUND and int(now) > 0.9 * int(most)
        mend = f"sudo systemctl set-property {unit} MemoryMax={int(most) * 2}" if near else ""
        found.append(warn(f"{told}, near its limit {_mib(most)}", mend) if near else ok(told))
    return worst(found) if found else unseen("nothing of pco runs whose memory is counted", START)


@checks("13.1")
def regular(site: Site) -> Finding:
    """The timer of polls as it is in force, its last and next run, and how many requests are left."""
    if not site.systemd:
        return not_applicable(NO_SYSTEMD)
    facts = properties(site).get(POLLS, {})
    if facts.get("ActiveState") != "active" or facts.get("SubState") == "elapsed":
        said = f"{POLLS} is {facts.get('ActiveState', 'not there')} ({facts.get('SubState', '')})"
        return fail(said, f"sudo systemctl enable --now {POLLS} && sudo systemctl restart {POLLS}")
    told = re.findall(r"On\w+=([^;]+?) ;", facts.get("TimersMonotonic", "") + facts.get("TimersCalendar", ""))
    every = ", ".join(sorted({one.strip() for one in told}))
    last, next_ = (units.calendar(facts.get(name, "")) for name in ("LastTriggerUSec", "NextElapseUSecRealtime"))
    running = facts.get("SubState") == "running"
    then = "runs now" if running else f"next {times.ago(next_, site.now)}" if next_ else "next after this one"
    said = f"{every or '?'}; last {times.ago(last, site.now) if last else 'never'}, {then}{_requests(site)}"
    if last and site.now - last > site.config.health.stale_after and not running:
        return fail(said, f"sudo systemctl revert {POLLS} && sudo systemctl restart {POLLS}")
    return ok(said)


@checks("18.1")
def well(site: Site) -> Finding:
    """No unit failed, none was restarted lately, and pco-watch lives."""
    if not site.systemd:
        return not_applicable(NO_SYSTEMD)
    shown = properties(site)
    found = []
    for unit, facts in shown.items():
        if unit.startswith(units.OTHERS):
            continue
        if facts.get("ActiveState") == "failed":
            mend = f"systemctl status {unit} says why; then: sudo systemctl reset-failed {unit}"
            found.append(fail(f"{unit} has failed ({facts.get('Result')})", mend))
        since = units.calendar(facts.get("ActiveEnterTimestamp", ""))
        if facts.get("NRestarts", "0") not in ("0", "") and since and site.now - since < REPEATED:
            found.append(warn(f"{unit} was restarted {times.ago(since, site.now)}", f"journalctl -u {unit}"))
    found += _watching(site, shown.get(WATCHER, {}))
    return (
        worst(found) if found else ok(f"{text.count(len(shown), 'unit')}, none failed, none restarted within the hour")
    )


@checks("18.4")
def polls(site: Site) -> Finding:
    """The last poll of each project."""
    found = []
    for project in site.config.plane.projects:
        head = polled.read(site.config.paths.plane, project.id)
        name = head.key or project.key or project.id
        mend = "sudo systemctl start pco-poll; journalctl -u pco-poll -n 20" if site.systemd else "pco-poll -v"
        if head.polled_at is None:
            found.append(fail(f"{name} was never polled{f': {head.error}' if head.error else ''}", mend))
        elif head.ahead(site.now):
            found.append(fail(f"{name}: the clock went back after the last good poll", mend))
        elif not head.fresh(site.now, site.config.health.stale_after):
            ago = times.ago(head.polled_at, site.now)
            found.append(fail(f"{name}: the last good poll was {ago}: {head.error or 'none was tried'}", mend))
        elif head.failed:
            found.append(warn(f"{name}: {text.count(head.failed, 'poll')} failed since then: {head.error}", mend))
        else:
            found.append(ok(f"{name} {times.ago(head.polled_at, site.now)}, {head.total_count} items"))
    return worst(found) if found else fail("no project is configured", "sudo pco-setup")


def deployed() -> datetime:
    """When the modules in use came to this machine: packages keep the time at which a file was written elsewhere."""
    return datetime.fromtimestamp(Path(sys.modules["pco"].__file__ or ".").stat().st_ctime, UTC)


def bar(unit: str) -> float:
    """How exposed a service may be."""
    name = unit.removesuffix(".service")
    return BARS.get(f"{name.partition('@')[0]}@" if "@" in name else name, ALONE)


def _wanted(site: Site) -> list[str]:
    """The units that must be enabled and active: all that pco.target brings, and what the configuration needs."""
    also = ""
    for top in reversed(FILES):
        path = site.at(top) / TARGET
        if path.is_file():
            also = " ".join(re.findall(r"^Also=(.*)", path.read_text(errors="replace"), re.M))
    if not also:
        return []
    pushing = PUSHING if any(project.push for project in site.config.plane.projects) else ()
    return sorted({TARGET, STALE, *also.split(), *pushing})


def _standing(wanted: list[str], shown: dict[str, dict[str, str]]) -> Iterator[Finding]:
    """What is wrong with units, each kind of it with one command for all."""
    kinds: dict[str, list[str]] = {}
    for unit in wanted:
        facts = shown.get(unit, {})
        if facts.get("LoadState") != "loaded":
            kinds.setdefault("unmask", []).append(unit)
        elif facts.get("UnitFileState") not in ("enabled", "static", "linked"):
            kinds.setdefault("enable --now", []).append(unit)
        elif facts.get("ActiveState") not in ("active", "activating", "reloading"):
            kinds.setdefault("start", []).append(unit)
        elif facts.get("NeedDaemonReload") == "yes":
            kinds.setdefault("daemon-reload", []).append(unit)
    says = {"unmask": "cannot be loaded", "enable --now": "disabled", "start": "not active"}
    for verb, names in kinds.items():
        if verb == "unmask":
            named = " ".join(names)
            mend = f"sudo systemctl unmask {named} && sudo systemctl unmask --runtime {named}"
            yield fail(f"{says[verb]}: {', '.join(names)}", mend)
        elif verb in says:
            yield fail(f"{says[verb]}: {', '.join(names)}", f"sudo systemctl {verb} {' '.join(names)}")
        else:
            yield warn(f"changed, and not read since: {', '.join(names)}", "sudo systemctl daemon-reload")


def _ignored(site: Site) -> Iterator[Finding]:
    """What systemd said of lines in units that it does not know, unless the file was changed since."""
    try:
        said = logged.complaints(site)
    except NotPermitted:
        return
    for path, at, message in said:
        try:
            changed = datetime.fromtimestamp(Path(path).stat().st_mtime, UTC)
        except OSError:
            continue
        if at > changed:
            yield warn(text.line(message, 200), f"sudoedit {path} && sudo systemctl daemon-reload")


def _watching(site: Site, facts: dict[str, str]) -> Iterator[Finding]:
    mend = "sudo systemctl restart pco-watch"
    if facts.get("ActiveState") != "active":
        yield fail(f"pco-watch does not run ({facts.get('ActiveState') or 'not there'})", mend)
        return
    alive = units.calendar(facts.get("WatchdogTimestamp", ""))
    if alive and site.now - alive > SILENT:
        yield fail(f"pco-watch hangs: it was last heard of {times.ago(alive, site.now)}", mend)
    elif _stopped(site, facts.get("MainPID", "")):
        yield fail("pco-watch was stopped by a signal, and does nothing", mend)


def _stopped(site: Site, pid: str) -> bool:
    try:
        return site.at(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][:1] in ("T", "t")
    except OSError:
        return False


def _not_enforced(site: Site) -> list[str]:
    """What systemd can set and the kernel does not keep: its controllers are not there (cgroups(7))."""
    groups = site.at("/sys/fs/cgroup")
    try:
        there = (groups / "cgroup.controllers").read_text().split()
    except OSError:
        there = [path.name for path in groups.glob("*")] + ["cpu"] * (groups / "cpu,cpuacct").exists()
    return [name for name in ("memory", "cpu") if name not in there]


def _peak(site: Site, group: str) -> str:
    """The most that a control group ever took, in bytes, where the kernel tells it."""
    groups = site.at("/sys/fs/cgroup")
    for path in (f"{group}/memory.peak", f"memory{group}/memory.max_usage_in_bytes"):
        try:
            return (groups / path.lstrip("/")).read_text().strip()
        except OSError:
            continue
    return ""


def _requests(site: Site) -> str:
    try:
        left = rates.Budget(site.config.paths.plane / "rate.json", site.config.plane.requests_per_minute).left()
    except (PcoError, OSError):
        return ""
    return f"; {left} of {site.config.plane.requests_per_minute} requests of this minute are left"


def _mib(amount: str) -> str:
    return f"{int(amount) >> 20} MiB" if amount.isdigit() else amount
