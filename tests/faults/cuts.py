"""The power goes: what a disk has at a call is all that there is afterwards.

The site lies on an ext4 of its own, a file under a loop device.  The program is stopped at a call, the file is copied
as it is then, the program is killed, and the copy is mounted in its place: what was written and not flushed is gone.
The file system is told not to write anything by itself for a while.  Needs root.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from faults import calls, mounts
from faults.calls import CUT, KILL, Call
from faults.engine import Point, Seen, Stage
from faults.running import LIMIT, Ended, Started, Tracer

SIZE = "48M"
# Nor does it guess that whoever renames a file over another one would have flushed it.
OPTIONS = "commit=900,noauto_da_alloc"
NEEDED = ("mkfs.ext4", "strace")


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
    # Where a file system lists its files in another order, the call has another number: then it is looked for.
    for search in (False, True):
        with disk.mounted(disk.fresh()):
            ended, fired = _cut(stage, point.call, disk, search)
        if fired:
            break
    wrong: tuple[str, ...] = ()
    if fired:
        with disk.mounted(disk.copy):
            wrong = tuple(dict.fromkeys(stage.judged(point, ended)))
    shutil.rmtree(disk.folder)
    return Seen(point, fired, wrong, time.monotonic() - begun, ended)


def _cut(stage: Stage, meant: Call, disk: "Disk", search: bool) -> tuple[Ended, bool]:
    """Run the program up to the call, and copy the disk as it is then."""
    if stage.scene.plane:
        stage.world.speak()
    started = stage.start()
    if meant.name == "exit":
        started.go()
        ended = started.end()
        disk.remember()
        return ended, ended.code in stage.scene.codes
    tracer = Tracer(started, stage.trace, calls.STOP, meant.name, 1 if search else meant.nth, onwards=search)
    fired = _stops(stage, started, tracer, meant, search)
    disk.remember()
    said = started.out.read_text(errors="replace")
    started.kill()
    ended = started.end()
    tracer.told()
    # Whoever has read its word takes it for done, however it ended then.
    code = 0 if said.strip() and stage.scene.asked else ended.code
    return Ended(code, said, ended.err, ended.late), fired


def _stops(stage: Stage, started: Started, tracer: Tracer, meant: Call, search: bool) -> bool:
    """Wait until it stands at the call, sending it on from others; whether it does."""
    stops, deadline = 0, time.monotonic() + LIMIT
    while time.monotonic() < deadline:
        over = started.wait(0.002)
        before, now = tracer.stopped()
        if now > stops:
            stops = now
            made = [one for one in calls.read(before, stage.world.live) if one.name == meant.name]
            if made and made[-1].id == meant.id:
                return True
            if not search:
                return False
            with suppress(ProcessLookupError):
                os.kill(started.pid, signal.SIGCONT)
        elif over:
            break
    return False


class Disk:
    """The disk of a scene's site."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.folder = stage.kept.with_name("disks")
        self.folder.mkdir(exist_ok=True)
        self.original = stage.kept.with_name(f"{stage.kept.name}.ext4")
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
        with mounts.mounted(image, self.stage.world.home, "ext4", OPTIONS):
            try:
                yield
            finally:
                self.stage.world.hush()


def _copy(source: Path, target: Path) -> None:
    subprocess.run(["cp", "--reflink=never", "--sparse=always", str(source), str(target)], check=True)
