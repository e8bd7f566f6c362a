"""A spool with many finished tickets, damaged: as many as there is time for in CI; `make faults` has 100,000.

The harness proves itself: where what follows half a line is not on a line of its own, it finds out.
"""

from pathlib import Path

import pytest

from faults.seeded import seeded, tried

LARGE = Path(__file__).with_name("large.py")


@pytest.mark.timeout(600)
def test_ordinary_programs_go_on_whatever_was_done_to_a_large_spool() -> None:
    done = tried(LARGE, "--tickets", "400")

    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.timeout(600)
def test_a_line_that_is_lost_behind_half_a_line_is_found_out(tmp_path: Path) -> None:
    lib = seeded(tmp_path, ("spool/index.py", 'b"\\n" * torn + ', ""))

    done = tried(LARGE, "--tickets", "100", "--only", "torn counts", "--only", "half a month", lib=lib)

    assert done.returncode == 1, done.stdout + done.stderr
    assert "half a month: not in the index: ['LOCAL-1']" in done.stdout
