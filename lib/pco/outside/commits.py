"""What commits bring, their words and each line that they add, searched for secrets that are known by their value.

No value becomes an argument of git: everybody could read it in the list of processes.
"""

from collections.abc import Callable, Iterable
from datetime import timedelta

from pco.ground import credentials
from pco.ground.errors import BadData
from pco.outside import git, process

WITHIN = timedelta(seconds=10)  # a session that is asked to end has 30, and its bundle is still to be written
Git = Callable[[list[str], timedelta], process.Result]

# Words are indented by one, so that a line which begins with `-` is one that was taken away.
_FORM = "--format=%w(0,1,1)%an%n%ae%n%cn%n%ce%n%B"
_HOW = ["--patch", "--unified=0", "--text", "--no-renames", "--diff-merges=separate", "--no-color", "--encoding=UTF-8"]
_SAFE = ["--no-ext-diff", "--no-textconv", "--ignore-submodules=none"]


def held(run: Git, revisions: list[str], known: Iterable[tuple[str, str]]) -> list[str]:
    """The kinds of those `known` secrets that the commits `revisions` bring; `run` is git in their repository.

    What is more than `run` takes in, or takes longer than WITHIN, is not looked through: work that is large must not
    get lost.  Raises BadData if git cannot show them.
    """
    looked_for = list(known)
    if not looked_for:
        return []
    try:
        result = run(["log", _FORM, *_HOW, *_SAFE, *revisions, "--"], WITHIN)
    except process.TooSlow:
        return []
    git.done(result, "cannot look through the commits", BadData)
    lines = (line for line in result.out.split(b"\n") if not line.startswith(b"-"))
    return credentials.held(b"\n".join(lines).decode("utf-8", "replace"), looked_for)
