"""Plane's refusals are sorted by what the caller should do about them."""

from datetime import timedelta

import pytest

from pco.ground.errors import BadConfig
from pco.outside.plane_refusals import Answer, Forbidden, Gone, Refused, Throttled, Unanswered, refusal

DENIED = "You do not have permission to perform this action."


def test_a_good_answer_and_a_conflict_are_no_refusal():
    assert refusal(Answer(200, {})) is None
    assert refusal(Answer(201, {"id": "x"})) is None
    assert refusal(Answer(200, [])) is None
    assert refusal(Answer(409, {"error": "exists", "id": "x"})) is None


@pytest.mark.parametrize(
    ("status", "value", "kind", "hint"),
    [
        (403, {"detail": "Given API token is not valid"}, "token", "new token"),
        (403, {"detail": DENIED}, "permission", "member"),
        (401, {"detail": "Authentication credentials were not provided."}, "header", "X-API-Key"),
        (403, None, "other", ""),
        (403, {"detail": "blocked by the firewall"}, "other", ""),
    ],
)
def test_the_kinds_of_forbidden_are_told_apart(status, value, kind, hint):
    error = refusal(Answer(status, value, "Forbidden"))

    assert isinstance(error, Forbidden)
    assert error.kind == kind
    assert hint in error.hint
    assert error.exit == 77


def test_an_item_is_gone_only_in_planes_own_words():
    assert type(refusal(Answer(404, {"error": "The requested resource does not exist."}))) is Gone
    assert type(refusal(Answer(404, {"error": "Page not found."}))) is BadConfig
    # A proxy whose Plane is down: tickets must not be thrown away for that.
    assert type(refusal(Answer(404, None, "Not Found"))) is Unanswered
    assert type(refusal(Answer(404, {}, "Not Found"))) is Unanswered


@pytest.mark.parametrize("status", [500, 502, 503, 504, 599, 408])
def test_a_failing_server_may_answer_later(status):
    error = refusal(Answer(status, {"error": "Something went wrong please try again later"}))

    assert type(error) is Unanswered
    assert error.passing


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_reported_with_its_cleaned_destination(status):
    error = refusal(Answer(status, None, where="https://evil.example.org/\x1b[31m" + "x" * 5000))

    assert isinstance(error, Unanswered)
    assert not error.passing
    assert "https://evil.example.org/[31m" in str(error)
    assert len(str(error)) < 300


def test_too_many_requests_carry_the_wait():
    told = refusal(Answer(429, {"error_code": 5900}, wait=timedelta(seconds=7)))
    untold = refusal(Answer(429, {"error_code": 5900}))

    assert isinstance(told, Throttled) and told.retry_after == timedelta(seconds=7)
    assert isinstance(untold, Throttled) and untold.retry_after == timedelta(seconds=60)


@pytest.mark.parametrize(
    ("status", "value", "said"),
    [
        (400, {"error": "The payload is not valid"}, "400 The payload is not valid"),
        (400, {"labels": {"0": ["Invalid pk"]}}, "400 labels: 0: Invalid pk"),
        (400, {"non_field_errors": ["State is not valid"]}, "400 State is not valid"),
        (413, {"error": "REQUEST_BODY_TOO_LARGE", "detail": "The size of the request body"}, "413 The size of"),
        (413, None, "413 Request Entity Too Large"),
        (415, {"detail": "Unsupported media type"}, "415 Unsupported media type"),
        (400, {"x": 5}, "400 Request Entity Too Large"),
        (400, "a bare text", "400 a bare text"),
    ],
)
def test_a_refusal_says_what_plane_said(status, value, said):
    error = refusal(Answer(status, value, "Request Entity Too Large"))

    assert type(error) is Refused
    assert said in str(error)


def test_what_plane_says_is_cleaned_and_cut():
    error = refusal(Answer(400, {"name": ["\x1b[31m\u202eevil\n" * 10_000]}))

    assert "\x1b" not in str(error) and "\u202e" not in str(error) and "\n" not in str(error)
    assert len(str(error)) < 260


def test_an_answer_without_json_is_no_answer():
    assert type(refusal(Answer(200, None))) is Unanswered
    assert type(refusal(Answer(204, None))) is Unanswered
