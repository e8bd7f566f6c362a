"""The boxes about what pco keeps, what it has done, and who did what."""

import json
import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from checking import NOW, Status, look, put, site
from pco.checks import Site, audited, state
from pco.checks.services import deployed
from pco.ground import attempt, attested, audit, leavings, polled, shape
from pco.ground.attested import Word
from pco.ground.polled import Head
from pco.ground.ticket import Attempt, Post, Round, State, Trigger
from pco.rules import retry
from pco.spool import Spool
from support import T0, WEB, a_ticket
from support import put as placed

MOUNTS = "21 1 8:1 / / rw - ext4 /dev/sda1 rw\n30 21 0:9 / {} rw,noatime - {} none {}\n"


def laid_out(top: Path, **sections: object) -> Site:
    """A pco with a spool."""
    where = site(top, **sections)
    Spool(where.config.paths.spool, "pco-poll").lay_out()
    return where


# Sizes.


@pytest.mark.box("9.2", "well")
def test_sizes_of_all_folders_are_shown(tmp_path):
    put(tmp_path, "/pco/sessions/WEB-1/1.1/big", "x" * (3 << 20))

    found = look(site(tmp_path), "9.2")

    assert (found.status, "sessions 3 MiB, mirrors " in found.evidence) == (Status.OK, True)


def test_a_folder_with_too_many_files_to_count_is_said_to_be_one(tmp_path, monkeypatch):
    monkeypatch.setattr(state, "COUNTED", timedelta(0))

    found = look(site(tmp_path), "9.2")

    assert (found.status, "sessions too many files to be counted" in found.evidence) == (Status.OK, True)


@pytest.mark.box("9.2", "ill")
def test_what_has_outgrown_what_is_left_of_its_disk_is_named(tmp_path, monkeypatch):
    put(tmp_path, "/pco/mirrors/x", "x" * 4096)
    full = os.statvfs(tmp_path)
    monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result((*full[:4], 0, *full[5:])))

    found = look(site(tmp_path), "9.2")

    assert (found.status, "takes more than is left on its disk" in found.evidence) == (Status.WARN, True)


# The spool's disk.


def mounted(top: Path, kind: str, options: str = "rw") -> Site:
    """A spool on a file system of its own."""
    where = laid_out(top)
    put(top, "/proc/self/mountinfo", MOUNTS.format(where.config.paths.spool, kind, options))
    return replace(where, systemd=True)


@pytest.mark.box("11.1", "well")
def test_a_spool_on_a_disk_is_written_and_read_and_left_as_it_was(tmp_path):
    where = mounted(tmp_path, "ext4")

    found = look(where, "11.1")

    assert (found.status, found.evidence.endswith("on ext4: written, flushed, read back")) == (Status.OK, True)
    assert not list((where.config.paths.spool / "tmp").iterdir())


@pytest.mark.parametrize(("kind", "words"), [("tmpfs", "restart"), ("nfs4", "renaming"), ("overlay", "restart")])
@pytest.mark.box("11.1", "ill")
def test_a_spool_that_is_fleeting_or_far_is_ill(tmp_path, kind, words):
    found = look(mounted(tmp_path, kind), "11.1")

    assert (found.status, f"is on {kind}" in found.evidence, words in found.evidence) == (Status.FAIL, True, True)


def test_a_disk_that_does_not_keep_what_was_flushed_is_ill(tmp_path):
    assert "nobarrier" in look(mounted(tmp_path, "ext4", "rw,nobarrier"), "11.1").evidence


def test_a_spool_that_is_gone_is_ill_and_not_a_bug(tmp_path):
    where = mounted(tmp_path, "ext4")
    (where.config.paths.spool / "tmp").rmdir()

    assert look(where, "11.1").status is Status.FAIL


# What was tried.


TRIED = ("17.2", "17.4", "24.3")


@pytest.mark.box("17.2", "ill")
@pytest.mark.box("17.4", "ill")
@pytest.mark.box("24.3", "ill")
def test_what_was_not_tried_says_how_to(tmp_path):
    for id in TRIED:
        found = look(site(tmp_path), id)

        assert (found.status, found.evidence) == (Status.WARN, "not yet")
        assert found.mend.startswith("sudo pco-doctor --")


@pytest.mark.box("17.2", "well")
@pytest.mark.box("17.4", "well")
@pytest.mark.box("24.3", "well")
def test_what_was_tried_is_told(tmp_path):
    where = site(tmp_path)
    for id in TRIED:
        attested.write(where.config.paths.audit, Word(id, "pco-doctor", NOW, "went well"))

        assert look(where, id).evidence == "went well (pco-doctor, 0s ago)"


