"""The power goes while each program works: some points of each, as CI has time for; `make faults` has all of them."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from faults import cuts
from faults.scenes import SCENES

KILLS = Path(__file__).with_name("kills.py")
POINTS = 150

pytestmark = pytest.mark.skipif(not cuts.possible(), reason="needs root and mkfs.ext4")


@pytest.mark.timeout(900)
def test_what_was_acknowledged_survives_a_power_cut_and_the_next_runs_make_good_the_rest():
    argv = [sys.executable, str(KILLS), "--errno", "CUT", "--points", str(POINTS)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)

    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    points, fired, vacuous, violations = re.findall(r"^ +all +(\d+) +(\d+) +(\d+) +(\d+)", done.stdout, re.M)[0]
    assert (points, fired, vacuous, violations) == (str(POINTS), str(POINTS), "0", "0")
    assert all(scene.name in done.stdout for scene in SCENES if not scene.meanwhile)
