"""The secrets that a unit was given (systemd: $CREDENTIALS_DIRECTORY, a file each), and whether a text has one in it.

Who holds one can look for it by its value, whatever its form, and tell its kind: never the secret itself.  Only os is
imported: an agent waits for who asks this.
"""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

LEAST = 8  # characters; a shorter one would be found in any text
MOST_BYTES = 1 << 16


def given(environ: "Mapping[str, str]") -> "Iterator[tuple[str, str]]":
    """What each is, and its values.  What cannot be read is left out."""
    folder = environ.get("CREDENTIALS_DIRECTORY", "")
    try:
        names = sorted(os.listdir(folder)) if folder else []
    except OSError:
        return
    for name in names:
        try:
            with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as file:
                text = file.read(MOST_BYTES)
        except OSError:
            continue
        yield from ((f"the credential {name}", value) for value in values(text))


def values(text: str) -> "Iterator[str]":
    """The secrets in a file of them: each line, or of an address its password; of a private key each line of it."""
    for line in text.splitlines():
        line = line.strip()
        before, slashes, address = line.partition("://")
        user, at, _ = address.rpartition("@")
        secret = user.partition(":")[2] if slashes and at and " " not in before else line
        if len(secret) >= LEAST and not secret.startswith("-----"):
            yield secret


def masked(text: str, known: "Iterable[tuple[str, str]]") -> str:
    """The text with each of those `known` secrets replaced by what it is: `(the credential agent)`."""
    for kind, value in known:
        if len(value) >= LEAST:
            text = text.replace(value, f"({kind})")
    return text


def held(text: str, known: "Iterable[tuple[str, str]]") -> list[str]:
    """The kinds of those `known` secrets that a text has in it; of one that is known twice the first."""
    found: dict[str, str] = {}
    for kind, value in known:
        if len(value) >= LEAST and value in text:
            found.setdefault(value, kind)
    return list(dict.fromkeys(found.values()))
