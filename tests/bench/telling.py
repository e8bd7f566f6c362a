"""How long pco-report takes where 100,000 tickets have finished."""

import itertools
import json
import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from bench.measure import A_MONTH, Figure, a_site, beside, fill, in_turns, processor, program, scratch
from pco.ground import spend, times
from pco.ground.audit import BEGINNING
from pco.ground.spend import Book, Spent
from pco.ground.ticket import State
from support import T0, Site

FINISHED = 100_000
SHARE = 10  # the smaller pco has so much less
WEEK = ("--since", "2026-11-16", "--until", "2026-11-23", "--format", "json")
ALL = ("--since", "2020-01-01", "--until", "2026-12-01", "--format", "json")
WAY = ("", "pending", "approved", "active", "completed", "outbox", "posted")


def report(folder: Path) -> Iterator[Figure]:
    """A week among the years, and all of them: the week is not dearer for them, and they cost what they are many."""
    with scratch(folder) as home:
        few, many = (a_site(home / name) for name in ("few", "many"))
        for site, count in ((few, FINISHED // SHARE), (many, FINISHED)):
            fill(site, State.POSTED, count)
            lived_through(site, count)
        floor, value = in_turns(3, program(few, "pco-report", *WEEK), program(many, "pco-report", *WEEK))
        yield beside(f"a week's report, {FINISHED} finished", value, floor, 1.2, f"with {FINISHED // SHARE}")
        runs = [(few, ALL), (many, ALL), (many, (*ALL[:-1], "html"))]
        floor, value, html = (processor(program(site, "pco-report", *words)) for site, words in runs)
        size = sum(path.stat().st_size for path in (many.home / "audit").iterdir()) >> 20
        note = f"processor; {size} MB of audit record"
        name, most = f"a report on all {FINISHED} tickets", floor * SHARE * 1.2
        yield Figure(name, value, "s", most, floor * SHARE, "<= 1.2 x in line", note)
        yield Figure("the same as a page", html, "s", value * 1.2, value, "<= 1.2 x as JSON", "processor")


def lived_through(site: Site, count: int) -> None:
    """The audit record and the ledgers of so many tickets, which finished over some years, the last ones this month."""
    chance = random.Random(count)
    for start in range(0, count, A_MONTH):
        year, month = divmod(T0.year * 12 + T0.month - 1 - start // A_MONTH, 12)
        lines: list[tuple[datetime, bytes]] = []
        books: dict[datetime, dict[str, Spent]] = {}
        for number in range(start + 1, min(start + A_MONTH, count) + 1):
            begun = T0.replace(year=year, month=month + 1, day=1) + timedelta(minutes=chance.randrange(27 * 1440))
            lines += moves(f"WEB-{number}", begun, chance)
            books.setdefault(begun.replace(hour=0, minute=0), {})[f"WEB-{number}:1.1"] = Spent(0.0, chance.random() * 9)
        lines.sort(key=lambda line: line[0])
        (site.home / "audit" / f"{year}-{month + 1:02}.jsonl").write_bytes(b"".join(line for _, line in lines))
        (site.home / "metrics" / spend.FOLDER).mkdir(exist_ok=True)
        for day, sessions in books.items():
            spend.path(site.home / "metrics", day.date()).write_text(book(sessions))


def book(sessions: dict[str, Spent]) -> str:
    """A ledger as pco-watch writes it."""
    from pco.ground import shape

    return json.dumps(shape.dump(Book(sessions=sessions)))


def moves(key: str, at: datetime, chance: random.Random) -> Iterator[tuple[datetime, bytes]]:
    """What the audit record has of one ticket's way, each with its time."""
    for came, to in itertools.pairwise(WAY):
        stayed = chance.randrange(1, 4000)
        at += timedelta(seconds=stayed)
        measured: dict[str, object] = {"stayed": float(stayed)}
        if came == "active":
            tokens = {"input": 900, "output": 4000, "cache_read": 90_000, "cache_write": 3000}
            measured |= {"ran": float(stayed), "waited": stayed / 9, "usd": 1.5, "tokens": tokens}
        by = ("ann", "bob", "cem")[stayed % 3] if came in ("pending", "completed") else "pco-watch"
        fields = {"from": came, "to": to, "round": 1, "outcome": "completed" if came == "active" else ""}
        record = {"at": times.iso(at), "event": "moved", "by": by, "key": key}
        yield at, json.dumps({**record, "fields": {**fields, "measured": measured}, "prev": BEGINNING}).encode() + b"\n"
