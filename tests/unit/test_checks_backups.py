"""The boxes about backups."""

import json
from datetime import timedelta

import pytest

from checking import NOW, Status, look, put, site
from pco.ground import backups
from pco.ground.backups import Mark

NAME = "20261122T030000Z"


def happened(top, what, ago=timedelta(hours=9), good=True, name=NAME, note="12 tickets"):
    """A backup was made, carried away or tried so long ago."""
    (top / "pco/metrics").mkdir(parents=True, exist_ok=True)
    backups.note(top / "pco/metrics", what, Mark(name, NOW - ago, note), good=good)


def made(top):
    """A backup lies there."""
    put(top, f"/pco/backups/{NAME}/manifest.json", json.dumps({}))
    happened(top, "made")


def carrier(top, mode=0o755):
    put(top, "/etc/pco/hooks.d/backup/10-copy", "#!/bin/sh\n", mode)


@pytest.mark.box("10.2", "well")
def test_a_restore_that_was_tried_within_the_month_is_shown(tmp_path):
    happened(tmp_path, "tested", timedelta(days=20))

    assert look(site(tmp_path), "10.2").evidence == f"{NAME}, 20d ago, 12 tickets"


@pytest.mark.box("10.2", "ill")
@pytest.mark.parametrize("case", ["never", "too long ago", "failed since"])
def test_without_such_a_trial_nobody_knows_whether_backups_are_any_good(tmp_path, case):
    if case != "never":
        happened(tmp_path, "tested", timedelta(days=40 if case == "too long ago" else 3))
    if case == "failed since":
        happened(tmp_path, "tested", timedelta(days=1), good=False, note="spool.tar.gz: it is not what was written")

    found = look(site(tmp_path), "10.2")

    assert (found.status, found.mend) == (Status.FAIL, "sudo pco-restore --test")
    assert ("spool.tar.gz" in found.evidence) == (case == "failed since")


def test_a_failure_that_went_well_since_is_forgotten(tmp_path):
    happened(tmp_path, "tested", timedelta(days=2), good=False)
    happened(tmp_path, "tested", timedelta(days=1))

    assert look(site(tmp_path), "10.2").status is Status.OK


@pytest.mark.box("10.4", "well")
def test_a_backup_that_was_carried_away_today_is_shown(tmp_path):
    carrier(tmp_path)
    happened(tmp_path, "offsite", note="10-copy")

    assert look(site(tmp_path), "10.4").evidence == f"{NAME}, 9h ago, 10-copy"


@pytest.mark.box("10.4", "ill")
@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("no program", "nothing carries them away"),
        ("open to others", "is not run: others than root can write to"),
        ("never", "no backup was carried away"),
        ("two days ago", "too long ago"),
        ("failed", "the last try failed"),
    ],
)
def test_backups_that_stay_on_the_machine_are_ill(tmp_path, case, words):
    if case != "no program":
        carrier(tmp_path, 0o777 if case == "open to others" else 0o755)
    if case == "two days ago":
        happened(tmp_path, "offsite", timedelta(days=2))
    if case == "failed":
        happened(tmp_path, "offsite", timedelta(days=1))
        happened(tmp_path, "offsite", good=False)

    found = look(site(tmp_path), "10.4")

    assert found.status is Status.FAIL
    assert words in found.evidence


@pytest.mark.box("23.3", "well")
def test_a_backup_a_trial_and_no_version_to_go_back_to_are_a_way_back(tmp_path):
    made(tmp_path)
    happened(tmp_path, "tested")

    found = look(site(tmp_path), "23.3")

    assert found.status is Status.OK
    assert "no version of pco was here before" in found.evidence


@pytest.mark.box("23.3", "ill")
@pytest.mark.parametrize(
    ("case", "status", "words"),
    [
        ("no backup", Status.FAIL, "there is no backup"),
        ("removed", Status.FAIL, f"{NAME} is no longer in"),
        ("not tried", Status.FAIL, "no backup was restored to try it"),
        ("no package", Status.WARN, "the package of the version before (0.0.9) is not at hand"),
    ],
)
def test_what_is_missing_of_the_way_back_is_named(tmp_path, case, status, words):
    (tmp_path / "pco/backups").mkdir(parents=True)
    if case == "removed":
        happened(tmp_path, "made")
    elif case != "no backup":
        made(tmp_path)
    if case != "not tried":
        happened(tmp_path, "tested")
    if case == "no package":
        (tmp_path / "usr/lib/pco/0.0.9-deadbeef.run").mkdir(parents=True)

    found = look(site(tmp_path), "23.3")

    assert (found.status, words in found.evidence) == (status, True), found


def test_with_the_package_of_before_at_hand_an_upgrade_can_be_undone(tmp_path):
    made(tmp_path)
    happened(tmp_path, "tested")
    (tmp_path / "usr/lib/pco/0.0.9-deadbeef.run").mkdir(parents=True)
    put(tmp_path, "/var/cache/apt/archives/pco_0.0.9_all.deb", "")

    found = look(site(tmp_path), "23.3")

    assert found.status is Status.OK and "has pco 0.0.9" in found.evidence


def test_a_standing_that_is_torn_is_said_with_its_file(tmp_path):
    put(tmp_path, "/pco/metrics/backup/tested.json", "{torn")

    found = look(site(tmp_path), "10.2")

    assert found.status is Status.FAIL and "tested.json" in found.evidence
