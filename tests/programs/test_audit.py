"""pco-audit: who did what, and whether the record of it is whole."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from pco.ground import audit
from support import Site


@pytest.fixture
def record(site: Site) -> Site:
    """A record of five lines, two of them by alice."""
    site.configure(display={"timezone": "UTC"})
    now = datetime.now(UTC)
    for n, (by, event, key) in enumerate(
        [
            ("pco-poll", "moved", "WEB-1"),
            ("alice", "moved", "WEB-1"),
            ("root", "configured", ""),
            ("alice", "noted", "WEB-2"),
            ("pco-post", "moved", "WEB-1"),
        ]
    ):
        fields = {"from": "pending", "to": "approved", "why": "small"} if event == "moved" else {"text": f"note {n}"}
        audit.append(site.home / "audit", now - timedelta(seconds=50 - n), event, by, key, fields)
    return site


def path(site: Site):
    """The file of this month, or of the last if the month has just begun."""
    return max((site.home / "audit").glob("*.jsonl"), key=lambda found: found.stat().st_size)


def verify(site: Site, code: int = 65) -> str:
    """What verify says."""
    done = site.run("pco-audit", "verify", code=code)
    return done.stdout + done.stderr


def lines(site: Site) -> list[str]:
    """The lines of the file."""
    return path(site).read_text().splitlines(keepends=True)


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ((), 5),
        (("--by", "alice"), 2),
        (("--by", "alice", "--event", "moved"), 1),
        (("--key", "WEB-1"), 3),
        (("--key", "WEB-9"), 0),
        (("--until", "yesterday", "--since", "2020-01-01"), 0),
    ],
)
def test_records_are_found_by_who_what_and_which(record, options, count):
    rows = json.loads(record.run("pco-audit", "list", "--format", "json", *options).stdout)

    assert len(rows) == count
    assert len(record.run("pco-audit", "list", "--format", "jsonl", *options).stdout.splitlines()) == count
    assert len(record.run("pco-audit", "list", *options).stdout.splitlines()) == count


def test_records_are_found_though_the_clock_was_once_years_ahead(record):
    now, ahead = datetime.now(UTC), datetime(2099, 1, 1, tzinfo=UTC)
    for at, by in ((ahead, "early"), (now - timedelta(seconds=5), "late"), (now - timedelta(seconds=4), "later")):
        audit.append(record.home / "audit", at, "noted", by, "WEB-7", {})

    rows = json.loads(record.run("pco-audit", "list", "--format", "json").stdout)

    assert [row["by"] for row in rows][-2:] == ["late", "later"]
    assert len(rows) == 7


def test_a_record_is_a_line_for_people_and_whole_for_programs(record):
    (said,) = record.run("pco-audit", "list", "--by", "alice", "--event", "moved").stdout.splitlines()
    (row,) = json.loads(record.run("pco-audit", "list", "--by", "alice", "--event", "moved", "--format", "json").stdout)

    assert said[19:] == f"  {'alice':<12} {'WEB-1':<10} pending -> approved why=small"
    assert (row["by"], row["key"], row["fields"]["why"]) == ("alice", "WEB-1", "small")


def test_what_is_hostile_in_a_record_does_no_harm_to_a_terminal(site):
    audit.append(site.home / "audit", datetime.now(UTC), "noted", "eve\x1b[2J", "WEB-1", {"text": "a\nb\x07\u202e"})

    said = site.run("pco-audit", "list").stdout

    assert len(said.splitlines()) == 1
    assert not set(said) & set("\x1b\x07\u202e")


def test_a_day_that_is_none_is_refused(site):
    assert "someday" in site.run("pco-audit", "list", "--since", "someday", code=2).stderr


def test_a_whole_record_is_said_to_be_whole(record):
    said = record.run("pco-audit", "verify").stdout

    assert said.startswith("5 records in ") and ": whole; " in said


def test_an_empty_record_is_whole(site):
    assert site.run("pco-audit", "verify").stdout.startswith("0 records in 0 files: whole")


def test_a_line_that_was_changed_is_found(record):
    path(record).write_text("".join(lines(record)).replace("note 2", "note 3"))

    assert "line 4 does not follow from the one before" in verify(record)


def test_a_line_that_was_taken_away_is_found(record):
    told = lines(record)
    path(record).write_text("".join(told[:1] + told[2:]))

    assert "line 2 does not follow from the one before" in verify(record)


def test_lines_that_were_put_in_another_order_are_found(record):
    told = lines(record)
    path(record).write_text("".join([told[0], told[2], told[1], *told[3:]]))

    assert verify(record).count("does not follow") == 3


def test_a_line_that_was_put_in_is_found(record):
    told = lines(record)
    path(record).write_text("".join([*told[:2], told[1].replace("alice", "mallory"), *told[2:]]))

    assert "line 3 does not follow" in verify(record)


def test_a_month_that_was_taken_away_from_between_is_found(site):
    for month in (9, 10, 11):
        audit.append(site.home / "audit", datetime(2026, month, 1, tzinfo=UTC), "noted", "x", "", {})
    (site.home / "audit" / "2026-10.jsonl").unlink()

    assert "2026-11.jsonl: line 1 does not follow" in verify(site)


def test_months_that_are_too_old_may_be_gone(site):
    for month in (9, 10, 11):
        audit.append(site.home / "audit", datetime(2026, month, 1, tzinfo=UTC), "noted", "x", "", {})
    (site.home / "audit" / "2026-09.jsonl").unlink()

    assert verify(site, 0).startswith("2 records in 2 files: whole")


def test_a_torn_line_is_told_and_is_no_break(record):
    with path(record).open("a") as file:
        file.write('{"at": "20')
    audit.append(record.home / "audit", datetime.now(UTC), "noted", "x", "", {})

    said = verify(record, 0)

    assert "1 line says nothing: torn" in said
    assert "7 records" in said
