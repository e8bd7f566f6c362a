"""Requests to Plane in their turn: the budget before, the judgement after, reads tried again, a tally of all.

A read is tried again after what passes by itself (no answer, 5xx, a damaged body, 429), with full jitter, while the
patience lasts.  A write is sent once.
"""

import random
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from pco.outside.plane_refusals import DELETED, Answer, Throttled, Unanswered, conflict, refusal
from pco.outside.plane_values import Call
from pco.outside.rates import Budget

if TYPE_CHECKING:
    from pco.outside.plane_wire import Wire

TRIES = 3
FIRST_PAUSE = 0.5  # seconds; doubled with each try, and of that a random part
WRITE_TIMEOUT = timedelta(seconds=15)  # Plane takes 12 s to answer a write when its broker is down


class Requests:
    """Requests to the API at `api`, which ends with a slash."""

    def __init__(
        self, api: str, token: str, timeout: timedelta, budget: Budget | None, patience: timedelta, urgent: bool
    ) -> None:
        self._api = api
        self._token = token
        self._timeout = timeout
        self._budget = budget
        self._patience = patience.total_seconds()
        self._urgent = urgent
        self._wire: Wire | None = None
        self.calls: list[Call] = []
        self.waited = 0.0  # seconds, for turns

    def get(self, path: str, endpoint: str, parameters: dict[str, str] | None = None) -> Any:
        """The JSON at `path` (without the slash at its end).  `endpoint` is its name in the tally."""
        until = time.monotonic() + self._patience
        url = f"{self._api}{path}/" + (f"?{urlencode(parameters)}" if parameters else "")
        for tries in range(1, TRIES + 1):
            try:
                return self._read(url, endpoint, until, again=tries > 1)
            except (Throttled, Unanswered) as error:
                pause = _pause(error, tries)
                if tries == TRIES or pause is None or time.monotonic() + pause > until:
                    raise
                time.sleep(pause)
        raise AssertionError("the last try returns or raises")

    def send(self, method: str, path: str, endpoint: str, body: dict[str, Any] | None) -> Answer:
        """Send a write once.  Returns an answer with 2xx, or 409, which the caller judges."""
        within = max(self._timeout, WRITE_TIMEOUT)
        self._await_turn(time.monotonic() + self._patience)
        return self._judged(method, self._sent(method, f"{self._api}{path}/", endpoint, body, within))

    def close(self) -> None:
        """Close the connections."""
        if self._wire is not None:
            self._wire.close()

    def _read(self, url: str, endpoint: str, until: float, again: bool) -> Any:
        self._await_turn(until)
        answer = self._judged("GET", self._sent("GET", url, endpoint, None, self._timeout, again))
        if answer.status == 409:
            raise conflict(answer)
        return answer.value

    def _await_turn(self, until: float) -> None:
        """Wait until the budget has a request for us.  Raises Throttled if that takes longer than `until`."""
        while self._budget and (wait := self._budget.take(self._urgent)):
            if time.monotonic() + wait.total_seconds() > until:
                budget = f"{self._budget.per_minute} requests a minute"
                raise Throttled(f"no request to Plane for {wait.total_seconds():.0f}s: {budget} are used up", wait)
            time.sleep(wait.total_seconds())
            self.waited += wait.total_seconds()

    def _sent(
        self,
        method: str,
        url: str,
        endpoint: str,
        body: dict[str, Any] | None,
        within: timedelta,
        again: bool = False,
    ) -> Answer:
        begun, status = time.monotonic(), 0
        try:
            answer = self._opened().exchange(method, url, body, within)
            status = answer.status
            return answer
        finally:
            self.calls.append(Call(method, endpoint, status, time.monotonic() - begun, again))

    def _judged(self, method: str, answer: Answer) -> Answer:
        error = None if (method, answer.status) == DELETED else refusal(answer)
        if error is None:
            return answer
        if isinstance(error, Throttled) and self._budget:
            # All programs wait, not only this one; their requests would fail too.
            self._budget.hold(error.retry_after)
        if isinstance(error, Unanswered):
            error.maybe_applied = method != "GET"
        raise error

    def _opened(self) -> "Wire":
        if self._wire is None:
            # Here, not above: it imports requests, and programs that send nothing must start quickly.
            from pco.outside.plane_wire import Wire

            self._wire = Wire(self._token)
        return self._wire


def _pause(error: Throttled | Unanswered, tries: int) -> float | None:
    """Seconds to wait before the next try; None if it would fail again."""
    if isinstance(error, Throttled):
        return error.retry_after.total_seconds()
    return random.uniform(0, FIRST_PAUSE * 2 ** (tries - 1)) if error.passing else None  # noqa: S311
