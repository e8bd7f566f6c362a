"""How pco-queue speaks to people: width, colours, local times, questions, pager, editor.

Whatever comes from a ticket passes `ground.text` before it is painted; a painted text is never filtered again.
"""

import os
import shutil
import sys
from datetime import datetime, timedelta, tzinfo
from typing import Any

import click

from pco.ground import text, times
from pco.ground.errors import Unavailable
from pco.run import Pco

LOOKS: dict[str, dict[str, Any]] = {
    "blocked": {"fg": "yellow", "bold": True},
    "failed": {"fg": "red", "bold": True},
    "corrupt": {"fg": "red", "bold": True},
    "pending": {"fg": "cyan"},
    "completed": {"fg": "green"},
    "title": {"bold": True},
    "dim": {"dim": True},
}


def width() -> int:
    """The columns of the terminal; 0 if the output goes elsewhere, and is not to be cut."""
    return shutil.get_terminal_size().columns if "COLUMNS" in os.environ or sys.stdout.isatty() else 0


def paint(shown: str, look: str) -> str:
    """One clean line of `shown`, in the look of that name if there is one."""
    return click.style(text.line(shown), **LOOKS[look]) if look in LOOKS else text.line(shown)


def echo(pco: Pco, painted: str = "") -> None:
    """Print what was painted; colours go where a terminal shows them, or --color says so."""
    click.echo(painted, color=pco.color)


def coloured(pco: Pco) -> bool:
    """Whether colours will be seen."""
    return sys.stdout.isatty() if pco.color is None else pco.color


def page(pco: Pco, painted: str) -> None:
    """Print a long text: through the pager if a person would lose its beginning otherwise."""
    tall = sys.stdout.isatty() and painted.count("\n") >= shutil.get_terminal_size().lines
    if tall:
        os.environ.setdefault("LESS", "FRX")  # as git does: less shows colours, and ends by itself on one screen
        click.echo_via_pager(painted if painted.endswith("\n") else f"{painted}\n", color=coloured(pco))
    else:
        click.echo(painted.rstrip("\n"), color=pco.color)


def zone(pco: Pco) -> tzinfo | None:
    """The configured zone; None for the machine's own."""
    name = pco.config.display.timezone
    if name == "local":
        return None
    from zoneinfo import ZoneInfo

    return ZoneInfo(name)


def local(pco: Pco, moment: datetime) -> str:
    """A time as the clock on the wall shows it, in the configured zone."""
    return f"{moment.astimezone(zone(pco)):%Y-%m-%d %H:%M %Z}"


def when(pco: Pco, moment: datetime | None) -> str:
    """A time on the clock, and how long ago that is."""
    if moment is None:
        return "?"
    # What lies ahead is rounded up: `--until 2h` is in 2h, not in 1h.
    now = pco.now()
    return f"{local(pco, moment)} ({times.ago(moment, now if moment <= now else now - timedelta(seconds=1))})"


def asks() -> bool:
    """Whether there is a person to ask."""
    return sys.stdin.isatty()


def confirm(question: str, yes: bool) -> bool:
    """Ask, unless --yes.  Where nobody can answer, --yes is needed: a usage error."""
    if yes:
        return True
    if not asks():
        raise click.UsageError(f"{question} Nobody is there to answer (add --yes).")
    return click.confirm(text.line(question), err=True)


def edit(before: str, suffix: str = ".md") -> str:
    """Let the person change a text in $VISUAL or $EDITOR.  Raises Unavailable if the editor fails."""
    import shlex
    import subprocess
    import tempfile

    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or shutil.which("editor") or "vi"
    handle, path = tempfile.mkstemp(prefix="pco-", suffix=suffix)
    try:
        with open(handle, "w", encoding="utf-8", errors="replace") as file:
            file.write(before)
        try:
            ended = subprocess.run([*shlex.split(editor), path], check=False).returncode
        except (OSError, ValueError) as error:
            raise Unavailable(f"editor {editor}: {error}", "set EDITOR to one that is there") from error
        if ended:
            raise Unavailable(f"editor {editor}: exit {ended}; nothing changed")
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    finally:
        os.unlink(path)


def keep(words: str) -> str:
    """Save words that a person wrote and that did not get through; returns the file's name."""
    import tempfile

    with tempfile.NamedTemporaryFile("w", prefix="pco-kept-", suffix=".md", delete=False, errors="replace") as file:
        file.write(words)
    return file.name


def given(argument: str) -> str:
    """An argument's text; `-` is standard input."""
    return sys.stdin.read() if argument == "-" else argument


def indent(shown: str, by: str = "  ") -> str:
    """A clean text, each line moved in."""
    return "\n".join(f"{by}{one}".rstrip() for one in text.lines(shown).strip("\n").split("\n"))
