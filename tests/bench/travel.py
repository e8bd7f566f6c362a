"""Run inside a booted host: takes tickets from approval to comment one at a time, and prints when what happened.

    travel.py KEY...

Times are those that pco and Plane themselves wrote: of the move to approved, of the agent's start, of the handing over
of the summary and of its record, of the move to outbox, of the comment.  Prints {KEY: {NAME: seconds since the epoch}}.
"""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from pco.ground import times
from pco.sim import Person

SPOOL, SESSIONS, AUDIT = Path("/var/spool/pco"), Path("/var/lib/pco/sessions"), Path("/var/lib/pco/audit")
PATIENCE = 60.0


def main(address: str, keys: list[str]) -> None:
    """One ticket after the other."""
    maria = Person(address, "plane_api_maria", "acme", "WEB")
    print(json.dumps({key: travel(maria, key) for key in keys}))


def travel(maria: Person, key: str) -> dict[str, float]:
    """The whole way of one."""
    queue("approve", "--yes", key)
    await_(key, "completed")
    events = {e["event"]: e for e in read_all(SESSIONS / key / "1.1" / "out" / "events")}
    queue("post", "--yes", key)
    await_(key, "posted")
    entries = {
        entry["to"]: entry["at"] for entry in json.loads((SPOOL / "posted" / f"{key}.json").read_bytes())["history"]
    }
    (comment,) = [row for row in maria.comments(key) if row["external_source"] == "pco"]
    found = {
        "approved": entries["approved"],
        "claimed": entries["active"],
        "born": json.loads((SESSIONS / key / "1.1" / "out" / "birth").read_bytes())["at"],
        "started": events["started"]["at"],
        "handed": events["completed"]["at"],
        "recorded": audited(key, "summary"),
        "completed": entries["completed"],
        "accepted": entries["outbox"],
        "commented": comment["created_at"],
        "posted": entries["posted"],
    }
    return {name: times.parse_time(at).timestamp() for name, at in found.items()}


def queue(*words: str) -> None:
    """What alice types."""
    subprocess.run(["runuser", "-u", "alice", "--", "pco-queue", *words], check=True, capture_output=True)


def await_(key: str, state: str) -> None:
    """Wait until a ticket is in a state."""
    deadline = time.monotonic() + PATIENCE
    while not (SPOOL / state / f"{key}.json").exists():
        if time.monotonic() > deadline:
            raise SystemExit(f"{key} did not come to {state}")
        time.sleep(0.02)


def read_all(folder: Path) -> list[dict[str, Any]]:
    """The JSON files of a folder."""
    return [json.loads(path.read_bytes()) for path in sorted(folder.glob("*.json"))]


def audited(key: str, event: str) -> str:
    """When an event of a ticket was written into the audit record."""
    lines = (json.loads(line) for path in sorted(AUDIT.glob("*.jsonl")) for line in path.read_text().splitlines())
    return next(str(line["at"]) for line in lines if line["key"] == key and line["event"] == event)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
