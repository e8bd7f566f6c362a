"""Where a text is found in what pco keeps of tickets, for a person to decide about."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pco.ground import durable, text
from pco.ground.errors import BadData
from pco.ground.frozen import dataclass
from pco.ground.ticket import KEY, MOST_BYTES, State
from pco.run import Pco

MOST_FILE = 16 << 20
AROUND = 30  # characters before a match that are shown with it
WIDTH = 90
_ESCAPE = re.compile(r"\x1b(?:\[[0-9;:?]*[A-Za-z]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-_])")


@dataclass(frozen=True)
class Hit:
    """One place: of which ticket, where, and the words around it."""

    key: str
    where: str
    words: str


class Searching:
    """A search for `wanted`, whatever its case; `unread` counts what this user may not read, or nobody can."""

    def __init__(self, pco: Pco, wanted: str) -> None:
        self._pco = pco
        self._form = re.compile(re.escape(wanted), re.IGNORECASE)
        self.unread = 0

    def hits(self) -> Iterator[Hit]:
        """All matches: in records, in what was kept of sessions, in notices and the audit record."""
        paths = self._pco.config.paths
        for state in State:
            for name in self._names(paths.spool / state):
                key = name.partition(".")[0]
                if KEY.fullmatch(key):
                    yield from self._in_json(paths.spool / state / name, key, f"{state}/{name}", MOST_BYTES)
        for key in self._names(paths.sessions):
            if KEY.fullmatch(key):
                yield from self._in_attempts(paths.sessions / key, key)
        for name in self._names(paths.spool / "notify"):
            yield from self._in_json(paths.spool / "notify" / name, "", f"notify/{name}", MOST_FILE)
        for name in self._names(paths.audit):
            if name.endswith(".jsonl"):
                yield from self._in_audit(paths.audit / name)

    def _in_json(self, path: Path, key: str, where: str, most: int) -> Iterator[Hit]:
        said = self._read(path, most)
        try:
            value = json.loads(said)
        except (ValueError, RecursionError):
            yield from self._in_text(said, key, where)
            return
        if not key and isinstance(value, dict):
            key = str(value.get("key", ""))
        for place, words in texts(value):
            yield from self._in_text(words, key, f"{where} {place}")

    def _in_attempts(self, folder: Path, key: str) -> Iterator[Hit]:
        """Every file of a ticket's attempts; not what agents work in, which is a repository."""
        for name in self._names(folder):
            if not re.fullmatch(r"[0-9]+\.[0-9]+(\.[0-9]+)?", name):
                continue
            for top, folders, files in os.walk(folder / name, onerror=self._missed):
                folders.sort()
                for file in sorted(files):
                    path = Path(top) / file
                    if path.suffix != ".bundle":
                        yield from self._in_text(self._read(path, MOST_FILE), key, str(path.relative_to(folder.parent)))

    def _in_audit(self, path: Path) -> Iterator[Hit]:
        for number, row in enumerate(self._read(path, 1 << 30).split("\n"), 1):
            if self._form.search(row):
                found = re.search(r'"key":"([^"]*)"', row)
                yield from self._in_text(row, found[1] if found else "", f"audit/{path.name}:{number}")

    def _in_text(self, words: str, key: str, where: str) -> Iterator[Hit]:
        """The first match in a text: that it is there is what counts."""
        if found := self._form.search(words):
            part = words[max(found.start() - AROUND, 0) : found.end() + WIDTH]
            yield Hit(key, where, text.line(part, WIDTH))

    def _read(self, path: Path, most: int) -> str:
        try:
            return _ESCAPE.sub("", durable.read(path, most).decode("utf-8", "replace"))
        except FileNotFoundError:
            return ""
        except (OSError, BadData):
            self.unread += 1
            return ""

    def _names(self, folder: Path) -> list[str]:
        try:
            return sorted(os.listdir(folder))
        except FileNotFoundError:
            return []
        except OSError as error:
            self._missed(error)
            return []

    def _missed(self, _: OSError) -> None:
        self.unread += 1


def texts(value: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """Every text in a JSON value, with its place such as `rounds[0].summary`."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from texts(item, f"{place}.{name}" if place else name)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from texts(item, f"{place}[{number}]")
