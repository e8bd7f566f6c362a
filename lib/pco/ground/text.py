"""Text from outside made safe to show.

What comes from Plane, from an agent or from a file is hostile: it may carry terminal escapes, bidirectional
overrides, invisible characters.  Nothing reaches a terminal or a log but through `lines` or `line`.

Two format characters belong to how some scripts are written, and to pictures put together of several (`joiners`): a
page keeps them where they do that, and nowhere else.
"""

import re
import unicodedata

_PLAIN = re.compile(r"[\x20-\x7e]*")
_CONTROLS = frozenset(["Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"])
_NON_JOINER, _JOINER = "\u200c", "\u200d"
# Scripts whose letters join, or are kept from joining: Unicode Standard 23.2.
_JOINING = frozenset(
    ["ARABIC", "SYRIAC", "MONGOLIAN", "N'KO", "MANDAIC", "DEVANAGARI", "BENGALI", "GURMUKHI", "GUJARATI", "ORIYA"]
    + ["TAMIL", "TELUGU", "KANNADA", "MALAYALAM", "SINHALA", "KHMER", "MYANMAR", "TIBETAN"]
)
_DRESS = re.compile("[\ufe0f\U0001f3fb-\U0001f3ff]")  # of a picture: shown in colour, a tone of skin


def lines(text: str, limit: int = 1_000_000, *, joiners: bool = False) -> str:
    """Drop control, format, bidi and unassigned characters; keep newline and tab.  At most `limit` characters.

    With `joiners`, for pages, what joins or parts letters of a script that needs it, and joins pictures, stays.
    """
    text = text[:limit]
    if _PLAIN.fullmatch(text) or text.replace("\n", "").replace("\t", "").isprintable():
        return text  # printable is what is in none of these categories, nor a space of another kind
    return "".join(
        c
        for n, c in enumerate(text)
        if c in "\n\t" or unicodedata.category(c) not in _CONTROLS or (joiners and _joins(text, n))
    )


def line(text: str, width: int = 0, *, joiners: bool = False) -> str:
    """Make one clean line of it; with `width`, cut it to that many terminal columns, with an ellipsis."""
    plain = _PLAIN.fullmatch(text) and "  " not in text
    one = text.strip() if plain else " ".join(lines(text[:100_000], joiners=joiners).split())
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


def _joins(text: str, n: int) -> bool:
    """Whether the n-th character stands where it joins, or parts, what is before and after it."""
    if text[n] not in (_NON_JOINER, _JOINER) or not 0 < n < len(text) - 1:
        return False
    before, after = text[n - 1], text[n + 1]
    if _joining(before) and _joining(after):
        return True
    dressed = n - 2 if _DRESS.match(before) and n > 1 else n - 1
    return text[n] == _JOINER and _picture(text[dressed]) and _picture(after)


def _joining(char: str) -> bool:
    return unicodedata.category(char)[0] in "LM" and unicodedata.name(char, "").partition(" ")[0] in _JOINING


def _picture(char: str) -> bool:
    return unicodedata.category(char) == "So"


def _wide(char: str) -> int:
    if unicodedata.combining(char) or char in (_NON_JOINER, _JOINER):
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
