"""What Plane says, as values: frozen dataclasses, read strictly from JSON.

Unknown keys are ignored, for a newer Plane adds some.  A wrong type, an id that is no UUID, a time without offset is
BadData that names the field.  NUL and lone surrogates, which no file and no terminal can hold, become U+FFFD;
anything else that is hostile in a text stays and is the business of who shows it.  Times come with the offset of the
token user's time zone and become UTC.
"""

import math
import re
from datetime import datetime
from typing import Any, NamedTuple

from pco.ground import times
from pco.ground.errors import BadData
from pco.ground.frozen import dataclass
from pco.ground.ticket import PlaneState

GROUPS = ("backlog", "unstarted", "started", "completed", "cancelled", "triage")
PRIORITIES = ("urgent", "high", "medium", "low", "none")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_UNHOLDABLE = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True)
class Person:
    """A user; `name` is what Plane shows for them."""

    id: str
    name: str


@dataclass(frozen=True)
class Workflow:
    """A state of a project's workflow, its place in the order, and whether new items get it."""

    state: PlaneState
    sequence: float
    default: bool


@dataclass(frozen=True)
class Item:
    """A work item; state, labels and assignees are ids."""

    id: str
    project: str
    sequence_id: int
    title: str
    description_html: str
    priority: str
    state: str
    labels: tuple[str, ...]
    assignees: tuple[str, ...]
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class Remark:
    """A comment in Plane.  `html` is whatever its author sent: Plane does not sanitise it.  `actor` proves nothing."""

    id: str
    at: datetime
    actor: str
    html: str
    external_source: str
    external_id: str


@dataclass(frozen=True)
class ProjectInfo:
    """A project that the token may see; `role` is 20 admin, 15 member, 5 guest, None outside."""

    id: str
    identifier: str
    name: str
    is_member: bool
    role: int | None
    archived: bool


@dataclass(frozen=True)
class Page:
    """Some items, how many there are in all, and whether more follow."""

    items: tuple[Item, ...]
    total_count: int
    more: bool


class Sweep(NamedTuple):
    """The ids of all open items of a project, and how many Plane says there are."""

    ids: frozenset[str]
    total_count: int


@dataclass(frozen=True)
class Call:
    """One request that was sent: `endpoint` with placeholders, `status` 0 if no answer came, how long it took.

    `again`: the one before it had met what passes by itself.
    """

    method: str
    endpoint: str
    status: int
    seconds: float
    again: bool = False


@dataclass(frozen=True)
class Envelope:
    """A page as it came: rows not yet read."""

    rows: tuple["Row", ...]
    total_count: int
    more: bool


@dataclass(frozen=True)
class Row:
    """A JSON object and where it stood, for messages; its methods raise BadData."""

    values: dict[str, Any]
    where: str

    def wrong(self, name: str, expected: str) -> BadData:
        """The error that says which field is not what it must be."""
        found = _called(self.values.get(name))
        return BadData(f"Plane's answer: {self.where}.{name}: expected {expected}, not {found}")

    def uuid(self, name: str) -> str:
        """A UUID in small letters."""
        value = self.values.get(name)
        if not isinstance(value, str) or not _UUID.fullmatch(value.lower()):
            raise self.wrong(name, "a UUID")
        return value.lower()

    def uuid_or_empty(self, name: str) -> str:
        """A UUID, or an empty string for null."""
        return "" if self.values.get(name) is None else self.uuid(name)

    def uuids(self, name: str) -> tuple[str, ...]:
        """A list of UUIDs; null counts as empty."""
        value = self.values.get(name)
        if value is None:
            return ()
        if type(value) is not list:
            raise self.wrong(name, "a list")
        return tuple(Row({f"[{n}]": item}, f"{self.where}.{name}").uuid(f"[{n}]") for n, item in enumerate(value))

    def text(self, name: str) -> str:
        """A text; null counts as empty."""
        value = self.values.get(name, ...)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise self.wrong(name, "a text")
        return clean(value)

    def one_of(self, name: str, choices: tuple[str, ...]) -> str:
        """One of the given words."""
        value = self.values.get(name)
        if not isinstance(value, str) or value not in choices:
            raise self.wrong(name, f"one of {', '.join(choices)}")
        return value

    def flag(self, name: str) -> bool:
        """True or false; nothing else."""
        value = self.values.get(name)
        if not isinstance(value, bool):
            raise self.wrong(name, "true or false")
        return value

    def count(self, name: str) -> int:
        """A whole number from 0 up."""
        value = self.values.get(name)
        if type(value) is not int or value < 0:
            raise self.wrong(name, "a whole number from 0 up")
        return value

    def number(self, name: str) -> float:
        """A number."""
        value = self.values.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.wrong(name, "a number")
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            raise self.wrong(name, "a number of sensible size")
        return number

    def time(self, name: str) -> datetime:
        """A time with offset, as UTC."""
        value = self.values.get(name)
        try:
            return times.parse_time(value) if isinstance(value, str) else _no_time()
        except ValueError:
            raise self.wrong(name, "a time with offset") from None


