"""People who work in Plane while it is polled through a bad network: nothing that they did is passed over.

They create, edit, move, comment, close, reopen, delete and archive items while polls run, fail, and run again.  After
one quiet poll, which does not sweep, each item that fired a trigger has its ticket, with the text, the state and the
comments that Plane has; no ticket waits whose item is closed; and no ticket came back more often than there was reason
to.  After a sweep none waits whose item is gone.

A poll sees where an item is, not its way there.  Who closes it takes back what was asked for; when it is opened again,
and moved on to Backlog before a poll came by, nothing asks for a ticket until somebody comments.
"""

import random
import subprocess
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pco.sim
from faults.wire import TIMEOUT, TOO_SLOW, Result, kinds, program, scratch, spread
from pco.ground.ticket import State, Ticket
from programs.polling import World
from support import laid_out

LOT = 400  # changes in one workspace
LAG = 0.5  # seconds, of a list; see OVERLAP in hurried.py
AT_A_TIME = 10  # changes while a poll runs
OLD, POSTED = 6, 6  # items that were there before, and tickets that have been posted
PAUSE = 0.1  # seconds at most between two changes: a poll is under way meanwhile
MOST_RUNS = 200  # of polls, until one comes to its end
READS = [("lost_before", 0.3), ("error_before", 0.25), ("cut", 0.2), ("lost_after", 0.12), ("html", 0.1)]
TRIGGERS, CLOSED = ("Todo", "In Progress"), ("Done", "Cancelled")
OPEN = ("Backlog", *TRIGGERS)
DEEDS = {"create": 25, "edit": 20, "comment": 25, "move": 10, "close": 7, "reopen": 6, "delete": 4, "archive": 3}


@dataclass
class Thing:
    """An item, as people know it."""

    row: dict[str, Any]
    state: str
    old: bool = False
    gone: bool = False
    commented: int = 0
    reopened: int = 0
    asking: bool = False  # it is new, or somebody commented, since it was closed the last time
    was_closed: bool = False
    way: list[str] = field(default_factory=list)  # what was done to it, for whoever looks into a violation

    @property
    def closed(self) -> bool:
        """Whether it is done or cancelled."""
        return self.state in CLOSED

    @property
    def open(self) -> bool:
        """Whether it is there, and to be done."""
        return not self.gone and not self.closed

    @property
    def due(self) -> bool:
        """Whether a poll cannot but make a ticket of it, or have it come back."""
        return self.open and (self.asking or (self.was_closed and self.state in TRIGGERS))


def faults(seed: int) -> list[dict[str, Any]]:
    """What befalls pco-poll: three of five requests, and now and then one is refused, or too slow."""
    lists = {"method": "GET", "path": r"/work-items/\?"}
    return [
        {"kind": "throttle", "method": "GET", "seconds": 1, "probability": 0.01, "count": 3, "seed": seed},
        {"kind": "lag", **lists, "seconds": LAG, "probability": 0.4, "seed": seed},
        {"kind": "slow", "method": "GET", "seconds": TOO_SLOW, "probability": 0.02, "seed": seed},
        *spread(READS, seed, method="GET"),
    ]


def play(changes: int, seed: int) -> Result:
    """Have people make so many changes while pco polls."""
    result, begun = Result("polls", kinds(faults(seed))), time.monotonic()
    for lot, first in enumerate(range(0, changes, LOT)):
        _lot(result, min(LOT, changes - first), seed + 1000 * lot)
    result.seconds = time.monotonic() - begun
    return result


def _lot(result: Result, changes: int, seed: int) -> None:
    with scratch("polls") as folder, pco.sim.running(rate=0) as sim:
        world = World(laid_out(folder / "pco"), sim)
        world.configure(timeout=TIMEOUT)
        people = People(world, random.Random(seed))
        people.begin()
        sim.reset_log()
        sim.faults(*faults(seed))
        result.points += changes
        while people.done < changes:
            poll = threading.Thread(target=_poll, args=(result, world, (0, 75)))
            poll.start()
            for _ in range(min(AT_A_TIME, changes - people.done)):
                people.act()
                time.sleep(people.dice.uniform(0, PAUSE))
            poll.join()
        # What a poll that came to its end passed over, a quiet one would not mend.
        if all(_poll(result, world, (0, 75)) for _ in range(MOST_RUNS)):
            result.wrong.append(f"no poll came to its end in {MOST_RUNS} runs")
        result.hear(sim)
        sim.faults()
        sim.settle()
        # Nor is a sweep to mend it: as if there had just been one.
        world.set_head(swept_at=datetime.now(UTC), to_sweep=(), total_count=0)
        _poll(result, world, (0,))
        for thing in people.things:
            if not thing.gone:
                _judge(result, world, thing)
        world.sweep_due()
        _poll(result, world, (0,))
        for thing in people.things:
            _judge(result, world, thing)
        _one_state(result, world)


def _poll(result: Result, world: World, codes: tuple[int, ...]) -> int:
    run: subprocess.CompletedProcess[str] = program(world.site, "pco-poll", "-q")
    if run.returncode not in codes or "Traceback" in run.stderr:
        result.wrong.append(f"pco-poll ended with {run.returncode}: {run.stderr[-400:]}")
    return run.returncode


