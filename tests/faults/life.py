"""Whatever people, Plane, sessions, the clocks and the machine may do to some tickets, in any order: `make faults`.

    tests/faults/life.py                       100,000 steps
    tests/faults/life.py --steps 500 --seed 7

Hypothesis chooses the steps.  The programs are the real ones, and so are the simulated Plane that they ask and the
sessions that they start; any of them may be killed at any call that changes something.  After each step no ticket is
lost or torn, no move is one that the machine forbids, and none that was acknowledged is undone; each poll does what the
table of events says; in the end, when the ordinary runs are over, nothing is under way, nothing was started or posted
twice, and no comment that a person wrote was passed over.
"""

import argparse
import os
import sys
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock
from urllib.request import Request, urlopen

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests"), *([] if "PCO_FAULTS_LIB" in os.environ else [str(TOP / "lib")])]
if "PCO_FAULTS_LIB" in os.environ:
    sys.path.insert(0, os.environ["PCO_FAULTS_LIB"])

from faults import invariants, running, worlds  # noqa: E402
from faults.worlds import World  # noqa: E402
from pco.ground import attempt, boot, events  # noqa: E402
from pco.ground.ticket import State, Ticket  # noqa: E402
from pco.rules import rounds  # noqa: E402
from pco.run import Pco  # noqa: E402
from pco.sim.person import NotDone  # noqa: E402
from pco.spool import control, store  # noqa: E402
from pco.spool.moves import MOVES, allowed  # noqa: E402

KEYS = ("WEB-1", "WEB-2", "WEB-3")
LENGTH = 150  # steps of one life;
AT_ONCE = 20  # lives of one seed
# A session is there from when it was asked for until it is ended or its wrapper ends.
TMUX = """#!/bin/sh
exec 9>{live}/tmux.lock; flock 9
for word; do last=$word; case "$before" in -s) name=$word;; -t) target=$word;; esac; before=$word; case "$word" in
list-sessions|new-session|list-panes|run-shell) what=$word;;
esac; done
case "$what" in
list-sessions) test -s {live}/living || {{ echo 'no server running' >&2; exit 1; }}; cat {live}/living;;
new-session) grep -qx "$name" {live}/living 2>/dev/null && {{ echo 'duplicate session' >&2; exit 1; }}
    echo "$last" >>{live}/started; echo "$name" >>{live}/living;;
list-panes) name=${{target#=}}; name=${{name%:}}
    grep -qx "$name" {live}/living 2>/dev/null || {{ echo "can't find session" >&2; exit 1; }}; echo "$name 1";;
run-shell) grep -vx "${{target%:}}" {live}/living >{live}/living.new; mv {live}/living.new {live}/living;;
esac
exit 0
"""
# What the agent does is in a file.
AGENT = r"""#!/bin/sh
home=$PCO_ATTEMPT_DIR; echo "$home" >>LIVE/ran
of=${home##*/}; round=${of%.*}; attempt=${of#*.}
case "$(cat LIVE/behaviour)" in
complete) printf '{"schema": 1, "round": %s, "attempt": %s, "event": "completed", "at": "2026-11-22T12:00:00Z", '"\
"'"boot": 1.0, "detail": {"summary": "Did it.", "by": "agent"}}\n' "$round" "$attempt" >.e
    mv .e "$home/out/events/00000000000000000001-1.json"
    echo "$of" >x; git add x; git commit -qm "$of";;
fail) exit 3;;
vanish) kill -9 $PPID;;
esac
"""
VERBS: dict[str, tuple[tuple[State, ...], State | None, tuple[str, ...]]] = {
    "approve": ((State.PENDING,), State.APPROVED, ()),
    "unapprove": ((State.APPROVED,), State.PENDING, ()),
    "reject": ((State.PENDING, State.APPROVED, State.COMPLETED, State.FAILED), State.REJECTED, ()),
    "reopen": ((State.POSTED, State.REJECTED), State.PENDING, ()),
    "rework": ((State.COMPLETED,), State.APPROVED, ("Once more.",)),
    "retry": ((State.FAILED,), State.APPROVED, ()),
    "post": ((State.COMPLETED, State.FAILED), State.OUTBOX, ()),
    "recall": ((State.OUTBOX,), State.COMPLETED, ()),
    "stop": ((State.ACTIVE,), None, ()),
    "hold": (tuple(State), None, ("--until", "10m")),
    "release": (tuple(State), None, ()),
}
# The table of events: what one event does to a ticket in a state; what is not named stays where it is.
TABLE = {
    ("edit", State.APPROVED): State.PENDING,
    ("comment", State.APPROVED): State.PENDING,
    ("comment", State.POSTED): State.PENDING,
    ("comment", State.REJECTED): State.PENDING,
    ("close", State.PENDING): State.REJECTED,
    ("close", State.APPROVED): State.REJECTED,
    ("archive", State.PENDING): State.REJECTED,
    ("archive", State.APPROVED): State.REJECTED,
}
HOWS = ("complete", "complete", "complete", "fail", "nothing", "vanish")  # a session ends
ORDINARY = (("pco-poll",), ("pco-launch",), ("pco-watch", "--once"), ("pco-post",), ("pco-dashboard",))
# Somebody else's word, a busy Plane, not yet: no fault of the run.
FINE = {0, 1, 65, 75}
DEATHS = st.one_of(st.none(), st.none(), st.integers(0, 6), st.integers(0, 60))


