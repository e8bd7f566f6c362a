"""What a watch hears of the journal: every record once, however late it can be read."""

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace as Namespace

import pytest

from pco.checks import logged
from pco.commands.doctoring.watching import Journal

BEGUN = datetime.fromtimestamp(1000.6, UTC)  # in the later half of a second


@pytest.fixture
def said(monkeypatch):
    """Records of the journal as (second, message), asked for as journalctl is."""
    entries: list[tuple[float, str]] = []

    def run(argv, *_):
        since = int(next(word for word in argv if word.startswith("--since=@"))[9:])
        found = [
            {"__REALTIME_TIMESTAMP": f"{at * 1e6:.0f}", "__CURSOR": message, "MESSAGE": message}
            for at, message in entries
            if at >= since and "--unit=pco*" in argv
        ]
        return Namespace(out="\n".join(map(json.dumps, found)).encode(), cut=False)

    monkeypatch.setattr(logged.process, "run", run)
    return entries


def look(journal: Journal, seconds: float) -> list[str]:
    """What is new so many seconds after it began."""
    names = Namespace(once=lambda *_: ["pco-poll"], root=True, now=BEGUN + timedelta(seconds=seconds))
    return [record.message for record in journal.look(names)]


def test_a_record_of_the_same_second_in_which_the_watch_began_is_seen_and_an_earlier_one_is_not(said):
    journal = Journal(BEGUN)
    said += [(1000.5, "before"), (1000.7, "just after")]

    assert look(journal, 10) == ["just after"]


def test_a_record_that_can_be_read_only_after_the_look_of_its_time_is_seen_by_the_next(said):
    journal = Journal(BEGUN)
    said += [(1002, "first")]
    assert look(journal, 10) == ["first"]
    said += [(1009.9, "late")]
    assert look(journal, 20) == ["late"]


def test_no_record_is_seen_twice(said):
    journal = Journal(BEGUN)
    said += [(1010.5, "at the edge")]
    assert [look(journal, seconds) for seconds in (10, 20, 30, 40)] == [["at the edge"], [], [], []]
