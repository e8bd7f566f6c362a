"""What completion offers: keys that are in the right state, with titles; projects.  No lock; silent if it cannot."""

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from pco.ground import text
from pco.ground.errors import PcoError
from pco.ground.ticket import OPEN, State
from pco.run import Pco

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from pco.spool import Spool

MOST = 300  # keys offered at once
TITLED = 200  # up to so many keys get their titles: each is a file to be read


def keys(ctx: click.Context, states: Iterable[str], incomplete: str) -> "list[CompletionItem[Any]]":
    """The keys in `states` that begin so (in small letters, too) and do not stand on the line already."""
    from click.shell_completion import CompletionItem

    try:
        spool = _pco(ctx).spool
        places = spool.places(*(State(state) for state in states))
    except (PcoError, OSError):
        return []
    named = ctx.params.get("keys")
    taken = set(named) if isinstance(named, tuple) else set()
    found = [key for key in places if key.startswith(incomplete.upper()) and key not in taken]
    titled = len(found) <= TITLED
    return [CompletionItem(key, help=_title(spool, key, places[key]) if titled else None) for key in some(found)]


def some(found: list[str]) -> list[str]:
    """In the order of their numbers, MOST at most, and then still such that they have no more letters in common."""
    ordered = sorted(found, key=_number)
    if len(ordered) <= MOST:
        return ordered
    return list(dict.fromkeys([*ordered[: MOST - 2], min(found), max(found)]))


def projects(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:  # noqa: ARG001
    """The keys of projects that are configured by key, or have an open ticket."""
    try:
        pco = _pco(ctx)
        known = {project.key for project in pco.config.plane.projects}
        known |= {key.rpartition("-")[0] for key in pco.spool.places(*OPEN)}
    except (PcoError, OSError):
        return []
    return sorted(key for key in known if key and key.startswith(incomplete.upper()))


def _pco(ctx: click.Context) -> Pco:
    """A run with the configuration that the line names so far."""
    pco, asked = Pco("pco-queue"), ctx
    while not asked.params.get("config") and asked.parent:
        asked = asked.parent
    pco.config_file = str(asked.params.get("config") or "")
    return pco


def _title(spool: "Spool", key: str, state: State) -> str:
    try:
        return text.line(str(json.loads(spool.data(key, state))["title"]), 60)
    except (PcoError, OSError, ValueError, KeyError, TypeError, RecursionError):
        return ""


def _number(key: str) -> tuple[str, int]:
    prefix, _, number = key.rpartition("-")
    return prefix, int(number)
