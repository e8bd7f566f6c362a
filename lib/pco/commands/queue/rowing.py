"""Tickets as rows, in the formats for other programs; nothing in these is cut, coloured or in local time."""

import json
from collections.abc import Iterable
from typing import Any

import click

from pco.ground import text

# What a terminal must not get, and JSON can say in ASCII (all else that is not printable, json escapes by itself).
_DELETE = ("\x7f", "\\u007f")


def dump(value: Any, indent: int | None = None) -> str:
    """JSON in ASCII: safe on a terminal, and without loss."""
    return json.dumps(value, ensure_ascii=True, indent=indent).replace(*_DELETE)


def write(rows: Iterable[dict[str, Any]], form: str) -> None:
    """Print rows as json (one array), jsonl, tsv (with a line of names) or keys."""
    if form in ("json", "jsonl"):
        write_plain(rows, form)
    elif form == "keys":
        for row in rows:
            click.echo(row["key"])
    else:
        _tsv(list(rows))


def write_plain(values: Iterable[Any], form: str) -> None:
    """Print any values as json (one array) or jsonl."""
    if form == "json":
        click.echo("[" + ",\n ".join(dump(value) for value in values) + "]")
        return
    for value in values:
        click.echo(dump(value))


def _tsv(rows: list[dict[str, Any]]) -> None:
    from pco.rules.rows import NAMES

    click.echo("\t".join(NAMES))
    for row in rows:
        click.echo("\t".join(_cell(row[name]) for name in NAMES))


def _cell(value: Any) -> str:
    """One cell: text as one clean line, nothing as an empty one, what has parts as JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return text.line(value)
    if isinstance(value, list):
        return text.line(",".join(map(str, value)))
    return dump(value)
