"""Say which programs pco has, by task.  Nothing else: each program has its own --help and its own manual page."""

import click

from pco import __version__
from pco.command import CONTEXT, Program
from pco.ground import text

TASKS = (
    (
        "At first, and to change an answer",
        (
            ("pco-setup", "configure pco: Plane, projects and repositories, the agent, who may approve"),
            ("pco-config", "check, show and compare the configuration"),
        ),
    ),
    (
        "Before production, and when something is wrong",
        (("pco-doctor", "verify the 93 boxes of the production checklist; go or no-go"),),
    ),
    (
        "Every day, from the shell",
        (
            ("pco-queue", "what waits for you; approve, review, accept, post, look, stop"),
            ("pco-complete", "hand over a session's summary"),
            ("pco-purge", "remove all that is known of a ticket; find where a text is"),
            ("pco-report", "what happened in some days: sessions, waiting, cost, people"),
            ("pco-audit", "who did what; whether that record is whole"),
        ),
    ),
    (
        "Run by timers and services",
        (
            ("pco-poll", "ask Plane what is new; make and refresh tickets"),
            ("pco-launch", "start sessions for approved tickets"),
            ("pco-watch", "notice what sessions do, and that they ended"),
            ("pco-post", "put comments and states into Plane, exactly once"),
            ("pco-push", "push the branches of finished tickets, if projects want that"),
            ("pco-dashboard", "write the static pages"),
            ("pco-backup", "make a backup of all that pco knows, each night"),
            ("pco-retention", "remove what is older than it shall be kept, each day"),
            ("pco-notify", "tell people of what happens: mail, webhook, ntfy, own programs"),
        ),
    ),
    (
        "When the machine is lost",
        (("pco-restore", "bring a backup back, into an empty pco; list backups, try one"),),
    ),
    (
        "Run by other programs",
        (
            ("pco-session", "one session: clone, agent, record of its end"),
            ("pco-hook", "tell what happens in a Claude Code session, as its hook"),
            ("pco-attach", "put a terminal before a session; pco-queue attach runs it"),
            ("pco-relay", "let people look at a session, beside which it runs"),
            ("pco-collect", "take in what a session left, once its unit has ended"),
            ("pco-alert", "tell that a unit of pco has failed"),
        ),
    ),
)
WAY = "Plane -> pending -> approved -> active -> completed -> outbox -> posted"


@click.command("pco", cls=Program, context_settings=CONTEXT)
@click.version_option(__version__, "-V", "--version", message="%(prog)s %(version)s")
@click.argument("what", nargs=-1, metavar="[help] [PROGRAM]", shell_complete=lambda *given: _names(given[2]))
def main(what: tuple[str, ...]) -> None:
    """Say which programs pco has, by task.

    \b
    pco help            this list
    pco help queue      the help of pco-queue
    """
    words = [word for word in what if word != "help"]
    if not words:
        click.echo(overview())
        return
    known = [program.removeprefix("pco-") for _, rows in TASKS for program, _ in rows]
    name = words[0].removeprefix("pco-")
    if name not in known:
        hint = text.meant(name, ["help", *known])
        raise click.UsageError(f"there is no program pco-{text.line(name, 40)}{hint}")
    _show_help(name)


def overview() -> str:
    """The list of programs, by task."""
    parts = [f"pco {__version__}: tickets of Plane, worked on by agents, under human control.", "", f"  {WAY}", ""]
    for task, rows in TASKS:
        parts += [f"{task}:", *(f"  {program:<14} {what}" for program, what in rows), ""]
    return "\n".join([*parts, "Each has --help.  Begin with: pco-setup, then pco-queue"])


def _names(incomplete: str) -> list[str]:
    """For completion: the programs that begin so."""
    names = [program.removeprefix("pco-") for _, rows in TASKS for program, _ in rows]
    return [name for name in ("help", *names) if name.startswith(incomplete)]


def _show_help(name: str) -> None:
    from importlib import import_module

    program: click.Command = import_module(f"pco.commands.{name}").main
    with click.Context(program, info_name=f"pco-{name}", **CONTEXT) as context:
        click.echo(program.get_help(context))
