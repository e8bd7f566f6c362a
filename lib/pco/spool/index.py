"""What is known of finished tickets without reading them: counts, and a list for each month.

    index/counts.json       {"posted": [N, MTIME_NS, BOOT], "rejected": ...}: true while the folder has that mtime, as
                            long as the machine is up
    index/YYYY-MM.jsonl     a line for each ticket that finished in that month (UTC): {"key", "state", "at", "title",
                            "project", "round", "usd", "rev"}, and again when its record was rewritten;
                            {"key", "left": true} when it was reopened or dropped; the last line counts

Only a help: nothing is lost with it.  Whoever holds the spool lock keeps it: first the months, then the counts.  So a
count that does not fit its folder's mtime says that somebody died in between, or changed the folder by hand: then the
months are compared with the folder, and it is counted anew.  So too after a boot: btrfs, as it puts right what a power
cut left, brings files back into a folder without touching its mtime.  (A disk that went and came back within one boot
is believed; so are all where the kernel does not say which boot it is.)  Where there are none, all is made from the
records.  Months are flushed, counts are not: of those a power cut may leave nothing.
"""

import json
import os
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from pco.ground import boot, durable, times
from pco.ground.errors import PcoError, SystemFault
from pco.ground.frozen import dataclass
from pco.ground.record import from_bytes
from pco.ground.ticket import FINISHED, KEY, State, Ticket

_MONTH = re.compile(r"[0-9]{4}-[0-9]{2}\.jsonl")
SLACK = 1_000_000_000  # nanoseconds: a record is written somewhat before it comes into its folder


@dataclass(frozen=True)
class Finished:
    """One line of a month."""

    key: str
    state: str
    at: datetime
    title: str
    project: str
    round: int
    usd: float
    rev: int = 0


