"""Remove all that is known of a ticket, everywhere; or list where a text is found, for you to decide.

Of each KEY go: its record and what the index of finished tickets says of it, what was kept of its sessions, what its
agents wrote (systemd removes that), its branch pco/KEY with the objects that only it had, its page, notices about it,
and its key in the ledgers of earlier days, which keep their sums.  pco-data(7) says what lies where.

It asks first, unless --yes is given.  A ticket that is active or in the outbox is refused: stop or recall it first.
What a crash leaves half done pco-retention finishes.

What stays, and is named: backups that still hold it go by their own time (backup.keep); the audit record says who did
what with KEY, and that it was purged, but not what was in it; the journal forgets by journald's own limits.  In Plane
nothing is removed, and an item that changes there comes back as a new ticket: remove it there first.

--search TEXT looks through records, prompts, screens and all else that was kept of sessions, notices and the audit
record, whatever the case, and lists each place.  It does not look into repositories, nor into backups.
"""

from typing import TYPE_CHECKING

import click

from pco.command import command
from pco.run import Pco

if TYPE_CHECKING:
    from pco.outside.runners import Runner


@command
@click.argument("keys", nargs=-1, metavar="[KEY]...")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("-n", "--dry-run", is_flag=True, help="Remove nothing; show what would go.")
@click.option("--search", metavar="TEXT", help="List where a text is found, and remove nothing.")
def main(pco: Pco, keys: tuple[str, ...], yes: bool, dry_run: bool, search: str | None) -> None:
    """Remove all that is known of tickets, everywhere.

    \b
    Examples:
      pco-purge --search "jane.doe@example.org"     which tickets is it in?
      sudo pco-purge --dry-run WEB-12               what would go
      sudo pco-purge WEB-12 WEB-40                  asks, then removes
    """
    if (search is None) == (not keys):
        raise click.UsageError("Give KEYs, or --search TEXT.")
    if search is not None:
        list_places(pco, search)
        return
    from pco.commands.backing import owner
    from pco.commands.queue.change import each
    from pco.outside.runners import choose

    owner.become(pco)
    config = pco.config
    runner = choose(config.sessions.runner, config.paths.run, config.paths.trigger)
    each(pco, dict.fromkeys(keys), lambda key: purge_one(pco, key, runner, yes, dry_run))


def purge_one(pco: Pco, key: str, runner: "Runner", yes: bool, dry: bool) -> None:
    """Show what there is of one ticket, ask, and remove it.  Raises BadData if there is nothing of it."""
    from pco.commands.purging import remaining, removing
    from pco.commands.queue import terminal
    from pco.ground.errors import BadData
    from pco.ground.ticket import KEY

    if not KEY.fullmatch(key):
        raise BadData("is no ticket key (a key looks like WEB-12)")
    if error := removing.refusal(pco, key, runner):
        raise error
    state = pco.spool.find(key)
    there = [f"its record, {state}"] if state else []
    there += [trace.where for trace in removing.traces(pco, key, runner)]
    begun = pco.spool.control.purges().get(key)
    if not there and not begun:
        pco.say(f"{key}: nothing is known of it")
        tell_rest(pco, key, remaining.holding(pco.config.paths.backups, key))
        return
    if dry or not yes:
        pco.say("\n".join([f"{key}:", *(f"  {where}" for where in there)]))
    if not dry:
        if not terminal.confirm(f"{key}: remove all of it for good?", yes):
            pco.say(f"{key}: stays")
            return
        removing.purge(pco, key, runner, pco.who)
        pco.say(f"{key}: purged")
    tell_rest(pco, key, remaining.holding(pco.config.paths.backups, key))


def tell_rest(pco: Pco, key: str, backups: list[str]) -> None:
    """Name what pco does not take it from."""
    from pco.ground import times

    if backups:
        kept = times.duration(pco.config.backup.keep)
        pco.say(f"{key}: still in backups, each of which goes after {kept} (remove them by hand if that is too long):")
        for name in backups:
            pco.say(f"  {pco.config.paths.backups / name}")


def list_places(pco: Pco, wanted: str) -> None:
    """The table of --search."""
    from tabulate import tabulate

    from pco.commands.purging.searching import Searching

    if not wanted.strip():
        raise click.UsageError("--search needs a text.")
    searching = Searching(pco, wanted)
    rows = [[hit.key or "-", hit.where, hit.words] for hit in searching.hits()]
    if rows:
        pco.say(tabulate(rows, headers=["KEY", "WHERE", "WORDS"], tablefmt="plain", disable_numparse=True))
    else:
        pco.say("It is found nowhere.")
    if searching.unread:
        hint = "as root, or as a member of group pco"
        pco.log("warning", f"{searching.unread} files or folders could not be read", hint=hint)
