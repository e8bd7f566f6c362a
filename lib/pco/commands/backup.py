"""Make a backup of all that pco knows, read it back, and remove those that are too old.

A timer does so at 03:00 each night.  One backup is a folder below paths.backups, named by its time in UTC:

    spool.tar.gz      every ticket, and what is beside the tickets: all as they were at one moment
    attempts.tar.gz   prompts, screens and what else was kept of each session
    PROJECT.bundle    the commits of the sessions: each branch pco/KEY of the project's mirror, with its history
    plane.tar.gz      what polls knew: how far they came, which items they have seen
    audit.tar.gz      who did what
    metrics.tar.gz    what was spent on each day
    config.tar.gz     /etc/pco, and what an administrator changed of pco's units, without secrets
    journal.gz        the journal of pco's units; systemd-journal-remote(8) reads it
    manifest.json     the SHA-256 of each of these, and how many tickets are in which state

The spool is held for as long as it takes to see what has moved (milliseconds, thousandths of that for each ticket);
everything else happens while pco works.  All is written under another name, flushed, read back from the disk, and each
record read as pco reads it, before the folder gets its name: what has a name is a backup.  A ticket that cannot be
read is in it as it lies there.

Backups older than backup.keep are removed, but never the newest one.  Deleted tickets stay in backups for so long.

No secret is in a backup: /etc/pco/credentials and what looks like a key stay out, and a password that stands in a file
of the configuration is masked.  manifest.json says in put_back what a person must put back.

Away from the machine a backup is carried by your own programs: each executable file in /etc/pco/hooks.d/backup that
root alone can change is run with the path of the backup as its argument, and a JSON object on its standard input
(schema, event, at, name, path, size, tickets, sha256 of manifest.json).  It runs as the user pco, in
pco-offsite.service, which may use the network, and must end within backup.hook_within with exit code 0.  A key that it
needs is given to that unit with LoadCredential=, a folder that it writes to with ReadWritePaths= (systemctl edit
pco-offsite).  A whole hook:

    #!/bin/sh
    exec rsync -a --delete --exclude '.*' "$(dirname "$1")/" backup@elsewhere.example.org:pco/

When backups stand still it is told: the unit fails (pco-alert), a notice `backup failed` is left, and pco-doctor says
so.  How to get back what is in a backup: pco-restore(1).
"""

import click

from pco.command import command
from pco.ground.errors import BadData, PcoError, SystemFault
from pco.run import Pco


@command
@click.option("--off-site", is_flag=True, help="Make none; give the newest one to the programs in hooks.d/backup.")
def main(pco: Pco, off_site: bool) -> None:
    """Make a backup of all that pco knows.

    \b
    Examples:
      sudo pco-backup                     one now, as before an upgrade
      sudo systemctl start pco-backup     the same, as the timer does it
      sudo pco-backup --off-site          carry the newest one away once more
      pco-restore --list                  which there are
    """
    from pco.commands.backing import owner

    pco.service.ready()
    owner.become(pco)
    if off_site:
        carry_away(pco)
        return
    try:
        with pco.spool.alone(pco.patience):
            make(pco)
    except OSError as error:
        failure = SystemFault(f"{error.filename or 'system'}: {error.strerror or error}")
        tell_failure(pco, failure)
        raise failure from error
    except PcoError as error:
        tell_failure(pco, error)
        raise
    if not pco.service.present:
        carry_away(pco, asked=False)  # under systemd a unit of its own does so, which has a network


def make(pco: Pco) -> None:
    """Make one, and let those go that are too old."""
    from pco.commands.backing import keeping, making, watching
    from pco.ground import backups, text
    from pco.ground.backups import Mark

    home, keep = keeping.folder(pco), pco.config.backup.keep
    if swept := keeping.sweep(home):
        pco.log("info", f"removed what an earlier run left unfinished: {' '.join(swept)}")
    gone = keeping.prune(home, keep, pco.now())  # first: there may be no room for one more
    with watching.bar(pco, "backup") as progress:
        manifest = making.Making(pco, home, progress).make()
    backups.note(pco.config.paths.metrics, "made", Mark(manifest.name, pco.now(), making.told(manifest)), good=True)
    gone += keeping.prune(home, keep, pco.now())
    for left in manifest.left_out[:20]:
        pco.log("warning", f"left out: {text.line(left.path, 200)}: {text.line(left.why, 200)}")
    fields = {"backup": manifest.name, "tickets": manifest.tickets, "size": making.size(manifest.size)}
    pco.announce("backed up", None, {**fields, "removed": " ".join(gone), "by": pco.who})
    pco.say(f"{home / manifest.name}: {making.told(manifest)}")
    if manifest.unreadable:
        names = " ".join(manifest.unreadable[:20])
        pco.log("warning", f"{text.count(len(manifest.unreadable), 'ticket')} in it cannot be read: {names}")
    pco.conclude(f"{manifest.name}: {making.told(manifest)}", worth=True)


def tell_failure(pco: Pco, error: PcoError) -> None:
    """Keep that there is no new backup, and leave word for who notifies people.  What cannot be done is passed over."""
    from contextlib import suppress

    from pco.ground import backups, text
    from pco.ground.backups import Mark
    from pco.ground.notice import Notice

    why = text.line(str(error), 500)
    with suppress(PcoError, OSError):
        backups.note(pco.config.paths.metrics, "made", Mark("", pco.now(), why), good=False)
    pco.leave("backup-failed", Notice("backup failed", pco.now(), "", {"why": why}))
    pco.log("error", "there is no new backup", event="backup failed")


def carry_away(pco: Pco, *, asked: bool = True) -> None:
    """Give the newest backup to the hooks.  Raises BadData if there is none, and it was asked for."""
    from pco.commands.backing import handing, keeping
    from pco.ground import backups

    home = keeping.folder(pco)
    names = backups.names(home)
    if not names:
        raise BadData(f"there is no backup in {home}", "sudo pco-backup")
    if handing.hand_over(pco, home / names[0]):
        pco.conclude(f"{names[0]} was carried away", worth=not pco.trouble)
    elif asked:
        pco.say(f"no program in {pco.config_path.parent / handing.FOLDER}/{handing.EVENT}: nothing was carried away")
