"""Somebody who works in Plane by hand: over the API with a token of their own, without throttle and faults."""

import json
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlencode, urlsplit

from pco.sim.answers import Row


class NotDone(Exception):
    """The server refused; the message has its status and words."""


class Person:
    """One user in one project.  An item is given by its number, "WEB-12", its id, or a row with an id."""

    def __init__(self, url: str, token: str, slug: str, project: str) -> None:
        self._host = urlsplit(url).netloc
        self._token = token
        self._root = f"/api/v1/workspaces/{slug}"
        self.prefix = project
        listed = self._ask("GET", f"{self._root}/projects/")["results"]
        self.project: str = next(row["id"] for row in listed if row["identifier"] == project)
        self._items = f"{self._root}/projects/{self.project}/work-items/"

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        """Send one request and return the JSON of the answer.  Raises NotDone."""
        connection = HTTPConnection(self._host, timeout=60)
        try:
            headers = {"X-API-Key": self._token, "Content-Type": "application/json", "X-Sim-Person": "1"}
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            text = response.read().decode()
        finally:
            connection.close()
        if response.status >= 300:
            raise NotDone(f"{method} {path}: {response.status} {text[:500]}")
        return json.loads(text) if text else None

    def _all(self, path: str, **query: str) -> list[Row]:
        """Return all rows of a list, page by page."""
        found: list[Row] = []
        page = 0
        while True:
            part = self._ask("GET", f"{path}?{urlencode({**query, 'per_page': 1000, 'cursor': f'1000:{page}:0'})}")
            found += part["results"]
            page += 1
            if not part["next_page_results"]:
                return found

    def _id(self, item: int | str | Row) -> str:
        """Return the id of an item, however it is given."""
        if isinstance(item, dict):
            return str(item["id"])
        if isinstance(item, int):
            item = f"{self.prefix}-{item}"
        if not item.startswith(f"{self.prefix}-"):
            return item
        for row in self._ask("GET", "/_sim/rows/items"):
            if row["project"] == self.project and item == f"{self.prefix}-{row['sequence_id']}":
                return str(row["id"])
        raise NotDone(f"no item {item}")

    def _named(self, table: str, name: str) -> str:
        """Return the id of a state or label by its name."""
        for row in self._all(f"{self._root}/projects/{self.project}/{table}/"):
            if row["name"] == name:
                return str(row["id"])
        raise NotDone(f"no {name!r} among the {table} of {self.prefix}")

    def _user(self, name: str) -> str:
        """Return the id of a member by display name."""
        for row in self._ask("GET", f"{self._root}/members/"):
            if name in (row["display_name"], row["first_name"].lower()):
                return str(row["id"])
        raise NotDone(f"no member {name!r}")

    def items(self, **query: str) -> list[Row]:
        """Return the visible items, newest first."""
        return self._all(self._items, **query)

    def item(self, item: int | str | Row) -> Row:
        """Return one item as it is now."""
        found: Row = self._ask("GET", f"{self._items}{self._id(item)}/")
        return found

    def key(self, item: int | str | Row) -> str:
        """Return what people call an item: WEB-12."""
        row = item if isinstance(item, dict) else self.item(item)
        return f"{self.prefix}-{row['sequence_id']}"

    def state(self, item: int | str | Row) -> str:
        """Return the name of an item's state."""
        wanted = self.item(item)["state"]
        states = self._all(f"{self._root}/projects/{self.project}/states/")
        return str(next(row["name"] for row in states if row["id"] == wanted))

    def _translated(self, fields: Row) -> Row:
        """Return fields of an item with the names of state, labels and assignees turned into ids."""
        given = dict(fields)
        if "state" in given:
            given["state"] = self._named("states", given["state"])
        if "labels" in given:
            given["labels"] = [self._named("labels", name) for name in given["labels"]]
        if "assignees" in given:
            given["assignees"] = [self._user(name) for name in given["assignees"]]
        return given

    def create(self, name: str, **fields: Any) -> Row:
        """Create an item; state, labels and assignees are given by name."""
        made: Row = self._ask("POST", self._items, self._translated({"name": name, **fields}))
        return made

    def edit(self, item: int | str | Row, **fields: Any) -> Row:
        """Change columns of an item; state, labels and assignees are given by name."""
        row: Row = self._ask("PATCH", f"{self._items}{self._id(item)}/", self._translated(fields))
        return row

    def move(self, item: int | str | Row, state: str) -> Row:
        """Move an item into a state."""
        return self.edit(item, state=state)

    def close(self, item: int | str | Row) -> Row:
        """Move an item to Done."""
        return self.move(item, "Done")

    def cancel(self, item: int | str | Row) -> Row:
        """Move an item to Cancelled."""
        return self.move(item, "Cancelled")

    def label(self, item: int | str | Row, *names: str) -> Row:
        """Replace the labels of an item."""
        return self.edit(item, labels=list(names))

    def assign(self, item: int | str | Row, *names: str) -> Row:
        """Replace the assignees of an item."""
        return self.edit(item, assignees=list(names))

    def comment(self, item: int | str | Row, html: str, **fields: Any) -> Row:
        """Write a comment."""
        row: Row = self._ask("POST", f"{self._items}{self._id(item)}/comments/", {"comment_html": html, **fields})
        return row

    def comments(self, item: int | str | Row) -> list[Row]:
        """Return the comments of an item, newest first."""
        return self._all(f"{self._items}{self._id(item)}/comments/")

    def edit_comment(self, comment: Row, html: str) -> Row:
        """Change a comment, one's own or another's."""
        row: Row = self._ask(
            "PATCH", f"{self._items}{comment['issue']}/comments/{comment['id']}/", {"comment_html": html}
        )
        return row

    def delete_comment(self, comment: Row) -> None:
        """Delete a comment."""
        self._ask("DELETE", f"{self._items}{comment['issue']}/comments/{comment['id']}/")

    def delete(self, item: int | str | Row) -> None:
        """Delete an item."""
        self._ask("DELETE", f"{self._items}{self._id(item)}/")

    def archive(self, item: int | str | Row, archived: bool = True) -> None:
        """Archive an item, or bring it back; the API has no way to."""
        self._ask("POST", f"/_sim/items/{self._id(item)}", {"archived": archived})

    def draft(self, item: int | str | Row, draft: bool = True) -> None:
        """Make an item a draft, or an ordinary one again."""
        self._ask("POST", f"/_sim/items/{self._id(item)}", {"draft": draft})
