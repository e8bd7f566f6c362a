"""pco-dashboard: the pages that it writes, and those that it leaves alone."""

import fcntl
import json
import os
import re
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pagewalk import walk
from pco.ground import attempt, boot, polled, spend
from pco.ground.polled import Head
from pco.ground.record import to_bytes
from pco.ground.spend import Book
from pco.ground.ticket import Approval, Attempt, Cost, Entry, Note, Post, Round, State, Ticket, Trigger
from pco.spool import Spool
from sessions import until
from support import T0, TOP, WEB, Site, a_ticket, put
from terminal import Terminal

NOW = datetime.now(UTC)
FEEDS = {"board.json", "health.json", "metrics.txt"}  # and ok.json, when all is well


@pytest.fixture(autouse=True)
def no_worry_about_the_disk(site: Site) -> None:
    """The machine that runs the tests may have a full disk."""
    site.configure(health={"disk_free": "0%", "memory_free": "0M"})


def www(site: Site) -> Path:
    return site.home / "www"


def files(site: Site) -> dict[str, int]:
    """Every file that a reader can see, and when it was written."""
    top = www(site)
    found = [p for p in top.rglob("*") if p.is_file() and ".built" not in p.parts]
    return {str(p.relative_to(top)): p.stat().st_mtime_ns for p in found}


def written(site: Site, *arguments: str) -> set[str]:
    """Run pco-dashboard; the files that it wrote or took away."""
    before = files(site)
    site.run("pco-dashboard", *arguments)
    after = files(site)
    return {name for name in {*before, *after} if before.get(name) != after.get(name)}


def dead_links(site: Site) -> list[str]:
    """Links of any page to a file that is not there; each page is read strictly on the way."""
    dead = []
    for page in www(site).rglob("*.html"):
        for link in walk(page.read_bytes()).links:
            target = link.partition("#")[0]
            if "://" not in link and target and not (page.parent / target).resolve().is_file():
                dead.append(f"{page.name}: {link}")
    return dead


def page(site: Site, name: str = "index.html") -> str:
    """The text of a page."""
    return walk((www(site) / name).read_bytes()).text


def value(site: Site, name: str) -> dict[str, Any]:
    return json.loads((www(site) / name).read_bytes())


def finish(spool: Spool, ticket: Ticket, at: datetime = T0, state: State = State.POSTED) -> None:
    """Put a finished ticket there, known to the index as one that pco moved."""
    entry = Entry(at, "outbox", state.value, "pco-post", ticket.round.n)
    placed = replace(ticket, state=state, history=(entry,))
    spool.path(ticket.key, state).write_bytes(to_bytes(placed))
    spool.index.recount(state)
    spool.index.rewritten(placed)


def many_posted(spool: Spool, first: int, last: int) -> None:
    """Put so many posted tickets there that processes share the work on their pages, known to the index."""
    data = to_bytes(replace(a_ticket("WEB-777"), history=(Entry(T0, "outbox", "posted", "pco-post", 1),)))
    for n in range(first, last + 1):
        spool.path(f"WEB-{n}", State.POSTED).write_bytes(data.replace(b"WEB-777", b"WEB-%d" % n))
    spool.index.rebuild()


def audited(site: Site, folder: Path, code: str, **names: str) -> dict[str, str]:
    """The environment of a pco-dashboard, and of its processes, that runs this code with each audit event of Python's.

    In it `ours` is the process that began, `seen` a list of its own for each.  <https://peps.python.org/pep-0578/>
    """
    lines = textwrap.indent(code.format(**names), "    ")
    hook = f"import os, subprocess, sys, time\nours, seen = os.getpid(), []\ndef hook(event, args):{lines}"
    (folder / "sitecustomize.py").write_text(f'{hook}if "pco-dashboard" in sys.argv[0]:\n    sys.addaudithook(hook)\n')
    return {**site.environment(), "PYTHONPATH": str(folder)}


def post_by_program(site: Site, key: str) -> None:
    """A ticket travels from pending to rejected with the real spool."""
    site.spool("pco-poll").update(key, lambda t: (t, State.REJECTED))


def test_an_empty_pco_gets_a_board(site):
    site.run("pco-dashboard")

    assert set(files(site)) == FEEDS | {"index.html", "style.css", "pco.js", "icon.svg"}
    assert "Nothing waits for a person." in page(site)
    assert dead_links(site) == []


def test_every_ticket_gets_a_card_and_a_page(site, spool):
    for n, state in enumerate([State.PENDING, State.APPROVED, State.COMPLETED, State.FAILED, State.OUTBOX], 1):
        put(spool, a_ticket(f"WEB-{n}"), state)
    finish(spool, a_ticket("WEB-6"))

    site.run("pco-dashboard")

    for n in range(1, 7):
        assert f"Title of WEB-{n}" in page(site)
        assert f"Title of WEB-{n}" in page(site, f"ticket/WEB-{n}.html")
    assert "Title of WEB-6" in page(site, "2026-11.html")
    assert dead_links(site) == []
    assert {
        oct(p.stat().st_mode & 0o777) for p in www(site).rglob("*.*") if p.is_file() and ".built" not in p.parts
    } == {"0o644"}


def test_silent_on_success_and_says_with_v_what_it_wrote(site, spool):
    put(spool, a_ticket(), State.PENDING)

    quiet = site.run("pco-dashboard")
    told = site.run("pco-dashboard", "-v", "--full")

    assert (quiet.stdout, quiet.stderr) == ("", "")
    assert "files written" in told.stderr


