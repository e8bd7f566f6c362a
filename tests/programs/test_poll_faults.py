"""pco-poll when things go wrong: killed, refused, throttled, lied to; and what is gone from Plane."""

import shutil
import threading
import time
from datetime import timedelta

import pytest

import pco.sim
from pco.ground import times
from pco.ground.ticket import State
from programs.polling import REPOSITORY, TWO_PROJECTS, World


@pytest.fixture
def world(site):
    with pco.sim.running(rate=0) as sim:
        yield World(site, sim)


@pytest.fixture
def ticketed(world):
    """WEB-1 was there before the first poll, WEB-2 was created since and is pending."""
    world.jonas.create("Old", state="Backlog")
    world.poll()
    world.jonas.create("New", state="Todo", description_html="<p>Do it.</p>")
    world.poll()
    return world


@pytest.fixture
def two(site):
    """Two projects that were polled once, each with one old item."""
    with pco.sim.running(TWO_PROJECTS, rate=0) as sim:
        world = World(site, sim)
        world.jonas.create("Old")
        sim.person("jonas", "API").create("Old")
        world.poll()
        yield world


# Killed between the tickets and what is known of them.


def test_a_poll_that_was_killed_makes_no_second_ticket(ticketed):
    with ticketed.as_if_killed():
        ticketed.jonas.create("Third", state="Todo")
        ticketed.jonas.comment(1, "<p>first</p>")
        ticketed.poll()
    before = {key: ticketed.read(key) for key in ticketed.places()}

    ticketed.poll()

    assert {key: ticketed.read(key) for key in ticketed.places()} == before
    assert set(before) == {"WEB-1", "WEB-2", "WEB-3"}


def test_a_poll_that_was_killed_notes_nothing_twice(ticketed):
    ticketed.place("WEB-2", State.ACTIVE)
    with ticketed.as_if_killed():
        ticketed.jonas.comment("WEB-2", "<p>one more thing</p>")
        ticketed.jonas.edit("WEB-2", name="Other")
        ticketed.poll()
    before = ticketed.read("WEB-2")

    ticketed.poll()

    assert ticketed.read("WEB-2") == before
    ticketed.place("WEB-2", State.POSTED)
    ticketed.poll()
    assert (ticketed.read("WEB-2").state, ticketed.read("WEB-2").round.n) == (State.PENDING, 2)


def test_a_poll_that_was_killed_brings_a_ticket_back_only_once(ticketed):
    ticketed.place("WEB-2", State.POSTED)
    with ticketed.as_if_killed():
        ticketed.jonas.comment("WEB-2", "<p>again</p>")
        ticketed.poll()
    assert ticketed.read("WEB-2").round.n == 2
    ticketed.place("WEB-2", State.REJECTED)

    ticketed.poll()

    assert (ticketed.read("WEB-2").round.n, ticketed.places()["WEB-2"]) == (2, "rejected")


@pytest.mark.parametrize(
    ("at_first", "event", "then"),
    [
        (State.PENDING, "cancelled", State.REJECTED),
        (State.APPROVED, "cancelled", State.REJECTED),
        (State.PENDING, "filtered", State.REJECTED),
        (State.POSTED, "moved", State.PENDING),
    ],
)
def test_a_poll_that_was_killed_as_it_moved_a_ticket_leaves_that_to_the_next_one(ticketed, at_first, event, then):
    ticketed.site.configure(filters={"priorities": ["medium", "none"]})
    ticketed.place("WEB-2", at_first)
    if event == "cancelled":
        ticketed.jonas.cancel("WEB-2")
    elif event == "filtered":
        ticketed.jonas.edit("WEB-2", priority="low")
    else:
        ticketed.jonas.move("WEB-2", "Backlog")
        ticketed.poll()
        ticketed.place("WEB-2", at_first)
        ticketed.jonas.move("WEB-2", "Todo")
    ticketed.sim.settle()
    # Of a rename strace looks at the first path alone: this is the one to the other state.
    at = ("-P", str(ticketed.spool.path("WEB-2", at_first)), "-e", "trace=rename")
    ticketed.site.run(
        "pco-poll",
        code=None,
        by=("strace", "-f", "-qq", "-o", "/dev/null", *at, "-e", "inject=rename:signal=SIGKILL:when=1"),
    )
    assert ticketed.places() == {"WEB-2": at_first}

    ticketed.poll()

    assert ticketed.places() == {"WEB-2": then}
    state = next(row for row in ticketed.sim.rows("items") if row["id"] == ticketed.read("WEB-2").uuid)["state"]
    assert ticketed.read("WEB-2").plane_state.id == state


