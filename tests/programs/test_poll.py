"""pco-poll against a Plane that answers like the real one: from events to tickets."""

import contextlib
import json
import os

import pytest

import pco.sim
from pco.ground import yamlfile
from pco.ground.ticket import Approval, PlaneState, Post, State, StateChange
from pco.rules import prompt
from programs.polling import TWO_PROJECTS, World


@pytest.fixture
def world(site):
    with pco.sim.running(rate=0) as sim:
        yield World(site, sim)


@pytest.fixture
def polled(world):
    """A project that has been polled once, when it had one item: WEB-1 in Backlog."""
    world.jonas.create("Old", state="Backlog", description_html="<p>Old words</p>")
    world.poll()
    return world


@pytest.fixture
def ticketed(polled):
    """WEB-2 was created since and is pending."""
    polled.jonas.create("New", state="Todo", description_html="<p>Do it.</p>")
    polled.poll()
    return polled


def approve(world, key):
    """As a person would."""
    ticket = world.read(key)
    where = prompt.target(ticket, yamlfile.load(world.site.config))
    approval = Approval("ada", ticket.created_at, prompt.content_hash(ticket, where))
    return world.place(key, State.APPROVED, rounds=ticket.with_round(approval=approval).rounds)


# The first poll, and quiet ones.


def test_the_first_poll_makes_no_tickets_of_what_is_there(world):
    world.jonas.create("Old", state="Todo")
    world.jonas.create("Older", state="In Progress")

    world.poll()

    assert world.places() == {}
    assert world.head().polled_at is not None
    assert (world.head().key, world.head().total_count) == ("WEB", 2)


def test_a_quiet_poll_costs_one_request_for_each_project_and_says_nothing(site):
    with pco.sim.running(TWO_PROJECTS, rate=0) as sim:
        world = World(site, sim)
        world.jonas.create("Old", state="Todo")
        sim.person("jonas", "API").create("Old", state="Todo")
        world.poll()

        result = world.poll()

        assert [path.split("/", 2)[2] for path in world.requests()] == ["work-items/"] * 2
        assert (result.stdout, result.stderr) == ("", "")


def test_a_project_without_items_costs_one_request_too_and_its_first_item_becomes_a_ticket(world):
    world.poll()
    world.poll()
    assert len(world.requests()) == 1

    world.jonas.create("New", state="Todo")
    world.poll()

    assert world.places() == {"WEB-1": "pending"}


def test_what_was_there_becomes_a_ticket_when_something_happens_to_it(world):
    for name in ("Moved", "Commented", "Edited", "Closed"):
        world.jonas.create(name, state="Backlog")
    world.poll()

    world.jonas.move(1, "Todo")
    world.jonas.comment(2, "<p>please</p>")
    world.jonas.edit(3, name="Other")
    world.jonas.close(4)
    world.poll()

    assert world.places() == {"WEB-1": "pending", "WEB-2": "pending"}
    assert world.read("WEB-1").round.trigger.kind == "status"
    assert world.read("WEB-2").round.trigger.kind == "comment"


def test_a_new_item_becomes_a_ticket_with_all_that_plane_says(polled):
    polled.jonas.create(
        "Fix <it>",
        state="Todo",
        priority="high",
        labels=["bug"],
        assignees=["jonas"],
        description_html="<p>Do <b>it</b>.</p>",
    )
    polled.jonas.comment(2, "<p>soon</p>")

    said = polled.poll().stderr

    ticket = polled.read("WEB-2")
    assert (ticket.title, ticket.description, ticket.priority) == ("Fix <it>", "Do it.", "high")
    assert (ticket.labels, ticket.assignees, ticket.plane_state.name) == (("bug",), ("jonas",), "Todo")
    assert [(c.by, c.text) for c in ticket.round.comments] == [("jonas", "soon")]
    assert ticket.url == f"{polled.sim.url}/acme/browse/WEB-2/"
    assert "WEB-2: new -> pending" in said


def test_late_bumps_of_the_server_are_no_events(polled):
    polled.jonas.create("New", state="Todo")
    polled.poll(settle=False)
    rev = polled.read("WEB-2").rev

    polled.poll()
    polled.poll()

    assert polled.places() == {"WEB-2": "pending"}
    assert polled.read("WEB-2").rev == rev


def test_hostile_text_is_kept_as_text(polled):
    polled.jonas.create("\x1b[31mred\u202e", state="Todo", description_html="<p>a\x1b]0;x\x07b</p>")

    polled.poll()

    ticket = polled.read("WEB-2")
    assert (ticket.title, ticket.description) == ("[31mred", "a]0;xb")


# Tickets and their items: the cells of the table that need the real flow.


