"""What the simulator answers before any view: URLs, tokens, rights, throttle, methods, bodies, times."""

import json
import time
from collections.abc import Iterator

import pytest

from pco.sim import Sim, running
from unit.sim_api import NOBODY, Api


@pytest.fixture
def sim() -> Iterator[Sim]:
    with running(rate=0, scale=0.01) as made:
        yield made


@pytest.fixture
def api(sim: Sim) -> Api:
    return Api(sim)


def test_a_missing_slash_is_redirected_for_get_and_post_alike_and_nothing_is_written(api):
    get, post = api.get(api.items[:-1] + "?per_page=1"), api.post(api.items[:-1], {"name": "x"})

    assert (get.status, get.headers["location"]) == (301, api.items + "?per_page=1")
    assert (post.status, post.headers["location"]) == (301, api.items)
    assert api.get(api.items).body["total_count"] == 0


@pytest.mark.parametrize("path", ["work-items/not-a-uuid/", "archived-work-items/", "work-items/not-a-uuid"])
def test_an_unknown_url_or_a_malformed_uuid_is_another_404_than_a_missing_object(api, path):
    unknown, missing = api.get(api.project + path), api.get(api.item(NOBODY))

    assert (unknown.status, unknown.body) == (404, {"error": "Page not found."})
    assert (missing.status, missing.body) == (404, {"error": "The requested resource does not exist."})


def test_an_upper_case_uuid_is_an_unknown_url(api):
    item = api.make()

    assert api.get(api.item(item.upper())).body == {"error": "Page not found."}
    assert api.get(api.item(item)).status == 200


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PUT"])
def test_a_method_that_the_server_does_not_know_is_405_and_allow_names_the_others(api, method):
    answer = api.ask(method, api.project + "states/", **{} if method != "PUT" else {"body": {}})

    assert (answer.status, answer.headers["allow"]) == (405, "GET, POST")
    if method != "HEAD":
        assert answer.body == {"detail": f'Method "{method}" not allowed.'}


def test_html_is_not_served(api):
    answer = api.get(api.project + "states/", Accept="text/html")

    assert (answer.status, answer.body) == (406, {"detail": "Could not satisfy the request Accept header."})


def test_without_the_header_it_is_401_also_with_a_bearer_token(api):
    for headers in ({}, {"Authorization": "Bearer plane_api_bot"}):
        answer = api.get(api.root + "projects/", by=None, **headers)
        assert answer.status == 401
        assert answer.body == {"detail": "Authentication credentials were not provided."}


@pytest.mark.parametrize("token", ["nonsense", "plane_api_expired", "plane_api_inactive"])
def test_a_bad_token_is_403_not_401(api, token):
    answer = api.get(api.root + "projects/", by=token)

    assert (answer.status, answer.body) == (403, {"detail": "Given API token is not valid"})


def test_a_stranger_an_unknown_project_and_an_unknown_workspace_are_the_same_403(api):
    refused = [
        api.get(api.root + "projects/", by="plane_api_olga"),
        api.get(api.items, by="plane_api_olga"),
        api.get(f"{api.root}projects/{NOBODY}/work-items/"),
        api.get(api.items.replace("acme", "nope")),
    ]

    for answer in refused:
        assert answer.status == 403
        assert answer.body == {"detail": "You do not have permission to perform this action."}
        assert "x-ratelimit-remaining" not in answer.headers


def test_the_api_key_header_is_found_whatever_its_case(api):
    assert api.get("/api/v1/users/me/", by=None, **{"x-api-KEY": "plane_api_bot"}).status == 200


def test_the_throttle_refuses_request_61_until_the_oldest_is_a_minute_old():
    with running(rate=60) as sim:
        api = Api(sim)
        first = api.get(api.root + "projects/")
        sim.advance(20)
        for _ in range(59):
            last = api.get(api.root + "projects/")
        over = api.get(api.root + "projects/")

        assert first.headers["x-ratelimit-remaining"] == "59"
        assert int(first.headers["x-ratelimit-reset"]) == pytest.approx(time.time() + 60, abs=5)
        assert (last.status, last.headers["x-ratelimit-remaining"]) == (200, "0")
        assert (over.status, over.body) == (429, {"error_code": 5900, "error_message": "RATE_LIMIT_EXCEEDED"})
        assert 35 <= int(over.headers["retry-after"]) <= 40
        assert "x-ratelimit-remaining" not in over.headers
        sim.advance(int(over.headers["retry-after"]) + 1)
        assert api.get(api.root + "projects/").status == 200
        assert api.get(api.root + "projects/").status == 429


def test_errors_cost_a_unit_but_refused_rights_unknown_urls_and_redirects_are_free():
    with running(rate=10) as sim:
        api = Api(sim)
        for _ in range(20):
            api.get(f"{api.root}projects/{NOBODY}/states/")
            api.get(api.root + "nothing/")
            api.get(api.items[:-1])
        left = api.get("/api/v1/users/me/").headers["x-ratelimit-remaining"]
        api.get(api.item(NOBODY))
        api.post(api.items, {})
        api.ask("PUT", api.items, {})

        assert left == "9"
        assert api.get("/api/v1/users/me/").headers["x-ratelimit-remaining"] == "5"


