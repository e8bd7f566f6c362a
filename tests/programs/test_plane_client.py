"""The client against a Plane that answers like the real one, quirks included."""

from datetime import UTC, timedelta

import pytest

from pco import sim as simulator
from pco.ground.errors import BadConfig
from pco.outside.plane import Forbidden, Gone, Plane, Refused, Throttled, Unanswered

MISSING = "00000000-0000-4000-8000-000000000000"
SEED = {
    "projects": [
        {
            "identifier": "WEB",
            "name": "Web App",
            "labels": ["bug", "agent"],
            "items": [
                {
                    "name": "first",
                    "labels": ["bug"],
                    "assignees": ["jonas"],
                    "priority": "high",
                    "comments": [
                        {"by": "ada", "html": "<p>one</p>", "external_source": "x", "external_id": "7"},
                        {"by": "jonas", "html": "<script>two</script>"},
                    ],
                },
                *({"name": f"item {n}"} for n in range(2, 24)),
                {"name": "archived", "archived": True},
                {"name": "draft", "draft": True},
            ],
        },
        {"identifier": "OLD", "labels": ["x"], "archived": True, "items": [{"name": "old"}]},
        {"identifier": "SEC", "labels": ["x"], "public": True, "members": ["ada"], "items": [{"name": "secret"}]},
        {"identifier": "BARE", "items": []},
    ]
}


@pytest.fixture
def sim():
    with simulator.running(SEED, scale=0.01) as running:
        yield running


@pytest.fixture
def plane(sim):
    return client(sim)


@pytest.fixture
def web(sim):
    return sim.project("WEB")["id"]


def client(sim, token="", patience=20.0, **more):
    return Plane(
        sim.url, sim.slug, token or sim.token, timedelta(seconds=5), patience=timedelta(seconds=patience), **more
    )


def paths(sim):
    """What was asked, as `METHOD path?query`."""
    return [f"{entry['method']} {entry['path']}" for entry in sim.requests()]


def first(plane, web):
    return plane.by_identifier("WEB-1")


# --- what is there


def test_who_we_are_and_what_we_may_see(plane):
    assert plane.me().name == "pco"
    seen = {p.identifier: (p.is_member, p.role, p.archived) for p in plane.projects()}
    assert seen == {
        "WEB": (True, 15, False),
        "OLD": (True, 15, True),
        "SEC": (False, None, False),
        "BARE": (True, 15, False),
    }


def test_the_workflow_tells_order_and_default(plane, web):
    states = plane.states(web)

    assert [s.state.name for s in sorted(states, key=lambda s: s.sequence)][:3] == ["Backlog", "Todo", "In Progress"]
    assert [s.state.group for s in states if s.default] == ["backlog"]


def test_labels_and_members_by_id(plane, web):
    assert sorted(plane.labels(web).values()) == ["agent", "bug"]
    assert {"ada", "jonas", "gus", "pco"} == set(plane.members(web).values())


def test_an_item_by_id_and_by_its_name_for_people(plane, web):
    item = plane.by_identifier("WEB-1")

    assert plane.item(web, item.id) == item
    assert (item.title, item.sequence_id, item.priority, item.project) == ("first", 1, "high", web)
    assert plane.labels(web)[item.labels[0]] == "bug"
    assert plane.members(web)[item.assignees[0]] == "jonas"
    assert item.state in {s.state.id for s in plane.states(web)}


def test_times_are_utc_whatever_the_zone_of_the_tokens_user(sim, plane, web):
    kolkata = client(sim, sim.tokens["gus"])
    item = first(plane, web)

    assert kolkata.item(web, item.id) == item
    assert item.created_at.tzinfo is UTC


# --- pages


def test_pages_end_where_plane_says_so_and_per_page_goes_out_with_each(sim, plane, web):
    pages = list(plane.items(web, per_page=10))

    assert [(len(page.items), page.total_count, page.more) for page in pages] == [
        (10, 23, True),
        (10, 23, True),
        (3, 23, False),
    ]
    assert len({item.id for page in pages for item in page.items}) == 23
    asked = [path for path in paths(sim) if "/work-items/" in path]
    assert len(asked) == 3
    assert all("per_page=10" in path and "order_by=-updated_at" in path and "expand" not in path for path in asked)


