"""The power goes: what a disk has at a call is all that there is afterwards.

The site lies on a file system of its own, on a disk that remembers what is written.  The program is stopped at a call
and killed, and a disk with all that was written by then is mounted in its place: what the file system still held back
is gone.  It is told not to write anything by itself for a while.  Needs root.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from faults import calls, disks, mounts
from faults.calls import KILL, Call
from faults.engine import Point, Seen, Stage
from faults.running import LIMIT, Ended, Started, Tracer
from pco.ground import boot

BEFORE = b"00000000-0000-4000-8000-000000000000"  # the boot that the power cut has ended


@dataclass(frozen=True)
class Kind:
    """A file system: how large its disk is at least, how it is made, and mounted: it shall write nothing by itself."""

    name: str
    size: int
    make: tuple[str, ...]
    options: str


KINDS = {
    kind.name: kind
    for kind in (
        # Nor shall ext4 guess that whoever renames a file over another one would have flushed it.
        Kind("ext4", 48 << 20, ("mkfs.ext4", "-q", "-F"), "commit=900,noauto_da_alloc"),
        Kind("xfs", 320 << 20, ("mkfs.xfs", "-q", "-f"), "nouuid"),
        Kind("btrfs", 128 << 20, ("mkfs.btrfs", "-q"), "commit=900,nodiscard"),
    )
}


def kind_of(fault: str) -> Kind:
    """The file system of a fault."""
    return KINDS[fault.partition(".")[2] or "ext4"]


def possible() -> bool:
    """Whether file systems can be mounted here; a tool that make installs and is not there is a mistake, no reason."""
    there = all(Path(device).exists() for device in ("/dev/loop-control", "/dev/fuse"))
    return there and mounts.allowed()


def points(stage: Stage, fault: str) -> list[Point]:
    """Before each change, and before each word: what lies in between is the same to the disk.  And after its end."""
    chosen = [call for call in calls.points(stage.calls, KILL) if call.changes]
    end = Call("exit", 1, 1, "exit()", "?", ("~",))
    return [Point(stage.scene.name, fault, call) for call in (*chosen, end)]


def play(stage: Stage, point: Point) -> Seen:
    """Have the power go at a call, and let the machine start again."""
    begun, disk = time.monotonic(), Disk(stage, kind_of(point.fault))
    # Where a file system lists its files in another order, the call has another number: then it is looked for.
    for search in (False, True):
        with disk.recorded():
            ended, fired = _cut(stage, point.call, disk, search)
        if fired:
            break
    wrong: tuple[str, ...] = ()
    if fired:
        with disk.holding(disks.read(disk.log, disk.cut)):
            wrong = tuple(dict.fromkeys(stage.judged(point, ended)))
    return Seen(point, fired, wrong, time.monotonic() - begun, ended)


def _cut(stage: Stage, meant: Call, disk: "Disk", search: bool) -> tuple[Ended, bool]:
    """Run the program up to the call, and remember the disk as it is then."""
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
    """The disk of a scene's site.  `cut` is how long the log of its writes was when the power went."""

    def __init__(self, stage: Stage, kind: Kind) -> None:
        self.stage, self.kind = stage, kind
        self.original = stage.kept.with_name(f"{stage.kept.name}.{kind.name}")
        self.log = stage.kept.with_name(f"log.{kind.name}")
        self.cut = 0

    @contextmanager
    def recorded(self) -> Iterator[None]:
        """Have it where the site is, as the scene begins; what is written is remembered."""
        self._lay_out()
        with self._copied() as work, disks.recorded(work, self.log, work.with_name("fuse")) as disk, self._there(disk):
            yield

    @contextmanager
    def holding(self, records: list[disks.Record]) -> Iterator[None]:
        """Have it there with these writes on it.  Raises OSError if that cannot be mounted."""
        with self._copied() as work:
            disks.put(work, records)
            with self._there(work):
                _boot(self.stage.world.home)
                yield

    def remember(self) -> None:
        """The power goes now."""
        self.cut = self.log.stat().st_size

    def bring(self) -> None:
        """Have all that lies beside it as the scene begins."""
        self.stage.world.bring(self.stage.kept)
        shutil.rmtree(self.stage.world.home)
        self.stage.world.home.mkdir()

    def _lay_out(self) -> None:
        self.bring()
        if self.original.exists():
            return
        made = self.original.with_suffix(".new")
        with open(made, "wb") as file:
            file.truncate(self.kind.size)
        subprocess.run([*self.kind.make, str(made)], check=True, stdout=subprocess.DEVNULL)
        with self._there(made):
            kept = self.stage.kept / self.stage.world.home.name
            subprocess.run(["cp", "-a", f"{kept}/.", str(self.stage.world.home)], check=True)
        _copy(made, self.original)
        made.unlink()

    @contextmanager
    def _copied(self) -> Iterator[Path]:
        work = self.original.with_name("disk")
        _copy(self.original, work)
        try:
            yield work
        finally:
            work.unlink()

    @contextmanager
    def _there(self, image: Path) -> Iterator[None]:
        with mounts.mounted(image, self.stage.world.home, self.kind.name, self.kind.options):
            try:
                yield
            finally:
                self.stage.world.hush()


def _boot(home: Path) -> None:
    """Have the machine started again: what is only believed within one boot was written in another one.

    Not what sessions say of theirs: those of a scene go on, whatever the disk does.
    """
    for path in (home / "spool/index/counts.json", *home.glob("www/.built/*.json")):
        if path.exists():
            facts = path.stat()
            path.write_bytes(path.read_bytes().replace(boot.boot_id().encode(), BEFORE))
            os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def _copy(source: Path, target: Path) -> None:
    """Without what is zero: much of a disk is, and it lies in memory."""
    subprocess.run(["cp", "--reflink=never", "--sparse=always", str(source), str(target)], check=True)
