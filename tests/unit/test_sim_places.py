"""What stands around the items in the simulator: projects, members, states, labels, links, activities."""

from collections.abc import Iterator

import pytest

from pco.sim import BadSeed, Sim, running
from unit.sim_api import NOBODY, Api

SEED = {
    "projects": [
        {"identifier": "WEB", "name": "Web App", "labels": ["bug", "docs"], "items": [{"name": "one"}]},
        {"identifier": "PRIV", "public": False, "members": ["ada"]},
        {"identifier": "OPEN", "members": {"ada": "admin"}, "labels": ["hidden"]},
    ]
}


@pytest.fixture
def sim() -> Iterator[Sim]:
    with running(SEED, rate=0, scale=0.01) as made:
        yield made


@pytest.fixture
def api(sim: Sim) -> Api:
    return Api(sim)


@pytest.fixture
def item(sim: Sim, api: Api) -> str:
    return api.item(sim.rows("items")[0]["id"])


def test_public_projects_are_listed_though_one_is_not_in_them_and_secret_ones_are_not(sim, api):
    listed = api.get(api.root + "projects/?fields=identifier,is_member,member_role").body["results"]

    assert listed == [
        {"is_member": True, "member_role": 15, "identifier": "WEB"},
        {"is_member": False, "member_role": None, "identifier": "OPEN"},
    ]
    assert Api(sim, "OPEN").get(Api(sim, "OPEN").items).status == 403


def test_to_a_stranger_states_are_forbidden_labels_empty_and_members_open(sim):
    other = Api(sim, "OPEN")

    assert other.get(other.project + "states/").status == 403
    assert (other.get(other.project + "labels/").status, other.get(other.project + "labels/").body["results"]) == (
        200,
        [],
    )
    assert [row["display_name"] for row in other.get(other.project + "members/").body] == ["ada"]


def test_members_are_bare_lists_and_only_the_workspaces_has_roles(api):
    project, alias = api.get(api.project + "members/").body, api.get(api.project + "project-members/").body
    workspace, me = api.get(api.root + "members/").body, api.get("/api/v1/users/me/").body
    keys = ["id", "first_name", "last_name", "email", "avatar", "avatar_url", "display_name"]

    assert project == alias
    assert list(project[0]) == list(me) == keys
    assert list(workspace[0]) == [*keys, "role"]
    assert {row["display_name"]: row["role"] for row in workspace} == {"pco": 15, "ada": 20, "jonas": 15, "gus": 5}
    assert me["display_name"] == "pco"


def test_an_unknown_project_is_404_and_its_states_403(api):
    assert api.get(f"{api.root}projects/{NOBODY}/").status == 404
    assert api.get(f"{api.root}projects/{NOBODY}/states/").status == 403


@pytest.mark.parametrize(("given", "kept"), [("abc", "ABC"), ("É_ 1/", "É_ 1/"), ("a" * 12, "A" * 12)])
def test_an_identifier_may_be_almost_anything_up_to_twelve_characters(api, given, kept):
    made = api.post(api.root + "projects/", {"name": "new", "identifier": given})

    assert (made.status, made.body["identifier"], made.body["member_role"]) == (201, kept, 20)
    assert api.get(f"{api.root}projects/{made.body['id']}/states/").body["count"] == 5
    again = api.post(api.root + "projects/", {"name": "other", "identifier": given})
    assert (again.status, again.body) == (409, {"name": "The project name is already taken"})


@pytest.mark.parametrize("given", ["A-B", "A.B", "<A>", "A" * 13])
def test_an_identifier_with_some_characters_or_too_long_is_refused(api, given):
    assert api.post(api.root + "projects/", {"name": "new", "identifier": given}).status == 400


def test_states_come_in_their_sequence_and_a_new_one_is_answered_with_200(api):
    listed = api.get(api.project + "states/").body["results"]
    made = api.post(api.project + "states/", {"name": "In Review", "group": "started", "color": "#123456"})

    assert [(row["name"], row["group"]) for row in listed] == [
        ("Backlog", "backlog"),
        ("Todo", "unstarted"),
        ("In Progress", "started"),
        ("Done", "completed"),
        ("Cancelled", "cancelled"),
    ]
    assert list(listed[0]) == [
        "id",
        "created_at",
        "updated_at",
        "deleted_at",
        "name",
        "description",
        "color",
        "slug",
        "sequence",
        "group",
        "is_triage",
        "default",
        "external_source",
        "external_id",
        "created_by",
        "updated_by",
        "project",
        "workspace",
    ]
    assert (made.status, made.body["slug"], made.body["sequence"]) == (200, "in-review", 70000.0)


