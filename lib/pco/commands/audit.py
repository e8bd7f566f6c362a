"""Read the audit record, and verify that it is whole.

It has a line for each move of a ticket, each decision of a person, each change of the configuration: when, what, by
whom (the person who logged in, also behind sudo), about which ticket, and why.  It lies in /var/lib/pco/audit, a file
for each month, one JSON object a line.

Each line carries the hash of the line before it, so that one that was changed, taken away, put in or moved stands out.
The journal, which those who may write the record cannot rewrite, is told the hash of each new line (PCO_AUDIT): so also
a record that was written anew as a whole, or cut at its end, is found out.  verify compares both.

The first line of all follows from nothing that is still there: pco-retention removes months that are too old, as whole
files.  Where log.level is warning or above the journal is told of few lines.
"""

from typing import TYPE_CHECKING

import click

from pco.command import CONTEXT, Verbs, configure, options, verb
from pco.run import Pco, in_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pco.ground.audit import Record
    from pco.rules.period import Period

FORMS = ("table", "json", "jsonl")
MOST_TOLD = 20


@click.group("pco-audit", cls=Verbs, context_settings=CONTEXT)
@options
@click.pass_context
def main(ctx: click.Context, /, config: str | None, verbose: int, quiet: bool, color: str) -> None:
    """Read the audit record, and verify that it is whole.

    \b
    Examples:
      pco-audit list --since today       who did what
      pco-audit list --by alice --event moved --format jsonl
      sudo pco-audit verify && echo whole
    """
    ctx.obj = Pco("pco-audit")
    configure(ctx.obj, config, verbose, quiet, color)


@verb
@click.option("--since", metavar="DAY", default="7d", help="7d, 2w, today, week, month, 2026-11-01, ...; default: 7d.")
@click.option("--until", metavar="DAY", default="", help="Up to the beginning of this day; default: now.")
@click.option("--key", metavar="KEY", default="", help="Only of this ticket.")
@click.option("--by", metavar="WHO", default="", help="Only what this person, or program, did.")
@click.option("--event", metavar="EVENT", default="", help="Only these: moved, noted, configured, ...")
@click.option("--format", "form", type=click.Choice(FORMS), default="table", help="Default: table.")
def list_(pco: Pco, since: str, until: str, form: str, **wanted: str) -> None:
    """List who did what, oldest first.

    \b
    Examples:
      pco-audit list                              the last seven days, and today
      pco-audit list --since month --by alice
      pco-audit list --key WEB-12 --format json | jq -r '.[].fields.why'
    """
    from pco.commands.queue import rowing
    from pco.ground import times
    from pco.rules import period

    try:
        asked = period.period(since, until, pco.now(), pco.config.display.zone)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    found = _wanted(pco, asked, wanted)
    if form == "table":
        for record in found:
            pco.say(_line(pco, record))
        return
    values = ({**record.__dict__, "at": times.iso(record.at)} for record in found)
    rowing.write_plain(values, form)


@verb
@click.option("--journal/--no-journal", default=True, help="Whether it is compared with the journal; default: it is.")
def verify(pco: Pco, journal: bool) -> None:
    """Say whether the record is whole: exit code 0, or 65 with each place where it is not.

    \b
    Examples:
      sudo pco-audit verify
      pco-audit verify --no-journal      for who may not read the journal
    """
    from pco.ground import chain, text
    from pco.ground.errors import BadData

    # First: a line is written before the journal is told of it, so what it knows now is in the record then.
    known, not_compared = _known(pco) if journal else (None, "not compared with the journal")
    hashes, months, torn, broken = set[str](), dict[str, None](), 0, 0
    for link in chain.links(pco.config.paths.audit):
        hashes.add(link.hash)
        months[link.file.removesuffix(".jsonl")] = None
        torn += link.record is None
        broken += not link.follows
        if not link.follows and broken <= MOST_TOLD:
            pco.fail(BadData(f"{link.file}: line {link.line} does not follow from the one before"))
    if broken > MOST_TOLD:
        pco.fail(BadData(f"and {broken - MOST_TOLD} more"))
    if torn:
        pco.log("warning", f"{text.count(torn, 'line')} say nothing: torn by a power cut, or written by something else")
    compared = not_compared if known is None else _compare(pco, known, hashes, set(months))
    if not pco.trouble:
        pco.say(f"{text.count(len(hashes), 'record')} in {text.count(len(months), 'file')}: whole; {compared}")


def _wanted(pco: Pco, asked: "Period", wanted: dict[str, str]) -> "Iterator[Record]":
    """The records of a period that are meant."""
    from pco.ground import audit

    folder = pco.config.paths.audit
    there = set(audit.months(folder))
    for month in asked.months:
        if month not in there:
            continue
        for record, _ in audit.read(folder, month, audit.offset_of(folder, month, asked.since)):
            if record and asked.holds(record.at) and _meant(record, wanted):
                yield record


def _meant(record: "Record", wanted: dict[str, str]) -> bool:
    return all(getattr(record, name) == value for name, value in wanted.items() if value)


def _line(pco: Pco, record: "Record") -> str:
    from pco.ground import text

    what = in_words(record.event, {name: value for name, value in record.fields.items() if name != "measured"})
    at = record.at.astimezone(pco.config.display.zone)
    by, key = text.line(record.by, 60), text.line(record.key, 40) or "-"
    return f"{at:%Y-%m-%d %H:%M:%S}  {by:<12} {key:<10} {text.line(what, 1000)}"


def _known(pco: Pco) -> tuple[set[str] | None, str]:
    """What the journal was told of; None where it cannot be asked, and why."""
    from pco.ground.errors import NotPermitted, Unavailable
    from pco.outside import heads

    if pco.config.paths.root is not None:
        return None, "the journal knows nothing of it (paths.root)"
    try:
        return heads.known(), ""
    except (NotPermitted, Unavailable) as error:
        pco.log("warning", f"not compared with the journal: {error}", hint=error.hint)
        return None, "not compared with the journal"


def _compare(pco: Pco, known: set[str], hashes: set[str], months: set[str]) -> str:
    """Compare the record with what the journal was told before it was read; months that are gone are past comparing."""
    from pco.ground.errors import BadData
    from pco.outside import heads

    gone = sorted(known - hashes)
    for line in heads.told(gone[:MOST_TOLD]):
        if f"{line.at:%Y-%m}" not in months:
            continue
        look = f"sudo journalctl -o verbose {heads.FIELD}={line.hash}"
        if line.trusted:
            lost = f"a line of {line.at:%Y-%m-%d %H:%M:%S} UTC is no longer there, or was changed"
            pco.fail(BadData(lost, f"the journal has what was done: {look}"))
        else:
            pco.log("warning", f"{line.by}, who is none of pco's users, told the journal of a line: {look}")
    if len(gone) > MOST_TOLD:
        pco.log("warning", f"{len(gone) - MOST_TOLD} more lines that only the journal knows were not looked at")
    return f"the journal was told of {len(hashes & known)} of them, and of nothing else"


main.add_command(list_)
main.add_command(verify)
