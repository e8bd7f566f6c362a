"""pco-doctor --end-to-end and --watch, with real sessions under tmux and a real pco-watch, without systemd."""

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from pco.commands.doctoring import planting, rehearsing
from pco.commands.doctoring.progress import Progress
from pco.ground import attested, polled
from pco.ground.ticket import Note, State
from pco.outside.git import Mirror
from pco.run import Pco
from pco.sim import running
from sessions import Yard, until
from support import WEB, a_ticket, put

KEYS = ("LOCAL-1", "LOCAL-2", "LOCAL-3")


@pytest.fixture
def field(yard: Yard) -> Yard:
    """A pco with a project and its repository."""
    (yard.site.home / "backups").mkdir(exist_ok=True)
    yard.site.configure(
        plane={"projects": [{"id": WEB, "key": "WEB", "repository": str(yard.mirror)}]},
        sessions={"command": ["/bin/false"], "per_project": 4, "runner": "tmux"},
    )
    return yard


def word(field: Yard, id: str) -> attested.Word | None:
    return attested.read(field.site.home / "audit", id)


def gone(field: Yard, *keys: str) -> bool:
    """Whether nothing is left of tickets: record, files, branch."""
    mirror = Mirror(field.site.home / "mirrors" / f"{WEB}.git", "")
    files = [path for key in keys for path in field.site.home.rglob(f"{key}*") if "audit" not in path.parts]
    return not files and not any(mirror.tip(f"pco/{key}") for key in keys)


@pytest.mark.usefixtures("watch")
def test_test_tickets_go_the_whole_way_and_nothing_of_them_stays(field):
    done = field.site.run("pco-doctor", "--end-to-end", "WEB", "--tickets", "3", "--local", timeout=110)

    last = done.stdout.splitlines()[-1]
    assert last.startswith("3 tickets of WEB in ") and "approved to running" in last
    assert last.endswith("Plane was not asked (--local)")
    assert gone(field, *KEYS)
    found = word(field, "17.2")
    assert (found.good, found.by, found.note) == (True, "pco-doctor", last)
    assert word(field, "17.4") is None
    lines = [
        json.loads(line)
        for path in (field.site.home / "audit").glob("*.jsonl")
        for line in path.read_text().splitlines()
    ]
    ways = [(line["fields"].get("from"), line["fields"].get("to")) for line in lines if line["key"] == "LOCAL-1"]
    assert ("outbox", "posted") in ways and ("pending", "approved") in ways


@pytest.mark.usefixtures("watch")
def test_other_tickets_are_left_alone(field):
    spool = field.site.spool()
    mine = put(spool, a_ticket("LOCAL-1", local=True, scripted=True), State.PENDING)
    put(spool, a_ticket("WEB-7"), State.COMPLETED)

    field.site.run("pco-doctor", "--end-to-end", "WEB", "--local", timeout=110)

    assert spool.places(*State) == {"LOCAL-1": State.PENDING, "WEB-7": State.COMPLETED}
    assert spool.read("LOCAL-1").rev == mine.rev


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
@pytest.mark.usefixtures("watch")
def test_what_an_interrupted_run_leaves_is_cleared_up(field, number):
    begun = field.site.start(
        *("pco-doctor", "--end-to-end", "WEB", "--tickets", "3", "--local"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until(lambda: field.site.spool().keys(State.APPROVED, State.ACTIVE), 60)
    os.kill(begun.pid, number)
    assert begun.wait(100) == (130 if number is signal.SIGINT else -9)

    if number is signal.SIGKILL:
        done = field.site.run("pco-doctor", "--end-to-end", "WEB", "--local", timeout=110)
        assert "of a run that was killed: LOCAL-1 LOCAL-2 LOCAL-3" in done.stderr
    assert gone(field, *KEYS, "LOCAL-4")
    assert bool(word(field, "17.2")) == (number is signal.SIGKILL)


def test_it_refuses_while_nothing_would_get_through(field):
    def refused(code: int) -> str:
        return field.site.run("pco-doctor", "--end-to-end", "WEB", "--local", code=code).stderr

    assert "pco-watch does not run" in refused(78)
    field.site.spool().control.pause(Note(Pco("x").now(), "ann", "deployment"))
    assert "pco is paused by ann: deployment" in refused(75)
    field.site.spool().control.resume()
    field.site.spool().control.set_short("/: 3% of the disk is free", Pco("x").now())
    assert "no session would start: /: 3%" in refused(75)
    assert field.site.spool().places(*State) == {}


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--end-to-end", "NO"], "There is no project NO"),
        (["--tickets", "3"], "go with --end-to-end"),
        (["--local"], "go with --end-to-end"),
        (["--end-to-end", "WEB", "--item", "WEB-1", "--tickets", "2"], "--item is one ticket"),
        (["--end-to-end", "WEB", "--item", "WEB-1", "--local"], "--item is one ticket"),
        (["--end-to-end", "WEB", "--watch", "1m"], "a run of their own"),
        (["--watch", "soon"], "no duration"),
    ],
)
def test_what_does_not_fit_together_is_refused(field, args, said):
    assert said in field.site.run("pco-doctor", *args, code=2).stderr


