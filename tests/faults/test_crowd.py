"""Eight admins and two of each program at the same tickets, as many as there is time for in CI; `make faults` has more.

The harness proves itself: without the spool's lock, or without the look whether a record was changed, it finds out.
"""

import re
from pathlib import Path

import pytest

from faults.seeded import seeded, tried

CROWD = Path(__file__).with_name("crowd.py")
TRIES = 12  # who comes in another's way is chance; with the lock each of them would pass
NO_LOCK = ("        with self._lock.held():\n            yield\n", "        yield\n")


@pytest.mark.timeout(600)
def test_eight_admins_at_once_lose_nothing_and_do_nothing_twice() -> None:
    done = tried(CROWD, "--tickets", "60")

    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.timeout(600)
def test_a_spool_without_its_lock_is_found_out(tmp_path: Path) -> None:
    lib = seeded(tmp_path, ("spool/store.py", *NO_LOCK))

    for _ in range(TRIES):
        done = tried(CROWD, "--tickets", "40", lib=lib)
        if done.returncode:
            break

    assert done.returncode == 1, done.stdout + done.stderr
    assert re.search(r"^crowd\b.*\s[1-9]\d*\s+\d+\s*$", done.stdout, re.M), done.stdout  # that many violations
