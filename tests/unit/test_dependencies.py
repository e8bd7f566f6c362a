"""The packages that pco stands on: SECURITY.md has each of them, with its range and the day of its review."""

import configparser
import re
from datetime import date

import pytest

from support import TOP

ROW = re.compile(r"^\| ([\w-]+) \| (any|[=><~!]{1,2}[\w.,]+) \| (.+?) \| (\d{4}-\d{2}-\d{2}) \|$", re.M)


def asked() -> dict[str, str]:
    """What setup.cfg asks for, and in which range."""
    setup = configparser.ConfigParser()
    setup.read(TOP / "setup.cfg")
    words = f"{setup['options']['install_requires']} {setup['options.extras_require']['test']}".split()
    parted = (re.fullmatch(r"([\w-]+)(.*)", word) for word in words)
    return {found[1]: found[2] or "any" for found in parted if found}


def told() -> list[tuple[str, str, str, str]]:
    """The rows of the table."""
    return ROW.findall((TOP / "SECURITY.md").read_text())


def test_each_package_stands_in_the_table_once_and_with_its_range():
    assert sorted((name, span) for name, span, _, _ in told()) == sorted(asked().items())
    assert len(asked()) > 15


@pytest.mark.parametrize("row", told(), ids=lambda row: row[0])
def test_it_is_said_why_it_is_needed_and_when_that_was_reviewed(row):
    _, _, why, reviewed = row

    assert len(why) > 4
    assert date(2026, 1, 1) <= date.fromisoformat(reviewed)


def test_what_the_tests_name_as_the_oldest_is_where_the_ranges_begin():
    oldest = dict(re.findall(r"^([\w-]+)==([\d.]+)$", (TOP / "tests/oldest.txt").read_text(), re.M))
    ranges = {name: span for name, span in asked().items() if span.startswith(">=") and name in oldest}

    assert len(ranges) == 7
    for name, span in ranges.items():
        assert f"{oldest[name]}.".startswith(f"{span[2:]}."), name
