"""Views of work items: list, create, read, change, delete."""

from collections.abc import Callable
from typing import Any

from pco.sim import aftermath, checks, places, rows
from pco.sim.answers import Answer, Refused, Row, duplicate, invalid, no_such_object, went_wrong
from pco.sim.call import ADMIN, MEMBER, Call, role_of
from pco.sim.paging import envelope, page_of
from pco.sim.render import ONE, renderer
from pco.sim.sanitise import sanitised

PRIORITIES = ("urgent", "high", "medium", "low", "none")
# The server sorts these by rank, all else by value.
RANKS = {"priority": PRIORITIES, "state__group": places.GROUPS}


def visible(row: Row) -> bool:
    """Whether an item shows in lists and by its id: not archived, draft or deleted."""
    return not (row["archived_at"] or row["is_draft"] or row["deleted_at"])


def list_items(call: Call) -> Answer:
    """GET work-items/.  There are no filters; external_id with external_source gives one bare object."""
    external, source = call.query.get("external_id"), call.query.get("external_source")
    if external and source:
        return Answer(200, renderer(call)(by_external(call, source, external)))
    page_of(call.query)
    return Answer(200, envelope(ordered(call), call.query, renderer(call)))


def by_external(call: Call, source: str, external: str) -> Row:
    """Return the item with this external key; archived ones are found too."""
    row = call.store.external("items", call.project, source, external)
    seen = row and call.reader.get("items", row["id"])
    if not seen:
        raise no_such_object()
    return seen


def ordered(call: Call) -> list[Row]:
    """Return the visible items of the project as `order_by` wants them.

    Orders of the present are kept until an item of the project changes: asking again costs nothing.
    """
    project, order = call.project, call.query.get("order_by") or "-created_at"
    rank = ranking(call, order.lstrip("-"))
    if not places.active(call):
        return []
    version, slot = call.store.versions["items", project], (project, order)
    kept = call.store.orders
    if not call.reader.hidden and "__" not in order and slot in kept and kept[slot][0] == version:
        return kept[slot][1]
    found = [row for row in call.reader.rows("items", project) if visible(row)]
    found.sort(key=rank, reverse=order.startswith("-"))
    if not call.reader.hidden:
        kept[slot] = (version, found)
    return found


def ranking(call: Call, name: str) -> Callable[[Row], Any]:
    """Return the sort key for a model path.  Raises Refused with 500 for an unknown name; nulls come last."""
    column, _, rest = name.partition("__")
    known = column in rows.item({"created_by": None}, {}) and (not rest or column in ONE)
    if not known:
        raise went_wrong()

    def rank(row: Row) -> Any:
        value = row[column]
        if rest and value is not None:
            value = (call.reader.get(ONE[column][0], value) or {}).get(rest)
        if name in RANKS and value is not None:
            value = RANKS[name].index(value)
        return (True, 0) if value is None else (False, value)

    return rank


def found(call: Call, hidden: bool = False) -> Row:
    """Return the item in the URL; with `hidden` also archived ones and drafts, which writes still reach.

    Raises Refused when there is none in this project.
    """
    row = call.reader.get("items", call.parts["item"])
    if row is None or row["project"] != call.project or row["deleted_at"]:
        raise no_such_object()
    if not hidden and not (visible(row) and places.active(call)):
        raise no_such_object()
    return row


def get_item(call: Call) -> Answer:
    """GET work-items/I/."""
    return Answer(200, renderer(call)(found(call)))


def item_checks(call: Call) -> dict[str, checks.Check]:
    """Return the checks of an item's body; what is not here is ignored, `state_id` for one."""

    def there(table: str) -> checks.Exists:
        return lambda identity: identity in call.store.tables[table]

    short = checks.or_null(checks.text(255, blank=True))
    return {
        "name": checks.text(255),
        "description_html": checks.or_null(checks.text(blank=True)),
        "priority": checks.choice(*PRIORITIES),
        "start_date": checks.or_null(checks.day),
        "target_date": checks.or_null(checks.day),
        "state": checks.or_null(checks.key(there("states"))),
        "parent": checks.or_null(checks.key(there("items"))),
        "labels": checks.keys(there("labels")),
        "assignees": checks.keys(there("users")),
        "sequence_id": checks.whole,
        "sort_order": checks.number,
        "point": checks.or_null(checks.whole),
        "is_draft": checks.yes_or_no,
        "archived_at": checks.or_null(checks.day),
        "external_source": short,
        "external_id": short,
        "created_by": checks.or_null(checks.key(there("users"))),
    }


