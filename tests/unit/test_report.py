"""What a report says of records, and how it looks."""

import re
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagewalk import walk
from pco.ground import text
from pco.ground.audit import Record
from pco.pages import amounts, digest
from pco.pages import report as pages
from pco.pages.clock import Clock
from pco.rules.period import Period
from pco.rules.report import Now, Reader, Refusal, Report, Sums, Top, gate, quantile
from support import T0

DAY = timedelta(days=1)
WEEK = Period(T0 - 7 * DAY, T0)
CLOCK = Clock(T0)
HOSTILE = ["<script>alert(1)</script>", "\x1b[31mred", "a\nb", "\u202eabc", "x" * 5000, "\ud800", "שלום", "& < > \" '"]


def read(page: bytes) -> None:
    """Walk a page strictly; of its own it has one style, in which nothing can stand but that."""
    assert page.count(b"<style") == page.count(b"</style") == 1
    walk(re.sub(rb"<style>[^<]*</style>", b"", page))


def of(*records: Record, **spent: float) -> Report:
    """The report on these records of a week."""
    sums = Sums(WEEK)
    for record in records:
        sums.take(record)
    for key, usd in spent.items():
        sums.spent(date(2026, 11, 20), key.replace("_", "-"), usd)
    return sums.report(T0, Now(), 3)


def moved(key: str, came: str, to: str, by: str = "anna", at: Any = T0 - DAY, **fields: Any) -> Record:
    return Record(at, "moved", by, key, {"from": came, "to": to, **fields})


def ended(key: str, to: str, outcome: str, **measured: Any) -> Record:
    return moved(key, "active", to, "pco-watch", outcome=outcome, measured=measured)


def test_what_came_and_what_ended_is_counted_by_project():
    report = of(
        moved("WEB-1", "", "pending", "pco-poll"),
        moved("WEB-1", "outbox", "posted", "pco-post"),
        moved("API-1", "outbox", "posted", "pco-post"),
        moved("API-2", "outbox", "failed", "pco-post"),
    )

    assert (report.created, report.refused) == (1, 1)
    assert report.ended == {"posted": {"API": 1, "WEB": 1}, "failed": {"API": 1}}


def test_what_was_before_or_after_the_period_is_not_in_it():
    report = of(
        moved("WEB-1", "", "pending", at=WEEK.since - timedelta(seconds=1)),
        moved("WEB-2", "", "pending", at=WEEK.since),
        moved("WEB-3", "", "pending", at=WEEK.until),
    )

    assert report.created == 1


def test_of_all_waits_the_least_is_told_that_half_and_nine_tenths_did_not_exceed():
    waits = [moved(f"WEB-{n}", "pending", "approved", measured={"stayed": float(n)}) for n in range(1, 11)]

    (approval, *others) = of(*waits).gates

    assert (approval.name, approval.count, approval.median, approval.p90) == ("approval", 10, 5.0, 9.0)
    assert {gate.count for gate in others} == {0}


@given(st.lists(st.floats(0, 1e9), min_size=1, max_size=50), st.sampled_from([0.5, 0.9]))
def test_a_quantile_is_a_value_that_at_least_such_a_share_does_not_exceed(values, share):
    found = quantile(sorted(values), share)

    assert sum(value <= found for value in values) >= share * len(values) - 1e-9
    assert sum(value < found for value in values) < share * len(values)
    assert gate("x", values).median == quantile(sorted(values), 0.5)


def test_success_is_the_share_of_sessions_that_were_not_ended_by_people_or_the_machine():
    report = of(
        ended("WEB-1", "completed", "completed"),
        ended("WEB-2", "failed", "stalled"),
        ended("WEB-3", "rejected", "stopped"),
        ended("WEB-4", "approved", "reboot"),
    )

    assert (report.success, report.sessions) == (0.5, 4)
    assert of().success is None


def test_who_decided_is_told_and_programs_are_nobody():
    report = of(
        moved("WEB-1", "pending", "approved", "anna"),
        moved("WEB-2", "pending", "approved", "anna"),
        moved("WEB-1", "completed", "outbox", "bob"),
        moved("WEB-2", "completed", "approved", "bob"),
        moved("WEB-3", "failed", "approved", "bob"),
        moved("WEB-4", "pending", "rejected", "bob"),
        moved("WEB-5", "pending", "rejected", "pco-poll"),
        moved("WEB-6", "active", "approved", "pco-watch", outcome="died"),
    )

    bob, anna = report.people
    assert (anna.name, anna.approved, anna.all) == ("anna", 2, 2)
    assert (bob.accepted, bob.sent_back, bob.tried_again, bob.rejected) == (1, 1, 1, 1)
    assert len(report.people) == 2


def test_money_is_told_by_project_ticket_and_day_and_the_dearest_first():
    report = of(ended("WEB-1", "completed", "completed", tokens={"input": 7, "output": 2}), WEB_1=2.5, WEB_2=1, API_1=4)

    assert report.usd == 7.5
    assert [(p.name, p.usd, p.tickets) for p in report.projects] == [("API", 4.0, 1), ("WEB", 3.5, 2)]
    assert [top.key for top in report.dearest] == ["API-1", "WEB-1", "WEB-2"]
    assert report.days["2026-11-20"] == 7.5
    assert len(report.days) == 8
    assert report.projects[1].tokens == {"input": 7, "output": 2}


def test_time_in_which_a_session_waited_for_a_person_is_no_work():
    report = of(
        ended("WEB-1", "completed", "completed", ran=1000.0, waited=900.0),
        ended("WEB-2", "failed", "failed", ran=300.0, waited=0.0),
        ended("WEB-2", "completed", "completed", ran=300.0, waited=0.0),
    )

    assert [(top.key, top.seconds) for top in report.slowest] == [("WEB-2", 600.0), ("WEB-1", 100.0)]
    assert report.waited == 900.0


