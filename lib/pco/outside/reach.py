"""Whether a session could run a program: its user is nobody in particular, and its unit hides folders."""

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

# What no unit of pco sees (ProtectHome=, PrivateTmp=), and what pco-session@.service does not show beside that
# (PrivateDevices=, TemporaryFileSystem=).
PRIVATE = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")  # noqa: S108  # named, not used  # nosec B108
_STATE = ("/var/lib", "/var/spool", "/var/log", "/var/backups", "/run", "/etc/pco", "/dev")
HIDDEN = (*_STATE, *PRIVATE)
NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", "--")
_MOST_LINKS = 40  # as Linux has it


def obstacle(path: Path) -> str:
    """What is in the way, on the path or that of a link in it; empty if nothing is.  Raises OSError."""
    for step, found in _steps(path):
        if hidden := next((folder for folder in HIDDEN if step.is_relative_to(folder)), ""):
            return f"sessions do not see what is under {hidden}{_way(path, step)}"
        if stat.S_ISDIR(found.st_mode) and not found.st_mode & stat.S_IXOTH:
            return f"only some users may pass through {step} (mode {stat.S_IMODE(found.st_mode):04o})"
        if stat.S_ISREG(found.st_mode):
            need = stat.S_IXOTH if native(step) else stat.S_IXOTH | stat.S_IROTH
            if found.st_mode & need != need:
                return f"not every user may run {step} (mode {stat.S_IMODE(found.st_mode):04o})"
    return ""


def native(path: Path) -> bool:
    """Whether it is a program that needs no interpreter, as far as one may look."""
    try:
        with open(path, "rb") as file:
            return file.read(4) == b"\x7fELF"
    except OSError:
        return False


def _way(path: Path, step: Path) -> str:
    return "" if path.is_relative_to(step) else f", and there {path} leads"


def _steps(path: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Every folder, link and file on the way to what `path` means, as the kernel walks it."""
    at, left, links = Path("/"), list(path.parts[1:]), 0
    while left:
        name = left.pop(0)
        if name == "..":
            at = at.parent
            continue
        here = at / name
        found = os.lstat(here)
        yield here, found
        if not stat.S_ISLNK(found.st_mode):
            at = here
            continue
        links += 1
        if links > _MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
        target = Path(os.readlink(here))
        if target.is_absolute():
            at = Path("/")
        left = [*target.parts[target.is_absolute() :], *left]