def test_what_the_polls_knew_is_made_anew_after_a_loss_without_new_tickets(ticketed):
    shutil.rmtree(ticketed.site.home / "plane" / ticketed.sim.project("WEB")["id"])
    ticketed.jonas.edit("WEB-2", name="Other")

    ticketed.poll()

    assert ticketed.places() == {"WEB-2": "pending"}
    assert ticketed.read("WEB-2").title == "Other"


def test_a_torn_head_is_said_with_a_way_out_and_stops_no_other_project(two):
    (two.site.home / "plane" / two.sim.project("WEB")["id"] / "head.json").write_text("{")
    two.sim.person("jonas", "API").create("New", state="Todo")

    said = two.poll(code=65).stderr

    assert "head.json" in said
    assert "remove it" in said
    assert two.places() == {"API-2": "pending"}


# One project fails.


def create_in_order(world, *numbers):
    """New items, changed for the last time in this order."""
    for number in numbers:
        world.jonas.create(f"Item {number}", state="Todo")
        world.sim.settle()


def test_one_project_that_fails_does_not_stop_the_other(two):
    web = two.sim.project("WEB")["id"]
    two.sim.faults({"kind": "error_before", "path": f"{web}/work-items/"})
    two.jonas.create("New", state="Todo")
    two.sim.person("jonas", "API").create("New", state="Todo")

    said = two.poll(code=75).stderr

    assert "WEB: " in said
    assert two.places() == {"API-2": "pending"}
    assert (two.head("WEB").failed, two.head("API").failed) == (1, 0)
    assert "500" in two.head("WEB").error
    two.poll(code=75)
    assert two.head("WEB").failed == 2

    two.sim.faults()
    two.poll()
    assert two.places() == {"API-2": "pending", "WEB-2": "pending"}
    assert (two.head("WEB").failed, two.head("WEB").error) == (0, "")


def test_what_was_done_before_a_failure_is_kept_and_the_next_poll_goes_on(ticketed):
    create_in_order(ticketed, 3, 4, 5)
    ticketed.sim.faults({"kind": "error_before", "path": "/comments/", "skip": 1})

    ticketed.poll(code=75)
    assert ticketed.places() == {"WEB-2": "pending", "WEB-3": "pending"}
    assert ticketed.head().watermark == ticketed.read("WEB-3").updated_at

    ticketed.sim.faults()
    ticketed.poll()
    assert set(ticketed.places()) == {"WEB-2", "WEB-3", "WEB-4", "WEB-5"}
    assert sum("/comments/" in path for path in ticketed.requests()) == 2


def test_the_requests_that_are_used_up_in_the_middle_only_delay_the_rest(ticketed):
    create_in_order(ticketed, 3, 4, 5, 6, 7)
    budget = ticketed.site.home / "plane" / "rate.json"
    ticketed.configure(requests_per_minute=9)  # four of them for a poll
    budget.unlink()

    said = ticketed.poll(code=75).stderr
    assert "used up" in said
    assert set(ticketed.places()) == {"WEB-2", "WEB-3", "WEB-4", "WEB-5"}

    budget.unlink()  # a minute passes
    ticketed.poll()
    assert set(ticketed.places()) == {f"WEB-{number}" for number in range(2, 8)}


def test_a_request_to_import_stays_while_its_project_cannot_be_polled(two):
    two.spool.control.ask_import("WEB-1", "ada", two.head().polled_at)
    two.spool.control.ask_import("API-1", "ada", two.head().polled_at)
    two.sim.faults({"kind": "error_before", "path": f"{two.sim.project('WEB')['id']}/work-items/"})

    two.poll(code=75)

    assert two.spool.control.imports() == {"WEB-1": "ada"}
    assert two.places() == {"API-1": "pending"}