def test_a_pending_ticket_follows_its_item(ticketed):
    ticketed.jonas.edit("WEB-2", name="Other", priority="urgent")
    ticketed.jonas.comment("WEB-2", "<p>and this</p>")
    ticketed.poll()

    ticket = ticketed.read("WEB-2")
    assert (ticket.title, ticket.priority, ticket.state) == ("Other", "urgent", State.PENDING)
    assert [c.text for c in ticket.round.comments] == ["and this"]

    ticketed.jonas.cancel("WEB-2")
    ticketed.poll()

    assert ticketed.places() == {"WEB-2": "rejected"}


def test_an_approved_ticket_goes_back_to_pending_when_its_item_is_edited(ticketed):
    approve(ticketed, "WEB-2")
    ticketed.poll()
    assert ticketed.places() == {"WEB-2": "approved"}

    ticketed.jonas.edit("WEB-2", description_html="<p>Do that.</p>")
    ticketed.poll()

    ticket = ticketed.read("WEB-2")
    assert (ticket.state, ticket.round.approval, ticket.description) == (State.PENDING, None, "Do that.")
    assert ticket.history[-1].why == "its text was edited"


def test_an_approved_ticket_goes_back_to_pending_when_its_repository_changes(ticketed):
    approve(ticketed, "WEB-2")
    id = ticketed.sim.project("WEB")["id"]
    ticketed.configure(projects=[{"id": id, "repository": "/srv/git/other.git"}])

    ticketed.poll()

    ticket = ticketed.read("WEB-2")
    assert (ticket.state, ticket.round.approval) == (State.PENDING, None)


def test_a_poll_wakes_pco_launch_when_something_is_approved(ticketed):
    approve(ticketed, "WEB-2")

    ticketed.poll()

    assert ticketed.spool.control.awake("launch")
    assert ticketed.spool.control.awake("dashboard")


def test_closing_the_item_asks_the_session_to_stop_and_wakes_pco_watch(ticketed):
    ticketed.place("WEB-2", State.ACTIVE)
    fifo = os.open(ticketed.site.home / "run" / "trigger", os.O_RDWR | os.O_NONBLOCK)
    try:
        ticketed.jonas.close("WEB-2")
        ticketed.poll()

        assert ticketed.read("WEB-2").stop.to == "rejected"
        assert ticketed.places() == {"WEB-2": "active"}
        assert os.read(fifo, 10) == b"e"
    finally:
        os.close(fifo)


def test_a_comment_noted_while_active_brings_the_ticket_back_once_it_is_posted(ticketed):
    ticketed.place("WEB-2", State.ACTIVE)
    ticketed.jonas.comment("WEB-2", "<p>one more thing</p>")
    ticketed.poll()
    assert [n.kind for n in ticketed.read("WEB-2").noted] == ["comment"]
    ticketed.poll()
    assert ticketed.places() == {"WEB-2": "active"}

    ticketed.place("WEB-2", State.POSTED)
    ticketed.poll()

    ticket = ticketed.read("WEB-2")
    assert (ticket.state, ticket.round.n, ticket.round.trigger.kind) == (State.PENDING, 2, "comment")
    assert [c.text for c in ticket.round.comments] == ["one more thing"]
    assert [n.given for n in ticket.noted] == [2]
    assert ticketed.head().noted == ()


def test_what_pco_posted_is_no_event(ticketed):
    item = ticketed.jonas.item("WEB-2")
    doing = ticketed.sim.state("WEB", "In Progress")
    ticket = ticketed.read("WEB-2")
    to = StateChange(PlaneState(doing, "In Progress", "started"))
    post = Post("<p>done</p>", "WEB-2:1:x", state=to)
    ticketed.place("WEB-2", State.OUTBOX, rounds=ticket.with_round(post=post).rounds)
    bot = ticketed.sim.person("bot")
    bot.comment(item, "<p>done</p>", external_id="WEB-2:1:x", external_source="pco")
    bot.comment(item, "<p>by the same user, without the mark</p>")
    bot.move(item, "In Progress")

    ticketed.poll()
    assert (ticketed.read("WEB-2").noted, ticketed.places()) == ((), {"WEB-2": "outbox"})
    assert ticketed.read("WEB-2").plane_state.name == "In Progress"

    ticketed.place("WEB-2", State.POSTED)
    bot.edit(item, state="In Progress")
    ticketed.poll()
    assert ticketed.places() == {"WEB-2": "posted"}


def test_comments_under_another_name_with_the_mark_of_pco_are_no_events(ticketed):
    ticketed.place("WEB-2", State.POSTED)
    ticketed.jonas.comment("WEB-2", "<p>done</p>", external_id="WEB-2:1:x", external_source="pco")

    ticketed.poll()

    assert ticketed.places() == {"WEB-2": "posted"}