def test_a_run_without_change_writes_nothing(site, spool):
    for n in range(1, 20):
        put(spool, a_ticket(f"WEB-{n}"), [State.PENDING, State.COMPLETED][n % 2])
    finish(spool, a_ticket("WEB-20"))
    site.run("pco-dashboard")

    assert written(site) == set()


def test_where_the_machine_comes_into_another_zone_all_pages_say_so(site, spool):
    finish(spool, a_ticket("WEB-1"))
    put(spool, a_ticket("WEB-2"), State.PENDING)

    for zone, named in (("Europe/Berlin", "CET/CEST"), ("Asia/Tokyo", "JST")):
        site.run("pco-dashboard", env={**site.environment(), "TZ": zone})
        for name in ("ticket/WEB-1.html", "ticket/WEB-2.html", "2026-11.html"):
            assert f"imes in {named}." in page(site, name)


def test_a_run_without_change_reads_no_record(site, spool):
    put(spool, a_ticket("WEB-1"), State.PENDING)
    finish(spool, a_ticket("WEB-2"))
    site.run("pco-dashboard")

    trace = site.home / "trace"
    program = [sys.executable, str(TOP / "bin" / "pco-dashboard")]
    subprocess.run(
        ["strace", "-f", "-e", "trace=openat", "-o", str(trace), *program], env=site.environment(), check=True
    )

    opened = trace.read_text()
    assert "pco.yaml" in opened
    assert "/pending/WEB-1" not in opened and "/posted/WEB-2" not in opened and "2026-11.jsonl" not in opened


def test_the_board_is_written_again_when_its_clock_is_old(site, spool):
    put(spool, a_ticket(), State.PENDING)
    site.run("pco-dashboard")
    built = www(site) / ".built" / "now.json"
    memory = json.loads(built.read_bytes())
    memory["listed"]["at"] = "2026-11-22T12:00:00Z"
    built.write_text(json.dumps(memory))

    assert written(site) | {"index.html"} == FEEDS | {"index.html"}  # its clock shows seconds


def test_only_the_changed_ticket_is_written(site, spool):
    for n in range(1, 6):
        put(spool, a_ticket(f"WEB-{n}"), State.PENDING)
    site.run("pco-dashboard")

    spool.update("WEB-3", lambda t: (replace(t, notes=(Note(T0, "anna", "look here"),)), None))

    assert written(site) - {"index.html"} == FEEDS | {"ticket/WEB-3.html"}
    assert "look here" in page(site, "ticket/WEB-3.html")


def test_a_moved_ticket_changes_its_lane_and_its_page(site, spool):
    put(spool, a_ticket(), State.PENDING)
    site.run("pco-dashboard")

    post_by_program(site, "WEB-1")
    site.run("pco-dashboard")

    assert "rejected" in page(site, "ticket/WEB-1.html")
    assert value(site, "board.json")["counts"]["rejected"] == 1
    assert value(site, "board.json")["tickets"] == []
    assert dead_links(site) == []


def test_a_reopened_ticket_leaves_its_month_and_comes_back_to_the_board(site, spool):
    put(spool, a_ticket(), State.PENDING)
    post_by_program(site, "WEB-1")
    site.run("pco-dashboard")

    site.spool("pco-queue reopen").update("WEB-1", lambda t: (t, State.PENDING))
    site.run("pco-dashboard")

    assert "To approve" in page(site)
    assert "pco-queue approve WEB-1" not in page(site, "ticket/WEB-1.html"), "its project is not configured"
    assert not (www(site) / f"{NOW:%Y-%m}.html").exists()
    assert dead_links(site) == []


def test_a_note_on_a_finished_ticket_shows_on_its_page(site, spool):
    put(spool, a_ticket(), State.PENDING)
    post_by_program(site, "WEB-1")
    site.run("pco-dashboard")

    spool.update("WEB-1", lambda t: (replace(t, notes=(Note(T0, "anna", "it was a duplicate"),)), None))
    site.run("pco-dashboard")

    assert "it was a duplicate" in page(site, "ticket/WEB-1.html")


def test_the_page_of_a_dropped_ticket_goes(site, spool):
    put(spool, a_ticket("WEB-1"), State.PENDING)
    post_by_program(site, "WEB-1")
    put(spool, a_ticket("WEB-2"), State.CORRUPT)
    put(spool, a_ticket("WEB-3"), State.PENDING)
    site.run("pco-dashboard")
    assert "ticket/WEB-1.html" in files(site) and "ticket/WEB-2.html" in files(site)

    for key in ("WEB-1", "WEB-2"):
        site.spool("pco-queue drop").drop(key)
    site.run("pco-dashboard")

    assert [name for name in files(site) if name.startswith("ticket")] == ["ticket/WEB-3.html"]
    assert dead_links(site) == []


def test_finished_tickets_that_were_purged_by_hand_leave_no_dead_link(site, spool):
    for n in range(1, 5):
        finish(spool, a_ticket(f"WEB-{n}"), T0 - timedelta(days=40 * n))
    site.run("pco-dashboard")

    spool.path("WEB-2", State.POSTED).unlink()
    site.run("pco-dashboard")

    assert "ticket/WEB-2.html" not in files(site) and "2026-09.html" not in files(site)
    assert "WEB-2" not in page(site)
    assert dead_links(site) == []
    assert written(site) == set()


