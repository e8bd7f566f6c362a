"""Text from outside made safe to show.

What comes from Plane, from an agent or from a file is hostile: it may carry terminal escapes, bidirectional
overrides, invisible characters.  Nothing reaches a terminal or a log but through `lines` or `line`.
"""

import re
import unicodedata

_PLAIN = re.compile(r"[\x20-\x7e]*")
_CONTROLS = frozenset(["Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"])


def lines(text: str, limit: int = 1_000_000) -> str:
    """Drop control, format, bidi and unassigned characters; keep newline and tab.  At most `limit` characters."""
    text = text[:limit]
    if _PLAIN.fullmatch(text) or text.replace("\n", "").replace("\t", "").isprintable():
        return text  # printable is what is in none of these categories, nor a space of another kind
    return "".join(c for c in text if c in "\n\t" or unicodedata.category(c) not in _CONTROLS)


def line(text: str, width: int = 0) -> str:
    """Make one clean line of it; with `width`, cut it to that many terminal columns, with an ellipsis."""
    one = text.strip() if _PLAIN.fullmatch(text) and "  " not in text else " ".join(lines(text[:100_000]).split())
    if not width or columns(one) <= width:
        return one
    kept, used = [], 0
    for char in one:
        used += _wide(char)
        if used > width - 1:
            break
        kept.append(char)
    return "".join(kept) + "…"


def columns(text: str) -> int:
    """How many terminal columns a clean text takes."""
    return len(text) if _PLAIN.fullmatch(text) else sum(_wide(c) for c in text)


def _wide(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def count(number: int, noun: str) -> str:
    """`1 commit`, `2 commits`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def nearest(name: str, known: list[str]) -> str:
    """The known name that looks most like `name`, or an empty string."""
    from difflib import get_close_matches

    return next(iter(get_close_matches(name, known, n=1, cutoff=0.6)), "")


def meant(name: str, known: list[str]) -> str:
    """A clause ` (did you mean X?)` or nothing."""
    near = nearest(name, known)
    return f" (did you mean {near}?)" if near else ""