@pytest.mark.usefixtures("watch")
def test_a_repository_that_lost_its_branch_is_told_and_kept_as_a_failure(field, monkeypatch):
    field.site.configure(plane={"projects": [{"id": WEB, "key": "WEB", "repository": "/nonexistent.git"}]})
    pco = Pco("pco-doctor")
    pco.config_file, pco.loudness = str(field.site.config), -1
    monkeypatch.setattr(rehearsing, "PATIENCE", rehearsing.PATIENCE * 0)
    monkeypatch.setattr(sys, "argv", [str(Path(__file__).parents[3] / "bin/pco-doctor")])
    field.site.configure(sessions={"clone_within": "1s"})

    assert not rehearsing.rehearse(pco, "WEB", 1, "", local=True)

    found = word(field, "17.2")
    assert not found.good and "LOCAL-1 stays approved" in found.note


@pytest.fixture
def plane(field):
    """A simulated Plane that the pco of `field` has polled once."""
    with running({"projects": [{"identifier": "WEB", "id": WEB}]}, scale=0.01, rate=0) as sim:
        token = field.site.home / "token"
        token.write_text(sim.token)
        token.chmod(0o600)
        field.site.configure(plane={"url": sim.url, "workspace": sim.slug, "token_file": str(token), "settle": "1s"})
        field.site.run("pco-poll")
        yield sim


def planted(sim):
    """The titles of the test items in Plane, and whether they were deleted."""
    return {row["name"]: bool(row["deleted_at"]) for row in sim.rows("items") if "pco-doctor" in row["name"]}


@pytest.mark.usefixtures("watch")
def test_an_item_of_plane_gets_its_comment(field, plane):
    jonas = plane.person("jonas")
    key = jonas.key(jonas.create("Try pco", state="Backlog"))

    done = field.site.run("pco-doctor", "--end-to-end", "WEB", "--item", key, timeout=110)

    assert done.stdout.splitlines()[-1].endswith("; poll and comment in Plane, too")
    (comment,) = jonas.comments(key)
    assert "A test of pco" in comment["comment_html"]
    assert field.site.spool().find(key) is State.POSTED


@pytest.mark.usefixtures("watch")
def test_items_made_in_plane_get_comments_and_go_with_their_tickets(field, plane):
    done = field.site.run("pco-doctor", "--end-to-end", "WEB", "--tickets", "2", timeout=110)

    assert done.stdout.splitlines()[-1].endswith("; poll and comment in Plane, too")
    assert planted(plane) == {f"Test {n} of 2 by pco-doctor": True for n in (1, 2)}
    assert len(plane.rows("comments")) == 2
    assert gone(field, "WEB-1", "WEB-2") and field.site.spool().control.trial() is None


@pytest.mark.parametrize("kind", ["error_before", "error_after", "lost_after"])
@pytest.mark.usefixtures("watch")
def test_what_plane_deletes_or_makes_without_an_answer_does_not_stay(field, plane, kind):
    plane.faults({"kind": kind, "method": "DELETE", "count": 1})
    if kind != "error_before":
        plane.faults({"kind": kind, "method": "DELETE", "count": 1}, {"kind": kind, "method": "POST", "count": 1})

    field.site.run("pco-doctor", "--end-to-end", "WEB", timeout=110)

    assert planted(plane) == {"Test 1 of 1 by pco-doctor": True}
    assert field.site.spool().places(*State) == {} and field.site.spool().control.trial() is None


