"""The harness proves itself: each of these bugs, put into a copy of pco, is caught, and by the invariant that is meant."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from faults import cuts
from faults.bugs import BUGS, Bug
from faults.calls import CUT, LOST
from faults.scenes import SCENES
from faults.seeded import seeded

KILLS = Path(__file__).with_name("kills.py")


@pytest.mark.timeout(600)
@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name.replace(" ", "-"))
def test_a_bug_is_caught(bug: Bug, tmp_path: Path) -> None:
    if bug.fault.startswith((CUT, LOST)) and not cuts.possible():
        pytest.skip("needs root, loop devices and /dev/fuse")
    lib = seeded(tmp_path, *bug.changes)

    command = [sys.executable, str(KILLS), "--only", bug.scene, "--errno", bug.fault, "--changing", "--first"]
    environ = {**os.environ, "PYTHONPATH": str(lib), "PCO_FAULTS_LIB": "1"}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)

    assert done.returncode == 1, done.stdout + done.stderr
    assert bug.invariant in done.stdout, done.stdout + done.stderr
    assert "--point" in done.stdout, "the scene is ill without any fault"


def test_each_bug_is_looked_for_where_there_is_a_scene_for_it() -> None:
    assert {bug.scene for bug in BUGS} <= {scene.name for scene in SCENES}
