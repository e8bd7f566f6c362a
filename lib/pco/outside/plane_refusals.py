"""How Plane says no, as errors sorted by what the caller should do about it.

{"detail": ..}                    permission, parse, pagination        {"error": ..}   404, 500, conflict
{field: [..]}                     400                                  {"error_code": 5900, ..}   429
"""

from datetime import timedelta
from typing import Any

from pco.ground import text
from pco.ground.errors import BadConfig, BadData, NotPermitted, PcoError, TryLater
from pco.ground.frozen import dataclass

DELETED = ("DELETE", 204)  # the one answer that has no body
MOST_SAID = 200  # characters of the server's own words in a message

_NO_PAGE = "Page not found."
_BAD_TOKEN = "Given API token is not valid"  # noqa: S105
_NO_PERMISSION = "You do not have permission to perform this action."
_RENEW_HINT = "make a new token in Plane (Profile settings, API tokens) and put it where plane.token_file says"
_MEMBER_HINT = (
    "are plane.workspace and the project's id right, and is the token's user a member of the project, no guest?"
)
_HEADER_HINT = "does a proxy before Plane drop the header X-API-Key?"


class Gone(BadData):
    """The item is missing, deleted or archived: Plane does not tell which."""


class Refused(BadData):
    """Plane will not take it, however often it is sent."""


class Throttled(TryLater):
    """No request may be sent for `retry_after`: Plane said so, or the budget of this machine."""

    def __init__(self, message: str, retry_after: timedelta, hint: str = "") -> None:
        super().__init__(message, hint)
        self.retry_after = retry_after


class Forbidden(NotPermitted):
    """The token may not do this.  `kind` is token (not valid), permission, header (it never arrived) or other."""

    def __init__(self, message: str, kind: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.kind = kind


class Unanswered(TryLater):
    """There was no answer, or none that Plane could have meant.

    `maybe_applied`: it was a write and some of it was sent, so Plane may have done it.
    `passing`: asking again soon may help.
    """

    def __init__(self, message: str, hint: str = "", *, passing: bool = True) -> None:
        super().__init__(message, hint)
        self.maybe_applied = False
        self.passing = passing


class TooLarge(Unanswered):
    """The answer is larger than any that Plane has reason to give."""

    def __init__(self, most: int) -> None:
        super().__init__(f"Plane's answer is larger than {most >> 20} MiB", passing=False)


@dataclass(frozen=True)
class Answer:
    """A whole answer: `value` its JSON or None, `wait` what Retry-After says, `where` what Location says."""

    status: int
    value: Any = None
    reason: str = ""
    wait: timedelta | None = None
    where: str = ""


def refusal(answer: Answer) -> PcoError | None:
    """The error that an answer means; None for 2xx with JSON, and for 409, which the caller has to judge."""
    status = answer.status
    if 300 <= status < 400:
        return _redirected(answer)
    if status in (401, 403):
        return _forbidden(answer)
    if status == 404:
        return _missing(answer)
    if status == 429:
        wait = answer.wait or timedelta(seconds=60)
        return Throttled("Plane: 429: too many requests", wait, "is plane.requests_per_minute above Plane's limit?")
    if status == 408 or not 200 <= status < 500:
        return Unanswered(f"Plane failed: {said(answer)}")
    if status >= 400 and status != 409:
        return Refused(f"Plane refused: {said(answer)}")
    if status < 300 and answer.value is None:
        return Unanswered(f"Plane's answer is not JSON ({status})", "is there another server at plane.url?")
    return None


def conflict(answer: Answer) -> Refused:
    """The error for a 409 that is no success."""
    return Refused(f"Plane refused: {said(answer)}")


def said(answer: Answer) -> str:
    """The status and the server's words, cleaned and cut."""
    words = text.line(_words(answer.value) or answer.reason, MOST_SAID)
    return f"{answer.status} {words}".rstrip()


def _words(value: Any) -> str:
    """What a person reads of an error's JSON: `detail`, `error`, or `field: message` of each field."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "; ".join(filter(None, (_words(item) for item in value[:5])))
    if not isinstance(value, dict):
        return ""
    for name in ("detail", "error", "error_message", "non_field_errors"):
        if words := _words(value.get(name)):
            return words
    return "; ".join(f"{name}: {words}" for name, item in list(value.items())[:5] if (words := _words(item)))


def _redirected(answer: Answer) -> Unanswered:
    to = text.line(answer.where, MOST_SAID)
    # Followed, a POST would become a GET; and the token would go wherever it points.
    return Unanswered(f"Plane: {answer.status}: redirects to {to or 'nowhere'}", "correct plane.url", passing=False)


def _forbidden(answer: Answer) -> Forbidden:
    detail = _words(answer.value)
    if answer.status == 401:
        return Forbidden(f"Plane: {said(answer)}", "header", _HEADER_HINT)
    if detail == _BAD_TOKEN:
        return Forbidden(f"Plane: {said(answer)}", "token", _RENEW_HINT)
    if detail == _NO_PERMISSION:
        return Forbidden(f"Plane: {said(answer)}", "permission", _MEMBER_HINT)
    return Forbidden(f"Plane, or a proxy before it: {said(answer)}", "other")


def _missing(answer: Answer) -> PcoError:
    """A 404 means gone only in Plane's own words; a proxy whose Plane is down says 404 too."""
    words = _words(answer.value)
    if not words:
        return Unanswered("404, and not from Plane", "is there another server at plane.url?")
    if words == _NO_PAGE:
        return BadConfig(f"Plane: {said(answer)}", "is plane.url right, and Plane 1.1 or newer?")
    return Gone(f"Plane: {said(answer)}")