@pytest.mark.usefixtures("watch")
def test_an_item_that_plane_does_not_delete_is_remembered_with_its_ticket_until_it_does(field, plane):
    plane.faults({"kind": "error_before", "method": "DELETE"})
    field.site.run("pco-doctor", "--end-to-end", "WEB", timeout=110, code=75)

    assert planted(plane) == {"Test 1 of 1 by pco-doctor": False}
    assert field.site.spool().places(*State) == {"WEB-1": State.POSTED}

    plane.faults()
    done = field.site.run("pco-doctor", "--end-to-end", "WEB", timeout=110)
    assert "1 ticket of a run that was killed: WEB-1" in done.stderr
    assert planted(plane) == {"Test 1 of 1 by pco-doctor": True}
    assert field.site.spool().places(*State) == {}


@pytest.mark.usefixtures("watch")
def test_a_ticket_that_has_the_number_of_a_test_item_is_left_alone(field, plane):
    put(field.site.spool(), a_ticket("WEB-1"), State.FAILED)

    done = field.site.run("pco-doctor", "--end-to-end", "WEB", timeout=110, code=65)

    assert "WEB-1 is failed: only one that is pending can try pco" in done.stderr
    assert field.site.spool().places(*State) == {"WEB-1": State.FAILED}
    assert planted(plane) == {"Test 1 of 1 by pco-doctor": True}


def test_an_item_that_a_trigger_brings_is_not_used_before_its_request_is_answered(field):
    pco = Pco("pco-doctor")
    pco.config_file = str(field.site.config)
    spool = field.site.spool("pco-poll")
    ticket = a_ticket("WEB-1")
    with ThreadPoolExecutor() as others, spool.alone(timedelta(seconds=1)):
        fetched = others.submit(planting.fetch, pco, WEB, {"WEB-1": ticket.uuid}, Progress())
        until(spool.control.imports)
        put(spool, ticket, State.PENDING)
        with suppress(TimeoutError):
            fetched.result(5 * planting.LOOK)
        assert not fetched.done()

        spool.control.imported("WEB-1")
        fetched.result(60)

    assert spool.read("WEB-1").scripted


# Watching.


def health(field: Yard, status: str, *reasons: str) -> None:
    """What pco says of itself; and a poll of just now."""
    head = polled.Head(WEB, key="WEB", polled_at=Pco("x").now())
    polled.write(field.site.home / "plane", head)
    (field.site.home / "www" / "health.json").write_text(json.dumps({"status": status, "reasons": reasons}))


def test_a_watch_over_what_is_well_says_so_and_for_how_long(field):
    health(field, "ok")

    done = field.site.run("pco-doctor", "--watch", "1s")

    assert done.stdout == "1s watched: no error was logged, units and health were well all the time\n"
    assert (word(field, "24.3").good, word(field, "24.3").note) == (True, "1s watched: nothing seen")


def test_what_is_not_well_is_named_once_as_it_comes_and_counted(field):
    health(field, "degraded", "Plane is silent")

    done = field.site.run("pco-doctor", "--watch", "2s", code=65)

    assert [line[9:] for line in done.stderr.splitlines() if line.endswith("silent")] == ["health: Plane is silent"]
    assert any("1x  health: Plane is silent" in line for line in done.stdout.splitlines())
    assert word(field, "24.3").note == "2s watched: 1 seen, first: health: Plane is silent"


def test_a_short_watch_does_not_take_the_place_of_a_long_one(field):
    health(field, "ok")
    audit = field.site.home / "audit"
    attested.write(audit, attested.Word("24.3", "pco-doctor", Pco("x").now(), "30m watched: nothing seen"))

    field.site.run("pco-doctor", "--watch", "1s")
    assert word(field, "24.3").note == "30m watched: nothing seen"
    health(field, "degraded", "Plane is silent")
    field.site.run("pco-doctor", "--watch", "1s", code=65)
    assert not word(field, "24.3").good


def test_a_watch_that_is_interrupted_keeps_nothing(field):
    health(field, "ok")
    begun = field.site.start("pco-doctor", "--watch", "1h", stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    begun.stderr.readline()
    os.kill(begun.pid, signal.SIGINT)

    assert begun.wait(20) == 130
    assert word(field, "24.3") is None