@dataclass
class Machine:
    """The clocks and the boot, as all programs see them."""

    shift: float = 0.0  # of the wall clock, seconds
    passed: float = 0.0  # of the clock that nobody sets
    boots: int = 0

    def now(self) -> datetime:
        """The wall clock."""
        return datetime.now(UTC) + timedelta(seconds=self.shift)

    def clock(self) -> float:
        """Since the boot."""
        return time.clock_gettime(time.CLOCK_BOOTTIME) + self.passed

    def boot_id(self) -> str:
        """The name of the boot."""
        return f"00000000-0000-4000-8000-{self.boots:012d}"


class Clock(datetime):
    """What modules take for datetime."""

    @classmethod
    def now(cls, tz: Any = None) -> datetime:
        """The shifted clock."""
        return MACHINE.now()


@dataclass
class Count:
    """What was done in all lives."""

    lives: int = 0
    steps: int = 0
    runs: int = 0
    deaths: int = 0
    polls: int = 0
    moves: Counter[tuple[str, str]] = field(default_factory=Counter)
    cells: Counter[tuple[str, str]] = field(default_factory=Counter)  # of the table of events: what was looked at


MACHINE, COUNT = Machine(), Count()
WORLD: list[World] = []  # the one of this process, and where it is kept as it begins
KEPT: list[Path] = []


