"""One budget of requests for all programs."""

import json
import os
from datetime import timedelta
from pathlib import Path

import pytest

from pco.ground.errors import BadConfig, SystemFault, TryLater
from pco.outside.rates import Budget
from support import bound

NOTHING = timedelta(0)


class Clock:
    """Seconds that a test moves."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def budget(tmp_path, clock):
    return Budget(tmp_path / "rate.json", 50, clock=clock)


def takes(budget, urgent, most=1000):
    """How many requests can be taken at this moment."""
    return next(n for n in range(most) if budget.take(urgent) != NOTHING)


def test_polls_leave_a_reserve_for_posts(budget):
    assert takes(budget, urgent=False) == 40
    assert takes(budget, urgent=True) == 10
    assert takes(budget, urgent=False) == 0


def test_posts_may_use_all(budget):
    assert takes(budget, urgent=True) == 50


@pytest.mark.parametrize(("per_minute", "polls"), [(1, 1), (3, 1), (6, 1), (10, 5), (25, 20), (100, 80)])
def test_the_reserve_is_five_or_a_fifth_and_never_all(tmp_path, clock, per_minute, polls):
    budget = Budget(tmp_path / "rate.json", per_minute, clock=clock)

    assert takes(budget, urgent=False) == polls
    assert takes(budget, urgent=True) == per_minute - polls


def test_the_window_slides(budget, clock):
    for _ in range(30):
        budget.take(urgent=True)
    clock.now += 30
    assert takes(budget, urgent=True) == 20
    clock.now += 30.5

    assert takes(budget, urgent=True) == 30


def test_the_wait_is_until_the_oldest_falls_out_of_the_window(budget, clock):
    for _ in range(50):
        assert budget.take(urgent=True) == NOTHING
        clock.now += 1

    assert budget.take(urgent=True) == timedelta(seconds=10)
    # A poll waits until as many fell out as are kept for posts.
    assert budget.take(urgent=False) == timedelta(seconds=20)
    clock.now += 10.001
    assert budget.take(urgent=True) == NOTHING
    assert budget.take(urgent=True) > NOTHING


def test_two_programs_share_it(tmp_path, clock):
    one = Budget(tmp_path / "rate.json", 10, clock=clock)
    two = Budget(tmp_path / "rate.json", 10, clock=clock)

    for _ in range(7):
        one.take(urgent=True)

    assert takes(two, urgent=True) == 3
    assert takes(one, urgent=True) == 0


def test_what_plane_asked_for_with_429_holds_everybody(tmp_path, clock):
    Budget(tmp_path / "rate.json", 10, clock=clock).hold(timedelta(seconds=55))
    other = Budget(tmp_path / "rate.json", 10, clock=clock)

    assert other.take(urgent=True) == timedelta(seconds=55)
    assert other.take(urgent=False) == timedelta(seconds=55)
    clock.now += 56
    assert other.take(urgent=True) == NOTHING


def test_a_shorter_hold_does_not_end_a_longer_one_and_none_lasts_for_ever(budget):
    budget.hold(timedelta(seconds=100))
    budget.hold(timedelta(seconds=1))
    assert budget.take(urgent=True) == timedelta(seconds=100)

    budget.hold(timedelta(days=3650))
    assert budget.take(urgent=True) == timedelta(minutes=15)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b'{"boot": ',
        b"[]",
        b"null",
        b"5",
        b'{"spent": [], "held_until": 0}',
        b'{"boot": "BOOT", "spent": 5, "held_until": 0}',
        b'{"boot": "BOOT", "spent": ["x"], "held_until": 0}',
        b'{"boot": "BOOT", "spent": [1' + b"0" * 5000 + b'], "held_until": 0}',
        b'{"boot": "BOOT", "spent": [], "held_until": null}',
        b"[" * 100_000,
        b"\xff\xfe",
        b"x" * (2 << 20),
    ],
)
def test_a_damaged_file_counts_as_if_polls_had_used_theirs(tmp_path, clock, content):
    budget = Budget(tmp_path / "rate.json", 50, clock=clock)
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip().encode()
    (tmp_path / "rate.json").write_bytes(content.replace(b"BOOT", boot))

    assert budget.take(urgent=False) > NOTHING
    assert takes(budget, urgent=True) == 10
    clock.now += 61
    assert takes(budget, urgent=False) == 40


def test_after_a_reboot_it_starts_afresh(budget, tmp_path):
    takes(budget, urgent=True)
    held = json.loads((tmp_path / "rate.json").read_text())
    (tmp_path / "rate.json").write_text(json.dumps({**held, "boot": "another", "held_until": 9e9}))

    assert takes(budget, urgent=True) == 50


def test_times_that_lie_ahead_are_not_believed(budget, tmp_path):
    budget.take(urgent=True)
    held = json.loads((tmp_path / "rate.json").read_text())
    (tmp_path / "rate.json").write_text(json.dumps({**held, "spent": [9e9] * 60, "held_until": 9e9}))

    assert takes(budget, urgent=True) == 50


def test_files_are_for_the_group_whatever_the_umask(budget, tmp_path):
    before = os.umask(0o077)
    try:
        budget.take(urgent=True)
    finally:
        os.umask(before)

    assert {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {
        "rate.json": 0o660,
        "rate.json.lock": 0o660,
    }


def test_a_lock_that_is_held_too_long_is_said(tmp_path):
    from filelock import FileLock

    budget = Budget(tmp_path / "rate.json", 50, patience=timedelta(seconds=0.1))
    budget.take(urgent=True)
    with FileLock(str(tmp_path / "rate.json.lock")):
        with pytest.raises(TryLater, match=r"rate\.json\.lock is held"):
            budget.take(urgent=True)
    assert budget.take(urgent=True) == NOTHING


def test_a_missing_folder_and_a_planted_link_are_said(tmp_path):
    with pytest.raises(BadConfig, match="is missing"):
        Budget(tmp_path / "none" / "rate.json", 50).take(urgent=True)
    (tmp_path / "victim").write_text("kept")
    (tmp_path / "rate.json").symlink_to(tmp_path / "victim")
    Budget(tmp_path / "rate.json", 50).take(urgent=True)
    assert (tmp_path / "victim").read_text() == "kept"


def test_a_folder_that_may_not_be_written_is_said(tmp_path):
    tmp_path.chmod(0o500)
    with bound(), pytest.raises(SystemFault):
        Budget(tmp_path / "rate.json", 50).take(urgent=True)
