"""See what waits for a person, and decide it: approve, accept, send back, stop, mend.

Bare, it is the approver's inbox.  Each verb is loaded when it is called, so that help and completion are quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from pco.command import CONTEXT, Program, configure, options
from pco.ground import text
from pco.run import Pco

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

# Section, then verb, module, help.  A test holds the help against the verb's own docstring.
SECTIONS: tuple[tuple[str, tuple[tuple[str, str, str], ...]], ...] = (
    (
        "See",
        (
            ("list", "listing", "List tickets: the open ones, or those of some states."),
            ("show", "showing", "Show all there is about a ticket: what is to be approved, what came of it."),
            ("log", "story", "Tell the way of a ticket: who did what, and when."),
            ("review", "review", "Walk through what waits for a person, one by one."),
        ),
    ),
    (
        "Before the session",
        (
            ("approve", "approval", "Let the agent work on tickets, just as they are now."),
            ("unapprove", "approval", "Take an approval back, as long as no session runs."),
            ("reject", "approval", "Turn tickets away."),
            ("hold", "holding", "Keep tickets from being launched, for a time or until released."),
            ("release", "holding", "End a hold, or give a ticket its budget anew."),
        ),
    ),
    (
        "During the session",
        (
            ("stop", "running", "Ask that running sessions end; their tickets are rejected."),
            ("attach", "running", "Watch a running session, and answer it."),
            ("forward", "forward", "Hand comments that came meanwhile to the running agent."),
            ("pause", "running", "Let no session be started until resume."),
            ("resume", "running", "End the pause."),
        ),
    ),
    (
        "After the session",
        (
            ("diff", "work", "Show what a session changed in the repository."),
            ("fetch", "work", "Fetch a ticket's commits into a repository, as branch pco/KEY."),
            ("push", "pushing", "Have a ticket's branch pushed, though it was refused before, or is not its turn yet."),
            ("post", "results", "Accept a summary: it becomes the comment in Plane."),
            ("recall", "results", "Take an accepted summary back, as long as nothing was sent."),
            ("rework", "rework", "Send a result back to the agent with a remark: a new round."),
            ("retry", "rework", "Give a failed ticket another round, approved as it is now."),
            ("reopen", "rework", "Begin another round of a posted or rejected ticket."),
        ),
    ),
    (
        "Make and mend",
        (
            ("add", "making", "Import an item of Plane, or make a local test ticket."),
            ("edit", "making", "Change title and text of a local ticket."),
            ("repair", "mending", "Put a mended ticket back where it was before it was set aside."),
            ("drop", "mending", "Remove a corrupt or rejected ticket and all its files for good."),
        ),
    ),
)
VERBS = {verb: module for _, verbs in SECTIONS for verb, module, _ in verbs}


class Verbs(Program, click.Group):
    """A group whose verbs are imported on demand."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """All verbs, in the order of the help."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import the verb's module; None if there is no such verb."""
        if cmd_name not in VERBS:
            return None
        module = import_module(f"pco.commands.queue.{VERBS[cmd_name]}")
        found: click.Command = getattr(module, "list_" if cmd_name == "list" else cmd_name)
        return found

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Find the verb, or end with the nearest one."""
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            wrong = text.line(args[0], 40)
            ctx.fail(f"there is no verb {wrong}{text.meant(wrong, list(VERBS))}")
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem[Any]]":
        """The verbs that begin so, without importing one; or the options."""
        from click.shell_completion import CompletionItem

        rows = (row for _, verbs in SECTIONS for row in verbs)
        verbs = [CompletionItem(verb, help=help) for verb, _, help in rows if verb.startswith(incomplete)]
        return [*verbs, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """The verbs by section, without importing one."""
        for section, verbs in SECTIONS:
            with formatter.section(section):
                formatter.write_dl([(verb, help) for verb, _, help in verbs])


@click.group("pco-queue", cls=Verbs, invoke_without_command=True, context_settings=CONTEXT)
@options
@click.pass_context
def main(ctx: click.Context, config: str | None, verbose: int, quiet: bool, color: str) -> None:
    """See what waits for a person, and decide it.  Without a verb: the inbox.

    \b
    Examples:
      pco-queue                         what waits, and the next command
      pco-queue show WEB-12             what would be approved
      pco-queue approve WEB-12          let the agent work on it
      pco-queue review                  one by one, like `git add -p`
      pco-queue post WEB-12             accept the summary
      pco-queue list --format json | jq -r '.[].key'
    """
    ctx.obj = Pco("pco-queue")
    configure(ctx.obj, config, verbose, quiet, color)
    if ctx.invoked_subcommand is None:
        from pco.commands.queue.inbox import inbox

        inbox(ctx.obj)
        raise SystemExit(ctx.obj.trouble)
