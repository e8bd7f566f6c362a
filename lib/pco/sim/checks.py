"""Field by field, what a body may hold and the words in which the server refuses the rest.

A check takes the value and returns what is stored, or raises Wrong with the message (a text, or a dict for the
places in a list).  `checked` runs a whole body through its checks.
"""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any
from uuid import UUID

from pco.sim.answers import Refused, Row, invalid
from pco.sim.clock import parse_stamp

LARGEST = 2**31 - 1

Check = Callable[[Any], Any]
Exists = Callable[[str], bool]


class Wrong(Exception):
    """A value is refused; `message` is what stands under the field's name."""

    def __init__(self, message: Any) -> None:
        super().__init__(message)
        self.message = message


def checked(body: Any, checks: Mapping[str, Check], required: tuple[str, ...] = ()) -> Row:
    """Return the known fields of `body` as they are to be stored; unknown keys are ignored.

    Raises Refused with 400 and every complaint.
    """
    if not isinstance(body, dict):
        raise invalid(f"Invalid data. Expected a dictionary, but got {type(body).__name__}.")
    good: Row = {}
    bad: Row = {name: ["This field is required."] for name in required if name not in body}
    for name in (name for name in checks if name in body):
        try:
            good[name] = checks[name](body[name])
        except Wrong as wrong:
            bad[name] = wrong.message if isinstance(wrong.message, dict) else [wrong.message]
    if bad:
        raise Refused(400, bad)
    return good


def or_null(check: Check) -> Check:
    """Let null pass."""
    return lambda value: None if value is None else check(value)


def text(longest: int = 0, blank: bool = False) -> Check:
    """Text, trimmed; numbers become text.  `longest` 0: no limit."""

    def check(value: Any) -> str:
        if value is None:
            raise Wrong("This field may not be null.")
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise Wrong("Not a valid string.")
        words = str(value).strip()
        if "\x00" in words:
            raise Wrong("Null characters are not allowed.")
        if not words and not blank:
            raise Wrong("This field may not be blank.")
        if longest and len(words) > longest:
            raise Wrong(f"Ensure this field has no more than {longest} characters.")
        return words

    return check


def choice(*allowed: str) -> Check:
    """One of the given words."""

    def check(value: Any) -> str:
        if value is None:
            raise Wrong("This field may not be null.")
        if value not in allowed:
            raise Wrong(f'"{value}" is not a valid choice.')
        return str(value)

    return check


def key(exists: Exists) -> Check:
    """The UUID of something that exists."""

    def check(value: Any) -> str:
        if not isinstance(value, str):
            raise Wrong(f"Incorrect type. Expected pk value, received {type(value).__name__}.")
        try:
            identity = str(UUID(value))
        except ValueError as error:
            raise Wrong(f"“{value}” is not a valid UUID.") from error
        if not exists(identity):
            raise Wrong(f'Invalid pk "{value}" - object does not exist.')
        return identity

    return check


def keys(exists: Exists) -> Check:
    """A list of such UUIDs; complaints are numbered by place."""
    one = key(exists)

    def check(value: Any) -> list[str]:
        if not isinstance(value, list):
            raise Wrong(f'Expected a list of items but got type "{type(value).__name__}".')
        good, bad = [], {}
        for place, each in enumerate(value):
            try:
                good.append(one(each))
            except Wrong as wrong:
                bad[str(place)] = [wrong.message]
        if bad:
            raise Wrong(bad)
        return list(dict.fromkeys(good))

    return check


def day(value: Any) -> str:
    """A date, YYYY-MM-DD."""
    try:
        return date.fromisoformat(value).isoformat()
    except (TypeError, ValueError) as error:
        raise Wrong("Date has wrong format. Use one of these formats instead: YYYY-MM-DD.") from error


def moment(value: Any) -> str:
    """A time, ISO 8601."""
    try:
        return parse_stamp(value)
    except (TypeError, ValueError) as error:
        raise Wrong(
            "Datetime has wrong format. Use one of these formats instead: "
            "YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z]."
        ) from error


def whole(value: Any) -> int:
    """A whole number that the database can hold."""
    try:
        found = int(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise Wrong("A valid integer is required.") from error
    if found > LARGEST:
        raise Wrong(f"Ensure this value is less than or equal to {LARGEST}.")
    return found


def number(value: Any) -> float:
    """A number."""
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise Wrong("A valid number is required.") from error


def yes_or_no(value: Any) -> bool:
    """A truth value, as JSON or as a form writes it."""
    if value in (True, "true", "True", "1"):
        return True
    if value in (False, "false", "False", "0"):
        return False
    raise Wrong("Must be a valid boolean.")