@pytest.mark.parametrize(
    ("where", "name", "words"),
    [
        ("states/", "Todo", "State with the same name already exists in the project"),
        ("labels/", "bug", "Label with the same name already exists in the project"),
    ],
)
def test_a_second_state_or_label_of_a_name_is_a_409_with_the_id(api, where, name, words):
    first = next(row["id"] for row in api.get(api.project + where).body["results"] if row["name"] == name)
    again = api.post(api.project + where, {"name": name, "color": "#123456"})

    assert (again.status, again.body) == (409, {"error": words, "id": first})


def test_labels_are_listed_newest_first_changed_and_deleted(api):
    made = api.post(api.project + "labels/", {"name": "tmp"})
    label = f"{api.project}labels/{made.body['id']}/"

    assert (made.status, made.body["color"]) == (201, "")
    assert [row["name"] for row in api.get(api.project + "labels/").body["results"]] == ["tmp", "docs", "bug"]
    assert api.patch(label, {"name": "kept"}).body["name"] == "kept"
    assert (api.ask("DELETE", label).status, api.get(label).status) == (204, 404)


def test_a_link_is_made_once_listed_and_taken_away(sim, api, item):
    made = api.post(item + "links/", {"url": "https://example.com/pr/1", "title": "PR 1"})
    again = api.post(item + "links/", {"url": "https://example.com/pr/1"})
    bad, worse = (api.post(item + "links/", {"url": url}) for url in ("nope", "https://[nope"))

    assert (made.status, made.body["title"], made.body["metadata"]) == (201, "PR 1", {})
    assert (again.status, again.body) == (400, {"error": "URL already exists for this Issue"})
    assert (bad.status, bad.body) == (worse.status, worse.body) == (400, {"url": ["Invalid URL format."]})
    sim.settle()
    assert api.get(item + "links/").body["results"][0]["created_by"] is None
    assert api.ask("DELETE", f"{item}links/{made.body['id']}/").status == 204
    assert api.get(item + "links/").body["count"] == 0


def test_activities_are_written_late_oldest_first_with_names_and_ids_and_no_comments(sim, api):
    item = api.item(api.make())
    api.patch(item, {"state": sim.state("WEB", "Todo"), "priority": "high"})
    api.post(item + "comments/", {"comment_html": "x"})
    sim.settle()
    found = api.get(item + "activities/").body["results"]

    assert [
        (row["verb"], row["field"], row["old_value"], row["new_value"])
        for row in sorted(found, key=lambda row: str(row["field"]))
    ] == [
        ("created", None, None, None),
        ("updated", "priority", "none", "high"),
        ("updated", "state", "Backlog", "Todo"),
    ]
    moved = next(row for row in found if row["field"] == "state")
    assert moved["new_identifier"] == sim.state("WEB", "Todo")
    assert [row["created_at"] for row in found] == sorted(row["created_at"] for row in found)
    assert api.get(item + "activities/?order_by=-created_at").body["results"] == found[::-1]


def test_activities_never_come_while_the_worker_is_down(sim, api):
    sim.faults({"kind": "no_worker"})
    item = api.item(api.make())
    before = api.get(item).body["updated_at"]
    sim.settle()

    assert api.get(item + "activities/").body["count"] == 0
    assert api.get(item).body["updated_at"] == before


def test_attachments_and_relations_are_empty_and_uploading_fails(api, item):
    assert api.get(item + "attachments/").body == []
    assert api.post(item + "attachments/", {"name": "a", "size": 3}).status == 500
    assert api.get(item + "relations/").body["blocking"] == []


@pytest.mark.parametrize(
    "seed",
    [
        {"projects": [{"identifier": "WEB", "itms": []}]},
        {"projects": [{"identifier": "WEB", "items": [{"name": "x", "state": "Nowhere"}]}]},
        {"projects": [{"identifier": "WEB", "members": ["nobody"]}]},
        {"users": [{"name": "x", "role": "king"}]},
    ],
)
def test_a_seed_with_a_slip_is_refused(seed):
    with pytest.raises(BadSeed), running(seed):
        pass


def test_the_same_seed_gives_the_same_ids_and_a_given_id_is_kept():
    seed = {
        "workspace": "w",
        "projects": [
            {
                "identifier": "WEB",
                "id": NOBODY,
                "items": [
                    {
                        "name": "x",
                        "by": "jonas",
                        "created_at": "2026-01-02T03:04:05+01:00",
                        "comments": [{"by": "gus", "html": "<p>y</p>"}],
                    }
                ],
            }
        ],
    }
    with running(seed) as first, running(seed) as second:
        for table in ("items", "comments", "states"):
            assert [row["id"] for row in first.rows(table)] == [row["id"] for row in second.rows(table)]
        assert first.project("WEB")["id"] == NOBODY
        assert first.person("ada").item(1)["created_at"] == "2026-01-02T02:04:05Z"
        assert first.person("ada").comments("WEB-1")[0]["comment_html"] == "<p>y</p>"
