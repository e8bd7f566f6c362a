"""The pictures of the board: what they show, in words and numbers, and that they cannot be broken into."""

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from pagewalk import walk
from pco.ground.ticket import Attempt, Blocked, Round, State, Trigger
from pco.pages import board, lanes
from pco.pages.charts import MOST_RAN
from pco.pages.clock import Clock
from pco.pages.snapshot import Card, Ran, Snapshot, Trends, ran
from pco.rules.health import Health
from pco.rules.report import Gate
from pco.rules.trend import Day
from support import T0, a_ticket

HOUR = timedelta(hours=1)
DAYS = tuple(Day(T0.date() - timedelta(days=13 - n), {"posted": n, "failed": n % 2}, n * 1.5) for n in range(14))
GATES = (Gate("approval", 9, 3000, 9000), Gate("launch"), Gate("acceptance", 3, 60, 120), Gate("posting", 3, 2, 9))


def drawn(*cards: Card, **more: Any) -> str:
    """The board with these pictures, read strictly."""
    shown = Snapshot(Clock(T0), "1", Health("ok"), {}, cards, trends=Trends(**more), daily=50.0)
    page = board.index(shown, lanes.lanes(shown))
    walk(page)
    return page.decode()


def labels(page: str) -> list[str]:
    """What the pictures say to who cannot see them."""
    return re.findall(r'<svg [^>]*aria-label="([^"]*)"', page)


def test_a_board_without_anything_to_draw_has_no_picture():
    assert "<svg" not in drawn() and "<aside" not in drawn()


def test_each_picture_has_a_title_a_sentence_and_its_numbers_as_a_table():
    waits = Card("WEB-1", State.PENDING, since=T0 - 30 * HOUR)

    page = drawn(waits, days=DAYS, gates=GATES, ran=(Ran("WEB-1", T0 - HOUR),))

    assert page.count("<figure") == page.count("<figcaption") == page.count("<svg") == page.count("numbers") == 5
    assert [label.partition(":")[0] for label in labels(page)] == [
        "Who ran when in the last 24 hours",
        "Age of what waits",
        "Tickets that ended, day by day",
        "Cost, day by day",
        "Time at each gate, half within, and 9 of 10 in brackets",
    ]


def test_what_ended_and_what_it_cost_is_told_day_by_day():
    said = labels(drawn(days=DAYS))

    assert said[0].endswith("91 posted, 0 rejected, 7 failed in 14 days.")
    assert said[1].endswith("$136.50 in 14 days, $19.50 at most on one; the limit of a day is $50.00.")


def test_the_gates_tell_half_and_nine_of_ten():
    (said,) = labels(drawn(gates=GATES))

    assert "to approve 50m (2h 30m), to accept 1m (2m), to post 2s (9s)" in said


def test_a_session_that_waited_for_a_person_is_drawn_so():
    blocked = (Blocked(T0 - 2 * HOUR, T0 - HOUR, "Bash"),)

    page = drawn(ran=(Ran("WEB-1", T0 - 3 * HOUR, T0 - HOUR, "completed", blocked), Ran("WEB-2", T0 - HOUR)))

    assert "2 sessions of 2 tickets, 1 running now, 1 had to wait for a person." in labels(page)[0]
    assert "<title>WEB-1: waited 1h for a person</title>" in page
    assert '<text x="0" y="15">WEB-1</text>' in page


def test_many_sessions_are_packed_and_their_number_is_bounded():
    few = drawn(ran=tuple(Ran(f"WEB-{n}", T0 - n * HOUR, T0 - (n - 1) * HOUR, "completed") for n in range(1, 21)))
    many = drawn(ran=tuple(Ran(f"WEB-{n}", T0 - HOUR) for n in range(5000)))

    assert "WEB-3</text>" not in few and len(set(re.findall(r'<rect [^>]*y="([0-9.]+)"', few))) == 1
    assert many.count("<rect") <= MOST_RAN and len(many) < 120_000


def test_the_sessions_of_a_ticket_are_those_of_the_last_day():
    attempts = (Attempt(1, T0 - 40 * HOUR, T0 - 30 * HOUR, "died"), Attempt(2, T0 - 29 * HOUR, T0 - 20 * HOUR, "died"))
    waits = (Blocked(T0 - 35 * HOUR, T0 - 34 * HOUR), Blocked(T0 - 22 * HOUR, None, "Bash"))
    current = Round(1, Trigger("new", T0), attempts=(*attempts, Attempt(3, T0 - HOUR)), blocked=waits)

    second, third = ran(a_ticket(rounds=(current,), state=State.ACTIVE), T0 - 24 * HOUR)

    assert (second.end, second.outcome) == (T0 - 20 * HOUR, "died")
    assert second.blocked == (Blocked(T0 - 22 * HOUR, T0 - 20 * HOUR),)
    assert third == Ran("WEB-1", T0 - HOUR)


@pytest.mark.parametrize("words", ["<script>alert(1)</script>", '"/><text>', "</svg>", "\x1b[31m\u202e", "]]>"])
def test_no_words_of_a_session_become_markup(words):
    cards = [Card("WEB-1", State.PENDING, since=T0)]
    plain, hostile = (
        walk(drawn(*cards, ran=(replace(Ran("WEB-1", T0 - HOUR, T0), outcome=said),)).encode())
        for said in ("harmless", words)
    )

    assert plain.skeleton == hostile.skeleton


def test_what_stands_still_for_ever_can_be_drawn():
    page = drawn(
        Card("WEB-1", State.FAILED, since=T0 - 9999 * HOUR),
        Card("WEB-2", State.PENDING, since=T0 + HOUR),
        days=(replace(DAYS[0], usd=1e9), *DAYS[1:]),
        gates=tuple(Gate(name, 1, 0.0, 1e12) for name in ("approval", "launch", "acceptance", "posting")),
        ran=(Ran("WEB-1", T0 - 9999 * HOUR), Ran("WEB-2", T0 + HOUR, T0 - HOUR)),
    )

    assert not re.search(r'="-|nan|inf|e\+', "".join(re.findall(r"<(?:rect|line|text) [^>]*>", page)))
