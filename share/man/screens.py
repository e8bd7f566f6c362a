"""What pco-claude(7) shows of Claude Code: @SCREEN NAME@ is a screen of share/doc/screens, and which versions it knows.

With FROM WORDS the screen begins with the line in which these words stand, with TO WORDS it ends with that line.
"""

import re
from collections.abc import Callable
from pathlib import Path

from pco.outside.agents.claude import program

SCREENS = Path(__file__).resolve().parents[1] / "doc" / "screens"
VALUES = {name: ".".join(map(str, getattr(program, name))) for name in ("OLDEST", "TESTED")}


def put_in(page: str, plain: Callable[[str], str]) -> str:
    """The page with its screens; `plain` makes text that roff leaves alone."""

    def drawn(found: re.Match[str]) -> str:
        lines = ("\\(ga".join(map(plain, line.split("`"))) for line in screen(*found.groups()))
        return "\n".join([".in 1n", ".nf", *(line or ".sp" for line in lines), ".fi", ".in"])

    return re.sub("@SCREEN ([a-z-]+)(?: FROM ([^@]+?))?(?: TO ([^@]+))?@", drawn, page)


def screen(name: str, first: str | None, last: str | None) -> list[str]:
    """The lines of a screen, without colours and with no more than one empty line at a time."""
    text = re.sub(r"\x1b\[[0-9;:]*m", "", (SCREENS / f"{name}.ansi").read_text()).replace("\xa0", " ")
    lines = [line.rstrip() for line in text.strip("\n").split("\n")]
    begin = next(n for n, line in enumerate(lines) if (first or "") in line)
    end = next((n for n, line in enumerate(lines) if last and n >= begin and last in line), len(lines))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines[begin : end + 1])).split("\n")
