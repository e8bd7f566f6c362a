"""Programs that are run on events: what is a mistake of somebody is refused, what the disk does is no mistake."""

import errno
import os
from pathlib import Path

import pytest

from pco.ground.errors import SystemFault
from pco.outside import hooks

OURS = {os.geteuid()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """hooks.d with one program, in a folder that only its owner can change."""
    program = tmp_path / "hooks.d" / "backup" / "10-copy"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return tmp_path / "hooks.d"


@pytest.mark.parametrize("call", ["listdir", "stat"])
def test_a_disk_that_fails_is_not_taken_for_a_folder_without_programs(folder, monkeypatch, call):
    real = getattr(os, call)

    def fails(path: str | Path, *args: object, **more: object) -> object:
        if "backup" in str(path):
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
        return real(path, *args, **more)

    monkeypatch.setattr(os, call, fails)

    with pytest.raises(SystemFault, match=r"hooks\.d/backup.*: Input/output error"):
        hooks.find(folder, "backup", OURS)


def test_a_link_that_leads_nowhere_is_refused_and_the_others_are_found(folder):
    (folder / "backup" / "20-gone").symlink_to("/nowhere/at/all")

    found, refused = hooks.find(folder, "backup", OURS)

    assert [one.name for one in found] == ["backup/10-copy"]
    assert [(one.name, one.why) for one in refused] == [("backup/20-gone", "cannot be read: No such file or directory")]


def test_a_link_that_leads_to_itself_is_refused(folder):
    (folder / "backup" / "20-round").symlink_to(folder / "backup" / "20-round")

    _, refused = hooks.find(folder, "backup", OURS)

    assert [one.name for one in refused] == ["backup/20-round"]


def test_an_event_without_programs_has_none(folder):
    assert hooks.find(folder, "failed", OURS) == ([], [])
