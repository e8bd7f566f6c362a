"""What happens to a ticket while pco-dashboard is at work comes onto the pages with the next run, at the latest."""

import errno
import os
import re
import signal
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest

from pco.commands import dashboard
from pco.commands.dashboard import crew, finished, opened
from pco.commands.dashboard import run as turn
from pco.commands.dashboard.run import Run
from pco.ground import boot
from pco.ground.record import to_bytes
from pco.ground.ticket import FINISHED, Entry, Note, State
from pco.outside import www
from pco.pages import months
from pco.run import Pco, share
from pco.spool import Spool
from pco.spool.index import Finished
from pco.spool.reading import Reader
from support import T0, Site, a_ticket, put

OTHERS = 700  # finished tickets: so many that processes share them


def run_of(site: Site) -> Pco:
    """A run of pco-dashboard."""
    pco = Pco("pco-dashboard")
    pco.config_file = str(site.config)
    return pco


def build(site: Site, *, full: bool = False) -> None:
    """What a run does."""
    dashboard.build(run_of(site), full)


def page(site: Site) -> str:
    """The page of the ticket, as it is now."""
    return (site.home / "www" / "ticket" / "WEB-1.html").read_text()


def listed(site: Site) -> bool:
    """Whether a month leads to it."""
    return any("WEB-1.html" in path.read_text() for path in (site.home / "www").glob("2???-*.html"))


def others(spool: Spool, number: int = OTHERS) -> None:
    """Tickets that finished long ago."""
    data = to_bytes(replace(a_ticket("WEB-777"), history=(Entry(T0, "outbox", "posted", "pco-post", 1),)))
    for n in range(2, number + 2):
        spool.path(f"WEB-{n}", State.POSTED).write_bytes(data.replace(b"WEB-777", b"WEB-%d" % n))
    spool.index.rebuild()


def reject(spool: Spool) -> None:
    """The ticket finishes."""
    spool.update("WEB-1", lambda ticket: (ticket, State.REJECTED))


def meanwhile(place: Any, name: str, monkeypatch: pytest.MonkeyPatch, event: Callable[[], object]) -> None:
    """Have something happen once, before a function of that name does its work."""
    real, done = getattr(place, name), list[bool]()

    def called(*args: Any) -> Any:
        if not done:
            done.append(True)
            event()
        return real(*args)

    monkeypatch.setattr(place, name, called)


def test_a_ticket_that_finishes_once_the_open_ones_were_looked_at(site, spool, monkeypatch):
    put(spool, a_ticket("WEB-1"), State.PENDING)
    build(site)
    meanwhile(finished, "show", monkeypatch, lambda: reject(spool))

    build(site)
    build(site)

    assert ">rejected</span>" in page(site) and listed(site)


def test_a_ticket_that_finishes_once_the_finished_ones_were_listed(site, spool, monkeypatch):
    others(spool, 3)
    put(spool, a_ticket("WEB-2001"), State.PENDING)
    spool.update("WEB-2001", lambda ticket: (ticket, State.REJECTED))  # this month is in the index
    put(spool, a_ticket("WEB-1"), State.PENDING)
    real, done = Reader.keys, list[bool]()

    def keys(self: Reader, *states: State) -> list[str]:
        found = real(self, *states)
        if set(states) == set(FINISHED) and not done:
            done.append(True)
            reject(spool)
        return found

    monkeypatch.setattr(Reader, "keys", keys)

    build(site, full=True)
    build(site)

    assert done and ">rejected</span>" in page(site) and listed(site)


def test_a_record_that_is_rewritten_after_a_process_has_made_its_page(site, spool, monkeypatch):
    put(spool, a_ticket("WEB-1"), State.PENDING)
    reject(spool)
    others(spool)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    note = Note(T0, "anna", "said meanwhile")
    real = crew.work

    def worked(*args: Any) -> Any:
        told = real(*args)
        assert args[0].made.keys() >= {"WEB-1", "WEB-2"}, "no process made it"
        spool.update("WEB-1", lambda ticket: (replace(ticket, notes=(note,)), None))
        return told

    monkeypatch.setattr(crew, "work", worked)

    build(site, full=True)

    assert "said meanwhile" in page(site)


def test_a_ticket_that_two_processes_have_met_is_made_once_more(monkeypatch, site):
    tolds = [
        {"open": {"WEB-1": {"stamp": "x"}, "WEB-2": {"stamp": "y"}}, "finished": {}, "ran": {}, "written": 2},
        {"open": {}, "finished": {"WEB-1": "rejected", "WEB-3": "posted"}, "ran": {}, "written": 2},
    ]
    monkeypatch.setattr(crew, "_start", lambda *_: [])
    monkeypatch.setattr(crew, "_told", lambda *_: iter(tolds))
    run = type("Run", (), {"step": None, "ran": {}, "made": {}, "site": type("Site", (), {"written": 0})})

    assert crew.work(run, [], [], finished.draft) == {"WEB-2": {"stamp": "y"}}
    assert run.made == {"WEB-3": "posted"}


