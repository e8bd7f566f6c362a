"""The power goes: what a disk has at a call is all that there is afterwards.

The site lies on an ext4 of its own, a file under a loop device.  The program is stopped at a call, the file is copied
as it is then, the program is killed, and the copy is mounted in its place: what was written and not flushed is gone.
The file system is told not to write anything by itself for a while.  Needs root; each mount is taken away again.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from faults import calls
from faults.calls import CUT, KILL, Call
from faults.engine import Point, Seen, Stage
from faults.running import LIMIT, Ended, Tracer

SIZE = "48M"
OPTIONS = "loop,noatime,commit=900"
NEEDED = ("mkfs.ext4", "mount", "umount", "strace")


def possible() -> bool:
    """Whether file systems can be mounted here."""
    return os.geteuid() == 0 and Path("/dev/loop-control").exists() and all(shutil.which(name) for name in NEEDED)


def points(stage: Stage) -> list[Point]:
    """Before each change, and before each word: what lies in between is the same to the disk.  And after its end."""
    chosen = [call for call in calls.points(stage.calls, KILL) if call.changes]
    end = Call("exit", 1, 1, "exit()", "?", ("~",))
    return [Point(stage.scene.name, CUT, call) for call in (*chosen, end)]


def play(stage: Stage, point: Point) -> Seen:
    """Have the power go at a call, and let the machine start again."""
    begun, disk = time.monotonic(), Disk(stage)
    for _ in range(3):
        with disk.mounted(disk.fresh()):
            ended, fired = _cut(stage, point, disk)
        if fired:
            break
        stage.trace_anew()
    wrong: tuple[str, ...] = ()
    if fired:
        with disk.mounted(disk.copy):
            wrong = tuple(dict.fromkeys(stage.judged(point, ended)))
            stage.world.hush()
    shutil.rmtree(disk.folder)
    return Seen(point, fired, wrong, time.monotonic() - begun, ended)


def _cut(stage: Stage, point: Point, disk: "Disk") -> tuple[Ended, bool]:
    """Run the program up to the call, and copy the disk as it is then."""
    if stage.scene.plane:
        stage.world.speak()
    started = stage.start()
    if point.call.name == "exit":
        started.go()
        ended = started.end()
        disk.remember()
        return ended, ended.code in stage.scene.codes
    call = stage.located(point.call)
    tracer = Tracer(started, stage.trace, calls.STOP, call.name, call.nth)
    deadline = time.monotonic() + LIMIT
    while not (tracer.stands() or started.wait(0.002)) and time.monotonic() < deadline:
        pass
    disk.remember()
    said = started.out.read_text(errors="replace")
    started.kill()
    ended = started.end()
    made = [
        one for one in calls.read(tracer.told().partition("--- SIGSTOP")[0], stage.world.live) if one.name == call.name
    ]
    # Whoever has read its word takes it for done, however it ended then.
    code = 0 if said.strip() and stage.scene.asked else ended.code
    return Ended(code, said, ended.err, ended.late), bool(made) and made[-1].id == call.id


class Disk:
    """The disk of a scene's site."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.folder = stage.kept.with_name("disks")
        self.folder.mkdir(exist_ok=True)
        self.original = stage.kept.with_suffix(".ext4")
        self.work, self.copy = self.folder / "work.ext4", self.folder / "copy.ext4"

    def fresh(self) -> Path:
        """The disk as the scene begins; all else is laid out beside it."""
        world = self.stage.world
        world.bring(self.stage.kept)
        if not self.original.exists():
            with open(self.original, "wb") as file:
                file.truncate(int(SIZE[:-1]) << 20)
            subprocess.run(["mkfs.ext4", "-q", "-F", "-d", str(world.home), str(self.original)], check=True)
        shutil.rmtree(world.home)
        world.home.mkdir()
        _copy(self.original, self.work)
        return self.work

    def remember(self) -> None:
        """Copy it, whatever the system still holds back."""
        _copy(self.work, self.copy)

    @contextmanager
    def mounted(self, image: Path) -> Iterator[None]:
        """Have it where the site is."""
        home = str(self.stage.world.home)
        subprocess.run(["mount", "-t", "ext4", "-o", OPTIONS, str(image), home], check=True)
        try:
            yield
        finally:
            self.stage.world.hush()
            if subprocess.run(["umount", home], check=False, capture_output=True).returncode:
                subprocess.run(["umount", "-l", home], check=True)


def _copy(source: Path, target: Path) -> None:
    subprocess.run(["cp", "--reflink=never", "--sparse=always", str(source), str(target)], check=True)
