"""Work items in the simulator: lists without filters, hidden items, writes and what the server makes of them."""

import time
from collections.abc import Iterator

import pytest

from pco.sim import Sim, running
from unit.sim_api import NOBODY, Api

SEED = {
    "projects": [
        {
            "identifier": "WEB",
            "labels": ["bug", "docs"],
            "items": [
                {"name": f"item {n}", "state": "Todo", "priority": "low" if n % 2 else "urgent"} for n in range(1, 8)
            ],
        },
        {"identifier": "INF", "labels": ["inf"]},
    ]
}
KEYS = [
    "id",
    "type_id",
    "created_at",
    "updated_at",
    "deleted_at",
    "point",
    "name",
    "description_html",
    "description_binary",
    "priority",
    "start_date",
    "target_date",
    "sequence_id",
    "sort_order",
    "completed_at",
    "archived_at",
    "is_draft",
    "external_source",
    "external_id",
    "created_by",
    "updated_by",
    "project",
    "workspace",
    "parent",
    "state",
    "estimate_point",
    "type",
    "assignees",
    "labels",
]


@pytest.fixture
def sim() -> Iterator[Sim]:
    with running(SEED, rate=0, scale=0.01) as made:
        yield made


@pytest.fixture
def api(sim: Sim) -> Api:
    return Api(sim)


def numbers(answer) -> list[int]:
    return [row["sequence_id"] for row in answer.body["results"]]


def test_a_page_has_the_envelope_and_its_next_cursor_never_ends(api):
    middle, last = api.get(api.items + "?per_page=3&cursor=3:1:0"), api.get(api.items + "?per_page=3&cursor=3:2:0")
    head = {name: value for name, value in middle.body.items() if name != "results"}

    assert head == {
        "grouped_by": None,
        "sub_grouped_by": None,
        "total_count": 7,
        "next_cursor": "3:2:0",
        "prev_cursor": "3:0:1",
        "next_page_results": True,
        "prev_page_results": True,
        "count": 3,
        "total_pages": 3,
        "total_results": 7,
        "extra_stats": None,
    }
    assert numbers(middle) == [4, 3, 2]
    assert (numbers(last), last.body["next_cursor"], last.body["next_page_results"]) == ([1], "3:3:0", False)
    assert list(last.body["results"][0]) == KEYS


def test_only_the_page_of_a_cursor_counts_and_without_per_page_it_points_beyond_the_end(api):
    assert numbers(api.get(api.items + "?per_page=2&cursor=100:1:0")) == [5, 4]
    lost, beyond = api.get(api.items + "?cursor=2:1:0"), api.get(api.items + "?per_page=5&cursor=5:9:0")

    assert (lost.status, lost.body["results"], lost.body["total_count"]) == (200, [], 7)
    assert (beyond.status, beyond.body["results"], beyond.body["next_page_results"]) == (200, [], False)


@pytest.mark.parametrize(
    ("query", "status", "body"),
    [
        ("cursor=abc", 400, {"detail": "Invalid cursor parameter."}),
        ("per_page=10&cursor=10:-1:0", 400, {"detail": "Error in parsing"}),
        ("per_page=1001", 400, {"detail": "Invalid per_page value. Cannot exceed 1000."}),
        ("per_page=x", 400, {"detail": "Invalid per_page parameter."}),
        ("per_page=0", 500, {"error": "Something went wrong please try again later"}),
        ("per_page=-5", 500, {"error": "Something went wrong please try again later"}),
        ("order_by=nonsense", 500, {"error": "Something went wrong please try again later"}),
        ("external_id=none&external_source=pco", 404, {"error": "The requested resource does not exist."}),
    ],
)
def test_a_list_that_cannot_be_given_is_refused_as_by_the_server(api, query, status, body):
    answer = api.get(f"{api.items}?{query}")

    assert (answer.status, answer.body) == (status, body)


