"""Programs of pco without the start of an interpreter: a fork of this process, which has loaded all of it.

What runs is what `bin/` runs, in a process of its own.
"""

import os
import pkgutil
import sys
import tempfile
from dataclasses import dataclass
from importlib import import_module
from multiprocessing import get_context
from multiprocessing.context import BaseContext
from pathlib import Path

from faults.running import ended
from support import TOP


@dataclass(frozen=True)
class Ended:
    """How a run ended."""

    code: int
    out: str
    err: str


def context() -> BaseContext:
    """Where processes come from that may call `run`: of one without threads, that has loaded all."""
    # The server looks for modules where a new interpreter does.
    os.environ["PYTHONPATH"] = os.pathsep.join(sys.path)
    made = get_context("forkserver")
    made.set_forkserver_preload(["faults.loaded"])
    return made


def load() -> None:
    """Import what programs import, and what they import late."""
    import pco

    for module in pkgutil.walk_packages(pco.__path__, "pco."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    for name in ("requests", "filelock", "tabulate", "yaml", "sdnotify", "zoneinfo"):
        import_module(name)


def run(words: tuple[str, ...], environ: dict[str, str], folder: Path) -> Ended:
    """Run a program to its end."""
    with tempfile.TemporaryFile(dir=folder) as out, tempfile.TemporaryFile(dir=folder) as err:
        child = os.fork()
        if not child:
            _become(words, environ, out.fileno(), err.fileno())
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        said = []
        for file in (out, err):
            file.seek(0)
            said.append(file.read().decode("utf-8", "replace"))
    return Ended(code, *said)


def _become(words: tuple[str, ...], environ: dict[str, str], out: int, err: int) -> None:
    """In the child: be the program.  Does not return."""
    code = 70
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(out, 1)
        os.dup2(err, 2)
        sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")  # noqa: SIM115
        os.environ.clear()
        os.environ.update(environ)
        sys.argv = [str(TOP / "bin" / words[0]), *words[1:]]
        code = ended(words[0])
    finally:
        os._exit(code)
