"""What pco-restore shows: which backups there are, and what would become of the tickets of one."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from tabulate import tabulate

from pco.commands.backing.making import size
from pco.commands.backing.restoring import Fate
from pco.commands.queue import rowing
from pco.ground import backups, text, times
from pco.ground.backups import Manifest
from pco.ground.errors import PcoError
from pco.run import Pco


def show(pco: Pco, form: str) -> None:
    """The backups, newest first.  Raises BadConfig, SystemFault."""
    home = pco.config.paths.backups
    rows = [_row(pco, name) for name in backups.names(home)]
    if form == "json":
        rowing.write_plain(rows, "json")
        return
    if not rows:
        pco.say(f"No backup is in {home}.")
        return
    cells = [[r["name"], r["age"], _size(r), r["tickets"], r["host"], text.line(r["problem"] or "", 80)] for r in rows]
    heads = ["BACKUP", "AGE", "SIZE", "TICKETS", "HOST", ""]
    pco.say(tabulate(cells, headers=heads, tablefmt="plain", disable_numparse=True).rstrip())


def _row(pco: Pco, name: str) -> dict[str, Any]:
    folder = pco.config.paths.backups / name
    made = backups.time_of(name)
    row: dict[str, Any] = {"name": name, "path": str(folder), "at": times.iso(made) if made else None}
    row |= {"age": times.rough(pco.now() - made) if made else "", "size": None, "tickets": None, "counts": None}
    row |= {"host": None, "version": None, "problem": None}
    try:
        manifest = backups.read(folder)
    except PcoError as error:
        return {**row, "problem": str(error)}
    row |= {"at": times.iso(manifest.at), "size": manifest.size, "tickets": manifest.tickets}
    return {**row, "counts": manifest.counts, "host": text.line(manifest.host, 40), "version": manifest.version}


def _size(row: dict[str, Any]) -> str:
    return size(row["size"]) if row["size"] is not None else ""


def show_fates(pco: Pco, manifest: Manifest, fates: Sequence[Fate], form: str) -> None:
    """What would become of each ticket, and what else would be put back."""
    if form == "json":
        rowing.write_plain(
            [{"key": f.key, "was": f.was.value, "becomes": f.to.value, "note": f.note or None} for f in fates], "json"
        )
        return
    cells = [[f.key, f.was.value, f.to.value, text.line(f.note, 80)] for f in fates]
    if cells:
        heads = ["KEY", "WAS", "BECOMES", "NOTE"]
        pco.say(tabulate(cells, headers=heads, tablefmt="plain", disable_numparse=True))
    counts = Counter(f.to.value for f in fates)
    said = ", ".join(f"{count} {state}" for state, count in counts.items()) or "no ticket"
    pco.say(f"{manifest.name} of {text.line(manifest.host, 40)}, pco {text.line(manifest.version, 20)}: {said}")
    for member in manifest.members:
        what = f"{text.count(len(member.refs), 'branch').replace('branchs', 'branches')}" if member.refs else ""
        pco.say(f"  {member.name:<24} {size(member.size):>10}  {what or text.count(member.files, 'file')}".rstrip())