def test_a_form_of_comments_that_is_replaced_between_two_looks_of_one_run(site, spool):
    form, shipped = site.home / "comment.md", share("comment.md").read_text()
    form.write_text(f"{shipped}\nfirst form\n")
    site.configure(post={"template": str(form)})
    ticket = a_ticket("WEB-1")
    put(spool, replace(ticket, rounds=(replace(ticket.round, summary="Did it."),)), State.COMPLETED)
    pco = run_of(site)
    dashboard.build(pco, full=False)
    assert "first form" in page(site)
    form.write_text(f"{shipped}\nsecond form, and longer\n")

    dashboard.build(pco, full=False)

    assert "second form" in page(site) and "first form" not in page(site)


def test_who_is_ended_leaves_no_process_behind_that_writes_where_the_next_run_does(site, spool, monkeypatch):
    others(spool)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2})
    begun: list[crew.Hand] = []
    real = crew._hand

    def hand(*args: Any) -> crew.Hand:
        begun.append(real(*args))
        return begun[-1]

    monkeypatch.setattr(crew, "_hand", hand)

    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(dashboard, "progress", lambda *_, **__: nullcontext(interrupted))
    with pytest.raises(KeyboardInterrupt):
        build(site, full=True)

    assert len(begun) == 2
    for one in begun:
        with pytest.raises(ChildProcessError):
            os.waitpid(one.pid, 0)


def test_a_process_whose_parent_was_killed_makes_no_page_more(site, spool, monkeypatch):
    others(spool)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    real, parent, made = finished.make, os.getppid(), site.home / "made"

    def make(run: Run, one: Finished, **how: bool) -> bool:
        with made.open("a") as file:
            file.write(f"{one.key}\n")
        monkeypatch.setattr(os, "getppid", lambda: parent)  # another one than that which has begun this process
        return real(run, one, **how)

    with monkeypatch.context() as now:
        now.setattr(finished, "make", make)
        now.setattr(dashboard.finished, "show", lambda *_: {"months": {}, "recent": []})
        build(site)

    assert len(made.read_text().splitlines()) == 2


# More finished tickets than one turn makes pages for.


