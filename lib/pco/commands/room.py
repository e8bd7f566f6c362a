"""Room for sessions: what is left of disks and memory, who is told when it is too little, and the reserves.

pco-launch tells once that there is too little, and once that there is enough again: in between control/short says so.
"""

import os

from pco.ground import reserve
from pco.outside import memory
from pco.outside.runners import Runner, choose
from pco.rules import health
from pco.run import Pco

AUDIT_SHARE = 8  # the reserve beside the audit record is so much smaller: a move is a few lines


def short(pco: Pco, runner: Runner) -> str:
    """What there is too little of for another session; empty if there is enough."""
    limits = pco.config.health
    return "; ".join((*health.disks(disks(pco, runner), limits), *health.memory(memory.available(), limits)))


def disks(pco: Pco, runner: Runner | None = None) -> tuple[health.Disk, ...]:
    """The file systems that pco and its sessions write to, each once, with the free share as df(1) counts."""
    paths = pco.config.paths
    runner = runner or choose(pco.config.sessions.runner, paths.run, paths.trigger)
    found: dict[int, health.Disk] = {}
    for path in (paths.spool, paths.sessions, paths.mirrors, paths.audit, paths.www, *runner.places()):
        try:
            device, facts = os.stat(path).st_dev, os.statvfs(path)
        except OSError:
            continue
        usable = facts.f_blocks - facts.f_bfree + facts.f_bavail
        if device not in found and usable:
            found[device] = health.Disk(str(path), facts.f_bavail / usable)
    return tuple(found.values())


def heed(pco: Pco, why: str) -> None:
    """Tell people that there is too little room for sessions, or enough again: once each time."""
    control = pco.spool.control
    if bool(why) == bool(control.short()):
        return
    event, fields = ("short of room", {"why": why}) if why else ("room again", {})
    try:
        control.set_short(why, pco.now())
    except OSError as error:
        pco.log("warning", f"that there is too little room is told again: {error.strerror}")
    pco.announce(event, None, fields)
    control.wake("dashboard")


def keep_reserves(pco: Pco) -> None:
    """Fill the reserves again that a full disk took, once there is room."""
    paths, size = pco.config.paths, pco.config.health.reserve
    for folder, wanted in ((paths.spool, size), (paths.audit, size // AUDIT_SHARE)):
        try:
            if reserve.keep(folder, wanted):
                pco.log("info", f"{folder / reserve.NAME}: {wanted >> 20} MiB are kept for a full disk")
        except OSError as error:
            pco.log("warning", f"{folder / reserve.NAME}: no room is kept for a full disk: {error.strerror}")


def fits(pco: Pco) -> int | None:
    """How many sessions more the memory has room for; None if that is unknown, or not asked for."""
    free, each = memory.available(), pco.config.health.memory_free
    return None if free is None or not each else free // each