def test_a_purged_key_that_finishes_again_is_shown_again(site, spool):
    finish(spool, a_ticket("WEB-1"), T0 - timedelta(days=40))
    site.run("pco-dashboard")
    spool.path("WEB-1", State.POSTED).unlink()
    site.run("pco-dashboard")

    finish(spool, a_ticket("WEB-1"), T0)
    site.run("pco-dashboard")

    assert "2026-11.html" in files(site) and "2026-10.html" not in files(site)
    assert dead_links(site) == []


def test_what_an_earlier_life_left_goes_when_all_is_made_anew(site, spool):
    put(spool, a_ticket(), State.PENDING)
    site.run("pco-dashboard")
    (www(site) / "ticket" / "WEB-9.html").write_text("old")
    (www(site) / "1999-01.html").write_text("old")
    (www(site) / "lane-pending.html").write_text("old")
    (www(site) / "imprint.html").write_text("not ours")

    site.run("pco-dashboard", "--full")

    assert {"ticket/WEB-1.html", "imprint.html"} < set(files(site))
    assert not {"ticket/WEB-9.html", "1999-01.html", "lane-pending.html"} & set(files(site))


def test_without_memory_all_is_made_anew_and_the_same(site, spool):
    put(spool, a_ticket("WEB-1"), State.PENDING)
    finish(spool, a_ticket("WEB-2"))
    site.run("pco-dashboard")
    (www(site) / "ticket" / "WEB-1.html").write_text("torn")
    for torn in ("", "[]", '{"look": 1}'):
        (www(site) / ".built" / "now.json").write_text(torn)

        site.run("pco-dashboard")

        assert "Title of WEB-1" in page(site, "ticket/WEB-1.html")
        assert dead_links(site) == []


def test_a_page_that_a_power_cut_emptied_is_written_again_after_the_boot(site, spool):
    put(spool, a_ticket("WEB-1"), State.PENDING)
    finish(spool, a_ticket("WEB-2"))
    site.run("pco-dashboard")
    for name in ("ticket/WEB-1.html", "ticket/WEB-2.html", "2026-11.html", "index.html"):
        (www(site) / name).write_text("")
    built = www(site) / ".built" / "now.json"
    built.write_text(built.read_text().replace(boot.boot_id(), "the boot before"))

    site.run("pco-dashboard")

    assert "Title of WEB-1" in page(site, "ticket/WEB-1.html") and "Title of WEB-2" in page(site, "ticket/WEB-2.html")
    assert dead_links(site) == []


def test_the_index_of_finished_tickets_is_made_if_it_is_not_there(site, spool):
    finish(spool, a_ticket("WEB-1"))
    for path in (site.home / "spool" / "index").iterdir():
        path.unlink()

    site.run("pco-dashboard")

    assert "Title of WEB-1" in page(site, "2026-11.html")


def test_a_changed_configuration_changes_what_an_approval_is_bound_to(site, spool):
    site.configure(plane={"projects": [{"id": WEB, "repository": "/srv/git/web.git"}]})
    put(spool, a_ticket(), State.PENDING)
    site.run("pco-dashboard")
    before = page(site, "ticket/WEB-1.html")

    site.configure(sessions={"permission_mode": "plan"})
    site.run("pco-dashboard")

    after = page(site, "ticket/WEB-1.html")
    assert "--if-hash" in before and "--if-hash" in after
    assert before.partition("--if-hash")[2][:17] != after.partition("--if-hash")[2][:17]


# What cannot be read.


def test_a_corrupt_ticket_is_shown_with_its_reason_and_the_others_as_ever(site, spool):
    put(spool, a_ticket("WEB-1"), State.PENDING)
    spool.path("WEB-2", State.PENDING).write_text("{")
    spool.set_aside("WEB-2", State.PENDING, "not JSON: <b>x</b>")

    site.run("pco-dashboard")

    assert "Title of WEB-1" in page(site) and "not JSON: <b>x</b>" in page(site)
    assert "pco-queue repair WEB-2" in page(site, "ticket/WEB-2.html")
    assert value(site, "health.json")["reasons"][-1].startswith("corrupt: WEB-2")
    assert dead_links(site) == []


def test_a_torn_record_that_nobody_has_set_aside_yet_is_shown_as_corrupt_and_not_moved(site, spool):
    spool.path("WEB-2", State.PENDING).write_text("{")

    site.run("pco-dashboard")

    assert value(site, "board.json")["counts"]["corrupt"] == 1
    assert value(site, "board.json")["counts"]["pending"] == 0
    assert "was pending" in page(site)
    assert spool.find("WEB-2") is State.PENDING


def test_a_record_of_a_newer_pco_is_said_and_is_no_corruption(site, spool):
    put(spool, a_ticket("WEB-1"), State.PENDING)
    data = to_bytes(replace(a_ticket("WEB-2"), schema=99))
    spool.path("WEB-2", State.PENDING).write_bytes(data)

    said = site.run("pco-dashboard", code=78)

    assert "WEB-2: schema 99 is newer" in said.stderr
    assert value(site, "board.json")["counts"]["pending"] == 2
    assert value(site, "board.json")["counts"]["corrupt"] == 0
    assert any("schema 99" in reason for reason in value(site, "health.json")["reasons"])


def test_strangers_in_the_spool_do_no_harm(site, spool):
    (site.home / "spool" / "pending" / "README").write_text("x")
    (site.home / "spool" / "pending" / "..WEB-1.json").write_text("x")
    (site.home / "spool" / "pending" / "WEB-3.json").mkdir()

    site.run("pco-dashboard")

    assert value(site, "board.json")["counts"]["corrupt"] == 1


