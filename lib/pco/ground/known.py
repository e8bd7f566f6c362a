"""What pco-poll knows of every item that it ever saw: `plane/PROJECT/known/XX.json`, XX the first two hex of the UUID.

    {"schema": 1, "items": {UUID: {"state": UUID, "updated_at": TIME, "key": "WEB-12", "comments": [UUID, ..],
                                   "new": false}}}

A poll reads and writes only the shards of items that moved, so it costs the same however many items there are.
"""

import json
from dataclasses import field
from datetime import datetime
from pathlib import Path

from pco.ground import durable, shape
from pco.ground.errors import BadConfig, BadData, SystemFault
from pco.ground.frozen import dataclass

SCHEMA = 1
_MOST_BYTES = 256 << 20


@dataclass(frozen=True)
class Seen:
    """An item when a poll last judged it.

    `key` is its ticket's, frozen once it had one.  `comments` are the ids of people's comments; None: not asked for,
    those older than `updated_at` count as seen.  `new`: created since the first poll, and not taken so far.
    """

    state: str
    updated_at: datetime
    key: str = ""
    comments: tuple[str, ...] | None = None
    new: bool = False


@dataclass(frozen=True)
class Shard:
    """One file."""

    schema: int = SCHEMA
    items: dict[str, Seen] = field(default_factory=dict)


class Known:
    """The shards in `folder`, read when they are needed and written by `save`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._shards: dict[str, dict[str, Seen]] = {}
        self._changed: set[str] = set()

    def get(self, uuid: str) -> Seen | None:
        """What is known of an item.  Raises BadData if the file is torn, SystemFault if it cannot be read."""
        return self._shard(uuid).get(uuid)

    def put(self, uuid: str, seen: Seen) -> None:
        """Keep what was seen; on disk only after `save`."""
        items = self._shard(uuid)
        if items.get(uuid) != seen:
            items[uuid] = seen
            self._changed.add(uuid[:2])

    def save(self) -> None:
        """Write the shards that changed, durably.  Raises OSError."""
        if self._changed:
            self._folder.mkdir(parents=True, exist_ok=True)
        for name in sorted(self._changed):
            value = shape.dump(Shard(items=self._shards[name]))
            durable.replace(self._folder / f"{name}.json", json.dumps(value, ensure_ascii=True).encode())
        self._changed.clear()

    def _shard(self, uuid: str) -> dict[str, Seen]:
        name = uuid[:2]
        if name not in self._shards:
            self._shards[name] = _read(self._folder / f"{name}.json")
        return self._shards[name]


def _read(path: Path) -> dict[str, Seen]:
    try:
        value = json.loads(durable.read(path, _MOST_BYTES))
        if isinstance(value, dict) and type(value.get("schema")) is int and value["schema"] > SCHEMA:
            raise BadConfig(f"{path}: schema {value['schema']} is newer than this pco understands ({SCHEMA})")
        return dict(shape.load(Shard, value).items)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SystemFault(f"{path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        hint = "remove it: its items count as never seen, and only what changes from now on is taken"
        raise BadData(f"{path}: {error}", hint) from error
