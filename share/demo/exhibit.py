#!/usr/bin/env python3
"""Make a pco that looks lived in, and its dashboard: exhibit.py FOLDER [TICKETS].

For pictures, and for looking at the pages with 0, 12, 300 or 5,000 tickets.  The records are made up here, all else is
the real thing: the spool, the files of the audit record and of money, and pco-dashboard, which makes the pages of them.
The same number gives the same tickets; their times count back from now.
"""

import fcntl
import json
import os
import random
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "lib"))

from pco.ground import polled, spend, times  # noqa: E402
from pco.ground.polled import Head  # noqa: E402
from pco.ground.record import to_bytes  # noqa: E402
from pco.ground.spend import Book, Spent  # noqa: E402
from pco.ground.ticket import (  # noqa: E402
    Approval,
    Attempt,
    Blocked,
    Comment,
    Commit,
    Cost,
    Entry,
    Forward,
    Hold,
    Note,
    Noted,
    PlaneState,
    Post,
    Pushed,
    Round,
    State,
    StateChange,
    Ticket,
    Trigger,
    Work,
)
from pco.rules import markdown, retry  # noqa: E402
from pco.rules.prompt import Target, content_hash  # noqa: E402
from pco.spool import Spool  # noqa: E402

WEB, INF = "0d5a8a52-2b0b-4a51-9d1c-7f6d1f0a0001", "0d5a8a52-2b0b-4a51-9d1c-7f6d1f0a0002"
TODO = PlaneState("8b01c52a-86c6-4a52-9e23-90f646e5f7f1", "Todo", "unstarted")
REPOSITORIES = {WEB: "https://git.example.org/shop/web.git", INF: "https://git.example.org/shop/infra.git"}
ZONE = ZoneInfo("Europe/Berlin")
REVIEW = PlaneState("8b01c52a-86c6-4a52-9e23-90f646e5f7f2", "In Review", "started")
CONFIG = """\
plane:
  url: https://plane.example.org
  workspace: acme
  token_file: {home}/token
  projects:
    - {{id: {web}, key: WEB, repository: "https://git.example.org/shop/web.git"}}
    - {{id: {inf}, key: INF, repository: "https://git.example.org/shop/infra.git"}}
paths: {{root: {home}}}
health: {{disk_free: 0%, memory_free: 0M}}
budget: {{daily_usd: 50}}
display: {{timezone: Europe/Berlin}}
contacts: {{on_call: "Maria Silva, +49 30 1234567", feedback: "https://chat.example.org/pco"}}
"""
TITLES = (
    "Basket total is wrong for two articles",
    "README does not say how to start the shop",
    "Greet returning customers by name",
    "Prices with a comma in Germany",
    "Search finds nothing for umlauts: Ä, ö, 日本",
    "Remove the <blink> tag",
    "Invoices are sent twice when the mail server is slow",
    "Keep backups for fourteen days, not seven",
    "Deploy script must stop when tests fail",
    "Log rotation fills the disk on Sundays",
    "Order confirmation lacks the delivery address",
    "Sort articles by price within a category",
    "Session cookie without SameSite",
    "Rename master to main in all scripts",
    "Sitemap lists articles that are sold out",
    "Password reset link expires too early",
    "Alt text for product pictures",
    "Refund does not restore the stock",
    "Dark mode for the account pages",
    "Postal codes with a leading zero are cut",
)
ODD = (
    "القائمة الجانبية لا تظهر بشكل صحيح على الهاتف المحمول",
    "🛒 Basket emoji shows as 􏿿 on old phones 👩‍👩‍👧 🏳️‍🌈",
    "Checkout: when a customer who has a voucher, an address abroad and more than ninety-nine articles in the basket "
    "goes back from payment to address and changes the country, shipping is charged twice and the voucher is lost",
    "com.example.shop.checkout.payment.provider.adapter.internal.PaymentProviderAdapterFactoryBeanConfigurationException",
)
LABELS = ("bug", "docs", "agent", "ops", "checkout", "security")
PEOPLE = ("maria", "jonas", "amira")
SCREEN = """\
\x1b[1m●\x1b[0m I will look at how the sum is made.

\x1b[2m●\x1b[0m \x1b[1mRead\x1b[0m(shop/basket.py)
  ⎿  Read \x1b[1m48\x1b[0m lines

\x1b[32m●\x1b[0m \x1b[1mUpdate\x1b[0m(shop/basket.py)
  ⎿  Updated \x1b[1mshop/basket.py\x1b[0m with 1 addition and 1 removal
     12  def total(basket):
\x1b[41m     13 -    return sum(line.price for line in basket)\x1b[0m
\x1b[42m     13 +    return sum(line.price * line.quantity for line in basket)\x1b[0m

\x1b[32m●\x1b[0m \x1b[1mBash\x1b[0m(python3 -m pytest -q tests/test_basket.py)
  ⎿  \x1b[32m....                                             [100%]\x1b[0m
     \x1b[32m4 passed\x1b[0m in 0.03s

\x1b[36m✻ Thinking…\x1b[0m \x1b[2m(41s · ↓ 1.2k tokens)\x1b[0m
"""
SUMMARY = """\
`total()` summed the prices and forgot the quantity. It now multiplies, and a test with two articles holds it.

- shop/basket.py: price times quantity
- tests/test_basket.py: two articles of 2.50 make 5.00

All 48 tests pass."""
# How often each state comes, of many; of a dozen every state is there once.
SPREAD = {
    State.PENDING: 6,
    State.APPROVED: 3,
    State.ACTIVE: 2,
    State.COMPLETED: 4,
    State.OUTBOX: 1,
    State.FAILED: 2,
    State.POSTED: 70,
    State.REJECTED: 12,
}
FIRST = (
    *(State.ACTIVE, State.PENDING, State.COMPLETED, State.ACTIVE, State.POSTED, State.PENDING, State.APPROVED),
    *(State.FAILED, State.OUTBOX, State.POSTED, State.POSTED, State.REJECTED),
)
DAYS = 21
MOST_ACTIVE = 4