class Index:
    """The index of the spool at `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / "index"

    def count(self, state: State) -> int:
        """How many tickets are in a finished state; read from the index if that is true, else counted."""
        known = self._counts().get(state.value)
        return known[0] if known and known[1:] == self._seal(state) else self._listed(state)

    def true(self, *states: State) -> bool:
        """Whether it says of these states, if they are finished ones, what was there after pco's last change."""
        counts = self._counts()
        return all(counts.get(state.value, (0,))[1:] == self._seal(state) for state in states if state in FINISHED)

    def check(self, *states: State) -> None:
        """Before a change, under the lock: mend what a crash, or somebody by hand, made of a finished state."""
        for state in states:
            if not self.true(state):
                self._mend(state)

    def moved(self, after: Ticket, before: Ticket) -> None:
        """Take note of a move that was just made, under the lock."""
        if self.left(before) and self.rewritten(after):
            for state, step in ((before.state, -1), (after.state, 1)):
                if state in FINISHED:
                    self._step(state, step)

    def left(self, ticket: Ticket) -> bool:
        """A finished ticket is no longer what it was.  False if that cannot be written."""
        entered = ticket.entered() if ticket.state in FINISHED else None
        return entered is None or self._append(entered, {"key": ticket.key, "left": True})

    def rewritten(self, ticket: Ticket) -> bool:
        """A ticket has finished, or its record was rewritten since: who shows it learns so without reading them all.

        False if that cannot be written; then it must not be counted, which says that there is something to mend.
        """
        entered = ticket.entered() if ticket.state in FINISHED else None
        return entered is None or self._append(entered, line_of(ticket, entered))

    def forget(self, key: str) -> None:
        """Take every line of a key away, under the lock; also from what a crash left half written.  Raises OSError."""
        for unfinished in self.folder.glob(".*.jsonl.*"):
            unfinished.unlink()
        for name in self.months():
            path = self.folder / f"{name}.jsonl"
            if key.encode() not in (data := path.read_bytes()):
                continue
            lines = data.splitlines(keepends=True)
            others = [line for line in lines if not _is_of(line, key)]
            if len(others) != len(lines):
                durable.replace(path, b"".join(others))

    def touched(self, state: State) -> None:
        """A record in a finished state was rewritten in its place."""
        if state in FINISHED:
            self._step(state, 0)

    def dropped(self, ticket: Ticket) -> None:
        """A ticket is no longer there at all, under the lock."""
        if self.left(ticket) and ticket.state in FINISHED:
            self._step(ticket.state, -1)

    def recount(self, state: State) -> None:
        """Count a finished state anew, under the lock."""
        if state in FINISHED:
            self._write({**self._counts(), state.value: (self._listed(state), *self._seal(state))})

    def months(self) -> list[str]:
        """The months with finished tickets, newest first.  Raises SystemFault."""
        try:
            names = os.listdir(self.folder)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise SystemFault(f"{self.folder}: {error.strerror}") from error
        return sorted((name.removesuffix(".jsonl") for name in names if _MONTH.fullmatch(name)), reverse=True)

    def month(self, name: str) -> list[Finished]:
        """The tickets that finished in a month and have not been reopened, newest first.  Raises SystemFault."""
        found = [made for value in self._latest(name) if (made := _finished(value))]
        return sorted(found, key=lambda f: f.at, reverse=True)

    def latest(self, state: State) -> Iterator[Finished]:
        """The tickets of a finished state, the one that came into it last first."""
        for name in self.months():
            yield from (one for one in self.month(name) if self._is_in(one, state))

    def oldest(self, state: State) -> Finished | None:
        """The ticket that has been in a finished state for longest; None if there is none."""
        sign = json.dumps({"state": state.value})[1:-1].encode()
        for name in reversed(self.months()):
            with suppress(FileNotFoundError):
                # A state that few tickets are in stands in few months.
                if sign in (self.folder / f"{name}.jsonl").read_bytes():
                    found = next((one for one in reversed(self.month(name)) if self._is_in(one, state)), None)
                    if found:
                        return found
        return None

    def whole(self) -> bool:
        """Whether the index exists; if not, `rebuild` it."""
        return (self.folder / "counts.json").exists()

    def rebuild(self) -> None:
        """Make it all anew from the records, under the lock."""
        for old in ("counts.json", *(path.name for path in self.folder.glob("????-??.jsonl"))):
            (self.folder / old).unlink(missing_ok=True)
        months: dict[str, list[str]] = {}
        try:
            for state in FINISHED:
                for ticket, entered in self._records(state):
                    text = json.dumps(line_of(ticket, entered))
                    months.setdefault(f"{entered:%Y-%m}", []).append(text)
            for month, texts in months.items():
                durable.replace(self.folder / f"{month}.jsonl", "".join(f"{text}\n" for text in texts).encode())
        except OSError:
            return  # without counts it is made anew the next time
        self._write({state.value: (self._listed(state), *self._seal(state)) for state in FINISHED})

    def _is_in(self, one: Finished, state: State) -> bool:
        return one.state == state and (self.root / state / f"{one.key}.json").exists()

    def _mend(self, state: State) -> None:
        """Have the months list what is in a folder, and count it: only what is new to them is read."""
        since = self._told_until(state) - SLACK
        try:
            latest = [value for name in self.months() for value in self._latest(name) if value.get("state") == state]
        except SystemFault:
            return  # the counts stay untrue: the next change tries again
        listed = {made.key: made for value in latest if (made := _finished(value))}
        there: dict[str, int] = {}
        with suppress(FileNotFoundError), os.scandir(self.root / state) as entries:
            for entry in entries:
                if KEY.fullmatch(key := entry.name.removesuffix(".json")):
                    there[key] = entry.stat(follow_symlinks=False).st_mtime_ns
        doubtful = [f"{key}.json" for key, written in there.items() if key not in listed or written >= since]
        done = True
        try:
            for ticket, entered in self._records(state, doubtful):
                if (known := listed.get(ticket.key)) is None or (known.rev, known.at) != (ticket.rev, entered):
                    done = self.rewritten(ticket) and done
        except OSError:
            done = False
        for key, one in listed.items():
            if key not in there:
                done = self._append(one.at, {"key": key, "left": True}) and done
        if done:
            self.recount(state)

    def _told_until(self, state: State) -> int:
        """Since when a record may be newer than its line: the state was last counted then; 0 if that is not known.

        A power cut tears the counts, which are not flushed.  The months are: then the last line of them says it.
        """
        if known := self._counts().get(state.value):
            return known[1]
        with suppress(OSError):
            written = [path.stat().st_mtime_ns for path in self.folder.glob("????-??.jsonl")]
            return max((at for at in written if at <= time.time_ns()), default=0)  # none while the clock was ahead
        return 0

    def _records(self, state: State, names: list[str] | None = None) -> Iterator[tuple[Ticket, datetime]]:
        for name in os.listdir(self.root / state) if names is None else names:
            if not KEY.fullmatch(name.removesuffix(".json")):
                continue
            # What cannot be read is counted, and set aside by who meets it; of a disk that fails nothing is concluded.
            with suppress(FileNotFoundError, PermissionError, IsADirectoryError, PcoError):
                ticket = from_bytes((self.root / state / name).read_bytes(), state)
                if entered := ticket.entered():
                    yield ticket, entered

    def _step(self, state: State, step: int) -> None:
        """Count on: we hold the lock, and `check` saw to it that the count was true before the change just made."""
        counts = self._counts()
        known = counts.get(state.value)
        counts[state.value] = (known[0] + step if known else self._listed(state), *self._seal(state))
        self._write(counts)

    def _counts(self) -> dict[str, tuple[int, int, str]]:
        try:
            value = json.loads((self.folder / "counts.json").read_bytes())
            return {s.value: (int(value[s][0]), int(value[s][1]), str(value[s][2])) for s in FINISHED if s in value}
        except (OSError, ValueError, TypeError, KeyError, IndexError, OverflowError, RecursionError):
            return {}

    def _seal(self, state: State) -> tuple[int, str]:
        """What a count of this state is true with: the folder as it is, and this boot of the machine."""
        return os.stat(self.root / state).st_mtime_ns, boot.boot_id()

    def _listed(self, state: State) -> int:
        return sum(1 for name in os.listdir(self.root / state) if name.endswith(".json"))

    def _append(self, at: datetime, value: dict[str, Any]) -> bool:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        path = self.folder / f"{at:%Y-%m}.jsonl"
        try:
            new = not path.exists()
            # Flushed: the counts, which say that it is there, may reach the disk before it.
            with open(os.open(path, flags, 0o660), "r+b") as file:
                # A power cut may have left half a line: what followed it at once would be lost with it.
                end = file.seek(0, os.SEEK_END)
                torn = end > 0 and os.pread(file.fileno(), 1, end - 1) != b"\n"
                file.write(b"\n" * torn + json.dumps(value).encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
            if new:
                durable.sync_folder(self.folder)
        except OSError:
            return False
        return True

    def _write(self, counts: dict[str, tuple[int, int, str]]) -> None:
        self._replace("counts.json", json.dumps(counts))

    def _replace(self, name: str, content: str) -> None:
        temporary = self.folder / f".{name}.{os.getpid()}"
        try:
            temporary.write_text(content)
            temporary.chmod(0o660)
            temporary.rename(self.folder / name)
        except OSError:
            with suppress(OSError):
                temporary.unlink()

    def _latest(self, name: str) -> Iterable[dict[str, Any]]:
        """The last line of each key in a month."""
        return {str(value.get("key")): value for value in self._lines(self.folder / f"{name}.jsonl")}.values()

    def _lines(self, path: Path) -> Iterator[dict[str, Any]]:
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return
        except OSError as error:
            raise SystemFault(f"{path}: {error.strerror}") from error
        for text in data.decode("utf-8", "replace").split("\n"):
            with suppress(ValueError, RecursionError):
                value = json.loads(text)
                if isinstance(value, dict):
                    yield value


def line_of(ticket: Ticket, entered: datetime) -> dict[str, Any]:
    """The line that a finished ticket gets."""
    return {
        "key": ticket.key,
        "state": ticket.state.value,
        "at": times.iso(entered),
        "title": ticket.title[:200],
        "project": ticket.project,
        "round": ticket.round.n,
        "usd": ticket.round.cost.usd,
        "rev": ticket.rev,
    }


def _is_of(line: bytes, key: str) -> bool:
    if key.encode() not in line:
        return False
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return True  # torn, and it has the key in it
    return isinstance(value, dict) and value.get("key") == key


def _finished(value: dict[str, Any]) -> Finished | None:
    if value.get("left"):
        return None
    try:
        at = times.parse_time(value["at"])
        key, state, title, project = (str(value[name]) for name in ("key", "state", "title", "project"))
        number, usd, rev = int(value["round"]), float(value["usd"]), int(value.get("rev", 0))
        return Finished(key, state, at, title, project, number, usd, rev)
    except (KeyError, ValueError, TypeError, OverflowError):
        return None
