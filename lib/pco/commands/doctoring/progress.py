"""A line of progress: rewritten in place on a terminal, elsewhere a line whenever it has something new to say."""

import sys

import click

from pco.commands.queue.terminal import width
from pco.ground import text


class Progress:
    """Where it is shown: on standard error, so that results can be piped."""

    def __init__(self, quiet: bool = False) -> None:
        self._tty = sys.stderr.isatty()
        self._quiet = quiet
        self._shown = ""

    def show(self, words: str, kept: str = "") -> None:
        """Show where things stand; off a terminal only if `kept` (else the words themselves) is new."""
        if self._quiet:
            return
        if self._tty:
            click.echo(f"\r\x1b[K{text.line(words, max(width() - 1, 20))}", err=True, nl=False)
        elif (kept or words) != self._shown:
            click.echo(text.line(words), err=True)
        self._shown = kept or words

    def say(self, words: str) -> None:
        """A line that stays."""
        self.clear()
        if not self._quiet:
            click.echo(text.line(words), err=True)

    def clear(self) -> None:
        """Take the line away."""
        if self._tty and self._shown and not self._quiet:
            click.echo("\r\x1b[K", err=True, nl=False)
        self._shown = ""
