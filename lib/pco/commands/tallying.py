"""What a run of a program has done, added to the program's tally for monitoring."""

from collections.abc import Iterable
from dataclasses import astuple
from typing import TYPE_CHECKING

from pco.ground import tally
from pco.ground.errors import BadData, PcoError
from pco.ground.tally import Tally
from pco.rules import counting
from pco.run import Pco

if TYPE_CHECKING:
    from pco.outside.plane import Plane


def of_requests(clients: "Iterable[Plane]") -> Tally:
    """The requests that these clients have sent."""
    made = Tally()
    for plane in clients:
        for call in plane.calls:
            counting.of_call(made, *astuple(call))
        made.count(counting.TURN_SECONDS, plane.waited)
    return made


def keep(pco: Pco, made: Tally) -> None:
    """Add it to what the program, which is alone, has counted before.  Not to be counted is no reason to fail."""
    metrics, program = pco.config.paths.metrics, pco.program.removeprefix("pco-")
    try:
        known = recall(pco, program)
        known.add(made)
        tally.write(metrics, program, known)
    except PcoError as error:
        pco.log("warning", f"this run is not counted: {error}")


def recall(pco: Pco, program: str) -> Tally:
    """What the program, which is alone, has counted; what cannot be read is laid aside.  Raises PcoError."""
    metrics = pco.config.paths.metrics
    try:
        return tally.read(metrics, program)
    except BadData as error:
        pco.log("warning", f"{error}; laid aside: its counts begin at nothing again")
        tally.lay_aside(metrics, program)
        return Tally()
