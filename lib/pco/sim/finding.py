"""Views that find work items across the projects of a workspace: by identifier, by words."""

import re

from pco.sim.answers import Answer, Row, no_such_object, went_wrong
from pco.sim.call import Call
from pco.sim.items import visible
from pco.sim.render import renderer


def by_identifier(call: Call) -> Answer:
    """GET work-items/WEB-12/.  A number that is none, or that two items share, is a 500."""
    if not re.fullmatch(r"[0-9]+", call.parts["number"]):
        raise went_wrong()
    number = int(call.parts["number"])
    found = [
        item
        for project in call.reader.rows("projects")
        if project["identifier"] == call.parts["prefix"]
        for item in living(call, project)
        if item["sequence_id"] == number
    ]
    if not found:
        raise no_such_object()
    if len(found) > 1:
        raise went_wrong()
    return Answer(200, renderer(call)(found[0]))


def living(call: Call, project: Row) -> list[Row]:
    """Return the visible items of a project, none of an archived one."""
    if project["archived_at"]:
        return []
    return [item for item in call.reader.rows("items", project["id"]) if visible(item)]


def search(call: Call) -> Answer:
    """GET work-items/search/: newest first, by a part of the name or by a number; in one's own projects."""
    words, limit = call.query.get("search", ""), call.query.get("limit", "10")
    if not words:
        return Answer(200, {"issues": []})
    if not limit.isdigit():
        raise went_wrong()
    numbers = {int(each) for each in re.findall(r"\b\d+\b", words)}
    found = []
    for project in wanted(call):
        in_prefix = words.lower() in project["identifier"].lower()
        for item in living(call, project):
            if in_prefix or words.lower() in item["name"].lower() or item["sequence_id"] in numbers:
                found.append((item["created_at"], hit(call, project, item)))
    found.sort(key=lambda pair: str(pair[0]), reverse=True)
    return Answer(200, {"issues": [each for _when, each in found[: int(limit)]]})


def wanted(call: Call) -> list[Row]:
    """Return the projects to search: one's own, or the one that `project_id` names."""
    mine = [row for row in call.reader.rows("projects") if call.role(row["id"]) is not None]
    one = call.query.get("project_id")
    if one and call.query.get("workspace_search", "false") == "false":
        return [row for row in mine if row["id"] == one]
    return mine


def hit(call: Call, project: Row, item: Row) -> Row:
    """Return one line of a search."""
    return {
        "name": item["name"],
        "id": item["id"],
        "sequence_id": item["sequence_id"],
        "project__identifier": project["identifier"],
        "project_id": project["id"],
        "workspace__slug": call.world.workspace()["slug"],
    }
