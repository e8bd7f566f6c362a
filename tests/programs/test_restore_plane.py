"""The machine is lost between a backup and what came after it: Plane sees nothing twice, and nothing is missed."""

from collections.abc import Iterator

import pytest

from pco import sim
from pco.ground.ticket import State
from pco.rules import comment
from programs.backing import lose
from programs.polling import TWO_PROJECTS, World
from programs.posting import Desk, desk
from support import Site


@pytest.fixture
def plane(site: Site) -> Iterator[Desk]:
    """A Plane with some items, and pco beside it."""
    with desk(site) as made:
        yield made


def restored(site: Site) -> None:
    """The machine is lost, and comes back from its newest backup."""
    lose(site)
    site.run("pco-restore")


@pytest.mark.parametrize("when", ["before the post", "after the post"])
def test_what_was_in_the_outbox_when_it_was_backed_up_is_posted_once(plane, when):
    plane.ticket()
    plane.site.run("pco-backup")
    if when == "after the post":
        plane.post()
    restored(plane.site)

    said = plane.post()

    assert plane.asked("POST", "/comments/") == 1
    assert plane.posted().comment_id == plane.only_comment()
    assert plane.in_plane() == "In Progress"
    assert ("its comment is in Plane" in said.stderr) == (when == "after the post")


def test_a_summary_that_a_person_accepts_once_more_is_not_posted_once_more(plane):
    accepted = plane.ticket(state=State.COMPLETED)
    plane.site.run("pco-backup")
    plane.site.run("pco-queue", "post", "--yes", "WEB-1")
    plane.post()
    restored(plane.site)
    assert plane.read().state is State.COMPLETED

    plane.site.run("pco-queue", "post", "--yes", "WEB-1")
    plane.post()

    assert plane.asked("POST", "/comments/") == 1
    assert plane.posted().external_id == comment.external_id(accepted)
    assert plane.posted().comment_id == plane.only_comment()


def test_other_words_than_the_lost_machine_posted_are_told_of_and_not_posted(plane):
    plane.ticket(state=State.COMPLETED)
    plane.site.run("pco-backup")
    plane.site.run("pco-queue", "post", "--yes", "WEB-1")
    plane.post()
    restored(plane.site)

    plane.site.run("pco-queue", "post", "--yes", "--summary", "Other words.", "WEB-1")
    said = plane.post().stderr

    assert "Plane has another comment of this round" in said and "pco-queue reopen WEB-1" in said
    assert len(plane.comments()) == 1 and plane.read().state is State.POSTED


def test_a_round_that_begins_after_the_restore_is_not_taken_for_one_of_the_lost_machine(plane):
    """Both are the second: that of the lost machine was posted after the backup."""
    plane.ticket(state=State.POSTED)
    plane.site.run("pco-backup")
    for text in ("Of the lost machine.", "Of the new machine."):
        plane.site.run("pco-queue", "reopen", "--yes", "WEB-1")
        put_into(plane, State.COMPLETED)
        plane.site.run("pco-queue", "post", "--yes", "--summary", text, "WEB-1")
        plane.post()
        if text == "Of the lost machine.":
            restored(plane.site)

    assert plane.read().round.n == 2
    said = sorted(row["comment_html"].partition("</p>")[0] for row in plane.comments())
    assert said == ["<p>Of the lost machine.", "<p>Of the new machine."]


def put_into(plane: Desk, state: State) -> None:
    """Let a pending ticket be in another state, as if an agent had worked on it."""
    from support import put

    ticket = plane.read()
    plane.site.spool().path(ticket.key, ticket.state).unlink()
    put(plane.site.spool(), ticket, state)


# Polls.


@pytest.fixture
def world(site):
    with sim.running(TWO_PROJECTS) as plane:
        yield World(site, plane)


def test_what_happened_in_plane_since_the_backup_is_met_once_more_and_makes_no_second_ticket(world):
    world.poll()
    first = world.jonas.create("Known before", state="Todo")
    world.poll()
    world.site.run("pco-backup")
    world.jonas.create("Made after the backup", state="Todo")
    world.jonas.comment(first, "Written after the backup")
    world.poll()
    before = world.places()
    assert before == {"WEB-1": "pending", "WEB-2": "pending"}
    restored(world.site)
    assert world.places() == {"WEB-1": "pending"}

    world.poll()

    assert world.places() == before
    (remark,) = world.read("WEB-1").round.comments
    assert remark.text == "Written after the backup"
    world.poll()
    assert world.places() == before and world.read("WEB-1").round.n == 1


def test_a_backup_taken_while_polls_go_on_loses_no_event(world):
    """Whatever a poll does between the copy of what it knows and that of the tickets, the next one makes up for."""
    world.poll()
    for n in range(8):
        world.jonas.create(f"Item {n}", state="Todo")
        run = world.site.start("pco-backup")
        world.poll()
        assert run.wait() == 0
    before = world.places()
    assert len(before) == 8
    restored(world.site)

    world.poll()

    assert world.places() == before


def test_that_the_lost_machine_moved_the_item_does_not_bring_the_ticket_back(plane):
    """A poll meets the move before the comment is accepted again: it was pco's own, though no record says so."""
    plane.site.configure(triggers={"into_states": ["In Progress"]})
    poll(plane)
    plane.ticket(state=State.COMPLETED)
    poll(plane)
    plane.site.run("pco-backup")
    plane.site.run("pco-queue", "post", "--yes", "WEB-1")
    plane.post()
    restored(plane.site)
    poll(plane)

    plane.site.run("pco-queue", "post", "--yes", "WEB-1")
    plane.post()
    poll(plane)
    poll(plane)

    assert (plane.read().state, plane.read().round.n) == (State.POSTED, 1)


def poll(plane: Desk) -> None:
    plane.plane.settle()
    plane.site.run("pco-poll", env={**plane.site.environment(), "INVOCATION_ID": "0"})
