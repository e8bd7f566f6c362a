import hashlib
import itertools
import json
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from pco.ground import audit
from pco.ground.errors import SystemFault

NOVEMBER = datetime(2026, 11, 30, 23, 59, tzinfo=UTC)
DECEMBER = datetime(2026, 12, 1, 0, 1, tzinfo=UTC)


def records(folder):
    return [line for path in sorted(folder.glob("*.jsonl")) for line in path.read_bytes().split(b"\n")[:-1]]


def test_each_record_is_bound_to_the_one_before_also_over_months(tmp_path):
    for at in (NOVEMBER, NOVEMBER, DECEMBER, DECEMBER):
        audit.append(tmp_path, at, "moved", "alice", "WEB-1", {"to": "approved"})
    lines = records(tmp_path)
    assert json.loads(lines[0])["prev"] == audit.BEGINNING
    for before, after in itertools.pairwise(lines):
        assert json.loads(after)["prev"] == hashlib.sha256(before).hexdigest()


def test_a_clock_that_goes_back_over_a_months_edge_breaks_no_chain(tmp_path):
    for at in (NOVEMBER, DECEMBER, NOVEMBER, DECEMBER, NOVEMBER):
        audit.append(tmp_path, at, "moved", "alice", "WEB-1", {"to": "approved"})

    lines = records(tmp_path)
    assert [len(path.read_bytes().splitlines()) for path in sorted(tmp_path.glob("*.jsonl"))] == [1, 4]
    for before, after in itertools.pairwise(lines):
        assert json.loads(after)["prev"] == hashlib.sha256(before).hexdigest()


def test_programs_at_a_months_edge_write_one_chain(tmp_path):
    """Half of them still see the old month, as each may whose clock was read a moment before."""

    def write(n):
        for _ in range(10):
            audit.append(tmp_path, (NOVEMBER, DECEMBER)[n % 2], "moved", f"p{n}", "WEB-1", {})

    with ThreadPoolExecutor(8) as crowd:
        list(crowd.map(write, range(8)))

    lines = records(tmp_path)
    assert len(lines) == 80
    for before, after in itertools.pairwise(lines):
        assert json.loads(after)["prev"] == hashlib.sha256(before).hexdigest()


def test_a_month_that_was_begun_and_has_nothing_yet_is_bound_to_the_one_before(tmp_path):
    audit.append(tmp_path, NOVEMBER, "a", "x", "", {})
    (tmp_path / "2026-12.jsonl").touch()  # whoever made it was killed

    audit.append(tmp_path, NOVEMBER, "b", "x", "", {})

    first, second = records(tmp_path)
    assert json.loads(second)["prev"] == hashlib.sha256(first).hexdigest()


def test_months_that_have_nothing_yet_are_passed_over_when_another_begins(tmp_path):
    audit.append(tmp_path, NOVEMBER, "a", "x", "", {})
    for month in ("2026-12", "2027-01"):
        (tmp_path / f"{month}.jsonl").touch()

    audit.append(tmp_path, datetime(2027, 2, 1, tzinfo=UTC), "b", "x", "", {})

    before, after = records(tmp_path)
    assert json.loads(after)["prev"] == hashlib.sha256(before).hexdigest()


def test_what_was_recorded_while_a_later_months_file_had_begun_is_found_in_that(tmp_path):
    ahead, after = datetime(2030, 1, 2, tzinfo=UTC), datetime(2030, 3, 4, tzinfo=UTC)
    for at in (NOVEMBER, ahead, NOVEMBER, DECEMBER, ahead, after):
        audit.append(tmp_path, at, "moved", "alice", "WEB-1", {})
    assert audit.months(tmp_path) == ["2026-11", "2030-01", "2030-03"]

    def found(since, until):
        offsets = {month: audit.begin(tmp_path, month, since, until) for month in audit.months(tmp_path)}
        read = [audit.read(tmp_path, month, at) for month, at in offsets.items() if at is not None]
        return [record.at for lines in read for record, _ in lines if record and since <= record.at < until]

    assert found(NOVEMBER, DECEMBER) == [NOVEMBER, NOVEMBER]
    assert found(DECEMBER, ahead) == [DECEMBER]
    assert found(ahead, after) == [ahead, ahead]
    assert audit.begin(tmp_path, "2030-03", NOVEMBER, ahead) is None
    assert audit.begin(tmp_path, "2026-11", ahead, after) is None


def test_a_file_of_another_name_is_no_month(tmp_path):
    (tmp_path / "abcd-ef.jsonl").touch()

    assert audit.months(tmp_path) == []


def test_a_record_says_when_what_who_and_which(tmp_path):
    audit.append(tmp_path, NOVEMBER, "moved", "älice\n", "WEB-1", {"why": "\x1b[31m"})
    (line,) = records(tmp_path)
    assert json.loads(line) | {"prev": ""} == {
        "at": "2026-11-30T23:59:00.000000Z",
        "event": "moved",
        "by": "älice\n",
        "key": "WEB-1",
        "fields": {"why": "\x1b[31m"},
        "prev": "",
    }
    assert line.isascii()
    assert b"\x1b" not in line


def test_a_torn_last_line_stays_visible_and_the_chain_goes_on(tmp_path):
    audit.append(tmp_path, NOVEMBER, "a", "x", "", {})
    path = tmp_path / "2026-11.jsonl"
    path.write_bytes(path.read_bytes() + b'{"at": "2026-1')
    audit.append(tmp_path, NOVEMBER, "b", "x", "", {})
    lines = records(tmp_path)
    assert lines[1] == b'{"at": "2026-1'
    assert json.loads(lines[2])["prev"] == hashlib.sha256(lines[1]).hexdigest()


def test_a_record_longer_than_the_buffer_is_still_bound(tmp_path):
    audit.append(tmp_path, NOVEMBER, "a", "x", "", {"text": "y" * 200_000})
    audit.append(tmp_path, NOVEMBER, "b", "x", "", {})
    lines = records(tmp_path)
    assert json.loads(lines[1])["prev"] == hashlib.sha256(lines[0]).hexdigest()


def test_several_programs_at_once_keep_one_chain(tmp_path):
    children = []
    for _ in range(6):
        pid = os.fork()
        if pid == 0:
            for _ in range(20):
                audit.append(tmp_path, NOVEMBER, "moved", "x", "WEB-1", {})
            os._exit(0)
        children.append(pid)
    assert [os.waitpid(pid, 0)[1] for pid in children] == [0] * 6
    lines = records(tmp_path)
    assert len(lines) == 120
    for before, after in itertools.pairwise(lines):
        assert json.loads(after)["prev"] == hashlib.sha256(before).hexdigest()


@pytest.mark.parametrize("plant", ["link", "missing"])
def test_it_writes_through_no_link_and_says_a_missing_folder(tmp_path, plant):
    folder = tmp_path / "audit"
    if plant == "link":
        folder.mkdir()
        (folder / "2026-11.jsonl").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SystemFault):
        audit.append(folder, NOVEMBER, "a", "x", "", {})
    assert not (tmp_path / "elsewhere").exists()
