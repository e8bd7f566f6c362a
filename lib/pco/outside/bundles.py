"""The branches of tickets in a mirror, as a bundle with all of their history, and back from one.

A bundle that needs nothing else can be read on an empty machine, whatever became of the upstream repository.
"""

import os
import re
from datetime import timedelta
from pathlib import Path
from typing import IO

from pco.ground.errors import BadData
from pco.ground.ticket import KEY
from pco.outside.git import EXPORT, QUICK, Mirror, done
from pco.outside.process import Result

PREFIX = "refs/heads/pco/"
MOST = 1 << 40  # a whole repository may well be large
_MOST_HEADER = 16 << 20
_ROW = re.compile(r"([0-9a-f]{40}|[0-9a-f]{64}) refs/heads/pco/([A-Z0-9_-]{1,30})")


def branches(mirror: Mirror) -> dict[str, str]:
    """The tickets that have a branch in a mirror, and its commit.  Raises BadData."""
    listing = mirror.git(["for-each-ref", "--format=%(objectname) %(refname)", PREFIX], QUICK)
    done(listing, f"cannot list the branches of {mirror.folder}", BadData)
    return _rows(listing.out.decode("ascii", "replace").splitlines())


def write(mirror: Mirror, to: Path, timeout: timedelta = EXPORT) -> None:
    """Write all branches of tickets into the new file `to`; there must be some.  Raises BadData, TryLater."""
    create = ["bundle", "create", "--quiet", "--version=2", str(to), "--branches=pco/*"]
    done(mirror.git(create, timeout), f"cannot bundle the branches of {mirror.folder}", BadData)


def verify(mirror: Mirror, bundle: Path) -> None:
    """Have git look whether a bundle is one, and needs nothing that is not there.  Raises BadData."""
    done(mirror.git(["bundle", "verify", "--quiet", str(bundle)], EXPORT), f"{bundle.name} is refused by git", BadData)


def heads(file: IO[bytes]) -> dict[str, str]:
    """The tickets and commits that a bundle says it has; leaves the file where the pack begins.  Raises BadData."""
    file.seek(0)
    lines, end, _ = file.read(_MOST_HEADER).partition(b"\n\n")
    first, *rows = lines.decode("ascii", "replace").split("\n")
    if first != "# v2 git bundle" or not end:
        raise BadData("this is no bundle")
    if any(row.startswith("-") for row in rows):
        raise BadData("the bundle needs commits that are not in it")
    os.lseek(file.fileno(), len(lines) + 2, os.SEEK_SET)
    return _rows(rows)


def take(mirror: Mirror, bundle: IO[bytes], timeout: timedelta = EXPORT) -> dict[str, str]:
    """Bring all branches of a bundle into a mirror, which is made if there is none; returns them.

    Raises BadData if it is damaged, TryLater.
    """
    mirror.make()
    found = heads(bundle)
    unpack = ["index-pack", "--stdin", "--strict", f"--max-input-size={MOST}"]
    done(mirror.git(unpack, timeout, stdin=bundle.fileno()), "the bundle is refused", BadData)
    connected = ["rev-list", "--objects", "--quiet", "--stdin"]
    tips = "".join(f"{tip}\n" for tip in sorted(set(found.values())))
    done(_telling(mirror, connected, tips, timeout), "the bundle lacks objects", BadData)
    rows = "".join(f"update {PREFIX}{key} {tip}\n" for key, tip in found.items())
    done(_telling(mirror, ["update-ref", "--stdin"], rows, QUICK), "cannot set the branches of tickets", BadData)
    return found


def _telling(mirror: Mirror, args: list[str], words: str, timeout: timedelta) -> Result:
    """Run git with these words to read."""
    with open(os.memfd_create("pco-git", os.MFD_CLOEXEC), "w+b") as file:
        file.write(words.encode())
        file.seek(0)
        return mirror.git(args, timeout, stdin=file.fileno())


def _rows(rows: list[str]) -> dict[str, str]:
    found = {match[2]: match[1] for row in rows if (match := _ROW.fullmatch(row))}
    return {key: tip for key, tip in found.items() if KEY.fullmatch(key)}