@pytest.mark.parametrize(
    "query",
    ["updated_at__gt=2099-01-01T00:00:00Z", "state=" + NOBODY, "priority=urgent", "labels=" + NOBODY, "external_id=x"],
)
def test_filters_are_silently_ignored(api, query):
    assert api.get(f"{api.items}?{query}").body["total_count"] == 7


@pytest.mark.parametrize(
    ("order", "first"),
    [
        ("sequence_id", [1, 2, 3]),
        ("-updated_at", [7, 6, 5]),
        ("priority", [2, 4, 6]),
        ("created_by__password", [1, 2, 3]),
    ],
)
def test_a_list_is_ordered_by_any_model_path(api, order, first):
    assert numbers(api.get(f"{api.items}?per_page=3&order_by={order}")) == first


def test_an_edit_moves_an_item_to_the_front_of_the_order_that_was_asked_for_before(api):
    api.get(api.items + "?order_by=-updated_at")
    item = api.get(api.items + "?order_by=sequence_id").body["results"][1]["id"]

    api.patch(api.item(item), {})

    assert numbers(api.get(api.items + "?order_by=-updated_at&per_page=2")) == [2, 7]


def test_fields_and_expand_shape_the_rows(sim, api):
    item = api.make(
        labels=[row["id"] for row in sim.rows("labels") if row["name"] == "bug"], assignees=[sim.rows("users")[0]["id"]]
    )

    few = api.get(api.item(item) + "?fields=id,name,nonsense,description_stripped").body
    much = api.get(api.item(item) + "?expand=state,labels,assignees,created_by,updated_by,project,foo,name").body

    assert few == {"id": item, "name": "an item"}
    assert much["state"] == {
        "id": sim.state("WEB", "Backlog"),
        "name": "Backlog",
        "color": "#60646C",
        "group": "backlog",
    }
    assert [row["name"] for row in much["labels"]] == ["bug"]
    assert [row["display_name"] for row in much["assignees"]] == ["pco"]
    assert much["created_by"]["email"] == "bot@example.com"
    assert (much["updated_by"], much["project"]["identifier"], much["name"]) == ({}, "WEB", None)


def test_archived_draft_and_deleted_items_vanish_but_writes_to_them_are_accepted(sim, api):
    ada = sim.person("ada", "WEB")
    archived, draft, deleted = api.make(external_id="A", external_source="pco"), api.make(), api.make()
    ada.archive(archived)
    ada.draft(draft)
    ada.delete(deleted)

    assert api.get(api.items).body["total_count"] == 7
    for hidden in (archived, draft, deleted):
        assert api.get(api.item(hidden)).status == 404
        assert api.post(api.item(hidden) + "comments/", {"comment_html": "x"}).status == 201
    assert api.patch(api.item(archived), {"priority": "low"}).status == 200
    assert api.patch(api.item(draft), {"priority": "low"}).status == 200
    assert api.patch(api.item(deleted), {"priority": "low"}).status == 404
    assert api.get(api.items + "?external_id=A&external_source=pco").body["id"] == archived
    assert api.get(api.root + "work-items/WEB-8/").status == 404
    assert api.patch(api.item(archived), {"archived_at": None}).status == 200
    assert api.get(api.item(archived)).status == 200


def test_the_items_of_an_archived_project_are_an_empty_200(sim, api):
    assert api.post(api.project + "archive/", {}, by="plane_api_ada").status == 204

    assert (api.get(api.items).status, api.get(api.items).body["total_count"]) == (200, 0)
    assert api.get(api.project + "states/").body["results"] == []
    assert api.get(api.item(sim.rows("items")[0]["id"])).status == 404
    assert api.patch(api.project, {"name": "y"}, by="plane_api_ada").body == {
        "error": "Archived project cannot be updated"
    }
    assert any(row["archived_at"] for row in api.get(api.root + "projects/").body["results"])
    assert api.ask("DELETE", api.project + "archive/", by="plane_api_ada").status == 204
    assert api.get(api.items).body["total_count"] == 7


