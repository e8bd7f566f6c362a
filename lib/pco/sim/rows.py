"""New rows with every column the API shows, in its order."""

from typing import Any
from uuid import UUID, uuid4, uuid5

from pco.sim.answers import Row

SEEDED = UUID("5f0f8d1e-4c43-5b56-9d0c-5b7d3b8f9a10")

DEFAULT_STATES = (
    ("Backlog", "backlog", "#60646C"),
    ("Todo", "unstarted", "#60646C"),
    ("In Progress", "started", "#F59E0B"),
    ("Done", "completed", "#46A758"),
    ("Cancelled", "cancelled", "#9AA4BC"),
)


def derived(*path: str) -> str:
    """Return the UUID that the same names always give."""
    return str(uuid5(SEEDED, "\x1f".join(path)))


def base(workspace: str, stamp: str, user: str | None) -> Row:
    """Return the columns that every row has."""
    return {
        "id": str(uuid4()),
        "created_at": stamp,
        "updated_at": stamp,
        "deleted_at": None,
        "created_by": user,
        "updated_by": None,
        "workspace": workspace,
        "external_source": None,
        "external_id": None,
    }


def filled(order: str, common: Row, given: Row, defaults: Row) -> Row:
    """Return a row with the columns in `order`: from `given`, else `defaults`, else `common`, else null."""
    known = {**common, **defaults, **given}
    return {name: known.get(name) for name in order.split()}


def project(common: Row, given: Row) -> Row:
    """Return a new project; needs identifier and name."""
    return filled(
        "id total_cycles total_modules sort_order is_deployed cover_image_url created_at updated_at deleted_at name"
        " description description_text description_html network identifier emoji icon_prop module_view cycle_view"
        " issue_views_view page_view intake_view is_time_tracking_enabled is_issue_type_enabled"
        " guest_view_all_features cover_image archive_in close_in logo_props archived_at timezone external_source"
        " external_id created_by updated_by workspace default_assignee project_lead cover_image_asset estimate"
        " default_state",
        common,
        given,
        {
            "total_cycles": 0,
            "total_modules": 0,
            "sort_order": 65535.0,
            "is_deployed": False,
            "description": "",
            "network": 2,
            "module_view": False,
            "cycle_view": False,
            "issue_views_view": False,
            "page_view": True,
            "intake_view": False,
            "is_time_tracking_enabled": False,
            "is_issue_type_enabled": False,
            "guest_view_all_features": False,
            "archive_in": 0,
            "close_in": 0,
            "timezone": "UTC",
            "logo_props": {"icon": {"name": "key", "color": "#6d7b8a"}, "in_use": "icon"},
        },
    )


def project_shown(row: Row, members: int, role: int | None) -> Row:
    """Return a project with what depends on who asks, in the API's order."""
    first = {
        "id": row["id"],
        "total_members": members,
        "total_cycles": row["total_cycles"],
        "total_modules": row["total_modules"],
        "is_member": role is not None,
        "sort_order": row["sort_order"],
        "member_role": role,
    }
    return {**first, **{name: value for name, value in row.items() if name not in first}}


def state(common: Row, given: Row) -> Row:
    """Return a new state; needs project, name, group, sequence."""
    return filled(
        "id created_at updated_at deleted_at name description color slug sequence group is_triage default"
        " external_source external_id created_by updated_by project workspace",
        common,
        given,
        {"description": "", "color": "#60646C", "slug": "", "is_triage": False, "default": False},
    )


def label(common: Row, given: Row) -> Row:
    """Return a new label; needs project and name."""
    return filled(
        "id created_at updated_at deleted_at name description color sort_order external_source external_id created_by"
        " updated_by workspace project parent",
        common,
        given,
        {"description": "", "color": "", "sort_order": 65535.0},
    )


def item(common: Row, given: Row) -> Row:
    """Return a new work item; needs project, state, name, sequence_id, sort_order."""
    return filled(
        "id type_id created_at updated_at deleted_at point name description_html description_binary priority"
        " start_date target_date sequence_id sort_order completed_at archived_at is_draft external_source external_id"
        " created_by updated_by project workspace parent state estimate_point type assignees labels",
        common,
        given,
        {"description_html": "<p></p>", "priority": "none", "is_draft": False, "assignees": [], "labels": []},
    )


def comment(common: Row, given: Row) -> Row:
    """Return a new comment; needs project, issue, actor."""
    return filled(
        "id created_at updated_at deleted_at comment_html attachments access external_source external_id edited_at"
        " created_by updated_by project workspace description issue actor parent",
        common,
        given,
        {"comment_html": "<p></p>", "attachments": [], "access": "INTERNAL", "description": str(uuid4())},
    )


def link(common: Row, given: Row) -> Row:
    """Return a new link; needs project, issue, url."""
    return filled(
        "id created_at updated_at deleted_at title url metadata created_by updated_by project workspace issue",
        common,
        given,
        {"metadata": {}, "updated_by": common["created_by"]},
    )


def activity(common: Row, given: Row) -> Row:
    """Return a new activity; needs project, issue, actor, verb, comment, epoch."""
    return filled(
        "id created_at updated_at deleted_at verb field old_value new_value comment attachments old_identifier"
        " new_identifier epoch project workspace issue issue_comment actor",
        common,
        given,
        {"attachments": []},
    )


def member(project_id: str, user: str, role: int, active: bool = True) -> Row:
    """Return a membership of a project; who was put out stays listed, not active."""
    return {
        "id": derived("member", project_id, user),
        "project": project_id,
        "member": user,
        "role": role,
        "active": active,
        "deleted_at": None,
    }


def states_of(common: Row, project_id: str, given: Any = None) -> list[Row]:
    """Return the states of a new project: Plane's five, or those given as names or {name, group, color, default}."""
    wanted = given or [{"name": name, "group": group, "color": color} for name, group, color in DEFAULT_STATES]
    made = []
    for place, entry in enumerate(wanted):
        fields = {"name": entry, "group": "backlog"} if isinstance(entry, str) else dict(entry)
        groups = {name: group for name, group, _color in DEFAULT_STATES}
        fields.setdefault("group", groups.get(fields["name"], "unstarted"))
        if isinstance(entry, str):
            fields["group"] = groups.get(entry, "unstarted")
        fields.setdefault("default", place == 0)
        fields.setdefault("id", derived("state", project_id, fields["name"]))
        made.append(state(common, {"project": project_id, "sequence": 15000.0 + 10000 * place, **fields}))
    return made