def given_for(call: Call, required: tuple[str, ...] = ()) -> Row:
    """Return the checked body of a write.  Raises Refused for dates, states and HTML that do not go."""
    given = checks.checked(call.body, item_checks(call), required)
    if given.get("start_date") and given.get("target_date") and given["start_date"] > given["target_date"]:
        raise invalid("Start date cannot exceed target date")
    if given.get("description_html") is not None:
        try:
            given["description_html"] = sanitised(given["description_html"])
        except ValueError as error:
            raise invalid("Invalid HTML passed") from error
    tables = call.store.tables
    if given.get("state") and tables["states"][given["state"]]["project"] != call.project:
        raise invalid("State is not valid please pass a valid state_id")
    if given.get("parent") and tables["items"][given["parent"]]["project"] != call.project:
        raise invalid("Parent is not valid issue_id please pass a valid issue_id")
    if "labels" in given:
        given["labels"] = [each for each in given["labels"] if tables["labels"][each]["project"] == call.project]
    if "assignees" in given:
        # Guests and strangers are dropped without a word, like another project's labels.
        given["assignees"] = [
            each for each in given["assignees"] if (role_of(call.store, call.project, each) or 0) >= MEMBER
        ]
    return given


def default_state(call: Call) -> str:
    """Return the state of an item that names none."""
    states = call.store.now().rows("states", call.project)
    return str(next((row for row in states if row["default"]), states[0])["id"])


def settled(call: Call, given: Row, before: Row | None = None) -> Row:
    """Add what follows from `given`: the default state for null, completed_at with the group of the state."""
    if "state" in given or before is None:
        given["state"] = given.get("state") or default_state(call)
        done = call.store.tables["states"][given["state"]]["group"] == "completed"
        if before is None or given["state"] != before["state"]:
            given["completed_at"] = call.world.clock.stamp() if done else None
    return given


def same_external(call: Call, given: Row, but: str = "") -> None:
    """Raise the 409 when another item of the project has this external key."""
    if given.get("external_id") and given.get("external_source"):
        other = call.store.external("items", call.project, given["external_source"], given["external_id"])
        if other is not None and other["id"] != but:
            raise duplicate("Issue with the same external id and external source already exists", other["id"])


def create_item(call: Call) -> Answer:
    """POST work-items/.  The answer's created_at is a little earlier than the one that stays, as on the server."""
    given = settled(call, given_for(call, ("name",)))
    same_external(call, given)
    store, stamp = call.store, call.world.clock.stamp()
    store.next_number[call.project] += 1
    given.setdefault("sequence_id", store.next_number[call.project])
    given.setdefault("sort_order", store.top_order[call.project, given["state"]] + 10000)
    if given.get("description_html", "") is None:
        del given["description_html"]
    common = rows.base(call.world.workspace()["id"], stamp, call.user["id"])
    row = rows.item(common, {**given, "project": call.project})
    made = call.world.clock.stamp(0.008)
    if call.body.get("created_at"):
        made = checks.checked(call.body, {"created_at": checks.moment})["created_at"]
    store.put("items", {**row, "created_at": made})
    aftermath.follow(call, row["id"], aftermath.created())
    return Answer(201, renderer(call)(row))


def patch_item(call: Call) -> Answer:
    """PATCH work-items/I/: last write wins; archived items and drafts are reached too."""
    before = found(call, hidden=True)
    given = settled(call, given_for(call), before)
    same_external(call, given, before["id"])
    row = places.change(call, "items", before, given)
    aftermath.follow(call, row["id"], *aftermath.changes(call, before, row))
    return Answer(200, renderer(call)(row))


def delete_item(call: Call) -> Answer:
    """DELETE work-items/I/: soft, by the creator or an admin of the project."""
    row = found(call, hidden=True)
    if row["created_by"] != call.user["id"] and call.role(call.project) != ADMIN:
        raise Refused(403, {"error": "Only admin or creator can delete the work item"})
    call.store.put("items", {**row, "deleted_at": call.world.clock.stamp()})
    return Answer(204)