def test_a_new_item_gets_the_next_number_also_after_a_deletion_and_the_default_state(sim, api):
    first = api.post(api.items, {"name": " trimmed "}).body
    api.ask("DELETE", api.item(first["id"]))
    second = api.post(api.items, {"name": "x"}).body

    assert (first["sequence_id"], second["sequence_id"]) == (8, 9)
    assert (first["name"], first["state"], first["description_html"], first["priority"]) == (
        "trimmed",
        sim.state("WEB", "Backlog"),
        "<p></p>",
        "none",
    )
    assert list(first) == KEYS


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, {"name": ["This field is required."]}),
        ({"name": ""}, {"name": ["This field may not be blank."]}),
        ({"name": None}, {"name": ["This field may not be null."]}),
        ({"name": "x" * 256}, {"name": ["Ensure this field has no more than 255 characters."]}),
        ({"name": "a\0b"}, {"name": ["Null characters are not allowed."]}),
        ({"name": "x", "priority": "p1"}, {"priority": ['"p1" is not a valid choice.']}),
        ({"name": "x", "state": "not-uuid"}, {"state": ["“not-uuid” is not a valid UUID."]}),
        ({"name": "x", "state": NOBODY}, {"state": [f'Invalid pk "{NOBODY}" - object does not exist.']}),
        ({"name": "x", "labels": [NOBODY]}, {"labels": {"0": [f'Invalid pk "{NOBODY}" - object does not exist.']}}),
        (
            {"name": "x", "start_date": "2026-02-01", "target_date": "2026-01-01"},
            {"non_field_errors": ["Start date cannot exceed target date"]},
        ),
        ({"name": "x", "description_html": ""}, {"non_field_errors": ["Invalid HTML passed"]}),
    ],
)
def test_an_item_that_does_not_go_is_refused_field_by_field(api, body, words):
    answer = api.post(api.items, body)

    assert (answer.status, answer.body) == (400, words)


def test_the_state_of_another_project_is_refused_and_its_labels_and_guests_are_dropped(sim, api):
    guest = next(row["id"] for row in sim.rows("users") if row["name"] == "gus")
    label = next(row["id"] for row in sim.rows("labels") if row["name"] == "inf")

    refused = api.post(api.items, {"name": "x", "state": sim.state("INF", "Todo")})
    made = api.post(api.items, {"name": "x", "labels": [label], "assignees": [guest], "nonsense": 1})

    assert refused.body == {"non_field_errors": ["State is not valid please pass a valid state_id"]}
    assert (made.status, made.body["labels"], made.body["assignees"]) == (201, [], [])


def test_the_same_external_key_is_a_409_with_the_id(api):
    first = api.make(external_id="E1", external_source="pco")
    again = api.post(api.items, {"name": "dup", "external_id": "E1", "external_source": "pco"})

    assert again.status == 409
    assert again.body == {"error": "Issue with the same external id and external source already exists", "id": first}


def test_a_patch_takes_state_but_not_state_id_and_completion_follows_the_group(sim, api):
    item = api.item(api.make())
    done, todo = sim.state("WEB", "Done"), sim.state("WEB", "Todo")

    ignored = api.patch(item, {"state_id": done})
    closed = api.patch(item, {"state": done})
    opened = api.patch(item, {"state": todo})
    null = api.patch(item, {"state": None})

    assert (ignored.status, ignored.body["state"]) == (200, sim.state("WEB", "Backlog"))
    assert closed.body["state"] == done and closed.body["completed_at"]
    assert (opened.body["state"], opened.body["completed_at"]) == (todo, None)
    assert null.body["state"] == sim.state("WEB", "Backlog")
    assert api.patch(item, {"state": sim.state("INF", "Todo")}).status == 400