@pytest.mark.parametrize(
    ("good", "days", "status"), [(True, 3, Status.OK), (True, 200, Status.WARN), (False, 3, Status.FAIL)]
)
@pytest.mark.parametrize("id", TRIED)
def test_what_was_tried_counts_for_half_a_year_if_it_went_well(tmp_path, id, good, days, status):
    where = site(tmp_path)
    word = Word(id, "pco-doctor", NOW - timedelta(days=days), "20 tickets", good=good)
    attested.write(where.config.paths.audit, word)

    found = look(where, id)

    assert (found.status, found.evidence) == (status, f"20 tickets (pco-doctor, {days}d ago)")


@pytest.mark.parametrize(
    ("note", "status"), [("30m watched: nothing seen", "ok"), ("5m watched: nothing seen", "warn")]
)
def test_a_watch_of_a_few_minutes_is_not_enough(tmp_path, note, status):
    where = site(tmp_path)
    attested.write(where.config.paths.audit, Word("24.3", "pco-doctor", NOW, note))

    assert look(where, "24.3").status == status


# What has happened: polls, latencies, real tickets.


def polled_at(where: Site, minutes: float, **more: object) -> Site:
    """A project that was polled so long ago."""
    head = Head(WEB, key="WEB", polled_at=NOW - timedelta(minutes=minutes), total_count=8, **more)
    polled.write(where.config.paths.plane, head)
    return where


def of_web(top: Path) -> Site:
    """A pco with one project."""
    return laid_out(top, plane={"projects": [{"id": WEB, "repository": "/srv/web.git"}]})


@pytest.mark.box("18.4", "well")
def test_a_poll_of_this_minute_is_well(tmp_path):
    assert look(polled_at(of_web(tmp_path), 0.5), "18.4").evidence == "WEB 30s ago, 8 items"


@pytest.mark.box("18.4", "ill")
def test_polls_that_fail_or_are_missing_are_ill(tmp_path):
    where = of_web(tmp_path)
    never = look(where, "18.4")
    failing = look(polled_at(where, 2, failed=2, error="Plane is silent"), "18.4")
    late = look(polled_at(where, 20, failed=9, error="Plane is silent"), "18.4")

    assert (never.status, failing.status, late.status) == (Status.FAIL, Status.WARN, Status.FAIL)
    assert late.evidence == "WEB: the last good poll was 20m ago: Plane is silent"


def test_torn_knowledge_of_a_project_is_ill_and_not_a_bug(tmp_path):
    where = of_web(tmp_path)
    put(tmp_path, f"/pco/plane/{WEB}/head.json", "{")

    assert look(where, "18.4").status is Status.FAIL


def finished(where: Site, number: int, seconds: float, **more: object) -> None:
    """A posted ticket whose session ended so many seconds before it was completed."""
    key, end = f"WEB-{number}", where.now - timedelta(minutes=number)
    attempts = (Attempt(1, end - timedelta(minutes=1), end, retry.COMPLETED),)
    post = Post("done", f"{key}:1:x", posted_at=end)
    ticket = a_ticket(key, rounds=(Round(1, Trigger("new", NOW), attempts=attempts, post=post),), **more)
    spool = Spool(where.config.paths.spool, "pco-poll")
    placed(spool, ticket, State.POSTED)
    spool.index.rebuild()
    out = attempt.folder(where.config.paths.sessions, key, 1, 1) / "out"
    out.mkdir(parents=True)
    exit = leavings.Exit(end - timedelta(seconds=seconds), 0)
    (out / "exit").write_text(json.dumps(shape.dump(exit)))


@pytest.mark.box("18.5", "well")
def test_how_soon_ends_were_noticed_is_told(tmp_path):
    where = laid_out(tmp_path)
    for number, seconds in enumerate((0.1, 0.2, 30), 1):
        finished(where, number, seconds)

    said = "of the last 3: 0.2 s from the end of the session to completed, 30.0 s at most"
    assert look(where, "18.5").evidence == said


@pytest.mark.box("18.5", "ill")
def test_ends_that_are_noticed_late_are_ill(tmp_path):
    where = laid_out(tmp_path)
    assert look(where, "18.5").evidence == "no session has ended with a summary lately"
    finished(where, 1, 60)

    assert look(where, "18.5").status is Status.WARN


@pytest.mark.box("24.4", "well")
def test_a_ticket_of_plane_that_was_posted_is_named(tmp_path):
    where = laid_out(tmp_path)
    finished(where, 7, 1)

    assert look(where, "24.4").evidence == "WEB-7 was posted 7m ago"