class Life(RuleBasedStateMachine):
    """What happens to three tickets."""

    def __init__(self) -> None:
        super().__init__()
        MACHINE.shift = MACHINE.passed = 0.0
        MACHINE.boots = 0
        self.world = WORLD[0]
        self.world.bring(KEPT[0])
        self.world.speak()
        self.told: dict[str, tuple[Any, ...]] = {}  # the history that was acknowledged, by key
        self.events: dict[str, list[str]] = {key: [] for key in KEYS}  # in Plane, since the last poll
        self.closed: set[str] = set()
        self.archived: set[str] = set()
        self.said: dict[str, list[str]] = {key: [] for key in KEYS}  # what people wrote
        COUNT.lives += 1

    def teardown(self) -> None:
        """What is left when the ordinary runs are over."""
        try:
            self.settle()
        finally:
            self.world.hush()

    # Running programs.

    def run(self, *command: str, dies: int | None = None) -> running.Ended:
        """Run a program, which dies as it makes its n-th change."""
        COUNT.steps += 1
        COUNT.runs += 1
        ended = running.run(command, self.world.environment(), self.world.scratch, dies=dies)
        COUNT.deaths += ended.code == -9
        assert ended.code in FINE or (ended.code == -9 and dies is not None), f"{command}: {ended}"
        assert "Traceback" not in ended.err, f"{command}: {ended}"
        return ended

    def tickets(self) -> dict[str, Ticket]:
        """All that is in the spool."""
        return {ticket.key: ticket for ticket in self.world.spooled.tickets(*State)}

    def states(self) -> dict[str, State]:
        """Where each ticket is."""
        return self.world.spooled.places(*State)

    # People in Plane.

    @rule(key=st.sampled_from(KEYS), what=st.sampled_from(["edit", "comment", "close", "open", "archive"]))
    def in_plane(self, key: str, what: str) -> None:
        """Somebody does something with an item."""
        self._in_plane(key, what)

    def _in_plane(self, key: str, what: str) -> None:
        COUNT.steps += 1
        if key in self.archived or (what == "close" and key in self.closed):
            return
        person, words = self.world.person, f"{what} {COUNT.steps}"
        try:
            if what == "edit":
                person.edit(key, name=words, description_html=f"<p>{words}</p>")
            elif what == "comment":
                person.comment(key, f"<p>{words}</p>")
                self.said[key].append(words)
            elif what == "close":
                person.cancel(key)
                self.closed.add(key)
            elif what == "open":
                person.move(key, "Todo")
                self.closed.discard(key)
            else:
                person.archive(key)
                self.archived.add(key)
        except NotDone:
            return  # only what is closed can be archived
        self.events[key].append(what)

    @rule(dies=DEATHS)
    def poll(self, dies: int | None) -> None:
        """pco-poll looks; what it does is in the table of events."""
        self._poll(dies)

    @rule(key=st.sampled_from(KEYS), what=st.sampled_from(["edit", "comment", "close", "archive"]))
    def one_thing_happens(self, key: str, what: str) -> None:
        """Between two polls one thing happens to an item: of this the table of events says what becomes of its ticket."""
        self._poll(None)
        self._in_plane(key, what)
        self._poll(None)

    def _poll(self, dies: int | None) -> None:
        before = self.tickets()
        ended = self.run("pco-poll", dies=dies)
        if ended.code != 0:
            self.events = {key: [*happened, "?"] for key, happened in self.events.items()}
            return
        COUNT.polls += 1
        for key, happened in self.events.items():
            ticket = before.get(key)
            if ticket and len(happened) == 1 and not rounds.ungiven(ticket):
                self._judge(ticket, happened[0])
        self.events = {key: [] for key in KEYS}

    def _judge(self, ticket: Ticket, event: str) -> None:
        """One thing happened to an item that pco knew as it was.  Plane's jobs may be late: then the next poll sees it."""
        if event in ("?", "open") or (ticket.key in self.closed and event != "close"):
            return
        meant = TABLE.get((event, ticket.state), ticket.state)
        words = self.said[ticket.key][-1] if event == "comment" else ""
        found = self.world.spooled.read(ticket.key)
        if found.state is not meant or (words and words not in _written(found)):
            self._await_plane()
            self.run("pco-poll")
            found = self.world.spooled.read(ticket.key)
        way = f"{event} of {ticket.key} in {ticket.state}"
        assert found.state is meant, f"table: {way} leads to {found.state}, not to {meant}"
        assert not words or words in _written(found), f"passed over: {ticket.key}: {words}: {way}"
        COUNT.cells[event, ticket.state] += 1

    def _await_plane(self) -> None:
        """Let Plane do what it does after it has answered."""
        self.world.speak()
        request = Request(f"http://127.0.0.1:{self.world.port}/_sim/settle", method="POST")
        with urlopen(request, timeout=20):
            pass

    # People at the shell.

    @rule(key=st.sampled_from(KEYS), verb=st.sampled_from([*VERBS, "approve", "approve", "post"]), dies=DEATHS)
    def decide(self, key: str, verb: str, dies: int | None) -> None:
        """A person decides; what is acknowledged is so, and what is refused changes nothing."""
        self._decide(key, verb, dies)

    def _decide(self, key: str, verb: str, dies: int | None) -> None:
        from_, to, more = VERBS[verb]
        before = self.states().get(key)
        data = self._data(key, before)
        ended = self.run("pco-queue", verb, "--yes", key, *more, dies=dies)
        after = self.states().get(key)
        if ended.code == 0 and ": already " in ended.out:
            assert self._data(key, after) == data, f"{verb} of {key} was done already, and changed something"
        elif ended.code == 0:
            assert before in from_, f"{verb} of {key} in {before} was not refused: {ended}"
            assert after == (to or before), f"{verb} of {key} is acknowledged, and it is in {after}"
            self._acknowledge(key)
        elif ended.code != -9:
            assert (after, self._data(key, after)) == (before, data), f"{verb} of {key} was refused: {ended}"
        else:
            assert after in (before, to), f"{verb} of {key} in {before} died, and it is in {after}"

    def _data(self, key: str, state: State | None) -> bytes:
        return self.world.spooled.data(key, state) if state else b""

    def _acknowledge(self, key: str) -> None:
        self.told[key] = self.world.spooled.read(key).history

    @rule(pause=st.booleans())
    def pause(self, pause: bool) -> None:
        """A person stops all launches, or lets them go on."""
        self.run("pco-queue", "pause" if pause else "resume")

    # Programs.

    @rule(dies=DEATHS)
    def launch(self, dies: int | None) -> None:
        """pco-launch starts what may start."""
        self.run("pco-launch", dies=dies)

    @rule(how=st.sampled_from(HOWS), dies=DEATHS)
    def session(self, how: str, dies: int | None) -> None:
        """A session that was asked for begins, and ends."""
        waiting = self._waiting()
        if waiting:
            self._session(waiting[0], how, dies)

    def _waiting(self) -> list[str]:
        """The homes of sessions that are there and have not begun."""
        begun = self._lines("begun")
        living = self._lines("living")
        return [home for home in self._lines("started") if home not in begun and Path(home).parent.name in living]

    def _session(self, home: str, how: str, dies: int | None) -> None:
        live = self.world.live
        with open(live / "begun", "a") as file:
            file.write(f"{home}\n")
        (live / "behaviour").write_text(how)
        COUNT.steps += 1
        COUNT.runs += 1
        ended = running.run(("pco-session", home), self.world.environment(), self.world.scratch, dies=dies)
        COUNT.deaths += ended.code == -9
        assert "Traceback" not in ended.err, ended
        key = Path(home).parent.name
        (live / "living").write_text("".join(f"{one}\n" for one in self._lines("living") if one != key))

    def _lines(self, name: str) -> list[str]:
        path = self.world.live / name
        return path.read_text().split() if path.exists() else []

    @rule(dies=DEATHS)
    def watch(self, dies: int | None) -> None:
        """pco-watch looks once."""
        self.run("pco-watch", "--once", dies=dies)

    @rule(dies=DEATHS)
    def post(self, dies: int | None) -> None:
        """pco-post sends what waits."""
        self.run("pco-post", dies=dies)

    @rule(dies=DEATHS)
    def dashboard(self, dies: int | None) -> None:
        """pco-dashboard writes its pages."""
        self.run("pco-dashboard", dies=dies)

    # The way that most tickets go: without it few would get anywhere.

    def _onwards(self, key: str, how: str, dies: int | None) -> None:
        """The next step of a ticket, whoever it belongs to."""
        state = self.states().get(key)
        if state is State.PENDING:
            self._decide(key, "approve", dies)
        elif state is State.APPROVED:
            self.run("pco-queue", "resume")
            self._wait(700)
            self.run("pco-poll")
            self.events = {one: [*happened, "?"] for one, happened in self.events.items()}
            self.run("pco-launch", dies=dies)
        elif state is State.ACTIVE:
            waiting = [home for home in self._waiting() if Path(home).parent.name == key]
            if waiting:
                self._session(waiting[0], how, dies)
            else:
                self._wait(61)
            self.run("pco-watch", "--once", dies=None if waiting else dies)
        elif state is State.COMPLETED:
            self._decide(key, "post" if how != "vanish" else "rework", dies)
        elif state is State.FAILED:
            self._decide(key, "retry", dies)
        elif state is State.OUTBOX:
            self.run("pco-post", dies=dies)
        elif how == "complete":
            self._in_plane(key, "comment" if key not in self.closed else "open")
            self._poll(dies)
        else:
            self._decide(key, "reopen", dies)

    @rule(key=st.sampled_from(KEYS), how=st.sampled_from(HOWS), dies=DEATHS)
    def onwards(self, key: str, how: str, dies: int | None) -> None:
        """A ticket gets on, or somebody dies of it."""
        self._onwards(key, how, dies)

    @rule(key=st.sampled_from(KEYS), how=st.sampled_from(HOWS))
    def on_and_on(self, key: str, how: str) -> None:
        """A ticket gets on by some steps."""
        for _ in range(3):
            self._onwards(key, how, None)

    # Time, and the machine.

    @rule(seconds=st.sampled_from([1, 61, 700, 4000]))
    def pass_time(self, seconds: int) -> None:
        """Time passes."""
        self._wait(seconds)

    def _wait(self, seconds: int) -> None:
        COUNT.steps += 1
        MACHINE.passed += seconds
        MACHINE.shift += seconds

    @rule(seconds=st.sampled_from([-40 * 86400, -3600, -1, 3600, 40 * 86400]))
    def jump(self, seconds: int) -> None:
        """Somebody sets the wall clock."""
        COUNT.steps += 1
        MACHINE.shift += seconds

    @rule()
    def reboot(self) -> None:
        """The machine goes down in the middle of whatever it did, and comes up."""
        COUNT.steps += 1
        MACHINE.boots += 1
        MACHINE.passed = 30.0 - time.clock_gettime(time.CLOCK_BOOTTIME)
        for name in ("living", "begun"):
            (self.world.live / name).write_text(
                "".join(f"{home}\n" for home in self._lines("started") * (name != "living"))
            )

    # What always holds.

    @invariant()
    def nothing_is_lost_or_torn(self) -> None:
        """Each ticket is in one state, whole, by a way that the machine allows; no acknowledged step of it is gone."""
        wrong = list(invariants.standing(self.world, frozenset(self.told)))
        wrong += invariants.started_once(self.world)
        assert not wrong, "; ".join(wrong)
        for key, ticket in self.tickets().items():
            ways = [(entry.from_, entry.to) for entry in ticket.history]
            assert all(one[1] == other[0] for one, other in pairwise(ways)), f"{key}: its way is broken: {ways}"
            assert not ways or ways[-1][1] == ticket.state
            for entry in ticket.history[1:]:
                assert allowed(State(entry.from_), State(entry.to), _program(entry.by, entry.from_, entry.to)), entry
            known = self.told.get(key, ())
            assert ticket.history[: len(known)] == known, (
                f"{key}: an acknowledged step is gone: {known} {ticket.history}"
            )
            for way in ways[len(known) :]:
                COUNT.moves[way] += 1
            self.told[key] = ticket.history

    # The end.

    def settle(self) -> None:
        """Let all that is under way come to its end, and look at what has become of it."""
        self.run("pco-queue", "resume")
        quiet = 0
        while quiet < 4:
            self._await_plane()
            before = {key: ticket.rev for key, ticket in self.tickets().items()}
            for command in ORDINARY:
                self.run(*command)
                for home in self._waiting():
                    self._session(home, "complete", None)
            self._wait(4000)
            quiet = quiet + 1 if before == {key: ticket.rev for key, ticket in self.tickets().items()} else 0
        self.nothing_is_lost_or_torn()
        wrong = [*invariants.posted_once(self.world), *invariants.indexed(self.world), *invariants.imported(self.world)]
        for key, ticket in self.tickets().items():
            if ticket.state in (State.ACTIVE, State.OUTBOX):
                wrong.append(f"stuck: {key} is in {ticket.state}: {self._found(ticket)}")
            if ticket.state is State.APPROVED and not ticket.hold and key not in self.closed:
                wrong.append(f"stuck: {key} is approved, and was not launched")
            wrong += self._passed_over(ticket)
        assert not wrong, "; ".join(wrong)

    def _found(self, ticket: Ticket) -> str:
        """What there is of a ticket that does not get on."""
        home = attempt.folder(self.world.home / "sessions", ticket.key, ticket.round.n, len(ticket.round.attempts))
        there = sorted(str(path.relative_to(home)) for path in home.rglob("*"))
        said = self.run("pco-watch", "--once", "-vv").err
        return f"{ticket.attempt} {there} living {self._lines('living')} begun {self._lines('begun')} {MACHINE} {said}"

    def _passed_over(self, ticket: Ticket) -> list[str]:
        """What people wrote on an open item, and is nowhere."""
        if ticket.key in self.closed | self.archived or any(e.to == State.REJECTED for e in ticket.history):
            return []
        known = _written(ticket)
        return [f"passed over: {ticket.key}: {words}" for words in self.said[ticket.key] if words not in known]


