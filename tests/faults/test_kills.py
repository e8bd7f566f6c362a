"""Every program, killed and refused at the calls that touch its files: as many points as there is time for in CI.

`make faults` has all of them.  How many were left out here stands in what is printed.
"""

import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from faults import calls
from faults.engine import Point, Seen
from faults.kills import DISKS, FAULTS, Outcome, Tally, _halving
from faults.scenes import SCENES
from support import TOP

KILLS = Path(__file__).with_name("kills.py")
BUDGET = 330  # seconds; kills go on, the others end
# Programs without a scene, and why.
WITHOUT = {
    "pco": "starts another one",
    "pco-attach": "passes bytes between a terminal and a relay",
    "pco-relay": "passes bytes between a session and who looks at it",
    "pco-audit": "only reads",
    "pco-config": "only reads",
    "pco-report": "only reads",
    "pco-setup": "writes the configuration, whole or not at all: tests/programs/test_setup.py",
}
# At each of these something was once wrong: a disk that did not answer was taken for one that says no.
ONCE = (
    ("queue drop", "openat:1:~/pco/spool/rejected/WEB-1.json O_RDONLY|O_NONBLOCK|O_NOFOLLOW|O_CLOEXEC"),
    ("queue pause", "openat:1:~/pco/spool/control/pause O_RDONLY|O_NONBLOCK|O_NOFOLLOW|O_CLOEXEC"),
    ("queue forward", "read:1:~/pco/sessions/WEB-1/1.1/launch.json"),
    ("queue repair", "newfstatat:1:~/pco/spool/corrupt/WEB-1.why"),
    ("watch", "newfstatat:1:~/pco/sessions/WEB-1/1.1/out/events/TIME-PID.json"),
    ("watch", "newfstatat:1:~/pco/sessions/WEB-1/1.1/out/work.bundle"),
    ("backup", "openat:1:~/pco/hooks.d/backup O_RDONLY|O_NONBLOCK|O_CLOEXEC|O_DIRECTORY"),
    (
        "watch",
        "openat:1:~/pco/sessions/WEB-1/1.1/out/work.bundle O_RDONLY|O_NONBLOCK|O_NOFOLLOW|O_CLOEXEC",
    ),
    ("dashboard", "read:1:~/pco/spool/index/{month}.jsonl"),
    ("purge", "newfstatat:2:~/pco/sessions/WEB-5"),
)
TRACE = """\
openat(AT_FDCWD</>, "/w/live/pco/spool/tmp/WEB-1.4711", O_WRONLY|O_CREAT|O_EXCL|O_CLOEXEC, 0600) = 7</w/live/pco/spool/tmp/WEB-1.4711>
write(2</tmp/err>, ""..., 61) = 61
write(7</w/live/pco/spool/tmp/WEB-1.4711>, ""..., 900) = 900
openat(9</w/live/pco/sessions>, "WEB-1", O_RDONLY) = 10</w/live/pco/sessions/WEB-1>
sendto(5<socket:[77]>, ""..., 200, 0, NULL, 0) = 200
rename("/w/live/pco/spool/tmp/WEB-1.4711", "/w/live/pco/spool/pending/WEB-1.json" <unfinished ...>
+++ killed by SIGKILL +++
"""


@pytest.mark.timeout(900)
def test_whatever_a_program_is_killed_or_refused_at_the_next_runs_make_good():
    # Power cuts have a test of their own.
    faults = [word for fault in FAULTS if fault not in DISKS for word in ("--errno", fault)]
    argv = [sys.executable, str(KILLS), "--changing", "--budget", str(BUDGET), *faults]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)

    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    table = done.stdout.partition("PROMISE")[2]
    assert all(scene.name in table for scene in SCENES)
    assert not re.search(r"^\d.*\s0\s+0\s+0\s+0\s+\d+$", table, re.M), "a program without a single point"
    left = re.search(r"^left out: .*$", done.stdout, re.M)
    assert "KILL" not in (left[0] if left else ""), left


@pytest.mark.parametrize(("scene", "point"), ONCE)
def test_a_point_at_which_something_was_wrong_once(scene, point):
    where = f"EIO:{point.format(month=format(datetime.now(UTC), '%Y-%m'))}"
    argv = [sys.executable, str(KILLS), "--only", scene, "--point", where]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^ +all +1 +1 +0 +0 ", done.stdout, re.M), f"not one point, fired once: {done.stdout}"


