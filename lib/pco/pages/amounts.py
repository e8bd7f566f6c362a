"""Numbers as people read them: spans of time, tokens, shares, bars."""

from datetime import datetime

_EIGHTHS = " ▏▎▍▌▋▊▉"
_SHADES = " ░▒▓█"
_PLAIN_SHADES = " .:+#"

MOST = 1e10  # seconds: three hundred years; what somebody wrote into a record may be anything


def span(seconds: float) -> str:
    """A length of time, exact enough for people: `45s`, `12m`, `3h 20m`, `2d 4h`; nothing is less than 0s."""
    whole = int(min(max(seconds, 0.0), MOST))
    if whole >= 86400:
        days, hours = divmod(whole // 3600, 24)
        return f"{days}d {hours}h" if hours else f"{days}d"
    if whole >= 3600:
        hours, minutes = divmod(whole // 60, 60)
        return f"{hours}h {minutes}m" if minutes else f"{hours}h"
    return f"{whole // 60}m" if whole >= 60 else f"{whole}s"


def took(start: datetime, end: datetime) -> str:
    """How long something took, as a `span`."""
    return span((end - start).total_seconds())


def short(number: int) -> str:
    """`950`, `12k`, `1.2M`."""
    for size, unit in ((1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")):
        if number >= size:
            shown = number / size
            return f"{shown:.0f}{unit}" if shown >= 10 else f"{shown:.1f}{unit}"
    return str(number)


def share(part: float | None) -> str:
    """`87%`; a dash for what is not known.  Never 100% of what is less, nor 0% of what is more."""
    if part is None:
        return "-"
    whole = round(part * 100)
    return "over 99%" if whole == 100 and part < 1 else "under 1%" if whole == 0 and part > 0 else f"{whole}%"


def bar(value: float, most: float, columns: int, blocks: bool = True) -> str:
    """A bar of at most so many columns; what is more than nothing can be seen.  Without `blocks` in ASCII."""
    if value <= 0 or most <= 0:
        return ""
    eighths = max(round(min(value / most, 1.0) * columns * 8), 1)
    if not blocks:
        return "#" * max(round(eighths / 8), 1)
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def shade(value: int, most: int, blocks: bool = True) -> str:
    """One character, the darker the more."""
    shades = _SHADES if blocks else _PLAIN_SHADES
    return shades[0] if value <= 0 else shades[min(-(-value * 4 // max(most, 1)), 4)]
