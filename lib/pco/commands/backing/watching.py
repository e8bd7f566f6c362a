"""What who watches at a terminal sees of long work."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from pco.run import Pco

EVERY = 0.1  # seconds


@contextmanager
def bar(pco: Pco, label: str, length: int = 0) -> Iterator[Callable[[int], None]]:
    """A function to be told of progress in bytes: a bar if there are `length` of them, else a count."""
    if not sys.stderr.isatty() or pco.loudness < 0:
        yield lambda _: None
    elif length:
        shown: Any
        with click.progressbar(length=length, label=label, file=sys.stderr) as shown:
            yield shown.update
    else:
        with _counter(label) as step:
            yield step


@contextmanager
def _counter(label: str) -> Iterator[Callable[[int], None]]:
    from pco.commands.backing.making import size

    done, last = 0, 0.0

    def step(number: int) -> None:
        nonlocal done, last
        done += number
        if time.monotonic() - last > EVERY:
            last = time.monotonic()
            click.echo(f"\r{label}: {size(done)}   ", err=True, nl=False)

    try:
        yield step
    finally:
        click.echo(f"\r{label}: {size(done)}   ", err=True)
