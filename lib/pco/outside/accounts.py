"""Users and groups of this machine."""

import grp
import os
import pwd
from datetime import timedelta

from pco.ground.errors import SystemFault
from pco.outside import process

_PATIENCE = timedelta(seconds=30)


def home(user: str) -> str:
    """The home folder of a user; empty if there is no such user."""
    try:
        return pwd.getpwnam(user).pw_dir
    except KeyError:
        return ""


def exists(user: str) -> bool:
    """Whether there is a user of that name."""
    try:
        return bool(pwd.getpwnam(user))
    except KeyError:
        return False


def name(uid: int) -> str:
    """The name of a user, or the number."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def is_member(user: str, group: str) -> bool | None:
    """Whether a user is in a group, by its list or as the user's own; None if there is no such group."""
    try:
        found = grp.getgrnam(group)
        return user in found.gr_mem or pwd.getpwnam(user).pw_gid == found.gr_gid
    except KeyError:
        return None


def add(user: str, group: str) -> None:
    """Make a user a member of a group.  Raises SystemFault: of a directory server's users usermod knows nothing."""
    environment = {"PATH": f"{os.defpath}:/usr/sbin:/sbin", "LC_ALL": "C"}
    result = process.run(["usermod", "-aG", group, "--", user], environment, _PATIENCE)
    if result.code != 0:
        raise SystemFault(f"usermod: {' '.join(result.error.split()) or f'exit {result.code}'}")


def become(uid: int) -> None:
    """From now on be this user, with its groups, for good; only root can.  Raises SystemFault."""
    try:
        known = pwd.getpwuid(uid)
        os.initgroups(known.pw_name, known.pw_gid)
        os.setgid(known.pw_gid)
        os.setuid(uid)
    except (KeyError, OSError) as error:
        raise SystemFault(f"cannot become user {uid}: {error}") from error
