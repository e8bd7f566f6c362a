"""The kinds of messages and their texts in the journal's catalog."""

import re

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


def test_an_event_that_needs_no_explanation_has_no_id():
    assert messages.message_id("noted") == ""
    assert messages.message_id("moved", "", "nowhere") == ""


def test_the_catalog_explains_exactly_these_messages():
    assert sorted(re.findall(r"^-- ([0-9a-f]{32})$", CATALOG, re.M)) == sorted(messages.IDS)
    assert len(set(messages.IDS)) == len(messages.IDS)


def test_every_entry_of_the_catalog_has_a_subject_and_says_what_to_do():
    for entry in re.split(r"^-- .*\n", CATALOG, flags=re.M)[1:]:
        head, _, body = entry.partition("\n\n")
        assert re.search(r"^Subject: .{10,80}$", head, re.M), entry
        assert re.search(r"^Documentation: man:", head, re.M), entry
        assert len(body.strip()) > 40, entry
