"""Fault switches of the simulator: what goes wrong on the wire, and whether the write was applied."""

import gzip
import http.client
import json
import time
from collections.abc import Iterator

import pytest

from pco.sim import Remote, Sim, running
from unit.sim_api import Api

DROPPED = (http.client.RemoteDisconnected, ConnectionError)


@pytest.fixture
def sim() -> Iterator[Sim]:
    with running({"projects": [{"identifier": "WEB", "items": [{"name": "one"}]}]}, rate=0, scale=0.05) as made:
        yield made


@pytest.fixture
def api(sim: Sim) -> Api:
    return Api(sim)


def total(sim: Sim) -> int:
    """What really is there."""
    return len(sim.rows("items"))


@pytest.mark.parametrize(("kind", "applied"), [("lost_before", 1), ("lost_after", 2), ("late", 1)])
def test_a_dropped_connection_tells_nothing_about_the_write(sim, api, kind, applied):
    sim.faults({"kind": kind, "method": "POST", "count": 1, "seconds": 60})

    with pytest.raises(DROPPED):
        api.post(api.items, {"name": "x"})

    assert total(sim) == applied
    assert sim.requests()[-1]["status"] is None
    assert sim.fired() == 1
    assert api.post(api.items, {"name": "y"}).status == 201


def test_a_late_write_is_applied_after_its_sender_gave_up(sim, api):
    sim.faults({"kind": "late", "method": "POST", "count": 1, "seconds": 1})
    with pytest.raises(DROPPED):
        api.post(api.items, {"name": "late"})

    assert api.get(api.items).body["total_count"] == 1
    deadline = time.monotonic() + 5
    while api.get(api.items).body["total_count"] == 1:
        assert time.monotonic() < deadline
    assert api.get(api.items).body["results"][0]["name"] == "late"


@pytest.mark.parametrize(("kind", "applied"), [("error_before", 1), ("error_after", 2)])
def test_a_500_may_have_been_applied(sim, api, kind, applied):
    sim.faults({"kind": kind, "method": "POST", "count": 1})

    answer = api.post(api.items, {"name": "x"})

    assert (answer.status, answer.body) == (500, {"error": "Something went wrong please try again later"})
    assert total(sim) == applied


def test_a_broken_broker_applies_the_comment_and_the_retry_is_a_409(sim, api):
    comments = api.item(sim.rows("items")[0]["id"]) + "comments/"
    sim.faults({"kind": "error_after", "path": "/comments/", "count": 1})
    key = {"comment_html": "x", "external_id": "K", "external_source": "pco"}

    before = api.get(api.items).body["results"][0]["updated_at"]

    assert [api.post(comments, key).status for _ in range(2)] == [500, 409]
    sim.settle()
    assert api.get(api.items).body["results"][0]["updated_at"] == before


def test_a_lagging_reader_does_not_see_young_writes_but_the_duplicate_check_does(sim, api):
    item = api.item(sim.rows("items")[0]["id"])
    key = {"comment_html": "x", "external_id": "K", "external_source": "pco"}
    sim.faults({"kind": "lag", "method": "GET", "seconds": 1000})
    sim.advance(100)
    api.post(item + "comments/", key)
    api.patch(item, {"name": "renamed"})
    young = api.make("young")

    assert api.get(item + "comments/").body["total_count"] == 0
    assert api.get(item).body["name"] == "one"
    assert api.get(api.item(young)).status == 404
    assert api.get(api.items).body["total_count"] == 1
    assert api.post(item + "comments/", key).status == 409
    sim.advance(51)
    assert api.get(item + "comments/").body["total_count"] == 1
    assert api.get(item).body["name"] == "renamed"
    assert api.get(api.items).body["total_count"] == 2


def test_a_storm_of_429_names_its_end_and_applies_nothing(sim, api):
    sim.faults({"kind": "throttle", "count": 3, "seconds": 100})

    answers = [api.post(api.items, {"name": "x"}) for _ in range(4)]

    assert [answer.status for answer in answers] == [429, 429, 429, 201]
    assert answers[0].headers["retry-after"] == "5"
    assert total(sim) == 2


