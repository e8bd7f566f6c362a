"""How soon pco-watch hears a summary, and what it costs while nothing happens."""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from bench.measure import PYTHON, Figure, a_site, command, in_turns, scratch
from pco.ground import leavings
from pco.ground.ticket import State
from pco.outside.runners import RunnerSession
from pco.outside.runners.tmux import Tmux
from sessions import Yard, a_mirror, sh, until
from support import TOP

SUMMARIES = 200
AT_ONCE = 20
WATCHED = 60  # seconds


@contextmanager
def a_yard(folder: Path) -> Iterator[Yard]:
    """A site with tmux sessions and a running pco-watch."""
    with scratch(folder) as home:
        site = a_site(home / "pco")
        site.configure(
            log={"level": "info"}, sessions={"complete_grace": "10m", "stall_after": "1h", "start_within": "2m"}
        )
        run = site.home / "run"
        yard = Yard(
            site, a_mirror(home / "mirror.git"), Tmux(run / "tmux.sock", run / "trigger"), home / "watch.log", []
        )
        yard.watch()
        try:
            yield yard
        finally:
            yard.close()


def summary(folder: Path) -> Iterator[Figure]:
    """From the return of pco-complete to the record of pco-watch, 200 times, without others at the lock."""

    def hand_over(yard: Yard, key: str) -> None:
        environ = {**yard.site.environment(), "PCO_ATTEMPT_DIR": str(yard.home(key))}
        command([PYTHON, str(TOP / "bin" / "pco-complete"), "All done."], environ)()

    with a_yard(folder) as yard:
        yield recorded(yard, "pco-complete to record", hand_over)


def recorded(yard: Yard, name: str, hand_over: Callable[[Yard, str], None]) -> Figure:
    """From the return of `hand_over`, which is run as the session would, to the record."""
    taken: list[float] = []
    for start in range(1, SUMMARIES + 1, AT_ONCE):
        keys = [f"WEB-{n}" for n in range(start, start + AT_ONCE)]
        for key in keys:
            begin(yard, key)
        until(lambda keys=keys: all(yard.ticket(key).attempt.born for key in keys), 300)  # type: ignore[misc]
        time.sleep(1)
        taken += [handed_over(yard, key, hand_over) for key in keys]
        subprocess.run(["tmux", "-S", str(yard.tmux.socket), "kill-server"], capture_output=True, check=True)
        until(lambda: not yard.site.spool().keys(State.ACTIVE), 300)
    floor = in_turns(20, lambda: bare_event(yard))[0]
    note = f"median {rank(0.5, taken) * 1000:.1f}, longest {max(taken) * 1000:.1f}"
    return Figure(f"{name}, p99 of {SUMMARIES}", rank(0.99, taken) * 1000, "ms", 100, floor * 1000, "<= 100 ms", note)


def rank(share: float, taken: list[float]) -> float:
    """The value below which this share of the values lies."""
    return sorted(taken)[max(int(len(taken) * share) - 1, 0)]


def begin(yard: Yard, key: str) -> None:
    """A session that was born and sleeps."""
    yard.claim(key)
    (yard.out(key) / "events").mkdir(parents=True)
    yard.tmux.start(RunnerSession(key, ("sleep", "1000")))
    if (child := os.fork()) == 0:  # pco-watch would wait for this process to end, were the birth its own
        leavings.bear(yard.out(key), datetime.now(UTC))
        os._exit(0)
    os.waitpid(child, 0)
    os.mkfifo(yard.out(key) / "bell", 0o600)
    yard.ring()


def handed_over(yard: Yard, key: str, hand_over: Callable[[Yard, str], None]) -> float:
    """Hand a summary over; returns the seconds from then to the record."""
    path = yard.site.spool().path(key, State.ACTIVE)
    before = path.stat().st_ino
    hand_over(yard, key)
    returned = time.perf_counter()
    while path.stat().st_ino == before:
        assert time.perf_counter() < returned + 20, yard.log.read_text()[-2000:]
        time.sleep(0.0005)
    taken = time.perf_counter() - returned
    assert yard.ticket(key).round.summary == "All done."
    time.sleep(0.2)  # pco-watch may scan a dozen times a second
    return taken


def bare_event(yard: Yard) -> None:
    """The floor: one record read, written and flushed under the lock."""
    spool = yard.site.spool()
    key = spool.keys(State.COMPLETED)[0]
    spool.update(key, lambda ticket: (ticket, None))


def idle(folder: Path) -> Iterator[Figure]:
    """Memory and wake-ups of pco-watch beside 20 real sessions in which nothing happens."""
    with a_yard(folder) as yard:
        for n in range(1, AT_ONCE + 1):
            yard.run(f"WEB-{n}", sh("exec sleep 1000"))
        until(lambda: all(yard.ticket(f"WEB-{n}").attempt.born for n in range(1, AT_ONCE + 1)), 60)  # type: ignore[union-attr]
        time.sleep(5)
        pid = yard.started[0].pid
        switched = switches(pid)
        time.sleep(WATCHED)
        switched = switches(pid) - switched
        woken = wake_ups(pid, WATCHED)
        size = int(field(pid, "VmRSS").split()[0]) / 1024
    floor = (
        int(command([PYTHON, "-c", "print(open('/proc/self/status').read().partition('VmRSS:')[2].split()[0])"])())
        / 1024
    )
    yield Figure(f"pco-watch, {AT_ONCE} active: VmRSS", size, "MiB", 25, floor, "<= 25 MiB")
    note = f"{switched} switches"
    yield Figure(f"pco-watch, {AT_ONCE} active, idle: wake-ups a minute", woken, "", 6, 1, "<= 6", note)


def wake_ups(pid: int, seconds: float) -> float:
    """How often a process woke from a sleep of 20 ms or more; without strace, how often it gave up the processor."""
    strace = shutil.which("strace")
    if strace is None:
        before = switches(pid)
        time.sleep(seconds)
        return switches(pid) - before
    waits = "poll,ppoll,select,pselect6,epoll_wait,epoll_pwait,restart_syscall,clock_nanosleep,futex"
    tracer = [strace, "-T", "-p", str(pid), "-e", f"trace={waits}"]
    traced = subprocess.Popen(tracer, stderr=subprocess.PIPE, text=True)
    time.sleep(seconds)
    traced.terminate()
    said = traced.communicate(timeout=20)[1]
    return sum(float(took) >= 0.02 for took in re.findall(r"<(\d+\.\d+)>$", said, re.MULTILINE))


def switches(pid: int) -> int:
    """How often a process gave up the processor by itself."""
    return int(field(pid, "voluntary_ctxt_switches"))


def field(pid: int, name: str) -> str:
    """A field of /proc/PID/status."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(line for line in lines if line.startswith(f"{name}:")).partition(":")[2].strip()