@pytest.mark.box("24.4", "ill")
def test_local_tickets_and_those_of_before_the_deployment_do_not_count(tmp_path):
    where = replace(laid_out(tmp_path), now=deployed() - timedelta(days=1))
    finished(where, 7, 1, local=True)
    assert look(where, "24.4").status is Status.WARN
    finished(where, 8, 1)
    assert look(replace(where, _known={}), "24.4").status is Status.OK

    assert look(replace(where, _known={}, systemd=True), "24.4").status is Status.WARN


# What is kept, and for how long.


@pytest.mark.box("21.1", "well")
def test_what_is_kept_is_told_with_the_oldest(tmp_path):
    where = laid_out(tmp_path)
    finished(where, 7, 1)

    said = look(replace(where, now=T0 + timedelta(hours=2)), "21.1").evidence
    assert said.startswith("workspaces 30d, posted 365d (oldest 2h), rejected 180d, failed 365d, audit 730d, ")


@pytest.mark.box("21.1", "ill")
def test_what_should_be_gone_and_is_not_is_named(tmp_path):
    where = laid_out(tmp_path)
    finished(where, 7, 1)
    (tmp_path / "var/lib/private/pco-agent/WEB-7").mkdir(parents=True)
    later = replace(where, systemd=True, root=True, now=NOW + timedelta(days=40))

    found = look(later, "21.1")

    assert (found.status, found.evidence.endswith("overdue: WEB-7")) == (Status.WARN, True)
    Spool(where.config.paths.spool, "pco-purge").control.begin_purge("WEB-9", "ann", NOW)
    assert look(where, "21.1").evidence.endswith("overdue: WEB-9 (its purge is unfinished)")


# Who did what.


def recorded(where: Site, *events: str, months: int = 0) -> Path:
    """An audit record."""
    folder = where.config.paths.audit
    for number, event in enumerate(events):
        audit.append(folder, NOW + timedelta(days=31 * (number * months)), event, "ann", "WEB-1", {"n": number})
    return folder


@pytest.mark.box("22.1", "well")
def test_a_whole_record_is_well_over_months(tmp_path):
    where = site(tmp_path)
    recorded(where, "moved", "attested", "moved", months=1)

    found = look(where, "22.1")

    assert found.evidence.startswith("3 records in 3 files, each follows from the one before; the last: moved by ann")


def test_a_record_whose_oldest_months_were_put_away_is_well(tmp_path):
    where = site(tmp_path)
    folder = recorded(where, "moved", "moved", "moved", months=1)
    sorted(folder.glob("*.jsonl"))[0].unlink()

    assert look(where, "22.1").status is Status.OK


def test_of_a_long_record_the_latest_months_are_read_and_that_is_said(tmp_path, monkeypatch):
    where = site(tmp_path)
    months = sorted(recorded(where, "moved", "attested", "moved", months=1).glob("*.jsonl"))
    monkeypatch.setattr(audited, "MOST_READ", months[1].stat().st_size + months[2].stat().st_size)
    months[0].write_text("x\n")
    found = look(where, "22.1")
    monkeypatch.setattr(audited, "MOST_READ", 1)
    least = look(where, "22.1")

    assert found.evidence.startswith("2 records since 2026-12 (sudo pco-audit verify reads all), each follows")
    assert least.evidence.startswith("1 record since 2027-01 (")


def test_a_record_that_a_power_cut_has_torn_is_well(tmp_path):
    where = site(tmp_path)
    folder = recorded(where, "moved")
    with open(next(folder.glob("*.jsonl")), "a") as file:
        file.write('{"at": "20')
    assert look(where, "22.1").evidence.endswith("; the last is torn")
    recorded(where, "moved")

    assert look(where, "22.1").status is Status.OK


TAMPERING = {
    "changed": lambda lines: [lines[0], lines[1].replace("attested", "moved"), lines[2]],
    "removed": lambda lines: [lines[0], lines[2]],
    "swapped": lambda lines: [lines[0], lines[2], lines[1]],
    "garbled": lambda lines: [lines[0], "x", lines[2]],
}


@pytest.mark.parametrize("kind", TAMPERING)
@pytest.mark.box("22.1", "ill")
def test_a_record_that_was_tampered_with_is_named_by_its_line(tmp_path, kind):
    where = site(tmp_path)
    month = next(recorded(where, "moved", "attested", "moved").glob("*.jsonl"))
    month.write_text("\n".join(TAMPERING[kind](month.read_text().splitlines())) + "\n")

    found = look(where, "22.1")

    assert (found.status, found.evidence.startswith("2026-11.jsonl: line ")) == (Status.FAIL, True)
    assert found.mend.startswith("sudo pco-audit verify; sed -n '")


def test_nothing_recorded_is_a_warning(tmp_path):
    assert look(site(tmp_path), "22.1").status is Status.WARN
