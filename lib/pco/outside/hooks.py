"""Programs that are run on events: which of an administrator's may be, and one of them run to its end.

They have the rights of who runs them, so nobody but `owners` may be able to change one: neither the file, which a link
may lead to, nor any folder above it.  What somebody else could have written is refused.
"""

import errno
import os
import re
import selectors
import signal
import stat
import subprocess
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path

from pco.ground import text
from pco.ground.errors import SystemFault
from pco.ground.frozen import dataclass

MOST_SAID = 1 << 20  # bytes of output; who says more is ended
KEPT = 4096  # of these
_MISTAKES = {errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.EPERM, errno.ELOOP}
_NAME = re.compile(r"(?!.*\.(bak|old|orig|swp|dpkg-[a-z]+)$)[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


@dataclass(frozen=True)
class Hook:
    """One program; `name` is EVENT/NAME."""

    name: str
    path: Path


@dataclass(frozen=True)
class Refused:
    """One that must not be run, and why."""

    name: str
    why: str


@dataclass(frozen=True)
class Outcome:
    """How a program ended; `said` are the last words of its output, `trouble` is what went wrong, empty if nothing."""

    trouble: str = ""
    said: str = ""
    hung: bool = False


def find(folder: Path, event: str, owners: Collection[int]) -> tuple[list[Hook], list[Refused]]:
    """The programs in folder/`event`, by name, and those that are refused.  What is no program is passed over.

    Raises SystemFault if the disk does not say what there is: whoever has something for them keeps it.
    """
    hooks: list[Hook] = []
    refused: list[Refused] = []
    try:
        names = sorted(name for name in os.listdir(folder / event) if _NAME.fullmatch(name))
        for name in names:
            path = folder / event / name
            why = _why_not(path, owners)
            if why:
                refused.append(Refused(f"{event}/{name}", why))
            elif os.access(path, os.X_OK) and path.is_file():
                hooks.append(Hook(f"{event}/{name}", path))
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:
        said = f"{error.filename or folder / event}: {error.strerror}"
        if error.errno not in _MISTAKES:
            raise SystemFault(said) from error
        refused.append(Refused(event, said))
    return hooks, refused


def _why_not(path: Path, owners: Collection[int]) -> str:
    """Why somebody else could change what would be run; empty if nobody can.  Raises OSError if the disk fails."""
    try:
        real = path.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        return f"cannot be read: {_mistake(error)}"
    for place in dict.fromkeys((real, *real.parents, *path.parents)):
        try:
            facts = os.stat(place)
        except OSError as error:
            return f"{place}: {_mistake(error)}"
        if facts.st_uid not in {0, *owners}:
            return f"{place} belongs to user {facts.st_uid}, not to root"
        # What lies in a folder like /tmp is its owner's, though others may write there.
        shared = place != real and facts.st_mode & stat.S_ISVTX
        if facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not shared:
            return f"others than root can write to {place} (chmod go-w {place})"
    return ""


def _mistake(error: OSError | RuntimeError) -> str:
    """What somebody did wrong, in words.  Raises it again if nobody did."""
    if isinstance(error, OSError) and error.errno not in _MISTAKES:
        raise error
    return getattr(error, "strerror", None) or str(error)


def run(argv: list[str], data: bytes, environment: Mapping[str, str], within: float) -> Outcome:
    """Run a program with `data` as its input, for at most `within` seconds; it is ended with its process group."""
    given = os.memfd_create("event")
    try:
        with open(given, "wb", closefd=False) as file:
            file.write(data)
        os.lseek(given, 0, os.SEEK_SET)
        child = subprocess.Popen(
            argv,
            stdin=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            cwd="/",
            start_new_session=True,
        )
    except OSError as error:
        return Outcome(f"cannot be run: {error.strerror}")
    finally:
        os.close(given)
    heard = bytearray()
    try:
        trouble = _attended(child, time.monotonic() + within, heard)
    finally:
        # Before it is waited for: as long as it is not, its group's number belongs to nobody else.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        code = child.wait()
        if child.stdout:
            child.stdout.close()
    said = text.line(bytes(heard[-KEPT:]).decode("utf-8", "replace"), 300)
    if trouble:
        return Outcome(f"{trouble} {within:g} s" if trouble == _HUNG else trouble, said, hung=trouble == _HUNG)
    if code < 0:
        return Outcome(f"was ended by signal {-code}", said)
    return Outcome(f"exit {code}" if code else "", said)


_HUNG = "did not end within"


def _attended(child: "subprocess.Popen[bytes]", deadline: float, heard: bytearray) -> str:
    """Listen until it ends; what it started and left behind keeps nobody waiting.  Returns what is wrong."""
    assert child.stdout
    pipe, total, ended = child.stdout.fileno(), 0, os.pidfd_open(child.pid)
    os.set_blocking(pipe, False)
    try:
        with selectors.DefaultSelector() as waiting:
            waiting.register(ended, selectors.EVENT_READ)
            waiting.register(pipe, selectors.EVENT_READ)
            while (left := deadline - time.monotonic()) > 0:
                ready = {key.fd for key, _ in waiting.select(left)}
                if pipe in ready:
                    part = os.read(pipe, 1 << 16)  # as much as a pipe holds
                    total += len(part)
                    heard += part
                    del heard[: -KEPT * 2]
                    if not part:
                        waiting.unregister(pipe)
                if ended in ready:
                    return ""
                if total > MOST_SAID:
                    return f"said more than {MOST_SAID >> 20} MB, and was ended"
    finally:
        os.close(ended)
    return _HUNG
