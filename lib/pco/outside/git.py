"""git: how pco runs it, and the bare mirror of a project.  A session's workspace: see `workspace`.

Every call has a deadline, an environment of its own, and the configuration of the file `git.conf` beside this module;
no hook, no file monitor, no external diff, no shell, no question at a terminal.  A bundle from a session is read as
hostile input, by descriptor: git never opens a path that an agent could have put something else in place of.
"""

import os
import re
import shutil
import stat
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from pco.ground import durable, leavings, text
from pco.ground.errors import BadConfig, BadData, PcoError, SystemFault, TryLater
from pco.ground.ticket import KEY, Commit
from pco.outside import gitlocks, process

QUICK = timedelta(seconds=60)  # for what needs neither network nor another repository
EXPORT = timedelta(minutes=10)  # to write a whole repository
MOST_BUNDLE = 1 << 30
_MOST_HEADER = 1 << 20
_CONFIG = Path(__file__).with_name("git.conf")
# A mirror is for the group to read.  Not core.sharedRepository: git would set the setgid bit, which a sandbox refuses.
_GROUP = 0o027
_OID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
# What a person may set for the program and git needs to reach an upstream.
_KEPT = ("PATH", "HOME", "SSH_AUTH_SOCK", "GIT_SSH_COMMAND", "GIT_SSL_CAINFO", "SSL_CERT_FILE", "SSL_CERT_DIR")
_PROXIES = ("http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY")
_BUNDLE = b"# v2 git bundle"
_COLORS = (("+++", "1"), ("---", "1"), ("diff ", "1"), ("@@", "36"), ("+", "32"), ("-", "31"))


# Said once more on the command line: a repository's own configuration goes before the global one.
SAFE = ("core.hooksPath=/dev/null", "core.fsmonitor=false", "submodule.recurse=false")


def branch_of(key: str) -> str:
    """The branch that a ticket's sessions work on.  Raises BadData for what is no key."""
    if not KEY.fullmatch(key):
        raise BadData(f"{key[:40]!r} is no ticket key")
    return f"pco/{key}"


