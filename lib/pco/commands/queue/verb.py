"""The arguments and options that several verbs of pco-queue share."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from pco.command import verb as verb

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

FORMATS = ("table", "json", "jsonl", "tsv", "keys")
Function = Callable[..., Any]


class Keys(click.Argument):
    """Keys of tickets; `states` are those in which completion offers them."""

    def __init__(self, *args: Any, states: tuple[str, ...] = (), **more: Any) -> None:
        super().__init__(*args, **more)
        self.states = states

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem[Any]]":
        """The keys that fit, with their titles."""
        from pco.commands.queue import suggest

        return suggest.keys(ctx, self.states, incomplete)


def keys(*states: str, also: str = "") -> Callable[[Function], Function]:
    """The argument KEY..., where `-` stands for keys on standard input; `also` says what else may stand there."""
    return click.argument("keys", metavar=f"[KEY|-]...{also}", nargs=-1, cls=Keys, states=states)


def key(*states: str) -> Callable[[Function], Function]:
    """The argument KEY."""
    return click.argument("key", metavar="KEY", cls=Keys, states=states)


def filters(states: tuple[str, ...]) -> Callable[[Function], Function]:
    """The options that narrow down `--all` and `list`; `states` are the names that --state takes."""
    choice = click.Choice([str(state) for state in states])
    said = f"Only these, repeatable: {', '.join(states)}."

    def add(function: Function) -> Function:
        for option in (
            click.option("--mine", is_flag=True, help="Only tickets that you approved, decided or noted."),
            click.option("--priority", "priorities", multiple=True, type=click.Choice(PRIORITIES), help="Repeatable."),
            click.option("--label", "labels", metavar="LABEL", multiple=True, help="With any of these labels."),
            click.option("--state", "states", metavar="STATE", multiple=True, type=choice, help=said),
            click.option(
                "--project", metavar="KEY|UUID", default="", shell_complete=_projects, help="Only of this project."
            ),
        ):
            function = option(function)
        return function

    return add


def formats(function: Function) -> Function:
    """The option --format."""
    choice = click.Choice(FORMATS)
    return click.option("--format", "form", type=choice, default="table", help="Default: table.")(function)


def note(function: Function) -> Function:
    """The option --note."""
    return click.option("--note", metavar="TEXT", default="", help="Why; kept with the ticket.")(function)


def yes(function: Function) -> Function:
    """The option --yes."""
    return click.option("-y", "--yes", is_flag=True, help="Do not ask.")(function)


def _projects(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    from pco.commands.queue import suggest

    return suggest.projects(ctx, param, incomplete)


PRIORITIES = ("urgent", "high", "medium", "low", "none")
