"""A simulator that runs in another process, with the same verbs as `Sim`: for the demo and for tests of programs."""

import json
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

from pco.sim.answers import Row
from pco.sim.person import NotDone, Person


class Remote:
    """The control endpoints of the simulator at `url`."""

    def __init__(self, url: str) -> None:
        self.url = url.strip()
        self._host = urlsplit(self.url).netloc

    def _order(self, method: str, what: str, body: Any = None) -> Any:
        """Give one order and return the answer.  Raises NotDone."""
        connection = HTTPConnection(self._host, timeout=60)
        try:
            connection.request(method, f"/_sim/{what}", None if body is None else json.dumps(body))
            response = connection.getresponse()
            text = response.read().decode()
        finally:
            connection.close()
        if response.status != 200:
            raise NotDone(f"{method} {what}: {response.status} {text[:500]}")
        return json.loads(text) if text else None

    @property
    def slug(self) -> str:
        """The workspace."""
        return str(self.rows("workspace")[0]["slug"])

    @property
    def tokens(self) -> dict[str, str]:
        """The first token of each user, by name."""
        names = {row["id"]: row["name"] for row in self.rows("users")}
        found: dict[str, str] = {}
        for token in self.rows("tokens"):
            found.setdefault(names[token["user"]], token["id"])
        return found

    def person(self, name: str, project: str | None = None) -> Person:
        """Return somebody who works in Plane by hand, in `project` (its identifier; else the first)."""
        return Person(self.url, self.tokens[name], self.slug, project or self.rows("projects")[0]["identifier"])

    def project(self, identifier: str) -> Row:
        """Return the row of a project."""
        return next(row for row in self.rows("projects") if row["identifier"] == identifier)

    def faults(self, *specs: Row) -> None:
        """Replace the fault switches; none given: all off."""
        self._order("POST", "faults", list(specs))

    def fired(self) -> int:
        """Return how many times the present switches have fired."""
        return sum(int(fault["fired"]) for fault in self._order("GET", "faults"))

    def requests(self, people: bool = False) -> list[Row]:
        """Return the log of requests, without those of Persons unless asked for."""
        return [entry for entry in self._order("GET", "requests") if people or not entry["person"]]

    def reset_log(self) -> None:
        """Forget the requests so far."""
        self._order("POST", "reset-log")

    def advance(self, seconds: float) -> None:
        """Skip time."""
        self._order("POST", "clock", {"advance": seconds})

    def settle(self) -> None:
        """Let all late work of the server happen now."""
        self._order("POST", "settle")

    def rows(self, table: str) -> list[Row]:
        """Return all rows of a table, soft-deleted ones too."""
        found: list[Row] = self._order("GET", f"rows/{table}")
        return found
