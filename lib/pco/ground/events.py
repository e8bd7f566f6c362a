"""Event files, and the byte that announces them.  Hooks wait for this: only os, json and time are imported.

`out/events/TIME-PID.json`, TIME in nanoseconds: {"schema": 1, "round", "attempt", "event", "at" (ISO 8601,
Z), "boot" (CLOCK_BOOTTIME in seconds, which no jump of the wall clock touches), "detail" (a mapping)}.  `event` is
started, working, turn_ended, turn_failed, blocked, idle, ended or completed; completed has detail.summary and
detail.by, blocked has detail.what.
"""

from __future__ import annotations

import json
import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SCHEMA = 1


def write(out: str, round: int, attempt: int, event: str, detail: dict[str, Any]) -> None:
    """Leave one event, whole and flushed, under a name that sorts by time.  Raises OSError."""
    now = time.time_ns()
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now // 10**9)) + f".{now % 10**9 // 1000:06d}Z"
    boot = time.clock_gettime(time.CLOCK_BOOTTIME)  # as `ground.boot` has it, which a hook would have to load
    value = {"schema": SCHEMA, "round": round, "attempt": attempt, "event": event, "at": stamp, "boot": boot}
    value["detail"] = detail
    folder = os.path.join(out, "events")
    name = f"{now:020d}-{os.getpid()}"
    temporary = os.path.join(folder, f".{name}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(temporary, flags, 0o644), "wb") as file:
        file.write(json.dumps(value).encode())
        file.flush()
        os.fchmod(file.fileno(), 0o644)
        os.fsync(file.fileno())
    os.rename(temporary, os.path.join(folder, f"{name}.json"))
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def ring(fifo: str) -> None:
    """One byte into a FIFO; nobody listens, or it is full: the reader's own rescan is the net."""
    try:
        handle = os.open(fifo, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return
    try:
        os.write(handle, b"e")
    except OSError:
        pass
    finally:
        os.close(handle)


def handed_over(out: str) -> bool:
    """Whether an event of this attempt says so, and what it hands over is not empty.  Raises OSError."""
    folder = os.path.join(out, "events")
    return any(_completes(os.path.join(folder, name)) for name in os.listdir(folder) if name.endswith(".json"))


def _completes(path: str) -> bool:
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            data = file.read(2 << 20)
        if b'"completed"' not in data:  # of thousands of events few are parsed
            return False
        value = json.loads(data)
        return bool(value["event"] == "completed" and value["detail"]["summary"].strip())
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False  # the agent's own litter
