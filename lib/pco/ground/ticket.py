"""The record of a ticket: what KEY.json holds, as frozen dataclasses.

`Ticket` is the file, which `ground.record` reads and writes; `rounds[-1]` is the current round.  `pco-spool(5)`
describes every field.  A field that a later version adds raises SCHEMA: a newer record is refused whole, an older one
is read with the defaults.
"""

import re
from dataclasses import field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from pco.ground.frozen import dataclass

SCHEMA = 3
KEY = re.compile(r"[A-Z0-9_]{1,12}-[0-9]{1,9}")
LOCAL = "LOCAL"  # the prefix of tickets that Plane does not know; no project may use it
MOST_BYTES = 48 << 20  # a description may have 5 MiB, and is kept twice


class State(StrEnum):
    """Where a ticket is: the folder its file is in."""

    PENDING = "pending"
    APPROVED = "approved"
    ACTIVE = "active"
    COMPLETED = "completed"
    OUTBOX = "outbox"
    POSTED = "posted"
    FAILED = "failed"
    REJECTED = "rejected"
    CORRUPT = "corrupt"


FINISHED = (State.POSTED, State.REJECTED)  # these grow for ever; nothing may cost more for it
OPEN = tuple(state for state in State if state not in FINISHED)


@dataclass(frozen=True)
class PlaneState:
    """A workflow state in Plane; `group` is backlog, unstarted, started, completed or cancelled."""

    id: str
    name: str
    group: str


@dataclass(frozen=True)
class Comment:
    """A person's comment in Plane, as plain text; an `id` that begins with `note-` is of words forwarded in pco."""

    id: str
    at: datetime
    by: str
    text: str


@dataclass(frozen=True)
class Note:
    """A remark that a person left on the ticket in pco."""

    at: datetime
    by: str
    text: str


@dataclass(frozen=True)
class Forward:
    """A person's wish that the running agent gets it: as forward/`n`.md of the attempt, each `n` once in a round."""

    n: int
    by: str
    at: datetime


@dataclass(frozen=True)
class Noted:
    """An event in Plane that found the ticket busy; `kind` is comment, text, moved, closed or gone.

    Or a note: words that a person forwards.  `given` is the number of the round whose prompt took it up, or whose agent
    took it when it was forwarded; 0 while none has.
    """

    at: datetime
    kind: str
    by: str = ""
    what: str = ""
    comment: Comment | None = None
    state: PlaneState | None = None
    given: int = 0
    forward: Forward | None = None


@dataclass(frozen=True)
class Hold:
    """Do not launch before `until` (for ever if None)."""

    by: str
    at: datetime
    until: datetime | None = None
    why: str = ""


@dataclass(frozen=True)
class Stop:
    """Somebody asked that the session ends; `to` is where the ticket goes then: rejected, or approved (pause)."""

    at: datetime
    by: str
    why: str = ""
    to: str = "rejected"


@dataclass(frozen=True)
class Released:
    """A person let it go on: of money, rounds and idle rounds only what comes after `at` counts.

    `usd` is what the ticket had cost by then.
    """

    by: str
    at: datetime
    usd: float = 0.0


@dataclass(frozen=True)
class Entry:
    """One transition; `round` is the round it leads to.  The last one counts only if the file is in the folder `to`."""

    at: datetime
    from_: str
    to: str
    by: str
    round: int
    why: str = ""


@dataclass(frozen=True)
class Trigger:
    """What began the round: new, status, comment, retry, rework, reopen, import or local; `state` is Plane's then."""

    kind: str
    at: datetime
    what: str = ""
    state: PlaneState | None = None


@dataclass(frozen=True)
class Approval:
    """A person's word, bound to the hash of what was shown."""

    by: str
    at: datetime
    hash: str


@dataclass(frozen=True)
class Cost:
    """What was used: `tokens` by kind (input, output, cache_read, cache_write); `estimated`: the agent told no USD."""

    usd: float = 0.0
    tokens: dict[str, int] = field(default_factory=dict)
    estimated: bool = False


@dataclass(frozen=True)
class Attempt:
    """One session of the round.  `rules.retry` lists the outcomes; `ending` says why pco ended it, before it did.

    `agent_session` is the agent's name of the conversation, `transcript` the file with it, `doing` what the agent does
    (working, idle, …) since `doing_since`, `afresh` why an earlier conversation was not resumed.  `boot_time` and
    `ending_at` are CLOCK_BOOTTIME in seconds, good as long as `boot_id` is this boot's; `ending_why` is `ending` with
    figures, where there are some.
    """

    n: int
    start: datetime
    end: datetime | None = None
    outcome: str = ""
    exit: int | None = None
    host: str = ""
    slot: int = 0
    agent_session: str = ""
    transcript: str = ""
    afresh: str = ""
    doing: str = ""
    doing_since: datetime | None = None
    cost: Cost = field(default_factory=Cost)
    boot_id: str = ""
    boot_time: float = 0.0
    born: bool = False
    ending: str = ""
    ending_at: float = 0.0
    ending_why: str = ""


@dataclass(frozen=True)
class Blocked:
    """A time in which the agent waited for a person."""

    from_: datetime
    to: datetime | None = None
    what: str = ""


