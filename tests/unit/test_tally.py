"""Counts that only grow, whatever dies."""

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dying import dying
from pco.ground import tally
from pco.ground.errors import BadConfig, BadData
from pco.ground.tally import Tally

BOUNDS = (1.0, 10.0)


def run(metrics, made):
    """What a program does at the end of a run."""
    known = tally.read(metrics, "poll")
    known.add(made)
    tally.write(metrics, "poll", known)


def counted(name="calls", by=1, **labels):
    made = Tally()
    made.count(name, by, **labels)
    return made


def test_a_program_that_never_ran_has_counted_nothing(tmp_path):
    assert tally.read(tmp_path, "poll") == Tally()
    assert tally.programs(tmp_path) == []


def test_each_run_adds_to_what_was_counted_before(tmp_path):
    for made in (counted(status="good"), counted(by=2, status="good"), counted(status="bad")):
        run(tmp_path, made)

    assert tally.read(tmp_path, "poll").counts == {"calls": {'status="good"': 3, 'status="bad"': 1}}
    assert tally.programs(tmp_path) == ["poll"]


def test_what_is_measured_is_counted_under_the_least_bound_that_holds_it(tmp_path):
    for seconds in (0.5, 1.0, 1.5, 99.0):
        made = Tally()
        made.measure("took", BOUNDS, seconds)
        run(tmp_path, made)

    assert tally.read(tmp_path, "poll").spans == {"took": {"": {"1": 2, "10": 1, "+Inf": 1, "sum": 102.0}}}


@pytest.mark.parametrize("wrong", [-1, float("nan"), float("inf"), "3", None, True])
def test_what_is_no_amount_is_not_counted(wrong):
    made = counted(by=wrong)
    made.measure("took", BOUNDS, wrong)

    assert made.counts == {"calls": {"": 0}}
    assert made.spans == {}


@given(st.lists(st.tuples(st.integers(0, 5), st.floats(0, 20), st.integers(0, 30)), max_size=8))
@settings(deadline=None)
def test_a_run_that_dies_anywhere_costs_its_own_counts_at_most(runs):
    with tempfile.TemporaryDirectory() as folder:
        metrics, sure = Path(folder), Tally()
        for number, seconds, at in runs:
            made = counted(by=number)
            made.measure("took", BOUNDS, seconds)
            with dying(at):
                run(metrics, made)

            found, whole = tally.read(metrics, "poll"), Tally()
            whole.add(sure)
            whole.add(made)
            assert found in (sure, whole)
            sure = found


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"schema": 1, "counts": {"a": {"": -1}}, "spans": {}, "mark": {}}',
        '{"schema": 1, "counts": {"a": {"": NaN}}, "spans": {}, "mark": {}}',
        '{"schema": 1, "counts": {"a": {"x=\\"1\\"} 1\\nb": 1}}, "spans": {}, "mark": {}}',
        '{"schema": 1, "counts": {"a b": {"": 1}}, "spans": {}, "mark": {}}',
        '{"schema": 1, "counts": {}, "spans": {"a": {"": {"nan": 1}}}, "mark": {}}',
        '{"schema": 1, "counts": {}, "spans": {"a": {"": 1}}, "mark": {}}',
    ],
)
def test_a_file_that_is_no_tally_is_not_taken_for_one(tmp_path, content):
    tally.write(tmp_path, "poll", Tally())
    tally.path(tmp_path, "poll").write_text(content)

    with pytest.raises(BadData):
        tally.read(tmp_path, "poll")


def test_a_tally_of_a_newer_pco_is_left_alone(tmp_path):
    tally.write(tmp_path, "poll", Tally())
    tally.path(tmp_path, "poll").write_text(json.dumps({"schema": 2}))

    with pytest.raises(BadConfig):
        tally.read(tmp_path, "poll")


@given(st.dictionaries(st.sampled_from(["a", "b", "le"]), st.text()))
def test_whatever_stands_in_labels_is_read_again(labels):
    with tempfile.TemporaryDirectory() as folder:
        made = counted(**labels)
        tally.write(Path(folder), "poll", made)

        assert tally.read(Path(folder), "poll") == made
