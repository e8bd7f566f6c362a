"""The official Python client of Plane runs against the simulator; it is strict about types and fields."""

from collections.abc import Iterator
from typing import Any

import plane
import pytest

from pco.sim import Sim, running


@pytest.fixture
def sim() -> Iterator[Sim]:
    seed = {
        "projects": [
            {
                "identifier": "WEB",
                "name": "Web App",
                "labels": ["bug"],
                "items": [{"name": f"item {n}"} for n in range(3)],
            }
        ]
    }
    with running(seed, rate=0, scale=0.01) as made:
        yield made


@pytest.fixture
def client(sim: Sim) -> Any:
    return plane.PlaneClient(base_url=sim.url, api_key=sim.token)


@pytest.fixture
def where(sim: Sim) -> tuple[str, str]:
    return sim.slug, sim.project("WEB")["id"]


def test_the_client_reads_users_projects_states_labels_and_members(sim, client, where):
    slug, project = where

    assert client.users.get_me().display_name == "pco"
    assert [row.display_name for row in client.workspaces.get_members(slug)] == ["gus", "jonas", "ada", "pco"]
    assert [row.identifier for row in client.projects.list(slug).results] == ["WEB"]
    assert client.projects.retrieve(slug, project).name == "Web App"
    assert len(client.projects.get_members(slug, project)) == 4
    states = client.states.list(slug, project).results
    assert client.states.retrieve(slug, project, states[1].id).name == "Todo"
    assert [row.name for row in client.labels.list(slug, project).results] == ["bug"]


def test_the_client_makes_changes_and_deletes_states_labels_and_projects(sim, client, where):
    from plane.models.labels import CreateLabel, UpdateLabel
    from plane.models.projects import CreateProject
    from plane.models.states import CreateState, UpdateState

    slug, project = where

    state = client.states.create(slug, project, CreateState(name="Review", color="#123456", group="started"))
    assert client.states.update(slug, project, state.id, UpdateState(name="Look")).name == "Look"
    client.states.delete(slug, project, state.id)
    label = client.labels.create(slug, project, CreateLabel(name="new", color="#ffffff"))
    assert client.labels.update(slug, project, label.id, UpdateLabel(name="newer")).name == "newer"
    assert client.labels.retrieve(slug, project, label.id).name == "newer"
    client.labels.delete(slug, project, label.id)
    made = client.projects.create(slug, CreateProject(name="Tmp", identifier="TMP"))
    client.projects.archive(slug, made.id)
    client.projects.unarchive(slug, made.id)
    client.projects.delete(slug, made.id)
    assert len(client.projects.list(slug).results) == 1


def test_the_client_works_on_items(sim, client, where):
    from plane.models.work_items import CreateWorkItem, UpdateWorkItem

    slug, project = where
    items = client.work_items

    made = items.create(slug, project, CreateWorkItem(name="by the client", priority="high"))
    assert items.list(slug, project).total_count == 4
    assert items.retrieve(slug, project, made.id).name == "by the client"
    done = items.update(slug, project, made.id, UpdateWorkItem(state=sim.state("WEB", "Done")))
    assert done.completed_at
    assert items.retrieve_by_identifier(slug, "WEB", made.sequence_id).id == made.id
    assert [row.id for row in items.search(slug, "by the client").issues] == [made.id]
    items.delete(slug, project, made.id)
    with pytest.raises(plane.errors.HttpError) as refused:
        items.retrieve(slug, project, made.id)
    assert refused.value.status_code == 404


def test_the_client_works_on_comments_links_and_activities(sim, client, where):
    from plane.models.work_items import (
        CreateWorkItemComment,
        CreateWorkItemLink,
        UpdateWorkItemComment,
        UpdateWorkItemLink,
    )

    slug, project = where
    at = (slug, project, sim.rows("items")[0]["id"])
    comments, links = client.work_items.comments, client.work_items.links

    made = comments.create(*at, CreateWorkItemComment(comment_html="<p>a</p>", external_id="1", external_source="pco"))
    with pytest.raises(plane.errors.HttpError) as refused:
        comments.create(*at, CreateWorkItemComment(comment_html="<p>a</p>", external_id="1", external_source="pco"))
    assert (refused.value.status_code, refused.value.response["id"]) == (409, made.id)
    assert comments.update(*at, made.id, UpdateWorkItemComment(comment_html="<p>b</p>")).comment_html == "<p>b</p>"
    assert comments.retrieve(*at, made.id).is_member is True
    assert len(comments.list(*at).results) == 1
    comments.delete(*at, made.id)
    link = links.create(*at, CreateWorkItemLink(url="https://example.com/1", title="one"))
    assert links.update(*at, link.id, UpdateWorkItemLink(title="two")).title == "two"
    assert links.retrieve(*at, link.id).url == "https://example.com/1"
    assert len(links.list(*at).results) == 1
    links.delete(*at, link.id)
    sim.settle()
    activities = client.work_items.activities.list(*at).results
    assert [row.field for row in activities] == ["link", "link", "link"]
    assert client.work_items.activities.retrieve(*at, activities[0].id).verb
