"""What is known of pco's health as the pages are made: polls, disks, locks, units, the pause."""

import fcntl
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pco.commands import purse, room
from pco.ground import delivered, polled, text, times
from pco.ground.errors import BadData, PcoError, SystemFault
from pco.ground.polled import Head
from pco.ground.ticket import State
from pco.outside import memory, units
from pco.pages.clock import Clock
from pco.rules import health
from pco.rules.budget import Purse
from pco.run import Pco

Seen = dict[str, Any]


def clock(pco: Pco) -> Clock:
    """Now, and the zone that people read times in."""
    from zoneinfo import ZoneInfo

    named = pco.config.display.timezone
    return Clock(pco.now(), None if named == "local" else ZoneInfo(named), named)


def heads(pco: Pco) -> tuple[tuple[Head, ...], tuple[str, ...]]:
    """The configured projects as the last poll saw them, and complaints about those that cannot be read."""
    found, complaints = [], []
    for project in pco.config.plane.projects:
        try:
            found.append(polled.read(pco.config.paths.plane, project.id))
        except (BadData, SystemFault) as error:
            complaints.append(str(error))
    return tuple(found), tuple(complaints)


def gather(pco: Pco, now: datetime, seen: Seen, polls: tuple[Head, ...], bad: tuple[str, ...]) -> health.Facts:
    """All that health is judged by; `seen` are the open tickets as `opened` remembers them, `bad` complaints so far."""
    cards = [entry["card"] for entry in seen.values()]
    sending = [card for card in cards if card["state"] == State.OUTBOX]
    money, unknown = spent(pco)
    bad_cards = [card for card in cards if card.get("reason") and card["state"] != State.CORRUPT]
    broken = [f"{card['key']}: {card['reason']}" for card in bad_cards]
    return health.Facts(
        now=now,
        heads=polls,
        disks=room.disks(pco),
        memory=memory.available(),
        corrupt=tuple(sorted(card["key"] for card in cards if card["state"] == State.CORRUPT)),
        outbox=tuple((card["key"], times.parse_time(card["since"])) for card in sending if card.get("since")),
        unreadable=(*bad, *broken, *unknown),
        watching=watching(pco.config.paths.spool),
        watched=watched(pco.config.paths.spool),
        failed=units.failed(),
        paused=pco.spool.control.paused(),
        purse=money,
        unheard=unheard(pco),
    )


def spent(pco: Pco) -> tuple[Purse, tuple[str, ...]]:
    """What may be spent today and what was, and complaints about what cannot be read of it."""
    try:
        return purse.read(pco), ()
    except PcoError as error:
        return Purse(), (str(error),)


def unheard(pco: Pco) -> tuple[tuple[str, datetime, str], ...]:
    """The ways on which messages to people were given up.  What cannot be read is pco-notify's to begin anew."""
    try:
        ways = delivered.read(pco.config.paths.metrics).ways
    except (BadData, OSError):
        return ()
    return tuple((name, way.given_up, text.line(way.said, 200)) for name, way in ways.items() if way.given_up)


def watching(spool: Path) -> bool | None:
    """Whether pco-watch is alive: it holds spool/.watch.lock for as long as it lives.  None if that cannot be told.

    A shared lock, asked for without waiting and given back at once, is refused as long as somebody holds the lock.
    """
    try:
        handle = os.open(spool / ".watch.lock", os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return None
    finally:
        os.close(handle)
    return False


def watched(spool: Path) -> datetime | None:
    """When pco-watch last made progress: it says so by the time of its lock.  None if that cannot be told."""
    try:
        return datetime.fromtimestamp(os.lstat(spool / ".watch.lock").st_mtime, UTC)
    except OSError:
        return None
