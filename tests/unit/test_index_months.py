"""The months of the index tell who shows finished tickets what has changed, without a record being read."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from pco.ground.ticket import Note, State
from pco.spool import Spool
from support import T0, a_ticket, put

MONTH = f"{datetime.now(UTC):%Y-%m}"


@pytest.fixture
def finished(spool: Spool) -> Spool:
    """A spool whose only ticket was just rejected."""
    spool.index.rebuild()
    put(spool, a_ticket(), State.PENDING)
    spool.update("WEB-1", lambda t: (t, State.REJECTED))
    return spool


def test_a_record_that_is_rewritten_in_a_finished_state_gets_a_new_line(finished):
    before = finished.index.month(MONTH)

    finished.update("WEB-1", lambda t: (replace(t, notes=(Note(T0, "anna", "x"),)), None))

    after = finished.index.month(MONTH)
    assert [one.key for one in after] == [one.key for one in before] == ["WEB-1"]
    assert after[0].rev == before[0].rev + 1
    assert after[0].at == before[0].at


def test_a_dropped_ticket_leaves_its_month(finished):
    Spool(finished.root, "pco-queue drop").drop("WEB-1")

    assert finished.index.month(MONTH) == []
    assert finished.count(State.REJECTED) == 0


def test_a_ticket_that_cannot_be_read_can_be_dropped_all_the_same(finished):
    finished.path("WEB-1", State.REJECTED).write_text("{")

    Spool(finished.root, "pco-queue drop").drop("WEB-1")

    assert finished.find("WEB-1") is None


def test_a_rebuilt_index_says_the_same(finished):
    finished.update("WEB-1", lambda t: (replace(t, notes=(Note(T0, "anna", "x"),)), None))
    before = finished.index.month(MONTH)

    finished.index.rebuild()

    assert finished.index.month(MONTH) == before