def _written(ticket: Ticket) -> list[str]:
    """The comments that a ticket has, or has taken note of."""
    there = [comment.text for round in ticket.rounds for comment in round.comments]
    return there + [event.comment.text for event in ticket.noted if event.comment]


def _program(by: str, from_: str, to: str) -> str:
    """Who may have written an entry of the history: of a person, with the verb that leads there."""
    if by.startswith("pco-"):
        return by
    return next((f"pco-queue {verb}" for verb, (froms, goal, _) in VERBS.items() if from_ in froms and goal == to), by)


def prepare(top: Path) -> None:
    """Lay out the world in which all lives begin: three items that a poll has made tickets of."""
    running.load()
    world = worlds.lay_out(top)
    agent = world.live / "bin" / "agent"
    agent.write_text(AGENT.replace("LIVE", str(world.live)))
    agent.chmod(0o755)
    (world.live / "bin" / "tmux").write_text(TMUX.format(live=world.live))
    (world.live / "living").touch()
    sessions = {"command": [str(agent)], "start_within": "60s", "retry_after": "60s", "attempts": 3}
    world.configure(sessions={**world.values["sessions"], **sessions}, budget={"rounds_per_day": 10_000})
    world.speak()
    world.run("pco-poll")
    for key in KEYS:
        world.run("pco-queue", "add", key)
    world.run("pco-poll")
    found = world.spooled.places(*State)
    assert set(KEYS) <= found.keys(), found
    kept = top / "kept"
    world.keep(kept)
    WORLD.append(world)
    KEPT.append(kept)


