"""When notices become a message, when it is tried again, and what it says."""

import json
from datetime import timedelta

import pytest

from pco.ground.notice import EVENTS, MOST_KEYS, MOST_SHOWN, Message, Notice
from pco.rules import delivery, wording
from pco.rules.delivery import DELAYS, TRIES
from support import T0

MINUTE = timedelta(minutes=1)
FIVE = 5 * MINUTE


def a_message(count: int = 1, event: str = "failed", **fields: str) -> Message:
    """A message of so many tickets, on the ways mail and page."""
    marked = [(f"x-{n} t", Notice(event, T0, f"WEB-{n}", fields)) for n in range(1, count + 1)]
    return delivery.message("id", marked, ["mail", "page"], T0)


def said(message: Message, details: bool = True, url: str = "https://b.example.org", **contacts: str) -> dict:
    """What a hook gets."""
    return wording.compose(message, "here", url, contacts, details=details)


@pytest.mark.parametrize(
    ("event", "last", "due"),
    [
        ("failed", None, True),
        ("failed", T0 - FIVE, True),
        ("failed", T0 - FIVE + MINUTE, False),
        ("failed", T0 + 99 * MINUTE, True),  # the clock was set back
        ("daily-digest", T0, True),
        ("test", T0, True),
    ],
)
def test_the_first_goes_out_at_once_and_what_follows_is_kept_for_a_while(event, last, due):
    assert delivery.due(event, {event: last} if last else {"other": T0}, FIVE, T0) is due


def test_without_a_throttle_nothing_is_kept():
    assert delivery.due("failed", {"failed": T0}, timedelta(), T0)


def test_a_message_carries_the_first_and_counts_all():
    message = a_message(1000)

    assert (message.count, len(message.notices), len(message.keys), len(message.of)) == (
        1000,
        MOST_SHOWN,
        MOST_KEYS,
        1000,
    )


def test_each_way_has_five_tries_over_an_hour_and_then_is_given_up():
    message, now, waits = a_message(), T0, []
    while "page" in delivery.awaited(message, ["page"], now):
        message = delivery.begun(message, ["page"], now)
        message = delivery.ended(message, "page", "no route")
        after = message.ways["page"].next
        waits.append(after - now if after else None)
        now = after or now

    assert waits == [*DELAYS, None]
    assert (message.ways["page"].state, message.ways["page"].tries) == ("given up", TRIES)
    assert message.open  # mail was not tried
    assert delivery.awaited(message, ["mail", "page"], now) == ["mail"]


def test_what_has_arrived_is_not_tried_again():
    message = delivery.ended(delivery.begun(a_message(), ["mail"], T0), "mail", "")

    assert delivery.awaited(message, ["mail", "page"], T0 + 99 * MINUTE) == ["page"]


def test_what_was_begun_and_has_no_end_is_tried_again_but_not_for_ever():
    message, now = a_message(), T0
    for _ in range(TRIES):
        message = delivery.begun(message, ["mail"], now)
        now = message.ways["mail"].next
    assert message.ways["mail"].state == "waiting"

    assert delivery.begun(message, ["mail"], now).ways["mail"].state == "given up"


def test_a_clock_that_was_set_back_keeps_nothing_waiting_for_longer():
    message = delivery.ended(delivery.begun(a_message(), ["mail"], T0 + 600 * MINUTE), "mail", "x")

    assert delivery.awaited(message, ["mail"], T0) == ["mail"]


def test_a_way_that_is_no_more_is_forgotten():
    message = delivery.without(a_message(), {"mail"})

    assert set(message.ways) == {"mail"}
    assert not delivery.without(message, set()).open


# Words.


@pytest.mark.parametrize("event", EVENTS)
def test_every_event_has_words_for_one_and_for_many(event):
    for count in (1, 12):
        found = said(a_message(count, event))
        assert found["headline"] and found["text"].startswith(found["headline"])
        assert "{" not in found["headline"] and "{" not in found["text"]
        json.dumps(found)


def test_many_are_named_and_counted():
    assert said(a_message(12))["headline"].startswith("12 tickets have failed (WEB-1, WEB-2, WEB-3")
    assert said(a_message(3))["headline"] == "3 tickets have failed (WEB-1, WEB-2, WEB-3)"
    text = said(a_message(999, title="x" * 150))["text"]
    assert "And 979 more: WEB-21, WEB-22" in text
    assert len(text) < 20_000


def test_the_same_ticket_twice_is_one_ticket():
    marked = [(f"{n}", Notice("blocked", T0, "WEB-1", {"what": "Bash"})) for n in (1, 2)]

    assert said(delivery.message("id", marked, [], T0))["headline"] == "WEB-1 waits for a person (2 times)"


def test_without_details_nothing_that_a_ticket_says_is_told():
    message = a_message(2, "completed", title="Secret", summary="Secret", why="Secret", what="Secret")

    assert "Secret" in json.dumps(said(message))
    assert "Secret" not in json.dumps(said(message, details=False))


def test_without_details_it_is_told_why_a_unit_failed():
    notice = Notice("unit-failed", T0, "WEB-1", {"unit": "pco-session@WEB-1.service", "why": "exit 1"})
    found = said(delivery.message("id", [("m", notice)], [], T0), details=False)

    assert found["headline"] == "pco-session@WEB-1.service has failed"
    assert "exit 1" in found["text"] and "systemctl status pco-session@WEB-1.service" in found["text"]


def test_a_message_ends_with_what_to_do_where_to_look_and_whom_to_call():
    text = said(a_message(), owner="Ann", **{"on call": "+49"})["text"]

    assert text.endswith(
        "Next: pco-queue show WEB-1\n\nhttps://b.example.org/ticket/WEB-1.html\n\n"
        f"-- pco on here, {T0:%Y-%m-%d %H:%M} UTC\nowner: Ann\non call: +49\n"
    )
    assert said(a_message(), url="")["url"] == ""
    assert said(a_message(2))["url"] == "https://b.example.org/"


def test_a_report_is_told_whole_up_to_its_own_limit():
    notice = Notice("daily-digest", T0, "", {"text": "\n".join(f"line {n}" for n in range(6000))})
    text = said(delivery.message("id", [("m", notice)], [], T0))["text"]

    assert "line 4000\n" in text and len(text) < wording.MOST_REPORT + 500
