"""The person behind a program: who logged in, as whom it runs, and through whose sudo.

The kernel keeps the user of a login (`/proc/self/loginuid`, set by pam_loginuid(8)) through su, sudo and whatever else
changes the user; only root can change it.  What no login began, such as a service, has none: 4294967295.  SUDO_USER is
no more than a word in the environment, which root alone is believed.
"""

import pwd
from pathlib import Path

from pco.ground.frozen import dataclass

LOGIN = Path("/proc/self/loginuid")
UNSET = 2**32 - 1


@dataclass(frozen=True)
class Caller:
    """`person` is on whose word it runs; `how` is `pco` or `root, by sudo of bob`, empty where they are one."""

    person: str
    how: str = ""


def caller(login: int | None, user: int, sudo_user: str) -> Caller:
    """Who logged in as `login` (None: nobody), and runs something as `user`, with SUDO_USER in the environment."""
    name = _name(user)
    through = sudo_user if user == 0 else ""
    person = _name(login) if login is not None else through or name
    by_sudo = f", by sudo of {through}" if through not in ("", person) else ""
    return Caller(person, f"{name}{by_sudo}" if person != name or by_sudo else "")


def logged_in(path: Path = LOGIN) -> int | None:
    """The user who logged in; None if nobody did, or the kernel does not say."""
    try:
        uid = int(path.read_text())
    except (OSError, ValueError):
        return None
    return None if uid == UNSET else uid


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