def test_a_call_is_known_by_its_number_and_by_its_paths_without_what_passes():
    made = calls.read(TRACE, Path("/w/live"))

    assert [(call.name, call.nth) for call in made] == [
        ("openat", 1),
        ("write", 1),
        ("write", 2),
        ("openat", 2),
        ("sendto", 1),
        ("rename", 1),
    ]
    assert made[0].label == "openat(~/pco/spool/tmp/WEB-1.PID O_WRONLY|O_CREAT|O_EXCL|O_CLOEXEC)"
    assert made[3].paths == ("~/pco/sessions/WEB-1",)
    assert made[5].label == "rename(~/pco/spool/tmp/WEB-1.PID ~/pco/spool/pending/WEB-1.json)"


def test_points_lie_at_calls_that_touch_the_site_and_kills_at_what_goes_out_too():
    made = calls.read(TRACE, Path("/w/live"))

    kills = [(call.name, call.nth) for call in calls.points(made, calls.KILL)]
    assert kills == [("openat", 1), ("write", 2), ("openat", 2), ("sendto", 1), ("rename", 1)]
    assert [call.name for call in calls.points(made, calls.EIO)] == ["openat", "write", "openat", "rename"]
    assert [call.name for call in calls.points(made, calls.ENOSPC)] == ["openat", "write", "rename"]


def test_a_kill_where_nothing_was_changed_since_the_one_before_is_the_same_kill():
    fsync = "fsync(7</w/live/pco/spool/tmp/WEB-1.4711>) = 0\n"
    made = calls.read(TRACE.replace("openat(9", fsync + fsync + "openat(9"), Path("/w/live"))

    kills = [(call.name, call.nth) for call in calls.points(made, calls.KILL) if call.changes and call.anew]
    # At the second fsync, and at what goes out, all is as it was at the first: a kill comes before the call.
    assert kills == [("openat", 1), ("write", 2), ("fsync", 1), ("rename", 1)]


def test_a_beginning_of_the_order_lies_everywhere():
    assert sorted(_halving(11)) == list(range(11))
    assert sorted(_halving(16)[:4]) == [0, 4, 8, 12]


def test_a_fault_that_did_not_fire_is_as_bad_as_a_violation():
    call = calls.read(TRACE, Path("/w/live"))[0]
    for seen in (Seen(Point("poll", "KILL", call), False), Seen(Point("poll", "KILL", call), True, ("lost: WEB-1",))):
        tally = Tally(SCENES[0], points=1)
        tally.take(seen)
        assert not Outcome({"poll": tally}).good
    tally = Tally(SCENES[0], points=1)
    tally.take(Seen(Point("poll", "KILL", call), True))
    assert Outcome({"poll": tally}).good


def test_every_program_that_writes_has_a_scene():
    programs = {path.name for path in (TOP / "bin").iterdir()}

    assert programs - WITHOUT.keys() == {scene.command[0] for scene in SCENES}
    assert programs > WITHOUT.keys()


def test_the_manual_explains_each_promise_and_each_fault():
    page = (TOP / "share/man/pco-promises.7.md").read_text()

    assert {scene.promise for scene in SCENES} == set(re.findall(r"^## (.*)$", page, re.M))
    assert all(re.search(rf"\b{fault}\b", page) for fault in FAULTS)


def test_the_manual_has_a_figure_for_each_promise_and_none_of_a_violation():
    page = (TOP / "share/man/pco-promises.7.md").read_text()
    row = re.compile(r"^    (\d) (\w[\w ]*?)  +(\S.*?)  +([\d,]+)  +(\d+)  (\S.*?)  +(\d{4}-\d\d-\d\d)$", re.M)
    rows = row.findall(page.partition("# Figures")[2])

    assert {number for number, *_ in rows} == {"1", "2", "3", "4", "5", "6"}
    assert len(rows) == page.partition("# Figures")[2].count("2026-")
    for _, _, harness, points, violations, _, _ in rows:
        assert int(points.replace(",", "")) > 0 and violations == "0", harness