class Mirror:
    """The bare mirror of `repository` in `folder`; beside upstream's branches it keeps pco/KEY of each ticket."""

    def __init__(self, folder: Path, repository: str) -> None:
        self.folder = folder
        self.repository = repository

    def make(self) -> None:
        """Make the mirror, empty, if there is none.  Raises TryLater, SystemFault.

        A new one gets its name once it is on the disk: of what git writes then not all is flushed, and a half would
        be no repository, and no room for one.
        """
        whole = self.folder.is_dir()
        made = self.folder if whole else self.folder.with_name(f".{self.folder.name}.new")
        init = ["init", "--quiet", "--bare", "--template="]
        try:
            if not whole and made.is_dir():
                shutil.rmtree(made)
            done(Mirror(made, self.repository).git(init, QUICK), f"cannot make the mirror {self.folder}")
            if not whole:
                os.sync()
                made.rename(self.folder)
                durable.sync_folder(self.folder.parent)
        except OSError as error:
            raise SystemFault(f"{error.filename or made}: {error.strerror}") from error

    def refresh(self, timeout: timedelta) -> None:
        """Make the mirror if there is none, and fetch all branches; what is gone upstream goes here too.

        Raises TryLater if upstream does not answer, BadConfig if it can never be mirrored, BadData if git refuses what
        is in it.
        """
        self.make()
        if gitlocks.silent(self.folder):
            gitlocks.cleared(self.folder)
        # `pco` too: as a branch it would stand in the way of the folder pco/.
        refs = ["+refs/heads/*:refs/heads/*", "^refs/heads/pco/*", "^refs/heads/pco"]
        fetch = ["fetch", "--quiet", "--prune", "--no-write-fetch-head", "--no-recurse-submodules", "--"]
        result = self.git([*fetch, self.repository, *refs], timeout)
        if "shallow" in result.error:
            raise BadConfig(f"{shown(self.repository)} is a shallow clone", "name a complete repository")
        if re.search(r"transport '.*' not allowed|strange (hostname|pathname)", result.error):
            raise BadConfig(f"{shown(self.repository)}: git refuses this address: {cause(result.error)}")
        kind = BadData if "fsck error" in result.error else TryLater
        done(result, f"cannot fetch {shown(self.repository)}", kind)

    def tip(self, branch: str) -> str | None:
        """The commit that a branch points to; None if there is no such branch, or no mirror yet."""
        if not self.folder.is_dir():
            return None
        verify = ["rev-parse", "--quiet", "--verify", "--end-of-options", f"refs/heads/{branch}^{{commit}}"]
        return self._line(verify)

    def start_point(self, branch: str) -> str:
        """The commit of upstream's `branch`.  Raises BadConfig if upstream has no such branch, or no commit at all."""
        tip = self.tip(branch)
        if tip is not None:
            return tip
        some = self._line(["for-each-ref", "--count=1", "--format=%(objectname)", "refs/heads/"])
        why = f"has no branch {branch}" if some else "has no commits yet"
        raise BadConfig(f"{shown(self.repository)} {why}", "see plane.projects: repository, branch")

    def export(self, to: Path, base: str, branch: str) -> None:
        """Write `base`, and `branch` if it is there, into a bundle that others may read: all that a session needs.

        Raises TryLater, SystemFault.
        """
        wanted = [f"refs/heads/{name}" for name in (base, branch) if self.tip(name) is not None]
        create = ["bundle", "create", "--quiet", "--version=2", str(to), *wanted]
        done(self.git(create, EXPORT), "cannot bundle the repository")
        try:
            to.chmod(0o644)
        except OSError as error:
            raise SystemFault(f"{to}: {error.strerror}") from error

    def take_bundle(self, bundle: Path | str, key: str, timeout: timedelta, folder: int | None = None) -> str:
        """Import pco/KEY, and only that, from a bundle (relative to the descriptor `folder`); returns its commit.

        Raises BadData if the bundle is damaged, hostile, too large or not what the branch needs, SystemFault.
        """
        ref = f"refs/heads/{branch_of(key)}"
        with _opened(bundle, folder) as handle:
            tip = _read_header(handle, ref)
            # index-pack itself, for `git fetch BUNDLE` checks no objects (before 2.46), and would open a path.
            unpack = ["index-pack", "--stdin", "--fix-thin", "--strict", f"--max-input-size={MOST_BUNDLE}"]
            done(self.git(unpack, timeout, stdin=handle), "the bundle is refused", BadData)
        connected = ["rev-list", "--objects", "--quiet", tip, "--not", "--all"]
        done(self.git(connected, timeout), "the bundle lacks objects", BadData)
        done(self.git(["update-ref", ref, tip], QUICK), f"cannot set {ref}", BadData)
        self._flush(ref)
        return tip

    def _flush(self, ref: str) -> None:
        """The names that were just given: git flushes what is in files, and not the folders.  Raises SystemFault."""
        try:
            for folder in ("objects/pack", "refs/heads", os.path.dirname(ref)):
                durable.sync_folder(self.folder / folder)
        except OSError as error:
            raise SystemFault(f"{self.folder}: {error.strerror}") from error

    def log(self, base: str, tip: str, limit: int = 100) -> tuple[Commit, ...]:
        """The commits of `base..tip`, oldest first, at most the newest `limit`; clean text."""
        shape = ["log", f"--max-count={limit}", "--format=%H%x00%an%x00%s", "--encoding=UTF-8", "--no-color"]
        result = self.git([*shape, "--end-of-options", f"{base}..{tip}", "--"], QUICK)
        done(result, "cannot list the commits", BadData)
        rows = [row.split("\0", 2) for row in result.out.decode("utf-8", "replace").split("\n") if row.count("\0") >= 2]
        return tuple(Commit(id, text.line(subject, 200), text.line(by, 60)) for id, by, subject in reversed(rows))

    def diffstat(self, base: str, tip: str) -> str:
        """Which files changed, and how much; clean text."""
        return self._diff(["--stat=100,60", "--stat-count=100"], base, tip, 20_000)

    def diff(self, base: str, tip: str, color: bool = False, limit: int = 1_000_000) -> str:
        """What changed, as clean text of at most about `limit` characters; `color` is added after the cleaning."""
        plain = self._diff(["--patch"], base, tip, limit)
        return "\n".join(_colored(line) for line in plain.split("\n")) if color else plain

    def forget(self, branch: str, timeout: timedelta) -> bool:
        """Remove a branch, and objects that only it had; those that are younger than an hour stay for the next time.

        Such ones may belong to work that is just being taken in.  Says whether there was one.  Raises PcoError; then
        the mirror still `holds` it, if only its objects.
        """
        if not self.holds(branch):
            return False
        try:
            durable.replace(self._unforgotten(branch), b"", 0o640)
            done(self.git(["update-ref", "-d", f"refs/heads/{branch}"], QUICK), f"cannot remove {branch}", BadData)
            done(self.git(["gc", "--quiet", "--prune=1.hour.ago"], timeout), "what only it had is not removed yet")
            self._unforgotten(branch).unlink()
        except OSError as error:
            raise SystemFault(f"{error.filename or self.folder}: {error.strerror}") from error
        return True

    def holds(self, branch: str) -> bool:
        """Whether a branch is there, or was removed and what only it had may still be."""
        asked = ["rev-parse", "--quiet", "--verify", "--end-of-options", f"refs/heads/{branch}"]
        return self._unforgotten(branch).exists() or (self.folder.is_dir() and self._line(asked) is not None)

    def _unforgotten(self, branch: str) -> Path:
        """A file that says that a branch is being forgotten; git takes no notice of it."""
        return self.folder / f"pco-forgets-{branch.replace('/', '-')}"

    def merge_base(self, one: str, other: str) -> str | None:
        """The commit where two histories parted; None if they have nothing in common."""
        return self._line(["merge-base", "--end-of-options", one, other])

    def has(self, commit: str) -> bool:
        """Whether a commit is there."""
        return self._line(["rev-parse", "--quiet", "--verify", "--end-of-options", f"{commit}^{{commit}}"]) is not None

    def contains(self, tip: str, commit: str) -> bool:
        """Whether `commit` is there, and is a part of the history of `tip`."""
        asked = ["merge-base", "--is-ancestor", "--end-of-options", commit, tip]
        return self.has(commit) and self.git(asked, QUICK).code == 0

    def _diff(self, how: list[str], base: str, tip: str, limit: int) -> str:
        safe = ["diff", *how, "--no-color", "--no-ext-diff", "--no-textconv", "--ignore-submodules=none"]
        result = self.git([*safe, "--end-of-options", base, tip, "--"], QUICK, most=limit)
        done(result, "cannot show the changes", BadData)
        changes = text.lines(result.out.decode("utf-8", "replace"), limit)
        return f"{changes}\n[cut here: the whole is longer]\n" if result.cut else changes

    def _line(self, args: list[str]) -> str | None:
        """The object id that a command prints; None if it prints none."""
        result = self.git(args, QUICK)
        found = result.out.decode("ascii", "replace").strip()
        return found if result.code == 0 and _OID.fullmatch(found) else None

    def git(
        self, args: list[str], timeout: timedelta, most: int = 16 << 20, stdin: int = subprocess.DEVNULL
    ) -> process.Result:
        """Run git in it; says how that ended.  Raises TryLater."""
        # --git-dir: nothing is looked for in the folders above.
        # core.fsync: refs, too, not only packs, survive a power cut.
        words = [f"--git-dir={self.folder}", "-c", "core.fsync=all", *args]
        begins = os.lseek(stdin, 0, os.SEEK_CUR) if stdin >= 0 else 0
        for last in (False, True):
            if last and stdin >= 0:  # else git found nothing more to read, and would be content
                os.lseek(stdin, begins, os.SEEK_SET)
            with gitlocks.at_work(self.folder) as held:
                result = run(words, timeout, most, stdin, umask=_GROUP, inherited=held)
            if last or not (gitlocks.refused(result.error) and gitlocks.cleared(self.folder)):
                break
        return result


