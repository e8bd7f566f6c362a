"""The boxes about what keeps disks from filling, and about what must go."""

import json
import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from checking import NOW, Status, look, note, put, site
from pco.checks import Finding, Site, room
from pco.ground import audit
from pco.ground.ticket import State
from pco.spool import Spool
from support import a_ticket
from support import put as placed

WELL = json.dumps({"status": "ok", "reasons": []})


def laid_out(top: Path, health: str = WELL, **sections: object) -> Site:
    """A pco with a spool, which says how it is."""
    where = site(top, **sections)
    Spool(where.config.paths.spool, "pco-poll").lay_out()
    if health:
        put(top, "/pco/www/health.json", health)
    return where


# The alarm.


def nearly_full(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every disk has 10 % left."""
    monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result((4096, 4096, 1000, 100, 100, 900, 900, 900, 0, 255)))


@pytest.fixture
def roomy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every disk has 90 % left."""
    monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result((4096, 4096, 1000, 900, 900, 900, 900, 900, 0, 255)))


@pytest.mark.usefixtures("roomy")
@pytest.mark.box("9.1", "well")
def test_an_alarm_as_shipped_is_well(tmp_path):
    found = look(laid_out(tmp_path), "9.1")

    assert (found.status, found.evidence) == (
        Status.OK,
        "told below 20%, and no session starts; each disk has more now",
    )


@pytest.mark.usefixtures("roomy")
@pytest.mark.parametrize(
    ("free", "status", "words"),
    [("0%", Status.FAIL, "nobody is told of a full disk"), ("5%", Status.WARN, "told below 5% only")],
)
@pytest.mark.box("9.1", "ill")
def test_an_alarm_that_is_off_or_late_is_named(tmp_path, free, status, words):
    found = look(configured(tmp_path, free), "9.1")

    assert (found.status, words in found.evidence) == (status, True)
    assert "health: {disk_free: 20%}" in found.mend


def configured(top: Path, free: str) -> Site:
    """A pco whose alarm is set otherwise."""
    where = site(top, health={"disk_free": free})
    Spool(where.config.paths.spool, "pco-poll").lay_out()
    put(top, "/pco/www/health.json", WELL)
    return where


@pytest.mark.usefixtures("roomy")
def test_a_pco_that_does_not_say_how_it_is_is_named(tmp_path):
    found = look(laid_out(tmp_path, health=""), "9.1")

    assert (found.status, found.mend) == (Status.WARN, "sudo systemctl start pco-dashboard")


def test_a_full_disk_must_be_in_what_pco_says_of_itself(tmp_path, monkeypatch):
    nearly_full(monkeypatch)
    where = laid_out(tmp_path)
    mute = look(where, "9.1")
    reason = f"{where.config.paths.spool}: 10% of the disk is free (wanted: 20%)"
    put(tmp_path, "/pco/www/health.json", json.dumps({"status": "degraded", "reasons": [reason]}))
    told = look(where, "9.1")

    assert (mute.status, "health.json does not say so" in mute.evidence) == (Status.FAIL, True)
    assert (told.status, "and health.json says so" in told.evidence) == (Status.OK, True)


@pytest.mark.usefixtures("roomy")
def test_a_reserve_that_was_given_up_to_a_full_disk_is_named(tmp_path):
    where = laid_out(tmp_path)
    (where.config.paths.spool / ".reserve").write_bytes(b"")

    assert "is empty: nothing is kept for a full disk" in look(where, "9.1").evidence


# The clean-up.

TIMER = {"ActiveState": "active", "NextElapseUSecRealtime": "Mon 2026-11-23 04:30:00 UTC"}
WELL_RUN = {
    "last night": ({"LastTriggerUSec": "Sun 2026-11-22 04:30:00 UTC"}, "last 7h ago, next in"),
    "new": ({"ActiveEnterTimestamp": "Sun 2026-11-22 11:00:00 UTC"}, "it has not run yet; next in"),
}
ILL_RUN = {
    "never": ({"ActiveEnterTimestamp": "Sun 2026-11-15 11:00:00 UTC"}, {}, "it has not run yet"),
    "late": ({"LastTriggerUSec": "Fri 2026-11-20 04:30:00 UTC"}, {}, "it is late: last 2d ago"),
    "stopped": ({"ActiveState": "inactive"}, {}, "pco-retention.timer does not run"),
    "failed": ({}, {"ActiveState": "failed", "Result": "exit-code"}, "has failed (exit-code)"),
}


