"""systemd's units, by systemctl: for people who set pco up, and for the board, which says what has failed."""

import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pco.ground.errors import PcoError, SystemFault
from pco.outside import process

_PATIENCE = timedelta(minutes=3)  # pco-watch may take two to start
_BRIEFLY = timedelta(seconds=5)
# A session that fails is its ticket's affair, and a person's terminal that breaks is nobody's.
OTHERS = ("pco-session@", "pco-attach@")
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC", "SYSTEMD_PAGER": "", "SYSTEMD_COLORS": "0"}


def running() -> bool:
    """Whether this machine runs under systemd (sd_booted(3))."""
    return Path("/run/systemd/system").is_dir()


def exists(unit: str) -> bool:
    """Whether systemd knows a unit file of that name."""
    return bool(_systemctl("list-unit-files", "--no-legend", unit).out.strip())


def enabled(unit: str) -> bool:
    """Whether a unit starts with the machine."""
    return _systemctl("is-enabled", "--quiet", unit).code == 0


def active(unit: str) -> bool:
    """Whether a unit runs now."""
    return _systemctl("is-active", "--quiet", unit).code == 0


def enable(unit: str) -> None:
    """Start a unit now and with the machine.  Raises SystemFault."""
    if not enabled(unit):
        # Else left alone: it would enable parts of a target, too, that somebody disabled for good.
        _done(_systemctl("enable", "--quiet", unit), f"systemctl enable {unit}")
    _done(_systemctl("start", unit), f"systemctl start {unit}")


def restart(unit: str) -> None:
    """Restart a unit if it runs.  Raises SystemFault."""
    _done(_systemctl("try-restart", unit), f"systemctl try-restart {unit}")


def status(*units: str) -> str:
    """What `systemctl status` says."""
    return _systemctl("status", "--no-pager", "--lines=0", *units).out.decode("utf-8", "replace")


def _asked() -> bool:
    """Whether this is a unit itself: only then do systemd's units belong to this pco."""
    # Not INVOCATION_ID: a desktop's terminal hands that down, and a checkout would tell of the installed pco.
    return os.environ.get("SYSTEMD_EXEC_PID") == str(os.getpid())


def next_start(timer: str) -> datetime | None:
    """When a timer will start its unit; None when this is no unit itself, or systemd does not say."""
    if not _asked():
        return None
    try:
        found = show(timer, properties=("NextElapseUSecRealtime", "TimersCalendar", "SubState")).get(timer, {})
        if found.get("SubState") != "running":
            return calendar(found.get("NextElapseUSecRealtime", ""))
        # While its unit runs, systemd does not say when it comes next: what it goes by does.
        given = re.findall(r"OnCalendar=([^;{}]+?) ;", found.get("TimersCalendar", ""))
        after = [_next_of(one) for one in given[:10]]
        return min((at for at in after if at), default=None)
    except PcoError:
        return None


def _next_of(given: str) -> datetime | None:
    """When a calendar event (systemd.time(7)) is next.  Raises SystemFault."""
    said = process.run(["systemd-analyze", "calendar", "--", given], _ENVIRONMENT, _BRIEFLY).out.decode(
        "utf-8", "replace"
    )
    return calendar(said.partition("Next elapse:")[2])


def failed() -> tuple[str, ...] | None:
    """The units of pco that have failed; None when this is no unit itself, or systemd does not answer."""
    if not _asked():
        return None
    try:
        said = _systemctl("list-units", "--state=failed", "--plain", "--no-legend", "--full", "pco*", patience=_BRIEFLY)
    except PcoError:
        return None
    names = [line.split()[0] for line in said.out.decode("utf-8", "replace").splitlines() if line.strip()]
    return None if said.code else tuple(sorted(name for name in names if not name.startswith(OTHERS)))


def at_work() -> tuple[str, ...]:
    """The units of pco that run, or start others; not what only tells, tries a backup, or lets people attach."""
    states = "--state=active,activating,reloading,deactivating"
    said = _systemctl("list-units", states, "--plain", "--no-legend", "--full", "pco*")
    _done(said, "systemctl list-units")
    names = [line.split()[0] for line in said.out.decode("utf-8", "replace").splitlines() if line.strip()]
    idle = ("pco-stale.", "pco-alert@", "pco-attach@", "pco-restore", "pco-offsite.", "pco-notify")
    return tuple(sorted(n for n in names if not n.startswith(idle) and not n.endswith(".slice")))


def _systemctl(*words: str, patience: timedelta = _PATIENCE) -> process.Result:
    return process.run(["systemctl", *words], _ENVIRONMENT, patience)


def _done(result: process.Result, what: str) -> None:
    if result.code != 0:
        said = " ".join(result.error.split()) or f"exit {result.code}"
        raise SystemFault(f"{what}: {said}", "journalctl -xe says more")


def show(*units: str, properties: tuple[str, ...]) -> dict[str, dict[str, str]]:
    """Properties of units, also of patterns and of instances that never ran, by name.  Raises SystemFault."""
    wanted = ",".join(("Id", *properties))
    said = _systemctl("show", "--all", "--timestamp=us", f"--property={wanted}", "--", *units, patience=_BRIEFLY)
    _done(said, "systemctl show")
    found = {}
    for block in said.out.decode("utf-8", "replace").split("\n\n"):
        values = dict(line.partition("=")[::2] for line in block.splitlines() if "=" in line)
        if values.get("Id"):
            found[values["Id"]] = values
    return found


def exposure(*units: str) -> dict[str, float]:
    """How exposed each of these units is as systemd judges it, 0 to 10 (systemd-analyze(1)).  Raises PcoError."""
    said = process.run(["systemd-analyze", "security", "--no-pager", *units], _ENVIRONMENT, _BRIEFLY)
    found = re.findall(r"Overall exposure level for (\S+): ([0-9.]+)", said.out.decode("utf-8", "replace"))
    return {unit: float(level) for unit, level in found}


def calendar(moment: str) -> datetime | None:
    """A time as systemd prints it here, such as `Sat 2026-11-28 20:00:00.123456 UTC`; None for n/a."""
    found = re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{6})?(?= UTC)", moment)
    return datetime.fromisoformat(found[0]).replace(tzinfo=UTC) if found else None
