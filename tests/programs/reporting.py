"""A past for the tests of pco-report: days in which tickets travelled, as the programs would have told of it."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pco.ground import audit, spend
from pco.ground.record import to_bytes
from pco.ground.spend import Book
from pco.ground.ticket import Entry, State
from support import Site, a_ticket


class Past:
    """What happened; times are counted back from now, in hours."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.now = datetime.now(UTC)
        self.spool = site.spool()
        site.configure(display={"timezone": "UTC"})

    def ago(self, hours: float) -> datetime:
        return self.now - timedelta(hours=hours)

    def moved(self, key: str, came: str, to: str, hours: float, by: str = "anna", **more: Any) -> None:
        """A move, as announce() writes it."""
        fields = {"from": came, "to": to, "round": 1, **more}
        audit.append(self.site.home / "audit", self.ago(hours), "moved", by, key, fields)

    def ended(self, key: str, to: str, outcome: str, hours: float, ran: float = 600.0, **measured: Any) -> None:
        """A session ends."""
        told = {"ran": ran, "waited": 0.0, "usd": 0.0, "tokens": {}, **measured}
        self.moved(key, "active", to, hours, "pco-watch", outcome=outcome, measured=told)

    def spent(self, hours: float, **usd: float) -> None:
        """What sessions cost on the day of that hour: WEB_1=2.5."""
        book = Book()
        for key, amount in usd.items():
            book = book.seeing(f"{key.replace('_', '-')}:1.1", amount, 0.0)
        (self.site.home / "metrics" / "spend").mkdir(exist_ok=True)
        spend.write(self.site.home / "metrics", self.ago(hours).date(), book)

    def stands(self, key: str, state: State, hours: float = 1.0, **changes: Any) -> None:
        """A ticket is in a state since then."""
        entry = Entry(self.ago(hours), "pending", state.value, "test", 1)
        ticket = replace(a_ticket(key, **changes), state=state, history=(entry,))
        self.spool.path(key, state).write_bytes(to_bytes(ticket))
        self.spool.index.recount(state)

    def travelled(self, key: str, hours: float, usd: float = 1.0, by: str = "anna") -> None:
        """A ticket went the whole way, at about that time."""
        self.moved(key, "", "pending", hours + 1, "pco-poll")
        self.moved(key, "pending", "approved", hours + 0.9, by, measured={"stayed": 360.0})
        self.moved(key, "approved", "active", hours + 0.8, "pco-launch", measured={"stayed": 10.0})
        tokens = {"input": 100, "cache_read": 1_000_000, "output": 5000}
        self.ended(key, "completed", "completed", hours + 0.5, waited=60.0, usd=usd, tokens=tokens)
        self.moved(key, "completed", "outbox", hours + 0.1, by, measured={"stayed": 1500.0})
        self.moved(key, "outbox", "posted", hours, "pco-post", measured={"stayed": 2.0})


def logged(path: Path, *lines: str) -> None:
    """An access log of nginx."""
    path.write_text("".join(f"{line}\n" for line in lines))


def value_of(printed: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(printed)
    return found