def test_a_patch_replaces_lists_ignores_updated_at_and_lets_numbers_be_doubled(sim, api):
    bug, docs = (next(row["id"] for row in sim.rows("labels") if row["name"] == name) for name in ("bug", "docs"))
    item = api.item(api.make(labels=[bug]))

    changed = api.patch(item, {"labels": [docs], "updated_at": "2000-01-01T00:00:00Z", "sequence_id": 1})

    assert (changed.body["labels"], changed.body["sequence_id"]) == ([docs], 1)
    assert changed.body["updated_at"] > "2001"
    assert api.get(api.root + "work-items/WEB-1/").status == 500


def test_a_patch_that_changes_nothing_still_bumps_updated_at_and_once_more_later(sim, api):
    item = api.item(api.make())
    sim.settle()
    before = api.get(item).body["updated_at"]

    answered = api.patch(item, {}).body["updated_at"]
    sim.settle()

    assert before < answered < api.get(item).body["updated_at"]


def test_the_late_bump_comes_by_itself_within_the_scaled_seconds():
    with running(scale=0.02, rate=0) as sim:
        api = Api(sim)
        item = api.item(api.make())
        api.post(item + "comments/", {"comment_html": "x"})
        sim.settle()
        before = api.get(item).body["updated_at"]

        api.post(item + "comments/", {"comment_html": "y"})
        deadline = time.monotonic() + 5
        while api.get(item).body["updated_at"] == before:
            assert time.monotonic() < deadline, "no bump came"


def test_guests_read_and_comment_but_do_not_write_items(api):
    item = api.item(api.make())

    assert api.get(item, by="plane_api_gus").status == 200
    assert api.patch(item, {"priority": "low"}, by="plane_api_gus").status == 403
    assert api.post(api.items, {"name": "x"}, by="plane_api_gus").status == 403
    assert api.ask("DELETE", item, by="plane_api_gus").status == 403
    assert api.post(item + "comments/", {"comment_html": "x"}, by="plane_api_gus").status == 201


def test_an_item_is_deleted_by_its_creator_or_an_admin_and_then_is_gone(api):
    item, other = api.item(api.make()), api.item(api.make())

    assert api.ask("DELETE", item, by="plane_api_jonas").status == 403
    assert (api.ask("DELETE", item).status, api.ask("DELETE", item).status) == (204, 404)
    assert api.ask("DELETE", other, by="plane_api_ada").status == 204


def test_an_identifier_is_case_sensitive_and_each_way_to_miss_it_differs(api):
    answers = {
        name: api.get(f"{api.root}work-items/{name}/") for name in ("WEB-3", "web-3", "NOPE-1", "WEB-99", "WEB-abc")
    }

    assert {name: answer.status for name, answer in answers.items()} == {
        "WEB-3": 200,
        "web-3": 403,
        "NOPE-1": 403,
        "WEB-99": 404,
        "WEB-abc": 500,
    }
    assert answers["WEB-3"].body["name"] == "item 3"
    assert api.get(f"{api.root}issues/WEB-3/").body == answers["WEB-3"].body


def test_search_finds_by_words_and_by_number_in_ones_own_projects(api):
    found = api.get(api.root + "work-items/search/?search=ITEM&limit=2").body["issues"]
    by_number = api.get(api.root + "work-items/search/?search=WEB-5&workspace_search=true").body["issues"]

    assert [row["sequence_id"] for row in found] == [7, 6]
    assert list(by_number[0]) == ["name", "id", "sequence_id", "project__identifier", "project_id", "workspace__slug"]
    assert [row["name"] for row in by_number] == ["item 5"]
    assert api.get(api.root + "work-items/search/").body == {"issues": []}
    assert api.get(api.root + "work-items/search/?search=item", by="plane_api_olga").status == 403


def test_issues_is_another_name_of_work_items(api):
    assert api.get(api.project + "issues/").body == api.get(api.items).body
