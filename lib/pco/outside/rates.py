"""One budget of requests for all programs on the machine that use the same token.

A file, guarded by a lock file beside it (NAME.lock), both made when missing:

    {"boot": the kernel's boot id, "spent": [1034.25, ..], "held_until": 1080.0}

Times are seconds of CLOCK_BOOTTIME, so a change of the wall clock makes no difference; after a reboot the file is
void.  A window of a minute slides over `spent`.  `held_until` is what Plane asked for with 429.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from pco.ground import boot, durable, locks
from pco.ground.errors import BadConfig, BadData, SystemFault, TryLater
from pco.ground.frozen import dataclass

WINDOW = 60.0
LONGEST_HOLD = 900.0  # seconds that a 429 may keep everybody silent; more is not believed
_MOST_BYTES = 1 << 20


@dataclass(frozen=True)
class _Spent:
    """What the file holds, of this boot; `times` ascend."""

    times: tuple[float, ...] = ()
    held_until: float = 0.0


class Budget:
    """At most `per_minute` requests in any minute, over all processes that use `path`."""

    def __init__(
        self,
        path: Path,
        per_minute: int,
        patience: timedelta = timedelta(seconds=10),
        clock: Callable[[], float] = boot.clock,
    ) -> None:
        self.path = path
        self.per_minute = per_minute
        # What posts can always have: a poll that goes on for hours must not keep a finished summary back.
        self.reserve = min(max(5, per_minute // 5), per_minute - 1)
        self._patience = patience
        self._clock = clock
        self._boot = boot.boot_id()

    def take(self, urgent: bool) -> timedelta:
        """Take one request and return zero; or take nothing and return how long to wait before asking again.

        Raises TryLater if the lock is held too long, BadConfig if the folder is missing, SystemFault.
        """
        allowed = self.per_minute if urgent else self.per_minute - self.reserve
        with self._locked():
            now = self._clock()
            spent = self._read(now)
            wait = spent.held_until - now
            if len(spent.times) >= allowed:
                wait = max(wait, spent.times[-allowed] + WINDOW - now)
            if wait > 0:
                return timedelta(seconds=wait)
            self._write(replace(spent, times=(*spent.times, now)))
            return timedelta(0)

    def left(self) -> int:
        """How many requests of this minute are left; read without the lock, for people.  Raises SystemFault."""
        return max(self.per_minute - len(self._read(self._clock()).times), 0)

    def hold(self, length: timedelta) -> None:
        """Let nobody send anything for so long, for Plane said 429."""
        with self._locked():
            now = self._clock()
            spent = self._read(now)
            until = now + min(length.total_seconds(), LONGEST_HOLD)
            self._write(replace(spent, held_until=max(spent.held_until, until)))

    def _read(self, now: float) -> _Spent:
        """What was spent in the last minute; if the file is damaged, as if polls had used up theirs just now."""
        try:
            value = json.loads(durable.read(self.path, _MOST_BYTES))
            if value["boot"] != self._boot:
                return _Spent()
            times = sorted(float(t) for t in value["spent"])
            held = float(value["held_until"])
        except FileNotFoundError:
            return _Spent()
        except OSError as error:
            raise SystemFault(f"{self.path}: {error.strerror}") from error
        except (BadData, ValueError, TypeError, KeyError, RecursionError, OverflowError):
            return _Spent((now,) * (self.per_minute - self.reserve))
        recent = tuple(t for t in times if now - WINDOW < t <= now)
        return _Spent(recent, held if held <= now + LONGEST_HOLD else 0.0)

    def _write(self, spent: _Spent) -> None:
        value = {"boot": self._boot, "spent": spent.times, "held_until": spent.held_until}
        try:
            durable.replace(self.path, json.dumps(value).encode())
        except OSError as error:
            raise SystemFault(f"{self.path}: {error.strerror}") from error

    @contextmanager
    def _locked(self) -> Iterator[None]:
        from filelock import Timeout

        path = self.path.with_name(self.path.name + ".lock")
        try:
            # Made here and not by filelock, which would make it for its owner alone.
            with suppress(FileExistsError):
                durable.write_new(path, b"")
            with locks.lock_file(path, self._patience):
                yield
        except FileNotFoundError as error:
            raise BadConfig(f"{path.parent} is missing", "`make install` or systemd-tmpfiles lays it out") from error
        except Timeout:
            raise TryLater(f"{path} is held by another program", f"`fuser -v {path}` names the holder") from None
        except OSError as error:
            raise SystemFault(f"{path}: {error.strerror}") from error
