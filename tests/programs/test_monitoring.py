"""metrics.txt, as the programs fill it and as promtool reads it."""

import subprocess
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pco.ground import tally
from pco.ground.ticket import State
from programs.posting import desk
from support import TOP, Site, a_ticket, put


@pytest.fixture(scope="session", autouse=True)
def promtool() -> None:
    """Prometheus' own judge."""
    subprocess.run([TOP / "share" / "need", "promtool:prometheus"], check=True)


@pytest.fixture
def plane(site: Site) -> Any:
    """A Plane with items, and a pco that may write to it; nobody is troubled by a full disk."""
    site.configure(health={"disk_free": "0%"})
    with desk(site) as made:
        yield made


def samples(site: Site) -> dict[str, float]:
    """Each sample, by its name and labels as they stand there."""
    site.run("pco-dashboard")
    text = (site.home / "www" / "metrics.txt").read_text()
    list(text_string_to_metric_families(text))  # raises if it is wrong
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in text.splitlines() if line[0] != "#"}


def test_what_programs_write_is_clean_to_promtool(plane):
    plane.ticket("WEB-1")
    plane.site.run("pco-poll", env={**plane.site.environment(), "INVOCATION_ID": "0"})
    plane.post()
    put(plane.site.spool(), a_ticket("WEB-2", project=plane.project), State.PENDING)
    plane.site.run("pco-queue", "approve", "WEB-2")
    samples(plane.site)

    text = (plane.site.home / "www" / "metrics.txt").read_bytes()
    judged = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, check=False)

    assert (judged.returncode, judged.stderr.decode()) == (0, "")
    assert b"plane_api_request_duration_seconds_bucket" in text


def test_a_post_counts_its_requests_and_the_comment_that_is_in_plane(plane):
    plane.ticket("WEB-1")

    plane.post()

    found = samples(plane.site)
    assert found['plane_updates_total{status="success"}'] == 1
    assert found['plane_api_calls_total{operation="create_comment",status="success"}'] == 1
    assert found['plane_api_request_duration_seconds_count{endpoint="work-items/{id}/comments",method="POST"}'] == 1


def test_counts_go_on_over_runs(plane):
    for number in (1, 2):
        plane.ticket(f"WEB-{number}")
        plane.post()

        assert samples(plane.site)['plane_updates_total{status="success"}'] == number

    assert samples(plane.site)['plane_api_calls_total{operation="create_comment",status="success"}'] == 2


def test_what_plane_refuses_and_what_is_tried_again_is_counted(plane):
    plane.ticket("WEB-1")
    plane.plane.faults({"kind": "error_before", "method": "GET", "path": "/work-items/", "count": 1})

    plane.post()

    found = samples(plane.site)
    assert found['plane_api_calls_total{operation="get_work_item",status="error"}'] == 1
    assert found['plane_api_retry_total{operation="get_work_item"}'] == 1


def test_polls_that_go_well_and_that_do_not_are_counted(plane):
    environment = {**plane.site.environment(), "INVOCATION_ID": "0"}
    plane.site.run("pco-poll", env=environment)
    plane.site.configure(plane={"url": "http://127.0.0.1:1"})
    plane.site.run("pco-poll", env=environment, code=75)

    found = samples(plane.site)
    assert (found['pco_polls_total{status="success"}'], found['pco_polls_total{status="failure"}']) == (1, 1)
    assert any(name.endswith('status="unanswered"}') for name in found)


def test_a_dry_run_counts_nothing(plane):
    plane.site.run("pco-poll", "--dry-run")

    assert tally.programs(plane.site.home / "metrics") == []


def test_an_approval_counts_with_how_long_it_was_waited_for(plane):
    put(plane.site.spool(), a_ticket("WEB-2", project=plane.project), State.PENDING)

    plane.site.run("pco-queue", "approve", "WEB-2")

    found = samples(plane.site)
    assert found["plane_tickets_approved_total"] == 1
    assert found['pco_moves_total{from="pending",to="approved"}'] == 1
    assert found['pco_gate_wait_seconds_count{gate="approval"}'] == 1


def test_how_many_requests_are_left_is_shown(plane):
    plane.site.configure(plane={"requests_per_minute": 100})
    plane.site.run("pco-poll", env={**plane.site.environment(), "INVOCATION_ID": "0"})

    found = samples(plane.site)

    assert found["pco_request_budget"] == 100
    assert found["pco_request_budget_left"] == 100 - sum(
        value for name, value in found.items() if name.startswith("plane_api_calls_total")
    )


def test_a_run_that_cannot_be_counted_does_its_work(plane):
    plane.ticket("WEB-1")
    (plane.site.home / "metrics").rmdir()

    done = plane.post()

    assert plane.posted().comment_id
    assert "not counted" in done.stderr


def test_a_damaged_tally_is_laid_aside(plane):
    plane.ticket("WEB-1")
    (plane.site.home / "metrics" / "tally").mkdir()
    (plane.site.home / "metrics" / "tally" / "post.json").write_text("{")

    done = plane.post()

    assert "laid aside" in done.stderr
    assert samples(plane.site)['plane_api_calls_total{operation="create_comment",status="success"}'] == 1
