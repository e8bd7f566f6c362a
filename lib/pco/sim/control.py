"""The /_sim/ endpoints: what the real server does not have.  Bodies are JSON; no token is needed.

GET  /_sim/faults               the switches with their counts
POST /_sim/faults  [FAULT...]   replace them (see faults.py); [] switches all off
GET  /_sim/requests             the log: n, time, method, path, status (null: connection dropped), answer (what
                                the server had said by itself), user, role (of the token), person, faults, body
POST /_sim/reset-log
POST /_sim/clock {"advance": S} skip S seconds
POST /_sim/settle               do at once what the server's worker would do later
POST /_sim/items/ID {...}       set columns that the API cannot: archived, draft, deleted (true or false),
                                or any column of the item by its name; updated_at moves unless given
POST /_sim/members {"project": ID, "member": ID, "role": 15}    0 takes the membership away
GET  /_sim/rows/TABLE           all rows of a table, soft-deleted ones too
"""

import json
from collections.abc import Callable
from typing import Any

from pco.sim import rows
from pco.sim.answers import Answer, Refused, Row
from pco.sim.call import World
from pco.sim.clock import to_stamp
from pco.sim.gate import Request

# Entries of the log; older ones are dropped.
KEPT = 200_000


def entry(world: World, request: Request, longest: int) -> Row:
    """Begin the log entry of a request and return it."""
    body = request.body if len(request.body) <= longest else request.body[:longest]
    made: Row = {
        "n": len(world.log),
        "time": to_stamp(world.clock.seconds()),
        "method": request.method,
        "path": request.target,
        "status": None,
        "answer": None,
        "user": None,
        "role": None,
        "person": request.person,
        "faults": [],
        "body": body.decode("utf-8", "replace"),
    }
    world.log.append(made)
    if len(world.log) > KEPT:
        del world.log[: KEPT // 2]
    return made


def answer(world: World, request: Request) -> Answer:
    """Return the answer to a request under /_sim/."""
    try:
        given = json.loads(request.body) if request.body else None
        return Answer(200, obey(world, request.method, request.path.removeprefix("/_sim/").strip("/"), given))
    except Refused as refused:
        return Answer(refused.status, refused.body)
    except (ValueError, TypeError, KeyError) as error:
        return Answer(400, {"error": f"{type(error).__name__}: {error}"})


def obey(world: World, method: str, what: str, given: Any) -> Any:
    """Carry out one order and return what it shows."""
    head, _, rest = what.partition("/")
    if method == "GET" and head == "rows":
        return list(world.store.tables[rest].values())
    if method == "POST" and head == "items":
        return set_item(world, rest, given)
    orders: dict[tuple[str, str], Callable[[], Any]] = {
        ("GET", "faults"): world.faults.told,
        ("POST", "faults"): lambda: set_faults(world, given),
        ("GET", "requests"): lambda: list(world.log),
        ("POST", "reset-log"): world.log.clear,
        ("POST", "clock"): lambda: advance(world, float(given["advance"])),
        ("POST", "settle"): world.jobs.settle,
        ("POST", "members"): lambda: set_member(world, given["project"], given["member"], int(given["role"])),
    }
    if (method, what) not in orders:
        raise Refused(404, {"error": "no such order; see pco.sim.control"})
    return orders[method, what]()


def set_faults(world: World, given: Any) -> Any:
    """Replace the switches."""
    world.faults.set(given)
    return world.faults.told()


def advance(world: World, seconds: float) -> Any:
    """Move the clock and let what is due happen."""
    world.clock.advance(seconds)
    world.jobs.wake()
    return {"now": world.clock.stamp()}


def set_item(world: World, identity: str, given: Row) -> Row:
    """Set columns of an item; a new name for the same thing: archived, draft, deleted."""
    stamp = world.clock.stamp()
    with world.store.lock:
        row = {**world.store.tables["items"][identity], "updated_at": stamp}
        for name, value in given.items():
            if name == "archived":
                row["archived_at"] = stamp[:10] if value else None
            elif name == "deleted":
                row["deleted_at"] = stamp if value else None
            elif name == "draft":
                row["is_draft"] = bool(value)
            elif name in row:
                row[name] = value
            else:
                raise ValueError(f"an item has no column {name!r}")
        return world.store.put("items", row)


def set_member(world: World, project: str, user: str, role: int) -> Row:
    """Make a user a member of a project, or (role 0) no longer."""
    return world.store.put("members", rows.member(project, user, role, active=role > 0))
