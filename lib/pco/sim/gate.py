"""What a request passes before its view: size, URL, Accept, token, rights, throttle, method, body; in this order.

Only what has passed the throttle costs a unit and carries the X-RateLimit headers.
"""

import json
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from pco.sim import comments
from pco.sim.answers import Answer, Refused, Row, detail, forbidden, no_such_page, went_wrong
from pco.sim.call import Call, World
from pco.sim.routes import Route, resolve
from pco.sim.throttle import Throttled

LARGEST = 5 * 1024 * 1024
TOO_LARGE = {
    "error": "REQUEST_BODY_TOO_LARGE",
    "detail": "The size of the request body exceeds the maximum allowed size.",
}
NO_CREDENTIALS = {"detail": "Authentication credentials were not provided."}


@dataclass
class Request:
    """One request as it came: `headers` by lower-case name.

    `person` marks one that stands for somebody's browser: no throttle, no faults.  `seen` is its entry in the log.
    """

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    person: bool = False
    seen: Row = field(default_factory=dict)

    @property
    def path(self) -> str:
        """The path without the query, decoded."""
        return unquote(urlsplit(self.target).path)

    @property
    def query(self) -> dict[str, str]:
        """The last value of each key in the query."""
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))


def answer(world: World, request: Request, lag: float = 0.0, worker: bool = True) -> Answer:
    """Return the server's answer; `lag` in seconds that a GET is behind, scaled already."""
    try:
        found = routed(request)
    except Refused as refused:
        return Answer(refused.status, refused.body)
    if isinstance(found, Answer):
        return found
    route, parts = found
    headers = {"Allow": route.allow}
    try:
        return passed(world, request, route, parts, headers, (lag, worker))
    except Throttled as refused:
        return Answer(429, refused.body, {**headers, "Retry-After": str(refused.wait)})
    except Refused as refused:
        return Answer(refused.status, refused.body, headers)


def routed(request: Request) -> Answer | tuple[Route, dict[str, str]]:
    """Return the route of a request, or the redirect for a missing slash.  Raises Refused."""
    if len(request.body) > LARGEST:
        raise Refused(413, TOO_LARGE)
    if request.path == "/api/instances/":
        return Answer(200, {"is_activated": False, "is_setup_done": False}, {"Allow": "GET, PATCH, HEAD, OPTIONS"})
    if request.path.startswith("/api/workspaces/"):
        # The web application's own API knows sessions, not tokens.
        return Answer(401, NO_CREDENTIALS, {"Allow": "GET, POST, PATCH, DELETE, HEAD, OPTIONS"})
    found = resolve(request.path)
    if found is not None:
        return found
    if not request.path.endswith("/") and resolve(request.path + "/"):
        parts = urlsplit(request.target)
        where = parts.path + "/" + (f"?{parts.query}" if parts.query else "")
        return Answer(301, None, {"Location": where, "Content-Type": "text/html; charset=utf-8"})
    raise no_such_page()


def passed(
    world: World,
    request: Request,
    route: Route,
    parts: dict[str, str],
    headers: dict[str, str],
    how: tuple[float, bool],
) -> Answer:
    """Take a request with a known URL to its view; fills `headers` as far as it comes.  Raises Refused."""
    if not accepts(request.headers.get("accept", "*/*")):
        raise detail(406, "Could not satisfy the request Accept header.")
    token = authenticated(world, request)
    user = world.store.tables["users"][token["user"]]
    request.seen.update(user=user["name"], role=token["role"])
    lag, worker = how
    reader = world.store.ago(lag) if lag and request.method == "GET" else world.store.now()
    call = Call(world, request.method, user, parts, request.query, {}, reader, worker)
    if not route.permission(call):
        raise forbidden()
    limit = 0 if request.person else world.settings.rate if token["rate"] is None else token["rate"]
    headers["X-RateLimit-Remaining"] = str(world.throttle.spend(token["id"], limit))
    headers["X-RateLimit-Reset"] = str(int(world.clock.seconds()) + 60)
    view = route.views.get(request.method)
    if view is None:
        raise detail(405, f'Method "{request.method}" not allowed.')
    call.body = parsed(request)
    with nullcontext() if view is comments.create_comment else world.store.lock:
        done = view(call)
    return Answer(done.status, done.body, {**headers, **done.headers})


def accepts(wanted: str) -> bool:
    """Whether an Accept header can be satisfied with JSON."""
    kinds = {part.split(";")[0].strip().lower() for part in wanted.split(",")}
    return bool(kinds & {"application/json", "application/*", "*/*", ""})


def authenticated(world: World, request: Request) -> Row:
    """Return the token's row.  Raises Refused: 401 without the header, 403 for a bad token."""
    given = request.headers.get("x-api-key")
    if not given:
        raise Refused(401, NO_CREDENTIALS)
    token = world.store.tables["tokens"].get(given)
    if token is None or not token["active"]:
        raise detail(403, "Given API token is not valid")
    if token["expires"] is not None and token["expires"] <= world.clock.seconds():
        raise detail(403, "Given API token is not valid")
    return token


def parsed(request: Request) -> Any:
    """Return the body of a request: JSON, or a form as a dict; {} when there is none.  Raises Refused."""
    if request.method not in ("POST", "PATCH") or not request.body:
        return {}
    given = request.headers.get("content-type", "")
    kind = given.split(";")[0].strip().lower()
    if kind == "application/x-www-form-urlencoded":
        return dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
    if kind != "application/json":
        raise detail(415, f'Unsupported media type "{given}" in request.')
    try:
        return json.loads(request.body.decode("utf-8"), parse_constant=no_constant)
    except ValueError as error:
        raise detail(400, f"JSON parse error - {error}") from error
    except RecursionError as error:
        raise went_wrong() from error


def no_constant(name: str) -> None:
    """Refuse NaN and the infinities, which are not JSON."""
    raise ValueError(f"Out of range float values are not JSON compliant: {name!r}")
