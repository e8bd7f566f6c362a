"""pco-retention: what is older than it shall be kept goes, and nothing else."""

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pco.ground import durable, spend
from pco.ground.record import to_bytes
from pco.ground.spend import Book, Spent
from pco.ground.ticket import Fetched, Pushed, State, Ticket, Work
from support import Site, a_ticket, put

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


def placed(site: Site, key: str, state: State, days: float, **round: Any) -> Ticket:
    """A ticket that came into a state so many days ago, with an attempt and, as with runner tmux, a workspace."""
    spool = site.spool()
    ticket = put(spool, a_ticket(key).with_round(**round), state)
    entry = replace(ticket.history[-1], at=NOW - days * DAY)
    durable.replace(spool.path(key, state), to_bytes(replace(ticket, history=(*ticket.history[:-1], entry))))
    os.utime(spool.path(key, state), ((NOW - days * DAY).timestamp(),) * 2)
    (site.home / "sessions" / key / "1.1").mkdir(parents=True)
    (site.home / "sessions" / key / "workspace").mkdir()
    return ticket


def left(site: Site) -> list[str]:
    return sorted(site.spool().keys(*State))


def sessions(site: Site) -> list[str]:
    return sorted(str(path.relative_to(site.home / "sessions")) for path in (site.home / "sessions").glob("*/*"))


@pytest.mark.parametrize("index", [True, False])
def test_finished_and_failed_tickets_go_after_their_time_and_no_others(site, index):
    for number, state in enumerate((s for s in State if s is not State.CORRUPT), 1):
        placed(site, f"WEB-{number}0", state, 400)
        placed(site, f"WEB-{number}1", state, 20)
    site.configure(retention={"posted": "30d", "rejected": "30d", "failed": "30d"})
    if index:
        site.spool("pco-watch").index.rebuild()
        for path in (site.home / "spool").glob("*/*.json"):
            path.touch()  # as after a restore

    site.run("pco-retention")

    gone = {"WEB-60", "WEB-70", "WEB-80"}  # posted, failed, rejected
    assert left(site) == sorted({f"WEB-{n}{k}" for n in range(1, 9) for k in (0, 1)} - gone)
    assert not (site.home / "sessions/WEB-60").exists()


def test_nothing_is_old_enough_where_everything_is_kept_for_ever(site):
    placed(site, "WEB-1", State.POSTED, 4000)
    site.configure(retention=dict.fromkeys(("posted", "attempts", "workspaces", "audit", "ledgers"), "0d"))

    assert site.run("pco-retention", "--dry-run").stdout == "Nothing is old enough to go.\n"
    site.run("pco-retention")

    assert sessions(site) == ["WEB-1/1.1", "WEB-1/workspace"]


def test_first_the_workspace_of_a_finished_ticket_goes_then_its_attempts_then_all_of_it(site):
    for key, state, days in (("WEB-1", State.POSTED, 29), ("WEB-2", State.POSTED, 31), ("WEB-3", State.REJECTED, 91)):
        placed(site, key, state, days)
    placed(site, "WEB-4", State.FAILED, 91)

    site.run("pco-retention")

    assert left(site) == ["WEB-1", "WEB-2", "WEB-3", "WEB-4"]
    assert sessions(site) == ["WEB-1/1.1", "WEB-1/workspace", "WEB-2/1.1", "WEB-4/1.1", "WEB-4/workspace"]


def test_commits_that_nobody_took_stay_longer(site):
    done = Pushed("c1", "/srv/x", NOW)
    site.configure(retention={"posted": "30d", "unfetched": "90d", "attempts": "10d", "workspaces": "10d"})
    placed(site, "WEB-1", State.POSTED, 60, work=Work(tip="c1"))
    placed(site, "WEB-2", State.POSTED, 60, work=Work(tip="c1", pushed=done))
    placed(site, "WEB-3", State.POSTED, 100, work=Work(tip="c1"))
    placed(site, "WEB-4", State.POSTED, 20, work=Work(problem="the bundle is refused"))
    placed(site, "WEB-5", State.POSTED, 20, work=Work(tip="c1"))
    placed(site, "WEB-6", State.POSTED, 60, work=Work(tip="c1", fetched=Fetched("c2", "ann", NOW)))

    site.run("pco-retention")

    assert left(site) == ["WEB-1", "WEB-4", "WEB-5"]
    assert sessions(site) == ["WEB-4/1.1", "WEB-4/workspace"]


