"""Read the audit record, and verify that it is whole.

It has a line for each move of a ticket, each decision of a person, each change of the configuration: when, what, by
whom, about which ticket, and why.  It lies in /var/lib/pco/audit, a file for each month, one JSON object a line.

Whom is who logged in, by the kernel's word (/proc/self/loginuid), also behind su and sudo; "as" says then as which
user it was done, and by whose sudo if that was another's.  Where no login is on record, as in a container, it is the
user who ran it, or for root who called sudo.

Each line carries the hash of the line before it, so that one that was changed, taken away, put in or moved stands out.
The journal, which those who may write the record cannot rewrite, is told the hash of each new line (PCO_AUDIT),
whatever log.level says: so also a record that was written anew as a whole, or cut at its end, is found out.  verify
compares both.  What others than root, pco and the members of group pco told the journal is a warning and no more.

Where the clock was ahead when a month's file began, all later records are in that file, too, until their time has
caught up with it; list finds them there.

The first line of all follows from nothing that is still there: pco-retention removes months that are older than
retention.audit, as whole files.  No other month may be gone: whoever makes retention.audit longer is told of those that
went before, as long as the journal knows them.
"""

from datetime import timedelta
from typing import TYPE_CHECKING

import click

from pco.command import CONTEXT, Verbs, configure, options, verb
from pco.run import Pco, in_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pco.ground.audit import Record
    from pco.outside.heads import Told
    from pco.rules.period import Period

FORMS = ("table", "json", "jsonl")
MOST_TOLD = 20  # that are printed of a kind; all are looked at
TOLD_WITHIN = timedelta(seconds=10)  # the journal, of a line that may have waited for its file


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

    69 or 75 says that the journal did not answer, and that nothing was compared with it.

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
        says = f"{text.count(torn, 'line')} {'says' if torn == 1 else 'say'} nothing"
        pco.log("warning", f"{says}: torn by a power cut, or written by something else")
    compared = not_compared if known is None else _compare(pco, known, hashes, set(months))
    if not pco.trouble:
        pco.say(f"{text.count(len(hashes), 'record')} in {text.count(len(months), 'file')}: whole; {compared}")


def _wanted(pco: Pco, asked: "Period", wanted: dict[str, str]) -> "Iterator[Record]":
    """The records of a period that are meant."""
    from pco.ground import audit

    folder = pco.config.paths.audit
    for month in audit.months(folder):
        offset = audit.begin(folder, month, asked.since, asked.until)
        for record, _ in () if offset is None else audit.read(folder, month, offset):
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
    from pco.ground.errors import NotPermitted
    from pco.outside import heads

    if pco.config.paths.root is not None:
        return None, "the journal knows nothing of it (paths.root)"
    try:
        return heads.known(), ""
    except NotPermitted as error:
        pco.log("warning", f"not compared with the journal: {error}", hint=error.hint)
        return None, "not compared with the journal"


def _compare(pco: Pco, known: set[str], hashes: set[str], months: set[str]) -> str:
    """Compare the record with what the journal was told before it was read; months that were due to go may be gone."""
    from pco.ground.errors import BadData
    from pco.outside import heads
    from pco.rules import retention

    kept, now = pco.config.retention.audit, pco.now()
    told = sorted(heads.told(known - hashes), key=lambda line: line.at)
    lost = [line for line in told if line.trusted and not retention.month_excused(_month(line), months, kept, now)]
    for line in lost[:MOST_TOLD]:
        gone = f"a line of {line.at:%Y-%m-%d %H:%M:%S} UTC is no longer there, or was changed"
        pco.fail(BadData(gone, f"the journal has what was done: {_look(line)}"))
    if len(lost) > MOST_TOLD:
        pco.fail(BadData(f"and {len(lost) - MOST_TOLD} more, the last of {lost[-1].at:%Y-%m-%d %H:%M:%S} UTC"))
    for month in sorted({_month(line) for line in lost} - months):
        pco.fail(BadData(f"{month}.jsonl is gone, and was not due to go"))
    _tell_of_strangers(pco, [line for line in told if not line.trusted])
    return f"the journal was told of {len(hashes & known)} of them{'' if told else ', and of nothing else'}"


def _month(line: "Told") -> str:
    """The month whose file it was written into, a moment before the journal was told."""
    return f"{line.at - TOLD_WITHIN:%Y-%m}"


def _tell_of_strangers(pco: Pco, lines: "list[Told]") -> None:
    """Warn of what those told the journal who may not write the record: anybody can, so it proves nothing."""
    for line in lines[:MOST_TOLD]:
        pco.log("warning", f"{line.by}, who is none of pco's users, told the journal of a line: {_look(line)}")
    if len(lines) > MOST_TOLD:
        more = ", ".join(sorted({line.by for line in lines}))
        pco.log("warning", f"and of {len(lines) - MOST_TOLD} more; all who did: {more}")


def _look(line: "Told") -> str:
    from pco.outside import heads

    return f"sudo journalctl -o verbose {heads.FIELD}={line.hash}"


main.add_command(list_)
main.add_command(verify)