def test_a_token_that_is_not_valid_is_78_with_a_hint(two):
    (two.site.home / "token").write_text("plane_api_nobody")

    said = two.poll(code=78).stderr

    assert "Given API token is not valid" in said
    assert "make a new token" in said


def test_a_project_that_pco_may_no_longer_see_does_not_stop_the_other(two):
    from pco.sim.control import set_member

    web, bot = two.sim.project("WEB")["id"], next(u["id"] for u in two.sim.rows("users") if u["name"] == "bot")
    set_member(two.sim.world, web, bot, 0)
    two.sim.person("jonas", "API").create("New", state="Todo")

    said = two.poll(code=77).stderr

    assert "WEB: " in said
    assert two.places() == {"API-2": "pending"}


def test_two_polls_do_not_run_at_the_same_time(world):
    with world.spool.alone():
        assert "held by another program" in world.poll(code=75).stderr


# Lists that lie.


def test_an_item_that_a_lagging_list_shows_late_is_not_passed_over(ticketed):
    ticketed.jonas.create("Third", state="Todo")
    ticketed.sim.settle()
    ticketed.sim.faults({"kind": "lag", "seconds": 60, "path": "/work-items/"})
    ticketed.poll(settle=False)
    assert "WEB-3" not in ticketed.places()

    ticketed.sim.faults()
    ticketed.poll()
    assert ticketed.places()["WEB-3"] == "pending"


def test_an_item_that_shows_only_after_a_younger_one_is_not_passed_over(ticketed):
    item = ticketed.jonas.create("Slow transaction", state="Todo")
    ticketed.sim.settle()
    before_the_watermark = times.iso(ticketed.head().watermark - timedelta(seconds=60))
    ticketed.sim.world.store.put("items", {**item_row(ticketed, item), "updated_at": before_the_watermark})

    ticketed.poll()

    assert ticketed.places()["WEB-3"] == "pending"


def test_more_changes_than_a_page_holds_are_all_taken_in(world):
    world.poll()
    for number in range(130):
        world.jonas.create(f"Item {number}", state="Done" if number % 13 else "Todo")

    world.poll()

    assert len(world.places()) == 10
    assert len(world.head().to_sweep) == 0


def test_an_item_that_slips_to_a_page_already_read_is_not_passed_over(site):
    items = [{"name": f"Item {n}", "state": "Backlog", "created_at": a_time(n)} for n in range(1, 521)]
    seed = {"projects": [{"identifier": "WEB", "items": items}]}
    with pco.sim.running(seed, rate=0) as sim:
        world = World(site, sim)
        sim.faults({"kind": "slow", "path": "cursor=500%3A1%3A0", "seconds": 3, "count": 1})
        # While the second page is under way, an item of the first goes: the first of the second is now on the first.
        archiving = threading.Thread(target=archive_once_read, args=(world, "WEB-520"))
        archiving.start()
        world.poll()
        archiving.join()

        world.jonas.move("WEB-20", "Todo")
        world.poll()

        assert world.places() == {"WEB-20": "pending"}


def a_time(number):
    return f"2026-11-20T10:{number // 60:02}:{number % 60:02}.500000Z"


def archive_once_read(world, key):
    """Archive an item as soon as pco has asked for the second page."""
    item = world.jonas.item(key)
    until = time.monotonic() + 30
    while time.monotonic() < until and not any("cursor=500%3A1" in r["path"] for r in world.sim.requests()):
        time.sleep(0.01)
    world.jonas.archive(item)


def test_an_item_dated_into_the_future_hides_no_other(ticketed):
    item = ticketed.jonas.item(1)
    ticketed.sim.world.store.put("items", {**item_row(ticketed, item), "updated_at": "2999-01-01T00:00:00.000000Z"})
    ticketed.poll()
    ticketed.jonas.create("Third", state="Todo")

    ticketed.poll()

    assert ticketed.places()["WEB-3"] == "pending"


def item_row(world, item):
    return next(row for row in world.sim.rows("items") if row["id"] == item["id"])


