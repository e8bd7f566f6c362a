"""What the last poll learned of each project: `plane/PROJECT/head.json`, written by pco-poll, read by others.

Fields: see `Head`.  A missing file is a project that was never polled.
"""

import json
from dataclasses import field
from datetime import datetime, timedelta
from pathlib import Path

from pco.ground import durable, shape
from pco.ground.errors import BadData, SystemFault
from pco.ground.frozen import dataclass

SCHEMA = 1
SLACK = timedelta(minutes=1)  # by which clocks are put right without a word


@dataclass(frozen=True)
class Workflow:
    """A state of the project's workflow in Plane; `sequence` orders them."""

    id: str
    name: str
    group: str
    sequence: float = 0.0


@dataclass(frozen=True)
class Head:
    """The project as the last poll saw it; `polled_at` is the last success, `failed` counts failures since then.

    `watermark` is Plane's time up to which all changes were taken in; an unknown item that was created after `since`
    (Plane's time, too) is new.  `key` is the prefix of its tickets, `identifier` what Plane calls it.  `noted` are the
    keys of tickets with noted events that no round has taken up, `waiting` maps items (UUIDs) that could not be judged
    to the key that is in the way, `to_sweep` are items that an unfinished sweep still has to read, `backfill` says
    that a backfill is not finished.
    """

    project: str
    schema: int = SCHEMA
    key: str = ""
    name: str = ""
    me: str = ""
    polled_at: datetime | None = None
    tried_at: datetime | None = None
    failed: int = 0
    error: str = ""
    watermark: datetime | None = None
    swept_at: datetime | None = None
    total_count: int = 0
    requests: int = 0
    states: tuple[Workflow, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)
    members: dict[str, str] = field(default_factory=dict)
    noted: tuple[str, ...] = ()
    identifier: str = ""
    since: datetime | None = None
    backfill: bool = False
    waiting: dict[str, str] = field(default_factory=dict)
    to_sweep: tuple[str, ...] = ()

    def fresh(self, now: datetime, within: timedelta) -> bool:
        """Whether the last successful poll is young enough to act on, and not yet to come by a clock that went back."""
        return self.polled_at is not None and not self.ahead(now) and now - self.polled_at <= within

    def ahead(self, now: datetime) -> bool:
        """Whether the last successful poll seems yet to come: the clock has gone back since."""
        return self.polled_at is not None and self.polled_at - now > SLACK


def read(folder: Path, project: str) -> Head:
    """The head of a project.  Raises SystemFault if it cannot be read, BadData if it is torn."""
    path = folder / project / "head.json"
    try:
        return shape.load(Head, json.loads(durable.read(path, 8 << 20)))
    except FileNotFoundError:
        return Head(project)
    except OSError as error:
        raise SystemFault(f"{path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise BadData(f"{path}: {error}", "remove it: the next poll begins anew from now on") from error


def write(folder: Path, head: Head) -> None:
    """Put the head of a project in place, durably.  Raises OSError."""
    home = folder / head.project
    home.mkdir(exist_ok=True)
    durable.replace(home / "head.json", json.dumps(shape.dump(head), ensure_ascii=True).encode())
