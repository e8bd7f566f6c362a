"""A session's workspace: its own clone of the mirror, in which nobody else runs git."""

import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from pco.ground.errors import BadConfig, BadData, SystemFault
from pco.outside import commits, gitlocks, process
from pco.outside.git import QUICK, done, run


class Workspace:
    """A session's own clone in `folder`, used by the session's own user; it is kept over rounds."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def clone(self, mirror: Path, base: str, branch: str, timeout: timedelta) -> None:
        """Have `branch` checked out: as the workspace has it, else as the mirror has it, else made from `base`.

        Raises TryLater after `timeout`, BadConfig if the mirror has no `base`, BadData if git refuses.
        """
        if not (self.folder / ".git").is_dir():
            self._clone_anew(mirror, base, branch, timeout)
            return
        # A session that was killed leaves its locks; it has ended, and nobody else works here.
        gitlocks.remove(self.folder / ".git")
        refs = "+refs/heads/*:refs/remotes/origin/*"
        fetch = ["fetch", "--quiet", "--prune", "--no-write-fetch-head", "--no-recurse-submodules", "--"]
        done(self._git([*fetch, str(mirror), refs], timeout), "cannot fetch from the mirror")
        self._check_out(self.folder, base, branch, timeout)

    def bundle(self, to: Path, branch: str, timeout: timedelta = QUICK) -> bool:
        """Write what `branch` has and the mirror has not into the file `to`; False if that is nothing."""
        new = _new(branch)
        result = self._git(["rev-list", "--count", "--max-count=1", *new], timeout)
        done(result, f"cannot read the branch {branch}", BadData)
        if result.out.strip() == b"0":
            return False
        create = ["bundle", "create", "--quiet", "--version=2", str(to), *new]
        done(self._git(create, timeout), "cannot write the bundle", BadData)
        return True

    def leaks(self, branch: str, known: Iterable[tuple[str, str]]) -> list[str]:
        """The kinds of the `known` secrets in what `bundle` would write.  Raises BadData."""
        return commits.held(self._git, _new(branch), known)

    def uncommitted(self) -> int:
        """How many files differ from the last commit, new ones included."""
        status = ["status", "--porcelain=v1", "-z", "--no-renames", "--untracked-files=normal", "--ignore-submodules"]
        result = self._git(status, QUICK)
        done(result, "cannot read the state of the workspace", BadData)
        return result.out.count(b"\0")

    def _clone_anew(self, mirror: Path, base: str, branch: str, timeout: timedelta) -> None:
        # Under another name first: a clone that was interrupted must not be taken for a workspace.
        partial = self.folder.with_name(f".{self.folder.name}.partial")
        _remove(partial)
        # --no-local: a plain copy of the object files could catch the mirror in the middle of a fetch.
        clone = ["clone", "--quiet", "--no-hardlinks", "--no-local", "--no-checkout", "--template=", "--"]
        done(run([*clone, str(mirror), str(partial)], timeout), "cannot clone the mirror")
        who = f"pco {branch.removeprefix('pco/')}"
        for name, value in (("user.name", who), ("user.email", "pco@localhost"), ("push.default", "nothing")):
            done(run(["-C", str(partial), "config", "--local", name, value], QUICK), "cannot set up the workspace")
        self._check_out(partial, base, branch, timeout)
        try:
            os.rename(partial, self.folder)
        except OSError as error:
            raise SystemFault(f"{self.folder}: {error.strerror}") from error

    def _check_out(self, folder: Path, base: str, branch: str, timeout: timedelta) -> None:
        for ref in (f"refs/heads/{branch}", f"refs/remotes/origin/{branch}", f"refs/remotes/origin/{base}"):
            if self._has(folder, ref):
                break
        else:
            raise BadConfig(f"the mirror has no branch {base}", "see plane.projects: branch")
        how = [branch] if ref.startswith("refs/heads/") else ["--no-track", "-b", branch, ref]
        done(_in(folder, ["checkout", "--quiet", *how, "--"], timeout), f"cannot check out {branch}", BadData)

    def _has(self, folder: Path, ref: str) -> bool:
        return _in(folder, ["rev-parse", "--quiet", "--verify", "--end-of-options", ref], QUICK).code == 0

    def _git(self, args: list[str], timeout: timedelta) -> process.Result:
        return _in(self.folder, args, timeout)


def _in(folder: Path, args: list[str], timeout: timedelta) -> process.Result:
    return run([f"--git-dir={folder / '.git'}", f"--work-tree={folder}", *args], timeout, cwd=folder)


def _remove(folder: Path) -> None:
    with suppress(FileNotFoundError):
        shutil.rmtree(folder)


def _new(branch: str) -> list[str]:
    """What a branch has and the mirror has not, for git; behind --end-of-options it would take --not for a revision."""
    return ["--not", "--remotes=origin", "--not", f"refs/heads/{branch}"]
