"""Accepted comments on their way through a bad network: each is in Plane once, as it was accepted.

Two Planes: one that compares external ids, as Plane does, but whose lists lag, so that the comment is not seen when it
is looked for, and where one may arrive long after pco has sent it again; and one that compares nothing, so that only
the settling and the look keep a comment from coming twice.
"""

import time
from pathlib import Path
from typing import Any

from faults.wire import LATE, LATER, SETTLE, TIMEOUT, TOO_SLOW, Result, kinds, program, quiet, scratch, spread
from pco.ground.ticket import State
from programs.posting import LISTS, Desk, desk
from support import laid_out

LOT = 300  # tickets at a time
MOST_RUNS = 200
CLOSES = 5  # each so many-th run people close what was posted
GOAL, CLOSED = "In Progress", "Done"

WRITES = [("lost_after", 0.2), ("late", 0.15), ("lost_before", 0.15), ("error_after", 0.15), ("error_before", 0.1)]
WRITES += [("cut", 0.12), ("html", 0.05)]
READS = [("lost_before", 0.3), ("error_before", 0.22), ("cut", 0.2), ("lost_after", 0.12), ("html", 0.1)]


def faults(unique: bool, seed: int) -> list[dict[str, Any]]:
    """What befalls pco-post: three of five requests."""
    writes, comments = {"method": "POST|PATCH", "path": "/work-items/"}, {"method": "POST", "path": "/comments/"}
    found: list[dict[str, Any]] = [
        {"kind": "throttle", "method": "GET", "seconds": 1, "probability": 0.01, "count": 3, "seed": seed},
        {"kind": "throttle", **writes, "seconds": 1, "probability": 0.01, "count": 3, "seed": seed},
        {"kind": "slow", **writes, "seconds": TOO_SLOW, "probability": 0.015, "seed": seed},
        {"kind": "slow", "method": "GET", "seconds": TOO_SLOW, "probability": 0.004, "seed": seed},
    ]
    if unique:
        # Where nothing is compared such a one would be there twice, and that is what plane.settle is for.
        found.append({"kind": "late", **comments, "seconds": LATER, "probability": 0.1, "seed": seed + 1})
        found.append({"kind": "lag", **LISTS, "seconds": 3600, "probability": 0.4, "seed": seed})
    found += [{**spec, "seconds": LATE} if spec["kind"] == "late" else spec for spec in spread(WRITES, seed, **writes)]
    return found + spread(READS, seed, method="GET")


def play(posts: int, unique: bool, seed: int) -> Result:
    """Have so many tickets posted."""
    name = "posts; ids compared, lists lag" if unique else "posts; ids not compared"
    result = Result(name, kinds(faults(unique, seed)))
    begun = time.monotonic()
    for lot, first in enumerate(range(0, posts, LOT)):
        with scratch("posts") as folder:
            _lot(result, folder, min(LOT, posts - first), unique, seed + 1000 * lot)
    result.seconds = time.monotonic() - begun
    return result


def _lot(result: Result, folder: Path, size: int, unique: bool, seed: int) -> None:
    site = laid_out(folder / "pco")
    keys = [f"WEB-{n}" for n in range(1, size + 1)]
    with desk(site, items=size, unique=unique, race=0.0) as made:
        site.configure(plane={"timeout": TIMEOUT, "settle": SETTLE, "requests_per_minute": 10_000})
        for key in keys:
            made.ticket(key)
        # What people did before: pco must leave these where they are.
        before, after = keys[::10], keys[1::10]
        for key in before:
            made.move(CLOSED, key)
        made.plane.faults(*faults(unique, seed))
        result.points += size
        _post(result, made, set(after))
        quiet(made.plane)
        result.hear(made.plane)
        _judge(result, made, keys, {*before, *after})


def _post(result: Result, made: Desk, to_close: set[str]) -> None:
    """Run pco-post until nothing is left; `to_close` are closed by a person once they are posted."""
    for n in range(1, MOST_RUNS + 1):
        run = program(made.site, "pco-post", "-q")
        over = run.returncode != 75
        posted = {key for key in to_close if made.site.spool().find(key) is State.POSTED}
        if posted and (over or n % CLOSES == 0):
            quiet(made.plane)  # else pco's own word, applied late, would open them again
            for key in posted:
                made.move(CLOSED, key)
            to_close -= posted
        if run.returncode not in (0, 75) or "Traceback" in run.stderr:
            result.wrong.append(f"pco-post ended with {run.returncode}: {run.stderr[-400:]}")
        if over:
            return
    result.wrong.append(f"{made.site.spool().count(State.OUTBOX)} tickets still wait after {MOST_RUNS} runs")


def _judge(result: Result, made: Desk, keys: list[str], closed: set[str]) -> None:
    spool = made.site.spool()
    places = [(key, state) for state in State for key in spool.keys(state)]
    if sorted(key for key, _ in places) != sorted(keys):
        result.lose(f"tickets: {sorted(set(keys) ^ {key for key, _ in places})}, or one in two states")
    comments: dict[str, list[dict[str, Any]]] = {}
    for row in made.plane.rows("comments"):
        comments.setdefault(row["issue"], []).append(row)
    names = {row["id"]: row["name"] for row in made.plane.rows("states")}
    items = {row["id"]: names[row["state"]] for row in made.plane.rows("items")}
    moves: dict[str, int] = {}
    for row in made.plane.rows("activities"):
        moves[row["issue"]] = moves.get(row["issue"], 0) + (row["field"] == "state")
    for key in keys:
        ticket = spool.read(key)
        found, post = comments.get(ticket.uuid, []), ticket.round.post
        if ticket.state is not State.POSTED or post is None:
            result.lose(f"{key} is in {ticket.state}")
            continue
        if not found:
            result.lose(f"the comment of {key}")
        if len(found) > 1:
            result.double(f"the comment of {key} is there {len(found)} times")
        for row in found:
            if (row["comment_html"], row["external_id"]) != (post.body, post.external_id):
                result.wrong.append(f"another comment than was accepted: {key}")
        if found and post.comment_id not in {row["id"] for row in found}:
            result.wrong.append(f"the record of {key} names a comment that is not there")
        if moves.get(ticket.uuid, 0) > 1:
            result.double(f"{key} was moved {moves[ticket.uuid]} times")
        wanted = CLOSED if key in closed else GOAL
        if items[ticket.uuid] != wanted:
            result.wrong.append(f"{key} is in {items[ticket.uuid]}, not in {wanted}")
