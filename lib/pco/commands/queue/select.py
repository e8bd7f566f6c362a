"""Which tickets a verb is meant for: keys as arguments, keys on standard input, or --all with filters."""

import gc
import sys
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

import click

from pco.commands.queue import verb
from pco.ground import text, times
from pco.ground.errors import BadConfig, PcoError
from pco.ground.frozen import dataclass
from pco.ground.ticket import KEY, LOCAL, State, Ticket
from pco.run import Pco

Trouble = Callable[[str, State, PcoError], None]
Chosen = dict[str, Ticket | None]  # key -> the ticket as it was listed; None where the person named the key
PRIORITY = {name: n for n, name in enumerate(verb.PRIORITIES)}


@dataclass(frozen=True)
class Filters:
    """What narrows a list down; an empty filter lets everything pass."""

    project: str = ""  # the key or the UUID of a project
    uuid: str = ""  # the UUID that the project's key stands for
    labels: frozenset[str] = frozenset()
    priorities: frozenset[str] = frozenset()
    mine: str = ""

    def any(self) -> bool:
        """Whether one is set."""
        return bool(self.project or self.labels or self.priorities or self.mine)

    def match(self, ticket: Ticket) -> bool:
        """Whether the ticket passes all of them."""
        prefix = ticket.key.rpartition("-")[0]
        if self.project and self.project not in (prefix, ticket.project) and self.uuid != (ticket.project or None):
            return False
        if self.labels and not self.labels & {label.casefold() for label in ticket.labels}:
            return False
        if self.priorities and ticket.priority not in self.priorities:
            return False
        return not self.mine or self.mine in _people(ticket)


def filters(pco: Pco, project: str, labels: tuple[str, ...], priorities: tuple[str, ...], mine: bool) -> Filters:
    """The filters as the person gave them."""
    uuid = project_id(pco, project) if project else ""
    wanted = frozenset(label.casefold() for label in labels)
    return Filters(project, uuid, wanted, frozenset(priorities), pco.who if mine else "")


def bulk(*states: State, asks_itself: bool = False, worded: bool = False) -> Callable[[verb.Function], verb.Function]:
    """Give a verb keys, `-`, --all with filters, and --yes; the function gets `chosen` in their place.

    `states` are those in which the verb takes tickets.  --all is confirmed here, before anything is done; a verb that
    asks about each ticket gets `yes` to do so itself.  A `worded` one takes its --note as a last word, too.
    """

    def decorate(function: verb.Function) -> verb.Function:
        def choose(pco: Pco, keys: tuple[str, ...], everything: bool, yes: bool, **given: Any) -> None:
            names = ("states", "project", "labels", "priorities", "mine")
            wanted = {name: given.pop(name) for name in names}
            if not everything and any(wanted.values()):
                raise click.UsageError("Filters such as --project go with --all.")
            if worded:
                keys, given["note"] = _split(keys, given["note"])
            if everything == bool(keys):
                raise click.UsageError("Name tickets by their keys (- reads them from standard input), or say --all.")
            unasked = yes or asks_itself
            chosen = all_of(pco, states, unasked, **wanted) if everything else dict.fromkeys(named(keys))
            function(pco, chosen=chosen, **given, **({"yes": yes} if asks_itself else {}))

        made: verb.Function = wraps(function)(choose)
        for option in (
            verb.yes,
            verb.filters(tuple(states)),
            click.option("--all", "everything", is_flag=True, help=f"All that are {' or '.join(states)}; asks first."),
            verb.keys(*states, also=" [REMARK]" if worded else ""),
        ):
            made = option(made)
        return made

    return decorate


def _split(words: tuple[str, ...], note: str | None) -> tuple[tuple[str, ...], str | None]:
    """Keys, and the remark: a last word that is no key, not even in small letters.  Raises a usage error."""
    keys = tuple(word for word in words if word == "-" or KEY.fullmatch(word.upper()))
    others = [word for word in words if word not in keys]
    if not others:
        return keys, note
    if note is not None:
        raise click.UsageError("The remark is given twice: as a last word, and by --note.")
    if len(others) > 1:
        said = text.line(" ".join(others), 60).replace('"', "'")
        raise click.UsageError(f'The remark is one word for the shell: put it into quotes, "{said}".')
    if words[-1] != others[0]:
        raise click.UsageError(f"{text.line(others[0], 40)!r} is no key such as WEB-12; the remark goes last.")
    return keys, others[0]


