"""Repositories that are not ours, asked for their branches without fetching anything, as the user who will fetch."""

import os
import re
from datetime import timedelta
from pathlib import Path

from pco.ground import text
from pco.ground.errors import BadConfig, TryLater
from pco.ground.frozen import dataclass
from pco.outside import accounts, git, process

_HEAD = re.compile(r"ref: refs/heads/(\S+)\tHEAD")
_BRANCH = re.compile(r"[0-9a-f]{40,64}\trefs/heads/(\S+)")
_MOST = 8 << 20


@dataclass(frozen=True)
class Heads:
    """The branches of a repository, and which of them it is on (empty: none that is there)."""

    branches: tuple[str, ...]
    default: str


def heads(repository: str, timeout: timedelta, user: str = "") -> Heads:
    """Ask a repository, as `user` if root asks for one.  Raises TryLater, BadConfig, Unavailable."""
    become: list[str] = []
    environment = git.environment()
    if user and os.geteuid() == 0 and (home := accounts.home(user)):
        # Nothing of root's own: no agent with keys, no proxy; the units have neither.
        environment = {**git.environment({}), "HOME": home}
        become = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "--inh-caps=-all", "--"]
    asked = ["git", "ls-remote", "--symref", "--", repository, "HEAD", "refs/heads/*"]
    # Not from where the caller stands: git would read the configuration of a repository there.
    result = process.run([*become, *asked], environment, timeout, _MOST, cwd=Path("/"))
    if result.code != 0:
        raise TryLater(git.cause(result.error))
    lines = result.out.decode("utf-8", "replace").splitlines()
    branches = tuple(text.line(match[1], 200) for line in lines if (match := _BRANCH.fullmatch(line)))
    if not branches:
        raise BadConfig("it has no commits yet", "push a first one: sessions begin from it")
    default = next((match[1] for line in lines if (match := _HEAD.fullmatch(line))), "")
    return Heads(branches, default if default in branches else "")
