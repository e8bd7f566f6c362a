"""What programs have counted: tally/PROGRAM.json in paths.metrics, each written by one program, one run at a time.

    {"schema": 1, "counts": {"plane_api_retry_total": {"operation=\\"list_states\\"": 3}},
     "spans": {"plane_session_duration_seconds": {"": {"60": 2, "300": 1, "+Inf": 1, "sum": 4711.5}}},
     "mark": {"2026-11": 52311}}

`counts` grow by what is added to them, `spans` are histograms: how many were at most so long (but longer than the next
smaller bound), and the sum.  Both have their labels as Prometheus writes them.  `mark` is how far its owner has read
what it counts; since it is written with the counts, all is counted once, whenever its owner is killed.

A run adds what it did at its end.  Killed before, it is missing; no count ever falls, and none is lost later.
"""

import json
import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pco.ground import durable, text
from pco.ground.errors import BadConfig, BadData, SystemFault

SCHEMA = 1
FOLDER = "tally"
MOST_BYTES = 16 << 20
INFINITE = "+Inf"
SUM = "sum"
_MOST = 1e300  # whole numbers beyond that are no numbers for arithmetic with others
_NAME = re.compile(r"[a-z][a-z0-9_]{0,99}")
_LABELS = re.compile(r'([a-z]+="([^"\\\x00-\x1f]|\\["\\])*"(,(?!$)|$))*')

Counts = dict[str, dict[str, float]]
Spans = dict[str, dict[str, dict[str, float]]]


@dataclass
class Tally:
    """Counts and histograms, by name and labels."""

    counts: Counts = field(default_factory=dict)
    spans: Spans = field(default_factory=dict)
    mark: dict[str, Any] = field(default_factory=dict)

    def count(self, name: str, by: float = 1, /, **labels: str) -> None:
        """Add to a count; what is no amount adds nothing."""
        known = self.counts.setdefault(name, {})
        label = labelled(**labels)
        known[label] = known.get(label, 0) + (by if amount(by) else 0)

    def measure(self, name: str, bounds: tuple[float, ...], value: float, /, **labels: str) -> None:
        """Add one value to a histogram; what is no amount is left out."""
        if not amount(value):
            return
        span = self.spans.setdefault(name, {}).setdefault(labelled(**labels), {})
        bound = next((f"{bound:g}" for bound in bounds if value <= bound), INFINITE)
        for part, by in ((bound, 1), (SUM, value)):
            span[part] = span.get(part, 0) + by

    def add(self, other: "Tally") -> None:
        """Add all that another has counted."""
        for name, known in other.counts.items():
            for label, value in known.items():
                mine = self.counts.setdefault(name, {})
                mine[label] = mine.get(label, 0) + value
        for name, labels in other.spans.items():
            for label, span in labels.items():
                own = self.spans.setdefault(name, {}).setdefault(label, {})
                for part, value in span.items():
                    own[part] = own.get(part, 0) + value


def amount(value: Any) -> bool:
    """Whether something can be added to a count, which never falls."""
    return type(value) in (int, float) and 0 <= value < _MOST


def labelled(**labels: str) -> str:
    """Labels as Prometheus writes them, without the braces."""
    clean = {name: text.line(value, 200).replace("\\", "\\\\").replace('"', '\\"') for name, value in labels.items()}
    return ",".join(f'{name}="{value}"' for name, value in sorted(clean.items()))


def path(metrics: Path, program: str) -> Path:
    """The file of a program."""
    return metrics / FOLDER / f"{program}.json"


def programs(metrics: Path) -> list[str]:
    """The programs that have counted something."""
    return sorted(found.stem for found in (metrics / FOLDER).glob("[!.]*.json"))


def read(metrics: Path, program: str) -> Tally:
    """What a program has counted, nothing if it never did.

    Raises BadData, SystemFault, BadConfig for a file of a newer version.
    """
    file = path(metrics, program)
    try:
        value = json.loads(durable.read(file, MOST_BYTES))
        if isinstance(value, dict) and isinstance(value.get("schema"), int) and value["schema"] > SCHEMA:
            raise BadConfig(f"{file}: written by a newer pco", "install the newer pco again")
        return _checked(value)
    except FileNotFoundError:
        return Tally()
    except OSError as error:
        raise SystemFault(f"{file}: {error.strerror}") from error
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, BadData) as error:
        raise BadData(f"{file}: {error}") from error


def _checked(value: Any) -> Tally:
    """Raises ValueError, TypeError, KeyError or AttributeError for what is no tally."""
    tally = Tally(value["counts"], value["spans"], dict(value["mark"]))
    spans = [span for known in tally.spans.values() for span in known.values()]
    counted = [*tally.counts.values(), *spans]
    if not all(amount(number) for known in counted for number in known.values()):
        raise ValueError("what it counts is no number")
    if not all(part in (SUM, INFINITE) or 0 < float(part) < math.inf for span in spans for part in span):
        raise ValueError("a histogram's bound is no number")
    labels = [label for part in (tally.counts, tally.spans) for known in part.values() for label in known]
    if not all(map(_NAME.fullmatch, [*tally.counts, *tally.spans])) or not all(map(_LABELS.fullmatch, labels)):
        raise ValueError("what it counts has no sound name")
    return tally


def write(metrics: Path, program: str, tally: Tally) -> None:
    """Put what a program has counted in place, flushed.  Raises SystemFault."""
    file = path(metrics, program)
    value = {"schema": SCHEMA, "counts": tally.counts, "spans": tally.spans, "mark": tally.mark}
    try:
        file.parent.mkdir(exist_ok=True)
        # For the group: a member who runs pco-poll by hand counts, too.
        durable.replace(file, json.dumps(value).encode() + b"\n", 0o664)
    except OSError as error:
        raise SystemFault(f"{error.filename or file}: {error.strerror}") from error


def lay_aside(metrics: Path, program: str) -> None:
    """Put away a file that cannot be read: its counts begin at nothing again.  Raises SystemFault."""
    file = path(metrics, program)
    try:
        file.replace(file.with_suffix(".bad"))
    except OSError as error:
        raise SystemFault(f"{file}: {error.strerror}") from error
