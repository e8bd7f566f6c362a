"""The kinds of messages and their texts in the journal's catalog."""

import ast
import re

import pytest

from pco.ground import messages
from pco.ground.ticket import State
from support import TOP

CATALOG = (TOP / "systemd" / "pco.catalog").read_text()


def test_each_state_a_ticket_can_move_to_has_a_message_of_its_own():
    found = [messages.message_id("moved", "pending", state) for state in State if state is not State.CORRUPT]

    assert all(found)
    assert len(set(found)) == len(found)


def test_a_session_that_died_is_another_message_than_an_approval():
    assert messages.message_id("moved", "active", "approved") != messages.message_id("moved", "pending", "approved")


def test_each_way_into_a_state_that_means_something_else_is_a_message_of_its_own():
    ways = [("pending", "approved"), ("active", "approved"), ("approved", "pending"), ("", "pending")]
    ways += [("active", "completed"), ("outbox", "completed")]

    assert len({messages.message_id("moved", *way) for way in ways}) == len(ways)


def test_what_is_not_known_has_no_id():
    assert messages.message_id("sung") == ""
    assert messages.message_id("moved", "", "nowhere") == ""


def test_everything_that_is_announced_has_an_id():
    called = {"announce": 0, "Told": 0, "Verdict": 2}  # which argument is the event
    events = set()
    for path in (TOP / "lib" / "pco").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or path.name == "supervision.py":
                continue
            place = called.get(getattr(node.func, "attr", getattr(node.func, "id", "")), len(node.args))
            events |= {n.value for arg in node.args[place:][:1] for n in ast.walk(arg) if isinstance(n, ast.Constant)}

    assert {"paused", "set aside", "dropped", "held", "note", "noted", "refreshed", "stop"} <= events
    assert [event for event in events - {"moved", ""} if not messages.message_id(event)] == []


@pytest.mark.parametrize(
    ("subject", "keys", "projects"),
    [
        ("WEB-12", ["WEB-12"], ["WEB"]),
        ("WEB-12 WEB-13 APP-1", ["WEB-12", "WEB-13", "APP-1"], ["APP", "WEB"]),
        ("WEB", [], ["WEB"]),
        ("project 6fb4192b-77e8-4d8e-85fe-ed3a8609522a", [], []),
        ("", [], []),
        ("WEB-12\nPCO_USER=root", ["WEB-12"], ["WEB"]),
        ("../WEB-12 xWEB-12", [], []),
    ],
)
def test_a_message_is_found_by_every_key_and_project_that_it_is_about(subject, keys, projects):
    assert messages.about(subject) == {"PCO_KEY": keys, "PCO_PROJECT": projects}


def test_an_error_is_explained_by_what_it_is_about_and_how_it_would_end_the_program():
    assert messages.failure(75, "WEB-12") == "refused"
    assert [messages.failure(code, "WEB") for code in (65, 71, 75, 77, 78)] == [
        "trouble",
        "trouble",
        "later",
        "not permitted",
        "misconfigured",
    ]


def test_what_a_person_has_to_see_to_weighs_more_than_the_rest():
    assert messages.priority("moved", "failed") < messages.priority("moved", "completed")
    assert messages.priority("blocked") < messages.priority("unblocked") == messages.priority("moved", "active")


def test_the_catalog_explains_exactly_these_messages():
    assert sorted(re.findall(r"^-- ([0-9a-f]{32})$", CATALOG, re.M)) == sorted(messages.IDS)
    assert len(set(messages.IDS)) == len(messages.IDS)


def test_every_entry_of_the_catalog_has_a_subject_and_says_what_to_do():
    for entry in re.split(r"^-- .*\n", CATALOG, flags=re.M)[1:]:
        head, _, body = entry.partition("\n\n")
        assert re.search(r"^Subject: .{10,80}$", head, re.M), entry
        assert re.search(r"^Documentation: man:", head, re.M), entry
        assert len(body.strip()) > 40, entry
