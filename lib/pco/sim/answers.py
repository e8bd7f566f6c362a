"""What a view returns or raises, and the words of the real server's refusals."""

from dataclasses import dataclass, field
from typing import Any

Row = dict[str, Any]


@dataclass
class Answer:
    """One reply: `body` is JSON to be, or None for no body at all."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


class Refused(Exception):
    """A view refuses; `status` and `body` go out as they are."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(f"{status}: {body}")
        self.status = status
        self.body = body


def no_such_object() -> Refused:
    """Return the 404 of an object that is missing, hidden or in another project."""
    return Refused(404, {"error": "The requested resource does not exist."})


def no_such_page() -> Refused:
    """Return the 404 of an unknown URL or of a malformed UUID in it."""
    return Refused(404, {"error": "Page not found."})


def forbidden() -> Refused:
    """Return the 403 of a person without the right to do this."""
    return Refused(403, {"detail": "You do not have permission to perform this action."})


def went_wrong() -> Refused:
    """Return the 500 that the real server gives for whatever its authors did not foresee."""
    return Refused(500, {"error": "Something went wrong please try again later"})


def detail(status: int, words: str) -> Refused:
    """Return a refusal in the shape of authentication, parse and pagination errors."""
    return Refused(status, {"detail": words})


def duplicate(words: str, identity: str) -> Refused:
    """Return the 409 that names the object which exists already."""
    return Refused(409, {"error": words, "id": identity})


def invalid(words: str) -> Refused:
    """Return the 400 about the whole body rather than one field."""
    return Refused(400, {"non_field_errors": [words]})
