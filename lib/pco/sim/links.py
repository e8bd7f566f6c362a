"""Views of what hangs on a work item besides comments: links, activities, attachments, relations."""

from typing import Any
from urllib.parse import urlsplit

from pco.sim import aftermath, checks, places, rows
from pco.sim.answers import Answer, Refused, Row, no_such_object, went_wrong
from pco.sim.call import Call
from pco.sim.paging import envelope
from pco.sim.render import renderer

RELATIONS = (
    "blocking",
    "blocked_by",
    "duplicate",
    "relates_to",
    "start_after",
    "start_before",
    "finish_after",
    "finish_before",
)


def address(value: Any) -> str:
    """Check a web address."""
    words = str(checks.text()(value))
    try:
        parts = urlsplit(words)
    except ValueError as error:
        raise checks.Wrong("Invalid URL format.") from error
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise checks.Wrong("Invalid URL format.")
    return words


LINK_CHECKS = {"url": address, "title": checks.or_null(checks.text(255, blank=True))}


def of_item(call: Call, table: str) -> list[Row]:
    """Return the links or activities of the item in the URL, oldest first."""
    if not places.active(call):
        return []
    return [row for row in call.reader.rows(table, call.parts["item"]) if row["project"] == call.project]


def one(call: Call, table: str) -> Row:
    """Return the link or activity in the URL.  Raises Refused when it is not there."""
    for row in of_item(call, table):
        if row["id"] == call.parts["pk"]:
            return row
    raise no_such_object()


def list_links(call: Call) -> Answer:
    """GET links/, newest first."""
    return Answer(200, envelope(of_item(call, "links")[::-1], call.query, renderer(call)))


def get_link(call: Call) -> Answer:
    """GET links/L/."""
    return Answer(200, renderer(call)(one(call, "links")))


def create_link(call: Call) -> Answer:
    """POST links/: one address once per item."""
    given = checks.checked(call.body, LINK_CHECKS, ("url",))
    if call.parts["item"] not in call.store.tables["items"]:
        raise Refused(400, {"error": "The payload is not valid"})
    same_address(call, given["url"])
    common = rows.base(call.world.workspace()["id"], call.world.clock.stamp(), call.user["id"])
    row = rows.link(common, {**given, "project": call.project, "issue": call.parts["item"]})
    call.store.put("links", row)
    aftermath.crawl(call, row["id"])
    aftermath.follow(call, call.parts["item"], aftermath.linked("created", row["url"]))
    return Answer(201, renderer(call)(row))


def same_address(call: Call, url: str) -> None:
    """Raise the 400 when the item has a link to this address already."""
    if any(row["url"] == url and row["id"] != call.parts.get("pk") for row in of_item(call, "links")):
        raise Refused(400, {"error": "URL already exists for this Issue"})


def patch_link(call: Call) -> Answer:
    """PATCH links/L/."""
    row, given = one(call, "links"), checks.checked(call.body, LINK_CHECKS)
    same_address(call, given.get("url", ""))
    row = places.change(call, "links", row, given)
    aftermath.follow(call, row["issue"], aftermath.linked("updated", row["url"]))
    return Answer(200, renderer(call)(row))


def delete_link(call: Call) -> Answer:
    """DELETE links/L/."""
    row = one(call, "links")
    places.change(call, "links", row, {"deleted_at": call.world.clock.stamp()})
    aftermath.follow(call, row["issue"], aftermath.linked("deleted", row["url"]))
    return Answer(204)


def list_activities(call: Call) -> Answer:
    """GET activities/, oldest first, or newest first when asked."""
    found = of_item(call, "activities")
    if call.query.get("order_by") == "-created_at":
        found = found[::-1]
    return Answer(200, envelope(found, call.query, renderer(call)))


def get_activity(call: Call) -> Answer:
    """GET activities/A/."""
    return Answer(200, renderer(call)(one(call, "activities")))


def list_attachments(_call: Call) -> Answer:
    """GET attachments/: none ever."""
    return Answer(200, [])


def create_attachment(_call: Call) -> Answer:
    """POST attachments/: a server without object storage gives a 500."""
    raise went_wrong()


def relations(_call: Call) -> Answer:
    """GET relations/: none ever."""
    return Answer(200, {name: [] for name in RELATIONS})
