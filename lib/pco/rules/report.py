"""What happened in a period, put together from the audit record and the ledger; values in, values out.

Records are taken one by one, and none is kept: what grows is a number for each wait, and for each ticket that had a
session, or cost money, in the period.
"""

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import field
from datetime import date, datetime
from typing import Any

from pco.ground import messages
from pco.ground.audit import Record
from pco.ground.frozen import dataclass
from pco.ground.tally import amount
from pco.ground.ticket import KEY, State
from pco.rules import counting, retry
from pco.rules.period import Period

SCHEMA = 1
STATES = frozenset(state.value for state in State)
ENDED = (State.POSTED, State.FAILED, State.REJECTED)
# What a move means that a person made.
WORDS: dict[tuple[str, str], str] = {
    (State.PENDING, State.APPROVED): "approved",
    (State.COMPLETED, State.OUTBOX): "accepted",
    (State.FAILED, State.OUTBOX): "accepted",
    (State.COMPLETED, State.APPROVED): "sent_back",
    (State.FAILED, State.APPROVED): "tried_again",
}
DECISIONS = ("approved", "accepted", "sent_back", "tried_again", "rejected")


@dataclass(frozen=True)
class Gate:
    """How long tickets waited for a gate, in seconds."""

    name: str
    count: int = 0
    median: float = 0.0
    p90: float = 0.0


@dataclass(frozen=True)
class Project:
    """What one project had in the period: tickets that cost something, sessions that ended (well), money, tokens."""

    name: str
    tickets: int = 0
    sessions: int = 0
    completed: int = 0
    usd: float = 0.0
    tokens: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Top:
    """A ticket that took long (`seconds` that its sessions worked) or cost much; `state` is where it is now."""

    key: str
    seconds: float = 0.0
    usd: float = 0.0
    title: str = ""
    state: str = ""


@dataclass(frozen=True)
class Person:
    """Who decided how often."""

    name: str
    approved: int = 0
    accepted: int = 0
    sent_back: int = 0
    tried_again: int = 0
    rejected: int = 0

    @property
    def all(self) -> int:
        """All decisions."""
        return sum(getattr(self, word) for word in DECISIONS)


@dataclass(frozen=True)
class Reader:
    """Who read the dashboard, by the name of the login or by address."""

    name: str
    visits: int
    last: datetime


@dataclass(frozen=True)
class Refusal:
    """Who was refused: `what` is a path of the dashboard, or sudo's word."""

    what: str
    name: str
    count: int
    last: datetime


@dataclass(frozen=True)
class Now:
    """How things stand as the report is made: tickets by state and project, since when the oldest is in each state.

    `finished` are all that ever ended, by state; `reasons` why pco is not well; `asked` boxes of pco-doctor that only
    people can answer and nobody has.
    """

    open: dict[str, dict[str, int]] = field(default_factory=dict)
    finished: dict[str, int] = field(default_factory=dict)
    oldest: dict[str, datetime] = field(default_factory=dict)
    blocked: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()


@dataclass(frozen=True)
class Report:
    """All of it.  `ended` are moves to posted, failed and rejected by project; `hours` are sessions that completed.

    `hours` has 24 numbers for each day of the week, Monday first; `days` is what each day cost, in USD.  Of `readers`
    and `refusals` None says that they could not be read; `unseen` says why.
    """

    since: datetime
    until: datetime
    made: datetime
    schema: int = SCHEMA
    now: Now = Now()
    created: int = 0
    ended: dict[str, dict[str, int]] = field(default_factory=dict)
    hours: tuple[tuple[int, ...], ...] = ()
    gates: tuple[Gate, ...] = ()
    outcomes: dict[str, int] = field(default_factory=dict)
    events: dict[str, int] = field(default_factory=dict)
    waited: float = 0.0
    refused: int = 0
    projects: tuple[Project, ...] = ()
    usd: float = 0.0
    days: dict[str, float] = field(default_factory=dict)
    dearest: tuple[Top, ...] = ()
    slowest: tuple[Top, ...] = ()
    people: tuple[Person, ...] = ()
    readers: tuple[Reader, ...] | None = None
    refusals: tuple[Refusal, ...] | None = None
    unseen: tuple[str, ...] = ()

    @property
    def sessions(self) -> int:
        """How many sessions ended."""
        return sum(self.outcomes.values())

    @property
    def success(self) -> float | None:
        """The share of sessions that completed, of those that were not ended by people or the machine."""
        counted = sum(n for outcome, n in self.outcomes.items() if outcome not in NEUTRAL)
        return self.outcomes.get(retry.COMPLETED, 0) / counted if counted else None


NEUTRAL = (retry.STOPPED, retry.INTERRUPTED, retry.REBOOT)


