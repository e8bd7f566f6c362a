"""Hand over the summary of a ticket: the work is done.

Inside a session pco-complete looks at the attempt's folder ($PCO_ATTEMPT_DIR) and needs no KEY.  Outside a person gives
the KEY of an active ticket.  The ticket becomes completed once its session has ended; a session that goes on is ended
after `sessions.complete_grace`.  A person accepts, edits or rejects the summary then; nothing is posted before.
A summary that has the session's own login in it is refused.
"""

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pco.command import command
from pco.ground import attempt, credentials, events, leavings
from pco.ground.errors import BadData, SystemFault
from pco.ground.text import meant
from pco.run import Pco

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_KEY = re.compile(r"[A-Z0-9_]{1,12}-[0-9]{1,9}")  # as in ground.ticket, which a session need not wait for


def first_key(ctx: click.Context, param: click.Parameter, incomplete: str) -> "list[CompletionItem[Any]]":  # noqa: ARG001
    """For completion: the keys of active tickets, unless a word stands there already."""
    from pco.commands.queue import suggest

    return [] if ctx.params.get("words") else suggest.keys(ctx, ("active",), incomplete)


@command
@click.argument("words", nargs=-1, required=True, metavar="[KEY] SUMMARY|-", shell_complete=first_key)
def main(pco: Pco, words: tuple[str, ...]) -> None:
    """Hand over the SUMMARY of a ticket: the work is done.

    Inside a session KEY may be left out.  `-` reads the summary from standard input, at most 256 KiB.

    \b
    Examples, inside a session:
      pco-complete "Fixed the login: the token was compared by identity. Please check the new test."
      pco-complete - < summary.txt
      pco-complete - <<'END'         and then the summary, and END: no quotes in it are in the way
    Outside, for an active ticket:
      pco-complete WEB-12 "Done by hand, see the branch."
    """
    key, given = parted(words)
    home = os.environ.get("PCO_ATTEMPT_DIR", "")
    if not (key or home):
        raise click.UsageError("Which ticket? Outside a session write: pco-complete KEY SUMMARY")
    summary = read(given)
    if kinds := credentials.held(summary, credentials.given(os.environ)):
        raise BadData(f"the summary has {' and '.join(kinds)} in it; nothing was changed", "take it out")
    if home:
        inside(Path(home), key, summary)
    else:
        outside(pco, key, summary)
    pco.say("The summary was handed over. A person will read it; the session may end now.")


def parted(words: tuple[str, ...]) -> tuple[str, str]:
    """KEY (empty if it was left out) and what was given as summary.  Raises UsageError."""
    if len(words) == 1 and not _KEY.fullmatch(words[0]):
        return "", words[0]
    if len(words) == 1:
        raise click.UsageError(f"What is the summary of {words[0]}?")
    if len(words) == 2 and _KEY.fullmatch(words[0].upper()):
        return words[0], words[1]
    raise click.UsageError("Put the summary in quotes: it is one argument.")


def read(given: str) -> str:
    """The summary, cleaned; `-` is standard input.  Raises BadData if nothing is left, or if it is too large."""
    data = sys.stdin.buffer.read(leavings.MOST_SUMMARY + 1) if given == "-" else os.fsencode(given)
    if len(data) > leavings.MOST_SUMMARY:
        raise BadData(
            f"the summary is larger than {leavings.MOST_SUMMARY >> 10} KiB", "summarise; the commits say the rest"
        )
    summary = leavings.clean_summary(data.decode("utf-8", "replace"))
    if not summary:
        raise BadData("the summary is empty; nothing was changed", "say what was done, what was not, what to check")
    return summary


def inside(home: Path, key: str, summary: str) -> None:
    """Leave the event in the attempt's out/.  Raises BadData if this session cannot complete."""
    launch = attempt.read_launch(home)
    if key and key != launch.key:
        raise BadData(f"this session works on {launch.key}, not on {key}; nothing was changed")
    out = Path(launch.out)
    if not (out / "birth").exists():
        raise BadData(f"{launch.key}: this session was never begun")
    if (out / "exit").exists():
        raise BadData(f"{launch.key}: this session has ended")
    if events.handed_over(launch.out):
        raise BadData(f"{launch.key}: a summary was handed over before; nothing was changed")
    try:
        events.write(launch.out, launch.round, launch.attempt, "completed", {"summary": summary, "by": "agent"})
    except OSError as error:
        raise SystemFault(f"{out}/events: {error.strerror}") from error
    events.ring(launch.trigger)
    events.ring(str(out / "bell"))


def outside(pco: Pco, key: str, summary: str) -> None:
    """Write the summary into the record of an active ticket.  Raises BadData if it is none."""
    from pco.ground.ticket import State, Ticket

    def hand_over(ticket: Ticket) -> tuple[Ticket, None]:
        if ticket.state is not State.ACTIVE:
            raise BadData(f"{key} is {ticket.state}, not active; nothing was changed")
        if ticket.round.summary:
            raise BadData(f"{key}: a summary was handed over before; nothing was changed")
        return ticket.with_round(summary=summary, summary_by=pco.who), None

    try:
        ticket = pco.spool.update(key, hand_over)
    except KeyError:
        near: Any = meant(key.upper(), pco.spool.keys(State.ACTIVE) + pco.spool.keys(*State))
        raise BadData(f"there is no ticket {key}{near}; nothing was changed") from None
    pco.announce("summary", ticket)
    pco.spool.control.wake("dashboard")
    events.ring(str(pco.config.paths.trigger))


def _shielded(words: list[str]) -> list[str]:
    """A summary may begin with a dash, as a list does: what has white space in it is no option."""
    for n, word in enumerate(words):
        if word == "--":
            break
        if word.startswith("-") and re.search(r"\s", word):
            return [*words[:n], "--", *words[n:]]
    return words


_parse = main.parse_args
main.parse_args = lambda ctx, args: _parse(ctx, _shielded(args))  # type: ignore[method-assign]
