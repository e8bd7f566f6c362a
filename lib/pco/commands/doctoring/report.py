"""What pco-doctor prints: for a person, for programs, for a test harness."""

from collections.abc import Iterator, Sequence

import click

from pco.checks import Status
from pco.checks.boxes import SECTIONS
from pco.commands.doctoring.examination import Row, counted
from pco.commands.queue import rowing
from pco.commands.queue.terminal import paint, width
from pco.ground import text
from pco.run import Pco

LOOKS = {Status.FAIL: "failed", Status.WARN: "blocked", Status.UNSEEN: "dim", Status.OK: "posted"}
NAMES = {"V": "verified", "B": "built in", "R": "manual", "P": "a person"}


def write(pco: Pco, rows: Sequence[Row], form: str, *, every: bool) -> None:
    """Print the rows; as a table only those that ask for something, unless `every` is wanted."""
    if form == "json":
        rowing.write_plain([_plain(row) for row in rows], "json")
    elif form == "tap":
        for line in _tap(rows):
            click.echo(line)
    else:
        for line in _table(rows, every):
            click.echo(line, color=pco.color)


def _plain(row: Row) -> dict[str, object]:
    box, found = row.box, row.finding
    return {
        "id": box.id,
        "section": SECTIONS[box.section],
        "class": box.kind,
        "asks": box.asks,
        "status": found.status.value,
        "evidence": found.evidence,
        "mend": found.mend or None,
        "explained": row.explained,
    }


def _table(rows: Sequence[Row], every: bool) -> Iterator[str]:
    shown = [row for row in rows if every or row.finding.status not in (Status.OK, Status.NOT_APPLICABLE)]
    section = ""
    for row in shown:
        if row.box.section != section:
            section = row.box.section
            yield paint(f"{section}  {SECTIONS[section]}", "title")
        yield from _lines(row)
    yield ", ".join(f"{n} {status}" for status, n in counted(rows).items() if n) + (
        "" if every or len(shown) == len(rows) else " (-v shows all)"
    )


def _lines(row: Row) -> Iterator[str]:
    found, columns = row.finding, width()
    status = paint(found.status, LOOKS.get(found.status, "dim"))
    yield f"  {status}{' ' * (8 - len(found.status))}{row.box.id:<5} {row.box.asks}"
    yield from (f"                {line}" for line in _wrapped(text.line(found.evidence), columns))
    if found.mend and found.status is not Status.OK:
        yield f"                -> {paint(text.line(found.mend), 'title')}"


def _wrapped(said: str, columns: int) -> list[str]:
    """Broken at blanks where there is a terminal, so that evidence is read whole."""
    if not columns:
        return [said]
    from textwrap import wrap

    return wrap(said, max(columns - 17, 30), break_on_hyphens=False) or [""]


def _tap(rows: Sequence[Row]) -> Iterator[str]:
    """The Test Anything Protocol, version 13 (https://testanything.org/tap-version-13-specification.html)."""
    yield "TAP version 13"
    yield f"1..{len(rows)}"
    for n, row in enumerate(rows, 1):
        found = row.finding
        said = text.line(f"{row.box.id} {row.box.asks}: {found.evidence}").replace("#", "\\#")
        skip = {Status.UNSEEN: " # SKIP not seen", Status.NOT_APPLICABLE: " # SKIP not applicable"}
        todo = " # TODO see to it" if found.status is Status.WARN else skip.get(found.status, "")
        yield f"{'not ok' if found.status in (Status.FAIL, Status.WARN) else 'ok'} {n} - {said}{todo}"
