"""One look at all active tickets: take from the spool, judge, act outside, put back."""

import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TypeVar

from pco.commands import halting
from pco.commands.watching import collect
from pco.commands.watching.ears import Ear
from pco.commands.watching.memory import Memory, numbers_of, slim
from pco.commands.watching.spending import Spending
from pco.ground import attempt, boot
from pco.ground.errors import BadConfig, BadData, PcoError, TryLater
from pco.ground.ticket import State, Ticket, Work
from pco.outside.runners import Runner
from pco.rules import counting, hearing, prompt, retry, supervision
from pco.rules.budget import Purse
from pco.rules.supervision import Seen, Step, Verdict
from pco.run import Pco

GRACE = timedelta(seconds=30)  # from asking a session to end to killing it; pco-session gives its agent 10 of these
ASK_AGAIN = 60.0  # seconds after which a session that was asked to end, and is still there, is asked again
SOON = 1.0  # seconds: when a lock was held
ENDING = 5.0  # seconds: the net under the runner's own word that a session has ended
TRUSTED = 0.2  # seconds for which "they are alive" is believed without asking the runner again
LONG = 0.02  # seconds of work after which all are heard again, before more is done
ACCOUNTED = 30.0  # seconds between two writes of a record in which nothing but the cost has changed,
GROWN = 1.25  # unless it has grown so much
NEVER = float("inf")
LONG_AGO = float("-inf")

T = TypeVar("T")
Found = tuple[Ticket, Ear, Seen]


