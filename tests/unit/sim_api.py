"""A bare client for the simulator's tests: it shows what is on the wire and believes nothing."""

import gzip
import json
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any

from pco.sim import Sim

NOBODY = "00000000-0000-4000-8000-000000000000"


@dataclass
class Got:
    """One answer: status, headers by lower-case name, body parsed when it is JSON."""

    status: int
    headers: dict[str, str]
    body: Any


class Api:
    """Requests to one simulator, in the name of a user."""

    def __init__(self, sim: Sim, project: str = "WEB") -> None:
        self.sim = sim
        self.root = f"/api/v1/workspaces/{sim.slug}/"
        self.project = f"{self.root}projects/{sim.project(project)['id']}/"
        self.items = f"{self.project}work-items/"

    def ask(self, method: str, path: str, body: Any = None, by: str | None = "plane_api_bot", **headers: str) -> Got:
        """Send one request with the token `by`; `body` bytes go out as they are, all else as JSON."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if by:
            sent["X-API-Key"] = by
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        connection = HTTPConnection("127.0.0.1", int(self.sim.url.rsplit(":", 1)[1]), timeout=30)
        try:
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            return got(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()

    def get(self, path: str, **more: Any) -> Got:
        """GET."""
        return self.ask("GET", path, **more)

    def post(self, path: str, body: Any, **more: Any) -> Got:
        """POST."""
        return self.ask("POST", path, body, **more)

    def patch(self, path: str, body: Any, **more: Any) -> Got:
        """PATCH."""
        return self.ask("PATCH", path, body, **more)

    def make(self, name: str = "an item", **fields: Any) -> str:
        """Create an item and return its id."""
        return str(self.post(self.items, {"name": name, **fields}).body["id"])

    def item(self, identity: str) -> str:
        """Return the URL of an item."""
        return f"{self.items}{identity}/"


def got(status: int, headers: dict[str, str], body: bytes) -> Got:
    """Return an answer with its body unpacked."""
    low = {name.lower(): value for name, value in headers.items()}
    if low.get("content-encoding") == "gzip":
        body = gzip.decompress(body)
    return Got(status, low, json.loads(body) if body and "json" in low.get("content-type", "") else body)
