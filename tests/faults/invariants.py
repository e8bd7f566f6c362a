"""What must be so: at any moment, and once the next ordinary runs are over.  Each finding begins with the promise's name."""

import hashlib
import json
import os
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from faults.calls import name
from faults.worlds import World
from pco.ground.errors import PcoError
from pco.ground.record import from_bytes
from pco.ground.ticket import FINISHED, KEY, State
from support import Site

# Of a record: what is another one in each run, or hangs on when it was.
PASSING = frozenset(
    [
        "rev",
        "at",
        "start",
        "end",
        "since",
        "until",
        "boot",
        "boot_id",
        "boot_time",
        "created_at",
        "updated_at",
        "ending_at",
        "doing_since",
        "born_at",
        "posted_at",
        "sending_since",
        "comment_id",
        "hash",
        "restored",
        "from_",
        "to_",
        "id",
        "history",
        "host",
    ]
)
_RECORDS = ("plane/*/head.json", "plane/*/known/*.json", "metrics/*.json", "metrics/spend/*.json")
# Not spool/index/counts.json: it is not flushed, torn ones are made anew, and `indexed` compares it with the folders.
_RECORDS += ("spool/control/**/*", "spool/notify/*.json", "spool/sending/*.json")
_RECORDS += (
    "sessions/*/*/*.json",
    "sessions/*/*/out/events/*.json",
    "sessions/*/*/out/exit",
    "backups/2*/manifest.json",
)


def standing(world: World, keys: frozenset[str]) -> Iterator[str]:
    """What holds at every moment: `keys` are those that had a record before, and none may lose it."""
    yield from one_state(world, keys)
    yield from whole(world)
    yield from chained(world)


def one_state(world: World, keys: frozenset[str]) -> Iterator[str]:
    """Each key is in exactly one state."""
    found = Counter(
        path.stem
        for state in State
        for path in (world.home / "spool" / state).glob("*.json")
        if KEY.fullmatch(path.stem)
    )
    for key in sorted(keys - found.keys()):
        yield f"lost: {key} is in no state"
    for key, times in found.items():
        if times > 1:
            yield f"two states: {key} is in {times}"


def whole(world: World) -> Iterator[str]:
    """No file is torn."""
    for state in State:
        for path in (world.home / "spool" / state).glob("*.json"):
            try:
                ticket = from_bytes(path.read_bytes(), state)
                if ticket.key != path.stem:
                    yield f"torn: {path} is of {ticket.key}"
            except (PcoError, ValueError) as error:
                if not (world.live / "torn").exists():  # a scene that begins with one
                    yield f"torn: {state}/{path.name}: {error}"
    for pattern in _RECORDS:
        for path in world.home.glob(pattern):
            if path.is_file() and not path.name.startswith(".") and path.name not in ("halted", "current"):
                try:
                    json.loads(path.read_bytes())
                except ValueError as error:
                    yield f"torn: {path.relative_to(world.home)}: {error}"


def chained(world: World) -> Iterator[str]:
    """Each record of the audit is bound to the one before it."""
    prev = "0" * 64
    for month in sorted((world.home / "audit").glob("????-??.jsonl")):
        for line in month.read_bytes().splitlines():
            try:
                value = json.loads(line)
            except ValueError:
                yield f"torn: audit {line[:40]!r}"
                return
            if value["prev"] != prev:
                yield f"audit: {value['event']} {value['key']} is not bound to the record before it"
            prev = hashlib.sha256(line).hexdigest()


def audited(world: World) -> set[tuple[str, str, str]]:
    """The moves in the audit record: key, from, to."""
    lines = [line for month in (world.home / "audit").glob("????-??.jsonl") for line in month.read_bytes().splitlines()]
    records = [record for line in lines if (record := json.loads(line))["event"] in ("moved", "repaired")]
    return {(record["key"], record["fields"]["from"], record["fields"]["to"]) for record in records}


def indexed(world: World) -> Iterator[str]:
    """Counts and months say just what is in the folders."""
    spool = world.spooled
    there = {state: set(spool.keys(state)) for state in FINISHED}
    for state in FINISHED:
        if spool.index.count(state) != len(there[state]):
            yield f"index: {spool.index.count(state)} {state} are counted, {len(there[state])} are there"
    listed = [(one.key, one.state) for month in spool.index.months() for one in spool.index.month(month)]
    meant = [(key, state.value) for state in FINISHED for key in there[state]]
    if sorted(listed) != sorted(meant):
        yield f"index: months list {sorted(set(listed) - set(meant))} too much, and not {sorted(set(meant) - set(listed))}"