def clean(value: str) -> str:
    """The text without what no UTF-8 file can hold."""
    return _UNHOLDABLE.sub("\ufffd", value)


def is_uuid(value: str) -> bool:
    """Whether it is a UUID in its usual form."""
    return bool(_UUID.fullmatch(value.lower()))


def read_row(value: Any, where: str) -> Row:
    """The JSON object that stands at `where`."""
    if type(value) is not dict:
        raise BadData(f"Plane's answer: {where}: expected an object, not {_called(value)}")
    return Row(value, where)


def read_rows(value: Any, where: str) -> tuple[Row, ...]:
    """A bare list of objects."""
    if type(value) is not list:
        raise BadData(f"Plane's answer: {where}: expected a list, not {_called(value)}")
    return tuple(read_row(item, f"{where}[{n}]") for n, item in enumerate(value))


def read_envelope(value: Any, where: str) -> Envelope:
    """A page.  `next_cursor` is not looked at: Plane gives one on the last page too."""
    outer = read_row(value, where)
    rows = read_rows(outer.values.get("results"), f"{where}.results")
    return Envelope(rows, outer.count("total_count"), outer.flag("next_page_results"))


def read_person(row: Row) -> Person:
    """A user, named as Plane would."""
    full = f"{row.text('first_name')} {row.text('last_name')}".strip()
    id = row.uuid("id")
    return Person(id, row.text("display_name").strip() or full or row.text("email") or id)


def read_workflow(row: Row) -> Workflow:
    """A state of a project."""
    state = PlaneState(row.uuid("id"), row.text("name"), row.one_of("group", GROUPS))
    return Workflow(state, row.number("sequence"), row.flag("default"))


def read_item(row: Row) -> Item:
    """A work item."""
    return Item(
        id=row.uuid("id"),
        project=row.uuid("project"),
        sequence_id=row.count("sequence_id"),
        title=row.text("name"),
        description_html=row.text("description_html"),
        priority=row.one_of("priority", PRIORITIES),
        state=row.uuid_or_empty("state"),
        labels=row.uuids("labels"),
        assignees=row.uuids("assignees"),
        created_at=row.time("created_at"),
        updated_at=row.time("updated_at"),
    )


def read_remark(row: Row) -> Remark:
    """A comment."""
    return Remark(
        id=row.uuid("id"),
        at=row.time("created_at"),
        actor=row.uuid_or_empty("actor"),
        html=row.text("comment_html"),
        external_source=row.text("external_source"),
        external_id=row.text("external_id"),
    )


def read_project(row: Row) -> ProjectInfo:
    """A project."""
    role = None if row.values.get("member_role") is None else row.count("member_role")
    archived = row.values.get("archived_at") is not None
    return ProjectInfo(row.uuid("id"), row.text("identifier"), row.text("name"), row.flag("is_member"), role, archived)


def _no_time() -> datetime:
    raise ValueError


def _called(value: Any) -> str:
    """A short name for a value in a message, cut before it is made, for it may be megabytes."""
    if value is None:
        return "nothing"
    if isinstance(value, str):
        return ascii(value[:40])
    if isinstance(value, bool | int | float):
        return str(value) if not isinstance(value, int) or value.bit_length() < 200 else "a huge number"
    return "an object" if isinstance(value, dict) else "a list"