class Sums:
    """What is taken in, before it is put together."""

    def __init__(self, period: Period) -> None:
        self.period = period
        self._created = 0
        self._ended: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._hours = [[0] * 24 for _ in range(7)]
        self._waits = {name: array("d") for name in counting.GATES.values()}
        self._outcomes: Counter[str] = Counter()
        self._sessions: defaultdict[str, Counter[bool]] = defaultdict(Counter)
        self._events: Counter[str] = Counter()
        self._waited = 0.0
        self._refused = 0
        self._work: defaultdict[str, float] = defaultdict(float)  # seconds, by key
        self._tokens: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._people: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._cost: defaultdict[str, float] = defaultdict(float)  # USD, by key
        self._days: dict[str, float] = {day.isoformat(): 0.0 for day in period.days}

    def take(self, record: Record) -> None:
        """Take in a record of the audit, if it is of the period; anything may stand in it."""
        if not self.period.holds(record.at):
            return
        if record.event != "moved":
            self._events[record.event if messages.message_id(record.event) else counting.OTHER] += 1
            return
        came, to = record.fields.get("from"), record.fields.get("to")
        if isinstance(came, str) and isinstance(to, str) and to in STATES and came in (STATES if came else ("",)):
            told = record.fields.get("measured")
            self._moved(record, came, to, told if isinstance(told, dict) else {})

    def _moved(self, record: Record, came: str, to: str, told: dict[str, Any]) -> None:
        project = counting.prefix(record.key)
        self._created += not came
        if to in ENDED:
            self._ended[to][project] += 1
        if (came, to) == (State.OUTBOX, State.FAILED):
            self._refused += 1
        gate = counting.GATES.get((came, to))
        if gate and amount(told.get("stayed")):
            self._waits[gate].append(told["stayed"])
        word = "rejected" if to == State.REJECTED else WORDS.get((came, to), "")
        if word and _person(record.by):
            self._people[record.by[:64]][word] += 1
        if came == State.ACTIVE:
            self._session(record, to, project, told)

    def _session(self, record: Record, to: str, project: str, told: dict[str, Any]) -> None:
        outcome = record.fields.get("outcome")
        if not outcome:
            return
        self._outcomes[outcome if outcome in retry.OUTCOMES else counting.OTHER] += 1
        self._sessions[project][to == State.COMPLETED] += 1
        if to == State.COMPLETED:
            there = record.at.astimezone(self.period.zone)
            self._hours[there.weekday()][there.hour] += 1
        ran, waited = (told[name] if amount(told.get(name)) else 0.0 for name in ("ran", "waited"))
        self._waited += waited
        self._work[_key(record.key)] += max(ran - waited, 0.0)
        used = told.get("tokens")
        for kind, number in used.items() if isinstance(used, dict) else ():
            if kind in counting.KINDS and amount(number):
                self._tokens[project][kind] += int(number)

    def spent(self, day: date, key: str, usd: float) -> None:
        """Take in what a session cost on a day of the period."""
        self._days[day.isoformat()] += usd
        self._cost[_key(key)] += usd

    def report(self, made: datetime, now: Now, most: int) -> Report:
        """Put it together, with the first `most` of what is a list."""
        return Report(
            since=self.period.since,
            until=self.period.until,
            made=made,
            now=now,
            created=self._created,
            ended={state: dict(sorted(known.items())) for state, known in self._ended.items()},
            hours=tuple(map(tuple, self._hours)),
            gates=tuple(gate(name, waits) for name, waits in self._waits.items()),
            outcomes=dict(self._outcomes.most_common()),
            events=dict(self._events.most_common()),
            waited=self._waited,
            refused=self._refused,
            projects=self._projects(),
            usd=sum(self._days.values()),
            days=self._days,
            dearest=tuple(Top(key, self._work.get(key, 0.0), usd) for key, usd in _first(self._cost, most)),
            slowest=tuple(Top(key, spent, self._cost.get(key, 0.0)) for key, spent in _first(self._work, most)),
            people=self._persons(),
        )

    def _projects(self) -> tuple[Project, ...]:
        usd: dict[str, float] = defaultdict(float)
        tickets: Counter[str] = Counter()
        for key, cost in self._cost.items():
            usd[counting.prefix(key)] += cost
            tickets[counting.prefix(key)] += 1
        found = [
            Project(
                name=name,
                tickets=tickets[name],
                sessions=sum(self._sessions[name].values()),
                completed=self._sessions[name][True],
                usd=float(usd[name]),
                tokens=dict(self._tokens[name]),
            )
            for name in {*usd, *self._sessions}
        ]
        return tuple(sorted(found, key=lambda project: (-project.usd, project.name)))

    def _persons(self) -> tuple[Person, ...]:
        found = [Person(name, **words) for name, words in self._people.items()]
        return tuple(sorted(found, key=lambda person: (-person.all, person.name)))


def _key(key: str) -> str:
    """The key, if it is one."""
    return key if KEY.fullmatch(key) else counting.OTHER


def _person(by: str) -> bool:
    """Whether somebody is a person, and no program of pco."""
    return bool(by) and by != "pco" and not by.startswith("pco-")


def _first(numbers: Mapping[str, float], most: int) -> Iterable[tuple[str, float]]:
    """The largest, largest first; without what is nothing, and what is put together of tickets whose keys are gone."""
    from heapq import nsmallest

    large = ((key, number) for key, number in numbers.items() if number > 0 and key != counting.OTHER)
    return nsmallest(most, large, key=lambda pair: (-pair[1], pair[0]))


def gate(name: str, waits: Iterable[float]) -> Gate:
    """Median and nine tenths of the waits for a gate: the least wait that as many did not exceed."""
    ordered = sorted(waits)
    if not ordered:
        return Gate(name)
    return Gate(name, len(ordered), quantile(ordered, 0.5), quantile(ordered, 0.9))


def quantile(ordered: list[float], share: float) -> float:
    """The least of the values, in order, that a share of all does not exceed."""
    return ordered[max(-(-len(ordered) * round(share * 100) // 100) - 1, 0)]
