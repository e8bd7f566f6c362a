"""Take in what a session left, once its unit has ended: run by systemd, never by a person.

How the unit ended (MONITOR_SERVICE_RESULT and its like, systemd.exec(5)) becomes result.json of the attempt.  What is
small of its out/, hostile input, is copied beside it, so that it outlives the session's own folder and the group can
read it.  In the end pco-watch is rung, which fetches the commits itself.
"""

import os
from contextlib import suppress
from pathlib import Path

import click

from pco.command import command
from pco.ground import attempt, durable, events, leavings
from pco.ground.attempt import Result
from pco.ground.errors import BadData, PcoError, SystemFault
from pco.ground.ticket import KEY
from pco.run import Pco

SMALL = {
    **dict.fromkeys(("birth", "exit", "account", "trouble"), leavings.MOST_SMALL),
    "life": 64,
    "screen": leavings.MOST_SCREEN,
    "result": leavings.MOST_RESULT,
}
MOST_EVENTS = 1_000
MOST_BYTES = 16 << 20  # of all events


@command
@click.argument("key", metavar="KEY")
def main(pco: Pco, key: str) -> None:
    """Take in what the session of KEY left.

    \b
    Examples:
      pco-collect WEB-12    as pco-collect@WEB-12.service runs it after pco-session@WEB-12.service
    """
    if not KEY.fullmatch(key):
        raise BadData(f"{key[:40]!r} is no ticket key")
    home = (pco.config.paths.sessions / key / "current").resolve()
    try:
        attempt.write_result(home, ended(pco))
    except OSError as error:
        pco.fail(SystemFault(f"{home}: {error.strerror}"), key)
    try:
        keep(Path(attempt.read_launch(home).out), home / "out")
    except (PcoError, OSError) as error:
        pco.log("warning", f"what its session left cannot be kept: {error}", key)
    events.ring(str(pco.config.paths.trigger))


def ended(pco: Pco) -> Result:
    """How the unit ended, as systemd tells the unit that it starts after it."""
    told = {name: os.environ.get(f"MONITOR_{name}", "") for name in ("SERVICE_RESULT", "EXIT_CODE", "EXIT_STATUS")}
    return Result(pco.now(), told["SERVICE_RESULT"] or "unknown", told["EXIT_CODE"], told["EXIT_STATUS"])


def keep(out: Path, to: Path) -> None:
    """Copy what is small of `out`; what is strange there is passed over.  Raises OSError."""
    source = leavings.open_out(out)
    try:
        for folder in (to, to / "events"):
            folder.mkdir(0o750, exist_ok=True)  # members read what is kept here; nobody else than pco writes it
        for name, most in SMALL.items():
            with suppress(BadData, FileNotFoundError):
                durable.replace(to / name, durable.read(name, most, source), 0o644)
        _keep_events(source, to / "events")
    finally:
        os.close(source)


def _keep_events(source: int, to: Path) -> None:
    room = MOST_BYTES
    for name in leavings.event_names(source)[-MOST_EVENTS:]:
        with suppress(BadData):
            data = leavings.read_event(source, name)
            room -= len(data)
            if room < 0:
                break
            durable.replace(to / name, data, 0o640)