class Desk:
    """The active tickets as pco-watch knows them.  `pat` is called after each unit of progress."""

    def __init__(self, pco: Pco, runner: Runner, pat: Callable[[], None]) -> None:
        self.pco = pco
        self.spool = pco.spool
        self.limits = pco.config.sessions
        self.memory = Memory(pco.spool, pco.config.paths.sessions, self._say)
        self.waiting: list[str] = []  # those whose agents wait for a person
        self.retries: dict[str, float] = {}  # key: the clock at which it may be launched again
        self._spending = Spending(pco)
        self._runner = runner
        self._pat = pat
        self._boot_id = boot.boot_id()
        self._asked: dict[str, float] = {}  # key: the clock at which its session was asked to end
        self._left: dict[str, float] = {}  # key: the clock at which the runner no longer knew it, though it was there
        self._living: tuple[float, frozenset[str]] = (LONG_AGO, frozenset())
        self._said: set[tuple[str, str]] = set()
        self._accounted: dict[str, tuple[float, float]] = {}  # key: when its record was last written, and its cost then

    @property
    def purse(self) -> Purse:
        """What may be spent, and what was."""
        return self._spending.purse

    def scan(self, rung: Callable[[], bool]) -> float:
        """Look at each active ticket; returns the clock at which to look again, if nothing happens before.

        `rung` says whether something happened meanwhile: a summary is recorded at once, whatever else is being done.
        """
        keys = self.spool.keys(State.ACTIVE)
        self._forget(keys)
        self._hear(keys, None)  # what was handed over is recorded before anybody is asked anything
        living, due = self._alive(keys)
        found, heard_at = self._hear(keys, living), boot.clock()
        self.waiting = sorted(key for key, f in found.items() if not isinstance(f, float) and hearing.waits(f[0]))
        for n, key in enumerate(keys):
            if boot.clock() > heard_at + LONG and rung():
                found, heard_at = self._hear(keys[n:], living), boot.clock()
                due = boot.clock() if n else due  # it may have been one that was dealt with already
            due = min(due, self._acted(key, found[key]))
            self._pat()
        return min(due, boot.clock() + SOON) if self._left else due

    def remember_retries(self) -> None:
        """At the start: which approved tickets wait for their next attempt."""
        for ticket in self.spool.tickets(State.APPROVED, trouble=lambda _key, _error: None):
            self._wait_for_retry(ticket)

    # Hearing.

    def _hear(self, keys: list[str], living: frozenset[str] | None) -> dict[str, Found | float]:
        """What each session told, recorded at once; in its place the clock at which to look again."""
        found: dict[str, Found | float] = {}
        for key in keys:
            found[key] = self._guarded(key, partial(self._listen, key, living))
        self._spending.keep()
        return found

    def _listen(self, key: str, living: frozenset[str] | None) -> Found | float:
        try:
            ticket = self.memory.ticket(key)
        except BadData as error:
            return self._corrupt(key, living, error)
        ear = self.memory.ear(ticket)
        seen = self._waited_for(
            key, ear, ear.look(None if living is None else key in living, self._boot_id, boot.clock())
        )
        self._spending.count(ticket, seen.account)
        newborn = seen.born and not (ticket.attempt and ticket.attempt.born)
        ticket = self._noted(ticket, seen)
        self._hear_words(ticket, ear, seen)
        if newborn and not seen.alive:
            # The runner was asked before the birth: what it said is too old to judge by.
            self._living = (LONG_AGO, frozenset())
            return boot.clock()
        return boot.clock() if ear.more else (ticket, ear, seen)

    def _noted(self, ticket: Ticket, seen: Seen) -> Ticket:
        """The ticket with what was heard: on disk, but for a cost that moves all the time."""
        after = supervision.noted(ticket, seen)
        if after == ticket:
            return ticket
        costs_only = supervision.noted(ticket, replace(seen, account=None)) == ticket
        at, cost = self._accounted.get(ticket.key, (LONG_AGO, 0.0))
        if costs_only and seen.clock < at + ACCOUNTED and after.cost < cost * GROWN:
            return after
        self._accounted[ticket.key] = (seen.clock, after.cost)
        return self._note(ticket, seen)

    def _hear_words(self, ticket: Ticket, ear: Ear, seen: Seen) -> None:
        """What else is new: a warning, a screen."""
        if seen.heard.warning:
            self._say(ticket.key, seen.heard.warning)
        collect.live(ear, seen.clock)

    def _waited_for(self, key: str, ear: Ear, seen: Seen) -> Seen:
        """A session that the runner knows no longer, but whose process is just ending, counts as alive for a while."""
        if seen.alive is None:
            return seen
        if seen.alive or seen.exit is not None or not ear.lingers(self._boot_id):
            self._left.pop(key, None)
            return seen
        since = self._left.setdefault(key, seen.clock)
        return replace(seen, alive=supervision.ending_still(since, seen.clock))

    def _note(self, before: Ticket, seen: Seen) -> Ticket:
        """Record what was heard."""
        after = self._change(before, lambda fresh: supervision.noted(fresh, seen))
        if after.round.summary and not before.round.summary:
            self.pco.announce("summary", after, {"by": after.round.summary_by, "size": len(after.round.summary)})
        if bool(after.blocked) != bool(before.blocked):
            event, what = ("blocked", after.blocked.what) if after.blocked else ("unblocked", "")
            self.pco.announce(event, after, {"what": what})
        waiting = {event.forward for event in after.forwarded}
        taken = [event.forward for event in before.forwarded if event.forward and event.forward not in waiting]
        for forward in taken:
            self.pco.announce("given", after, {"number": forward.n, "forwarded_by": forward.by})
        rests = hearing.waits(after) and after.blocked is None
        if rests and not (hearing.waits(before) and before.blocked is None):
            self.pco.announce("at rest", after, {"what": hearing.doing(after)[0]})
        if after.attempt and before.attempt and after.attempt.afresh and not before.attempt.afresh:
            self.pco.announce("afresh", after, {"why": after.attempt.afresh})
        self._wake("dashboard")
        return slim(after)

    # Acting.

    def _acted(self, key: str, found: Found | float) -> float:
        return found if isinstance(found, float) else self._guarded(key, lambda: self._act(*found))

    def _act(self, ticket: Ticket, ear: Ear, seen: Seen) -> float:
        verdict = self._judge(ticket, seen)
        if verdict.step is Step.FENCE:
            attempt.fence(ear.home)
            # Only now is "not born" for good; and the runner's word must be younger than the fence.
            self._living = (LONG_AGO, frozenset())
            living, _ = self._alive([ticket.key])
            seen = ear.look(None if living is None else ticket.key in living, self._boot_id, boot.clock())
            if seen.born:
                return boot.clock()  # it was faster than the fence: the next look judges it as a living one
            verdict = self._judge(ticket, seen)
        if verdict.step is Step.END:
            return self._end(ticket, verdict, seen.clock)
        if verdict.step is Step.MOVE:
            return self._move(ticket, ear, seen, verdict)
        if seen.born and seen.exit is None and not ticket.round.summary:
            self._hand_on(ticket, ear)
        due = NEVER if verdict.at is None else verdict.at
        # Its unit has ended; what takes it in rings, too, but while it still runs itself.
        return min(due, seen.clock + TRUSTED) if attempt.has_result(ear.home) else due

    def _hand_on(self, ticket: Ticket, ear: Ear) -> None:
        """What a person forwards goes where the agent's hook finds it; once, however often this is done."""
        for event in ticket.forwarded:
            if event.forward:
                n = event.forward.n
                words = prompt.forwarded(ticket.key, event, secrets.token_hex(8))
                pointer = prompt.pointer(ticket.key, event, str(attempt.forward(ear.home, n)))
                attempt.hand_on(ear.home, n, words, pointer)

    def _judge(self, ticket: Ticket, seen: Seen) -> Verdict:
        return supervision.judge(ticket, seen, self.limits, self.purse)

    def _end(self, ticket: Ticket, verdict: Verdict, clock: float) -> float:
        """Record why, then ask the session to end."""
        self._change(ticket, lambda fresh: supervision.ending(fresh, verdict.outcome, clock, verdict.why))
        if self._ask(ticket.key, clock):
            why = ": ".join(part for part in (verdict.outcome, verdict.why) if part)
            self.pco.announce("ending", ticket, {"why": why or "it hangs on after its end"})
        return clock + ENDING

    def _ask(self, key: str, clock: float) -> bool:
        """Ask a session to end, and again if it is still there long after its grace; says whether it was asked."""
        if clock < self._asked.get(key, LONG_AGO) + ASK_AGAIN:
            return False
        self._runner.stop(key, GRACE)
        self._asked[key] = clock
        return True

    def _move(self, ticket: Ticket, ear: Ear, seen: Seen, verdict: Verdict) -> float:
        """Collect what it left, then record and move, unless something changed the verdict meanwhile."""
        to = verdict.to
        assert to is not None
        if to is State.APPROVED:
            halting.heed(self.pco, self._runner)  # before it could be launched again
        self._spending.count(ticket, seen.account)
        self._spending.keep()  # before the record moves: afterwards nobody looks there again
        collect.screen(ear)
        work = collect.work(ear, seen, self._pat) if to in (State.COMPLETED, State.FAILED) else None

        def move(fresh: Ticket) -> tuple[Ticket, State] | None:
            fresh = supervision.noted(fresh, seen)
            if not _same(fresh, ticket) or self._judge(fresh, seen) != verdict:
                return None
            fresh = fresh.with_round(work=work) if work else fresh
            return supervision.finished(fresh, seen, verdict, self.pco.now()), to

        moved = self.spool.update(ticket.key, move, why=verdict.why)
        if moved.state is State.ACTIVE:
            return boot.clock()
        collect.tidy(ear)
        self._announce(moved, verdict, work)
        return NEVER

    def _announce(self, moved: Ticket, verdict: Verdict, work: Work | None) -> None:
        number = moved.attempt.n if moved.attempt else 0
        problem = work.problem if work else ""
        fields = {"attempt": number, "outcome": verdict.outcome, "why": verdict.why, "problem": problem}
        self.pco.announce("moved", moved, fields, counting.measured(moved))
        self._asked.pop(moved.key, None)
        self._wait_for_retry(moved)
        # Whether its project wants it pco-push judges itself: by the configuration of then, not that of our start.
        pushes = ("push",) if moved.state is State.COMPLETED else ()
        self._wake("launch", *pushes, "dashboard")

    def _wait_for_retry(self, ticket: Ticket) -> None:
        now = self.pco.now()
        due = retry.not_before(ticket, self.limits.retry_after, now)
        if ticket.state is State.APPROVED and due is not None:
            # Told by the wall clock, waited for on the other; one that has come while nobody watched is due at once.
            self.retries[ticket.key] = boot.clock() + max((due - now).total_seconds(), 0.0)

    def _corrupt(self, key: str, living: frozenset[str] | None, error: BadData) -> float:
        """End the session of an unreadable record, and set that aside once the session is gone."""
        self._say(key, f"{error}; set aside once its session is gone")
        clock = boot.clock()
        if living is None or key in living:
            if living is not None:
                self._ask(key, clock)
            return clock + ENDING
        self.spool.set_aside(key, State.ACTIVE, str(error))
        if self.spool.find(key) is not State.CORRUPT:
            return clock  # it was mended meanwhile
        self.pco.announce("set aside", None, {"key": key, "from": "active", "to": "corrupt", "why": str(error)})
        self._wake("launch", "dashboard")
        return NEVER

    # What all need.

    def _guarded(self, key: str, act: Callable[[], T]) -> T | float:
        """One bad ticket does not stop the others; what the machine refuses (SystemFault) ends the program."""
        try:
            return act()
        except KeyError:
            return NEVER  # it went elsewhere
        except TryLater as error:
            self._say(key, str(error))
            return boot.clock() + SOON
        except (BadData, BadConfig) as error:
            self._say(key, str(error))
            return NEVER

    def _alive(self, keys: list[str]) -> tuple[frozenset[str] | None, float]:
        """The keys of the living sessions, None if that is unknown; and the clock at which to ask again."""
        at, living = self._living
        if not keys:
            return living, NEVER
        if boot.clock() < at + TRUSTED and living.issuperset(keys):
            return living, at + TRUSTED
        try:
            known = self._runner.list()
        except PcoError as error:
            self._say("", f"the runner does not answer: {error}")
            known = None
        self._living = (LONG_AGO, frozenset()) if known is None else (boot.clock(), known)
        return known, NEVER if known is not None else boot.clock() + ENDING

    def _change(self, ticket: Ticket, change: Callable[[Ticket], Ticket]) -> Ticket:
        """Change the record, as it is by now, in its place.  Raises KeyError if it is another attempt by now."""

        def judge(fresh: Ticket) -> tuple[Ticket, None] | None:
            changed = change(fresh) if _same(fresh, ticket) else fresh
            return None if changed == fresh else (changed, None)

        changed = self.spool.update(ticket.key, judge)
        if not _same(changed, ticket):
            raise KeyError(ticket.key)
        return changed

    def _forget(self, keys: list[str]) -> None:
        gone = self.memory.forget(keys)
        self._asked = {key: at for key, at in self._asked.items() if key in keys}
        self._left = {key: at for key, at in self._left.items() if key in keys}
        self._accounted = {key: at for key, at in self._accounted.items() if key in keys}
        if gone:
            self._said = {said for said in self._said if said[0] not in gone}

    def _say(self, key: str, message: str) -> None:
        """A warning, once as long as the ticket is active."""
        if (key, message) not in self._said:
            self._said.add((key, message))
            self.pco.log("warning", message, key)

    def _wake(self, *names: str) -> None:
        for name in names:
            self.spool.control.wake(name)


def _same(one: Ticket, other: Ticket) -> bool:
    """Whether both are the same attempt, and active."""
    return numbers_of(one) == numbers_of(other) and one.state is other.state is State.ACTIVE
