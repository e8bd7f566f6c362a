"""A spool with many finished tickets, damaged: as many as there is time for in CI; `make faults` has 100,000.

The harness proves itself: where what follows half a line is not on a line of its own, it finds out.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from faults.seeded import seeded
from support import TOP

LARGE = Path(__file__).with_name("large.py")


@pytest.mark.timeout(600)
def test_ordinary_programs_go_on_whatever_was_done_to_a_large_spool() -> None:
    done = run("--tickets", "400")

    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.timeout(600)
def test_a_line_that_is_lost_behind_half_a_line_is_found_out(tmp_path: Path) -> None:
    lib = seeded(tmp_path, ("spool/index.py", 'b"\\n" * torn + ', ""))

    done = run("--tickets", "100", "--only", "torn counts", "--only", "half a month", lib=lib)

    assert done.returncode == 1, done.stdout + done.stderr
    assert "half a month: not in the index: ['LOCAL-1']" in done.stdout


def run(*words: str, lib: Path = TOP / "lib") -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(LARGE), *words]
    environ = {**os.environ, "PCO_FAULTS_LIB": str(lib)}
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
