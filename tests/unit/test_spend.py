"""The ledger of a day."""

from datetime import date, timedelta

import pytest

from pco.ground import spend
from pco.ground.errors import BadConfig, BadData, SystemFault
from pco.ground.spend import Book

TODAY = date(2026, 11, 22)
ONE = spend.name_of("WEB-1", 1, 1)


@pytest.fixture
def metrics(tmp_path):
    (tmp_path / "spend").mkdir()
    return tmp_path


def on(metrics, day, usd, before=0.0):
    """A look at the session WEB-1 1.1 on that day."""
    spend.write(metrics, day, spend.read(metrics, day).seeing(ONE, usd, before))


def test_a_day_of_which_nothing_is_known_has_cost_nothing(metrics):
    assert spend.read(metrics, TODAY).total == 0


def test_what_was_written_is_read_again(metrics):
    book = Book().seeing(ONE, 0.75, 0.0).seeing("WEB-2:1.1", 2.0, 0.5).announced()

    spend.write(metrics, TODAY, book)

    assert spend.read(metrics, TODAY) == book
    assert book.total == 2.25


def test_the_same_look_twice_changes_nothing():
    once = Book().seeing(ONE, 0.75, 0.0)

    assert once.seeing(ONE, 0.75, 0.0) is once


def test_a_session_that_says_less_than_before_has_spent_what_it_has():
    assert Book().seeing(ONE, 5.0, 0.0).seeing(ONE, 1.0, 0.0).total == 5.0


def test_over_midnight_each_day_has_its_part(metrics):
    yesterday = TODAY - timedelta(days=1)
    on(metrics, yesterday, 3.0)

    before = spend.before(metrics, TODAY, ONE, yesterday)
    on(metrics, TODAY, 4.5, before)

    assert (spend.read(metrics, yesterday).total, spend.read(metrics, TODAY).total) == (3.0, 1.5)


def test_a_session_that_rested_for_days_is_remembered_from_the_day_on_which_it_was_last_seen(metrics):
    on(metrics, TODAY - timedelta(days=5), 3.0)

    assert spend.before(metrics, TODAY, ONE, TODAY - timedelta(days=6)) == 3.0
    assert spend.before(metrics, TODAY, ONE, TODAY - timedelta(days=4)) == 0.0


def test_a_session_that_has_spent_nothing_on_a_day_costs_that_day_nothing():
    assert Book().seeing(ONE, 3.0, 3.0).total == 0.0


@pytest.mark.parametrize("content", ["", "{", "[]", '{"schema": 1, "sessions": {"x": 1}}', '{"sessions": {"x": {}}}'])
def test_a_page_that_cannot_be_read_is_not_taken_for_an_empty_one(metrics, content):
    spend.path(metrics, TODAY).write_text(content)

    with pytest.raises(BadData):
        spend.read(metrics, TODAY)


def test_a_page_of_a_newer_pco_is_a_matter_of_configuration(metrics):
    spend.path(metrics, TODAY).write_text('{"schema": 2, "rates": {}}')

    with pytest.raises(BadConfig):
        spend.read(metrics, TODAY)


def test_a_ledger_that_cannot_be_written_is_an_error(tmp_path):
    with pytest.raises(SystemFault):
        spend.write(tmp_path / "gone", TODAY, Book())
