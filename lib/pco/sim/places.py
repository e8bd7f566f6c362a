"""Views of what stands around work items: the user, projects, members, states, labels."""

from typing import Any

from pco.sim import checks, rows
from pco.sim.answers import Answer, Refused, Row, duplicate, invalid, no_such_object
from pco.sim.call import ADMIN, Call
from pco.sim.paging import envelope, names, only
from pco.sim.render import render, renderer, user_lite

GROUPS = ("backlog", "unstarted", "started", "completed", "cancelled", "triage")
NOT_IN_IDENTIFIER = set("&+,:;$^}{*=?@#|'<>.()%!-")


def me(call: Call) -> Answer:
    """GET users/me/."""
    return Answer(200, user_lite(call.user))


def workspace_members(call: Call) -> Answer:
    """GET members/: a bare list, with roles."""
    users = [row for row in call.reader.rows("users") if row["role"] is not None]
    return Answer(200, [{**user_lite(row), "role": row["role"]} for row in reversed(users)])


def project_members(call: Call) -> Answer:
    """GET projects/P/members/ and project-members/: a bare list, without roles; with those who were put out."""
    ids = {row["member"] for row in call.reader.rows("members", call.project)}
    return Answer(200, [user_lite(row) for row in reversed(call.reader.rows("users")) if row["id"] in ids])


def show_project(call: Call, row: Row) -> Row:
    """Return a project with the columns that depend on who asks."""
    members = [each for each in call.reader.rows("members", row["id"]) if each["active"]]
    role = next((each["role"] for each in members if each["member"] == call.user["id"]), None)
    whole = rows.project_shown(render(row, call.user["timezone"]), len(members), role)
    if "project" in call.parts or call.method == "POST":
        # Only the list has it.
        del whole["sort_order"]
    return only(whole, names(call.query, "fields"))


def list_projects(call: Call) -> Answer:
    """GET projects/: those one is in and all public ones, archived ones too."""
    seen = [row for row in call.reader.rows("projects") if row["network"] == 2 or call.role(row["id"]) is not None]
    return Answer(200, envelope(seen, call.query, lambda row: show_project(call, row)))


def found_project(call: Call) -> Row:
    """Return the project in the URL.  Raises Refused when it is not there or was deleted."""
    row = call.reader.get("projects", call.project)
    if row is None or row["deleted_at"]:
        raise no_such_object()
    return row


def get_project(call: Call) -> Answer:
    """GET projects/P/."""
    return Answer(200, show_project(call, found_project(call)))


def identifier(value: Any) -> str:
    """Check an identifier: at most twelve characters, upper-cased; much more than letters is allowed."""
    words = str(checks.text(12)(value)).upper()
    if NOT_IN_IDENTIFIER & set(words):
        raise checks.Wrong("Project identifier cannot contain special characters.")
    return words


PROJECT_CHECKS = {
    "name": checks.text(255),
    "identifier": identifier,
    "description": checks.text(blank=True),
    "network": checks.whole,
    "timezone": checks.text(64),
}


def create_project(call: Call) -> Answer:
    """POST projects/: with Plane's default states; the creator becomes its admin."""
    given = checks.checked(call.body, PROJECT_CHECKS, ("name", "identifier"))
    for row in call.store.now().rows("projects"):
        if row["identifier"] == given["identifier"]:
            raise Refused(409, {"name": "The project name is already taken"})
    workspace, stamp = call.world.workspace()["id"], call.world.clock.stamp()
    common = rows.base(workspace, stamp, call.user["id"])
    row = call.store.put("projects", rows.project(common, given))
    call.store.put("members", rows.member(row["id"], call.user["id"], ADMIN))
    for state in rows.states_of(common, row["id"]):
        call.store.put("states", state)
    return Answer(201, show_project(call, row))


def patch_project(call: Call) -> Answer:
    """PATCH projects/P/."""
    row = found_project(call)
    if row["archived_at"]:
        raise Refused(400, {"error": "Archived project cannot be updated"})
    given = checks.checked(call.body, PROJECT_CHECKS)
    row = change(call, "projects", row, given)
    return Answer(200, show_project(call, row))


def delete_project(call: Call) -> Answer:
    """DELETE projects/P/: soft."""
    change(call, "projects", found_project(call), {"deleted_at": call.world.clock.stamp()})
    return Answer(204)


def archive_project(call: Call) -> Answer:
    """POST projects/P/archive/, and DELETE to bring it back."""
    when = call.world.clock.stamp() if call.method == "POST" else None
    change(call, "projects", found_project(call), {"archived_at": when})
    return Answer(204)


def change(call: Call, table: str, row: Row, given: Row) -> Row:
    """Store `row` with the given columns, changed now by this user."""
    return call.store.put(
        table, {**row, **given, "updated_at": call.world.clock.stamp(), "updated_by": call.user["id"]}
    )


