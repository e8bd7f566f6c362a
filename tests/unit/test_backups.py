"""Backups on disk, and how they stand."""

import json
from datetime import timedelta

import pytest

from pco.ground import backups
from pco.ground.backups import Manifest, Mark, Member
from pco.ground.errors import BadConfig, BadData
from support import T0

NAME = "20261122T120000Z"


def manifest(**changes):
    given = {"name": NAME, "at": T0, "version": "1", "host": "h", "records": 3, "counts": {"pending": 2}}
    return Manifest(**{**given, "members": (Member("spool.tar.gz", 10, "00"),), **changes})


def write(folder, value):
    folder.mkdir(exist_ok=True)
    (folder / "manifest.json").write_bytes(value if isinstance(value, bytes) else json.dumps(value).encode())


def test_a_name_is_a_time_and_back():
    assert backups.name_of(T0) == NAME
    assert backups.time_of(NAME) == T0


@pytest.mark.parametrize("name", ["", "latest", ".20261122T120000Z", "20261322T120000Z", f"{NAME}.bak", "lost+found"])
def test_other_names_are_none_of_a_backup(name):
    assert backups.time_of(name) is None


def test_a_manifest_is_read_as_it_was_written(tmp_path):
    write(tmp_path, backups.to_bytes(manifest()))

    assert backups.read(tmp_path) == manifest()
    assert (manifest().size, manifest().tickets) == (10, 2)


@pytest.mark.parametrize("name", ["../spool.tar.gz", "a/b.gz", ".x.gz", "manifest.json", "x.tar", ""])
def test_a_member_cannot_lead_out_of_the_backup(tmp_path, name):
    write(tmp_path, backups.to_bytes(manifest(members=(Member(name, 10, "00"),))))

    with pytest.raises(BadData, match="is no name of a member"):
        backups.read(tmp_path)


def test_a_manifest_of_a_newer_version_or_a_torn_one_is_refused(tmp_path):
    write(tmp_path, {"schema": 99})
    with pytest.raises(BadConfig, match="newer pco"):
        backups.read(tmp_path)
    write(tmp_path, b"{torn")
    with pytest.raises(BadData, match=r"manifest\.json"):
        backups.read(tmp_path)


def test_only_whole_ones_are_listed_newest_first(tmp_path):
    for name in (NAME, "20261123T120000Z", ".20261124T120000Z"):
        write(tmp_path / name, b"{}")
    (tmp_path / "20261125T120000Z").mkdir()

    assert backups.names(tmp_path) == ["20261123T120000Z", NAME]


def test_the_last_good_one_is_known_though_later_ones_failed(tmp_path):
    backups.note(tmp_path, "made", Mark(NAME, T0, "2 tickets"), good=True)
    backups.note(tmp_path, "made", Mark("", T0 + timedelta(days=1), "disk full"), good=False)

    found = backups.standing(tmp_path, "made")

    assert found.failing and found.good == Mark(NAME, T0, "2 tickets")
    backups.note(tmp_path, "made", Mark(NAME, T0 + timedelta(days=2)), good=True)
    assert not backups.standing(tmp_path, "made").failing
