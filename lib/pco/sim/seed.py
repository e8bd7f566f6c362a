"""The workspace that a simulator starts with; the format is in the docstring of the package."""

import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pco.sim import rows
from pco.sim.answers import Row
from pco.sim.call import ADMIN, GUEST, MEMBER
from pco.sim.clock import parse_stamp, to_stamp
from pco.sim.sanitise import sanitised
from pco.sim.store import Store

ROLES: dict[str, int | None] = {"admin": ADMIN, "member": MEMBER, "guest": GUEST, "outsider": None}
BOT = "bot"
DEFAULT_USERS: list[Row] = [
    {
        "name": BOT,
        "role": "member",
        "display_name": "pco",
        "first_name": "Pco",
        "last_name": "Bot",
        "tokens": [
            {"token": "plane_api_service", "service": True},
            {"token": "plane_api_expired", "expired": True},
            {"token": "plane_api_inactive", "inactive": True},
        ],
    },
    {"name": "ada", "role": "admin", "last_name": "Admin"},
    {"name": "jonas", "role": "member", "last_name": "Member"},
    {"name": "gus", "role": "guest", "last_name": "Guest", "timezone": "Asia/Kolkata"},
    {"name": "olga", "role": "outsider", "last_name": "Outsider"},
]
DEFAULT: Row = {
    "workspace": {"slug": "acme", "name": "Acme"},
    "users": DEFAULT_USERS,
    "projects": [{"identifier": "WEB", "name": "Web App", "labels": ["bug", "agent"]}],
}
USER_KEYS = {"name", "token", "tokens", "role", "id", "first_name", "last_name", "display_name", "email", "timezone"}
PROJECT_KEYS = {"identifier", "name", "id", "description", "public", "archived", "members", "states", "labels", "items"}
ITEM_KEYS = {
    "name",
    "description_html",
    "state",
    "labels",
    "priority",
    "assignees",
    "comments",
    "links",
    "by",
    "id",
    "created_at",
    "updated_at",
    "archived",
    "draft",
    "parent",
    "start_date",
    "target_date",
    "external_id",
    "external_source",
    "sequence_id",
}
AS_GIVEN = ("name", "priority", "start_date", "target_date", "external_id", "external_source", "parent")
COMMENT_KEYS = {"by", "html", "id", "created_at", "external_id", "external_source"}


class BadSeed(Exception):
    """The seed does not describe a workspace; the message says where."""


