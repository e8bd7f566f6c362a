"""A machine in trouble: no room, no inodes, a disk that is read-only, files that cannot be read, or are of a newer pco,
a lock that is held, a clock that was set back.

Each program says in one line what is wrong and ends with a code that says so; nothing is lost; once the trouble is over
the same program does what it could not, without anybody mending anything.
"""

import fcntl
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from faults import invariants
from pco import sim
from pco.ground import times
from pco.ground.ticket import Post, State
from pco.rules import comment
from programs.polling import World
from sessions import a_mirror, born
from support import BOUND, Site, laid_out, put

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(os.geteuid() != 0, reason="mounts file systems of its own: for root"),
]
PURGED = "WEB-6"  # a purge needs no record: it may be done whatever is the matter
# Exit codes that say what is wrong: data, no service, the system, try later, not permitted, the configuration.
SAYS = {65, 69, 71, 75, 77, 78}
TMUX = """#!/bin/sh
while test $# -gt 0; do case "$1" in
list-sessions) cat {folder}/living 2>/dev/null || {{ echo 'no server running' >&2; exit 1; }};;
new-session) starts=1;;
--) break;;
-s) shift; test -n "$starts" && echo "$1" | tee -a {folder}/living >>{folder}/started;;
esac; shift; done
exit 0
"""


@dataclass
class Trouble:
    """A pco with one ticket in each state that matters, on a small disk of its own, and its Plane."""

    site: Site
    world: World
    disk: Path

    def keys(self) -> dict[str, str]:
        """Where each ticket is."""
        return {key: str(state) for key, state in self.site.spool().places(*State).items()}

    def comments(self, key: str) -> int:
        """How many comments of pco an item has."""
        item = self.site.spool().read(key).uuid
        rows = self.world.sim.rows("comments")
        return sum(row["issue"] == item and row["external_source"] == "pco" for row in rows)


@pytest.fixture
def trouble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Trouble]:
    """WEB-2 is pending, WEB-3 in the outbox, WEB-4 approved, WEB-5 active, WEB-6 posted, and WEB-7 is new in Plane."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m,nr_inodes=3000", "tmpfs", disk], check=True)
    try:
        with sim.running(rate=0) as plane:
            site = laid_out(disk / "pco")
            world = World(site, plane)
            project = plane.project("WEB")["id"]
            world.configure(projects=[{"id": project, "repository": str(a_mirror(tmp_path / "web.git"))}])
            site.configure(
                health={"reserve": "1M"},
                backup={"keep": "7d"},
                sessions={"runner": "tmux", "command": ["true"], "per_project": 4, "limit": 4, "start_within": "1h"},
            )
            a_tmux(tmp_path / "bin")
            monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
            (site.home / "backups").mkdir(exist_ok=True)
            world.jonas.create("Old", state="Backlog", description_html="<p>Old</p>")
            world.poll()
            for name in ("First", "Second", "Third", "Fourth", "Fifth"):
                world.jonas.create(name, state="Todo", description_html=f"<p>{name}</p>")
            world.poll()
            for key in ("WEB-5", "WEB-4"):
                if key == "WEB-4":
                    site.run("pco-launch")
                site.run("pco-queue", "approve", "--yes", key)
            born(site.home / "sessions" / "WEB-5" / "1.1" / "out")
            world.place("WEB-6", State.POSTED)
            waits = world.read("WEB-3").with_round(summary="Done.")
            post = Post("<p>Done.</p>", comment.external_id(waits))
            world.spool.path("WEB-3", State.PENDING).unlink()
            put(world.spool, waits.with_round(post=replace(post)), State.OUTBOX)
            world.jonas.create("Sixth", state="Todo", description_html="<p>Sixth</p>")
            plane.settle()
            yield Trouble(site, world, disk)
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def a_tmux(folder: Path) -> None:
    """A tmux that only writes down which sessions it was asked for, and says that they live."""
    folder.mkdir()
    program = folder / "tmux"
    program.write_text(TMUX.format(folder=folder))
    program.chmod(0o755)


def started(trouble: Trouble) -> list[str]:
    """The tickets for which a session was asked for, each time that it was."""
    return sorted((trouble.disk.parent / "bin" / "started").read_text().split())


# What goes wrong, until the block ends.


@contextmanager
def full(trouble: Trouble) -> Iterator[tuple[str, ...]]:
    """No block is left, and the reserve is gone."""
    for reserve in trouble.site.home.rglob(".reserve"):
        os.truncate(reserve, 0)
    much = trouble.disk / "much"
    handle = os.open(much, os.O_WRONLY | os.O_CREAT)
    try:
        while os.write(handle, b"x" * 4096):
            pass
    except OSError:
        os.close(handle)
    yield ()
    much.unlink()


@contextmanager
def no_inodes(trouble: Trouble) -> Iterator[tuple[str, ...]]:
    """No file can be made."""
    many = trouble.disk / "many"
    many.mkdir()
    n = 0
    try:
        while True:
            (many / str(n := n + 1)).touch()
    except OSError:
        pass
    yield ()
    subprocess.run(["rm", "-rf", many], check=True)


@contextmanager
def read_only(trouble: Trouble) -> Iterator[tuple[str, ...]]:
    """The disk was mounted anew, for reading only, as ext4 does after an error."""
    subprocess.run(["mount", "-o", "remount,ro", trouble.disk], check=True)
    yield ()
    subprocess.run(["mount", "-o", "remount,rw", trouble.disk], check=True)


@contextmanager
def unreadable(trouble: Trouble) -> Iterator[tuple[str, ...]]:
    """Records and memory may not be read."""
    paths = [*(trouble.site.home / "spool").glob("*/*.json"), *(trouble.site.home / "plane").rglob("*.json")]
    modes = {path: path.stat().st_mode & 0o777 for path in paths}
    for path in paths:
        path.chmod(0)
    yield BOUND
    for path, mode in modes.items():
        if path.stem != PURGED or path.exists():
            path.chmod(mode)


@contextmanager
def foreign(trouble: Trouble) -> Iterator[tuple[str, ...]]:
    """Folders belong to somebody else, who lets nobody in."""
    folders = [trouble.site.home / name for name in ("spool/pending", "spool/outbox", "plane", "audit", "www")]
    modes = {path: path.stat().st_mode & 0o7777 for path in folders}
    for path in folders:
        os.chown(path, 12345, 12345)
        path.chmod(0o700)
    yield BOUND
    for path, mode in modes.items():
        os.chown(path, 0, 0)
        path.chmod(mode)


@contextmanager
def locked(trouble: Trouble) -> Iterator[tuple[str, ...]]:
    """Somebody holds the spool's lock and does nothing."""
    spool = trouble.site.spool("pco-queue")
    with ExitStack() as held:
        held.enter_context(spool.lock())
        yield ()