def active(call: Call) -> bool:
    """Whether the project in the URL is there and not archived; otherwise its lists are empty."""
    row = call.reader.get("projects", call.project)
    return row is not None and not row["archived_at"] and not row["deleted_at"]


def list_states(call: Call) -> Answer:
    """GET states/, in their sequence; empty for an archived project."""
    found = call.reader.rows("states", call.project) if active(call) else []
    return Answer(200, envelope(sorted(found, key=lambda row: float(row["sequence"])), call.query, renderer(call)))


def list_labels(call: Call) -> Answer:
    """GET labels/, newest first; empty for who is not in the project."""
    mine = active(call) and call.role(call.project) is not None
    found = call.reader.rows("labels", call.project) if mine else []
    return Answer(200, envelope(found[::-1], call.query, renderer(call)))


def one(call: Call, table: str) -> Row:
    """Return the state or label in the URL.  Raises Refused when it is not in this project."""
    row = call.reader.get(table, call.parts["pk"])
    if row is None or row["deleted_at"] or row["project"] != call.project:
        raise no_such_object()
    return row


def same_name(call: Call, table: str, words: str) -> None:
    """Raise the 409 when a sibling has this name."""
    noun = "State" if table == "states" else "Label"
    for row in call.store.now().rows(table, call.project):
        if row["name"] == words and row["id"] != call.parts.get("pk"):
            raise duplicate(f"{noun} with the same name already exists in the project", row["id"])


STATE_CHECKS = {
    "name": checks.text(255),
    "color": checks.text(255),
    "group": checks.choice(*GROUPS),
    "description": checks.text(blank=True),
    "sequence": checks.number,
    "default": checks.yes_or_no,
    "external_id": checks.or_null(checks.text(255)),
    "external_source": checks.or_null(checks.text(255)),
}
LABEL_CHECKS = {
    "name": checks.text(255),
    "color": checks.text(255, blank=True),
    "description": checks.text(blank=True),
    "sort_order": checks.number,
    "external_id": checks.or_null(checks.text(255)),
    "external_source": checks.or_null(checks.text(255)),
}


def create_state(call: Call) -> Answer:
    """POST states/: 200, not 201."""
    given = checks.checked(call.body, STATE_CHECKS, ("name", "color"))
    same_name(call, "states", given["name"])
    last = max((row["sequence"] for row in call.store.now().rows("states", call.project)), default=0.0)
    common = rows.base(call.world.workspace()["id"], call.world.clock.stamp(), call.user["id"])
    made = rows.state(
        common,
        {
            "group": "backlog",
            "sequence": last + 15000,
            **given,
            "project": call.project,
            "slug": given["name"].lower().replace(" ", "-"),
        },
    )
    return Answer(200, renderer(call)(call.store.put("states", made)))


def create_label(call: Call) -> Answer:
    """POST labels/."""
    given = checks.checked(call.body, LABEL_CHECKS, ("name",))
    same_name(call, "labels", given["name"])
    top = max((row["sort_order"] for row in call.store.now().rows("labels", call.project)), default=55535.0)
    common = rows.base(call.world.workspace()["id"], call.world.clock.stamp(), call.user["id"])
    made = rows.label(common, {"sort_order": top + 10000, **given, "project": call.project})
    return Answer(201, renderer(call)(call.store.put("labels", made)))


def get_state(call: Call) -> Answer:
    """GET states/S/."""
    return Answer(200, renderer(call)(one(call, "states")))


def get_label(call: Call) -> Answer:
    """GET labels/L/."""
    return Answer(200, renderer(call)(one(call, "labels")))


def patch_state(call: Call) -> Answer:
    """PATCH states/S/."""
    return patch(call, "states", STATE_CHECKS)


def patch_label(call: Call) -> Answer:
    """PATCH labels/L/."""
    return patch(call, "labels", LABEL_CHECKS)


def patch(call: Call, table: str, allowed: dict[str, checks.Check]) -> Answer:
    """Change a state or label."""
    row, given = one(call, table), checks.checked(call.body, allowed)
    same_name(call, table, given.get("name", ""))
    return Answer(200, renderer(call)(change(call, table, row, given)))


def delete_state(call: Call) -> Answer:
    """DELETE states/S/: neither the default one nor one with items in it."""
    row = one(call, "states")
    if row["default"]:
        raise Refused(400, {"error": "Default state cannot be deleted"})
    if any(item["state"] == row["id"] for item in call.store.now().rows("items", call.project)):
        raise Refused(400, {"error": "The state is not empty, only empty states can be deleted"})
    change(call, "states", row, {"deleted_at": call.world.clock.stamp()})
    return Answer(204)


def delete_label(call: Call) -> Answer:
    """DELETE labels/L/."""
    change(call, "labels", one(call, "labels"), {"deleted_at": call.world.clock.stamp()})
    return Answer(204)


def not_simulated(_call: Call) -> Answer:
    """Refuse a write that the real server knows and this one does not."""
    raise invalid("Not simulated.")
