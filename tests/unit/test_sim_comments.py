"""Comments in the simulator: unchecked HTML, made-up authors, and a duplicate check that is only serial."""

import threading
from collections.abc import Iterator

import pytest

from pco.sim import Sim, running
from unit.sim_api import NOBODY, Api

SEED = {"projects": [{"identifier": "WEB", "items": [{"name": "one"}, {"name": "two"}]}, {"identifier": "INF"}]}
KEYS = [
    "id",
    "created_at",
    "updated_at",
    "deleted_at",
    "comment_html",
    "attachments",
    "access",
    "external_source",
    "external_id",
    "edited_at",
    "created_by",
    "updated_by",
    "project",
    "workspace",
    "description",
    "issue",
    "actor",
    "parent",
]
DUPLICATE = "Work item comment with the same external id and external source already exists"


@pytest.fixture
def sim() -> Iterator[Sim]:
    with running(SEED, rate=0, scale=0.01) as made:
        yield made


@pytest.fixture
def api(sim: Sim) -> Api:
    return Api(sim)


@pytest.fixture
def comments(sim: Sim, api: Api) -> str:
    """The comments of the first item."""
    return api.item(sim.rows("items")[0]["id"]) + "comments/"


def test_a_comment_has_is_member_when_read_but_not_when_written(api, comments):
    made = api.post(comments, {"comment_html": "<p>a</p>"}).body
    read = api.get(f"{comments}{made['id']}/").body

    assert list(made) == KEYS
    assert list(read) == ["id", "is_member", *KEYS[1:]]
    assert read["is_member"] is True
    assert (made["updated_by"], read["updated_by"]) == (made["actor"], None)
    assert made["created_at"] > made["updated_at"]


@pytest.mark.parametrize(
    "html",
    [
        '<p onclick="x()">a</p><script>alert(1)</script><a href="javascript:alert(1)">j</a>',
        "plain & <unclosed",
        "",
        "<p></p>",
    ],
)
def test_the_html_is_stored_and_returned_verbatim(api, comments, html):
    made = api.post(comments, {"comment_html": html})

    assert (made.status, made.body["comment_html"]) == (201, html)
    assert api.get(comments).body["results"][0]["comment_html"] == html


@pytest.mark.parametrize(
    ("body", "status", "shown"),
    [
        ({}, 201, "<p></p>"),
        ({"comment_html": 5}, 201, "5"),
        ({"comment_html": None}, 400, {"comment_html": ["This field may not be null."]}),
        ({"comment_html": "a\0b"}, 400, {"comment_html": ["Null characters are not allowed."]}),
        ({"comment_html": "x", "access": "PUBLIC"}, 400, {"access": ['"PUBLIC" is not a valid choice.']}),
        (
            {"external_id": "x" * 256, "external_source": "pco"},
            400,
            {"external_id": ["Ensure this field has no more than 255 characters."]},
        ),
    ],
)
def test_odd_bodies_are_taken_or_refused_as_by_the_server(api, comments, body, status, shown):
    answer = api.post(comments, body)

    assert (answer.status, answer.body["comment_html"] if status == 201 else answer.body) == (status, shown)


def test_a_comment_can_be_made_up_as_anothers_and_backdated(sim, api, comments):
    ada = next(row["id"] for row in sim.rows("users") if row["name"] == "ada")
    made = api.post(comments, {"comment_html": "x", "created_by": ada, "created_at": "2020-01-01T00:00:00Z"}).body

    assert (made["actor"], made["created_by"], made["created_at"]) == (ada, ada, "2020-01-01T00:00:00Z")


def test_comments_are_listed_newest_first_whatever_is_asked(api, comments):
    for words in ("a", "b", "c"):
        api.post(comments, {"comment_html": words, "external_id": words, "external_source": "pco"})

    for query in ("", "?order_by=created_at", "?external_id=b&external_source=pco"):
        assert [row["comment_html"] for row in api.get(comments + query).body["results"]] == ["c", "b", "a"]


def test_the_same_key_is_a_409_with_the_id_across_the_items_of_a_project(sim, api, comments):
    key = {"comment_html": "x", "external_id": "K:1", "external_source": "pco"}
    first = api.post(comments, key).body["id"]
    elsewhere = api.item(sim.rows("items")[1]["id"]) + "comments/"

    for where in (comments, elsewhere):
        again = api.post(where, key)
        assert (again.status, again.body) == (409, {"error": DUPLICATE, "id": first})
    assert api.post(comments, {**key, "external_source": "other"}).status == 201
    for _ in range(2):
        assert api.post(comments, {"external_id": "alone"}).status == 201
    assert api.post(comments, {**key, "external_id": 12}).body["external_id"] == "12"


def test_a_deleted_comment_frees_its_key_and_is_deleted_once(api, comments):
    key = {"comment_html": "x", "external_id": "K:1", "external_source": "pco"}
    first = f"{comments}{api.post(comments, key).body['id']}/"

    assert (api.ask("DELETE", first).status, api.ask("DELETE", first).status) == (204, 404)
    assert api.post(comments, key).status == 201


def test_parallel_posts_with_one_key_can_all_pass_and_later_ones_get_the_oldest():
    with running(SEED, rate=0, race=0.3) as sim:
        api = Api(sim)
        comments = api.item(sim.rows("items")[0]["id"]) + "comments/"
        key = {"comment_html": "x", "external_id": "K:1", "external_source": "pco"}
        statuses: list[int] = []
        threads = [threading.Thread(target=lambda: statuses.append(api.post(comments, key).status)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        oldest = min(sim.rows("comments"), key=lambda row: row["created_at"])

        assert statuses.count(201) == len(sim.rows("comments")) >= 2
        assert api.post(comments, key).body == {"error": DUPLICATE, "id": oldest["id"]}


def test_a_comment_on_an_unknown_item_is_refused_but_its_list_is_an_empty_200(api):
    nowhere = api.item(NOBODY) + "comments/"

    assert api.post(nowhere, {"comment_html": "x"}).body == {"error": "The payload is not valid"}
    assert (api.get(nowhere).status, api.get(nowhere).body["results"]) == (200, [])


def test_a_comment_by_way_of_another_project_is_taken_and_invisible_on_the_item(sim, api, comments):
    wrong = comments.replace(sim.project("WEB")["id"], sim.project("INF")["id"])

    assert api.post(wrong, {"comment_html": "lost"}).status == 201
    assert api.get(comments).body["total_count"] == 0
    assert api.get(wrong).body["total_count"] == 1


def test_any_member_even_a_guest_edits_anothers_comment(api, comments):
    made = f"{comments}{api.post(comments, {'comment_html': 'mine'}).body['id']}/"

    edited = api.patch(made, {"comment_html": "not yours"}, by="plane_api_gus")

    assert (edited.status, edited.body["comment_html"]) == (200, "not yours")
    assert edited.body["actor"] != edited.body["updated_by"]
    assert api.patch(made, {"comment_html": "x"}, by="plane_api_olga").status == 403


def test_writing_editing_and_deleting_a_comment_bump_the_item_later(sim, api, comments):
    item = comments.removesuffix("comments/")

    def moved(act) -> bool:
        sim.settle()
        before = api.get(item).body["updated_at"]
        act()
        sim.settle()
        return before < api.get(item).body["updated_at"]

    made = api.post(comments, {"comment_html": "x"}).body["id"]

    assert moved(lambda: api.post(comments, {"comment_html": "y"}))
    assert moved(lambda: api.patch(f"{comments}{made}/", {"comment_html": "z"}))
    assert moved(lambda: api.ask("DELETE", f"{comments}{made}/"))
