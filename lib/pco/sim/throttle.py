"""The server's throttle: a sliding window of a minute per token."""

import math
import threading
from collections import defaultdict, deque

from pco.sim.answers import Refused
from pco.sim.clock import Clock

WINDOW = 60.0


class Throttle:
    """Times of the requests each token has spent, newest last."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._spent: dict[str, deque[float]] = defaultdict(deque)
        self._lock = threading.Lock()

    def spend(self, token: str, limit: int) -> int:
        """Spend one request of `limit` a minute (0: no limit) and return how many remain.

        A refused request does not count.  Raises Refused with 429 when none is left.
        """
        if not limit:
            return 99999
        now, window = self.clock.seconds(), self.clock.scaled(WINDOW)
        with self._lock:
            spent = self._spent[token]
            while spent and spent[0] <= now - window:
                spent.popleft()
            if len(spent) >= limit:
                raise Throttled(math.ceil(spent[0] + window - now))
            spent.append(now)
            return limit - len(spent)


class Throttled(Refused):
    """429; `wait` whole seconds go out as Retry-After."""

    def __init__(self, wait: int) -> None:
        super().__init__(429, {"error_code": 5900, "error_message": "RATE_LIMIT_EXCEEDED"})
        self.wait = wait
