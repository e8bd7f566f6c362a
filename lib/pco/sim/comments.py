"""Views of comments.  Their HTML is neither cleaned nor checked, and who wrote one can be made up by any token."""

import time

from pco.sim import aftermath, checks, places, rows
from pco.sim.answers import Answer, Refused, Row, duplicate, no_such_object
from pco.sim.call import Call
from pco.sim.paging import envelope, names, only
from pco.sim.render import renderer


def comment_checks(call: Call) -> dict[str, checks.Check]:
    """Return the checks of a comment's body; what is not here is ignored, `parent` for one."""

    def there(table: str) -> checks.Exists:
        return lambda identity: identity in call.store.tables[table]

    short = checks.or_null(checks.text(255, blank=True))
    return {
        "comment_html": checks.text(blank=True),
        "access": checks.choice("INTERNAL", "EXTERNAL"),
        "external_id": short,
        "external_source": short,
        "created_by": checks.or_null(checks.key(there("users"))),
        "created_at": checks.or_null(checks.moment),
    }


def show(call: Call, row: Row) -> Row:
    """Return a comment as GET shows it: with is_member as second column."""
    members = call.reader.rows("members", row["project"])
    author = any(each["member"] == row["actor"] and each["active"] for each in members)
    whole = {"id": row["id"], "is_member": author, **renderer_all(call, row)}
    return only(whole, names(call.query, "fields"))


def renderer_all(call: Call, row: Row) -> Row:
    """Return a comment with its relations expanded, whatever `fields` says."""
    query = {name: value for name, value in call.query.items() if name != "fields"}
    return renderer(Call(**{**vars(call), "query": query}))(row)


def list_comments(call: Call) -> Answer:
    """GET comments/: newest first whatever is asked; no filter; empty for an item that does not exist."""
    found = []
    if places.active(call):
        found = [row for row in call.reader.rows("comments", call.parts["item"]) if row["project"] == call.project]
    found.sort(key=lambda row: str(row["created_at"]), reverse=True)
    return Answer(200, envelope(found, call.query, lambda row: show(call, row)))


def found_comment(call: Call) -> Row:
    """Return the comment in the URL.  Raises Refused when it is not there."""
    row = call.reader.get("comments", call.parts["pk"])
    if row is None or row["deleted_at"] or row["issue"] != call.parts["item"] or row["project"] != call.project:
        raise no_such_object()
    return row


def get_comment(call: Call) -> Answer:
    """GET comments/C/."""
    return Answer(200, show(call, found_comment(call)))


def create_comment(call: Call) -> Answer:
    """POST comments/: also to items that are archived or deleted, or of another project, where nobody sees it.

    The look for the external key and the insert are not one step: parallel requests can both get a 201.
    This view takes the lock itself.
    """
    with call.store.lock:
        if call.world.settings.unique:
            same_external(call, call.body if isinstance(call.body, dict) else {})
        given = checks.checked(call.body, comment_checks(call))
        if call.parts["item"] not in call.store.tables["items"]:
            raise Refused(400, {"error": "The payload is not valid"})
    if given.get("external_id") and given.get("external_source"):
        time.sleep(call.world.clock.scaled(call.world.settings.race))
    with call.store.lock:
        row = insert(call, given)
        aftermath.follow(call, call.parts["item"])
    # The answer names an editor whom the stored comment does not have.
    return Answer(201, renderer(call)({**row, "updated_by": call.user["id"]}))


def insert(call: Call, given: Row) -> Row:
    """Store a new comment; its created_at is a little later than its updated_at, as on the server."""
    author = given.pop("created_by", None) or call.user["id"]
    made = given.pop("created_at", None) or call.world.clock.stamp(0.008)
    common = rows.base(call.world.workspace()["id"], call.world.clock.stamp(), author)
    return call.store.put(
        "comments",
        rows.comment(
            common, {**given, "created_at": made, "project": call.project, "issue": call.parts["item"], "actor": author}
        ),
    )


def same_external(call: Call, body: Row) -> None:
    """Raise the 409 when a comment of the project, on whatever item, has this external key."""
    external, source = body.get("external_id"), body.get("external_source")
    if not external or not source:
        return
    other = call.store.external("comments", call.project, str(source), str(external))
    if other is not None and other["id"] != call.parts.get("pk"):
        raise duplicate("Work item comment with the same external id and external source already exists", other["id"])


def patch_comment(call: Call) -> Answer:
    """PATCH comments/C/: by any member of the project, whoever wrote it."""
    row = found_comment(call)
    given = checks.checked(call.body, comment_checks(call))
    same_external(call, {**row, **given} if {"external_id", "external_source"} & set(given) else {})
    row = places.change(call, "comments", row, given)
    aftermath.follow(call, row["issue"])
    return Answer(200, renderer(call)(row))


def delete_comment(call: Call) -> Answer:
    """DELETE comments/C/: its external key is free again."""
    row = found_comment(call)
    places.change(call, "comments", row, {"deleted_at": call.world.clock.stamp()})
    aftermath.follow(call, row["issue"])
    return Answer(204)
