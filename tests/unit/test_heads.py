"""Whom the journal heard telling of the audit record: what counts of what anybody may have written there."""

import json

import pytest

from pco.ground import audit
from pco.outside import heads

TRUSTED, STRANGER = 0, 65534
LINE = audit.line_hash(b"a line of the record")
OTHER = audit.line_hash(b"another")


def entry(uid: int, *hashes: object, at: int = 1) -> str:
    """An entry as `journalctl --output=json` prints it, `at` seconds after 1970 began."""
    value = hashes[0] if len(hashes) == 1 else list(hashes)
    return json.dumps({"__REALTIME_TIMESTAMP": str(at * 1_000_000), "_UID": str(uid), heads.FIELD: value})


def told(entries: list[str], *hashes: str) -> list[tuple[str, int, bool]]:
    found = heads.first_told(hashes or (LINE, OTHER), entries, lambda uid: uid == TRUSTED)
    return [(line.hash, int(line.at.timestamp()), line.trusted) for line in found]


@pytest.mark.parametrize("order", [1, -1])
def test_a_hash_that_a_stranger_told_again_is_still_told_by_who_may_write_the_record(order):
    entries = [entry(TRUSTED, LINE, at=5), entry(STRANGER, LINE, at=7)][::order]

    assert told(entries) == [(LINE, 5, True)]


def test_what_only_strangers_told_is_not_to_be_trusted_however_often():
    assert told([entry(STRANGER, LINE, at=n) for n in (3, 4, 5)]) == [(LINE, 3, False)]


def test_of_those_who_are_trusted_the_first_one_counts():
    assert told([entry(STRANGER, LINE), entry(TRUSTED, LINE, at=2), entry(TRUSTED, LINE, at=3)]) == [(LINE, 2, True)]


def test_an_entry_that_names_several_tells_of_each():
    assert told([entry(TRUSTED, LINE, "x", OTHER)]) == [(LINE, 1, True), (OTHER, 1, True)]


@pytest.mark.parametrize("value", [None, 7, [1, 2], [[1, 2], None], {}, "0" * 64])
def test_a_field_that_is_no_such_hash_is_passed_over(value):
    assert told([entry(STRANGER, value), entry(TRUSTED, LINE)], LINE) == [(LINE, 1, True)]


@pytest.mark.parametrize("line", ["", "x", "[]", "{}", '{"_UID": "0"}'])
def test_a_line_that_is_no_entry_is_passed_over(line):
    assert told([line, entry(TRUSTED, LINE)]) == [(LINE, 1, True)]
