"""A file system that is really full: moves and the audit record go on, by the reserve.  Nothing boots here."""

import errno
import itertools
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pco.ground import audit, reserve
from pco.ground.errors import SystemFault
from pco.ground.ticket import State
from pco.spool import Spool
from support import T0, Site, a_ticket

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")


@pytest.fixture(params=["tmpfs", "ext4"])
def small(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """A pco whose spool and audit record lie on a file system of 24 MiB, with reserves."""
    home = tmp_path / "small"
    home.mkdir()
    words = ["-t", "tmpfs", "-o", "size=24m", "tmpfs"]
    if request.param == "ext4":
        with open(tmp_path / "disk", "wb") as disk:
            disk.truncate(24 << 20)
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", tmp_path / "disk"], check=True)
        words = ["-o", "loop", str(tmp_path / "disk")]
    subprocess.run(["mount", *words, home], check=True)
    try:
        site = Site(home, home / "pco.yaml", {})
        Spool(home / "spool", "pco-poll").lay_out()
        for name in ("sessions", "mirrors", "plane", "audit", "metrics", "www", "run"):
            (home / name).mkdir()
        os.mkfifo(home / "run" / "trigger")
        site.configure(
            paths={"root": str(home)},
            health={"disk_free": "0%", "memory_free": "0M", "reserve": "2M"},
            sessions={"command": ["true"], "runner": "tmux"},
        )
        yield site
    finally:
        subprocess.run(["umount", home], check=True)


def lay_out_reserves(site: Site) -> None:
    """As tmpfiles does, and filled as pco-launch does."""
    for folder in ("spool", "audit"):
        (site.home / folder / reserve.NAME).touch()
    site.run("pco-launch")


def fill(folder: Path) -> Path:
    """Write until not a byte more fits."""
    path = folder / "filler"
    with open(path, "wb", buffering=0) as file:
        for size in (1 << 16, 1 << 10, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError as error:
                assert error.errno == errno.ENOSPC
        os.fsync(file.fileno())
    return path


def room_taken(site: Site) -> list[int]:
    return [(site.home / folder / reserve.NAME).stat().st_blocks * 512 for folder in ("spool", "audit")]


def test_without_a_reserve_a_full_disk_stops_a_move_and_leaves_the_ticket_where_it_is(small):
    small.spool().create(a_ticket("WEB-1"))
    fill(small.home)

    small.run("pco-queue", "reject", "--yes", "WEB-1", code=71)

    assert small.spool().find("WEB-1") is State.PENDING


def test_moves_and_the_audit_go_on_when_the_disk_is_full_and_the_reserve_is_made_again(small):
    keys = [f"WEB-{n}" for n in range(1, 11)]
    small.spool().create_all([a_ticket(key, description="x" * 2000) for key in keys])
    lay_out_reserves(small)
    assert room_taken(small) >= [2 << 20, 1 << 18]
    filler = fill(small.home)

    for key in keys:
        small.run("pco-queue", "reject", "--yes", key)

    assert sorted(small.spool().keys(State.REJECTED)) == sorted(keys)
    assert min(room_taken(small)) == 0, "something was given up"
    lines = [line for path in (small.home / "audit").glob("*.jsonl") for line in path.read_bytes().split(b"\n")[:-1]]
    assert {json.loads(line)["key"] for line in lines} == set(keys)
    for before, after in itertools.pairwise(lines):
        assert json.loads(after)["prev"] == audit.line_hash(before)

    small.run("pco-launch")
    assert min(room_taken(small)) == 0, "there is no room for it yet"
    filler.unlink()
    small.run("pco-launch")
    assert room_taken(small) >= [2 << 20, 1 << 18]
    assert small.spool().strangers() == []


def test_an_audit_record_that_a_full_disk_cut_off_is_taken_back(small):
    folder = small.home / "audit"
    audit.append(folder, T0, "note", "ann", "WEB-1", {})
    (month,) = folder.glob("*.jsonl")
    whole = month.read_bytes()
    fill(small.home)

    with pytest.raises(SystemFault, match="No space left"):
        audit.append(folder, T0, "note", "ann", "WEB-1", {"text": "y" * 9000})

    assert month.read_bytes() == whole
