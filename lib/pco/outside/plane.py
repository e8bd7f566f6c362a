"""The client of Plane's public API v1: only HTTP, no spool, no judgement.

Reads are tried again after what passes by itself; writes are sent once, since Plane applies some that it does not
answer: the caller looks before it sends again.  Lists end at `next_page_results`, for `next_cursor` never ends;
`per_page` goes out with every page, for without it a page is empty.  Redirects are not followed.  An empty list is
not believed where Plane gives one instead of an error.  Importing this module does not import requests.
"""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TypeVar
from urllib.parse import quote, urlsplit

from pco.ground import markup
from pco.ground.errors import BadConfig, BadData
from pco.outside import plane_values as values
from pco.outside.plane_refusals import Forbidden, Gone, Refused, Throttled, TooLarge, Unanswered, conflict
from pco.outside.plane_requests import Requests
from pco.outside.plane_values import Call, Item, Page, Person, ProjectInfo, Remark, Sweep, Workflow
from pco.outside.rates import Budget

__all__ = [
    "Call",
    "Forbidden",
    "Gone",
    "Item",
    "Page",
    "Person",
    "Plane",
    "ProjectInfo",
    "Refused",
    "Remark",
    "Sweep",
    "Throttled",
    "Unanswered",
    "Workflow",
]

T = TypeVar("T")

SOURCE = "pco"  # external_source of our comments; with external_id it is what Plane dedupes by
MOST_PER_PAGE = 1000
MOST_PAGES = 2000

_TOKEN = re.compile(r"[\x21-\x7e]{1,500}")
_WORKSPACE = re.compile(r"[A-Za-z0-9_-]{1,100}")
_ADDRESS = re.compile(r"[\x21-\x7e]+")
_IDENTIFIER = re.compile(r"(?s).{1,40}-[0-9]{1,9}")
_ARCHIVED_HINT = "restore it in Plane, or take it out of plane.projects"