@contextmanager
def posting(trouble: Trouble) -> Iterator[tuple[str, ...]]:
    """Another pco-post hangs."""
    with trouble.site.spool("pco-post").alone():
        yield ()


@contextmanager
def audited(trouble: Trouble) -> Iterator[tuple[str, ...]]:
    """Somebody holds the audit record's lock and does nothing."""
    with max((trouble.site.home / "audit").glob("*.jsonl")).open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield ()


@contextmanager
def newer(trouble: Trouble) -> Iterator[tuple[str, ...]]:
    """A newer pco wrote the records, and was taken back."""
    paths = [*(trouble.site.home / "spool").glob("*/*.json")]
    kept = {path: path.read_bytes() for path in paths}
    for path, data in kept.items():
        path.write_text(json.dumps({**json.loads(data), "schema": 99}))
    yield ()
    for path, data in kept.items():
        if path.exists():
            path.write_bytes(data)
        else:
            assert path.stem == PURGED, f"{path} is gone"


@contextmanager
def backwards(trouble: Trouble) -> Iterator[tuple[str, ...]]:
    """The clock was 40 days ahead, and is right again: what was written then stays."""
    paths = [*(trouble.site.home / "spool").glob("*/*.json"), *(trouble.site.home / "plane").glob("*/head.json")]
    for path in paths:
        path.write_text(json.dumps(_ahead(json.loads(path.read_bytes()))))
    for path in (trouble.site.home / "spool").glob("wake/*"):
        os.utime(path, (time.time() + AHEAD.total_seconds(),) * 2)
    yield ()


