"""What one session leaves in its out/, taken in as it comes: hostile input.

Everything is read through one descriptor of the folder, without following links, with caps on size and number.  What
is strange is said once and passed over.  An event is read once; what it added is kept in memory, and after a restart
of pco-watch heard again.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from pco.ground import attempt, leavings
from pco.ground.attempt import Launch
from pco.ground.errors import BadConfig, BadData, SystemFault
from pco.ground.leavings import Account, Event, Exit, Outcome
from pco.outside import agents
from pco.outside.agents import read_event
from pco.rules.hearing import Heard, hear
from pco.rules.supervision import Seen

MOST_AT_ONCE = 500  # events of one session in one scan,
MOST_BYTES_AT_ONCE = 8 << 20  # and their size: a noisy session must not keep the others waiting
MOST_COMPLAINTS = 20


class Ear:
    """Listens at one attempt.  `complain` is called with what is strange, at most once for each thing."""

    def __init__(self, home: Path, round: int, number: int, complain: Callable[[str], None]) -> None:
        self.home = home
        self.round = round
        self.number = number
        self.heard = Heard()
        self.more = False  # some events are left for the next scan
        self.screen: tuple[int, int] | None = None  # the screen that was copied last, by inode and time,
        self.screened = float("-inf")  # and the clock when it was looked at
        self._complain = complain
        self._known: set[str] = set()
        self._said: set[str] = set()
        self._launch: Launch | None = None

    @property
    def launch(self) -> Launch | None:
        """What pco-launch wrote; None until it has."""
        if self._launch is None:
            try:
                self._launch = attempt.read_launch(self.home)
            except BadData as error:
                self._say(str(error))
            except SystemFault:
                pass  # not there yet
        return self._launch

    def look(self, alive: bool | None, boot_id: str, clock: float) -> Seen:
        """All that is seen of the session now; `alive` is the runner's word.  Raises TryLater, SystemFault."""
        seen = Seen(boot_id, clock, alive, fenced=attempt.fenced(self.home), result="" if alive else self._result())
        out = self.open()
        if out is None:
            return seen
        try:
            self._listen(out, clock)
            life = min(leavings.read_life(out), clock)
            heard = replace(self.heard, life=max(self.heard.life, life))
            seen = replace(seen, born=leavings.there(out, "birth"), heard=heard)
            self._hear_trouble(out)
            exit = self._exit(out)
            seen = replace(seen, account=self._account(out))
            return replace(seen, exit=exit, meaning=self._meaning(exit, out)) if exit else seen
        finally:
            os.close(out)

    def lingers(self, boot_id: str) -> bool:
        """Whether the process that was born is still there; a runner may forget a session before that has ended."""
        out = self.open()
        if out is None:
            return False
        try:
            birth = leavings.read_birth(out)
        except BadData as error:
            self._say(str(error))
            return False
        finally:
            os.close(out)
        return birth is not None and birth.boot_id == boot_id and _runs(birth.pid)

    def open(self) -> int | None:
        """A descriptor of out/; None if it is not there.  Raises TryLater."""
        launch = self.launch
        if launch is None:
            return None
        try:
            return leavings.open_out(Path(launch.out))
        except FileNotFoundError:
            return None
        except OSError as error:
            strange = leavings.refused("", error)
            if not isinstance(strange, BadData):
                raise strange from error
            self._say(str(strange))
            return None

    def _listen(self, out: int, clock: float) -> None:
        """Read the events that are new, and let them add up; all or none.  Raises TryLater."""
        fresh: list[tuple[float, str, Event]] = []
        room = MOST_BYTES_AT_ONCE
        names, read = self._names(out), list[str]()
        for name in names:
            if len(fresh) >= MOST_AT_ONCE or room <= 0:
                break
            read.append(name)
            with suppress(BadData):
                event, size = self._event(out, name)
                room -= size
                fresh.append((event.boot, name, event))
        self._known.update(read)
        self.more = any(name not in self._known for name in names)
        for _, _, event in sorted(fresh, key=lambda f: f[:2]):  # by a clock that nobody can set
            self.heard = hear(self.heard, event, clock)

    def _names(self, out: int) -> list[str]:
        """The events not read yet; what the agent removed is forgotten, or it could fill our memory."""
        try:
            names = leavings.event_names(out)
        except BadData as error:
            self._say(str(error))
            return []
        if len(names) >= leavings.MOST_EVENTS:
            self._say(f"more than {leavings.MOST_EVENTS} events; some are not heard")
        self._known.intersection_update(names)
        return [name for name in names if name not in self._known]

    def _event(self, out: int, name: str) -> tuple[Event, int]:
        """One event of this attempt and its size.  Raises BadData, and says why, if it is none."""
        try:
            data = leavings.read_event(out, name)
            event = read_event(data)
        except BadData as error:
            self._say(f"{name}: {error}")
            raise
        if (event.round, event.attempt) != (self.round, self.number):
            raise BadData("of another attempt")
        return event, len(data)

    def _exit(self, out: int) -> Exit | None:
        try:
            return leavings.read_exit(out)
        except BadData as error:
            self._say(str(error))
            return None

    def _hear_trouble(self, out: int) -> None:
        try:
            for line in leavings.read_trouble(out):
                self._say(f"a hook of its agent: {line}")
        except BadData as error:
            self._say(str(error))

    def _meaning(self, exit: Exit, out: int) -> Outcome | None:
        """What its agent says about its end; None if that agent is no longer known."""
        try:
            return agents.named(self.launch.agent).outcome(exit, out) if self.launch else None
        except (BadConfig, BadData) as error:
            self._say(str(error))
            return None

    def _account(self, out: int) -> Account | None:
        try:
            return leavings.read_account(out)
        except BadData as error:
            self._say(str(error))
            return None

    def _result(self) -> str:
        try:
            result = attempt.read_result(self.home)
        except BadData as error:
            self._say(str(error))
            return ""
        return result.result if result else ""

    def _say(self, message: str) -> None:
        if message not in self._said and len(self._said) < MOST_COMPLAINTS:
            self._said.add(message)
            self._complain(f"passed over: {message}")


def _runs(pid: int) -> bool:
    if not 1 < pid < 1 << 22:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # another user's
    return True
