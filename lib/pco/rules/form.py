"""A form: a Markdown text of an administrator with $variables, made HTML.

The form is understood as Markdown first, then its variables are filled in, once: what a value says is text, never
markup, and never a variable.  $summary, which is Markdown itself, has a line of its own, and what is before it and
after it stands for itself: a summary cannot hide it.

A line with a variable of several lines (LISTED) is repeated for each of them.  A line that names variables, all of
which are empty, is left out; so is a block, up to the next empty line, of which that is true as a whole.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from string import Template
from urllib.parse import quote

from pco.ground import text
from pco.ground.errors import BadConfig
from pco.ground.frozen import dataclass
from pco.rules import markdown

SUMMARY = "summary"
MOST_BYTES = 16 << 10  # of a form
MOST_HTML = 32 << 10  # of what is made of it, without the summary

Values = Mapping[str, str]
Line = tuple[int, str]  # its number, and what stands in it


@dataclass(frozen=True)
class Form:
    """The text, and what is named where it is wrong (`post.template: FILE`)."""

    name: str
    text: str


def filled(form: Form, values: Values, listed: Sequence[str]) -> tuple[str, str]:
    """The HTML that goes before the summary, and that which goes after it.  Raises BadConfig, with the line."""
    parts = _split(form, list(values), listed)
    # What is in the text only where it is put: no text contains its own hash.
    mark = f"pco{hashlib.sha256(form.text.encode('utf-8', 'replace')).hexdigest()[:24]}"
    before, after = (_part(lines, values, listed, mark) for lines in parts)
    if (size := len((before + after).encode())) > MOST_HTML:
        raise BadConfig(f"{form.name}: what it makes has {size} bytes, without the summary; {MOST_HTML} are allowed")
    return before, after


def check(form: Form, known: Iterable[str], listed: Sequence[str]) -> None:
    """Raise BadConfig, with the line, for what would never be a comment."""
    _split(form, [*known], listed)


def _part(lines: list[Line], values: Values, listed: Sequence[str], mark: str) -> str:
    """The HTML of the lines before or after the summary."""
    said: list[str] = []  # what stands at each mark

    def marked(line: str, row: Mapping[str, str]) -> str:
        used = {name: f"{mark}z{len(said) + n}z" for n, name in enumerate(_names(line))}
        said.extend(row[name] for name in used)
        return Template(line).substitute(used)

    source = [marked(line, row) for line, row in _rows(lines, values, listed)]
    place = re.compile(f"{mark}z([0-9]+)z")

    def fill(words: str) -> str:
        return place.sub(lambda found: said[int(found[1])], words)

    def link(address: str) -> str:
        alone = place.fullmatch(address)
        return said[int(alone[1])] if alone else place.sub(lambda found: quote(said[int(found[1])]), address)

    return markdown.html("\n".join(source), fill, link)


def _rows(lines: list[Line], values: Values, listed: Sequence[str]) -> Iterator[tuple[str, Mapping[str, str]]]:
    """The lines that are to be filled in, each with its values; without those that would say nothing."""
    for block in _blocks(lines):
        if _silent(" ".join(block), values):
            continue
        for line in block:
            if _silent(line, values):
                continue
            many = next((name for name in _names(line) if name in listed), "")
            for one in values[many].split("\n") if many else [""]:
                yield line, {**values, many: one}
        yield "", values


def _blocks(lines: list[Line]) -> Iterator[list[str]]:
    block: list[str] = []
    for _, line in [*lines, (0, "")]:
        if line.strip():
            block.append(line)
        elif block:
            yield block
            block = []


def _silent(words: str, values: Values) -> bool:
    """Whether it names variables, and all of them are empty."""
    names = _names(words)
    return bool(names) and not any(values[name] for name in names)


def _names(words: str) -> list[str]:
    return Template(words).get_identifiers()


def _split(form: Form, known: list[str], listed: Sequence[str]) -> tuple[list[Line], list[Line]]:
    """The lines before the summary and those after it.  Raises BadConfig."""
    before: list[Line] = []
    after: list[Line] = []
    lines = before
    if len(form.text.encode("utf-8", "replace")) > MOST_BYTES:
        raise BadConfig(f"{form.name}: more than {MOST_BYTES} bytes")
    for number, line in enumerate(text.lines(form.text).split("\n"), 1):
        names = _checked(f"{form.name}:{number}", line, known, listed)
        if SUMMARY not in names:
            lines.append((number, line))
        elif lines is after:
            raise BadConfig(f"{form.name}:{number}: $summary stands there twice")
        elif line.strip() not in ("$summary", "${summary}"):
            raise BadConfig(f"{form.name}:{number}: $summary needs a line of its own")
        else:
            lines = after
    if lines is before:
        raise BadConfig(f"{form.name}: $summary is missing", "it needs a line of its own")
    return before, after


def _checked(where: str, line: str, known: list[str], listed: Sequence[str]) -> list[str]:
    template = Template(line)
    if not template.is_valid():
        raise BadConfig(f"{where}: a $ that begins no variable", "write $$ where a $ is meant")
    names = template.get_identifiers()
    if unknown := [name for name in names if name not in (*known, SUMMARY)]:
        names_known = ", ".join(f"${name}" for name in (SUMMARY, *known))
        raise BadConfig(f"{where}: ${unknown[0]} is not known{text.meant(unknown[0], known)}", f"known: {names_known}")
    if len([name for name in names if name in listed]) > 1:
        raise BadConfig(f"{where}: {' and '.join(f'${name}' for name in listed)} have several lines: one of them only")
    return names
