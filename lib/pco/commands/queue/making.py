"""add and edit: items of Plane asked for by name, and local tickets, which Plane does not know."""

import secrets
import uuid
from dataclasses import replace
from typing import Any

import click
from click.core import ParameterSource

from pco.commands.queue import terminal, verb
from pco.commands.queue.change import Done, Refused, Told, change, each, expect, read
from pco.commands.queue.select import named, project_id
from pco.ground import text
from pco.ground.errors import BadConfig
from pco.ground.ticket import KEY, LOCAL, Round, State, Ticket, Trigger
from pco.run import Pco

TITLE = "Test ticket"
TEXT = "This is a test of pco. Change nothing in the repository; hand over a summary that says so."
MOST_TITLE = 255
EDITABLE = (State.PENDING, State.APPROVED)


@verb.verb
@verb.keys()
@click.option("--test", is_flag=True, help="Make a local ticket, which Plane does not know.")
@click.option(
    "--project", metavar="KEY|UUID", default="", help="For --test: in whose repository; default: the only one."
)
@click.option("--title", default=TITLE, show_default=True, help="For --test.")
@click.option("--text", "words", metavar="TEXT|-", default=TEXT, help="For --test: what the agent shall do.")
@click.option("--priority", type=click.Choice(verb.PRIORITIES), default="none", help="For --test.")
@click.option("--scripted", is_flag=True, help="For --test: a program of pco's works on it, not the agent.")
@verb.note
def add(pco: Pco, keys: tuple[str, ...], test: bool, note: str, **local: Any) -> None:
    """Import an item of Plane, or make a local test ticket.

    pco-poll does the import, for only it holds a token.  A local ticket goes the whole way but for Plane: it is
    launched without a poll, and posted without a request.  With --scripted it tries pco alone: a small program makes a
    commit and hands over a summary, which costs nothing; pco-doctor --end-to-end does that with as many as you like.

    \b
    Examples:
      pco-queue add WEB-12
      pco-queue add --test --project WEB --title "Say hello" --text "Add HELLO.md."
    """
    if test == bool(keys):
        raise click.UsageError("Name items of Plane by their keys, or say --test.")
    given = click.get_current_context().get_parameter_source
    if not test and any(given(name) is ParameterSource.COMMANDLINE for name in local):
        raise click.UsageError("--project, --title, --text, --priority and --scripted go with --test.")
    if test:
        make(pco, note=note, **local)
    else:
        each(pco, named(keys), lambda key: _ask(pco, key, note))


def make(pco: Pco, project: str, title: str, words: str, priority: str, note: str, scripted: bool = False) -> Ticket:
    """Make a local ticket, under the next free number."""
    now = pco.now()
    first = Round(1, Trigger("local", now))
    ticket = Ticket(
        key=f"{LOCAL}-0",
        uuid=str(uuid.uuid4()),
        project=_project(pco, project),
        id=secrets.token_hex(8),
        title=_title(title),
        rounds=(first,),
        local=True,
        scripted=scripted,
        description=text.lines(terminal.given(words)).strip(),
        priority=priority,
        created_at=now,
        updated_at=now,
    )
    made = _created(pco, ticket, note)
    pco.announce("moved", made)
    pco.spool.control.wake("dashboard")
    pco.say(f"{made.key}: new -> pending")
    pco.say(f"Next: pco-queue approve {made.key}")
    return made


def _created(pco: Pco, ticket: Ticket, note: str) -> Ticket:
    numbers = [int(key.rpartition("-")[2]) for key in pco.spool.keys(*State) if key.startswith(f"{LOCAL}-")]
    number = max(numbers, default=0) + 1
    while True:
        try:
            return pco.spool.create(replace(ticket, key=f"{LOCAL}-{number}"), pco.who, note)
        except FileExistsError:
            number += 1  # somebody else was faster


def _project(pco: Pco, project: str) -> str:
    """The project whose repository the ticket is for.  Raises BadConfig, or a usage error."""
    known = pco.config.plane.projects
    if not known:
        raise BadConfig("no project is configured: a session would have no repository", "see plane.projects")
    if not project and len(known) > 1:
        raise click.UsageError("Which project? There are several: name one with --project.")
    found = project_id(pco, project) if project else known[0].id
    if pco.config.project(found) is None:
        raise click.UsageError(f"There is no project {text.line(project, 40)} in the configuration.")
    return found


def _title(title: str) -> str:
    shown = text.line(title)[:MOST_TITLE]
    if not shown:
        raise click.UsageError("A ticket needs a title.")
    return shown


def _ask(pco: Pco, key: str, note: str) -> None:
    """Leave a request to import one item.  Raises Refused, Done."""
    if not KEY.fullmatch(key):
        raise Refused(f"{text.line(key, 40)!r} is no key such as WEB-12")
    if key.startswith(f"{LOCAL}-"):
        raise Refused("is a local key: Plane does not know it", "pco-queue add --test makes a local ticket")
    state = pco.spool.find(key)
    if state is not None:
        hint = f"pco-queue reopen {key}" if state in (State.POSTED, State.REJECTED) else f"pco-queue show {key}"
        raise Refused(f"is here already: {state}", hint)
    if asker := pco.spool.control.imports().get(key):
        raise Done(f"was asked for already by {asker}; pco-poll will fetch it")
    pco.spool.control.ask_import(key, pco.who, pco.now())
    pco.announce("import asked", None, {"key": key, "why": note})
    pco.say(f"{key}: pco-poll will fetch it with its next run (to have it now: pco-poll)")


@verb.verb
@verb.key(*EDITABLE)
@click.option("--title", default=None, help="The new title.")
@click.option("--text", "words", metavar="TEXT|-", default=None, help="The new text.")
@verb.note
def edit(pco: Pco, key: str, title: str | None, words: str | None, note: str) -> None:
    """Change title and text of a local ticket.

    Without --title and --text in $VISUAL or $EDITOR: the first line is the title.  An approved ticket goes back to
    pending.

    \b
    Examples:
      pco-queue edit LOCAL-1
      pco-queue edit LOCAL-1 --title "Say hello" --text - < task.md
    """
    each(pco, [key], lambda key: _edit(pco, key, title, words, note))


def _edit(pco: Pco, key: str, title: str | None, words: str | None, note: str) -> None:
    seen = read(pco, key)
    _editable(pco, seen)
    words = terminal.given(words) if words is not None else None
    if title is None and words is None:
        written = terminal.edit(f"{seen.title}\n\n{seen.description}\n")
        title, _, words = written.strip().partition("\n")
    heading = _title(title) if title is not None else seen.title
    body = text.lines(words).strip() if words is not None else seen.description
    if (heading, body) == (seen.title, seen.description):
        raise Done("nothing was changed")

    def judge(ticket: Ticket) -> tuple[Ticket, State | None]:
        _editable(pco, ticket)
        if (ticket.title, ticket.description) != (seen.title, seen.description):
            raise Refused("was edited by somebody else meanwhile", f"your text is in {terminal.keep(body)}")
        changed = replace(ticket, title=heading, description=body, description_html="", updated_at=pco.now())
        return changed.with_round(approval=None), State.PENDING if ticket.state is State.APPROVED else None

    change(pco, key, judge, note=note, told=Told("edited", "edited", {"why": note}))


def _editable(pco: Pco, ticket: Ticket) -> None:
    if not ticket.local:
        raise Refused(
            "cannot be edited here: it belongs to Plane", ticket.url or "edit the item in Plane; pco-poll follows"
        )
    expect(pco, ticket, "edited", *EDITABLE)
