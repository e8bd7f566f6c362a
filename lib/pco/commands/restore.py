"""Bring a backup back, into a pco that has no tickets: after the machine was lost.

On the new machine install pco, put the backup (a folder such as 20261122T030000Z) into /var/backups/pco or anywhere
else, and run

    sudo pco-restore --dry-run          what would become of each ticket
    sudo pco-restore                    do it, with the newest backup there
    sudo pco-setup --token-file FILE --agent-key-file FILE
    sudo systemctl enable --now pco.target

First the whole backup is read: every hash, every record.  Then all of it is put back: configuration, attempts, what
polls knew, the audit record, branches, tickets.  It refuses while pco is at work, and where there are tickets already.
It can be killed at any moment: until all is back no other program uses the spool, and pco-restore, run again, goes on
with the same backup and comes to the same end.

What happened after the backup was made nobody here knows.  So nothing goes on by itself:

    approved                 -> pending    it has to be approved anew
    active                   -> failed     its session is lost; retry, post or reject it
    outbox                   -> outbox     pco-post looks for its comment in Plane first
    torn when backed up      -> corrupt    pco-queue repair
    all others               stay what they were

Before a comment of a ticket that came back is posted, now or later, the comments of its item are searched for it: what
the lost machine posted is found, recorded, and not posted again.  Rounds that begin from now on have names of their
own, so that they are not taken for those of the same number that the lost machine had.  Polls go on from where the
backup was: what happened in Plane since then is met again, and makes no second ticket of an item that has one.

/etc/pco: a file that is not there, or that nobody has edited since it was installed, is put back; of one that is yours
the backup's is laid beside, in /etc/pco/restored.  So are the drop-ins of pco's units and the web server's files, which
root's programs read: put those in place yourself.  Secrets are in no backup; what must be put back is said at the end.

A timer tries the newest backup each month (--test): it is restored into a scratch folder, by the code that would
restore it, and everything is read there.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pco.command import command
from pco.ground import text, times
from pco.ground.errors import BadConfig, BadData, PcoError, SystemFault, TryLater
from pco.run import Pco

if TYPE_CHECKING:
    from pco.commands.backing.restoring import Restoring
    from pco.commands.backing.verifying import Opened
    from pco.spool import Spool
    from pco.spool.comeback import Mark


@command
@click.argument("backup", required=False, metavar="[BACKUP]")
@click.option("--list", "listing", is_flag=True, help="Say which backups there are.")
@click.option("-n", "--dry-run", is_flag=True, help="Say what would become of each ticket; change nothing.")
@click.option("--test", "trial", is_flag=True, help="Restore into a scratch folder, read all of it, remove it.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json"]),
    default="table",
    help="Of --list, --dry-run; default: table.",
)
def main(pco: Pco, backup: str | None, listing: bool, dry_run: bool, trial: bool, form: str) -> None:
    """Bring a backup back, into a pco that has no tickets.

    BACKUP is a name that --list shows, or a folder; default: the newest one.

    \b
    Examples:
      pco-restore --list                          which backups there are
      sudo pco-restore --dry-run                  what would become of each ticket
      sudo pco-restore 20261122T030000Z           bring this one back
      sudo pco-restore /mnt/away/20261122T030000Z
      sudo pco-restore --test                     try the newest one, in a scratch folder
    """
    if listing + dry_run + trial > 1:
        raise click.UsageError("--list, --dry-run and --test are three things; choose one.")
    pco.service.ready()
    if listing:
        show(pco, form)
    elif dry_run:
        foretell(pco, chosen(pco, backup), form)
    elif trial:
        try_out(pco, backup)
    else:
        restore(pco, chosen(pco, backup))


def chosen(pco: Pco, backup: str | None) -> Path:
    """The folder of a backup.  Raises BadData, BadConfig."""
    from pco.ground import backups

    home = pco.config.paths.backups
    if backup and "/" in backup:
        return Path(backup).absolute()
    names = backups.names(home)
    if backup is None:
        if not names:
            raise BadData(f"there is no backup in {home}", "name a folder: pco-restore FOLDER")
        return home / names[0]
    if backup not in names:
        raise BadData(f"there is no backup {text.line(backup, 40)} in {home}{text.meant(backup, names)}", "--list")
    return home / backup


# Looking.


def show(pco: Pco, form: str) -> None:
    """The backups, newest first."""
    from pco.commands.backing import listing

    listing.show(pco, form)


def foretell(pco: Pco, folder: Path, form: str) -> None:
    """What would become of each ticket."""
    from pco.commands.backing import listing, restoring, verifying

    with verifying.open_all(folder) as found:
        verify(pco, found)
        mark = _mark(pco, found)
        fates = list(restoring.fates(found, mark))
    listing.show_fates(pco, found.manifest, fates, form)
    try:
        refuse(pco, found)
    except PcoError as error:
        pco.log("warning", f"now it would be refused: {error}", hint=error.hint)


def verify(pco: Pco, found: "Opened") -> None:
    """Read all of it.  Raises BadData."""
    from pco.commands.backing import verifying, watching

    with watching.bar(pco, f"verify {found.manifest.name}", found.manifest.size) as progress:

        def step(size: int) -> None:
            pco.service.pat()
            progress(size)

        verifying.verify(found, step)


# Trying.


def try_out(pco: Pco, backup: str | None) -> None:
    """Restore into a scratch folder, and keep how that went."""
    from pco.commands.backing import keeping, owner, trying, verifying, watching
    from pco.ground import backups

    owner.become(pco)
    home, name = keeping.folder(pco), ""
    try:
        folder = chosen(pco, backup)
        name = folder.name
        with verifying.open_all(folder) as found, pco.spool.alone(pco.patience, "pco-backup"):
            keeping.sweep(home)
            verify(pco, found)
            with watching.bar(pco, f"restore {name} to try it") as progress:

                def step(size: int) -> None:
                    pco.service.pat()
                    progress(size)

                trying.try_out(found, _mark(pco, found), home, step)
            said = (
                f"{text.count(found.manifest.tickets, 'ticket')}, {text.count(len(found.manifest.members), 'member')}"
            )
    except (PcoError, OSError) as error:
        backups.note(pco.config.paths.metrics, "tested", backups.Mark(name, pco.now(), _why(error)), good=False)
        if isinstance(error, OSError):
            raise SystemFault(f"{error.filename or 'system'}: {error.strerror or error}") from error
        raise
    backups.note(pco.config.paths.metrics, "tested", backups.Mark(name, pco.now(), said), good=True)
    pco.announce("tried", None, {"backup": name, "by": pco.who})
    pco.conclude(f"{name} can be restored: {said}", worth=True)


def _why(error: PcoError | OSError) -> str:
    return text.line(str(error), 500)


# Doing it.


def restore(pco: Pco, folder: Path) -> None:
    """Bring a backup back."""
    from pco.commands.backing import configuring, owner, verifying, watching
    from pco.commands.backing.restoring import Restoring
    from pco.spool import comeback

    with verifying.open_all(folder) as found:
        verify(pco, found)
        refuse(pco, found)
        who = pco.who
        told = configuring.put_back(found, pco.config_path)
        pco.__dict__.pop("config", None)  # it may be another one now
        owner.become(pco)
        spool = _spool(pco)
        with comeback.quiet(spool):
            mark = comeback.check(spool, found.manifest.name, found.sha256) or _mark(pco, found, who)
            if comeback.begun(spool):
                pco.log("info", f"goes on with what was begun {times.ago(mark.at, pco.now())}")
            comeback.begin(spool, mark)
            with watching.bar(pco, f"restore {folder.name}") as progress:
                work = Restoring(pco.config.paths, found, mark, progress)
                work.bring_back()
            tell(pco, work, mark)
            comeback.end(spool)
        report(pco, found, work, told)


def refuse(pco: Pco, found: "Opened") -> None:
    """Raise TryLater while pco is at work, BadData where there are tickets."""
    from pco.outside import units
    from pco.spool import comeback

    spool = _spool(pco)
    if pco.config.paths.root is None and units.running() and (names := units.at_work()):
        stop = "sudo systemctl stop pco.target pco-sessions.slice"
        raise TryLater(f"pco is at work here: {', '.join(names[:4])}{', …' if len(names) > 4 else ''}", stop)
    comeback.check(spool, found.manifest.name, found.sha256)


def tell(pco: Pco, work: "Restoring", mark: "Mark") -> None:
    """Every ticket that moved, and that there was a restore, into the audit record and the journal; each once.

    A run that was killed has told of some.  What it told is in the audit record, the notice after it may be missing:
    that is left anew, under the same name, for nobody takes notices meanwhile.
    """
    restore = times.iso(mark.at)
    told = _told(pco, mark, restore)
    for ticket in work.moved:
        fields = {"why": ticket.history[-1].why, "restore": restore}
        if ("moved", ticket.key) in told:
            pco.notify("moved", ticket, fields)
        else:
            pco.announce("moved", ticket, fields)
    if ("restored", "") not in told:
        tickets, kept = sum(work.counts.values()), " ".join(work.kept)
        said = {"backup": mark.backup, "tickets": tickets, "kept": kept, "by": mark.by, "restore": restore}
        pco.announce("restored", None, said)


def _told(pco: Pco, mark: "Mark", restore: str) -> set[tuple[str, str]]:
    """What the audit record has of this restore already: events, and the keys of their tickets."""
    from pco.ground import audit

    folder, found = pco.config.paths.audit, set()
    for month in audit.months(folder):
        if month >= f"{mark.at:%Y-%m}":
            for record, _ in audit.read(folder, month, audit.offset_of(folder, month, mark.at)):
                if record and record.fields.get("restore") == restore:
                    found.add((record.event, record.key))
    return found


def report(pco: Pco, found: "Opened", work: "Restoring", told: list[str]) -> None:
    """What is where now, and what a person does next."""
    counts = ", ".join(f"{count} {state}" for state, count in work.counts.items() if count)
    pco.say(f"restored {found.manifest.name} of {found.manifest.host}: {counts or 'no ticket'}")
    for line in [*told, *(f"what was there is kept: {path}" for path in work.kept)]:
        pco.say(line)
    for path in found.manifest.put_back:
        pco.say(f"put back yourself: {path}")
    if pco.config.paths.root is None:
        pco.say("next: pco-setup --token-file FILE --agent-key-file FILE; systemctl enable --now pco.target")
    pco.conclude(f"restored {found.manifest.name}", worth=True)


def _spool(pco: Pco) -> "Spool":
    """The spool, though a restore of it may be unfinished.  Raises BadConfig if it is not there."""
    from pco.spool import Spool

    spool = Spool(pco.config.paths.spool, pco.program)
    if not (spool.root / ".lock").exists():
        raise BadConfig(f"no spool at {spool.root}", "is it mounted? `make install` or systemd-tmpfiles lays it out")
    return spool


def _mark(pco: Pco, found: "Opened", who: str = "") -> "Mark":
    from pco.spool.comeback import Mark

    return Mark(found.manifest.name, found.sha256, pco.now(), who or pco.who)