def test_what_sessions_left_of_tickets_that_are_gone_goes_when_it_is_old(site):
    for key, days in (("WEB-1", 100), ("WEB-2", 1)):
        (site.home / "sessions" / key).mkdir()
        os.utime(site.home / "sessions" / key, ((NOW - days * DAY).timestamp(),) * 2)

    site.run("pco-retention")

    assert [path.name for path in (site.home / "sessions").iterdir()] == ["WEB-2"]


def test_audit_records_go_by_the_month_but_never_the_latest_and_ledgers_by_the_day(site):
    for name in ("2020-01", "2020-02"):
        (site.home / "audit" / f"{name}.jsonl").write_text("{}\n")
    (site.home / "metrics/spend").mkdir()
    for day in (NOW.date() - 800 * DAY, NOW.date() - 700 * DAY):
        spend.write(site.home / "metrics", day, Book(sessions={"WEB-1:1.1": Spent(0.0, 2.0)}))

    site.run("pco-retention")

    assert [path.name for path in (site.home / "audit").glob("*.jsonl")] == ["2020-02.jsonl"]
    (day,) = spend.days(site.home / "metrics")
    assert day == NOW.date() - 700 * DAY
    book = spend.read(site.home / "metrics", day)
    assert (book.total, list(book.sessions)) == (2.0, ["gone"]), "its ticket is gone: so is its key"


def test_what_a_crash_left_half_written_goes_after_a_day(site):
    for name, days in ((".WEB-1.4711", 2), (".WEB-2.4712", 0)):
        path = site.home / "spool/control/push" / name
        path.write_text("{}")
        os.utime(path, ((NOW - days * DAY).timestamp(),) * 2)

    site.run("pco-retention")

    assert os.listdir(site.home / "spool/control/push") == [".WEB-2.4712"]


def test_what_a_crash_left_half_written_goes_wherever_pco_writes(site):
    known = site.home / "plane" / "6fb4192b-77e8-4d8e-85fe-ed3a8609522a" / "known"
    known.mkdir(parents=True)
    names = ("plane", "audit", "audit/attested", "metrics", "metrics/tally")
    for name in ("metrics/tally", "audit/attested"):
        (site.home / name).mkdir()
    places = [site.home / name for name in names] + [known, known.parent]
    for place in places:
        (place / ".x.json.4711").write_text("{")
        os.utime(place / ".x.json.4711", ((NOW - 2 * DAY).timestamp(),) * 2)

    site.run("pco-retention")

    assert [place for place in places if (place / ".x.json.4711").exists()] == []


def test_why_a_ticket_was_set_aside_goes_with_it_though_who_put_it_back_was_killed(site):
    spool = site.spool("pco-queue repair")
    for key in ("WEB-1", "WEB-2"):
        put(spool, a_ticket(key), State.PENDING)
        whole = spool.path(key, State.PENDING).read_bytes()
        spool.path(key, State.PENDING).write_bytes(whole[:100])
        spool.set_aside(key, State.PENDING, "torn")
    why = spool.root / "corrupt" / "WEB-1.why"
    kept = why.read_bytes()
    spool.path("WEB-1", State.CORRUPT).write_bytes(whole.replace(b"WEB-2", b"WEB-1"))
    spool.repair("WEB-1")
    why.write_bytes(kept)

    site.run("pco-retention")

    assert sorted(os.listdir(spool.root / "corrupt")) == ["WEB-2.json", "WEB-2.why"]


def test_the_name_that_it_had_before_still_says_how_long_workspaces_are_kept(site):
    placed(site, "WEB-1", State.POSTED, 5)
    site.configure(sessions={"keep": "4d"})

    site.run("pco-retention")

    assert sessions(site) == ["WEB-1/1.1"]


def test_a_dry_run_says_what_would_go(site):
    placed(site, "WEB-1", State.POSTED, 500)
    before = sessions(site)

    assert site.run("pco-retention", "--dry-run").stdout == "WEB-1: ticket\nWEB-1: session folder\n"
    assert left(site) == ["WEB-1"]
    assert sessions(site) == before