def test_a_summary_counts_in_the_hour_of_the_zone():
    at = T0.replace(hour=13)  # a Sunday
    record = moved("WEB-1", "active", "completed", at=at - DAY, outcome="completed")

    hours = of(record).hours

    assert (hours[5][13], sum(map(sum, hours))) == (1, 1)


def test_only_as_many_tickets_are_named_as_was_asked_for():
    report = of(**{f"WEB_{n}": n for n in range(1, 10)})

    assert [top.key for top in report.dearest] == ["WEB-9", "WEB-8", "WEB-7"]


def test_what_is_put_together_of_tickets_whose_keys_are_gone_is_no_ticket():
    report = of(gone=50.0, WEB_1=1.0)

    assert [top.key for top in report.dearest] == ["WEB-1"]
    assert report.usd == 51.0


JSON = st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), st.lists, max_leaves=4)
STATES = st.sampled_from(["pending", "approved", "active", "completed", "outbox", "posted", "failed", "rejected", ""])
RECORD = st.builds(
    Record,
    st.datetimes().map(lambda at: T0 - DAY),
    st.sampled_from(["moved", "blocked"]) | st.text(),
    st.text() | st.sampled_from(HOSTILE),
    st.text() | st.just("WEB-1") | st.sampled_from(HOSTILE),
    st.fixed_dictionaries(
        {"from": STATES | JSON, "to": STATES | JSON},
        optional={
            "outcome": JSON,
            "measured": JSON | st.dictionaries(st.sampled_from(["ran", "tokens", "stayed"]), JSON),
        },
    ),
)


@given(st.lists(RECORD, max_size=5))
def test_whatever_stands_in_the_record_there_is_a_report_that_can_be_shown(records):
    report = of(*records)

    for _, line in digest.lines(report, CLOCK):
        assert line == text.lines(line) and "\n" not in line
    read(pages.page(report, CLOCK, "1", ""))


def full(word: str) -> Report:
    """A report in which strangers wrote this wherever they can."""
    top = Top("WEB-1", 60.0, 1.0, word, "posted")
    return Report(
        T0 - DAY,
        T0,
        T0,
        now=Now({"pending": {"WEB": 2}}, {"posted": 3}, {"pending": T0 - DAY}, ("WEB-1",), (word,), (word,)),
        dearest=(top,),
        slowest=(top,),
        people=of(moved("WEB-1", "pending", "approved", word)).people,
        readers=(Reader(word, 3, T0 - DAY),),
        refusals=(Refusal(word, word, 3, T0 - DAY),),
        unseen=(word,),
        hours=tuple((1,) * 24 for _ in range(7)),
    )


@pytest.mark.parametrize("word", HOSTILE)
def test_what_strangers_wrote_is_shown_as_text_in_its_place(word):
    for width in (40, 78, 200):
        for _, line in digest.lines(full(word), CLOCK, width):
            assert line == text.lines(line) and "\n" not in line

    page = pages.page(full(word), CLOCK, "1", "body {}")
    assert b"<script" not in page
    read(page)


@pytest.mark.parametrize("width", [40, 50, 60, 78, 120])
def test_lists_fit_into_the_terminal(width):
    report = of(*(ended(f"WEB-{n}", "completed", "completed", ran=9e5, waited=1.0) for n in range(9)), WEB_1=123456.5)
    named = [Top(top.key, top.seconds, top.usd, "A title of several words " * 9, "completed") for top in report.dearest]
    shown = Report(**{**vars(report), "dearest": tuple(named), "slowest": tuple(named)})

    rows = [line for _, line in digest.lines(shown, CLOCK, width)]

    # What does not fit into 40 columns is what has no room to give: a row of key, two amounts and a state.
    assert max(text.columns(row) for row in rows) <= max(width, 60)


def test_a_style_that_could_end_itself_is_refused():
    with pytest.raises(ValueError, match="no style of pco"):
        pages.page(full("x"), CLOCK, "1", "a{}</style><script>")


def test_without_unicode_bars_are_of_ascii():
    report = of(*(ended("WEB-1", "completed", "completed") for _ in range(9)), WEB_1=3.0)

    assert all(line.isascii() for _, line in digest.lines(report, CLOCK, blocks=False))


@pytest.mark.parametrize(
    ("value", "shown"), [(0, ""), (0.001, "▏"), (5, "█████"), (5.5, "█████▌"), (10, "██████████"), (99, "██████████")]
)
def test_a_bar_is_as_long_as_its_value_and_never_longer(value, shown):
    assert amounts.bar(value, 10, 10) == shown


@pytest.mark.parametrize(
    ("number", "shown"), [(0, "0"), (999, "999"), (1000, "1.0k"), (12_345, "12k"), (1_200_000, "1.2M"), (3e9, "3.0G")]
)
def test_large_numbers_are_short(number, shown):
    assert amounts.short(int(number)) == shown


@pytest.mark.parametrize(
    ("part", "shown"), [(None, "-"), (0, "0%"), (0.001, "under 1%"), (0.874, "87%"), (0.999, "over 99%"), (1, "100%")]
)
def test_a_share_is_no_more_than_it_is(part, shown):
    assert amounts.share(part) == shown


def test_a_period_is_told_with_its_last_day():
    assert digest.period(Report(T0.replace(hour=0) - 2 * DAY, T0.replace(hour=0), T0), Clock(T0, T0.tzinfo, "UTC")) == (
        "2026-11-20 to 2026-11-21 (UTC)"
    )
