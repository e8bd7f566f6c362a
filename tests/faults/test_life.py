"""A short life of tickets, as long as there is time for in CI; `make faults` has more.

The harness proves itself: a bug in what the table of events says, put into a copy of pco, is found.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from faults.seeded import seeded

LIFE = Path(__file__).with_name("life.py")
STEPS, SEED = 300, 3
TRIES = 8  # another release of Hypothesis draws other lives of a seed
RULE = ("    if events.closed or events.left:\n", "    if events.left:\n")


@pytest.mark.timeout(600)
def test_whatever_happens_to_tickets_none_is_lost_and_polls_do_what_the_table_says() -> None:
    done = run(SEED)

    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.timeout(600)
def test_a_bug_in_the_table_of_events_is_found(tmp_path: Path) -> None:
    lib = seeded(tmp_path, ("rules/effects.py", *RULE))

    for seed in range(SEED, SEED + TRIES):
        done = run(seed, PCO_FAULTS_LIB=str(lib))
        if done.returncode:
            break

    assert done.returncode == 1, done.stdout + done.stderr
    assert "table: close of" in done.stdout, done.stdout


def run(seed: int, **environ: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(LIFE), "--steps", str(STEPS), "--seed", str(seed)]
    return subprocess.run(command, env={**os.environ, **environ}, capture_output=True, text=True, check=False)
