"""The open tickets: a page for each, written when its record or its attempt's papers have changed.

Remembered for each key: {"stamp": what the record and the papers looked like, "watch": paths of the papers, "card": in
brief a `pages.snapshot.Card`, "row": that of `rules.rows`, written}.  An unchanged ticket costs a few lstat(2).
"""

import os
from pathlib import Path
from typing import Any

from pco import __version__
from pco.commands.dashboard.run import Run
from pco.ground import attempt, durable, leavings, shape
from pco.ground.errors import BadData, PcoError, SystemFault
from pco.ground.ticket import OPEN, State, Ticket
from pco.outside.www import signature
from pco.pages import feeds
from pco.pages.charts import DAY
from pco.pages.frame import home
from pco.pages.snapshot import Card, Papers, Story, Unreadable, card, ran
from pco.pages.story import ticket_page, unreadable_page
from pco.rules import budget, prompt, rows, secrets
from pco.run import Pco

MOST_PROMPT = 16 << 20  # bytes; a page shows the first part of it
Seen = dict[str, Any]


def show(run: Run, known: dict[str, Seen]) -> dict[str, Seen]:
    """Bring the pages of all open tickets up to date; returns what is to be remembered."""
    seen: dict[str, Seen] = {}
    for key, state in run.pco.spool.places(*OPEN).items():
        before = known.get(key)
        if before and before["stamp"] == _stamp(run, key, state, before["watch"]):
            seen[key] = before
        elif made := make(run, key, state):
            seen[key] = made
            run.step()
    return seen


def show_record(run: Run, ticket: Ticket) -> tuple[list[str], str]:
    """Write the page of a readable ticket.  Returns the paths that it also depends on, and their signature."""
    papers, watch, stamp = _papers(run.pco, ticket)
    target = prompt.target(ticket, run.pco.config)
    bound = prompt.content_hash(ticket, target) if target else ""
    # What the day has cost is on the board: this page depends on the record and the configuration alone.
    money = budget.told(ticket, run.purse) if ticket.cost else ""
    short = budget.obstacle(ticket, run.purse)
    comment = _comment(run.pco, ticket) if ticket.state is State.COMPLETED else ""
    story = Story(ticket, run.clock, __version__, target, bound, papers, *_failure(ticket), money, short, comment)
    run.site.put(home(ticket.key), ticket_page(story))
    run.ran[ticket.key] = [shape.dump(one) for one in ran(ticket, run.clock.now - DAY)]
    return watch, stamp


def _comment(pco: Pco, ticket: Ticket) -> str:
    """What would be posted."""
    from pco.commands.commenting import proposed

    return proposed(pco, ticket)


def _failure(ticket: Ticket) -> tuple[str, str]:
    """Of a failed ticket: what the end of its session means, and what can be done; in the words of pco-queue."""
    if ticket.state is not State.FAILED:
        return "", ""
    from pco.commands.queue import failure

    return failure.meaning(ticket.attempt) if ticket.attempt else "", failure.remedy(ticket)


def show_unreadable(run: Run, shown: Card) -> None:
    """Write the page of a ticket whose record cannot be read."""
    run.site.put(home(shown.key), unreadable_page(Unreadable(shown, run.clock, __version__)))


def make(run: Run, key: str, state: State, *, leave: bool = False) -> Seen | None:
    """Read an open ticket and write its page; None if it has just been moved: who moved it wakes us again.

    Returns what is to be remembered.  With `leave` what the disk does not give is left to who looks next: None, too.
    """
    if state is State.CORRUPT:
        return _show_corrupt(run, key)
    record = signature(run.pco.spool.file(key, state))  # before it is read: a later change shows in the next run
    try:
        ticket = run.pco.spool.read(key, state)
    except KeyError:
        return None
    except BadData as error:
        return _show_broken(run, Card(key, State.CORRUPT, reason=str(error), from_=state.value), f"{state} {record} ")
    except PcoError as error:
        if leave:
            return None
        run.pco.fail(error, key)
        return _show_broken(run, Card(key, state, reason=str(error)), "")
    watch, papers = show_record(run, ticket)
    made = shape.brief(card(ticket, run.purse))
    row = feeds.written(secrets.masked_all(rows.row(ticket)))
    return {"stamp": f"{state} {record} {papers}", "watch": watch, "card": secrets.masked_all(made), "row": row}


def _show_corrupt(run: Run, key: str) -> Seen:
    why = run.pco.spool.path(key, State.CORRUPT).with_suffix(".why")
    stamp = _stamp(run, key, State.CORRUPT, [str(why)])
    aside = run.pco.spool.aside(key)
    reason = aside.reason if aside else "nothing says why it was set aside"
    shown = Card(
        key, State.CORRUPT, since=aside.at if aside else None, reason=reason, from_=aside.from_ if aside else ""
    )
    return {**_show_broken(run, shown, stamp), "watch": [str(why)]}


def _show_broken(run: Run, shown: Card, stamp: str) -> Seen:
    show_unreadable(run, shown)
    row = feeds.written(secrets.masked_all(rows.unreadable(shown.key, shown.state, shown.reason)))
    return {"stamp": stamp, "watch": [], "card": shape.brief(shown), "row": row}


def _stamp(run: Run, key: str, state: State, watch: list[str]) -> str:
    return f"{state} {signature(run.pco.spool.file(key, state))} {signature(*watch)}"


# The papers of the last attempt.


def _papers(pco: Pco, ticket: Ticket) -> tuple[Papers | None, list[str], str]:
    """Prompt and screen of the ticket's last attempt, the paths that they depend on, and these paths' signature."""
    begun = [(round.n, one.n) for round in ticket.rounds for one in round.attempts]
    if not begun:
        return None, [], ""
    n, last = begun[-1]
    home = attempt.folder(pco.config.paths.sessions, ticket.key, n, last)
    watch = [f"{home}/launch.json", f"{home}/screen"]
    stamp = signature(*watch)  # before anything of it is read
    if not os.path.isdir(home):
        return Papers(n, last), watch, stamp  # not begun, or cleared away
    screen, trouble = _screen(home)
    if not (screen or trouble):
        out = _out(home)
        watch.append(f"{out}/screen")
        stamp += f" {signature(watch[-1])}"
        screen, trouble = _screen(out)
    return Papers(n, last, _prompt(home), screen, trouble), watch, stamp


def _out(home: Path) -> Path:
    """Where the attempt's out/ is: launch.json says so; beside it as long as that is not written."""
    try:
        return Path(attempt.read_launch(home).out)
    except (BadData, SystemFault):
        return home / "out"


def _prompt(home: Path) -> str:
    try:
        return durable.read(f"{home}/prompt.md", MOST_PROMPT).decode("utf-8", "replace")
    except (OSError, BadData):
        return ""


def _screen(folder: Path) -> tuple[bytes, str]:
    """The screen in an attempt's folder (the session has ended) or its out/: hostile; or why it is not shown."""
    try:
        handle = leavings.open_out(folder)
    except OSError:
        return b"", ""  # not begun, or cleared away
    try:
        return durable.read("screen", leavings.MOST_SCREEN, handle), ""
    except FileNotFoundError:
        return b"", ""
    except (OSError, BadData) as error:
        return b"", f"The screen cannot be shown: {error}"
    finally:
        os.close(handle)
