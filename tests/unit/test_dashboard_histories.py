"""Whatever befalls tickets and pco-dashboard itself, between its turns and in them, the site comes to be as made anew."""

import json
import os
import random
import re
import signal
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from pco.commands import dashboard
from pco.commands.dashboard import crew
from pco.ground.errors import PcoError
from pco.ground.record import to_bytes
from pco.ground.ticket import FINISHED, Entry, Note, State
from pco.outside.www import Site as Www
from pco.run import Pco
from support import T0, Site, a_ticket

MADE = re.compile(rb"Made <time.*?</time>")


class Killed(BaseException):
    """The run ends here, whatever it was about to do."""


class History:
    """What befalls a site, by `luck`."""

    def __init__(self, site: Site, luck: random.Random) -> None:
        self.site, self.luck = site, luck
        self.www = site.home / "www"
        self.spool, self.purging = site.spool(), site.spool("pco-purge")
        self.newest = 0
        self.touched: set[str] = set()  # since a run began
        for n in range(luck.choice([30, 90, 150])):
            state = luck.choice([State.POSTED, State.REJECTED])
            at = T0 - timedelta(days=luck.choice([0, 0, 0, 40, 70]), seconds=n)
            ticket = replace(a_ticket(self.key()), history=(Entry(at, "pending", state, "pco-post", 1),))
            self.spool.path(ticket.key, state).write_bytes(to_bytes(ticket))
        self.spool.index.rebuild()
        for key in luck.sample(self.spool.keys(*FINISHED), 3):
            path = self.spool.path(key, self.spool.places(*FINISHED)[key])
            path.write_bytes(luck.choice([b"{", path.read_bytes().replace(b'"schema": 3', b'"schema": 99')]))

    def key(self) -> str:
        """One that there was not yet."""
        self.newest += 1
        return f"WEB-{self.newest}"

    def event(self) -> None:
        """Somebody does something to a ticket, as far as it lets him."""
        new = self.luck.random() < 0.2
        key = self.key() if new else self.luck.choice(self.spool.keys(*State))
        self.touched.add(key)
        note = Note(T0, "anna", f"{self.luck.random()}")
        moves: list[Callable[[], object]] = [
            lambda: self.spool.update(key, lambda ticket: (ticket, State.REJECTED)),
            lambda: self.spool.update(key, lambda ticket: (ticket, State.PENDING)),
            lambda: self.spool.update(key, lambda ticket: (replace(ticket, notes=(*ticket.notes, note)), None)),
            lambda: self.purge(key),
        ]
        try:
            self.spool.create(a_ticket(key)) if new else self.luck.choice(moves)()
        except (PcoError, ValueError):
            return  # a move that there is not, or a record that nobody can read
        self.spool.control.wake("dashboard")

    def purge(self, key: str) -> None:
        """As pco-purge does, but that it takes its page at once."""
        with self.purging.lock():
            self.purging.drop(key)
            self.purging.index.forget(key)
        (self.www / "ticket" / f"{key}.html").unlink(missing_ok=True)

    def boot(self) -> None:
        """The power was cut: some of what was not flushed is empty."""
        now = self.www / ".built" / "now.json"
        if now.exists():
            now.write_text(json.dumps({**json.loads(now.read_bytes()), "boot": "the one before"}))
        pages = sorted(self.www.rglob("*.html"))
        for path in self.luck.sample(pages, min(3, len(pages))):
            path.write_bytes(b"")
        for path in self.www.glob(".built/2*.json"):
            if self.luck.random() < 0.2:
                path.write_bytes(b"")
        self.spool.control.wake("dashboard")  # as the timer would

    def run(self, *, full: bool) -> None:
        """A run of pco-dashboard."""
        pco = Pco("pco-dashboard")
        pco.config_file = str(self.site.config)
        dashboard.build(pco, full)

    def dead(self) -> set[str]:
        """Where links lead to nothing, but for tickets that something has befallen since the run began."""
        pages = {path: path.read_text() for path in self.www.glob("*.html")}
        assert all(text.endswith("</html>\n") for text in pages.values())
        links = {link for text in pages.values() for link in re.findall(r'href="([^"#?:]+\.html)', text)}
        return {link for link in links if not (self.www / link).exists()} - {
            f"ticket/{key}.html" for key in self.touched
        }

    def pages(self) -> dict[str, bytes]:
        """Each page but the board, which says when it was made, and how long ago all else was."""
        paths = (path for path in self.www.rglob("*.html") if path.name != "index.html")
        return {path.name: MADE.sub(b"", path.read_bytes()) for path in paths}


def befallen(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have events, and deaths, happen whenever a run is about to write something; look at the links after each turn."""
    luck, ours = history.luck, os.getpid()
    put, hand, turn = Www.put, crew._hand, dashboard._turn
    events, deaths = luck.choice([0, 0.02, 0.1]), luck.choice([0, 0.01, 0.05])

    def put_or_not(self: Www, name: str, data: bytes) -> None:
        if os.getpid() == ours and luck.random() < events:
            history.event()
        if os.getpid() == ours and luck.random() < deaths:
            raise Killed
        put(self, name, data)

    def hand_or_not(*args: Any) -> crew.Hand:
        begun = hand(*args)
        if luck.random() < 2 * deaths:
            os.kill(begun.pid, signal.SIGKILL)
        return begun

    def looked(*args: Any) -> int:
        left = turn(*args)
        assert history.dead() == set()
        return left

    monkeypatch.setattr(Www, "put", put_or_not)
    monkeypatch.setattr(crew, "_hand", hand_or_not)
    monkeypatch.setattr(dashboard, "_turn", looked)
    monkeypatch.setattr(dashboard, "LONGEST", luck.choice([0.0, 60.0]))


@pytest.mark.parametrize("seed", range(12))
def test_in_the_end_each_ticket_has_its_page_and_nothing_else_is_there(site, monkeypatch, seed):
    luck = random.Random(seed)
    history = History(site, luck)
    monkeypatch.setattr(dashboard, "TURN", luck.choice([0.0, 0.02]))
    monkeypatch.setattr(dashboard, "LEAST", luck.choice([0.0, 0.01]))
    monkeypatch.setattr(crew, "LEAST", luck.choice([5, 20, 1000]))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2})
    for _ in range(luck.randint(2, 6)):
        with monkeypatch.context() as now:
            history.touched.clear()
            befallen(history, now)
            try:
                history.run(full=luck.random() < 0.3)
            except Killed:
                history.spool.control.wake("dashboard")
        if luck.random() < 0.3:
            history.boot()

    while history.spool.control.awake("dashboard"):
        history.run(full=False)

    made = history.pages()
    assert {f"{key}.html" for key in history.spool.keys(*State)} == {
        path.name for path in (site.home / "www/ticket").iterdir()
    }
    history.touched.clear()
    assert history.dead() == set()
    monkeypatch.setattr(dashboard, "TURN", 60.0)
    history.run(full=True)
    assert made == history.pages()
