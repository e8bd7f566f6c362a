"""How test tickets are set going: by pco-queue as a person would call it, by units, or where none run by hand."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from pco.ground.errors import SystemFault
from pco.ground.ticket import State
from pco.outside import process, units
from pco.run import Pco

POLL = timedelta(minutes=3)
CREDENTIALS = "/etc/pco/credentials"  # those of the units


def units_do_it(pco: Pco) -> bool:
    """Whether units start what has work, as on an installed system; else it is started from here."""
    return units.running() and pco.config.paths.root is None


def credentials(pco: Pco) -> str:
    """The folder with the credentials of units: this unit's own, or, for root, where systemd takes them from."""
    own = os.environ.get("CREDENTIALS_DIRECTORY", "")
    return own or (CREDENTIALS if os.geteuid() == 0 and units_do_it(pco) else "")


@contextmanager
def as_queue(pco: Pco, verb: str) -> Iterator[Pco]:
    """pco-queue, as the person who runs this would call it, and silent.  Raises SystemFault if it failed."""
    queue = Pco("pco-queue")
    queue.config_file, queue.verb, queue.loudness = str(pco.config_path), verb, -1
    yield queue
    if queue.trouble:
        raise SystemFault(f"pco-queue {verb} failed", f"journalctl -t pco-queue -n 20; pco-queue {verb}")


def start(pco: Pco, where: dict[str, State | None]) -> None:
    """Where no units run: what they would have started."""
    for program, state in (("pco-launch", State.APPROVED), ("pco-post", State.OUTBOX)):
        keys = [key for key, there in where.items() if there is state]
        if keys:
            run(pco, program, *keys)


def poll(pco: Pco) -> None:
    """A poll now; where a unit does it and this is not root, that of the timer comes."""
    if not units_do_it(pco):
        run(pco, "pco-poll")
    elif os.geteuid() == 0:
        process.run(["systemctl", "start", "pco-poll.service"], {"PATH": os.defpath}, POLL)


def run(pco: Pco, program: str, *words: str, within: timedelta = POLL) -> process.Result:
    """A program of this pco, as whoever runs this."""
    path = Path(sys.argv[0]).resolve().with_name(program)
    environment = {**os.environ, "PCO_CONFIG": str(pco.config_path)}
    return process.run([sys.executable, str(path), *words], environment, within)