class People:
    """What they do, and what they know to be there."""

    def __init__(self, world: World, dice: random.Random) -> None:
        self.world = world
        self.jonas = world.jonas
        self.dice = dice
        self.things: list[Thing] = []
        self.done = 0

    def begin(self) -> None:
        """Items from before pco, and tickets that have been posted."""
        for _ in range(OLD):
            self.create("Backlog", old=True)
        self.world.poll()
        for _ in range(POSTED):
            self.create("Todo")
        self.world.poll()
        for thing in self.things[OLD:]:
            self.world.place(_key(thing), State.POSTED)
            thing.old, thing.asking = True, False
        self.done = 0

    def act(self) -> None:
        """One of them does something to an item, if there is one to which it can be done."""
        deed = self.dice.choices(list(DEEDS), list(DEEDS.values()))[0]
        fitting = (
            [thing for thing in self.things if thing.closed if not thing.gone] if deed == "reopen" else self._open()
        )
        if deed == "create" or not fitting:
            self.create(self.dice.choice(OPEN))
            return
        self.done += 1
        thing = self.dice.choice(fitting)
        getattr(self, f"_{deed}")(thing, f"{deed} {self.done}")
        thing.way.append(f"{deed} ({thing.state})")

    def create(self, state: str, old: bool = False) -> None:
        """A new item."""
        self.done += 1
        row = self.jonas.create(f"Item {self.done}", state=state, description_html=f"<p>Do {self.done}.</p>")
        self.things.append(Thing(row, state, old, asking=not old, way=[f"create ({state})"]))

    def _open(self) -> list[Thing]:
        return [thing for thing in self.things if thing.open]

    def _edit(self, thing: Thing, words: str) -> None:
        self.jonas.edit(thing.row, name=words, description_html=f"<p>{words}</p>")

    def _comment(self, thing: Thing, words: str) -> None:
        self.jonas.comment(thing.row, f"<p>{words}</p>")
        thing.commented += 1
        thing.asking = True

    def _move(self, thing: Thing, _: str) -> None:
        thing.state = self.dice.choice([state for state in OPEN if state != thing.state])
        self.jonas.move(thing.row, thing.state)
        # A posted ticket comes back for each move that is seen; so may one that nobody asked for.
        thing.reopened += 1

    def _close(self, thing: Thing, _: str) -> None:
        thing.state = self.dice.choice(CLOSED)
        thing.asking, thing.was_closed = False, True
        self.jonas.move(thing.row, thing.state)

    def _reopen(self, thing: Thing, _: str) -> None:
        thing.state = "Todo"
        thing.reopened += 1
        self.jonas.move(thing.row, thing.state)

    def _delete(self, thing: Thing, _: str) -> None:
        thing.gone = True
        self.jonas.delete(thing.row)

    def _archive(self, thing: Thing, _: str) -> None:
        thing.gone = True
        self.jonas.archive(thing.row)


def _key(thing: Thing) -> str:
    return f"WEB-{thing.row['sequence_id']}"


def _judge(result: Result, world: World, thing: Thing) -> None:
    """One item and its ticket, after the quiet poll."""
    key = _key(thing)
    state = world.spool.find(key)
    if state is None:
        if thing.due:
            result.lose(f"{key} has no ticket: {', '.join(thing.way)}")
        return
    ticket = world.read(key)
    if not thing.open:
        if state is State.PENDING:
            result.wrong.append(f"{key} waits, though its item is {'gone' if thing.gone else 'closed'}")
        return
    if ticket.round.n > 1 + thing.commented + thing.reopened:
        result.double(f"{key} is in round {ticket.round.n}")
    if state is State.POSTED and not thing.asking:
        return
    if state is State.REJECTED and thing.was_closed and not thing.due:
        return
    if state is not State.PENDING:
        result.lose(f"{key} is in {state}: {', '.join(thing.way)}")
    elif differs := _differs(world, thing, ticket):
        result.lose(f"{differs} of {key}: {', '.join(thing.way)}")


def _differs(world: World, thing: Thing, ticket: Ticket) -> str:
    """What the ticket does not say as Plane does."""
    row = next(row for row in world.sim.rows("items") if row["id"] == thing.row["id"])
    if ticket.title != row["name"] or ticket.description_html != row["description_html"]:
        return "an edit"
    if ticket.plane_state is None or ticket.plane_state.id != row["state"]:
        return "a move"
    known = {comment.id for round in ticket.rounds for comment in round.comments}
    written = {row["id"] for row in world.sim.rows("comments") if row["issue"] == thing.row["id"]}
    return "a comment" if written - known else ""


def _one_state(result: Result, world: World) -> None:
    found = [path.stem for state in State for path in (world.spool.root / state).glob("*.json")]
    for key in {key for key in found if found.count(key) > 1} | (
        set(found) - {_key_of(r) for r in world.sim.rows("items")}
    ):
        result.double(f"{key} is in two states, or of no item")


def _key_of(row: dict[str, Any]) -> str:
    return f"WEB-{row['sequence_id']}"
