"""Look whether pco is ready for production, and say what to do where it is not.

It goes through the 93 boxes of a production checklist.  Most of them it sees to itself (class V), and prints what it
saw as evidence, or the one command that mends it; some hold once pco is installed (B), some are pages of the manual
(R), and some only people can know (P): these are answered by "pco-doctor attest".  It takes a few seconds and changes
nothing; Plane is only read.

    ok      it holds                      warn    it works, but see to it
    n/a     there is nothing of the kind  fail    it does not hold
    unseen  it could not be looked at, as the line says; most often root can

Root sees all of it; user pco and members of group pco see what they may.

With --production it answers one question: go, or no-go.  No-go is a box that failed, a box that only people can answer
and nobody has, and one that could not be looked at, unless a person explains that by "attest".  A warning does not keep
it from "go".

With --url it looks at the dashboard of another machine, as its readers do; it needs no configuration then.

With --watch it looks for as long as you say at what pco logs as an error, at its units, its polls and its health, names
what is new as it comes, and at the end all that it saw.  The result is kept, for box 24.3.

With --end-to-end it makes test items in a project of Plane, has pco-poll bring them, approves them in your name, all at
once, and sees them through to the comment and the new state in Plane, as fast as the limits of sessions allow.  A small
program of pco's own works on them in place of the agent: it commits a file and hands over a summary, in a session like
any other, and costs nothing.  Then it says how long each step took, keeps the result (boxes 17.2 and, from 20 tickets
on, 17.4), and removes all that it made, in Plane, too, also if it is interrupted; what a killed run left the next one
removes.  It touches no other ticket, and takes slots of sessions, and of Plane's requests, while it runs: 20 tickets
take some minutes with the 50 requests a minute that pco sends as shipped.  Who watches the project in Plane is told of
these items.  With --local Plane is left out of it, and knows nothing of them; with --item an item that you made there
is worked on, by the same small program, and keeps its comment and its new state.
"""

from typing import TYPE_CHECKING, Any

import click

from pco.command import CONTEXT, Program, configure, options
from pco.run import Pco

if TYPE_CHECKING:
    from pco.commands.doctoring.examination import Row

WITHIN = 5.0  # seconds for all checks together
NO_GO = 65


class Doctor(Program, click.Group):
    """A program with one verb."""


@click.group("pco-doctor", cls=Doctor, invoke_without_command=True, context_settings=CONTEXT)
@options
@click.option("--format", "form", type=click.Choice(["table", "json", "tap"]), default="table", help="Default: table.")
@click.option("--section", "sections", multiple=True, metavar="N|ID", help="Only these sections or boxes; repeatable.")
@click.option("--production", is_flag=True, help="Go or no-go: exit 0 is go.")
@click.option("--url", metavar="URL", default="", help="Look at this dashboard, from outside.")
@click.option("--watch", "length", metavar="DURATION", default="", help="Watch logs, units and health for so long.")
@click.option("--end-to-end", "trial", metavar="PROJECT", default="", help="Send test tickets through everything.")
@click.option("--tickets", type=click.IntRange(1, 200), help="For --end-to-end: how many at once; default: 1.")
@click.option("--item", metavar="KEY", default="", help="For --end-to-end: this item of Plane, which stays.")
@click.option("--local", is_flag=True, help="For --end-to-end: without Plane.")
@click.pass_context
def main(ctx: click.Context, /, config: str | None, verbose: int, quiet: bool, color: str, **given: Any) -> None:
    """Verify that pco is ready for production.

    \b
    Examples:
      sudo pco-doctor                     what is not as it should be, and how to mend it
      pco-doctor -v --section 2           all about Plane and the agent, with evidence
      pco-doctor --production && echo go
      sudo pco-doctor --end-to-end WEB --tickets 20
      sudo pco-doctor --watch 30m
      pco-doctor attest 23.2 --note "Told all teams by mail" --until 2027-06-30
      pco-doctor --format json | jq -r '.[] | select(.status == "fail") | .mend'
    """
    pco = ctx.obj = Pco("pco-doctor")
    configure(pco, config, verbose, quiet, color)
    if ctx.invoked_subcommand is not None:
        return
    act(pco, **given)
    raise SystemExit(pco.trouble)


def act(
    pco: Pco,
    length: str,
    trial: str,
    tickets: int | None,
    item: str,
    local: bool,
    production: bool,
    url: str,
    **given: Any,
) -> None:
    """Watch, try, or look."""
    if bool(length) + bool(trial) + bool(url) > 1 or (production and (length or trial or url)):
        raise click.UsageError("--watch, --end-to-end, --url and --production are for a run of their own.")
    if not trial and (item or tickets or local):
        raise click.UsageError("--tickets, --item and --local go with --end-to-end.")
    if item and (tickets or local):
        raise click.UsageError("--item is one ticket of Plane: leave --tickets and --local out.")
    if length:
        from pco.commands.doctoring import watching

        pco.trouble = 0 if watching.watch(pco, watching.parse(length)) else NO_GO
    elif trial:
        from pco.commands.doctoring import rehearsing

        pco.trouble = 0 if rehearsing.rehearse(pco, trial, tickets or 1, item, local) else NO_GO
    else:
        look(pco, production=production, url=url, **given)


def look(pco: Pco, form: str, sections: tuple[str, ...], production: bool, url: str) -> None:
    """Examine, tell, and judge."""
    from pco.commands.doctoring import examination, report

    wanted = examination.wanted(sections)
    bugs: list[Exception] = []
    if url:
        rows = examination.outside(pco, url, WITHIN)
    else:
        rows, bugs = examination.inside(pco, wanted, WITHIN)
    report.write(pco, rows, form, every=bool(sections) or pco.loudness > 0 or bool(url))
    judge(pco, rows, form, production)
    if bugs:
        raise bugs[0]


def judge(pco: Pco, rows: "list[Row]", form: str, production: bool) -> None:
    """The exit code, and with --production the one word."""
    from pco.commands.doctoring import examination

    against = examination.against(rows, production=production)
    if against:
        pco.trouble = NO_GO
    if production and form == "table":
        named = ", ".join(row.box.id for row in against)
        pco.say(f"no-go: {named}" if against else "go")


@main.command("attest", context_settings=CONTEXT)
@options
@click.argument("box", metavar="ID")
@click.option("--note", metavar="TEXT", required=True, help="What holds, who said so, where it stands.")
@click.option("--until", metavar="DATE|DURATION", default="", help="When it must be said anew, such as 90d.")
@click.pass_obj
def attest(
    pco: Pco, config: str | None, verbose: int, quiet: bool, color: str, box: str, note: str, until: str
) -> None:
    """Say of a box what only a person can know, or explain why it could not be looked at.

    Your name, the time and the note are kept, and audited.

    \b
    Examples:
      pco-doctor attest 26.2 --note "Ann Example, operations"
      pco-doctor attest 17.1 --note "project SAND, two weeks" --until 1y
    """
    from pco.commands.doctoring import attesting

    configure(pco, config, verbose, quiet, color)
    attesting.attest(pco, box, note, until)
    raise SystemExit(pco.trouble)