# Prompt and screen.


def launched(site: Site, key: str = "WEB-1", out: Path | None = None) -> tuple[Ticket, Path]:
    """A ticket with a session, and the out/ of its attempt."""
    home = attempt.folder(site.home / "sessions", key, 1, 1)
    out = out or home / "out"
    home.mkdir(parents=True)
    out.mkdir(parents=True, exist_ok=True)
    (home / "prompt.md").write_text("You are working on it.")
    current = Round(1, Trigger("new", T0), approval=Approval("anna", T0, "ab"), attempts=(Attempt(1, T0),))
    return a_ticket(key, rounds=(current,)), out


def test_prompt_and_screen_of_the_session_are_shown(site, spool):
    ticket, out = launched(site)
    (out / "screen").write_bytes(b"\x1b[32mready\x1b[0m <script>alert(1)</script>")
    put(spool, ticket, State.ACTIVE)

    site.run("pco-dashboard")

    assert "You are working on it." in page(site, "ticket/WEB-1.html")
    assert '<span class="f2">ready</span>' in (www(site) / "ticket" / "WEB-1.html").read_text()


def test_a_screen_that_changes_is_shown_though_the_record_has_not(site, spool):
    ticket, out = launched(site)
    (out / "screen").write_bytes(b"first")
    put(spool, ticket, State.ACTIVE)
    site.run("pco-dashboard")
    assert written(site) == set()

    (out / "screen").write_bytes(b"second picture")

    assert "ticket/WEB-1.html" in written(site)
    assert "second picture" in page(site, "ticket/WEB-1.html")


def test_the_screen_is_read_where_launch_json_says(site, spool, tmp_path):
    ticket, out = launched(site, out=tmp_path / "elsewhere")
    (out / "screen").write_bytes(b"seen elsewhere")
    home = attempt.folder(site.home / "sessions", "WEB-1", 1, 1)
    paths = {"workspace": "/w", "mirror": "/m", "prompt": str(home / "prompt.md"), "trigger": "/t"}
    launch = attempt.Launch("WEB-1", 1, 1, str(out), base="main", branch="pco/WEB-1", argv=("true",), **paths)
    attempt.write_launch(home, launch)
    put(spool, ticket, State.ACTIVE)

    site.run("pco-dashboard")

    assert "seen elsewhere" in page(site, "ticket/WEB-1.html")


@pytest.mark.parametrize("kind", ["link", "out is a link", "fifo", "folder", "huge"])
def test_a_planted_screen_is_not_followed_and_holds_nothing_up(site, spool, kind, tmp_path):
    ticket, out = launched(site)
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "screen").write_text("token-of-plane")
    if kind == "link":
        (out / "screen").symlink_to(secret / "screen")
    elif kind == "out is a link":
        out.rmdir()
        out.symlink_to(secret)
    elif kind == "fifo":
        os.mkfifo(out / "screen")
    elif kind == "folder":
        (out / "screen").mkdir()
    else:
        with open(out / "screen", "wb") as file:
            file.truncate(900 << 20)
    put(spool, ticket, State.ACTIVE)

    site.run("pco-dashboard")

    assert "token-of-plane" not in page(site, "ticket/WEB-1.html")
    assert "You are working on it." in page(site, "ticket/WEB-1.html")


# Hostile tickets, all the way.


def test_hostile_words_come_through_the_program_as_text(site, spool):
    for n, words in enumerate(['"><script>alert(1)</script>', "\x1b]0;x\x07\u202e\x00", "javascript:alert(1)"], 1):
        current = Round(1, Trigger("new", T0), summary=words, post=Post(words, words))
        ticket = a_ticket(f"WEB-{n}", title=words, description=words, labels=(words,), url=words, rounds=(current,))
        put(spool, ticket, State.COMPLETED)
        finish(spool, replace(ticket, key=f"WEB-{n + 10}"))

    site.run("pco-dashboard")

    assert dead_links(site) == []
    assert page(site).count('"><script>alert(1)</script>') >= 2


# Health.


