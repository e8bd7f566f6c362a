"""pco-queue add, edit, repair, drop."""

import json

import pytest

from pco.ground.record import to_bytes
from pco.ground.ticket import Approval, Attempt, Round, State, Trigger
from programs.queueing import PROJECT, Desk
from support import T0, WEB

API = {"id": "00000000-0000-4000-8000-000000000009", "repository": "/srv/git/api.git", "key": "API"}


@pytest.fixture
def desk(site):
    return Desk(site)


# add.


def test_add_test_makes_a_local_ticket_under_the_next_number(desk):
    assert desk.out("add", "--test") == ["LOCAL-1: new -> pending", "Next: pco-queue approve LOCAL-1"]
    desk.run("add", "--test", "--title", "Say hello", "--text", "-", "--priority", "high", input="Add HELLO.md.\n")
    ticket = desk.read("LOCAL-2")
    assert (ticket.local, ticket.project, ticket.title, ticket.priority) == (True, WEB, "Say hello", "high")
    assert ticket.description == "Add HELLO.md."
    assert ticket.round.trigger.kind == "local"
    desk.run("approve", "LOCAL-1", "LOCAL-2")
    assert desk.audited()[0] == ("moved", "LOCAL-1")


def test_what_only_a_test_ticket_has_is_refused_for_an_import(desk):
    assert "go with --test" in desk.run("add", "WEB-77", "--title", "Mine", code=2).stderr
    assert desk.site.spool().control.imports() == {}


def test_add_test_wants_to_know_which_project(desk):
    desk.site.configure(plane={"projects": [PROJECT, API]})
    assert "Which project" in desk.run("add", "--test", code=2).stderr
    desk.run("add", "--test", "--project", "API")
    assert desk.read("LOCAL-1").project == API["id"]
    desk.run("add", "--test", "--project", "NONE", code=2)
    desk.site.configure(plane={"projects": []})
    assert "plane.projects" in desk.run("add", "--test", code=78).stderr


def test_several_at_once_get_numbers_of_their_own(desk):
    children = [desk.site.start("pco-queue", "add", "--test", stdout=-1, stderr=-1) for _ in range(6)]
    said = [child.communicate(timeout=60) for child in children]
    assert [child.returncode for child in children] == [0] * 6, said
    assert sorted(desk.spool.keys(State.PENDING)) == [f"LOCAL-{n}" for n in range(1, 7)]


def test_add_asks_pco_poll_for_an_item(desk):
    desk.has("WEB-1")
    desk.has("WEB-2", State.POSTED)
    assert "pco-poll" in desk.out("add", "WEB-12")[0]
    assert list(desk.spool.control.imports()) == ["WEB-12"]
    assert "was asked for already" in desk.out("add", "WEB-12")[0]
    said = desk.run("add", "WEB-1", "WEB-2", "LOCAL-1", "../x", code=65).stderr
    assert "WEB-1: is here already: pending" in said and "pco-queue reopen WEB-2" in said
    assert "local key" in said and "is no key" in said
    desk.run("add", code=2)
    desk.run("add", "--test", "WEB-3", code=2)


# edit.


def local(desk, state=State.PENDING, **more):
    return desk.has("LOCAL-1", state, local=True, rounds=(Round(1, Trigger("local", T0)),), **more)


def test_edit_changes_a_local_ticket_in_an_editor(desk, tmp_path):
    local(desk)
    editor = tmp_path / "ed"
    editor.write_text('#!/bin/sh\ncat "$1" > "$0.saw"\nprintf "New title\\n\\nNew text.\\n" > "$1"\n')
    editor.chmod(0o755)
    desk.run("edit", "LOCAL-1", env={**desk.site.environment(), "VISUAL": str(editor)})
    assert (tmp_path / "ed.saw").read_text() == "Title of LOCAL-1\n\nDo it.\n"
    ticket = desk.read("LOCAL-1")
    assert (ticket.title, ticket.description, ticket.state) == ("New title", "New text.", State.PENDING)


def test_an_edited_ticket_must_be_approved_again(desk):
    local(desk, State.APPROVED, approval=Approval("ann", T0, "00"))
    assert desk.out("edit", "LOCAL-1", "--text", "Other.") == ["LOCAL-1: approved -> pending, edited"]
    assert desk.read("LOCAL-1").round.approval is None
    assert desk.out("edit", "LOCAL-1", "--text", "Other.") == ["LOCAL-1: nothing was changed"]


def test_only_a_local_ticket_that_does_not_run_can_be_edited(desk):
    desk.has("WEB-1")
    local(desk, State.ACTIVE, attempts=(Attempt(1, T0),))
    assert "belongs to Plane" in desk.run("edit", "WEB-1", "--title", "x", code=65).stderr
    assert "it is active" in desk.run("edit", "LOCAL-1", "--title", "x", code=65).stderr


# repair, drop.


def aside(desk, key="WEB-1", state=State.APPROVED):
    """A ticket that was damaged and set aside; returns its file and what was in it."""
    whole = to_bytes(desk.has(key, state))
    path = desk.spool.path(key, state)
    path.write_bytes(whole[:-20])
    desk.spool.set_aside(key, state, "torn")
    return desk.spool.path(key, State.CORRUPT), whole


def test_repair_puts_a_mended_ticket_back(desk):
    path, whole = aside(desk)
    said = desk.run("repair", "WEB-1", code=65).stderr
    assert "not JSON" in said and str(path) in said
    path.write_bytes(whole)
    assert desk.out("repair", "WEB-1") == ["WEB-1: corrupt -> approved"]
    assert desk.read("WEB-1").state is State.APPROVED
    assert "launch" in desk.flags()
    assert ("repaired", "WEB-1") in desk.audited()
    assert "needs no repair" in desk.run("repair", "WEB-1", code=65).stderr


def test_drop_removes_the_record_and_all_files(desk):
    aside(desk)
    desk.has("WEB-2", State.REJECTED)
    files = desk.site.home / "sessions" / "WEB-2" / "1.1" / "out"
    files.mkdir(parents=True)
    (files / "link").symlink_to("/etc")
    assert "--yes" in desk.run("drop", "WEB-1", "WEB-2", code=2).stderr
    assert len(desk.out("drop", "WEB-1", "WEB-2", "--yes", "--note", "old")) == 2
    assert desk.spool.find("WEB-1") is None and desk.spool.find("WEB-2") is None
    assert desk.spool.aside("WEB-1") is None
    assert not (desk.site.home / "sessions" / "WEB-2").exists()


def test_drop_follows_no_link_and_finishes_what_a_crash_left(desk, tmp_path):
    (tmp_path / "other").mkdir()
    (desk.site.home / "sessions" / "WEB-3").symlink_to(tmp_path / "other")
    assert desk.out("drop", "WEB-3", "--yes") == ["WEB-3: dropped"]
    assert (tmp_path / "other").is_dir()
    desk.run("drop", "WEB-3", "--yes", code=65)


def test_drop_takes_only_what_is_corrupt_or_rejected(desk):
    desk.has("WEB-1", State.COMPLETED)
    assert "it is completed" in desk.run("drop", "WEB-1", "--yes", code=65).stderr
    assert desk.read("WEB-1").state is State.COMPLETED


def test_drop_asks_and_stays_with_no(desk):
    desk.has("WEB-1", State.REJECTED)
    with desk.terminal("drop", "WEB-1") as screen:
        screen.until("[y/N]")
        screen.type("\n")
        assert "WEB-1: stays" in screen.end()
    assert json.loads(desk.run("list", "--state", "rejected", "--format", "json").stdout)[0]["key"] == "WEB-1"
