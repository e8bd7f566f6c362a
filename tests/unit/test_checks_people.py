"""The boxes about people: that they are told, whom to call, where to say what is wrong."""

from datetime import timedelta

import pytest

from checking import NOW, Status, look, put, site
from pco.checks import people
from pco.ground import delivered
from pco.ground.delivered import Delivered

HOURS = timedelta(hours=1)
CONTACTS = {"owner": "Ann & Bob", "on_call": "+49 30 1", "tracker": "https://x.example.org", "infrastructure": "Cy"}


def mailed(tmp_path, known=None):
    """A pco that mails, of which that is known."""
    where = site(tmp_path, notify={"mail": {"to": ["a@example.org"]}})
    if known:
        delivered.write(tmp_path / "pco/metrics", known)
    return where


@pytest.mark.box("8.3", "well")
def test_a_message_that_arrived_lately_is_well(tmp_path):
    found = look(mailed(tmp_path, Delivered().arrived("mail", NOW - 2 * HOURS)), "8.3")

    assert (found.status, found.evidence) == (Status.OK, "mail: a message arrived 2h ago")


@pytest.mark.box("8.3", "ill")
def test_that_nobody_is_told_of_anything_is_ill(tmp_path):
    found = look(site(tmp_path), "8.3")

    assert (found.status, found.evidence) == (Status.FAIL, "nobody is told of anything")
    assert "pco-notify --test" in found.mend


@pytest.mark.parametrize(
    ("known", "status", "said"),
    [
        (None, Status.FAIL, "mail: nothing has arrived yet"),
        (Delivered().arrived("mail", NOW - timedelta(days=31)), Status.WARN, "mail: a message arrived 31d ago"),
        (
            Delivered().arrived("mail", NOW - 2 * HOURS).missed("mail", NOW - HOURS, "no route", lost=False),
            Status.FAIL,
            "mail: failed 1h ago: no route",
        ),
        (
            Delivered().missed("mail", NOW - 2 * HOURS, "no route", lost=True).arrived("mail", NOW - HOURS),
            Status.OK,
            "mail: a message arrived 1h ago",
        ),
    ],
)
def test_each_way_is_judged_by_what_became_of_its_last_message(tmp_path, known, status, said):
    found = look(mailed(tmp_path, known), "8.3")

    assert (found.status, found.evidence) == (status, said)


def test_one_way_that_fails_is_not_hidden_by_one_that_works(tmp_path):
    where = mailed(tmp_path, Delivered().arrived("mail", NOW).missed("all/page", NOW, "exit 1", lost=False))
    put(tmp_path, "/etc/pco/hooks.d/all/page", "#!/bin/sh\n", 0o755)

    found = look(where, "8.3")

    assert (found.status, found.evidence) == (Status.FAIL, "all/page: failed 0s ago: exit 1")


@pytest.mark.parametrize(
    ("unit", "on_failure", "alarmed"),
    [
        ("pco-poll.service", "pco-alert@pco-poll.service.service", True),
        ("pco-poll.service", "", False),
        ("pco-poll.timer", "other.service", False),
        ("pco-session@.service", "pco-collect-failed@PCO-0.service", True),
        ("pco-session@.service", "", False),
        ("pco-alert@.service", "", True),
        ("pco-attach@.socket", "", True),
        ("pco-attach@.service", "", False),
    ],
)
def test_a_unit_tells_when_its_failure_starts_the_alert(unit, on_failure, alarmed):
    assert people._alarmed(unit, {"OnFailure": on_failure}) is alarmed


@pytest.mark.box("19.3", "well")
def test_contacts_that_the_board_shows_are_well(tmp_path):
    where = site(tmp_path, contacts=CONTACTS)
    put(tmp_path, "/pco/www/index.html", "<p>Ann &amp; Bob +49 30 1 <a>https://x.example.org</a> Cy")

    found = look(where, "19.3")

    assert (found.status, "owner: Ann & Bob, on call: +49 30 1" in found.evidence) == (Status.OK, True)


@pytest.mark.parametrize(
    ("left", "status"), [("owner", Status.FAIL), ("on_call", Status.FAIL), ("tracker", Status.WARN)]
)
@pytest.mark.box("19.3", "ill")
def test_a_contact_that_is_missing_is_named(tmp_path, left, status):
    found = look(site(tmp_path, contacts={name: who for name, who in CONTACTS.items() if name != left}), "19.3")

    assert (found.status, found.evidence) == (status, f"contacts: {left.replace('_', ' ')} are not filled in")
    assert f"{tmp_path}/etc/pco/pco.yaml" in found.mend


def test_contacts_that_the_board_does_not_show_yet_are_a_warning(tmp_path):
    where = site(tmp_path, contacts=CONTACTS)
    assert "no board yet" in look(where, "19.3").evidence
    put(tmp_path, "/pco/www/index.html", "Ann &amp; Bob")

    assert "the board does not show on call, tracker, infrastructure" in look(where, "19.3").evidence


@pytest.mark.box("20.4", "well")
def test_a_place_for_feedback_that_the_board_shows_is_well(tmp_path):
    where = site(tmp_path, contacts={"feedback": "https://f.example.org"})
    put(tmp_path, "/pco/www/index.html", '<a href="https://f.example.org">https://f.example.org</a>')

    assert look(where, "20.4").status is Status.OK


@pytest.mark.box("20.4", "ill")
def test_without_a_place_for_feedback_it_says_so(tmp_path):
    found = look(site(tmp_path), "20.4")

    assert (found.status, found.evidence) == (Status.FAIL, "contacts.feedback is not filled in")