def run(
    args: list[str],
    timeout: timedelta,
    most: int = 16 << 20,
    stdin: int = subprocess.DEVNULL,
    cwd: Path | None = None,
    umask: int = -1,
    inherited: tuple[int, ...] = (),
) -> process.Result:
    """Run git so that nothing of a person's, and nothing of a repository's own, has a program run; say how it ended."""
    safe = [word for setting in SAFE for word in ("-c", setting)]
    return process.run(["git", "--no-pager", *safe, *args], environment(), timeout, most, stdin, cwd, umask, inherited)


def environment(given: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What git runs with: nothing of a person's configuration, no question, no address that runs a program."""
    kept = {name: given[name] for name in (*_KEPT, *_PROXIES) if name in given}
    return {
        "GIT_SSH_COMMAND": "ssh -oBatchMode=yes -oConnectTimeout=20 -oControlPath=none",
        "PATH": os.defpath,
        **kept,
        "GIT_CONFIG_GLOBAL": str(_CONFIG),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "true",
        "GIT_ALLOW_PROTOCOL": "file:git:http:https:ssh",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "LC_ALL": "C",
    }


def done(result: process.Result, failed: str, kind: type[PcoError] = TryLater) -> None:
    """Raises `kind`, with what git said, if it did not end well; SystemFault if it was killed, which says nothing."""
    if result.code < 0:
        raise SystemFault(f"{failed}: git was killed by signal {-result.code}")
    if result.code != 0:
        raise kind(f"{failed}: {cause(result.error)}")


def cause(error: str) -> str:
    """What git said, as one clean line without the password that an address may carry."""
    said = [line.strip() for line in error.splitlines() if line.strip()]
    main = [line for line in said if line.startswith(("fatal:", "error:"))]
    return shown((main or said or ["git said nothing"])[0])


def shown(words: str) -> str:
    """One clean line, without the password that an address in it may carry."""
    return text.line(re.sub(r"//[^/@\s]*@", "//", words), 300)


def _colored(line: str) -> str:
    code = next((code for start, code in _COLORS if line.startswith(start)), "")
    return f"\x1b[{code}m{line}\x1b[0m" if code else line


@contextmanager
def _opened(bundle: Path | str, folder: int | None) -> Iterator[int]:
    """A descriptor of the bundle.

    Raises BadData for a link, a FIFO, a folder, or more than MOST_BUNDLE bytes, SystemFault where the machine fails.
    """
    try:
        handle = os.open(bundle, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except OSError as error:
        kind = SystemFault if error.errno in leavings.MACHINE else BadData
        raise kind(f"the bundle cannot be opened: {error.strerror}") from error
    try:
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode) or facts.st_size > MOST_BUNDLE:
            raise BadData(f"the bundle is no regular file of at most {MOST_BUNDLE} bytes")
        yield handle
    finally:
        os.close(handle)


def _read_header(handle: int, ref: str) -> str:
    """The commit that the bundle has for `ref`; leaves the descriptor where the pack begins."""
    try:
        head = os.pread(handle, _MOST_HEADER, 0)
    except OSError as error:
        raise SystemFault(f"the bundle cannot be read: {error.strerror}") from error
    lines, end, _ = head.partition(b"\n\n")
    first, *rest = lines.split(b"\n")
    if first != _BUNDLE or not end:
        raise BadData("this is no bundle")
    # Further refs are passed over, and what they need ("-OID" lines) is judged by whether all objects are there.
    named = [row.split(b" ", 1) for row in rest if not row.startswith(b"-")]
    found = [row[0].decode("ascii", "replace") for row in named if len(row) == 2 and row[1] == ref.encode()]
    if len(found) != 1 or not _OID.fullmatch(found[0]):
        raise BadData(f"the bundle does not hold {ref}")
    os.lseek(handle, len(lines) + 2, os.SEEK_SET)
    return found[0]
