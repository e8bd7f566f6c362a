"""The URLs of the API: which view answers which method, and who may ask."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pco.sim import call as who
from pco.sim import comments, finding, items, links, places
from pco.sim.call import Permission, View

UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
WORKSPACE = "/api/v1/workspaces/{slug}/"
PROJECT = WORKSPACE + "projects/{project}/"
ITEM = PROJECT + "ITEMS/{item}/"


@dataclass(frozen=True)
class Route:
    """One URL pattern.  `{slug}`, `{prefix}` and `{number}` are any text, other braces a UUID."""

    pattern: re.Pattern[str]
    permission: Permission
    views: Mapping[str, View]

    @property
    def allow(self) -> str:
        """Return the Allow header."""
        return ", ".join(self.views)


def pattern(template: str) -> re.Pattern[str]:
    """Return the regular expression of a URL template; ITEMS stands for both names of the items."""
    loose = {"slug": "[^/]+", "prefix": "[^/]+", "number": "[^/-]+"}
    text = re.sub(r"\{(\w+)\}", lambda hit: f"(?P<{hit[1]}>{loose.get(hit[1], UUID)})", template)
    return re.compile(text.replace("ITEMS", "(?:work-items|issues)"))


def route(template: str, permission: Permission, **views: View) -> Route:
    """Return a route; views are named by method in lower case."""
    return Route(pattern(template), permission, {name.upper(): view for name, view in views.items()})


ROUTES = (
    route("/api/v1/users/me/", who.anyone, get=places.me),
    route(WORKSPACE + "members/", who.of_workspace, get=places.workspace_members),
    route(WORKSPACE + "projects/", who.of_workspace, get=places.list_projects, post=places.create_project),
    route(PROJECT, who.of_workspace, get=places.get_project, patch=places.patch_project, delete=places.delete_project),
    route(PROJECT + "archive/", who.of_workspace, post=places.archive_project, delete=places.archive_project),
    route(PROJECT + "(?:project-)?members/", who.of_any_project, get=places.project_members, post=places.not_simulated),
    route(PROJECT + "states/", who.of_project, get=places.list_states, post=places.create_state),
    route(
        PROJECT + "states/{pk}/",
        who.of_project,
        get=places.get_state,
        patch=places.patch_state,
        delete=places.delete_state,
    ),
    route(PROJECT + "labels/", who.of_any_project, get=places.list_labels, post=places.create_label),
    route(
        PROJECT + "labels/{pk}/",
        who.of_any_project,
        get=places.get_label,
        patch=places.patch_label,
        delete=places.delete_label,
    ),
    route(WORKSPACE + "ITEMS/search/", who.of_workspace, get=finding.search),
    route(WORKSPACE + "ITEMS/{prefix}-{number}/", who.of_named_project, get=finding.by_identifier),
    route(PROJECT + "ITEMS/", who.of_project, get=items.list_items, post=items.create_item),
    route(ITEM, who.of_project, get=items.get_item, patch=items.patch_item, delete=items.delete_item),
    route(ITEM + "comments/", who.of_project_or_guest, get=comments.list_comments, post=comments.create_comment),
    route(
        ITEM + "comments/{pk}/",
        who.of_project_or_guest,
        get=comments.get_comment,
        patch=comments.patch_comment,
        delete=comments.delete_comment,
    ),
    route(ITEM + "links/", who.of_project, get=links.list_links, post=links.create_link),
    route(ITEM + "links/{pk}/", who.of_project, get=links.get_link, patch=links.patch_link, delete=links.delete_link),
    route(ITEM + "activities/", who.of_project, get=links.list_activities),
    route(ITEM + "activities/{pk}/", who.of_project, get=links.get_activity),
    route(ITEM + "attachments/", who.of_project, get=links.list_attachments, post=links.create_attachment),
    route(ITEM + "relations/", who.of_project, get=links.relations, post=places.not_simulated),
)


def resolve(path: str) -> tuple[Route, dict[str, str]] | None:
    """Return the route of a path and the names in it; None for an unknown URL or a malformed UUID."""
    for each in ROUTES:
        hit = each.pattern.fullmatch(path)
        if hit:
            return each, hit.groupdict()
    return None
