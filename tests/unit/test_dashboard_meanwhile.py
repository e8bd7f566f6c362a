"""What happens to a ticket while pco-dashboard is at work comes onto the pages with the next run, at the latest."""

import os
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest

from pco.commands import dashboard
from pco.commands.dashboard import crew, finished
from pco.ground.record import to_bytes
from pco.ground.ticket import FINISHED, Entry, Note, State
from pco.run import Pco, share
from pco.spool import Spool
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


def others(spool: Spool, count: int = OTHERS) -> None:
    """Tickets that finished long ago."""
    data = to_bytes(replace(a_ticket("WEB-777"), history=(Entry(T0, "outbox", "posted", "pco-post", 1),)))
    for n in range(2, count + 2):
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
        assert told[1].keys() >= {"WEB-1", "WEB-2"}, "no process made it"
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
    monkeypatch.setattr(crew, "_start", lambda _: [])
    monkeypatch.setattr(crew, "_told", lambda *_: iter(tolds))
    run = type("Run", (), {"step": None, "ran": {}, "site": type("Site", (), {"written": 0})})

    assert crew.work(run) == ({"WEB-2": {"stamp": "y"}}, {"WEB-3": "posted"})


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
