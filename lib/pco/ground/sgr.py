"""The parameters of SGR, the control sequence ESC [ ... m that says how a terminal draws text (ECMA-48, 8.3.117).

A parameter has its sub-parameters with it, after colons (ISO 8613-6): `4:3` is one, a curly underline, and neither 4
nor 3.  The colours 38 (text), 48 (ground) and 58 (underline) have arguments: as sub-parameters, `38:5:N`, `38:2::R:G:B`
and, without a colour space, `38:2:R:G:B`; or as the parameters that follow, `38;5;N`, `38;2;R;G;B`.
"""

from pco.ground.frozen import dataclass

MOST = 64  # parameters that are read of one sequence
COLOURS = (38, 48, 58)
_LARGEST = 10**6


@dataclass(frozen=True)
class Code:
    """One parameter and what belongs to it: of a colour `(5, N)` or `(2, R, G, B)`, of 4 its style, else nothing."""

    number: int
    given: tuple[int, ...] = ()

    def __str__(self) -> str:
        """As every terminal knows it; a style of 4 is a plain underline there, or none."""
        if self.number == 4 and self.given:
            return "24" if self.given == (0,) else "4"
        return ";".join(map(str, (self.number, *self.given)))


def codes(text: str) -> list[Code]:
    """What stands between `[` and `m`.  A broken colour ends the sequence: what follows might be meant for it."""
    parts = text.split(";")[:MOST]
    found: list[Code] = []
    at = 0
    while at < len(parts):
        code, colons, rest = parts[at].partition(":")
        number = _number(code)
        at += 1
        if colons:
            given = _within(number, [_number(part) if part else None for part in rest.split(":")])
            found += [] if given is None else [Code(number, given)]
        elif number in COLOURS:
            given = _following(parts[at:])
            if given is None:
                break
            found.append(Code(number, given))
            at += len(given)
        else:
            found.append(Code(number))
    return found


def _number(digits: str) -> int:
    """Nothing is 0; what is so large means nothing."""
    return min(int(digits or "0"), _LARGEST)


def _within(number: int, subs: list[int | None]) -> tuple[int, ...] | None:
    """The sub-parameters, as Code has them; None where they say nothing."""
    if number == 4 and subs[0] is not None and len(subs) == 1:
        return (subs[0],)
    if number not in COLOURS:
        return None
    if subs[0] == 5 and len(subs) >= 2:
        return _colour([5, subs[1]])
    if subs[0] == 2:
        return _colour([2, *(subs[1:4] if len(subs) == 4 else subs[2:5])])
    return None


def _following(parts: list[str]) -> tuple[int, ...] | None:
    """The parameters that belong to a colour; None if they are not there."""
    wanted = {"5": 2, "2": 4}.get(parts[0].lstrip("0"), 0) if parts else 0
    taken = parts[:wanted]
    if not wanted or len(taken) < wanted or any(":" in part for part in taken):
        return None
    return _colour([_number(part) for part in taken])


def _colour(given: list[int | None]) -> tuple[int, ...] | None:
    """`5, N` or `2, R, G, B`; more than full is full."""
    numbers = [number or 0 for number in given]
    if numbers[0] == 5:
        return (5, numbers[1])
    return (2, *(min(number, 255) for number in numbers[1:])) if len(numbers) == 4 else None
