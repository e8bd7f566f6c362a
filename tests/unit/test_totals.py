"""What is counted of the audit record and the ledger: everything once, whatever dies."""

import json
import tempfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dying import dying
from pco.commands.dashboard import totals
from pco.ground import audit, spend, tally
from pco.ground.spend import Book
from pco.rules import counting
from pco.run import Pco

NOW = datetime(2026, 11, 30, 23, 0, tzinfo=UTC)
TODAY = date(2026, 11, 30)


def a_pco(home: Path) -> Pco:
    """pco-dashboard of a pco whose folders are there."""
    for name in ("audit", "metrics", "metrics/spend"):
        (home / name).mkdir(exist_ok=True)
    (home / "pco.yaml").write_text(json.dumps({"paths": {"root": str(home)}}))
    pco = Pco("pco-dashboard")
    pco.config_file = str(home / "pco.yaml")
    return pco


@pytest.fixture
def pco(tmp_path):
    return a_pco(tmp_path)


def approve(pco, at=NOW, times=1):
    """So many approvals, as pco-queue announces them."""
    for _ in range(times):
        audit.append(pco.config.paths.audit, at, "moved", "anna", "WEB-1", {"from": "pending", "to": "approved"})


def approvals(pco):
    return totals.gather(pco).counts[counting.APPROVED][""]


def cost(pco):
    return totals.gather(pco).counts.get(counting.COST, {})


def spent(pco, day, **usd):
    """What the sessions of projects have cost on a day by now."""
    book = Book()
    for project, amount in usd.items():
        book = book.seeing(f"{project}-1:1.1", amount, 0.0)
    spend.write(pco.config.paths.metrics, day, book)


def test_each_record_is_counted_once_however_often_one_looks(pco):
    approve(pco, times=3)
    assert [approvals(pco), approvals(pco)] == [3, 3]

    approve(pco)
    assert approvals(pco) == 4


def test_a_record_that_comes_late_to_a_month_that_is_over_is_counted(pco):
    approve(pco, NOW + timedelta(hours=2))
    assert approvals(pco) == 1

    approve(pco, NOW)
    assert approvals(pco) == 2


def test_a_record_that_is_being_written_is_counted_when_it_is_whole(pco):
    approve(pco, times=2)
    path = pco.config.paths.audit / "2026-11.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[:-10])
    assert approvals(pco) == 1

    path.write_bytes(whole)
    assert approvals(pco) == 2


def test_what_is_torn_is_read_over(pco):
    approve(pco)
    path = pco.config.paths.audit / "2026-11.jsonl"
    path.write_bytes(path.read_bytes() + b'{"at": "2026')
    approve(pco)

    assert approvals(pco) == 2


def test_a_month_that_is_taken_away_takes_nothing_from_the_counts(pco):
    approve(pco, times=2)
    assert approvals(pco) == 2

    (pco.config.paths.audit / "2026-11.jsonl").unlink()

    assert approvals(pco) == 2


def test_a_tally_that_cannot_be_read_is_laid_aside_and_what_is_on_disk_counted_anew(pco):
    approve(pco, times=2)
    assert approvals(pco) == 2
    path = tally.path(pco.config.paths.metrics, "dashboard")
    path.write_text("{")

    assert approvals(pco) == 2
    assert path.with_suffix(".bad").exists()


def test_money_counts_as_it_is_spent_and_over_midnight(pco):
    spent(pco, TODAY, WEB=1.0, API=0.5)
    assert cost(pco) == {'project="WEB"': 1.0, 'project="API"': 0.5}

    spent(pco, TODAY, WEB=2.0, API=0.5)
    spent(pco, TODAY + timedelta(days=1), WEB=0.25)

    assert cost(pco) == {'project="WEB"': 2.25, 'project="API"': 0.5}
    assert cost(pco) == {'project="WEB"': 2.25, 'project="API"': 0.5}


def test_a_page_of_the_ledger_that_cannot_be_read_lets_no_count_fall(pco):
    spent(pco, TODAY, WEB=1.0)
    assert cost(pco) == {'project="WEB"': 1.0}

    spend.path(pco.config.paths.metrics, TODAY).write_text("{")

    assert cost(pco) == {'project="WEB"': 1.0}


def test_what_other_programs_counted_is_among_it_and_one_that_cannot_be_read_is_not(pco):
    for program in ("poll", "post"):
        made = tally.Tally()
        made.count(counting.RETRIES, operation="list_states")
        tally.write(pco.config.paths.metrics, program, made)
    tally.path(pco.config.paths.metrics, "post").write_text("{")

    assert totals.gather(pco).counts[counting.RETRIES] == {'operation="list_states"': 1}


def test_a_first_run_over_much_is_saved_on_the_way(pco, monkeypatch):
    monkeypatch.setattr(totals, "SAVED_EVERY", 10)
    approve(pco, times=25)
    own = tally.Tally()

    with dying(at=12):  # in the second time it saves
        totals._count_audit(pco, own)

    assert tally.read(pco.config.paths.metrics, "dashboard").counts[counting.APPROVED] == {"": 10}
    assert approvals(pco) == 25


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 40)), max_size=6))
@settings(deadline=None, max_examples=50)
def test_wherever_it_dies_nothing_is_counted_twice_or_passed_over(steps):
    with tempfile.TemporaryDirectory() as folder:
        pco, made, usd, before = a_pco(Path(folder)), 0, 0, 0
        for number, more, at in steps:
            approve(pco, times=number)
            spent(pco, TODAY, WEB=float(usd + more))
            made, usd = made + number, usd + more
            with dying(at):
                totals.gather(pco)
            saved = tally.read(pco.config.paths.metrics, "dashboard").counts.get(counting.APPROVED, {}).get("", 0)
            assert before <= saved <= made
            before = saved

        total = totals.gather(pco)
        assert total.counts[counting.APPROVED][""] == made
        assert total.counts.get(counting.COST, {}).get('project="WEB"', 0) == usd