def named(keys: tuple[str, ...]) -> list[str]:
    """The keys as given, each once; `-` is replaced by what standard input says."""
    given = [word for key in keys for word in (sys.stdin.read().split() if key == "-" else [key])]
    return list(dict.fromkeys(given))


def all_of(pco: Pco, fitting: tuple[State, ...], yes: bool, **wanted: Any) -> Chosen:
    """All tickets in the `fitting` states that pass the filters, once the person has seen and confirmed them."""
    only = tuple(State(name) for name in wanted.pop("states")) or fitting
    narrow = filters(pco, **wanted)
    found: Chosen = {t.key: t for t in ordered([t for t in readable(pco, *only) if narrow.match(t)])}
    if State.CORRUPT in only and not narrow.any():
        found.update(dict.fromkeys(sorted(pco.spool.keys(State.CORRUPT))))
    if not found:
        pco.say("No ticket fits: nothing to do.")
    elif not yes:
        confirm(pco, found)
    return found


def confirm(pco: Pco, found: Chosen) -> None:
    """Show what --all means, and ask; Abort if the person says no, a usage error where nobody can answer."""
    if not sys.stdin.isatty():
        raise click.UsageError(f"--all means {len(found)} tickets, and nobody is there to confirm it (add --yes).")
    for key, ticket in found.items():
        click.echo(f"  {key}  {text.line(ticket.title if ticket else '(cannot be read)', 80)}", err=True)
    if not click.confirm(f"{pco.verb} these {len(found)} tickets?", err=True):
        raise click.Abort


def readable(pco: Pco, *states: State, trouble: Trouble | None = None) -> Iterator[Ticket]:
    """The tickets in these states, unsorted.  What is wrong with one is said, or goes to `trouble`."""
    # Records hold no cycles and this program ends soon: looking for garbage would cost a third of the time.
    gc.disable()
    places = pco.spool.places(*(state for state in states if state is not State.CORRUPT))
    yield from read_all(pco, places, states, trouble)


def read_all(
    pco: Pco, places: dict[str, State], states: tuple[State, ...], trouble: Trouble | None
) -> Iterator[Ticket]:
    """Read tickets from where they were seen; who moved meanwhile counts if it is in one of `states` still.

    A newer schema is no damage: it is said, and the exit code will be 78.
    """
    for key, state in places.items():
        try:
            yield pco.spool.read(key, state)
        except KeyError:
            yield from _moved(pco, key, states)
        except BadConfig as error:
            pco.fail(error, key)
        except PcoError as error:
            if trouble:
                trouble(key, state, error)
            else:
                pco.fail(error, key)


def ordered(tickets: list[Ticket]) -> list[Ticket]:
    """By state, then the most urgent first, then who waits longest."""
    rank = {state: n for n, state in enumerate(State)}
    return sorted(tickets, key=lambda t: (rank[t.state], PRIORITY.get(t.priority, 9), _entered(t), t.key))


def project_id(pco: Pco, project: str) -> str:
    """The UUID of a configured project, given its UUID or its key; empty if there is none."""
    from pco.ground import polled

    for known in pco.config.plane.projects:
        if project in (known.id, known.key):
            return known.id
    for known in pco.config.plane.projects:
        try:
            if polled.read(pco.config.paths.plane, known.id).key == project:
                return known.id
        except PcoError as error:
            pco.log("warning", str(error))
    return _by_ticket(pco, project)


def _by_ticket(pco: Pco, prefix: str) -> str:
    """Before the first poll is told of: a ticket with this prefix knows its project."""
    if prefix == LOCAL:
        return ""
    found = next((key for key in pco.spool.keys(*State) if key.startswith(f"{prefix}-")), "")
    try:
        return pco.spool.read(found).project if found else ""
    except (KeyError, PcoError):
        return ""


def _moved(pco: Pco, key: str, states: tuple[State, ...]) -> Iterator[Ticket]:
    """A ticket that left its folder while we looked: it counts if it is in one of the states still."""
    try:
        ticket = pco.spool.read(key)
    except (KeyError, PcoError):
        return
    if ticket.state in states:
        yield ticket


def _people(ticket: Ticket) -> set[str]:
    """Who approved, decided or noted something."""
    approvals = {r.approval.by for r in ticket.rounds if r.approval}
    return approvals | {entry.by for entry in ticket.history} | {note.by for note in ticket.notes}


def _entered(ticket: Ticket) -> str:
    entered = ticket.entered()
    return times.iso(entered) if entered else ""