def test_names_that_are_new_in_plane_are_asked_for_when_they_turn_up(ticketed):
    ada = ticketed.sim.person("ada")
    ada._ask("POST", f"{ada._root}/projects/{ada.project}/labels/", {"name": "fresh", "color": "#000000"})
    ada._ask(
        "POST",
        f"{ada._root}/projects/{ada.project}/states/",
        {"name": "Ready", "color": "#000000", "group": "unstarted"},
    )
    ticketed.jonas.edit("WEB-2", labels=["fresh"], state="Ready")

    ticketed.poll()

    ticket = ticketed.read("WEB-2")
    assert (ticket.labels, ticket.plane_state.name, ticket.plane_state.group) == (("fresh",), "Ready", "unstarted")


# Gone.


@pytest.mark.parametrize("way", ["delete", "archive", "draft"])
def test_a_pending_ticket_is_rejected_when_its_item_is_gone(ticketed, way):
    item = ticketed.jonas.item("WEB-2")
    getattr(ticketed.jonas, way)(item)

    ticketed.poll()

    assert ticketed.places() == {"WEB-2": "rejected"}
    assert ticketed.read("WEB-2").gone


def test_an_item_that_goes_while_another_comes_is_found_by_the_sweep(ticketed):
    ticketed.jonas.delete(ticketed.jonas.item("WEB-2"))
    ticketed.jonas.create("Third", state="Done")
    ticketed.poll()
    assert ticketed.places() == {"WEB-2": "pending"}

    ticketed.set_head(swept_at=ticketed.head().swept_at - timedelta(minutes=11))
    ticketed.poll()

    assert ticketed.places() == {"WEB-2": "rejected"}


def test_what_is_gone_while_it_is_worked_on_is_told_to_the_session_or_noted(ticketed):
    for number in (3, 4, 5):
        ticketed.jonas.create(f"Item {number}", state="Todo")
    ticketed.poll()
    states = [State.ACTIVE, State.COMPLETED, State.FAILED, State.OUTBOX]
    for number, state in enumerate(states, 2):
        ticketed.place(f"WEB-{number}", state)
        ticketed.jonas.archive(f"WEB-{number}")

    ticketed.poll()

    assert ticketed.places() == {f"WEB-{n}": str(state) for n, state in enumerate(states, 2)}
    assert ticketed.read("WEB-2").stop.to == "rejected"
    assert [n.kind for key in ("WEB-3", "WEB-4") for n in ticketed.read(key).noted] == ["gone", "gone"]
    assert [ticketed.read(f"WEB-{n}").gone for n in (2, 3, 4, 5)] == [True, True, True, False]


def test_an_item_that_is_restored_is_no_longer_gone(ticketed):
    ticketed.place("WEB-2", State.COMPLETED)
    item = ticketed.jonas.item("WEB-2")
    ticketed.jonas.archive(item)
    ticketed.poll()
    assert ticketed.read("WEB-2").gone

    ticketed.jonas.archive(item, archived=False)
    ticketed.poll()

    assert not ticketed.read("WEB-2").gone


def test_an_item_that_is_restored_as_it_was_is_found_by_the_sweep(ticketed):
    ticketed.place("WEB-2", State.FAILED)
    item = ticketed.jonas.item("WEB-2")
    row = item_row(ticketed, item)
    ticketed.jonas.archive(item)
    ticketed.poll()
    assert ticketed.read("WEB-2").gone

    ticketed.sim.world.store.put("items", row)
    ticketed.sweep_due()
    ticketed.poll()

    assert not ticketed.read("WEB-2").gone


def test_an_archived_project_is_refused_and_its_tickets_stay(two):
    two.jonas.create("New", state="Todo")
    two.poll()
    row = two.sim.project("WEB")
    two.sim.world.store.put("projects", {**row, "archived_at": "2026-11-22T00:00:00.000000Z"})

    said = two.poll(code=78).stderr

    assert "archived" in said
    assert two.places() == {"WEB-2": "pending"}
    assert two.head("API").failed == 0
    two.sim.world.store.put("projects", row)
    two.poll()
    assert two.places() == {"WEB-2": "pending"}


def test_nothing_is_withdrawn_while_the_project_may_have_been_archived_meanwhile(ticketed):
    ticketed.jonas.archive("WEB-2")
    # The states are asked for when the sweep begins, and again when something is gone.
    ticketed.sim.faults({"kind": "error_before", "path": "/states/", "skip": 1})

    ticketed.poll(code=75)
    assert ticketed.places() == {"WEB-2": "pending"}

    ticketed.sim.faults()
    ticketed.poll()
    assert ticketed.places() == {"WEB-2": "rejected"}