def test_health_json_tells_the_truth_about_polls_and_the_watch(site, spool):
    site.configure(plane={"projects": [{"id": WEB, "repository": "/srv/git/web.git"}]})
    polled.write(site.home / "plane", Head(WEB, key="WEB", polled_at=NOW - timedelta(minutes=20), error="503"))
    site.run("pco-dashboard")
    ill = value(site, "health.json")

    polled.write(site.home / "plane", Head(WEB, key="WEB", polled_at=datetime.now(UTC)))
    with open(site.home / "spool" / ".watch.lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        site.run("pco-dashboard")
    well = value(site, "health.json")

    assert ill["status"] == "degraded" and ill["tmux_service"] == "stopped"
    assert [reason.partition(" for ")[0] for reason in ill["reasons"]] == [
        "WEB: no successful poll",
        "pco-watch is not running: nobody notices what sessions do",
    ]
    assert (well["status"], well["tmux_service"], well["reasons"]) == ("ok", "running", [])
    assert "Well" in page(site)


@pytest.fixture
def watched(site: Site) -> Iterator[Path]:
    """A pco-watch that holds its lock, as far as others can see; gives the lock's file."""
    path = site.home / "spool" / ".watch.lock"
    with open(path) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield path


def test_ok_json_says_the_same_and_is_there_only_while_pco_is_well(site, spool, watched):
    site.run("pco-dashboard")
    well = (www(site) / "ok.json").read_bytes()
    same = (www(site) / "health.json").read_bytes()

    site.configure(health={"disk_free": "99.99%"})
    site.run("pco-dashboard")

    assert json.loads(well)["status"] == "ok" and well == same
    assert not (www(site) / "ok.json").exists()
    assert value(site, "health.json")["status"] == "degraded"


def test_at_no_moment_is_pco_called_well_that_is_not(site, spool, watched):
    def writes() -> list[str]:
        trace = site.home / "trace"
        program = [sys.executable, str(TOP / "bin" / "pco-dashboard")]
        calls = "trace=/^(rename|unlink).*"
        subprocess.run(["strace", "-f", "-e", calls, "-o", str(trace), *program], env=site.environment(), check=True)
        return re.findall(r"/(ok\.json|health\.json|index\.html)\"", trace.read_text())

    recovering = writes()
    site.configure(health={"disk_free": "99.99%"})
    failing = writes()

    assert recovering == ["index.html", "health.json", "ok.json"]
    assert failing == ["ok.json", "index.html", "health.json"]


def test_a_board_that_cannot_be_drawn_is_not_called_well(site, spool, watched):
    site.run("pco-dashboard")
    (www(site) / "board.json").unlink()
    (www(site) / "board.json").mkdir()
    put(spool, a_ticket(), State.PENDING)

    site.run("pco-dashboard", code=71)

    assert not (www(site) / "ok.json").exists()


def test_a_watch_that_holds_its_lock_and_does_nothing_is_said_to_hang(site, spool, watched):
    before = time.time() - 150
    os.utime(watched, (before, before))

    site.run("pco-dashboard")

    assert value(site, "health.json")["reasons"] == ["pco-watch has done nothing for 2m: it hangs"]


def test_the_watch_shows_its_progress_by_the_time_of_its_lock(site, spool):
    lock = site.home / "spool" / ".watch.lock"
    os.utime(lock, (1, 1))

    site.run("pco-watch", "--once")

    assert time.time() - lock.stat().st_mtime < 60


def test_metrics_are_those_of_the_board(site, spool, watched):
    put(spool, a_ticket("WEB-1"), State.PENDING)
    put(spool, a_ticket("WEB-2"), State.COMPLETED)

    site.run("pco-dashboard")

    lines = (www(site) / "metrics.txt").read_text().splitlines()
    assert {"plane_pending_tickets 1", "plane_active_sessions 0", "plane_completed_tickets 1", "pco_health 1"} < set(
        lines
    )


def test_a_pause_is_shown_with_its_reason(site, spool):
    spool.control.pause(Note(NOW, "anna", "release day"))

    site.run("pco-dashboard")

    assert "Paused" in page(site) and "paused by anna: release day" in page(site)
    assert value(site, "health.json")["paused"]["why"] == "release day"


def spent_today(site, usd):
    """The ledger of today."""
    (site.home / "metrics" / "spend").mkdir()
    spend.write(site.home / "metrics", datetime.now().astimezone().date(), Book().seeing("WEB-9:1.1", usd, 0.0))


def test_what_today_has_cost_is_on_the_board_in_the_metrics_and_once_it_is_too_much_in_the_health(site, spool):
    spent_today(site, 100.5)

    site.run("pco-dashboard")

    assert "$100.50 of $100.00 spent today" in page(site)
    assert "pco_spent_usd 100.5\n" in (www(site) / "metrics.txt").read_text()
    assert "today's budget is used up" in " ".join(value(site, "health.json")["notes"])


def test_what_was_spent_since_the_last_run_is_shown_though_no_ticket_has_changed(site, spool):
    site.run("pco-dashboard")

    spent_today(site, 3.0)
    site.run("pco-dashboard")

    assert "$3.00 of $100.00 spent today" in page(site)


def test_a_ledger_that_cannot_be_read_is_a_reason_and_no_end(site, spool):
    spent_today(site, 1.0)
    next((site.home / "metrics" / "spend").iterdir()).write_text("{")

    site.run("pco-dashboard")

    assert "what was spent today is not known" in " ".join(value(site, "health.json")["reasons"])


def test_a_change_of_the_budget_is_seen_on_the_pages_of_tickets(site, spool):
    put(spool, a_ticket("WEB-1").with_round(cost=Cost(15.0)), State.APPROVED)
    site.run("pco-dashboard")
    assert "Approved, but" not in page(site, "ticket/WEB-1.html") and "used up" not in page(site)

    site.configure(budget={"ticket_usd": 10})
    site.run("pco-dashboard")

    assert "Approved, but its budget is used up ($15.00 of $10.00)" in page(site, "ticket/WEB-1.html")
    assert "its budget is used up ($15.00 of $10.00)" in page(site)


def test_a_torn_head_is_a_reason_and_no_end(site, spool):
    site.configure(plane={"projects": [{"id": WEB, "repository": "/srv/git/web.git"}]})
    (site.home / "plane" / WEB).mkdir()
    (site.home / "plane" / WEB / "head.json").write_text("{")

    site.run("pco-dashboard")

    assert any("head.json" in reason for reason in value(site, "health.json")["reasons"])


def test_a_full_disk_is_said(site):
    site.configure(health={"disk_free": "99.99%"})

    site.run("pco-dashboard")

    assert any("of the disk is free" in reason for reason in value(site, "health.json")["reasons"])


def test_the_rows_of_board_json_are_those_of_the_queue(site, spool):
    put(spool, a_ticket("WEB-1"), State.PENDING)
    spool.path("WEB-2", State.PENDING).write_text("{")

    site.run("pco-dashboard")
    listed = site.run("pco-queue", "list", "--state", "pending", "--format", "jsonl", code=None)

    rows = {row["key"]: row for row in value(site, "board.json")["tickets"]}
    assert rows["WEB-1"] == json.loads(listed.stdout.splitlines()[0])
    assert rows["WEB-2"]["problem"].startswith("not JSON")


# Several at once.


def test_the_flag_is_gone_before_the_one_run_that_it_asks_for(site, spool):
    spool.control.wake("dashboard")

    told = site.run("pco-dashboard", "-v")

    assert not spool.control.awake("dashboard")
    assert told.stderr.count("files written") == 1


def test_a_second_run_leaves_word_for_the_first_and_ends_well(site, spool):
    with open(site.home / "spool" / ".dashboard.lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        site.run("pco-dashboard")

    assert spool.control.awake("dashboard")
    assert files(site) == {}


def test_many_runs_at_once_end_with_the_last_word_on_the_board(site, spool):
    running = []
    for n in range(1, 6):
        put(spool, a_ticket(f"WEB-{n}"), State.PENDING)
        running.append(site.start("pco-dashboard", stderr=subprocess.PIPE))

    said = [(one.communicate(timeout=60)[1], one.returncode) for one in running]

    assert said == [("", 0)] * 5
    if spool.control.awake("dashboard"):
        site.run("pco-dashboard")
    assert value(site, "board.json")["counts"]["pending"] == 5
    assert dead_links(site) == []


def test_a_reader_never_sees_half_a_page(site, spool):
    for n in range(1, 21):
        put(spool, a_ticket(f"WEB-{n}", description="x" * 20_000), State.PENDING)
    site.run("pco-dashboard")
    names = [www(site) / name for name in ("index.html", "board.json", "ticket/WEB-1.html", "ticket/WEB-20.html")]
    halves: list[str] = []
    read = 0
    done = threading.Event()

    def look() -> None:
        nonlocal read
        while not done.is_set():
            for path in names:
                data = path.read_bytes()
                read += 1
                if not data.endswith(b"</html>\n" if path.suffix == ".html" else b"}\n"):
                    halves.append(f"{path.name}: {len(data)}")

    reader = threading.Thread(target=look)
    reader.start()
    for n in range(3):
        spool.update("WEB-1", lambda t, n=n: (replace(t, title=f"title {n}"), None))
        site.run("pco-dashboard", "--full")
        time.sleep(0.01)
    done.set()
    reader.join()

    assert read > 100
    assert halves == []


def test_what_a_crash_left_unfinished_does_not_matter(site, spool):
    put(spool, a_ticket(), State.PENDING)
    site.run("pco-dashboard")
    (www(site) / ".built" / "new").write_text("half a p")

    site.run("pco-dashboard", "--full")

    assert not (www(site) / ".built" / "new").exists()
    assert dead_links(site) == []


def test_a_missing_site_is_an_error_of_the_installation(site):
    for path in sorted(www(site).rglob("*"), reverse=True):
        path.rmdir()
    www(site).rmdir()

    assert "no folder" in site.run("pco-dashboard", code=78).stderr


def test_a_link_in_the_place_of_a_page_is_replaced_not_followed(site, spool, tmp_path):
    put(spool, a_ticket(), State.PENDING)
    site.run("pco-dashboard")
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (www(site) / "index.html").unlink()
    (www(site) / "index.html").symlink_to(victim)

    site.run("pco-dashboard", "--full")

    assert victim.read_text() == "mine"
    assert "Title of WEB-1" in page(site)


def test_a_hundred_finished_tickets_are_on_their_month_and_not_on_the_board(site, spool):
    for n in range(1, 101):
        finish(spool, a_ticket(f"WEB-{n}"), T0 + timedelta(minutes=n))
    site.run("pco-dashboard")

    assert page(site).count("Title of WEB-") == 20
    assert "Title of WEB-100" in page(site) and "Title of WEB-1 " not in page(site)
    assert page(site, "2026-11.html").count("Title of WEB-") == 100
    assert value(site, "board.json")["finished"][0]["key"] == "WEB-100"
    assert dead_links(site) == []

    finish(spool, a_ticket("WEB-101"), T0 + timedelta(minutes=200))

    assert written(site) == FEEDS | {"ticket/WEB-101.html", "2026-11.html", "index.html"}


# Pictures.


def test_the_pictures_are_drawn_from_audit_ledger_and_records(site, spool):
    put(spool, a_ticket("WEB-1"), State.PENDING)
    post_by_program(site, "WEB-1")
    site.run("pco-queue", "reopen", "WEB-1")
    site.run("pco-queue", "reject", "WEB-1", "--note", "no")
    began = NOW - timedelta(hours=2)
    attempt_ = Attempt(1, began, NOW - timedelta(hours=1), "completed")
    put(spool, a_ticket("WEB-2").with_round(attempts=(attempt_,)), State.COMPLETED)
    spent_today(site, 7.25)

    site.run("pco-dashboard")

    assert "0 posted, 1 rejected, 0 failed in 14 days." in page(site)
    assert "$7.25 in 14 days" in page(site)
    assert "1 session of 1 ticket." in page(site)


def test_what_was_counted_is_not_counted_again_and_what_is_lost_is_counted_anew(site, spool):
    put(spool, a_ticket("WEB-1"), State.PENDING)
    for n in range(1, 4):
        site.run("pco-queue", "reject" if n % 2 else "reopen", "WEB-1", "--note", "x")
        site.run("pco-dashboard")

    assert "2 rejected" in page(site)
    (www(site) / ".built" / "trend.json").write_text("{")
    site.run("pco-queue", "reopen", "WEB-1", "--note", "x")
    site.run("pco-dashboard")

    assert "2 rejected" in page(site)


def test_a_ticket_that_is_gone_leaves_no_session_in_the_picture(site, spool):
    attempt_ = Attempt(1, NOW - timedelta(hours=2), NOW - timedelta(hours=1), "died")
    put(spool, a_ticket("WEB-1").with_round(attempts=(attempt_,)), State.FAILED)
    site.run("pco-dashboard")
    assert "1 session of 1 ticket" in page(site)

    spool.path("WEB-1", State.FAILED).unlink()
    site.run("pco-dashboard")

    assert "session of" not in page(site) and "WEB-1" not in (www(site) / ".built" / "now.json").read_text()


def test_a_long_lane_is_written_again_only_if_a_ticket_of_it_has_changed(site, spool):
    for n in range(1, 41):
        put(spool, a_ticket(f"WEB-{n}"), State.PENDING)
        put(spool, a_ticket(f"INF-{n}"), State.FAILED)
    site.run("pco-dashboard")
    assert {"lane-pending.html", "lane-failed.html"} < set(files(site))

    spool.update("WEB-3", lambda t: (replace(t, title="another title"), None))

    changed = written(site)
    assert "lane-pending.html" in changed and "lane-failed.html" not in changed
    assert dead_links(site) == []


def test_a_run_that_has_little_to_do_waits_for_no_module_that_it_does_not_need(site, spool):
    put(spool, a_ticket("WEB-1"), State.PENDING)
    site.run("pco-dashboard")
    spool.update("WEB-1", lambda t: (replace(t, title="another title"), None))

    told = site.run("pco-dashboard", env={**site.environment(), "PYTHONPROFILEIMPORTTIME": "1"}).stderr

    imported = {line.rpartition("|")[2].strip() for line in told.splitlines()}
    assert "another title" in page(site) and "pco.pages.board" in imported
    assert not imported & {"filelock", "subprocess", "selectors", "shutil", "tabulate", "requests", "markdown_it"}


def test_very_many_tickets_are_made_anew_by_several_processes_and_all_are_there(site, spool):
    many_posted(spool, 1, 1000)
    for n in range(1001, 1101):
        put(spool, a_ticket(f"WEB-{n}"), State.PENDING)
    spool.path("WEB-500", State.POSTED).write_text("{")
    spool.path("WEB-1050", State.PENDING).write_text("{")
    (www(site) / ".built").mkdir()
    (www(site) / ".built" / "new.1").write_text("half a p")

    told = site.run("pco-dashboard", "-v", "--full")

    assert os.stat(www(site) / "ticket").st_mode & 0o777 == 0o755
    assert len(list((www(site) / "ticket").iterdir())) == 1100
    assert "Title of WEB-1100" in page(site, "ticket/WEB-1100.html")
    assert "to approve since" in page(site, "ticket/WEB-1100.html")
    assert all("cannot be read" in page(site, f"ticket/WEB-{n}.html") for n in (500, 1050))
    assert dead_links(site) == []
    assert int(told.stderr.split()[-5].replace(",", "")) > 1100, "what others have written is counted"
    assert [path.name for path in (www(site) / ".built").iterdir() if path.suffix != ".json"] == []
    assert written(site) <= FEEDS | {"index.html"}


# One of the processes is killed as it is about to write a page of its share.
DIES = """
if event == "open" and os.getpid() != ours and str(args[0]).endswith("/www/ticket/WEB-333.html"):
    open({flag!r}, "w").close()
    os.kill(os.getpid(), 9)
"""


def test_what_a_process_that_is_killed_has_not_made_is_made_all_the_same(site, spool, tmp_path):
    many_posted(spool, 1, 700)
    flag = tmp_path / "flag"

    site.run("pco-dashboard", "--full", env=audited(site, tmp_path, DIES, flag=str(flag)))

    assert flag.exists() or len(os.sched_getaffinity(0)) < 2, "nobody was killed"
    assert {path.name for path in (www(site) / "ticket").iterdir()} == {f"WEB-{n}.html" for n in range(1, 701)}
    assert dead_links(site) == []


# Each process makes a hundred pages, and no more until it may.
WAITS = """
if event == "open" and os.getpid() != ours and "/www/ticket/WEB-" in str(args[0]):
    seen.append(1)
    until = time.monotonic() + 60
    while len(seen) == 100 and not os.path.exists({flag!r}) and time.monotonic() < until:
        time.sleep(0.01)
"""


def test_who_waits_at_a_terminal_while_all_is_made_anew_sees_how_far_it_is(site, spool, tmp_path):
    many_posted(spool, 1, 1000)
    flag = tmp_path / "flag"
    environ = audited(site, tmp_path, WAITS, flag=str(flag))

    person = Terminal([sys.executable, str(TOP / "bin" / "pco-dashboard"), "--full"], environ)

    try:
        person.until(rb"pages .* [1-9][0-9]?%", 30)
        flag.touch()
        person.until(rb"100%")
        assert person.end() == 0
    finally:
        person.close()


def test_while_all_is_made_anew_a_reader_sees_each_page_whole(site, spool):
    many_posted(spool, 1, 700)
    put(spool, a_ticket("WEB-701"), State.PENDING)
    site.run("pco-dashboard")
    site.configure(display={"timezone": "Asia/Tokyo"})  # no page is as it was
    folder, seen = www(site) / "ticket", []

    with site.start("pco-dashboard", "--full") as running:
        while running.poll() is None:
            for n in (1, 350, 700, 701):
                seen.append((folder / f"WEB-{n}.html").read_bytes())

    assert running.returncode == 0
    assert len(seen) > 20 and len(set(seen)) > 4, "both the old and the new were seen"
    assert [page for page in seen if not page.endswith(b"</html>\n")] == []


@pytest.mark.parametrize("tickets", [20, 700], ids=["by itself", "with others"])
def test_pages_that_are_as_they_would_be_made_keep_their_files(site, spool, tickets):
    many_posted(spool, 1, tickets)
    put(spool, a_ticket("WEB-701"), State.PENDING)
    site.run("pco-dashboard")
    damaged, shut = www(site) / "ticket" / "WEB-3.html", www(site) / "ticket" / "WEB-4.html"
    before = {path.name: path.stat().st_ino for path in (www(site) / "ticket").iterdir()}
    whole = damaged.read_bytes()
    damaged.write_bytes(whole.replace(b"WEB-3", b"WEB-8"))
    shut.chmod(0o600)

    told = site.run("pco-dashboard", "-v", "--full")

    after = {path.name: path.stat() for path in (www(site) / "ticket").iterdir()}
    assert {name for name, facts in after.items() if facts.st_ino != before[name]} == {damaged.name, shut.name}
    assert damaged.read_bytes() == whole
    assert shut.stat().st_mode & 0o777 == 0o644
    assert {facts.st_nlink for facts in after.values()} == {1}
    assert int(told.stderr.split(" files written")[0].split()[-1]) < 10


# Whoever is about to write its page goes on once its record is purged.
PURGED = """
if event == "open" and str(args[0]).endswith("/www/ticket/WEB-1.html") and not os.path.exists({flag!r}):
    open({flag!r}, "w").close()
    subprocess.Popen([sys.executable, {purge!r}, "--yes", "WEB-1"], env=dict(os.environ, PYTHONPATH=""))
    until = time.monotonic() + 60
    while os.path.exists({record!r}) and time.monotonic() < until:
        time.sleep(0.01)
"""


def test_the_page_of_a_ticket_that_is_purged_while_it_is_made_does_not_come_back(site, spool, tmp_path):
    many_posted(spool, 1, 700)
    record, flag = spool.path("WEB-1", State.POSTED), tmp_path / "flag"
    names = {"purge": str(TOP / "bin" / "pco-purge"), "record": str(record), "flag": str(flag)}

    site.run("pco-dashboard", "--full", env=audited(site, tmp_path, PURGED, **names))
    until(lambda: not spool.control.purges())

    assert flag.exists() and spool.find("WEB-1") is None
    assert {path.name for path in (www(site) / "ticket").iterdir()} == {f"WEB-{n}.html" for n in range(2, 701)}


# Whoever is about to write its page, as what it was, waits until somebody has moved the ticket.
OVERTAKEN = """
if event == "open" and str(args[0]).endswith("/www/ticket/WEB-1.html") and not os.path.exists({flag!r}):
    open({flag!r}, "w").close()
    subprocess.run([sys.executable, {queue!r}, {verb!r}, "WEB-1"], env=dict(os.environ, PYTHONPATH=""), check=True)
"""


@pytest.mark.parametrize(
    ("before", "verb", "after", "says"),
    [
        (State.PENDING, "reject", State.REJECTED, "rejected by"),
        (State.REJECTED, "reopen", State.PENDING, "to approve since"),
    ],
)
def test_a_ticket_that_is_moved_while_all_is_made_anew_has_the_page_of_what_it_became(
    site, spool, tmp_path, before, verb, after, says
):
    if before is not State.PENDING and len(os.sched_getaffinity(0)) < 2:
        pytest.skip("with one processor the pages of finished tickets are made one by one, after the others")
    put(spool, a_ticket("WEB-1"), State.PENDING)
    if before is not State.PENDING:
        spool.update("WEB-1", lambda t: (t, before))
    many_posted(spool, 2, 701)
    flag = tmp_path / "flag"
    environ = audited(site, tmp_path, OVERTAKEN, flag=str(flag), queue=str(TOP / "bin" / "pco-queue"), verb=verb)

    site.run("pco-dashboard", "--full", env=environ)

    assert flag.exists() and spool.find("WEB-1") is after
    shown = page(site, "ticket/WEB-1.html")
    assert says in shown and ("to approve since" in shown) is (after is State.PENDING)


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_the_umask_of_a_person_locks_no_reader_out(site, spool, umask):
    put(spool, a_ticket("WEB-1"), State.PENDING)
    before = os.umask(umask)
    try:
        site.run("pco-dashboard", "--full")
    finally:
        os.umask(before)

    assert os.stat(www(site) / "ticket").st_mode & 0o777 == 0o755
    assert os.stat(www(site) / "ticket/WEB-1.html").st_mode & 0o777 == 0o644