def test_pages_are_asked_for_lazily(sim, plane, web):
    pages = plane.items(web, per_page=10)
    assert paths(sim) == []

    newest = next(pages)

    assert len(paths(sim)) == 1
    moments = [item.updated_at for item in newest.items]
    assert moments == sorted(moments, reverse=True)


def test_a_sweep_sees_all_open_items_and_no_others(sim, plane, web):
    ids, total = plane.ids(web)

    assert total == 23
    open_items = {i["id"] for i in sim.rows("items") if i["project"] == web and i["name"] not in ("archived", "draft")}
    assert ids == open_items
    assert len(paths(sim)) == 1


# --- empty, or not allowed, or gone


def test_an_archived_project_is_no_empty_project(sim, plane):
    old = sim.project("OLD")["id"]

    for ask in (plane.states, plane.ids, lambda project: list(plane.items(project))):
        with pytest.raises(BadConfig, match="archived in Plane") as caught:
            ask(old)
        assert "restore it" in caught.value.hint


def test_a_project_without_items_is_just_empty(sim, plane):
    bare = sim.project("BARE")["id"]

    assert [page.items for page in plane.items(bare)] == [()]
    assert plane.ids(bare) == (frozenset(), 0)
    assert plane.labels(bare) == {}
    # States were asked for once: in one run a project is not archived twice.
    assert sum("/states/" in path for path in paths(sim)) == 1


def test_labels_without_membership_are_forbidden_and_not_empty(sim, plane):
    secret = sim.project("SEC")["id"]

    with pytest.raises(Forbidden) as caught:
        plane.labels(secret)

    assert caught.value.kind == "permission"


def test_comments_of_an_unknown_item_are_none_or_gone_as_asked(plane, web):
    assert plane.comments(web, MISSING) == ()
    with pytest.raises(Gone):
        plane.comments(web, MISSING, sure=True)


def test_an_item_without_comments_is_not_gone(plane, web):
    item = plane.by_identifier("WEB-2")

    assert plane.comments(web, item.id, sure=True) == ()


def test_missing_archived_and_foreign_items_are_gone(sim, plane, web):
    archived = next(i["id"] for i in sim.rows("items") if i["name"] == "archived")
    item = first(plane, web)

    for project, id in ((web, MISSING), (web, archived), (sim.project("BARE")["id"], item.id)):
        with pytest.raises(Gone):
            plane.item(project, id)
    with pytest.raises(Gone):
        plane.by_identifier("WEB-999")


def test_a_misspelt_identifier_is_forbidden(plane):
    for identifier in ("web-1", "NONE-1"):
        with pytest.raises(Forbidden):
            plane.by_identifier(identifier)


@pytest.mark.parametrize(
    ("token", "kind"),
    [("plane_api_unknown", "token"), ("plane_api_expired", "token"), ("plane_api_inactive", "token")],
)
def test_a_token_that_is_not_valid_is_told_from_missing_permission(sim, token, kind):
    with pytest.raises(Forbidden) as caught:
        client(sim, token).projects()

    assert caught.value.kind == kind
    assert "token" in caught.value.hint


def test_missing_permission_has_its_own_hint(sim, plane):
    for ask in (lambda: plane.states(MISSING), lambda: client(sim, sim.tokens["olga"]).projects()):
        with pytest.raises(Forbidden) as caught:
            ask()
        assert caught.value.kind == "permission"
        assert "member" in caught.value.hint


def test_another_server_at_the_address_is_a_matter_of_configuration(sim):
    wrong = Plane(sim.url + "/nowhere", sim.slug, sim.token, timedelta(seconds=5), patience=timedelta(0))

    with pytest.raises((BadConfig, Unanswered)) as caught:
        wrong.me()

    assert "plane.url" in caught.value.hint