def started_once(world: World) -> Iterator[str]:
    """No attempt was started twice, none ran twice."""
    for what in ("started", "ran"):
        path = world.live / what
        lines = path.read_text().split() if path.exists() else []
        for home, times in Counter(lines).items():
            if times > 1:
                yield f"launched twice: {what} {name(home.removeprefix(str(world.live)))}"


def posted_once(world: World) -> Iterator[str]:
    """Each comment is in Plane once, and just as it was accepted."""
    ours = Counter(row["external_id"] for row in world.rows("comments") if row["external_source"] == "pco")
    for external, times in ours.items():
        if times > 1:
            yield f"posted twice: {external} is in Plane {times} times"
    for ticket in world.spooled.tickets(State.POSTED, trouble=lambda *_: None):
        post = ticket.round.post
        if post and post.comment_id and not ticket.local and ours[post.external_id] != 1:
            yield f"posted: {ticket.key} is in posted, and its comment {ours[post.external_id]} times in Plane"


def imported(world: World) -> Iterator[str]:
    """The commits that a record names are in the mirror, on their branch."""
    for ticket in world.spooled.tickets(State.COMPLETED, State.OUTBOX, State.POSTED, trouble=lambda *_: None):
        work = ticket.round.work
        if work and work.tip and work.branch and not work.problem:
            mirror = world.home / "mirrors" / f"{ticket.project}.git"
            asked = ["git", f"--git-dir={mirror}", "rev-parse", "--verify", f"refs/heads/{work.branch}^{{commit}}"]
            done = subprocess.run(asked, capture_output=True, text=True, check=False)
            if done.stdout.strip() != work.tip:
                yield f"commits lost: {ticket.key}: {work.branch} is at {done.stdout.strip() or done.stderr.strip()!r}"


def digest(world: World) -> dict[str, Any]:
    """All that a run has come to, without what differs between any two runs."""
    spool, found = world.spooled, dict[str, Any]()
    for key, state in sorted(spool.places(*State).items()):
        try:
            record = json.loads(spool.data(key, state))
        except ValueError:
            record = {}
        found[key] = {"in": state.value, **_lasting(record)}
    found["plane"] = sorted((row["issue"], row["comment_html"]) for row in world.rows("comments"))
    found["items"] = sorted((row["sequence_id"], row["state"]) for row in world.rows("items"))
    pause = world.home / "spool" / "control" / "pause"
    found["paused"] = pause.exists()
    return found


def differences(meant: dict[str, Any], found: dict[str, Any]) -> Iterator[str]:
    """Where a run that was disturbed came to another end than one that was not."""
    for key in sorted(meant.keys() | found.keys()):
        one, other = meant.get(key), found.get(key)
        if one == other:
            continue
        if isinstance(one, dict) and isinstance(other, dict):
            parts = [part for part in sorted(one.keys() | other.keys()) if one.get(part) != other.get(part)]
            told = "; ".join(f"{part}: {_short(one.get(part))} became {_short(other.get(part))}" for part in parts)
            yield f"other end: {key}: {told}"
        else:
            yield f"other end: {key}: {_short(one)} became {_short(other)}"


def files(world: World) -> set[str]:
    """The files of the site, by names that are the same in each run."""
    found = set()
    for folder, folders, names in os.walk(world.home):
        folders[:] = [
            one for one in folders if not one.endswith(".git") and one not in ("workspace", ".git", "lost+found")
        ]
        for one in (*names, *folders):
            path = f"{folder}/{one}".removeprefix(str(world.live))
            found.add(name(path) if not _half(one) else f"{name(path)} (half written)")
    return {path for path in found if "/spool/wake/" not in path}


def half_written(world: Site) -> list[Path]:
    """What looks as if it had not been finished."""
    return [
        Path(folder) / one
        for folder, folders, names in os.walk(world.home)
        for one in (*names, *folders)
        if _half(one) or folder.endswith("/spool/tmp")
    ]


def _half(one: str) -> bool:
    return bool(re.fullmatch(r"\..+\.[0-9]+(\.part)?|\.[0-9]{20}-[0-9]+|.+\.(new|part|tmp)|.+\.json\.[0-9]+", one))


def _lasting(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _lasting(inner) for key, inner in value.items() if key not in PASSING}
    if isinstance(value, list):
        return [_lasting(inner) for inner in value]
    return value


def _short(value: Any) -> str:
    said = json.dumps(value, default=str)
    return said if len(said) < 160 else f"{said[:157]}..."