def test_a_person_who_moves_a_posted_ticket_into_a_trigger_state_gets_a_new_round(ticketed):
    ticketed.place("WEB-2", State.POSTED)
    ticketed.jonas.move("WEB-2", "In Progress")

    ticketed.poll()

    ticket = ticketed.read("WEB-2")
    assert (ticket.state, ticket.round.n, ticket.round.trigger.what) == (State.PENDING, 2, "moved to In Progress")


# Filters and keys.


def test_a_project_can_have_filters_of_its_own(polled):
    id = polled.sim.project("WEB")["id"]
    project = {"id": id, "repository": "/srv/git/web.git", "filters": {"labels": ["agent"]}}
    polled.configure(projects=[project])
    polled.jonas.create("Without", state="Todo")
    polled.jonas.create("With", state="Todo", labels=["agent"])
    polled.poll()
    assert polled.places() == {"WEB-3": "pending"}

    polled.jonas.label("WEB-2", "agent")
    polled.jonas.label("WEB-3")
    polled.poll()

    assert polled.places() == {"WEB-2": "pending", "WEB-3": "rejected"}


def test_a_key_stays_though_somebody_changes_the_number_in_plane(ticketed):
    ticketed.jonas.edit("WEB-2", sequence_id=77, name="Renumbered")

    ticketed.poll()

    assert ticketed.places() == {"WEB-2": "pending"}
    assert ticketed.read("WEB-2").title == "Renumbered"


def test_a_second_item_with_the_same_key_is_said_in_every_poll_and_taken_once_the_key_is_free(ticketed):
    second = ticketed.jonas.create("Second", state="Todo")
    ticketed.jonas.edit(second, sequence_id=2)

    for _ in range(2):
        assert "a second item has this key" in ticketed.poll().stderr
        assert ticketed.read("WEB-2").title == "New"

    ticketed.jonas.edit(second, sequence_id=3)
    ticketed.poll()
    assert ticketed.places() == {"WEB-2": "pending", "WEB-3": "pending"}


def test_two_new_items_with_the_same_number_make_one_ticket_and_a_warning(polled):
    one = polled.jonas.create("One", state="Todo")
    other = polled.jonas.create("Other", state="Todo")
    polled.jonas.edit(other, sequence_id=one["sequence_id"])

    said = polled.poll().stderr

    assert polled.places() == {"WEB-2": "pending"}
    assert "a second item has this key" in said


def test_a_project_whose_identifier_is_no_safe_name_needs_a_key(site):
    seed = {"projects": [{"identifier": "É_ 1/", "name": "Odd"}, {"identifier": "WEB", "name": "Web"}]}
    with pco.sim.running(seed, rate=0) as sim:
        world = World(site, sim)
        sim.person("jonas", "WEB").create("Old")

        said = world.poll(code=78).stderr

        assert "give the project a `key:`" in said
        assert world.head("WEB").polled_at is not None

        odd, web = sim.project("É_ 1/")["id"], sim.project("WEB")["id"]
        world.configure(
            projects=[
                {"id": odd, "repository": "/srv/git/odd.git", "key": "ODD"},
                {"id": web, "repository": "/srv/git/web.git"},
            ]
        )
        world.poll()
        sim.person("jonas", "É_ 1/").create("New", state="Todo")
        world.poll()
        assert world.places() == {"ODD-1": "pending"}
        assert world.read("ODD-1").url == f"{sim.url}/acme/browse/%C3%89_%201%2F-1/"


def test_a_project_that_is_called_like_the_local_tickets_needs_a_key(site):
    with pco.sim.running({"projects": [{"identifier": "LOCAL"}]}, rate=0) as sim:
        world = World(site, sim)

        assert "give the project a `key:`" in world.poll(code=78).stderr


def test_two_projects_cannot_share_a_key(site):
    with pco.sim.running(TWO_PROJECTS, rate=0) as sim:
        world = World(site, sim)
        web, api = sim.project("WEB")["id"], sim.project("API")["id"]
        world.configure(
            projects=[
                {"id": web, "repository": "/srv/git/web.git"},
                {"id": api, "repository": "/srv/git/api.git", "key": "WEB"},
            ]
        )

        assert "has the key WEB, too" in world.poll(code=78).stderr


# Backfill and imports.


def test_a_backfill_makes_tickets_of_what_is_in_a_trigger_state(world):
    for number, state in enumerate(["Backlog", "Todo", "In Progress", "Done", "Cancelled"], 1):
        world.jonas.create(f"Item {number}", state=state)
    world.jonas.comment(2, "<p>said before</p>")

    world.poll("--backfill")

    assert world.places() == {"WEB-2": "pending", "WEB-3": "pending"}
    assert [c.text for c in world.read("WEB-2").round.comments] == ["said before"]
    assert world.head().backfill is False
    world.poll()
    assert world.requests()[0].endswith("work-items/")
    assert len(world.requests()) == 1