# --- comments


def test_comments_come_newest_first_and_as_hostile_as_they_are(plane, web):
    newest, oldest = plane.comments(web, first(plane, web).id)

    assert (newest.html, oldest.html) == ("<script>two</script>", "<p>one</p>")
    assert newest.at > oldest.at
    assert (oldest.external_source, oldest.external_id) == ("x", "7")
    assert plane.members(web)[newest.actor] == "jonas"


def test_a_comment_is_written_once_and_found_again_by_its_external_id(sim, plane, web):
    item = first(plane, web)

    id = plane.comment(web, item.id, "<p>done</p>", "WEB-1:1:abc")
    again = plane.comment(web, item.id, "<p>done</p>", "WEB-1:1:abc")

    assert again == id
    mine = [c for c in plane.comments(web, item.id) if c.external_id == "WEB-1:1:abc"]
    assert [(c.id, c.html, c.external_source, c.actor) for c in mine] == [(id, "<p>done</p>", "pco", plane.me().id)]
    assert [call.status for call in plane.calls if call.method == "POST"] == [201, 409]


@pytest.mark.parametrize("html", ["", " ", "<p></p>", "<div>\n<br/> &nbsp; </div>"])
def test_an_empty_comment_is_never_sent(sim, plane, web, html):
    with pytest.raises(Refused, match="empty"):
        plane.comment(web, MISSING, html, "k")

    assert paths(sim) == []


@pytest.mark.parametrize("external_id", ["", "x" * 256])
def test_a_comment_needs_an_external_id_that_plane_keeps(sim, plane, web, external_id):
    with pytest.raises(Refused, match="external id"):
        plane.comment(web, MISSING, "<p>x</p>", external_id)

    assert paths(sim) == []


def test_what_plane_refuses_is_said_in_its_words(plane, web):
    item = first(plane, web)

    with pytest.raises(Refused, match="400 The payload is not valid"):
        plane.comment(web, MISSING, "<p>x</p>", "k")
    with pytest.raises(Refused, match="Null characters"):
        plane.comment(web, item.id, "<p>a\x00b</p>", "k")
    with pytest.raises(Refused, match="413"):
        plane.comment(web, item.id, "<p>" + "x" * (6 << 20) + "</p>", "k")


def test_a_comment_of_a_megabyte_passes(plane, web):
    item = first(plane, web)

    plane.comment(web, item.id, "<p>" + "ä" * 500_000 + "</p>", "k")

    assert len(plane.comments(web, item.id)[0].html) == 500_007


@pytest.mark.parametrize("kind", ["lost_after", "error_after"])
def test_a_comment_that_may_have_been_written_is_found_by_sending_it_again(sim, plane, web, kind):
    item = first(plane, web)
    sim.faults({"kind": kind, "method": "POST", "seconds": 0.01})

    with pytest.raises(Unanswered) as caught:
        plane.comment(web, item.id, "<p>x</p>", "k")
    assert caught.value.maybe_applied
    assert sim.fired() == 1  # sent once
    sim.faults()

    assert plane.comment(web, item.id, "<p>x</p>", "k") in {c.id for c in plane.comments(web, item.id)}
    assert sum(c.external_id == "k" for c in plane.comments(web, item.id)) == 1


# --- states


def test_an_item_moves_to_a_state(plane, web):
    item = first(plane, web)
    done = next(s.state for s in plane.states(web) if s.state.group == "completed")

    plane.set_state(web, item.id, done.id)

    assert plane.item(web, item.id).state == done.id


def test_a_state_of_another_project_is_refused(sim, plane, web):
    foreign = sim.state("BARE", "Todo")

    with pytest.raises(Refused, match="State is not valid"):
        plane.set_state(web, first(plane, web).id, foreign)


def test_a_state_change_of_what_is_not_there_is_gone(plane, sim, web):
    with pytest.raises(Gone):
        plane.set_state(web, MISSING, sim.state("WEB", "Todo"))


