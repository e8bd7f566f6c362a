"""Say what happened in some days: tickets, sessions, waiting, money, people.

A report is about whole days, in the zone of display.timezone.  It tells

    how things stand       open tickets by state and project, who waits, why pco is not well
    tickets and sessions   what came and what ended, outcomes, when in the week summaries were made
    waiting                for approval, launch, acceptance and posting: how long half of the tickets
                           waited at most, and nine of ten; how long sessions waited for people
    cost                   by project and by day, tokens; which tickets cost most, which took longest
    people                 who approved, accepted, sent back, tried again, rejected
    access                 who read the dashboard, whom it and sudo refused (root and members of
                           group adm may read that)

What came of it is read from the audit record and the ledger of each day, and only of the days that are asked for: it
tells of tickets, too, that were dropped since, and takes no longer for those that ended before.  What could not be read
is said at the end.

Two timers send a report to where pco-notify tells people of events: pco-digest.timer each morning, on the day before,
and pco-weekly.timer on Mondays, on the week before.  The weekly one also lists which boxes of pco-doctor only people
can answer, and nobody has.

The JSON has the same, with durations in seconds, money in USD, times in ISO 8601 with Z: since, until, made; now (open,
finished, oldest, blocked, reasons); created, ended, refused; sessions, success, outcomes, hours (24 numbers for
each day, Monday first), gates (name, count, median, p90), waited; usd, days, projects, dearest, slowest; people;
readers, refusals (null: they could not be read); events; unseen.
"""

import json
import sys
from typing import TYPE_CHECKING

import click

from pco.command import command
from pco.run import Pco

if TYPE_CHECKING:
    from pco.pages.clock import Clock
    from pco.rules.period import Period
    from pco.rules.report import Report


@command
@click.option("--since", metavar="DAY", default="7d", help="7d, 2w, today, week, month, 2026-11-01, ...; default: 7d.")
@click.option("--until", metavar="DAY", default="", help="Up to the beginning of this day; default: now.")
@click.option("--format", "form", type=click.Choice(["table", "json", "html"]), default="table", help="Default: table.")
@click.option("--top", type=click.IntRange(1, 10_000), default=10, help="How many tickets are named; default: 10.")
@click.option("--digest", is_flag=True, help="Have people told of yesterday, as a timer does each day.")
@click.option("--weekly", is_flag=True, help="Have people told of the last seven days, as a timer does each week.")
def main(pco: Pco, since: str, until: str, form: str, top: int, digest: bool, weekly: bool) -> None:
    """Say what happened in some days: tickets, sessions, waiting, money, people.

    \b
    Examples:
      pco-report                                       the last seven days, and today
      sudo pco-report --since month                    this month, with who read the dashboard
      pco-report --since 2026-10-01 --until 2026-11-01 --format html > october.html
      pco-report --since today --format json | jq .success
    """
    from pco.rules import period

    if digest and weekly:
        raise click.UsageError("either --digest or --weekly")
    _ = pco.spool  # says at once that it is not there, or may not be used
    if digest or weekly:
        send(pco, "daily-digest" if digest else "weekly-report", 1 if digest else 7)
        return
    try:
        asked = period.period(since, until, pco.now(), pco.config.display.zone)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    show(pco, asked, form, top)


def show(pco: Pco, asked: "Period", form: str, top: int) -> None:
    """Print a report."""
    from pco.commands.reporting import gathering

    report = gathering.gather(pco, asked, top)
    if form == "json":
        click.echo(_json(report))
    elif form == "html":
        from pco import __version__
        from pco.pages import report as pages
        from pco.run import share

        sheet = share("www/style.css").read_text()
        click.echo(pages.page(report, clock(pco), __version__, sheet), nl=False)
    else:
        from pco.commands.queue import terminal
        from pco.pages import digest

        blocks = "utf" in (sys.stdout.encoding or "").lower()
        shown = digest.lines(report, clock(pco), terminal.width() or digest.WIDTH, blocks)
        looks = terminal.LOOKS
        terminal.page(
            pco, "\n".join(click.style(line, **looks[look]) if look in looks else line for look, line in shown)
        )


def send(pco: Pco, event: str, days: int) -> None:
    """Leave a report on the last days where pco-notify takes it from."""
    from pco.commands.reporting import gathering
    from pco.ground.errors import SystemFault
    from pco.ground.notice import Notice
    from pco.pages import digest
    from pco.rules import period

    asked = period.last_days(days, pco.now(), pco.config.display.zone)
    report = gathering.gather(pco, asked, 10 if days > 1 else 5, asking=days > 1)
    fields = {"text": digest.plain(report, clock(pco)), "since": f"{asked.days[0]}", "until": f"{asked.days[-1]}"}
    if not pco.leave(f"{event}-{asked.days[-1]}", Notice(event, pco.now(), fields=fields)):
        raise SystemFault(f"the {event} was not left for pco-notify")
    pco.log("info", f"left the {event.replace('-', ' ')} on {digest.period(report, clock(pco))}")


def clock(pco: Pco) -> "Clock":
    """Now, and the zone that people read times in."""
    from pco.pages.clock import Clock

    return Clock(pco.now(), pco.config.display.zone, pco.config.display.timezone)


def _json(report: "Report") -> str:
    from pco.ground import shape

    value = {**shape.dump(report), "sessions": report.sessions, "success": report.success}
    return json.dumps(value, indent=1)