def test_a_sweep_of_many_tickets_reads_only_those_that_the_list_of_ids_does_not_show(site):
    states = ["Todo"] * 12 + ["Done"] * 120
    items = [{"name": "X", "state": state, "created_at": an_hour(n)} for n, state in enumerate(states)]
    with pco.sim.running({"projects": [{"identifier": "WEB", "items": items}]}, rate=0) as sim:
        world = World(site, sim)
        world.poll("--backfill")
        assert len(world.places()) == 12
        world.jonas.archive("WEB-7")

        world.poll()

        assert [key for key, state in world.places().items() if state == "rejected"] == ["WEB-7"]
        assert len([path for path in world.requests() if path.count("/") == 4 and "work-items/" in path]) == 1


def an_hour(number):
    return f"2026-11-{10 + number // 24:02}T{number % 24:02}:00:00.500000Z"


def test_a_sweep_that_is_cut_short_goes_on_in_the_next_poll(ticketed):
    ticketed.jonas.create("Third", state="Todo")
    ticketed.poll()
    for key in ("WEB-2", "WEB-3"):
        ticketed.jonas.archive(key)
    ticketed.sim.faults({"kind": "error_before", "method": "GET", "path": "/work-items/[0-9a-f-]+/$", "skip": 1})

    ticketed.poll(code=75)
    assert len(ticketed.head().to_sweep) == 2

    ticketed.sim.faults()
    ticketed.poll()
    assert ticketed.places() == {"WEB-2": "rejected", "WEB-3": "rejected"}
    assert ticketed.head().to_sweep == ()


# Corrupt tickets.


def test_a_corrupt_ticket_is_set_aside_said_in_every_poll_and_judged_once_it_is_repaired(ticketed):
    path = ticketed.spool.path("WEB-2", State.PENDING)
    good = path.read_bytes()
    path.write_bytes(good[:100])
    ticketed.jonas.edit("WEB-2", name="Other")

    ticketed.poll(code=65)
    assert ticketed.places() == {"WEB-2": "corrupt"}
    for _ in range(2):
        assert "WEB-2: set aside as corrupt: not JSON" in ticketed.poll().stderr

    ticketed.spool.path("WEB-2", State.CORRUPT).write_bytes(good)
    ticketed.site.spool("pco-queue repair").repair("WEB-2")
    ticketed.poll()

    assert ticketed.read("WEB-2").title == "Other"
    assert ticketed.head().waiting == {}


def test_a_corrupt_active_ticket_stays_for_pco_watch(ticketed):
    ticketed.place("WEB-2", State.ACTIVE)
    ticketed.spool.path("WEB-2", State.ACTIVE).write_bytes(b"{")
    ticketed.jonas.edit("WEB-2", name="Other")

    ticketed.poll(code=65)

    assert ticketed.places() == {"WEB-2": "active"}


def test_a_ticket_that_was_dropped_can_come_again(ticketed):
    ticketed.spool.path("WEB-2", State.PENDING).unlink()
    ticketed.jonas.comment("WEB-2", "<p>what became of it?</p>")

    ticketed.poll()

    assert ticketed.read("WEB-2").round.trigger.kind == "comment"


def test_a_backfill_that_is_cut_short_goes_on_by_itself(world):
    for number in range(1, 4):
        world.jonas.create(f"Item {number}", state="Todo")
    world.sim.faults({"kind": "error_before", "path": "/comments/", "skip": 1})
    world.poll("--backfill", code=75)
    assert len(world.places()) == 1

    world.sim.faults()
    world.poll()

    assert len(world.places()) == 3
    assert world.head().backfill is False


def test_a_project_that_is_not_there_is_said_with_what_to_do(two):
    web = two.sim.project("WEB")["id"]
    nowhere = "00000000-0000-4000-8000-000000000000"
    two.configure(projects=[{"id": nowhere, "repository": REPOSITORY}, {"id": web, "repository": REPOSITORY}])
    two.jonas.create("New", state="Todo")

    said = two.poll(code=78).stderr

    assert "no such project" in said
    assert two.places() == {"WEB-2": "pending"}