def read(path: Path) -> Row:
    """Return the seed in a file.  Raises BadSeed."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise BadSeed(f"{path}: {error}") from error
    if not isinstance(found, dict):
        raise BadSeed(f"{path}: not a JSON object")
    return found


def known(what: str, given: Row, keys: Iterable[str]) -> None:
    """Raise BadSeed for a key that nobody would read: it is a typing error."""
    strange = sorted(set(given) - set(keys))
    if strange:
        raise BadSeed(f"{what}: unknown {', '.join(strange)}")


class Sower:
    """Puts a seed into an empty store.  Everything dates from the hour before now, unless the seed says so."""

    def __init__(self, store: Store, seed: Row) -> None:
        self.store = store
        self.seed = seed
        self.start = time.time() - 3600
        self.count = 0
        self.users: dict[str, Row] = {}
        self.workspace = ""

    def sow(self) -> None:
        """Create all that the seed names.  Raises BadSeed."""
        known("seed", self.seed, ("workspace", "users", "projects"))
        seed: Row = {**DEFAULT, **self.seed}
        asked = seed["workspace"]
        given: Row = {"slug": asked} if isinstance(asked, str) else asked
        self.workspace = given.get("id") or rows.derived("workspace", given["slug"])
        self.store.put(
            "workspace",
            {
                "id": self.workspace,
                "slug": given["slug"],
                "name": given.get("name", given["slug"].title()),
                "deleted_at": None,
            },
        )
        for user in seed["users"]:
            self.user(user)
        for project in seed["projects"]:
            self.project(project)

    def stamp(self, given: str | None = None) -> str:
        """Return the time the seed gives, else the next millisecond of the starting hour."""
        if given:
            return parse_stamp(given)
        self.count += 1
        return to_stamp(self.start + self.count * 1e-3)

    def common(self, user: str | None = None, made: str | None = None) -> Row:
        """Return the base columns of a row made by `user` (by name; else the first admin)."""
        admins = [row["id"] for row in self.users.values() if row["role"] == ADMIN]
        by = self.named(user)["id"] if user else (admins or [None])[0]
        return rows.base(self.workspace, self.stamp(made), by)

    def named(self, name: str) -> Row:
        """Return the user of that name.  Raises BadSeed."""
        if name not in self.users:
            raise BadSeed(f"no user {name!r} in the seed")
        return self.users[name]

    def user(self, given: Row) -> None:
        """Create a user and the tokens."""
        known(f"user {given.get('name')}", given, USER_KEYS)
        name, role = given["name"], given.get("role", "member")
        if role not in ROLES:
            raise BadSeed(f"user {name}: role {role!r} is none of {', '.join(ROLES)}")
        row = {
            "id": given.get("id") or rows.derived("user", name),
            "deleted_at": None,
            "name": name,
            "first_name": given.get("first_name", name.title()),
            "last_name": given.get("last_name", ""),
            "email": given.get("email", f"{name}@example.com"),
            "avatar": "",
            "avatar_url": None,
            "display_name": given.get("display_name", name),
            "role": ROLES[role],
            "timezone": given.get("timezone", "UTC"),
        }
        self.users[name] = self.store.put("users", row)
        self.token(row["id"], role, given.get("token", f"plane_api_{name}"))
        for extra in given.get("tokens", ()):
            self.token(row["id"], role, extra)

    def token(self, user: str, role: str, given: Any) -> None:
        """Create a token: a text, or {token, rate, service, expired, inactive}."""
        fields: Row = {"token": given} if isinstance(given, str) else given
        known(f"token of {role}", fields, ("token", "rate", "service", "expired", "inactive"))
        put_token(
            self.store,
            fields["token"],
            user,
            role,
            rate=300 if fields.get("service") else fields.get("rate"),
            expires=1.0 if fields.get("expired") else None,
            active=not fields.get("inactive"),
        )

    def project(self, given: Row) -> None:
        """Create a project with states, labels, members and items."""
        known(f"project {given.get('identifier')}", given, PROJECT_KEYS)
        identity = given.get("id") or rows.derived("project", self.workspace, given["identifier"])
        common = {**self.common(), "id": identity}
        archived = self.stamp() if given.get("archived") else None
        self.store.put(
            "projects",
            rows.project(
                common,
                {
                    "identifier": given["identifier"],
                    "name": given.get("name", given["identifier"]),
                    "description": given.get("description", ""),
                    "network": 2 if given.get("public", True) else 0,
                    "archived_at": archived,
                },
            ),
        )
        for name, role in self.members(given.get("members")):
            self.store.put("members", rows.member(identity, self.named(name)["id"], role))
        for state in rows.states_of(self.common(), identity, given.get("states")):
            self.store.put("states", state)
        for place, label in enumerate(given.get("labels", ())):
            fields = {"name": label} if isinstance(label, str) else label
            made = {"id": rows.derived("label", identity, fields["name"]), "sort_order": 65535.0 + 10000 * place}
            self.store.put("labels", rows.label(self.common(), {**made, **fields, "project": identity}))
        for item in given.get("items", ()):
            self.item(identity, item)

    def members(self, given: Any) -> list[tuple[str, int]]:
        """Return (user name, role) of a project: those named, or all who are in the workspace."""
        if given is None:
            given = [name for name, row in self.users.items() if row["role"] is not None]
        if isinstance(given, list):
            return [(name, int(self.named(name)["role"] or MEMBER)) for name in given]
        return [(name, int(ROLES[role] or 0)) for name, role in dict(given).items()]

    def point(self, table: str, project: str, name: str) -> Row:
        """Return the state or label of that name in a project.  Raises BadSeed."""
        for row in self.store.now().rows(table, project):
            if row["name"] == name:
                return row
        raise BadSeed(f"no {name!r} among the {table}")

    def item(self, project: str, given: Row) -> None:
        """Create an item with its comments and links."""
        known(f"item {given.get('name')}", given, ITEM_KEYS)
        store = self.store
        states = store.now().rows("states", project)
        state = self.point("states", project, given["state"]) if "state" in given else states[0]
        number = given.get("sequence_id", store.next_number[project] + 1)
        identity = given.get("id") or rows.derived("item", project, str(number))
        common = {**self.common(given.get("by"), given.get("created_at")), "id": identity}
        fields: Row = {name: given[name] for name in AS_GIVEN if name in given}
        if given.get("updated_at"):
            fields["updated_at"] = self.stamp(given["updated_at"])
        done = common["created_at"] if state["group"] == "completed" else None
        store.put(
            "items",
            rows.item(
                common,
                {
                    **fields,
                    "project": project,
                    "state": state["id"],
                    "sequence_id": number,
                    "completed_at": done,
                    "description_html": sanitised(given.get("description_html") or "<p></p>"),
                    "labels": [self.point("labels", project, name)["id"] for name in given.get("labels", ())],
                    "assignees": [self.named(name)["id"] for name in given.get("assignees", ())],
                    "sort_order": store.top_order[project, state["id"]] + 10000,
                    "archived_at": self.stamp()[:10] if given.get("archived") else None,
                    "is_draft": bool(given.get("draft")),
                },
            ),
        )
        for place, comment in enumerate(given.get("comments", ())):
            self.comment(project, identity, place, comment)
        for url in given.get("links", ()):
            store.put("links", rows.link(self.common(), {"project": project, "issue": identity, "url": url}))

    def comment(self, project: str, item: str, place: int, given: Row) -> None:
        """Create a comment."""
        known("comment", given, COMMENT_KEYS)
        common = {
            **self.common(given.get("by"), given.get("created_at")),
            "id": given.get("id") or rows.derived("comment", item, str(place)),
        }
        external: Row = {name: given[name] for name in ("external_id", "external_source") if name in given}
        self.store.put(
            "comments",
            rows.comment(
                common,
                {
                    **external,
                    "project": project,
                    "issue": item,
                    "comment_html": given["html"],
                    "actor": common["created_by"],
                },
            ),
        )


def put_token(
    store: Store,
    text: str,
    user: str,
    role: str,
    *,
    rate: int | None = None,
    expires: float | None = None,
    active: bool = True,
) -> None:
    """Create a token; `rate` None is the server's, `expires` seconds since the epoch."""
    store.put(
        "tokens",
        {
            "id": text,
            "user": user,
            "role": role,
            "rate": rate,
            "expires": expires,
            "active": active,
            "deleted_at": None,
        },
    )
