"""Programs that are run within the test's own process: where hundreds of runs are short, and only starting one is long."""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from unittest import mock

from pco import command


@dataclass(frozen=True)
class Said:
    """How a program ended, and what it said."""

    code: int
    out: str
    err: str


def run(config: Path, program: str, *words: str) -> Said:
    """Run `program` (config for pco-config) to its end, as bin/ does.  A bug is raised: it has no traceback to find."""
    with _streams(b"") as (out, err), _called(f"pco-{program}", *words), mock.patch.dict(os.environ, _only(config)):
        code = 0
        try:
            command.run(import_module(f"pco.commands.{program}").main)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    return Said(code, _text(out), _text(err))


def hook(key: str, home: Path, given: bytes, *more: str) -> Said:
    """Run pco-hook on what Claude Code says."""
    from pco.commands import hook

    with _streams(given) as (out, err), _called("pco-hook", key, str(home), *more):
        code = hook.main()
    return Said(code, _text(out), _text(err))


def _only(config: Path) -> dict[str, str]:
    return {"PCO_CONFIG": str(config), "COLUMNS": "120"}


@contextmanager
def _called(*words: str) -> Iterator[None]:
    before, sys.argv = sys.argv, [*words]
    try:
        yield
    finally:
        sys.argv = before


@contextmanager
def _streams(given: bytes) -> Iterator[tuple[io.TextIOWrapper, io.TextIOWrapper]]:
    """Standard input, output and error as a pipe has them: bytes below, UTF-8 above."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    before, sys.stdin = sys.stdin, io.TextIOWrapper(io.BytesIO(given), encoding="utf-8")
    try:
        with redirect_stdout(out), redirect_stderr(err):
            yield out, err
    finally:
        sys.stdin = before


def _text(stream: io.TextIOWrapper) -> str:
    assert isinstance(stream.buffer, io.BytesIO)
    return stream.buffer.getvalue().decode("utf-8")