def test_a_backfill_of_a_project_that_is_polled_already_takes_in_the_rest(ticketed):
    ticketed.jonas.move(1, "Done")
    ticketed.jonas.create("Third", state="Todo")
    ticketed.poll()
    ticketed.spool.path("WEB-3", State.PENDING).unlink()
    ticketed.site.configure(triggers={"into_states": []})
    ticketed.jonas.move(1, "Todo")
    ticketed.site.configure(triggers={"status_changes": False})
    ticketed.poll()
    assert ticketed.places() == {"WEB-2": "pending"}

    ticketed.poll("--backfill")

    assert ticketed.places() == {"WEB-1": "pending", "WEB-2": "pending"}


def test_a_request_makes_a_ticket_regardless_of_triggers_and_filters(polled):
    polled.site.configure(triggers={"into_states": ["Nowhere"]}, filters={"labels": ["nothing"]})
    polled.spool.control.ask_import("WEB-1", "ada", polled.head().polled_at)

    polled.poll()

    ticket = polled.read("WEB-1")
    assert (ticket.state, ticket.round.trigger.kind, ticket.history[0].by) == (State.PENDING, "import", "ada")
    assert polled.spool.control.imports() == {}


@pytest.mark.parametrize(
    ("key", "said"),
    [("WEB-99", "Plane has no such item"), ("NIX-1", "no project with the key NIX"), ("WEB-2", "rejected already")],
)
def test_a_request_that_cannot_be_met_is_answered_and_removed(ticketed, key, said):
    ticketed.spool.control.ask_import(key, "ada", ticketed.head().polled_at)
    ticketed.spool.move(ticketed.read("WEB-2"), State.REJECTED)

    assert said in ticketed.poll(code=65).stderr

    assert ticketed.spool.control.imports() == {}


def test_a_request_for_what_a_trigger_brought_is_granted_and_no_failure(ticketed):
    ticketed.spool.control.ask_import("WEB-2", "ada", ticketed.head().polled_at)

    assert "WEB-2: it is pending already; asked for by ada" in ticketed.poll("-v").stderr

    assert ticketed.spool.control.imports() == {}
    assert ticketed.places() == {"WEB-2": "pending"}


def test_a_request_stays_while_plane_does_not_answer(polled):
    polled.spool.control.ask_import("WEB-1", "ada", polled.head().polled_at)
    polled.sim.faults({"kind": "error_before", "path": "/work-items/WEB-1"})

    polled.poll(code=75)
    assert polled.spool.control.imports() == {"WEB-1": "ada"}

    polled.sim.faults()
    polled.poll()
    assert polled.places() == {"WEB-1": "pending"}


def test_a_dry_run_says_what_it_would_do_and_writes_nothing(ticketed):
    def files():
        root = ticketed.site.home
        return {p: p.read_bytes() for p in root.rglob("*") if p.is_file() and "rate.json" not in p.name}

    ticketed.jonas.create("Third", state="Todo")
    ticketed.jonas.close("WEB-2")
    ticketed.spool.control.ask_import("WEB-1", "ada", ticketed.head().polled_at)
    before = files()

    said = ticketed.poll("--dry-run").stdout

    assert files() == before
    assert "WEB-3: would become a ticket (created in Todo): Third" in said
    assert "WEB-2: would go to rejected" in said
    assert "WEB-1: would become a ticket (asked for by ada)" in said
    ticketed.poll()
    assert ticketed.places() == {"WEB-1": "pending", "WEB-2": "rejected", "WEB-3": "pending"}


def test_only_the_named_project_is_polled(site):
    with pco.sim.running(TWO_PROJECTS, rate=0) as sim:
        world = World(site, sim)
        sim.person("jonas", "API").create("Old")
        world.poll()

        world.poll("--project", "API")

        assert all(sim.project("API")["id"] in path for path in world.requests())
        assert world.poll("--project", "NIX", code=2).stderr.count("NIX is not known") == 1


def test_without_systemd_the_dashboard_is_drawn(polled):
    polled.poll(dashboard=True)

    assert (polled.site.home / "www" / "index.html").exists()


def test_what_happened_is_in_the_audit_record(ticketed):
    lines = [json.loads(t) for f in (ticketed.site.home / "audit").glob("*.jsonl") for t in f.read_text().splitlines()]

    assert [(r["event"], r["key"], r["fields"]["to"], r["by"]) for r in lines] == [
        ("moved", "WEB-2", "pending", "pco-poll")
    ]


def test_a_person_who_watches_a_long_import_sees_how_far_it_is(world):
    world.jonas.create("Old", state="Todo")
    ours, theirs = os.openpty()

    poll = world.site.start("pco-poll", "--backfill", stderr=theirs)
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # EIO: the other side was closed
        while part := os.read(ours, 4096):
            shown += part
    os.close(ours)

    assert poll.wait(60) == 0
    assert b"WEB  [####" in shown
    assert b"100%" in shown
