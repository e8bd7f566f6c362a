"""What the real server's worker does after the reply: run each job when it is due, in a thread of its own."""

import heapq
import itertools
import threading
from collections.abc import Callable

from pco.sim.clock import Clock

Job = Callable[[], None]


class Jobs:
    """A heap of jobs by due time on the simulator's clock."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._heap: list[tuple[float, int, Job]] = []
        self._number = itertools.count()
        self._change = threading.Condition()
        self._running = 0
        self._stopped = False
        self._thread = threading.Thread(target=self._work, name="sim-jobs", daemon=True)
        self._thread.start()

    def later(self, seconds: float, job: Job) -> None:
        """Run `job` in `seconds` of the real server, scaled."""
        due = self.clock.seconds() + self.clock.scaled(seconds)
        with self._change:
            heapq.heappush(self._heap, (due, next(self._number), job))
            self._change.notify_all()

    def wake(self) -> None:
        """Look at the clock again: it was moved."""
        with self._change:
            self._change.notify_all()

    def settle(self) -> None:
        """Run whatever is planned at once, due or not, and return when it is done."""
        while True:
            with self._change:
                self._change.wait_for(lambda: self._running == 0)
                if not self._heap:
                    return
                _due, _number, job = heapq.heappop(self._heap)
            job()

    def stop(self) -> None:
        """End the thread; what is planned is dropped, as by a worker that is killed."""
        with self._change:
            self._stopped = True
            self._change.notify_all()
        self._thread.join()

    def _work(self) -> None:
        """Run jobs as they become due, until stopped."""
        while (job := self._next()) is not None:
            try:
                job()
            finally:
                with self._change:
                    self._running -= 1
                    self._change.notify_all()

    def _next(self) -> Job | None:
        """Wait for the next job that is due; None when stopped."""
        with self._change:
            while not self._stopped:
                wait = None if not self._heap else self._heap[0][0] - self.clock.seconds()
                if wait is not None and wait <= 0:
                    self._running += 1
                    return heapq.heappop(self._heap)[2]
                self._change.wait(wait)
            return None
