"""What systemd shows of units, asked once for all checks, and by `ahead` before they are there: it takes longest."""

from collections.abc import Callable
from contextlib import suppress
from threading import Thread

from pco.checks import Site
from pco.ground.errors import PcoError
from pco.outside import units

INSTANCE = "PCO-0"  # of a template: of no ticket
FILES = ("/etc/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system")
SUFFIXES = (".target", ".service", ".timer", ".path", ".socket", ".slice")
PROPERTIES = (
    *("LoadState", "UnitFileState", "NeedDaemonReload", "ActiveState", "SubState", "ActiveEnterTimestamp", "Result"),
    *("NRestarts", "WatchdogTimestamp", "MainPID", "ControlGroup", "MemoryCurrent", "MemoryMax", "MemoryLow"),
    *("CPUQuotaPerSecUSec", "TasksMax", "TimersMonotonic", "TimersCalendar", "LastTriggerUSec"),
    *("NextElapseUSecRealtime", "OnFailure"),
)
CERTIFIERS = ("certbot.timer", "snap.certbot.renew.timer", "acme.timer", "dehydrated.timer", "lego.timer")
ROTATOR = "logrotate.timer"


def installed(site: Site) -> list[str]:
    """The unit files of pco; systemctl would take long to list them."""
    return sorted({path.name for top in FILES for path in site.at(top).glob("pco*.*") if path.suffix in SUFFIXES})


def properties(site: Site) -> dict[str, dict[str, str]]:
    """Properties of all units of pco, those that run and those that are installed."""
    return {unit: facts for unit, facts in _shown(site).items() if unit.startswith("pco")}


def runs(site: Site, *others: str) -> str:
    """The first of these timers of others that is active; empty if none is."""
    shown = _shown(site)
    return next((unit for unit in others if shown.get(unit, {}).get("ActiveState") == "active"), "")


def exposure(site: Site) -> dict[str, float]:
    """How exposed each service of pco is."""
    names = [unit.replace("@.", f"@{INSTANCE}.") for unit in installed(site) if unit.endswith(".service")]
    return site.once("exposure", lambda: units.exposure(*names))


def ahead(site: Site) -> None:
    """Begin what systemd takes longest to answer, for the checks that will ask for it."""

    def ask(question: Callable[[Site], object]) -> None:
        with suppress(PcoError, OSError):  # the checks are told, too
            question(site)

    if site.systemd:
        for question in (_shown, exposure):
            Thread(target=ask, args=(question,), daemon=True).start()


def _shown(site: Site) -> dict[str, dict[str, str]]:
    """What systemd shows of units of pco, and of others that checks ask about: it is asked once."""

    def ask() -> dict[str, dict[str, str]]:
        names = (unit.replace("@.", f"@{INSTANCE}.") for unit in installed(site))
        return units.show("pco*", *names, *CERTIFIERS, ROTATOR, properties=PROPERTIES)

    return site.once("units", ask)
