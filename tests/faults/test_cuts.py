"""The power goes while each program works: some points of each, as CI has time for; `make faults` has all of them."""

import errno
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

from faults import cuts, disks, images
from faults.calls import CUT, LOST
from faults.disks import FLUSH, WRITE, Record
from faults.scenes import SCENES

KILLS = Path(__file__).with_name("kills.py")
POINTS, IMAGES = 150, 100
OTHERS = [f"{CUT}.xfs", f"{CUT}.btrfs", LOST, f"{LOST}.xfs", f"{LOST}.btrfs"]
# At each of these something was once wrong: btrfs brought a record back without touching the mtime of its folder.
ONCE = (("watch", "fsync:1:~/pco/spool/rejected/WEB-4.json"), ("poll", "fsync:1:~/pco/spool/rejected/WEB-1.json"))
SOME = ("queue approve", "poll, torn record", "hook: /complete", "post")


def play(*words: str) -> tuple[str, tuple[str, ...]]:
    """What was said, and how many points, fired, vacuous ones and violations there were."""
    done = subprocess.run([sys.executable, str(KILLS), *words], capture_output=True, text=True, check=False)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout, re.findall(r"^ +all +(\d+) +(\d+) +(\d+) +(\d+)", done.stdout, re.M)[0]


@pytest.mark.timeout(900)
@pytest.mark.skipif(not cuts.possible(), reason="needs root, loop devices and /dev/fuse")
def test_what_was_acknowledged_survives_a_power_cut_and_the_next_runs_make_good_the_rest() -> None:
    said, counted = play("--errno", CUT, "--points", str(POINTS))

    assert counted == (str(POINTS), str(POINTS), "0", "0")
    assert all(scene.name in said for scene in SCENES if not scene.meanwhile)


@pytest.mark.timeout(600)
@pytest.mark.skipif(not cuts.possible(), reason="needs root, loop devices and /dev/fuse")
def test_nothing_is_lost_with_writes_that_a_power_cut_left_out_or_reordered_on_any_file_system() -> None:
    faults = [word for fault in OTHERS for word in ("--errno", fault)]
    scenes = [word for name in SOME for word in ("--only", name)]

    _, counted = play(*faults, *scenes, "--points", str(IMAGES))

    assert counted == (str(IMAGES), str(IMAGES), "0", "0")


@pytest.mark.parametrize(("scene", "point"), ONCE)
@pytest.mark.skipif(not cuts.possible(), reason="needs root, loop devices and /dev/fuse")
def test_a_power_cut_at_which_something_was_wrong_once(scene: str, point: str) -> None:
    _, counted = play("--only", scene, "--point", f"{CUT}.btrfs:{point}")

    assert counted == ("1", "1", "0", "0")


def test_images_that_lack_writes_are_ten_thousand_without_those_that_lack_none() -> None:
    alone = [scene for scene in SCENES if not scene.meanwhile]

    assert images.EACH * len(alone) * len(cuts.KINDS) >= 10_000


def test_of_what_was_not_flushed_some_sectors_are_lost_and_the_others_come_in_any_order() -> None:
    written = [Record(WRITE, 0, bytes(4096) + b"1" * 4096), Record(WRITE, 12288, b"2" * 4096)]
    made = [tuple(one.offset for one in disks.torn(written, random.Random(seed))) for seed in range(200)]

    assert {offset for some in made for offset in some} == {0, 4096, 12288}
    assert {len(some) for some in made} == {0, 1, 2}
    assert {(0, 4096), (4096, 0)} <= set(made)
    assert made == [tuple(one.offset for one in disks.torn(written, random.Random(seed))) for seed in range(200)]


@pytest.mark.skipif(not cuts.possible(), reason="needs root, loop devices and /dev/fuse")
def test_a_disk_remembers_each_write_and_each_flush_in_their_order(tmp_path: Path) -> None:
    image, log = tmp_path / "image", tmp_path / "log"
    image.write_bytes(b"a" * 65536)

    with disks.recorded(image, log, tmp_path / "place") as disk:
        handle = os.open(disk, os.O_RDWR)
        before = os.pread(handle, 4, 4096)
        os.pwrite(handle, b"b" * 4096, 4096)
        os.fsync(handle)
        size = log.stat().st_size
        os.pwrite(handle, b"c" * 8192, 8192)
        after = os.pread(handle, 2, 8191)
        os.close(handle)
        with pytest.raises(OSError) as refused:
            os.open(disk.with_name("other"), os.O_RDONLY)

    assert (before, after, refused.value.errno) == (b"aaaa", b"bc", errno.ENOENT)
    assert disks.read(log, size) == [Record(WRITE, 4096, b"b" * 4096), Record(FLUSH)]
    assert disks.read(log) == [*disks.read(log, size), Record(WRITE, 8192, b"c" * 8192)]
    assert disks.read(log, size + 100) == disks.read(log, size)