def _ahead(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {inner: _ahead(one, inner) for inner, one in value.items()}
    if isinstance(value, list):
        return [_ahead(one) for one in value]
    return times.iso(times.parse_time(value) + AHEAD) if value and name in TIMES else value


AHEAD = timedelta(days=40)
TIMES = {"at", "sending_since", "polled_at", "tried_at", "watermark", "swept_at"}
TROUBLES: dict[str, Callable[[Trouble], Any]] = {
    made.__name__: made
    for made in (full, no_inodes, read_only, unreadable, foreign, locked, posting, audited, newer, backwards)
}
# What cannot be done meanwhile; else the trouble would have been none.
BITES = {
    "full": {"approve", "attest", "backup", "launch", "complete", "purge"},
    "no_inodes": {"approve", "attest", "backup", "launch", "complete"},
    "read_only": {"poll", "approve", "post", "backup", "launch", "complete", "purge"},
    "unreadable": {"poll", "approve", "post", "launch", "complete"},
    "foreign": {"poll", "approve", "post", "launch", "complete", "purge"},
    "locked": {"approve", "post"},
    "posting": {"post"},
    "audited": {"approve"},
    "newer": {"approve", "reject", "post", "launch", "complete"},
    "backwards": set[str](),
}
# What is tried meanwhile, and afterwards, and where it then has brought which ticket.
DEEDS = {
    "launch": (["pco-launch"], "WEB-4", "active"),
    "poll": (["pco-poll"], "WEB-7", "pending"),
    "approve": (["pco-queue", "approve", "--yes", "WEB-2"], "WEB-2", "approved"),
    "reject": (["pco-queue", "reject", "--yes", "WEB-2"], "WEB-2", "rejected"),
    "post": (["pco-post"], "WEB-3", "posted"),
    "complete": (["pco-complete", "WEB-5", "Did it."], "", ""),
    "watch": (["pco-watch", "--once"], "", ""),
    "purge": (["pco-purge", "--yes", PURGED], "", ""),
    "dashboard": (["pco-dashboard"], "", ""),
    "retention": (["pco-retention"], "", ""),
    "backup": (["pco-backup"], "", ""),
    "notify": (["pco-notify"], "", ""),
    "attest": (["pco-doctor", "attest", "26.1", "--note", "Anna"], "", ""),
}
WAITS = ("approve", "post")  # for a lock: each takes as long as its patience


@pytest.mark.parametrize("name", TROUBLES)
def test_a_machine_in_trouble_loses_nothing_and_goes_on_by_itself(trouble: Trouble, name: str) -> None:
    before = trouble.keys()
    silent, done, failed = [], set(), set()
    with TROUBLES[name](trouble) as by:
        for deed, (words, _, _) in DEEDS.items():
            if name in ("locked", "audited") and deed not in WAITS:
                continue
            begun = time.monotonic()
            said = trouble.site.run(words[0], *words[1:], code=None, by=by)
            assert "Traceback" not in said.stderr, f"{deed}: {said.stderr}"
            assert time.monotonic() - begun < 60, deed
            if said.returncode == 0:
                done.add(deed)  # it could do so all the same: of the reserve, without a lock, from what it had
                continue
            assert said.returncode in SAYS, f"{deed}: {said.returncode} {said.stderr}"
            failed.add(deed)
            if not said.stderr.strip():
                silent.append(deed)
    print(name, sorted(failed))
    assert not silent
    assert failed >= BITES[name]
    assert not (name == "backwards" and failed)
    known = trouble.keys()
    stay = set(before) - {PURGED}
    assert set(known) >= (stay if "purge" in done else set(before))

    for deed, (words, key, state) in DEEDS.items():
        if deed == "reject" or (deed == "approve" and known["WEB-2"] != "pending"):
            continue
        if deed in ("complete", "purge") and deed in done:
            continue  # it was acknowledged: it counts
        said = trouble.site.run(words[0], *words[1:], code=None)
        assert said.returncode == 0, f"{deed}, afterwards: {said.returncode} {said.stderr}"
        if key and deed not in done:
            assert trouble.keys()[key] == state, deed
    (trouble.disk.parent / "bin" / "living").write_text("WEB-4\n")  # the session that was completed ends
    trouble.site.run("pco-watch", "--once")
    last = trouble.keys()
    assert set(last) == {*stay, "WEB-7"}
    assert "corrupt" not in last.values(), last
    assert last["WEB-3"] == "posted" and trouble.comments("WEB-3") == 1
    assert last["WEB-4"] == "active" and last["WEB-5"] == "completed"
    asked = started(trouble)
    assert set(asked) >= {"WEB-4", "WEB-5"} and len(set(asked)) == len(asked), asked  # each at most once
    assert trouble.site.spool().read("WEB-5").round.summary == "Did it."
    assert trouble.site.run("pco-audit", "verify", "--no-journal").returncode == 0
    left = invariants.half_written(trouble.site)
    assert not left


def test_a_description_of_megabytes_is_taken_in_cut_or_refused_in_words(trouble: Trouble) -> None:
    for megabytes in (1, 4):  # Plane takes up to five
        row = trouble.world.jonas.create(
            "Long", state="Todo", description_html="<p>" + "word " * (megabytes * 250_000) + "</p>"
        )
        key = trouble.world.jonas.key(row)
        said = trouble.world.poll(code=None)

        assert "Traceback" not in said.stderr
        assert said.returncode in {0, *SAYS}, said
        known = trouble.keys()
        assert key in known or key in said.stderr, said.stderr