def test_a_guest_may_not_move_items(sim, web, plane):
    with pytest.raises(Forbidden):
        client(sim, sim.tokens["gus"]).set_state(web, first(plane, web).id, sim.state("WEB", "Todo"))


# --- a bad day


@pytest.mark.parametrize("kind", ["lost_before", "error_before", "cut", "bad_json", "bad_utf8", "deep_json", "html"])
def test_a_read_gets_through_when_two_of_three_fail(sim, plane, web, kind):
    sim.faults({"kind": kind, "count": 2})

    assert plane.me().name == "pco"

    assert sim.fired() == 2
    assert len(plane.calls) == 3


@pytest.mark.parametrize("kind", ["bomb", "redirect"])
def test_what_will_not_pass_is_not_asked_for_again(sim, plane, kind):
    sim.faults({"kind": kind})

    with pytest.raises(Unanswered):
        plane.me()

    assert sim.fired() == 1


def test_a_storm_of_429_is_handed_on_when_it_outlasts_the_patience(sim):
    sim.faults({"kind": "throttle", "seconds": 3000})

    with pytest.raises(Throttled) as caught:
        client(sim, patience=3).me()

    assert caught.value.retry_after > timedelta(seconds=3)
    assert sim.fired() == 1


def test_a_page_that_is_too_large_is_asked_for_in_smaller_ones(web, sim, plane):
    big = "<p>" + "x" * (3 << 20) + "</p>"
    for n in range(2, 12):
        item = plane.by_identifier(f"WEB-{n}")
        with sim.world.store.lock:
            sim.world.store.tables["items"][item.id]["description_html"] = big

    found = [item.id for page in plane.items(web, per_page=20) for item in page.items]

    assert len(found) == len(set(found)) == 23


def test_every_request_is_in_the_tally(sim, plane, web):
    item = first(plane, web)
    plane.comments(web, item.id)
    with pytest.raises(Gone):
        plane.item(web, MISSING)
    plane.comment(web, item.id, "<p>x</p>", "k")
    plane.set_state(web, item.id, item.state)
    list(plane.items(web))

    assert [(call.method, call.endpoint, call.status) for call in plane.calls] == [
        ("GET", "work-items/{identifier}", 200),
        ("GET", "work-items/{id}/comments", 200),
        ("GET", "work-items/{id}", 404),
        ("POST", "work-items/{id}/comments", 201),
        ("PATCH", "work-items/{id}", 200),
        ("GET", "work-items", 200),
    ]
    assert all(0 < call.seconds < 5 for call in plane.calls)
    assert len(sim.requests()) == len(plane.calls)


def test_an_item_is_made_once_found_by_its_id_and_deleted(plane, web):
    made = plane.create(web, "Try <it>", "<p>words</p>", "pco-doctor", "run:1")

    again = plane.create(web, "Another", "<p>words</p>", "pco-doctor", "run:1")
    assert (made.title, again.id) == ("Try <it>", made.id)
    assert plane.by_external(web, "pco-doctor", "run:1").id == made.id
    plane.delete(web, made.id)
    for ask in (plane.item, plane.delete):
        with pytest.raises(Gone):
            ask(web, made.id)
    with pytest.raises(Gone):
        plane.by_external(web, "pco-doctor", "run:1")


@pytest.mark.parametrize("kind", ["error_after", "lost_after"])
def test_an_item_made_or_deleted_without_an_answer_is_looked_for_by_its_id(sim, plane, web, kind):
    sim.faults({"kind": kind, "method": "POST|DELETE"})

    with pytest.raises(Unanswered) as raised:
        plane.create(web, "Mine", "<p>words</p>", "pco-doctor", "run:1")
    assert raised.value.maybe_applied
    made = plane.by_external(web, "pco-doctor", "run:1")
    with pytest.raises(Unanswered) as raised:
        plane.delete(web, made.id)
    assert raised.value.maybe_applied
    with pytest.raises(Gone):
        plane.by_external(web, "pco-doctor", "run:1")
