"""Programs of pco, started quickly: a fork of this process, which has loaded all of it, runs the real `main`.

What runs is what `bin/` runs, in a process of its own that strace(1) can look at; only the interpreter's start and the
imports are done once.  `traced` has one call of it go wrong.
"""

import io
import itertools
import os
import pkgutil
import select
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from faults.calls import KILL, STOP, TRACED
from support import TOP

LIMIT = 60.0  # seconds for one run


@dataclass(frozen=True)
class Ended:
    """How a run ended: `code` as a shell says it, -9 for a kill; `late` if it did not end by itself."""

    code: int
    out: str
    err: str
    late: bool = False


def load() -> None:
    """Import what programs import, and what they import late."""
    import pco

    for module in pkgutil.walk_packages(pco.__path__, "pco."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    for name in ("requests", "filelock", "tabulate", "yaml", "sdnotify", "click", "zoneinfo", "tarfile", "gzip"):
        import_module(name)


class Started:
    """A program that runs; `gate` keeps it from beginning until `go`."""

    def __init__(
        self,
        command: tuple[str, ...],
        environ: dict[str, str],
        scratch: Path,
        *,
        stdin: str = "",
        dies: int | None = None,
    ) -> None:
        self.out, self.err = scratch / f"out.{time.monotonic_ns()}", scratch / f"err.{time.monotonic_ns()}"
        given = scratch / "stdin"
        given.write_text(stdin)
        before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
        stands, ready = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            os.close(stands)
            if dies is not None:
                _deadly(dies)
            _run(command, environ, given, self.out, self.err, ready)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        self._ends = os.pidfd_open(self.pid)
        os.close(ready)
        os.read(stands, 1)  # the end: it is at the gate, and what it opened on the way is no call of the program
        os.close(stands)

    def go(self) -> None:
        """Let it begin."""
        os.kill(self.pid, signal.SIGUSR1)

    def wait(self, seconds: float) -> bool:
        """Whether it ends within so many seconds."""
        return bool(select.select([self._ends], [], [], seconds)[0])

    def kill(self) -> None:
        """Kill it, however it stands."""
        os.kill(self.pid, signal.SIGKILL)

    def end(self, seconds: float = LIMIT) -> Ended:
        """Wait for its end; what it left running of its own goes with it, as with a unit."""
        late = not self.wait(seconds)
        for group in (os.killpg, os.kill) if late else (os.killpg,):
            with suppress(ProcessLookupError, PermissionError):
                group(self.pid, signal.SIGKILL)
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self._ends)
        said = [path.read_text(errors="replace") for path in (self.out, self.err)]
        for path in (self.out, self.err):
            path.unlink()
        return Ended(code, *said, late)


def run(
    command: tuple[str, ...], environ: dict[str, str], scratch: Path, stdin: str = "", dies: int | None = None
) -> Ended:
    """Run a program to its end; with `dies` it kills itself as it is about to make its n-th change, from 0."""
    started = Started(command, environ, scratch, stdin=stdin, dies=dies)
    started.go()
    return started.end()


class Tracer:
    """strace(1) at a program that has not begun yet; `fault` befalls its `nth` call of a name, and all `onwards`."""

    def __init__(
        self, started: Started, trace: Path, fault: str = "", call: str = "", nth: int = 0, *, onwards: bool = False
    ) -> None:
        self.trace = trace
        trace.unlink(missing_ok=True)
        # Of a run with a fault only the calls of that name are of interest.
        words = ["strace", "-y", "-s", "0", "-o", str(trace), "-e", f"trace={call or TRACED}", "-p", str(started.pid)]
        if fault:
            what = {KILL: "signal=SIGKILL", STOP: "signal=SIGSTOP"}.get(fault, f"error={fault}")
            words += ["-e", f"inject={call}:{what}:when={nth}{'+' * onwards}"]
        self._strace = subprocess.Popen(words, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        assert self._strace.stderr
        # From this word on no call of the program passes unseen.
        said = self._strace.stderr.readline().decode()
        if "attached" not in said:
            raise RuntimeError(f"strace cannot trace: {said}{self._strace.stderr.read().decode()}")
        started.go()

    def stands(self) -> bool:
        """Whether the program was stopped."""
        with suppress(OSError):
            return "--- stopped by SIGSTOP ---" in self.trace.read_text(errors="replace")
        return False

    def stopped(self) -> tuple[str, int]:
        """What it wrote down until the program was stopped last, without that; and how often it was."""
        with suppress(OSError):
            told = self.trace.read_text(errors="replace")
            if stops := told.count("--- stopped by SIGSTOP ---"):
                return told.rpartition("--- SIGSTOP")[0], stops
        return "", 0

    def told(self) -> str:
        """What it wrote down, once the program has ended."""
        self._strace.communicate(timeout=20)
        return self.trace.read_text(errors="replace")


def _deadly(changes: int) -> None:
    """In the child: have it die at the n-th call of Python that changes a file, and at no other."""
    left = itertools.count(changes, -1)

    def deadly(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **more: Any) -> Any:
            if next(left) <= 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*args, **more)

        return call

    for name in ("write", "fchmod", "fsync", "rename", "replace", "link", "unlink", "mkdir", "rmdir", "truncate"):
        setattr(os, name, deadly(getattr(os, name)))


def _run(command: tuple[str, ...], environ: dict[str, str], given: Path, out: Path, err: Path, ready: int) -> None:
    """In the child: become the program.  Does not return."""
    code = 70
    try:
        os.setpgid(0, 0)
        for path, flags, number in (
            (given, os.O_RDONLY, 0),
            (out, os.O_WRONLY | os.O_CREAT, 1),
            (err, os.O_WRONLY | os.O_CREAT, 2),
        ):
            handle = os.open(path, flags, 0o600)
            os.dup2(handle, number)
            os.close(handle)
        sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)), encoding="utf-8")
        sys.stdout = io.TextIOWrapper(io.BufferedWriter(io.FileIO(1, "w", closefd=False)), encoding="utf-8")
        sys.stderr = io.TextIOWrapper(io.FileIO(2, "w", closefd=False), encoding="utf-8", write_through=True)
        os.environ.clear()
        os.environ.update(environ)
        os.chdir("/")
        os.umask(0o022)
        sys.argv = [str(TOP / "bin" / command[0]), *command[1:]]
        os.close(ready)
        signal.sigwait([signal.SIGUSR1])
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGUSR1])
        code = ended(command[0])
    finally:
        os._exit(code)


def ended(program: str) -> int:
    """Run the main of a program in this process; how it ended, with all that it said written."""
    try:
        if program == "pco-hook":
            from pco.commands import hook

            code: object = hook.main()
        else:
            from pco import start

            start.main(program.removeprefix("pco-"))
            code = 0
    except SystemExit as end:
        code = end.code
        if isinstance(code, str):
            sys.stderr.write(f"{code}\n")
            code = 1
    except BaseException:
        traceback.print_exc()
        code = 1
    try:
        sys.stdout.flush()
    except OSError:
        code = code or 120
    return int(code or 0)  # type: ignore[call-overload, no-any-return]
