"""Where the words of a program go: to the journal with fields, or to standard error as lines.

Under systemd standard error is a stream to the journal; JOURNAL_STREAM names it by device and inode (systemd.exec(5)).
Then each message is a native record instead, so that `journalctl PCO_KEY=WEB-12` finds it; if no journal takes it, it
is a line in that stream, with its priority as `<N>`.  Everywhere else it is a line for a person.
"""

import os
import sys
from functools import cached_property
from typing import TYPE_CHECKING, Any

import click

from pco.ground import text

if TYPE_CHECKING:
    from pco.outside.journal import Journal


class Voice:
    """The voice of one program."""

    def __init__(self, program: str) -> None:
        self.program = program
        self.streams = _streams()

    def say(self, priority: int, message: str, fields: dict[str, Any], hint: str = "") -> None:
        """One message, with a hint how to mend what it tells of."""
        if not (self.streams and self.record(priority, message, fields, hint)):
            self.write(priority, message, hint)

    def record(self, priority: int, message: str, fields: dict[str, Any], hint: str = "") -> bool:
        """Write a record into the journal of this machine, whatever standard error is; says whether one took it."""
        words = "\n".join(_lines(message, hint))
        return self._journal.send(words, {"PRIORITY": priority, "SYSLOG_IDENTIFIER": self.program, **fields})

    def write(self, priority: int, message: str, hint: str = "") -> None:
        """Write lines to standard error."""
        first, *more = _lines(message, hint)
        for line in (first if self.streams else f"{self.program}: {first}", *more):
            click.echo(f"<{priority}>{line}" if self.streams else line, err=True)

    @cached_property
    def _journal(self) -> "Journal":
        from pco.outside.journal import Journal

        return Journal()


def _lines(message: str, hint: str) -> list[str]:
    return [text.line(message, 2000), *([f"({text.line(hint, 500)})"] if hint else [])]


def _streams() -> bool:
    """Whether standard error is the unit's stream to the journal; it is not if it was led elsewhere since."""
    named = os.environ.get("JOURNAL_STREAM")
    if not named:
        return False
    try:
        found = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError):
        return False
    return named == f"{found.st_dev}:{found.st_ino}"
