"""Eight admins and two of each program at the same tickets, as many as there is time for in CI; `make faults` has more.

The harness proves itself: without the spool's lock, or without the look whether a record was changed, it finds out.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support import TOP

CROWD = Path(__file__).with_name("crowd.py")
TRIES = 12  # who comes in another's way is chance; with the lock each of them would pass
NO_LOCK = ("        with self._lock.held():\n            yield\n", "        yield\n")


@pytest.mark.timeout(600)
def test_eight_admins_at_once_lose_nothing_and_do_nothing_twice() -> None:
    done = run("--tickets", "60")

    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.timeout(600)
def test_a_spool_without_its_lock_is_found_out(tmp_path: Path) -> None:
    shutil.copytree(TOP / "lib", tmp_path / "lib", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "share").symlink_to(TOP / "share")
    path = tmp_path / "lib/pco/spool/store.py"
    assert path.read_text().count(NO_LOCK[0]) == 1, "spool/store.py has changed"
    path.write_text(path.read_text().replace(*NO_LOCK))

    for _ in range(TRIES):
        done = run("--tickets", "40", lib=tmp_path / "lib")
        if done.returncode:
            break

    assert done.returncode == 1, done.stdout + done.stderr
    assert re.search(r"^crowd\b.*\s[1-9]\d*\s+\d+\s*$", done.stdout, re.M), done.stdout  # that many violations


def run(*words: str, lib: Path = TOP / "lib") -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(CROWD), *words]
    environ = {**os.environ, "PCO_FAULTS_LIB": str(lib)}
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
