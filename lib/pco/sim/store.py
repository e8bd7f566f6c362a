"""The simulator's data: tables of rows in memory, a journal on disk, and a short past for readers that lag.

Rows are never changed in place: `put` replaces them, so a row once handed out stays as it was.
Each put is one line `{"table": T, "row": {...}}` appended to DIR/journal.jsonl with one write(2) before the reply
goes out; a killed simulator has lost nothing that it answered.  At start the journal is compacted.
"""

import fcntl
import json
import os
import threading
from collections import defaultdict, deque
from collections.abc import Iterable
from pathlib import Path

from pco.sim.answers import Row
from pco.sim.clock import Clock

TABLES = (
    "workspace",
    "users",
    "tokens",
    "projects",
    "members",
    "states",
    "labels",
    "items",
    "comments",
    "links",
    "activities",
)

# The column by which rows are looked up in bulk.
PARENT = {
    "members": "project",
    "states": "project",
    "labels": "project",
    "items": "project",
    "comments": "issue",
    "links": "issue",
    "activities": "issue",
}

# Seconds of the past that a lagging reader can ask for.
PAST = 600.0


class Busy(Exception):
    """Another simulator uses this folder."""


class Reader:
    """The data as they are now, or, with `hidden`, as they were some seconds ago.

    `hidden` maps (table, id) to the row to show instead; None hides the row.
    """

    def __init__(self, store: "Store", hidden: dict[tuple[str, str], Row | None] | None = None) -> None:
        self.store = store
        self.hidden = hidden or {}

    def get(self, table: str, identity: str) -> Row | None:
        """Return the row, soft-deleted ones included, or None."""
        if (table, identity) in self.hidden:
            return self.hidden[table, identity]
        return self.store.tables[table].get(identity)

    def rows(self, table: str, parent: str | None = None) -> list[Row]:
        """Return the rows that are not deleted, oldest first; of one parent, or all."""
        found = (self.get(table, each) for each in self.store.identities(table, parent))
        return [row for row in found if row is not None and not row.get("deleted_at")]


class Store:
    """All tables.  Every public method may be called from any thread; hold `lock` around read-then-write."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.lock = threading.RLock()
        self.clock = clock
        self.tables: dict[str, dict[str, Row]] = {name: {} for name in TABLES}
        self.versions: dict[tuple[str, str], int] = defaultdict(int)
        self._children: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)
        self._external: dict[tuple[str, str, str, str], dict[str, None]] = defaultdict(dict)
        self._past: deque[tuple[float, str, str, Row | None]] = deque()
        # Sorted lists that are still good: (project, order_by) -> (version of its items, rows).
        self.orders: dict[tuple[str, str], tuple[int, list[Row]]] = {}
        self.next_number: dict[str, int] = defaultdict(int)
        self.top_order: dict[tuple[str, str], float] = defaultdict(lambda: 55535.0)
        self._journal = self._open(folder)

    def _open(self, folder: Path) -> int:
        """Read what a former simulator left in `folder`, compact it, return the journal to append to."""
        folder.mkdir(parents=True, exist_ok=True)
        guard = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(guard)
            raise Busy(f"{folder}: in use by another simulator") from error
        self._guard = guard
        path = folder / "journal.jsonl"
        for table, row in read_journal(path):
            self._keep(table, row)
        fresh = folder / "journal.new"
        with fresh.open("w", encoding="utf-8") as file:
            file.writelines(line(table, row) for table in TABLES for row in self.tables[table].values())
        fresh.replace(path)
        return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)

    def close(self) -> None:
        """Give the folder back; no put may follow."""
        os.close(self._journal)
        os.close(self._guard)

    def put(self, table: str, row: Row) -> Row:
        """Make `row` the present version of its id, on disk and in memory, and return it."""
        with self.lock:
            os.write(self._journal, line(table, row).encode("utf-8", "surrogatepass"))
            self._past.append((self.clock.seconds(), table, row["id"], self.tables[table].get(row["id"])))
            while self._past[0][0] < self._past[-1][0] - PAST:
                self._past.popleft()
            self._keep(table, row)
        return row

    def _keep(self, table: str, row: Row) -> None:
        """Put `row` into the table and every index."""
        self.tables[table][row["id"]] = row
        parent = row.get(PARENT.get(table, "")) or ""
        self._children[table, parent][row["id"]] = None
        self.versions[table, parent] += 1
        if row.get("external_id") and row.get("external_source"):
            self._external[table, row["project"], row["external_source"], row["external_id"]][row["id"]] = None
        if table == "items":
            self.next_number[parent] = max(self.next_number[parent], row["sequence_id"])
            order = (parent, row["state"])
            self.top_order[order] = max(self.top_order[order], row["sort_order"])

    def identities(self, table: str, parent: str | None) -> Iterable[str]:
        """Return ids in the order of creation; call it with the lock held."""
        return self.tables[table] if parent is None else self._children[table, parent]

    def external(self, table: str, project: str, source: str, external: str) -> Row | None:
        """Return the oldest living row with this external key in this project, or None."""
        wanted = {"external_source": source, "external_id": external, "deleted_at": None}
        for identity in self._external.get((table, project, source, external), ()):
            row = self.tables[table][identity]
            if all(row[name] == value for name, value in wanted.items()):
                return row
        return None

    def now(self) -> Reader:
        """Return a reader of the present."""
        return Reader(self)

    def ago(self, seconds: float) -> Reader:
        """Return a reader that does not see the writes of the last `seconds`."""
        limit = self.clock.seconds() - seconds
        hidden: dict[tuple[str, str], Row | None] = {}
        with self.lock:
            for when, table, identity, before in reversed(self._past):
                if when < limit:
                    break
                hidden[table, identity] = before
        return Reader(self, hidden)


def line(table: str, row: Row) -> str:
    """Return one line of the journal."""
    return json.dumps({"table": table, "row": row}, separators=(",", ":")) + "\n"


def read_journal(path: Path) -> Iterable[tuple[str, Row]]:
    """Yield table and row of each whole line; a line torn by a crash was never answered and is dropped."""
    if not path.exists():
        return
    with path.open(encoding="utf-8") as file:
        for text in file:
            if not text.endswith("\n"):
                return
            entry = json.loads(text)
            yield entry["table"], entry["row"]
