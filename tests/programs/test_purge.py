"""pco-purge: all of a ticket goes, everywhere; what remains is named; what a crash cuts off is finished."""

import json
import os
import re
import signal
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pco.ground import audit, spend
from pco.ground.spend import Book, Spent
from pco.ground.ticket import State
from pco.outside import gitlocks
from pco.spool.notices import Notice, leave
from programs.backing import furnish, git, mirror
from sessions import until
from support import T0, WEB, Site, a_ticket, put

SECRET = "jane.doe@example.org"
# Killed by itself, in Python, before the Nth file or folder goes or gets another name.
HURT = """
import os, signal, sys
left = [{number}]
def count(event, args):
    if event in ("os.remove", "os.rename", "os.rmdir", "shutil.rmtree") and "pco" in " ".join(sys.argv):
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(count)
"""


@pytest.fixture
def full(site: Site) -> Site:
    """A pco in which WEB-6, posted, has left something everywhere; WEB-7 (failed) and WEB-8 have, too."""
    furnish(site)
    (site.home / "spool/rejected/WEB-8.json").unlink()
    put(site.spool(), a_ticket("WEB-8", description=f"Ask {SECRET}."), State.REJECTED)
    site.spool("pco-watch").index.rebuild()
    mirror(site, "WEB-6")
    for key in ("WEB-6", "WEB-8"):
        home = site.home / "sessions" / key / "1.1"
        home.mkdir(parents=True)
        (home / "prompt.md").write_text(f"Ask {SECRET.upper()} about it.")
        (home / "screen").write_bytes(b"\x1b[1mjane.\x1b[0mdoe@example.org\x1b[K")
        (site.home / "www/ticket").mkdir(exist_ok=True)
        (site.home / f"www/ticket/{key}.html").write_text("<html>")
        leave(site.home / "spool", f"failed-{key}", Notice("held back", T0, key, {"why": "it is so"}))
    day = (datetime.now(UTC) - timedelta(days=9)).date()
    sessions = {"WEB-6:1.1": Spent(0.0, 2.0), "WEB-6:1.2": Spent(1.0, 1.5), "WEB-8:1.1": Spent(0.0, 4.0)}
    spend.write(site.home / "metrics", day, Book(sessions=sessions))
    return site


def remains(site: Site, key: str) -> list[str]:
    """Every file, branch and line in which a key still is, but for the audit record and backups."""
    own = re.compile(rf"(?<![A-Z0-9]){key}(?![0-9])".encode())
    top = site.home
    found = []
    for folder, names, files in os.walk(top):
        names[:] = [n for n in names if Path(folder) / n not in (top / "audit", top / "backups", top / "work")]
        for name in (*names, *files):
            path = Path(folder) / name
            if own.search(name.encode()) or (path.is_file() and own.search(path.read_bytes())):
                found.append(str(path.relative_to(top)))
    return found


def purged(site: Site) -> list[tuple[str, str]]:
    """What the audit record says of purges: key, and the names of its fields."""
    lines = [json.loads(line) for path in sorted((site.home / "audit").glob("*.jsonl")) for line in path.open()]
    return [(line["key"], " ".join(sorted(line["fields"]))) for line in lines if line["event"] == "purged"]


def test_nothing_of_a_ticket_is_left_and_everything_of_the_others_is(full):
    before = remains(full, "WEB-8")
    tip = git("rev-parse", "pco/WEB-6", cwd=full.home / "mirrors" / f"{WEB}.git")
    # What only it had is taken for older than an hour.
    for path in (full.home / "mirrors").rglob("*"):
        os.utime(path, (T0.timestamp() - 86400 * 30,) * 2) if path.is_file() else None

    said = full.run("pco-purge", "--yes", "WEB-6").stdout

    assert said == "WEB-6: purged\n"
    assert remains(full, "WEB-6") == []
    assert remains(full, "WEB-8") == before
    assert purged(full) == [("WEB-6", "from why")]
    with pytest.raises(Exception, match="exit status"):
        git("cat-file", "-e", tip, cwd=full.home / "mirrors" / f"{WEB}.git")
    assert git("rev-parse", "--verify", "pco/WEB-4", cwd=full.home / "mirrors" / f"{WEB}.git")
    (book,) = [spend.read(full.home / "metrics", d) for d in spend.days(full.home / "metrics") if d != T0.date()]
    assert book.total == 6.5
    assert set(book.sessions) == {"gone", "WEB-8:1.1"}
    assert full.spool().count(State.POSTED) == 0


def test_a_page_that_is_being_made_of_its_record_goes_too(full):
    page = full.home / "www/ticket/WEB-6.html"
    page.unlink()

    with full.spool("pco-dashboard").alone():
        purge = full.start("pco-purge", "--yes", "WEB-6", stdout=subprocess.PIPE)
        until(lambda: full.spool().find("WEB-6") is None)
        with pytest.raises(subprocess.TimeoutExpired):
            purge.wait(1)
        page.write_text("<html>")
    said, _ = purge.communicate(timeout=30)

    assert (purge.returncode, said) == (0, "WEB-6: purged\n")
    assert remains(full, "WEB-6") == []


def test_a_ticket_that_comes_again_while_its_purge_waits_keeps_its_page(full):
    page = full.home / "www/ticket/WEB-6.html"

    with full.spool("pco-dashboard").alone():
        purge = full.start("pco-purge", "--yes", "WEB-6", stdout=subprocess.PIPE)
        until(lambda: full.spool().find("WEB-6") is None and not page.exists())
        put(full.spool(), a_ticket("WEB-6"), State.PENDING)
        page.write_text("<html>of the new one")
    purge.communicate(timeout=30)

    assert purge.returncode == 0
    assert page.read_text() == "<html>of the new one"