def test_slow_waits_the_scaled_seconds_and_goes_with_another_fault(sim, api):
    sim.faults({"kind": "slow", "seconds": 4}, {"kind": "error_before"})
    began = time.monotonic()

    assert api.get(api.items).status == 500
    assert time.monotonic() - began >= 0.2


def test_a_cut_body_is_shorter_than_it_says(sim, api):
    sim.faults({"kind": "cut"})

    with pytest.raises(http.client.IncompleteRead):
        api.get(api.items)


@pytest.mark.parametrize("kind", ["bad_json", "deep_json"])
def test_malformed_and_deep_json_cannot_be_read(sim, api, kind):
    sim.faults({"kind": kind})

    with pytest.raises((ValueError, RecursionError)):
        api.get(api.items)


def test_bad_utf8_comes_with_a_good_status(sim, api):
    sim.faults({"kind": "bad_utf8", "method": "GET"})

    with pytest.raises(UnicodeDecodeError):
        api.get(api.items)


def test_a_bomb_grows_a_hundredfold(sim):
    sim.faults({"kind": "bomb"})
    connection = http.client.HTTPConnection("127.0.0.1", int(sim.url.rsplit(":", 1)[1]))
    connection.request("GET", "/api/v1/users/me/", headers={"X-API-Key": sim.token})
    response = connection.getresponse()
    packed = response.read()
    connection.close()

    assert response.headers["Content-Encoding"] == "gzip"
    assert len(gzip.decompress(packed)) > 100 * len(packed)


def test_a_redirect_and_a_page_of_html_in_place_of_json(sim, api):
    sim.faults({"kind": "redirect", "count": 1}, {"kind": "html", "count": 1})

    first, second = api.get(api.items), api.get(api.items)

    assert (first.status, first.headers["location"]) == (302, "/god-mode/")
    assert (second.status, second.headers["content-type"]) == (502, "text/html")
    assert b"<h1>502" in second.body


def test_a_fault_strikes_only_what_it_names_and_as_often_as_it_says(sim, api):
    sim.faults({"kind": "error_before", "method": "GET|PATCH", "path": r"/work-items/\?", "skip": 1, "count": 2})

    statuses = [api.get(api.items + "?a=1").status for _ in range(5)]

    assert statuses == [200, 500, 500, 200, 200]
    assert api.get(api.project + "states/").status == 200


def test_the_same_seed_strikes_the_same_requests():
    def strikes(seed: int) -> list[int]:
        with running(rate=0) as sim:
            sim.faults({"kind": "error_before", "probability": 0.5, "seed": seed})
            api = Api(sim)
            return [api.get(api.items).status for _ in range(20)]

    assert strikes(1) == strikes(1) != strikes(2)
    assert {200, 500} == set(strikes(1))


def test_people_are_struck_by_no_fault_and_no_throttle():
    with running(rate=1) as sim:
        sim.faults({"kind": "lost_before"})
        ada = sim.person("ada")

        made = [ada.create(f"item {n}") for n in range(5)]

        assert len(ada.items()) == len(made) == 5
        assert sim.fired() == 0


def test_an_unknown_fault_is_refused_and_the_switches_stay(sim):
    sim.faults({"kind": "slow"})

    with pytest.raises(ValueError, match="unknown fault"):
        sim.faults({"kind": "slo"})
    with pytest.raises(TypeError):
        sim.faults({"kind": "slow", "prob": 1})
    assert [fault["kind"] for fault in sim.world.faults.told()] == ["slow"]


def test_all_is_steered_over_http_too(sim, api):
    remote = Remote(sim.url)
    remote.faults({"kind": "error_before", "count": 1})

    assert api.get(api.items).status == 500
    assert remote.fired() == 1
    assert remote.requests()[-1]["faults"] == ["error_before"]
    assert remote.tokens == sim.tokens
    remote.faults()
    remote.reset_log()
    assert remote.requests() == []
    remote.advance(3600)
    remote.settle()
    assert remote.person("ada", "WEB").create("x")["created_at"] > sim.rows("items")[0]["created_at"]
    assert remote.project("WEB")["id"] == sim.project("WEB")["id"]
    bad = api.ask("POST", "/_sim/faults", [{"kind": "nonsense"}])
    assert (bad.status, json.dumps(bad.body).count("unknown fault")) == (400, 1)
