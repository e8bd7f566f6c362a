"""How a fault spoils a reply.  A reply here is bytes with a status and headers; None is a dropped connection."""

import gzip
import json
import math
import time
from dataclasses import dataclass, field
from functools import cache

from pco.sim.answers import Answer, went_wrong
from pco.sim.call import World
from pco.sim.faults import Fault
from pco.sim.gate import Request, answer

DEEP = 200_000
DOWN = b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body><h1>502 Bad Gateway</h1></body>\r\n</html>\r\n"


@cache
def bomb() -> bytes:
    """Return 64 MiB of spaces after a valid start, some hundred KiB on the way."""
    return gzip.compress(b'{"results": [' + b" " * (64 * 1024 * 1024), 1)


@dataclass
class Reply:
    """Bytes to send; `promised` is the Content-Length when it is not the length of `body`."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    promised: int | None = None


def plain(given: Answer) -> Reply:
    """Return an answer as bytes."""
    if given.body is None:
        return Reply(given.status, b"", dict(given.headers))
    body = json.dumps(given.body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    return Reply(given.status, body, {"Content-Type": "application/json", **given.headers})


def befallen(world: World, request: Request, hit: dict[str, Fault]) -> Reply | None:
    """Answer a request that the faults in `hit` befall; None when the connection is to be dropped."""
    if "slow" in hit:
        time.sleep(world.clock.scaled(hit["slow"].seconds))
    early = unapplied(world, request, hit)
    if early is not None:
        return early
    if "lost_before" in hit or "late" in hit:
        return None
    lag = world.clock.scaled(hit["lag"].seconds) if "lag" in hit else 0.0
    # A broker that is down takes no job for the worker either.
    given = answer(world, request, lag, worker=not {"no_worker", "error_after"} & set(hit))
    request.seen["answer"] = given.status
    if "lost_after" in hit:
        return None
    if "error_after" in hit:
        time.sleep(world.clock.scaled(hit["error_after"].seconds))
        return plain(Answer(500, went_wrong().body, given.headers))
    return spoilt(plain(given), hit)


def unapplied(world: World, request: Request, hit: dict[str, Fault]) -> Reply | None:
    """Return the reply of a fault that keeps the request from the server, or None; plans a late application."""
    if "late" in hit:
        world.jobs.later(hit["late"].seconds, lambda: late(world, request))
    if "throttle" in hit:
        wait = math.ceil(world.clock.scaled(hit["throttle"].seconds))
        body = {"error_code": 5900, "error_message": "RATE_LIMIT_EXCEEDED"}
        return plain(Answer(429, body, {"Retry-After": str(wait)}))
    if "error_before" in hit:
        return plain(Answer(500, went_wrong().body))
    if "redirect" in hit:
        return Reply(302, b"", {"Location": "/god-mode/", "Content-Type": "text/html; charset=utf-8"})
    if "html" in hit:
        return Reply(502, DOWN, {"Content-Type": "text/html"})
    return None


def late(world: World, request: Request) -> None:
    """Apply a request whose sender has given up long ago."""
    request.seen["answer"] = answer(world, request).status


def spoilt(reply: Reply, hit: dict[str, Fault]) -> Reply:
    """Return the reply with a body that no client should trust."""
    if "cut" in hit:
        return Reply(reply.status, reply.body[: len(reply.body) // 2], reply.headers, max(len(reply.body), 2))
    if "bad_json" in hit:
        return Reply(reply.status, reply.body[:-1] + b",", reply.headers)
    if "bad_utf8" in hit:
        return Reply(reply.status, b'{"results": ["\xff\xfe\xc3("], "name": "\xff"}', reply.headers)
    if "bomb" in hit:
        return Reply(reply.status, bomb(), {**reply.headers, "Content-Encoding": "gzip"})
    if "deep_json" in hit:
        return Reply(reply.status, b"[" * DEEP + b"]" * DEEP, reply.headers)
    return reply
