"""What an administrator wants hidden in logs and comments: patterns that cannot hang a program, and what they hide.

A pattern is a regular expression of Python (https://docs.python.org/3/library/re.html) within bounds: it repeats single
characters only, no groups, refers to nothing before it, and has few ways in which it can match at one place.  So the
time that it takes on a piece of a line is bounded, whatever stands there.
"""

import re
import warnings
from collections.abc import Iterable
from re import _constants as code  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

HIDDEN = "(hidden)"
MOST_PATTERNS = 50
MOST_LENGTH = 500
MOST_PIECE = 1000  # characters that are looked at together; a line is hardly ever longer
STEP = 800  # from piece to piece: what is no longer than their difference is found wherever it stands in a long line
MOST_WAYS = 50_000  # with each place of a piece some 50 million steps: a second, at the worst
_REPEATS = (code.MAX_REPEAT, code.MIN_REPEAT, code.POSSESSIVE_REPEAT)
_SINGLE = (code.LITERAL, code.NOT_LITERAL, code.ANY, code.IN)
_REFUSED = {
    code.GROUPREF: "refers back to a group",
    code.GROUPREF_EXISTS: "asks for a group",
    code.ASSERT: "looks ahead or behind",
    code.ASSERT_NOT: "looks ahead or behind",
}


def check(pattern: object) -> str:
    """The pattern, if it is one that cannot hang a program.  Raises ValueError that says what is wrong."""
    if not isinstance(pattern, str) or not 0 < len(pattern) <= MOST_LENGTH:
        raise ValueError(f"expected a regular expression of 1 to {MOST_LENGTH} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what another Python may understand otherwise
            compiled = re.compile(pattern)
            parsed = parser.parse(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"{pattern[:60]!r} is no regular expression: {error}") from None
    if compiled.match(""):
        raise ValueError(f"{pattern[:60]!r} matches nothing at all, too: it would be everywhere")
    if _ways(parsed, pattern) > MOST_WAYS:
        raise ValueError(
            f"{pattern[:60]!r} could take for ever: give all but one repetition a small end, such as {{1,60}}"
        )
    return pattern


class Redaction:
    """Hides what the patterns find."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self._forms = [re.compile(pattern) for pattern in patterns]

    def __call__(self, words: str) -> str:
        """The text without what is to be hidden; line by line, and a very long line by pieces that overlap."""
        if not self._forms:
            return words
        return "\n".join(map(self._line, words.split("\n")))

    def _line(self, line: str) -> str:
        for form in self._forms:
            line = form.sub(HIDDEN, line) if len(line) <= MOST_PIECE else _without(line, form)
        return line


def _without(line: str, form: "re.Pattern[str]") -> str:
    """A long line without what a pattern finds in any of its pieces."""
    pieces = (form.finditer(line, at, at + MOST_PIECE) for at in range(0, len(line), STEP))
    kept, end = [], 0
    for start, stop in sorted({match.span() for found in pieces for match in found}):
        if start >= end:
            kept += [line[end:start], HIDDEN]
        end = max(end, stop)
    return "".join([*kept, line[end:]])


def _ways(parsed: Any, pattern: str) -> int:
    """In how many ways it can match at one place, at most.  Raises ValueError for what makes that hard to say."""
    ways = 1
    for kind, value in parsed:
        if kind in _REFUSED:
            raise ValueError(f"{pattern[:60]!r} {_REFUSED[kind]}: that could take for ever")
        if kind in _REPEATS:
            least, most, what = value
            if len(what) != 1 or what[0][0] not in _SINGLE:
                raise ValueError(
                    f"{pattern[:60]!r} repeats a group: that could take for ever; repeat single characters"
                )
            ways *= max(min(most, MOST_PIECE) - least, 0) + 1
        elif kind is code.BRANCH:
            ways *= sum(_ways(part, pattern) for part in value[1])
        elif kind in (code.SUBPATTERN, code.ATOMIC_GROUP):
            ways *= _ways(value[-1] if kind is code.SUBPATTERN else value, pattern)
    return ways