def live(steps: int, seeded: int, *, shrink: bool) -> None:
    """So many steps.  Raises AssertionError with a way to what is wrong; with `shrink` a short one."""
    shifted = SimpleNamespace(
        **{name: getattr(time, name) for name in ("time_ns", "strftime", "gmtime")},
        CLOCK_BOOTTIME=time.CLOCK_BOOTTIME,
        clock_gettime=lambda _: MACHINE.clock(),
    )
    begun = time.monotonic()
    with (
        mock.patch.multiple(boot, clock=MACHINE.clock, boot_id=MACHINE.boot_id),
        mock.patch.object(events, "time", shifted),
        mock.patch.object(store, "datetime", Clock),
        mock.patch.object(control, "datetime", Clock),
        mock.patch.object(Pco, "now", lambda self: MACHINE.now()),
    ):
        while COUNT.steps < steps:
            lives = max((steps - COUNT.steps) // LENGTH, 1)
            chosen = settings(
                max_examples=min(lives, AT_ONCE),
                stateful_step_count=LENGTH,
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
                phases=(Phase.generate, Phase.shrink) if shrink else (Phase.generate,),
                print_blob=False,
            )
            run_state_machine_as_test(seed(seeded)(Life), settings=chosen)
            seeded += 1
            print(f"{COUNT.steps}/{steps} steps, {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)


def main() -> int:
    """Run as a command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=100_000, metavar="N")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--shrink", action="store_true", help="look for a shorter way to what is wrong: takes long")
    args = parser.parse_args()
    begun = time.monotonic()
    with worlds.scratch() as top:
        prepare(top)
        try:
            live(args.steps, args.seed, shrink=args.shrink)
            wrong = 0
        except (AssertionError, ExceptionGroup) as error:
            traceback.print_exception(error, file=sys.stdout)
            wrong = 1
    print(table(wrong, time.monotonic() - begun))
    return wrong


def table(wrong: int, seconds: float) -> str:
    """What was done."""
    from tabulate import tabulate

    ways = {(f"{one or ''}", f"{to}") for m in MOVES for one in m.from_ for to in m.to if one and to}
    heads = ("HARNESS", "LIVES", "STEPS", "RUNS", "DEATHS", "POLLS", "MOVES", "OF ALL WAYS")
    heads += ("OF THE TABLE", "VIOLATIONS", "SECONDS")
    seen = f"{len(ways & COUNT.moves.keys())}/{len(ways)}"
    cells = f"{len(COUNT.cells)}/{len({event for event, _ in TABLE}) * (len(State) - 1)}"  # corrupt is no column of it
    row = ("life", COUNT.lives, COUNT.steps, COUNT.runs, COUNT.deaths, COUNT.polls, sum(COUNT.moves.values()), seen)
    return str(tabulate([(*row, cells, wrong, round(seconds))], heads))


if __name__ == "__main__":
    sys.exit(main())
