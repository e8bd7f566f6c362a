"""The months of the index tell who shows finished tickets what has changed, without a record being read."""

import os
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from pco.ground import boot, durable
from pco.ground.record import to_bytes
from pco.ground.ticket import Entry, Note, State, Ticket
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


def test_a_line_that_follows_half_a_line_is_whole(finished):
    month = finished.index.folder / f"{MONTH}.jsonl"
    os.truncate(month, month.stat().st_size // 2)
    (finished.index.folder / "counts.json").unlink()

    finished.index.check(State.REJECTED)

    assert [one.key for one in finished.index.month(MONTH)] == ["WEB-1"]


def test_a_dropped_ticket_leaves_its_month(finished):
    Spool(finished.root, "pco-queue drop").drop("WEB-1")

    assert finished.index.month(MONTH) == []
    assert finished.count(State.REJECTED) == 0


def test_a_ticket_that_cannot_be_read_can_be_dropped_all_the_same(finished):
    finished.path("WEB-1", State.REJECTED).write_text("{")

    Spool(finished.root, "pco-queue drop").drop("WEB-1")

    assert finished.find("WEB-1") is None
    assert finished.index.month(MONTH) == []
    assert finished.count(State.REJECTED) == 0


def test_a_rebuilt_index_says_the_same(finished):
    finished.update("WEB-1", lambda t: (replace(t, notes=(Note(T0, "anna", "x"),)), None))
    before = finished.index.month(MONTH)

    finished.index.rebuild()

    assert finished.index.month(MONTH) == before


def test_the_latest_and_the_oldest_of_a_state_are_found_without_those_that_are_gone(spool):
    for number, (month, state) in enumerate([(1, "posted"), (2, "posted"), (2, "rejected"), (3, "posted")], 1):
        entered = T0.replace(month=month)
        ticket = a_ticket(f"WEB-{number}")
        ticket = replace(ticket, history=(Entry(entered, "outbox", state, "test", 1),), state=State(state))
        spool.path(ticket.key, State(state)).write_bytes(to_bytes(ticket))
    spool.index.rebuild()

    assert [one.key for one in spool.index.latest(State.POSTED)] == ["WEB-4", "WEB-2", "WEB-1"]
    assert [spool.index.oldest(state).key for state in (State.POSTED, State.REJECTED)] == ["WEB-1", "WEB-3"]
    spool.path("WEB-1", State.POSTED).unlink()
    spool.path("WEB-3", State.REJECTED).unlink()
    assert spool.index.oldest(State.POSTED).key == "WEB-2" and spool.index.oldest(State.REJECTED) is None


@pytest.mark.parametrize("state", [State.POSTED, State.REJECTED])
def test_a_ticket_whose_program_died_before_it_was_listed_is_listed_by_the_next_change(finished, state):
    put_there(finished, a_ticket("WEB-2"), state)

    finished.mend_index()

    assert sorted(one.key for one in finished.index.month(f"{T0:%Y-%m}")) == ["WEB-1", "WEB-2"]
    assert finished.count(state) == len(finished.keys(state))


def test_a_ticket_that_was_taken_away_before_it_was_noted_is_not_listed_any_more(finished):
    finished.path("WEB-1", State.REJECTED).unlink()

    assert finished.mend_index()

    assert finished.index.month(MONTH) == []
    assert finished.count(State.REJECTED) == 0
    assert not finished.mend_index(), "nothing is left to do"


def test_a_record_that_was_rewritten_before_it_was_noted_is_listed_as_it_is(finished):
    path = finished.path("WEB-1", State.REJECTED)
    before = finished.read("WEB-1")
    durable.replace(path, to_bytes(replace(before, rev=before.rev + 1, title="Another")))

    finished.mend_index()

    assert [(one.rev, one.title) for one in finished.index.month(MONTH)] == [(before.rev + 1, "Another")]


def test_what_is_listed_as_it_is_gets_no_second_line(finished):
    put_there(finished, a_ticket("WEB-2"), State.REJECTED)
    finished.mend_index()
    lines = (finished.index.folder / f"{MONTH}.jsonl").read_text()
    (finished.root / "rejected" / "WEB-9.txt").touch()

    assert finished.mend_index()

    assert (finished.index.folder / f"{MONTH}.jsonl").read_text() == lines


def put_there(spool: Spool, ticket, state: State) -> None:
    """A ticket comes into a state, and nothing else happens: its program was killed."""
    entry = Entry(T0, "pending", state.value, "test", 1)
    durable.write_new(spool.path(ticket.key, state), to_bytes(replace(ticket, state=state, history=(entry,))))


# The counts are not flushed; the months are, line by line.

TORN = pytest.mark.parametrize("torn", ["", "{", '{"posted": [1]}', "\0\0"], ids=repr)


@TORN
def test_torn_counts_are_made_good_without_reading_what_the_months_know(finished, torn):
    put(finished, a_ticket("WEB-2"), State.PENDING)
    finished.update("WEB-2", lambda t: (t, State.REJECTED))
    untold = rewritten_by_hand(finished, "WEB-1", days_ago=1)
    new = rewritten_by_hand(finished, "WEB-2", days_ago=0)  # the line of which the power cut took
    put(finished, a_ticket("WEB-3"), State.REJECTED)  # likewise
    (finished.root / "index" / "counts.json").write_text(torn)

    assert finished.mend_index()

    told = {one.key: one.title for name in finished.index.months() for one in finished.index.month(name)}
    assert told["WEB-2"] == new.title and "WEB-3" in told
    assert told["WEB-1"] != untold.title, "it was read, though nothing has changed since its line was flushed"
    assert (finished.count(State.REJECTED), finished.index.true(State.REJECTED)) == (3, True)


def test_after_a_boot_a_count_is_not_believed_until_its_folder_was_looked_at(finished, monkeypatch):
    folder, before = finished.root / State.REJECTED, (finished.root / State.REJECTED).stat()
    known = {path: path.read_bytes() for path in finished.index.folder.iterdir()}
    put(finished, a_ticket("WEB-2"), State.PENDING)
    finished.update("WEB-2", lambda t: (t, State.REJECTED))
    for path, data in known.items():
        path.write_bytes(data)
    os.utime(folder, ns=(before.st_atime_ns, before.st_mtime_ns))  # as btrfs leaves it after a power cut

    assert finished.count(State.REJECTED) == 1  # within one boot nothing does that
    monkeypatch.setattr(boot, "boot_id", lambda: "another")

    assert finished.count(State.REJECTED) == 2
    assert finished.mend_index()
    listed = {one.key for name in finished.index.months() for one in finished.index.month(name)}
    assert listed == {"WEB-1", "WEB-2"}
    assert not finished.mend_index()


def test_a_state_that_was_looked_at_after_a_boot_does_not_speak_for_the_other(finished, monkeypatch):
    monkeypatch.setattr(boot, "boot_id", lambda: "another")

    put(finished, a_ticket("WEB-2"), State.PENDING)
    finished.update("WEB-2", lambda t: (t, State.REJECTED))

    assert finished.index.true(State.REJECTED)
    assert not finished.index.true(State.POSTED)


def test_a_month_that_was_written_while_the_clock_was_ahead_hides_nothing(finished):
    new = rewritten_by_hand(finished, "WEB-1", days_ago=0)
    ahead = finished.root / "index" / "2099-01.jsonl"
    ahead.touch()
    os.utime(ahead, (4_070_908_800, 4_070_908_800))
    (finished.root / "index" / "counts.json").write_text("")

    finished.mend_index()

    assert [one.title for one in finished.index.month(MONTH)] == [new.title]


def rewritten_by_hand(spool: Spool, key: str, days_ago: int) -> Ticket:
    """A record that says something else than its line, and when it seems to have been written."""
    ticket = spool.read(key)
    changed = replace(ticket, title=f"Rewritten {key}", rev=ticket.rev + 1)
    path = spool.path(key, ticket.state)
    path.write_bytes(to_bytes(changed))
    os.utime(path, (path.stat().st_mtime - days_ago * 86_400,) * 2)
    return changed
