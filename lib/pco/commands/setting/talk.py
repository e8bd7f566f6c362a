"""How pco-setup speaks with a person: one line for each thing checked, lists to choose from, questions.

All of it goes to standard error, so that what is to be written can be redirected.
"""

import sys
from collections.abc import Callable, Sequence
from typing import TypeVar

import click

from pco.ground import text
from pco.ground.errors import PcoError
from pco.rules import answers
from pco.run import Pco

T = TypeVar("T")


class Talk:
    """The conversation; where nobody `asks`, a question is a usage error."""

    def __init__(self, pco: Pco, asks: bool) -> None:
        self._pco = pco
        self.asks = asks

    # What was checked.

    def ok(self, what: str) -> None:
        """It is as it should be."""
        if self._pco.loudness >= 0:
            self._line("ok", "green", what)

    def note(self, what: str, hint: str = "") -> None:
        """Worth knowing, and nothing wrong."""
        if self._pco.loudness >= 0:
            self._line("note", "cyan", what, hint)

    def warn(self, what: str, hint: str = "") -> None:
        """It will not work as it is, and what to do; pco-setup goes on."""
        self._line("warning", "yellow", what, hint)

    def fail(self, error: PcoError) -> None:
        """It is wrong, and will be asked for again."""
        self._line("wrong", "red", str(error), error.hint)

    def _line(self, word: str, colour: str, what: str, hint: str = "") -> None:
        click.echo(f"{click.style(f'{word:<8}', fg=colour)} {text.line(what, 1000)}", err=True, color=self._pco.color)
        if hint:
            click.echo(f"{'':<8} ({text.line(hint, 1000)})", err=True)

    # Questions.

    def ask(self, question: str, default: str, check: Callable[[str], T]) -> T:
        """An answer that `check` takes; it raises ValueError to have the question asked again."""
        shown = f" [{text.line(default, 200)}]" if default else ""
        while True:
            said = str(click.prompt(f"{text.line(question)}{shown}", default=default, show_default=False, err=True))
            try:
                return check(said.strip())
            except ValueError as error:
                self._line("wrong", "red", str(error))

    def secret(self, question: str) -> str:
        """An answer that does not show; it may be empty."""
        return str(click.prompt(question, default="", show_default=False, hide_input=True, err=True)).strip()

    def confirm(self, question: str, default: bool = True) -> bool:
        """Yes or no."""
        return click.confirm(text.line(question), default=default, err=True)

    def choose(
        self, title: str, rows: Sequence[Sequence[str]], default: str, *, empty: bool = False, one: bool = False
    ) -> list[int]:
        """Show a numbered list (of each row two columns; all count as names) and have some of it chosen.

        `empty`: also none of it; `one`: just one.
        """

        def check(said: str) -> list[int]:
            chosen = [] if said == answers.NOTHING and empty else answers.picked(said, rows)
            if not chosen and not empty:
                raise ValueError("choose one" if one else "choose at least one")
            if one and len(chosen) > 1:
                raise ValueError("choose only one")
            return chosen

        click.echo(f"\n{text.line(title)}:", err=True)
        wide = max((text.columns(text.line(row[0], 40)) for row in rows), default=0)
        for number, row in enumerate(rows, 1):
            first = text.line(row[0], 40)
            rest = "  ".join(text.line(each, 60) for each in row[1:2])
            padding = " " * (wide - text.columns(first))
            click.echo(f"{number:>4}  {first}{padding}  {rest}".rstrip(), err=True)
        how = "Which one? (number or name)" if one else "Which? (numbers or names, with commas)"
        return self.ask(f"{how[:-1]}; {answers.NOTHING} for none)" if empty else how, default, check)


def interactive() -> bool:
    """Whether there is a person to ask."""
    return sys.stdin.isatty()
