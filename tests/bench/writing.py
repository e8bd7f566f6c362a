"""What it costs that 1,000 tickets are durable."""

import itertools
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from bench.measure import Figure, a_site, beside, file_system, in_turns, placed, scratch
from pco.ground.record import to_bytes
from pco.ground.ticket import State
from support import a_ticket

TICKETS = 1000


def durable(folder: Path) -> Iterator[Figure]:
    """Tickets created by the spool, beside a bare loop that writes, flushes, renames, and flushes the folder."""
    with scratch(folder) as home:
        rounds = itertools.count()
        model = a_ticket("WEB-1", description="Do it. " * 80, description_html=f"<p>{'Do it. ' * 80}</p>")

        def spooled() -> None:
            spool = a_site(home / f"spooled{next(rounds)}").spool()
            made = spool.create_all([replace(model, key=f"WEB-{n}") for n in range(TICKETS)])
            assert len(made) == TICKETS

        def bare() -> None:
            site = a_site(home / f"bare{next(rounds)}")
            data = to_bytes(placed(model, State.PENDING))
            for n in range(TICKETS):
                write(site.home / "spool" / "tmp" / f"{n}", site.home / "spool" / "pending" / f"{n}.json", data)

        value, floor = in_turns(5, spooled, bare)
        what = f"the same bytes by a bare loop on {file_system(home)}"
    yield beside("1000 polled tickets made durable", value, floor, 2.5, what)


def write(temporary: Path, path: Path, data: bytes) -> None:
    """One file, as durable as it can be."""
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o660)
    os.write(handle, data)
    os.fsync(handle)
    os.close(handle)
    os.rename(temporary, path)
    handle = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(handle)
    os.close(handle)
