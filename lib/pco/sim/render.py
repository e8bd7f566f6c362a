"""Rows as the API shows them: times in the asking user's zone, relations expanded on request."""

from collections.abc import Callable, Sequence
from typing import Any

from pco.sim.answers import Row
from pco.sim.call import Call
from pco.sim.clock import shown
from pco.sim.paging import names, only

STAMPS = ("created_at", "updated_at", "deleted_at", "completed_at", "archived_at", "edited_at")
USER = ("id", "first_name", "last_name", "email", "avatar", "avatar_url", "display_name")
STATE = ("id", "name", "color", "group")
PROJECT = ("id", "identifier", "name", "cover_image", "icon_prop", "emoji", "description", "cover_image_url")
EMPTY_ESTIMATE = {
    "deleted_at": None,
    "key": None,
    "description": "",
    "value": "",
    "created_by": None,
    "updated_by": None,
}

# Column of an item or comment -> table of what it points to, and the fields shown of it (none: all).
ONE: dict[str, tuple[str, Sequence[str]]] = {
    "state": ("states", STATE),
    "project": ("projects", PROJECT),
    "created_by": ("users", USER),
    "updated_by": ("users", USER),
    "actor": ("users", USER),
    "parent": ("items", ()),
    "workspace": ("workspace", ("name", "slug", "id")),
}
MANY: dict[str, tuple[str, Sequence[str]]] = {"labels": ("labels", ()), "assignees": ("users", USER)}


def render(row: Row, zone: str) -> Row:
    """Return a copy of `row` with its times as a user in `zone` sees them."""
    copy = dict(row)
    for name in STAMPS:
        stamp = copy.get(name)
        # An item's archived_at is a mere date.
        if stamp and len(stamp) > 10:
            copy[name] = shown(stamp, zone)
    return copy


def renderer(call: Call) -> Callable[[Row], Row]:
    """Return the function that shows a row as this request's `fields` and `expand` ask for."""
    fields, expand, zone = names(call.query, "fields"), names(call.query, "expand"), call.user["timezone"]

    def show(row: Row) -> Row:
        copy = render(row, zone)
        for name in expand:
            if name in copy:
                copy[name] = expanded(call, name, copy[name])
        return only(copy, fields)

    return show


def expanded(call: Call, name: str, value: Any) -> Any:
    """Return what `expand=name` makes of a column; what is no relation becomes null, a null relation {}."""
    if name in MANY:
        table, fields = MANY[name]
        return [related(call, table, identity, fields) for identity in value]
    if name == "estimate_point":
        return EMPTY_ESTIMATE
    if name not in ONE:
        return None
    table, fields = ONE[name]
    return {} if value is None else related(call, table, value, fields)


def related(call: Call, table: str, identity: str, fields: Sequence[str]) -> Row:
    """Return the related row, {} when it is not there."""
    row = call.reader.get(table, identity)
    return {} if row is None else only(render(row, call.user["timezone"]), fields)


def user_lite(user: Row) -> Row:
    """Return what anybody may see of a user."""
    return only(user, USER)
