"""A copy of pco with a bug in it: by which a harness proves itself."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from support import TOP

Change = tuple[str, str, str]  # a file below lib/pco, what stands in it once, and what is to stand there instead


def seeded(folder: Path, *changes: Change) -> Path:
    """The copy's lib.  Raises AssertionError where pco has changed, so that the bug would not get in."""
    lib = folder / "lib"
    shutil.copytree(TOP / "lib", lib, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "share").symlink_to(TOP / "share")
    for file, old, new in changes:
        path = lib / "pco" / file
        said = path.read_text()
        assert said.count(old) == 1, f"{file} has changed: where is {old!r}?"
        path.write_text(said.replace(old, new))
    return lib


def tried(harness: Path, *words: str, lib: Path = TOP / "lib") -> "subprocess.CompletedProcess[str]":
    """Have a harness try pco, or such a copy; how it ended, and what it printed."""
    environ = {**os.environ, "PCO_FAULTS_LIB": str(lib)}
    command = [sys.executable, str(harness), *words]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