def test_each_token_has_its_own_window_and_a_service_token_a_wider_one():
    with running(rate=1) as sim:
        api = Api(sim)
        api.get("/api/v1/users/me/")

        assert api.get("/api/v1/users/me/").status == 429
        assert api.get("/api/v1/users/me/", by="plane_api_service").headers["x-ratelimit-remaining"] == "299"
        assert api.get("/api/v1/users/me/", by="plane_api_ada").status == 200


def test_the_scale_shortens_the_window():
    with running(rate=1, scale=0.005) as sim:
        api = Api(sim)
        api.get("/api/v1/users/me/")
        refused = api.get("/api/v1/users/me/")
        time.sleep(0.35)

        assert (refused.status, refused.headers["retry-after"]) == (429, "1")
        assert api.get("/api/v1/users/me/").status == 200


@pytest.mark.parametrize(
    ("body", "kind", "status", "words"),
    [
        (
            b'{"name": ',
            "application/json",
            400,
            {"detail": "JSON parse error - Expecting value: line 1 column 10 (char 9)"},
        ),
        (b"[1]", "application/json", 400, {"non_field_errors": ["Invalid data. Expected a dictionary, but got list."]}),
        (b"", "application/json", 400, {"name": ["This field is required."]}),
        (b"name=a", "text/plain", 415, {"detail": 'Unsupported media type "text/plain" in request.'}),
    ],
)
def test_a_body_that_is_no_item_is_refused_with_the_reason(api, body, kind, status, words):
    answer = api.post(api.items, body, Content_Type=kind)

    assert (answer.status, answer.body) == (status, words)


def test_a_form_is_as_good_as_json(api):
    answer = api.post(api.items, b"name=a", Content_Type="application/x-www-form-urlencoded")

    assert (answer.status, answer.body["name"]) == (201, "a")


def test_bad_utf8_and_nan_are_parse_errors_and_deep_json_is_a_500(api):
    assert api.post(api.items, b'{"name": "\xff"}').status == 400
    assert api.post(api.items, b'{"name": NaN}').status == 400
    assert api.post(api.items, b"[" * 100_000 + b"]" * 100_000).status == 500


def test_five_mebibytes_are_the_limit_and_a_comment_of_one_megabyte_is_fine(api):
    comments = api.item(api.make()) + "comments/"
    large = api.post(comments, {"comment_html": "a" * 6_000_000})

    assert large.status == 413
    assert large.body["error"] == "REQUEST_BODY_TOO_LARGE"
    assert api.post(comments, {"comment_html": "a" * 1_000_000}).status == 201


def test_answers_are_compressed_when_the_client_can_take_it(api):
    packed = api.get(api.project + "states/", Accept_Encoding="gzip")

    assert packed.headers["content-encoding"] == "gzip"
    assert packed.body == api.get(api.project + "states/").body
    assert "content-encoding" not in api.get("/api/v1/users/me/", Accept_Encoding="gzip").headers


def test_conditional_requests_get_the_whole_answer_and_no_etag(api):
    answer = api.get(api.project + "states/", If_None_Match='"x"', If_Modified_Since="Sun, 22 Nov 2099 00:00:00 GMT")

    assert answer.status == 200
    assert not {"etag", "last-modified"} & set(answer.headers)


def test_times_carry_the_offset_of_the_users_timezone_and_no_microseconds_when_zero(sim, api):
    item = api.make()
    sim.settle()
    sim.world.store.put(
        "items",
        {
            **sim.rows("items")[0],
            "created_at": "2026-11-22T20:36:57.000000Z",
            "updated_at": "2026-11-22T20:42:27.042547Z",
        },
    )

    mine, theirs = api.get(api.item(item)).body, api.get(api.item(item), by="plane_api_gus").body

    assert (mine["created_at"], mine["updated_at"]) == ("2026-11-22T20:36:57Z", "2026-11-22T20:42:27.042547Z")
    assert theirs["created_at"] == "2026-11-23T02:06:57+05:30"
    assert theirs["updated_at"] == "2026-11-23T02:12:27.042547+05:30"


def test_the_log_tells_who_asked_for_what_and_what_came_of_it(sim, api):
    api.post(api.items, {"name": "x"}, by="plane_api_gus")
    api.make("y")
    sim.person("ada").items()

    first, second = sim.requests()

    assert (first["method"], first["path"], first["status"], first["user"], first["role"]) == (
        "POST",
        api.items,
        403,
        "gus",
        "guest",
    )
    assert (second["status"], second["user"], json.loads(second["body"])) == (201, "bot", {"name": "y"})
    assert len(sim.requests(people=True)) == 4
    sim.reset_log()
    assert sim.requests() == []