@pytest.fixture
def hurried(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes and their parent make some twenty pages each in a turn: a second goes with each look at the clock."""
    others(spool)
    clock = SimpleNamespace(monotonic=partial(next, count()))
    monkeypatch.setattr(dashboard, "time", clock)
    monkeypatch.setattr(turn, "time", clock)
    monkeypatch.setattr(dashboard, "TURN", 20.0)
    monkeypatch.setattr(dashboard, "LEAST", 20.0)
    monkeypatch.setattr(dashboard, "LONGEST", float("inf"))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})


def shown(site: Site) -> set[str]:
    """The tickets that the pages of months lead to; each has its page, whole."""
    www = site.home / "www"
    found = {name for path in www.glob("2???-*.html") for name in re.findall(r"ticket/(WEB-[0-9]+)", path.read_text())}
    assert all((www / "ticket" / f"{key}.html").read_text().endswith("</html>\n") for key in found)
    return found


def in_turns(monkeypatch: pytest.MonkeyPatch, look: Callable[[int], object]) -> None:
    """Look at the site after each turn, which has left so many pages."""
    real = dashboard._turn

    def looked(*args: Any) -> int:
        left = real(*args)
        look(left)
        return left

    monkeypatch.setattr(dashboard, "_turn", looked)


def once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have each run end after one turn."""
    monkeypatch.setattr(dashboard, "LONGEST", float("-inf"))


def for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have each run go on until all is made."""
    monkeypatch.setattr(dashboard, "LONGEST", float("inf"))


@pytest.mark.usefixtures("hurried")
def test_in_each_turn_the_board_is_new_and_leads_to_pages_that_are_there(site, spool, monkeypatch):
    put(spool, a_ticket("WEB-1"), State.PENDING)
    seen = list[tuple[int, int]]()

    def look(left: int) -> None:
        board = (site.home / "www" / "index.html").read_text()
        names = set(re.findall(r"ticket/(WEB-[0-9]+)", board))
        assert "WEB-1" in names and len(names) == 21, "those that finished last are on it"
        assert all((site.home / "www" / "ticket" / f"{key}.html").exists() for key in names)
        seen.append((left, len(shown(site))))

    in_turns(monkeypatch, look)

    build(site, full=True)

    assert len(seen) > 10 and seen[-1] == (0, OTHERS)
    assert [left + there for left, there in seen] == [OTHERS] * len(seen)
    assert sorted(seen, reverse=True) == seen, "each comes further"


@pytest.mark.usefixtures("hurried")
def test_until_their_turn_comes_pages_stay_as_they_were(site, spool, monkeypatch):
    build(site)
    before = {path.name: path.read_bytes() for path in (site.home / "www" / "ticket").iterdir()}
    monkeypatch.setattr(dashboard, "LOOK", "another")
    monkeypatch.setattr(dashboard, "__version__", "another")
    monkeypatch.setattr(opened, "__version__", "another")
    once(monkeypatch)

    build(site)

    now = {path.name: path.read_bytes() for path in (site.home / "www" / "ticket").iterdir()}
    assert 20 <= sum(now[name] != data for name, data in before.items()) < 100
    assert now.keys() == before.keys() and len(shown(site)) == OTHERS
    assert spool.control.awake("dashboard"), "the rest is for the next run"


@pytest.mark.usefixtures("hurried")
def test_what_was_made_before_a_run_was_ended_is_not_made_again(site, spool, monkeypatch):
    once(monkeypatch)
    build(site)
    first = {path.name: path.stat().st_mtime_ns for path in (site.home / "www" / "ticket").iterdir()}
    assert 20 <= len(first) < 100
    for_long(monkeypatch)
    made = list[str]()
    real = opened.show_record
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})  # all of it here, where it can be counted
    monkeypatch.setattr(finished, "show_record", lambda run, ticket: made.append(ticket.key) or real(run, ticket))

    build(site)

    assert not {f"{key}.html" for key in made} & first.keys()
    assert len(made) == len(set(made)) == OTHERS - len(first)
    assert len(shown(site)) == OTHERS


@pytest.mark.usefixtures("hurried")
def test_a_ticket_that_is_reopened_while_its_page_is_owed_is_shown_as_open(site, spool, monkeypatch):
    once(monkeypatch)
    first = Entry(T0 - timedelta(days=1), "pending", "rejected", "maria", 1)
    spool.path("WEB-1", State.REJECTED).write_bytes(to_bytes(replace(a_ticket("WEB-1"), history=(first,))))
    spool.index.rebuild()
    build(site, full=True)
    assert not listed(site)
    spool.update("WEB-1", lambda ticket: (ticket, State.PENDING))
    for_long(monkeypatch)

    build(site)

    assert ">to approve</span>" in page(site) and not listed(site)
    assert len(shown(site)) == OTHERS


@pytest.mark.usefixtures("hurried")
def test_what_nobody_can_read_is_made_once_and_holds_no_turn_up(site, spool, monkeypatch):
    for path in (site.home / "spool" / "posted").iterdir():
        path.write_bytes(b"{" if path.stem[-1] == "7" else path.read_bytes().replace(b'"schema": 3', b'"schema": 99'))
    lefts = list[int]()
    in_turns(monkeypatch, lefts.append)

    build(site, full=True)

    assert len(shown(site)) == OTHERS and len(lefts) < 50
    assert lefts[0] > OTHERS - 60, "no process looks at more than it has time for"
    assert lefts == sorted(set(lefts), reverse=True), "each comes further"


@pytest.mark.usefixtures("hurried")
def test_an_index_of_before_revisions_were_noted_makes_no_page_twice(site, spool, monkeypatch):
    for path in spool.index.folder.glob("2*.jsonl"):
        path.write_text(re.sub(r', "rev": [0-9]+', "", path.read_text()))
    assert not any("rev" in path.read_text() for path in spool.index.folder.glob("2*.jsonl"))
    lefts = list[int]()
    in_turns(monkeypatch, lefts.append)

    build(site, full=True)

    assert len(shown(site)) == OTHERS
    assert lefts[0] < OTHERS - 40, "what two processes and their parent made"


@pytest.mark.usefixtures("hurried")
def test_a_ticket_that_comes_back_while_pages_are_owed_is_linked_once_it_has_its_page(site, spool, monkeypatch):
    once(monkeypatch)
    path, aside = spool.path("WEB-999", State.POSTED), site.home / "WEB-999.json"
    last = Entry(T0 + timedelta(days=1), "outbox", "posted", "pco-post", 1)
    aside.write_bytes(to_bytes(replace(a_ticket("WEB-999"), history=(last,))))
    aside.rename(path)
    spool.index.rebuild()
    path.rename(aside)
    build(site, full=True)
    aside.rename(path)
    spool.index.recount(State.POSTED)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    monkeypatch.setattr(dashboard, "LEAST", -1.0)
    monkeypatch.setattr(dashboard, "TURN", -1.0)

    build(site)

    board = (site.home / "www" / "index.html").read_text()
    for key in re.findall(r"ticket/(WEB-[0-9]+)", board):
        assert (site.home / "www" / "ticket" / f"{key}.html").exists()


@pytest.mark.usefixtures("hurried")
def test_pages_that_a_power_cut_emptied_are_made_again_in_turns(site, spool, monkeypatch):
    build(site)
    for path in (site.home / "www").rglob("*.html"):
        path.write_bytes(b"")
    monkeypatch.setattr(boot, "boot_id", lambda: "the next")
    lefts = list[int]()
    in_turns(monkeypatch, lefts.append)

    build(site)

    assert len(lefts) > 5 and len(shown(site)) == OTHERS


@pytest.mark.usefixtures("hurried")
def test_a_purge_that_does_not_wait_leaves_no_page_in_any_turn(site, spool, monkeypatch):
    """As if its patience were over: the record is gone while a process makes the page."""
    once(monkeypatch)
    build(site)
    for_long(monkeypatch)
    real, ours, purging = finished.make, os.getpid(), site.spool("pco-purge")
    there = shown(site)
    key = next(one.key for name in spool.index.months() for one in spool.index.month(name) if one.key not in there)

    def make(run: Run, one: Finished, **how: bool) -> bool:
        made = real(run, one, **how)
        if one.key == key and os.getpid() != ours:
            with purging.lock():
                purging.drop(key)
                purging.index.forget(key)
        return made

    monkeypatch.setattr(finished, "make", make)

    build(site)

    assert spool.find(key) is None
    assert {path.stem for path in (site.home / "www" / "ticket").iterdir()} == shown(site)
    assert len(shown(site)) == OTHERS - 1


@pytest.mark.usefixtures("hurried")
def test_processes_that_are_killed_in_each_turn_cost_time_alone(site, spool, monkeypatch):
    real = crew._hand

    def hand(*args: Any) -> crew.Hand:
        begun = real(*args)
        os.kill(begun.pid, signal.SIGKILL)
        return begun

    monkeypatch.setattr(crew, "_hand", hand)

    build(site)

    assert len(shown(site)) == OTHERS
    assert {path.suffix for path in (site.home / "www" / ".built").iterdir()} == {".json"}


@pytest.mark.usefixtures("hurried")
def test_a_month_that_a_killed_run_has_remembered_is_there_once_the_board_leads_to_it(site, spool, monkeypatch):
    entry = Entry(T0 - timedelta(days=40), "outbox", "posted", "pco-post", 1)
    for n in range(1000, 1100):
        ticket = replace(a_ticket(f"WEB-{n}"), history=(entry,))
        spool.path(ticket.key, State.POSTED).write_bytes(to_bytes(ticket))
    spool.index.rebuild()
    now = site.home / "www" / ".built" / "now.json"
    once(monkeypatch)
    build(site)
    before = now.read_bytes()
    for_long(monkeypatch)
    build(site)
    now.write_bytes(before)
    for n in range(2000, 2060):  # so many that the turn has no time for the month
        put(spool, a_ticket(f"WEB-{n}"), State.PENDING)
        spool.update(f"WEB-{n}", lambda ticket: (ticket, State.REJECTED))
    once(monkeypatch)
    build(site)
    for_long(monkeypatch)

    build(site)

    assert len(shown(site)) == OTHERS + 160
    board = (site.home / "www" / "index.html").read_text()
    months = set(re.findall(r'href="([0-9]{4}-[0-9-]+\.html)"', board))
    assert len(months) in (2, 3) and all((site.home / "www" / name).exists() for name in months)


@pytest.mark.usefixtures("hurried")
def test_a_turn_writes_of_a_long_month_only_what_has_changed(site, spool, monkeypatch):
    monkeypatch.setattr(months, "PER_PAGE", 50)
    written = list[str]()
    real = finished.months.month_page
    monkeypatch.setattr(
        months, "month_page", lambda month, name, *more: written.append(name) or real(month, name, *more)
    )
    turns = list[int]()
    in_turns(monkeypatch, turns.append)

    build(site)

    assert len(turns) > 5 and len(written) < 5 * (OTHERS // 50)


def test_a_run_that_is_woken_again_and_again_ends(site, monkeypatch):
    turns = list[int]()
    pco = run_of(site)

    def look(left: int) -> None:
        turns.append(left)
        pco.spool.control.wake("dashboard")

    in_turns(monkeypatch, look)

    dashboard.build(pco, full=False)

    assert turns == [0] * (1 + dashboard.MOST_AGAIN)


def test_where_memory_cannot_be_cleared_pco_is_not_called_well(site, monkeypatch):
    (site.home / "www" / "ok.json").write_text("{}")

    def forget(_: Site) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(www.Site, "forget", forget)

    with pytest.raises(OSError, match="Input/output"):
        build(site, full=True)

    assert not (site.home / "www" / "ok.json").exists()