def run(top: Path, timer: dict[str, str], service: dict[str, str]) -> Finding:
    """What is found where systemd shows these."""
    where = replace(laid_out(top), systemd=True)
    shown = {"pco-retention.timer": TIMER | timer, "pco-retention.service": {"ActiveState": "inactive"} | service}
    where.once("units", lambda: shown)
    found = room.cleaned(where)
    note("9.3", found)
    return found


@pytest.mark.parametrize("case", WELL_RUN)
@pytest.mark.box("9.3", "well")
def test_a_clean_up_that_runs_daily_is_well(tmp_path, case):
    timer, words = WELL_RUN[case]

    found = run(tmp_path, timer, {})

    assert (found.status, words in found.evidence) == (Status.OK, True), found


@pytest.mark.parametrize("case", ILL_RUN)
@pytest.mark.box("9.3", "ill")
def test_a_clean_up_that_is_late_stopped_or_failed_is_named(tmp_path, case):
    timer, service, words = ILL_RUN[case]

    assert words in run(tmp_path, timer, service).evidence


# Purges.


def purge(where: Site, key: str, days: float) -> None:
    """The record of a purge."""
    audit.append(where.config.paths.audit, NOW - timedelta(days=days), "purged", "ann", key, {"from": "posted"})


def older(path: Path, days: float) -> None:
    stamp = (NOW - timedelta(days=days)).timestamp()
    os.utime(path, (stamp, stamp))


@pytest.mark.box("21.4", "well")
def test_purged_tickets_of_which_nothing_is_left_are_counted(tmp_path):
    where = laid_out(tmp_path)
    none = look(where, "21.4")
    purge(where, "WEB-1", 40)
    purge(where, "WEB-2", 3)

    found = look(where, "21.4")

    assert none.evidence == "no ticket was purged by now, and no purge is unfinished"
    assert found.evidence == "2 tickets purged, nothing is left of them; the last was WEB-2, by ann, 3d ago"
    assert (none.status, found.status) == (Status.OK, Status.OK)


@pytest.mark.parametrize("what", ["record", "attempts", "page", "branch", "packed branch"])
@pytest.mark.box("21.4", "ill")
def test_what_is_left_of_a_purged_ticket_is_named(tmp_path, what):
    where = laid_out(tmp_path)
    paths = where.config.paths
    purge(where, "WEB-12", 1)
    if what == "record":
        placed(Spool(paths.spool, "pco-poll"), a_ticket("WEB-12"), State.POSTED)
    elif what == "attempts":
        (paths.sessions / "WEB-12").mkdir()
        older(paths.sessions / "WEB-12", 2)
    elif what == "page":
        older(put(tmp_path, "/pco/www/ticket/WEB-12.html", "x"), 2)
    elif what == "branch":
        put(tmp_path, "/pco/mirrors/x.git/refs/heads/pco/WEB-12", "0" * 40)
    else:
        put(tmp_path, "/pco/mirrors/x.git/packed-refs", f"{'0' * 40} refs/heads/pco/WEB-12\n")

    found = look(where, "21.4")

    assert (found.status, found.mend) == (Status.FAIL, "sudo pco-purge WEB-12")
    assert found.evidence.startswith("WEB-12 was purged 1d ago, and is still in ")


def test_another_ticket_that_has_the_key_now_is_none_of_it(tmp_path):
    where = laid_out(tmp_path)
    purge(where, "LOCAL-1", 3)
    audit.append(where.config.paths.audit, NOW - timedelta(days=2), "moved", "ann", "LOCAL-1", {"to": "pending"})
    placed(Spool(where.config.paths.spool, "pco-poll"), a_ticket("LOCAL-1", local=True), State.PENDING)
    put(tmp_path, "/pco/www/ticket/LOCAL-1.html", "x")

    assert look(where, "21.4").evidence == "no ticket was purged by now, and no purge is unfinished"


def test_a_purge_that_is_not_finished_after_two_days_is_named(tmp_path):
    where = laid_out(tmp_path)
    control = Spool(where.config.paths.spool, "pco-poll").control
    control.begin_purge("WEB-1", "ann", NOW - timedelta(days=1))
    assert look(where, "21.4").status is Status.OK

    control.begin_purge("WEB-2", "ann", NOW - timedelta(days=3))
    assert look(where, "21.4").evidence == "a purge is not finished: WEB-2"