@pytest.mark.parametrize("key", ["WEB-3", "WEB-5"])
def test_what_is_under_way_is_refused(full, key):
    said = full.run("pco-purge", "--yes", key, "WEB-6", code=65)

    assert re.search(rf"{key}: is (active|outbox): it is not purged", said.stderr)
    assert remains(full, key)
    assert said.stdout == "WEB-6: purged\n"


@pytest.mark.parametrize("number", range(1, 15, 2))
def test_what_a_crash_cut_off_the_next_retention_finishes(full, tmp_path, number):
    hurt = tmp_path / "hurt"
    hurt.mkdir()
    (hurt / "sitecustomize.py").write_text(HURT.format(number=number))
    environment = {**full.environment(), "PYTHONPATH": str(hurt)}
    others = remains(full, "WEB-8")

    code = full.run("pco-purge", "--yes", "WEB-6", code=None, env=environment).returncode
    begun = (full.home / "spool/control/purge/WEB-6").exists()
    full.run("pco-retention")

    assert code in (-signal.SIGKILL, 0)
    if begun or code == 0:
        assert remains(full, "WEB-6") == []
        assert ("WEB-6", "from why") in purged(full)
    else:
        assert full.spool().find("WEB-6") is State.POSTED, "it was not even begun"
        assert purged(full) == []
    assert remains(full, "WEB-8") == others


def test_a_purge_is_not_over_before_the_commits_are_gone(full):
    folder = full.home / "mirrors" / f"{WEB}.git"
    tip = git("rev-parse", "pco/WEB-6", cwd=folder)
    for path in folder.rglob("*"):
        os.utime(path, (T0.timestamp() - 86400 * 30,) * 2) if path.is_file() else None
    (folder / "gc.pid.lock").touch()

    with gitlocks.at_work(folder):  # another git works there: the lock may be its own
        full.run("pco-purge", "--yes", "WEB-6", code=75)
        full.run("pco-retention", code=75)
    assert git("cat-file", "-t", tip, cwd=folder) == "commit"
    assert purged(full) == []
    full.run("pco-retention")

    assert purged(full) == [("WEB-6", "from why")]
    assert remains(full, "WEB-6") == []
    with pytest.raises(Exception, match="exit status"):
        git("cat-file", "-e", tip, cwd=folder)


def test_a_ticket_that_came_back_meanwhile_is_another_one_and_stays(full):
    full.spool("pco-purge").control.begin_purge("WEB-6", "ann", T0 - timedelta(days=9))

    said = full.run("pco-retention").stderr

    assert "it came back as a new ticket" in said
    assert full.spool().find("WEB-6") is State.POSTED
    assert not (full.home / "spool/control/purge/WEB-6").exists()


def test_a_dry_run_shows_what_would_go_and_removes_nothing(full):
    before = remains(full, "WEB-6")

    said = full.run("pco-purge", "--dry-run", "WEB-6").stdout

    assert "its record, posted" in said
    assert "the branch pco/WEB-6" in said
    assert f"{full.home}/sessions/WEB-6" in said
    assert f"{full.home}/www/ticket/WEB-6.html" in said
    assert "ledgers of 1 days" in said
    assert remains(full, "WEB-6") == before
    assert purged(full) == []


def test_nobody_who_cannot_be_asked_loses_a_ticket(full):
    said = full.run("pco-purge", "WEB-6", code=2, stdin=-3).stderr

    assert "add --yes" in said
    assert full.spool().find("WEB-6") is State.POSTED


def test_the_backups_that_still_hold_it_are_named(full):
    (full.home / "backups").mkdir(exist_ok=True)
    full.run("pco-backup")
    (held,) = [path.name for path in (full.home / "backups").iterdir() if path.name[0] != "."]

    said = full.run("pco-purge", "--yes", "WEB-6").stdout

    assert f"{full.home}/backups/{held}" in said
    assert "nothing is known of it" in full.run("pco-purge", "--yes", "WEB-77").stdout
    assert held in full.run("pco-purge", "--yes", "WEB-6").stdout, "asked again it is named again"


def test_a_link_in_place_of_a_folder_is_removed_and_not_followed(full, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "mine").write_text("x")
    (full.home / "sessions/WEB-6/1.1/link").symlink_to(elsewhere)
    (full.home / "sessions/WEB-7").symlink_to(elsewhere)

    full.run("pco-purge", "--yes", "WEB-6", "WEB-7")

    assert (elsewhere / "mine").read_text() == "x"
    assert not os.path.lexists(full.home / "sessions/WEB-7")


def test_a_search_lists_each_place_for_a_person_to_decide(full):
    audit.append(full.home / "audit", T0, "note", "ann", "WEB-8", {"why": f"for {SECRET}"})

    said = full.run("pco-purge", "--search", "Jane.Doe@Example.org").stdout
    places = re.findall(r"^(WEB-\d) +(\S+)", said, re.M)

    assert ("WEB-8", "rejected/WEB-8.json") in places
    assert ("WEB-8", "WEB-8/1.1/prompt.md") in places
    assert ("WEB-6", "WEB-6/1.1/screen") in places
    assert any(key == "WEB-8" and where.startswith("audit/") for key, where in places)
    assert full.spool().find("WEB-8") is State.REJECTED
    assert "nowhere" in full.run("pco-purge", "--search", "john").stdout