class Plane:
    """One workspace, through one token.  `calls` tallies every request that was sent."""

    def __init__(
        self,
        url: str,
        workspace: str,
        token: str,
        timeout: timedelta,
        budget: Budget | None = None,
        patience: timedelta = timedelta(seconds=45),
        urgent: bool = False,
    ) -> None:
        """`patience`: how long after its beginning a read may still be tried again, or a request wait for its turn.

        Raises BadConfig.
        """
        api = _checked_url(url)
        if not _WORKSPACE.fullmatch(workspace):
            raise BadConfig("plane.workspace: expected the name in the workspace's address, such as acme")
        if not _TOKEN.fullmatch(token):
            raise BadConfig("the token for Plane is empty, or has blanks or other characters that no token has")
        self._workspace = f"workspaces/{workspace}"
        self._requests = Requests(api, token, timeout, budget, patience, urgent)
        self._alive: set[str] = set()  # projects whose states came: neither archived nor closed to us
        self.calls: list[Call] = self._requests.calls

    @property
    def waited(self) -> float:
        """How long requests have waited for their turn, in seconds."""
        return self._requests.waited

    def close(self) -> None:
        """Close the connections."""
        self._requests.close()

    def me(self) -> Person:
        """The token's user."""
        return values.read_person(values.read_row(self._requests.get("users/me", "users/me"), "users/me"))

    def projects(self) -> tuple[ProjectInfo, ...]:
        """Projects that the token may see: also archived ones, and public ones that it is not a member of."""
        return self._all(f"{self._workspace}/projects", "projects", values.read_project)

    def states(self, project: str) -> tuple[Workflow, ...]:
        """The workflow of a project.  Raises Forbidden, and BadConfig if it is archived."""
        found = self._all(self._in(project, "states"), "states", values.read_workflow)
        if not found:
            raise BadConfig(f"project {project} has no states: it is archived in Plane", _ARCHIVED_HINT)
        self._alive.add(project)
        return found

    def labels(self, project: str) -> dict[str, str]:
        """Names of a project's labels by id.  Raises Forbidden or BadConfig where Plane gives an empty list."""
        found = self._all(self._in(project, "labels"), "labels", lambda row: (row.uuid("id"), row.text("name")))
        if not found:
            self._make_sure(project)
        return dict(found)

    def members(self, project: str) -> dict[str, str]:
        """Names of a project's members by id."""
        rows = values.read_rows(self._requests.get(self._in(project, "members"), "members"), "members")
        return {person.id: person.name for person in map(values.read_person, rows)}

    def items(
        self, project: str, per_page: int = 100, order_by: str = "-updated_at", believe_empty: bool = False
    ) -> Iterator[Page]:
        """Pages of a project's open items; each is requested when it is asked for.

        Pages shift while people write: an item may come twice, or, moved to the front, not at all until the next
        time.  Raises Forbidden, and BadConfig for an archived project, which looks like an empty one; with
        `believe_empty` (it was empty before, so nothing follows from it) that request is spared.
        """
        for page in self._pages(self._in(project, "work-items"), "work-items", per_page, {"order_by": order_by}):
            if page.total_count == 0 and not believe_empty:
                self._make_sure(project)
            yield Page(tuple(map(values.read_item, page.rows)), page.total_count, page.more)

    def ids(self, project: str) -> Sweep:
        """The ids of all open items of a project; a set smaller than the count tells that pages shifted."""
        found: set[str] = set()
        total = 0
        # In an order that no edit changes; an item that goes meanwhile still shifts the rest.
        parameters = {"order_by": "sequence_id", "fields": "id"}
        for page in self._pages(self._in(project, "work-items"), "work-items", MOST_PER_PAGE, parameters):
            found.update(row.uuid("id") for row in page.rows)
            total = page.total_count
        if total == 0:
            self._make_sure(project)
        return Sweep(frozenset(found), total)

    def item(self, project: str, id: str) -> Item:
        """One item, as it is now.  Raises Gone."""
        value = self._requests.get(self._in(project, f"work-items/{_uuid(id)}"), "work-items/{id}")
        return values.read_item(values.read_row(value, "work-item"))

    def by_identifier(self, identifier: str) -> Item:
        """The item that people call `WEB-12`.  Raises Gone, and Forbidden for an unknown or misspelt prefix."""
        if not _IDENTIFIER.fullmatch(identifier):
            raise BadData(f"{values.clean(identifier)[:60]!r} is no identifier such as WEB-12")
        path = f"{self._workspace}/work-items/{quote(values.clean(identifier), safe='')}"
        return values.read_item(values.read_row(self._requests.get(path, "work-items/{identifier}"), "work-item"))

    def comments(self, project: str, item: str, sure: bool = False) -> tuple[Remark, ...]:
        """All comments of an item, newest first.

        An item that does not exist has no comments either: with `sure` an empty answer is checked, and Gone raised.
        """
        path = self._in(project, f"work-items/{_uuid(item)}/comments")
        found = self._all(path, "work-items/{id}/comments", values.read_remark)
        if sure and not found:
            self.item(project, item)
        return found

    def comment(self, project: str, item: str, html: str, external_id: str) -> str:
        """Write a comment and return its id; if Plane has one with this external id, that one's.

        Sent once.  Plane takes comments on items that are gone, and in the wrong project: read the item first.
        Raises Refused; Unanswered and Throttled, after which `maybe_applied` says whether to look before resending.
        """
        if not markup.plain(html).strip():
            raise Refused("an empty comment is not sent")
        if not 0 < len(external_id) <= 255:
            raise Refused("the external id of a comment has 1 to 255 characters")
        body = {"comment_html": html, "external_source": SOURCE, "external_id": external_id}
        endpoint = "work-items/{id}/comments"
        answer = self._requests.send("POST", self._in(project, f"work-items/{_uuid(item)}/comments"), endpoint, body)
        try:
            return values.read_row(answer.value, "comment").uuid("id")
        except BadData as error:
            if answer.status == 409:
                raise conflict(answer) from None
            raise _half_answered(str(error)) from None

    def set_state(self, project: str, item: str, state_id: str) -> None:
        """Move an item to a state of its project.  Sent once.  Raises as `comment` does, and Gone."""
        path = self._in(project, f"work-items/{_uuid(item)}")
        answer = self._requests.send("PATCH", path, "work-items/{id}", {"state": _uuid(state_id)})
        if answer.status == 409:
            raise conflict(answer)
        try:
            now = values.read_row(answer.value, "work-item").uuid("state")
        except BadData as error:
            raise _half_answered(str(error)) from None
        if now != state_id.lower():
            # Plane answers 200 to keys that it ignores.
            raise Refused(f"Plane took the change of state, but the item is in {now}")

    def create(self, project: str, title: str, html: str, source: str, external_id: str) -> Item:
        """Make an item, in the state that the project gives to new ones; if there is one of this id, it is that one.

        Sent once.  Raises as `comment` does.
        """
        body = {"name": title, "description_html": html, "external_source": source, "external_id": external_id}
        answer = self._requests.send("POST", self._in(project, "work-items"), "work-items", body)
        try:
            row = values.read_row(answer.value, "work-item")
            return self.item(project, row.uuid("id")) if answer.status == 409 else values.read_item(row)
        except BadData as error:
            if answer.status == 409:
                raise conflict(answer) from None
            raise _half_answered(str(error)) from None

    def by_external(self, project: str, source: str, external_id: str) -> Item:
        """The item that was made under this id.  Raises Gone."""
        asked = {"external_source": source, "external_id": external_id}
        value = self._requests.get(self._in(project, "work-items"), "work-items?external_id", asked)
        return values.read_item(values.read_row(value, "work-item"))

    def delete(self, project: str, item: str) -> None:
        """Delete an item with its comments; only its maker or an admin may.  Raises Gone, and as `comment` does."""
        self._requests.send("DELETE", self._in(project, f"work-items/{_uuid(item)}"), "work-items/{id}", None)

    def _in(self, project: str, path: str) -> str:
        return f"{self._workspace}/projects/{_uuid(project)}/{path}"

    def _make_sure(self, project: str) -> None:
        """Find out whether an empty list means empty: of states every living project has some."""
        if project not in self._alive:
            self.states(project)

    def _all(self, path: str, endpoint: str, read: Callable[[values.Row], T]) -> tuple[T, ...]:
        """All rows of a list, each once though pages may shift; in the order of the server."""
        found: dict[str, T] = {}
        for page in self._pages(path, endpoint, MOST_PER_PAGE, {}):
            for row in page.rows:
                found.setdefault(row.uuid("id"), read(row))
        return tuple(found.values())

    def _pages(self, path: str, endpoint: str, per_page: int, parameters: dict[str, str]) -> Iterator[values.Envelope]:
        """The pages of a list.  One that is too large is asked for in smaller ones: somebody pasted megabytes."""
        number = 0
        for _ in range(MOST_PAGES):
            # Of a cursor Plane reads only the number of the page; its size it takes from per_page.
            asked = parameters | {"per_page": str(per_page), "cursor": f"{per_page}:{number}:0"}
            try:
                page = values.read_envelope(self._requests.get(path, endpoint, asked), endpoint)
            except TooLarge:
                if per_page == 1:
                    raise
                smaller = _smaller(per_page)
                number, per_page = number * (per_page // smaller), smaller
                continue
            yield page
            if not page.more:
                return
            if not page.rows:
                break
            number += 1
        raise BadData(f"Plane's list of {endpoint} does not end")


def _checked_url(url: str) -> str:
    """The address of the API, with a slash at its end.  Raises BadConfig."""
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        sound = False
    if not sound or not _ADDRESS.fullmatch(url) or any(sign in url for sign in "@?#"):
        # Not repeated: it may hold a password.
        raise BadConfig("plane.url: expected an address such as https://plane.example.org, without name or password")
    return url.rstrip("/") + "/api/v1/"


def _uuid(id: str) -> str:
    """The id, fit for a path.  Raises BadData."""
    if not values.is_uuid(id):
        raise BadData(f"{values.clean(id)[:60]!r} is no id of Plane")
    return id.lower()


def _smaller(per_page: int) -> int:
    """A divisor, so that pages of the new size begin where those of the old did."""
    return next(per_page // by for by in range(2, per_page + 1) if per_page % by == 0)


def _half_answered(why: str) -> Unanswered:
    """A write was answered, but not so that one could tell what was done."""
    error = Unanswered(why)
    error.maybe_applied = True
    return error
