"""A program run to its end: never through a shell, with a deadline, with a cap on what it may say."""

import os
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING

from pco.ground.errors import SystemFault, TryLater, Unavailable
from pco.ground.frozen import dataclass

if TYPE_CHECKING:
    from subprocess import Popen

_MOST_ERROR = 1 << 16


class TooSlow(TryLater):
    """It did not end in time."""


@dataclass(frozen=True)
class Result:
    """How it ended; `cut` says that `out` reached its cap and the program was ended."""

    code: int
    out: bytes
    error: str
    cut: bool = False


def run(
    argv: Sequence[str],
    environment: Mapping[str, str],
    timeout: timedelta,
    most: int = 16 << 20,
    stdin: int | None = None,
    cwd: Path | None = None,
    umask: int = -1,
    inherited: tuple[int, ...] = (),
) -> Result:
    """Run `argv` with just this environment, the caller's umask unless another is given, and descriptors if any are.

    Raises Unavailable if it is not installed, TooSlow once `timeout` has passed; then its process group is ended.
    """
    from subprocess import DEVNULL, PIPE, Popen  # here: who runs no program need not wait for it

    try:
        # A session of its own: what it starts is ended with it, and Ctrl-C reaches us first.
        child = Popen(
            argv,
            stdin=DEVNULL if stdin is None else stdin,
            stdout=PIPE,
            stderr=PIPE,
            env=dict(environment),
            cwd=cwd,
            start_new_session=True,
            umask=umask,
            pass_fds=inherited,
        )
    except FileNotFoundError as error:
        if cwd is not None and not cwd.is_dir():
            raise SystemFault(f"{cwd}: not there") from error
        raise Unavailable(f"{argv[0]} is not installed", f"apt install {argv[0]}") from error
    except OSError as error:
        raise SystemFault(f"{argv[0]}: {error.strerror}") from error
    try:
        return _attended(child, time.monotonic() + timeout.total_seconds(), most)
    except TimeoutError:
        raise TooSlow(f"{argv[0]} did not end within {timeout.total_seconds():g} s") from None
    finally:
        _end(child)


def _attended(child: "Popen[bytes]", deadline: float, most: int) -> Result:
    """Read both pipes to their end, or `out` up to `most`.  Raises TimeoutError."""
    from selectors import EVENT_READ, DefaultSelector
    from subprocess import TimeoutExpired

    assert child.stdout and child.stderr
    got: dict[IO[bytes], bytearray] = {child.stdout: bytearray(), child.stderr: bytearray()}
    with DefaultSelector() as waiting:
        for pipe in got:
            waiting.register(pipe, EVENT_READ)
        while waiting.get_map():
            for key, _ in waiting.select(_left(deadline)):
                pipe = child.stdout if key.fileobj is child.stdout else child.stderr
                part = os.read(key.fd, 1 << 16)
                if not part:
                    waiting.unregister(pipe)
                got[pipe] += part if pipe is child.stdout else part[: max(_MOST_ERROR - len(got[pipe]), 0)]
            if len(got[child.stdout]) > most:
                return Result(0, bytes(got[child.stdout][:most]), "", cut=True)
    with suppress(TimeoutExpired):
        code = child.wait(_left(deadline))
        return Result(code, bytes(got[child.stdout]), got[child.stderr].decode("utf-8", "replace"))
    raise TimeoutError


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _end(child: "Popen[bytes]") -> None:
    """Nothing of it stays: its group is killed if it still runs, its pipes are closed."""
    if child.poll() is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    for pipe in (child.stdout, child.stderr):
        if pipe:
            pipe.close()