class Maker:
    """Makes tickets up; `now` is when the pages are looked at."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.dice = random.Random(7)
        self.moves: list[tuple[datetime, str, dict[str, object]]] = []
        self.books: dict[str, dict[str, Spent]] = {}
        self.running = 0

    def state(self, n: int) -> State:
        """Where the n-th ticket is."""
        if n < len(FIRST):
            found = FIRST[n]
        else:
            found = self.dice.choices(list(SPREAD), list(SPREAD.values()))[0]
            if found is State.ACTIVE and self.running >= MOST_ACTIVE:
                found = State.POSTED
        self.running += found is State.ACTIVE
        return found

    def minutes(self, mean: float) -> timedelta:
        """A span of time as they come: many short ones, some long."""
        return timedelta(minutes=min(self.dice.expovariate(1 / mean), mean * 6) + 0.2)

    def ticket(self, n: int) -> Ticket:
        """The n-th ticket with its whole way so far."""
        dice, state = self.dice, self.state(n)
        prefix, project = ("INF", INF) if n % 4 == 3 else ("WEB", WEB)
        key = f"{prefix}-{n + 1}"
        title = ODD[n % len(ODD)] if n > 12 and n % 9 == 4 else TITLES[n % len(TITLES)]
        spans = self._spans(state)
        slow = state in (State.PENDING, State.COMPLETED, State.FAILED)
        last = self.minutes(200 if slow else 1 if state is State.OUTBOX else 20)
        if state in (State.POSTED, State.REJECTED):
            last = timedelta(minutes=dice.uniform(3, 60 * 24 * (DAYS if n >= len(FIRST) else 1.5)))
        at = self.now - last - sum((span for _, span in spans), timedelta())
        began = at
        history, where = [Entry(at, "", "pending", "pco-poll", 1)], State.PENDING
        fields: dict[str, object] = {}
        for to, span in spans:
            left = at
            at += span
            who = _who(to, dice)
            fields.update(self._moved(key, n, where, to, left, at, who))
            history.append(Entry(at, where.value, to.value, who, 1, _why(to)))
            self.moves.append((at, key, self._told(where, to, span)))
            where = to
        if where is State.ACTIVE:
            fields.update(self._running(key, n, at))
        moved = dice.random() < 0.3
        trigger = Trigger("status" if moved else dice.choice(("new", "comment")), began, state=TODO)
        comment = Comment("c1", began, "jonas", "I think total() forgets the quantity.")
        round = Round(1, trigger, (comment,) if n % 3 == 0 else (), **fields)
        number = int(key.rpartition("-")[2])
        made = Ticket(
            key, f"00000000-0000-4000-8000-{number:012d}", project, f"record{number}", title, (round,),
            description=_description(title), description_html=f"<p>{_description(title)}</p>",
            plane_state=TODO, labels=tuple(sorted(dice.sample(LABELS, dice.choice((0, 1, 1, 2))))),
            priority=dice.choice(("none", "none", "medium", "medium", "low", "high", "urgent")),
            url=f"https://plane.example.org/acme/browse/{key}/", created_at=began, updated_at=began,
            history=tuple(history), state=state,
        )  # fmt: skip
        return _bound(self._marked(made, n))

    def _spans(self, state: State) -> list[tuple[State, timedelta]]:
        """The moves that led to a state, and how long each took."""
        way = [State.APPROVED, State.ACTIVE, State.COMPLETED, State.OUTBOX, State.POSTED]
        means = dict(zip(way, (90, 6, 25, 60, 1), strict=True))
        if state is State.REJECTED:
            return [(state, self.minutes(200))]
        if state is State.FAILED:
            return [(State.APPROVED, self.minutes(90)), (State.ACTIVE, self.minutes(6)), (state, self.minutes(40))]
        steps = way[: way.index(state) + 1] if state in way else []
        return [(step, self.minutes(means[step])) for step in steps]

    def _moved(
        self, key: str, n: int, came: State, to: State, left: datetime, at: datetime, who: str
    ) -> dict[str, object]:
        """What the round holds after a move."""
        dice = self.dice
        if to is State.APPROVED:
            return {"approval": Approval(who, at, f"{dice.getrandbits(256):064x}")}
        if came is State.ACTIVE:
            usd = round(dice.uniform(0.1, 1.9), 2)
            cost = Cost(usd, {"input": dice.randrange(2_000, 30_000), "output": dice.randrange(800, 9_000)})
            outcome = retry.COMPLETED if to is State.COMPLETED else retry.MAX_TURNS
            attempt = Attempt(1, left, at, outcome, 0 if outcome == "completed" else 1, "build1", n % 3, cost=cost)
            blocked = (Blocked(left + (at - left) / 3, left + (at - left) / 2, "Bash: npm test"),) if n % 3 == 0 else ()
            self.spent(key, at, usd)
            made: dict[str, object] = {"attempts": (attempt,), "blocked": blocked, "cost": cost}
            return made | ({"summary": SUMMARY, "work": _work(key, dice)} if to is State.COMPLETED else {})
        if to is State.OUTBOX:
            return {"post": Post(markdown.html(SUMMARY), f"{key}:1:record", state=StateChange(REVIEW))}
        if to is State.POSTED:
            post = Post(markdown.html(SUMMARY), f"{key}:1:record", at, "77a1", at, StateChange(REVIEW, "done"))
            return {"post": post}
        return {}

    def _running(self, key: str, n: int, at: datetime) -> dict[str, object]:
        """The attempt that goes on; of the first two one waits for a person."""
        usd = round(self.dice.uniform(0.05, 0.6), 2)
        blocked = (Blocked(self.now - timedelta(minutes=7), None, "Bash: npm install left-pad"),) if n == 0 else ()
        doing = "blocked" if blocked else "working"
        self.spent(key, self.now, usd)
        attempt = Attempt(1, at, host="build1", slot=n % 3, doing=doing, doing_since=at, cost=Cost(usd), born=True)
        return {"attempts": (attempt,), "blocked": blocked, "cost": Cost(usd)}

    def _marked(self, ticket: Ticket, n: int) -> Ticket:
        """A few tickets have more to tell."""
        if n == 6:
            return replace(ticket, hold=Hold("maria", self.now, self.now + timedelta(hours=3), "after the release"))
        if n == 2:
            note = Note(self.now - timedelta(minutes=50), "amira", "Compare with WEB-204, please.")
            said = _description(TITLES[0])
            return replace(ticket, notes=(note,), title=TITLES[0], description=said, priority="high")
        if n == 10:
            return _twice(ticket)
        if n == 5:
            old = self.now - timedelta(days=2, hours=5)
            return replace(ticket, history=(replace(ticket.history[0], at=old),), priority="urgent", title=TITLES[10])
        return ticket

    def spent(self, key: str, at: datetime, usd: float) -> None:
        """A session has cost something."""
        self.books.setdefault(f"{times.day(at, ZONE):%Y-%m-%d}", {})[spend.name_of(key, 1, 1)] = Spent(0.0, usd)

    def _told(self, came: State, to: State, stayed: timedelta) -> dict[str, object]:
        """What the audit record has of a move."""
        measured = {"stayed": stayed.total_seconds()}
        if came is State.ACTIVE:
            measured |= {"ran": stayed.total_seconds(), "waited": 0.0}
        outcome = retry.COMPLETED if to is State.COMPLETED else retry.MAX_TURNS
        ended = {"outcome": outcome} if came is State.ACTIVE else {}
        return {"from": came.value, "to": to.value, "round": 1, **ended, "measured": measured}


def _twice(ticket: Ticket) -> Ticket:
    """The ticket in a second round, after a comment; meanwhile somebody has written again."""
    first, again = ticket.round, "And what of vouchers?"
    asked = Comment("c2", first.trigger.at, "jonas", again)
    second = replace(first, n=2, trigger=Trigger("comment", first.trigger.at, state=TODO), comments=(asked,))
    refused = second.work and second.work.pushed and replace(second.work.pushed, outcome="refused", why="protected")
    second = replace(second, remark="Keep it small.", work=second.work and replace(second.work, pushed=refused))
    late = Comment("c3", first.trigger.at, "maria", "Thank you!")
    forward = Forward(1, "amira", first.trigger.at)
    noted = (Noted(first.trigger.at, "comment", "maria", comment=late, forward=forward),)
    history = (*ticket.history[:-1], replace(ticket.history[-1], round=2))
    return replace(ticket, rounds=(first, second), noted=noted, history=history)


def _bound(ticket: Ticket) -> Ticket:
    """The ticket with an approval of just what it says."""
    approval = ticket.round.approval
    where = Target(REPOSITORIES[ticket.project], "main", "claude", "acceptEdits")
    return ticket.with_round(approval=replace(approval, hash=content_hash(ticket, where))) if approval else ticket


def _who(to: State, dice: random.Random) -> str:
    return {State.ACTIVE: "pco-launch", State.COMPLETED: "pco-watch", State.POSTED: "pco-post"}.get(
        to, "pco-watch" if to is State.FAILED else dice.choice(PEOPLE)
    )


def _description(title: str) -> str:
    if title == TITLES[0]:
        return "With two articles of 2.50 in the basket the page shows 2.50 and not 5.00.\n\nIt is in shop/basket.py."
    return f"{title}.\n\nSeen on the staging shop this week. A test should hold what is mended."


def _why(to: State) -> str:
    return {
        State.REJECTED: "somebody else does it",
        State.FAILED: "it needed more than 60 turns (claude.max_turns)",
    }.get(to, "")


def _work(key: str, dice: random.Random) -> Work:
    commits = (
        Commit(f"{dice.getrandbits(160):040x}", "basket: the total counts how many of each", "Claude"),
        Commit(f"{dice.getrandbits(160):040x}", "tests: two articles in a basket", "Claude"),
    )
    stat = " shop/basket.py       |  2 +-\n tests/test_basket.py | 11 +++++++++++\n"
    stat += " 2 files changed, 12 insertions(+), 1 deletion(-)"
    url = "https://git.example.org/shop/web.git"
    pushed = Pushed(commits[-1].id, url, datetime(2026, 1, 1, tzinfo=UTC))
    return Work(commits, stat, f"pco/{key}", "0" * 40, commits[-1].id, 0, "", pushed)


def main() -> int:
    """Make one where the command line says."""
    make(Path(sys.argv[1]).resolve(), int(sys.argv[2]) if len(sys.argv) > 2 else 120)
    return 0


def make(home: Path, count: int) -> None:
    """Make it all."""
    now = datetime.now(UTC).replace(microsecond=0)
    lay_out(home)
    maker = Maker(now)
    for n in range(count):
        place(home, maker.ticket(n))
    records(home, maker, now)
    spool = Spool(home / "spool", "pco-poll")
    spool.index.rebuild()
    environ = {**os.environ, "PCO_CONFIG": str(home / "pco.yaml")}
    with open(home / "spool" / ".watch.lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # as pco-watch holds it, without which pco is not well
        subprocess.run([sys.executable, str(TOP / "bin" / "pco-dashboard"), "--full"], env=environ, check=True)


def lay_out(home: Path) -> None:
    """The folders and the configuration."""
    home.mkdir(parents=True)
    Spool(home / "spool", "pco-poll").lay_out()
    for name in ("sessions", "mirrors", "plane", "audit", "metrics/spend", "www", "run"):
        (home / name).mkdir(parents=True)
    (home / "token").write_text("plane_api_exhibit\n")
    (home / "pco.yaml").write_text(CONFIG.format(home=home, web=WEB, inf=INF))


def place(home: Path, ticket: Ticket) -> None:
    """Put a ticket where it belongs, with the papers of its session."""
    (home / "spool" / ticket.state / f"{ticket.key}.json").write_bytes(to_bytes(ticket))
    if ticket.attempt:
        papers = home / "sessions" / ticket.key / "1.1"
        papers.mkdir(parents=True)
        (papers / "prompt.md").write_text(f"# {ticket.key} {ticket.title}\n\n{ticket.description}\n")
        (papers / "screen").write_text(SCREEN)


def records(home: Path, maker: Maker, now: datetime) -> None:
    """The audit record, the money of each day, and what the last poll saw."""
    lines: dict[str, list[str]] = {}
    for at, key, fields in sorted(maker.moves, key=lambda move: move[0]):
        record = {
            "at": times.iso(at),
            "event": "moved",
            "by": "exhibit",
            "key": key,
            "fields": fields,
            "prev": "0" * 64,
        }
        lines.setdefault(f"{at:%Y-%m}", []).append(json.dumps(record, separators=(",", ":")) + "\n")
    for month, those in lines.items():
        (home / "audit" / f"{month}.jsonl").write_text("".join(those))
    for day, sessions in maker.books.items():
        spend.write(home / "metrics", datetime.fromisoformat(day).date(), Book(sessions=sessions))
    for project, key in ((WEB, "WEB"), (INF, "INF")):
        polled.write(home / "plane", Head(project, key=key, name=key, polled_at=now, tried_at=now))


if __name__ == "__main__":
    sys.exit(main())
