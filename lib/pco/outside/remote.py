"""Where branches are pushed to: what a branch is at there, and putting a commit in its place.

The credential is a file: a private key of ssh, or lines `https://USER:TOKEN@HOST` as git-credential-store(1) has them.
ssh is given its path; to git a helper of its own says user and token, each only to the host that stands in the line.
So neither is ever in an argument, in the environment, in an address or in what is logged.
"""

import re
import shlex
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pco.ground import durable
from pco.ground.errors import BadConfig, BadData, NotPermitted, PcoError, TryLater
from pco.outside import git, process

MOST_BYTES = 1 << 16  # of a credential
_OID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SSH = "ssh -oBatchMode=yes -oConnectTimeout=20 -oControlPath=none -oForwardAgent=no -oPermitLocalCommand=no"
# What the credential, or the lack of one, is to blame for.
_FORBIDDEN = re.compile(
    r"Permission denied \(|Authentication failed|could not read (Username|Password)|URL returned error: 40[13]"
    r"|Host key verification failed|invalid format|access denied|Permission to .* denied",
    re.IGNORECASE,
)
# Refusals of a remote that pass by themselves.
_PASSING = re.compile(r"lock|time.?out|internal|unpack|unavailable|try again", re.IGNORECASE)


class Remote:
    """The repository at `url`.

    `credential` is the file with the credential, if there is one; `helper` the program that git asks for it.
    """

    def __init__(self, mirror: Path, url: str, credential: Path | None, helper: Sequence[str]) -> None:
        self._mirror = mirror
        self._url = url
        self._credential = credential if credential and _content(credential).strip() else None
        self._helper = helper

    def tip(self, branch: str, timeout: timedelta) -> str | None:
        """The commit that a branch is at there; None if there is none.  Raises TryLater, NotPermitted, BadConfig."""
        ref = f"refs/heads/{branch}"
        result = self._git(["ls-remote", "--quiet", "--refs", "--", self._url, ref], timeout)
        if result.code != 0:
            raise self._trouble(result)
        rows = [row.split("\t") for row in result.out.decode("utf-8", "replace").splitlines()]
        found = [row[0] for row in rows if row[1:] == [ref]]
        return found[0] if found and _OID.fullmatch(found[0]) else None

    def push(self, commit: str, branch: str, at: str | None, timeout: timedelta) -> None:
        """Put `commit` there as `branch`, which must be at the commit `at`, or not be there (None).

        Raises BadData if it is refused for good, TryLater, NotPermitted, BadConfig.
        """
        ref = f"refs/heads/{branch}"
        plain = ["--porcelain", "--quiet", "--no-verify", "--no-follow-tags", "--no-signed", "--recurse-submodules=no"]
        lease = f"--force-with-lease={ref}:{at or ''}"
        result = self._git(["push", *plain, lease, "--", self._url, f"{commit}:{ref}"], timeout)
        said = [row for row in result.out.decode("utf-8", "replace").splitlines() if row.startswith("!\t")]
        if said:
            raise self._refused(said[0], result.error)
        if result.code != 0:
            raise self._trouble(result)

    def _refused(self, said: str, error: str) -> PcoError:
        """What the line `!\\tFROM:TO\\t[remote rejected] (WHY)` means."""
        why = said.rpartition("\t")[2]
        if "stale info" in why:
            return TryLater("somebody pushed to it in this moment")
        if _FORBIDDEN.search(error):
            return self._forbidden(error)
        told = next((row for row in error.splitlines() if row.startswith("remote:") and row[7:].strip()), "")
        shown = git.shown(f"{why}{'; ' if told else ''}{told}")
        return TryLater(shown) if _PASSING.search(why) else BadData(shown)

    def _trouble(self, result: process.Result) -> PcoError:
        if re.search(r"transport '.*' not allowed|strange (hostname|pathname)", result.error):
            return BadConfig(f"git refuses the address {git.shown(self._url)}: {git.cause(result.error)}")
        if _FORBIDDEN.search(result.error):
            return self._forbidden(result.error)
        return TryLater(git.cause(result.error))

    def _forbidden(self, error: str) -> PcoError:
        line = next(row for row in error.splitlines() if _FORBIDDEN.search(row))
        have = "the credential git-push" if self._credential else "there is no credential git-push"
        return NotPermitted(git.shown(line), f"{have}: see pco-push(1)")

    def _git(self, args: list[str], timeout: timedelta) -> process.Result:
        # The empty helper makes git forget those that any configuration names.
        options = ["credential.helper=", "push.gpgSign=false", "push.pushOption=", "http.followRedirects=initial"]
        environment = git.environment()
        if self._credential and _is_key(self._credential):
            key = f"-oIdentitiesOnly=yes -oIdentityAgent=none -i {shlex.quote(str(self._credential))}"
            environment["GIT_SSH_COMMAND"] = f"{_SSH} {key}"
        elif self._credential:
            options.append(f"credential.helper=!{shlex.join(self._helper)}")
            environment["CREDENTIALS_DIRECTORY"] = str(self._credential.parent)
        safe = [word for option in (*git.SAFE, *options) for word in ("-c", option)]
        argv = ["git", "--no-pager", *safe, f"--git-dir={self._mirror}", *args]
        return process.run(argv, environment, timeout, 1 << 20)


def answer(credential: Path, question: str) -> str:
    """What the helper says to git (gitcredentials(7)): user and token for the host that git names; else nothing."""
    asked = dict(row.split("=", 1) for row in question.splitlines() if "=" in row)
    for line in _content(credential).splitlines():
        parts = urlsplit(line.strip())
        user, token = unquote(parts.username or ""), unquote(parts.password or "")
        same = (parts.scheme, parts.netloc.rpartition("@")[2]) == (asked.get("protocol"), asked.get("host"))
        if same and token and asked.get("username", user) == user and f"{user}{token}".isprintable():
            return f"username={user}\npassword={token}\n"
    return ""


def _is_key(credential: Path) -> bool:
    return _content(credential).lstrip().startswith("-----BEGIN ")


def _content(credential: Path) -> str:
    """Raises BadConfig, which does not repeat it."""
    try:
        return durable.read(credential, MOST_BYTES).decode("utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, BadData, UnicodeDecodeError):
        raise BadConfig(f"{credential} cannot be read, or is no credential") from None