@dataclass(frozen=True)
class Commit:
    """A commit that the session made."""

    id: str
    subject: str
    by: str = ""


@dataclass(frozen=True)
class Pushed:
    """What became of pushing `commit` to `url` when that was last tried: `outcome` is done, later or refused.

    What is refused is not tried again unless a person asks; `tries` counts the failures one after the other.
    """

    commit: str
    url: str
    at: datetime
    outcome: str = "done"
    why: str = ""
    tries: int = 0


@dataclass(frozen=True)
class Fetched:
    """Who was the first to fetch what a round left, with `pco-queue fetch`: the branch was at `commit` then."""

    commit: str
    by: str
    at: datetime


@dataclass(frozen=True)
class Work:
    """What the session left in the repository: commits oldest first, `base..tip` of `branch` in the mirror."""

    commits: tuple[Commit, ...] = ()
    diffstat: str = ""
    branch: str = ""
    base: str = ""
    tip: str = ""
    uncommitted: int = 0
    problem: str = ""
    pushed: Pushed | None = None
    fetched: Fetched | None = None


@dataclass(frozen=True)
class StateChange:
    """The change of state in Plane that belongs to the comment; `outcome` is empty, done, left or refused."""

    to: PlaneState | None = None
    outcome: str = ""
    why: str = ""


@dataclass(frozen=True)
class Post:
    """The comment: body and id are frozen before the first request and never change once one was sent."""

    body: str
    external_id: str
    sending_since: datetime | None = None
    comment_id: str = ""
    posted_at: datetime | None = None
    state: StateChange = StateChange()


@dataclass(frozen=True)
class Round:
    """From a trigger to its comment.

    `draft` is what the agent said last where a session ended without a summary: no summary before a person takes it.
    """

    n: int
    trigger: Trigger
    comments: tuple[Comment, ...] = ()
    remark: str = ""
    approval: Approval | None = None
    attempts: tuple[Attempt, ...] = ()
    blocked: tuple[Blocked, ...] = ()
    summary: str = ""
    summary_by: str = ""
    draft: str = ""
    work: Work | None = None
    cost: Cost = Cost()
    post: Post | None = None

    def waited(self, now: datetime | None = None) -> timedelta:
        """How long its agents waited for a person: what has ended, and with `now` also what goes on."""
        ended = [(b.from_, b.to or now) for b in self.blocked]
        return sum((max(to - from_, timedelta(0)) for from_, to in ended if to), timedelta(0))


@dataclass(frozen=True)
class Ticket:
    """The whole record.  `state` is not in the file: it is the folder that the file was read from.

    `restored` is when it came back from a backup: of what happened between that and then it knows nothing.  `scripted`:
    it tries pco, and a small program of pco's own works on it in place of the agent.
    """

    key: str
    uuid: str
    project: str
    id: str
    title: str
    rounds: tuple[Round, ...]
    schema: int = SCHEMA
    rev: int = 0
    local: bool = False
    scripted: bool = False
    description: str = ""
    description_html: str = ""
    plane_state: PlaneState | None = None
    labels: tuple[str, ...] = ()
    priority: str = "none"
    assignees: tuple[str, ...] = ()
    url: str = ""
    created_at: datetime | None = None
    updated_at: datetime | None = None
    gone: bool = False
    notes: tuple[Note, ...] = ()
    noted: tuple[Noted, ...] = ()
    hold: Hold | None = None
    released: Released | None = None
    stop: Stop | None = None
    restored: tuple[datetime, ...] = ()
    history: tuple[Entry, ...] = ()
    state: State = field(default=State.PENDING, metadata={"state": True})

    @property
    def round(self) -> Round:
        """The current round."""
        return self.rounds[-1]

    @property
    def attempt(self) -> Attempt | None:
        """The current attempt of the current round, if one was begun."""
        return self.round.attempts[-1] if self.round.attempts else None

    @property
    def cost(self) -> float:
        """What all its sessions have cost, in USD."""
        return sum(round.cost.usd for round in self.rounds)

    @property
    def blocked(self) -> Blocked | None:
        """What the agent waits for, if it waits for a person now."""
        last = self.round.blocked[-1] if self.round.blocked else None
        return last if last and last.to is None else None

    def with_round(self, **changes: Any) -> "Ticket":
        """The ticket with its current round changed."""
        return replace(self, rounds=(*self.rounds[:-1], replace(self.round, **changes)))

    def with_attempt(self, **changes: Any) -> "Ticket":
        """The ticket with its current attempt changed."""
        attempts = self.round.attempts
        return self.with_round(attempts=(*attempts[:-1], replace(attempts[-1], **changes)))

    @property
    def unknown(self) -> tuple[Noted, ...]:
        """The comments that came meanwhile, and that nobody has forwarded."""
        return tuple(event for event in self.noted if event.kind == "comment" and not (event.given or event.forward))

    @property
    def forwarded(self) -> tuple[Noted, ...]:
        """What a person forwarded and the agent has not taken yet."""
        return tuple(event for event in self.noted if event.forward and not event.given)

    def entered(self) -> datetime | None:
        """When it came into the state it is in; None if the record does not say."""
        last = self.history[-1] if self.history else None
        return last.at if last else None
