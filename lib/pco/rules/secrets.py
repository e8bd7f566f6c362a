"""What looks like a secret in a text, by the forms that issuers give theirs; and secrets that are known by their value.

A finding never repeats the secret: it names the kind, and shows the first characters that all of that kind share.
"""

import re
from collections.abc import Iterable
from typing import Any, TypeVar, cast

from pco.ground import credentials
from pco.ground.frozen import dataclass

T = TypeVar("T")

# Written: `re` compiles them when one is wanted, which no text of most runs wants.
KINDS = (
    ("a token of Plane", r"\bplane_api_[0-9a-f]{16,}"),
    ("a key of Anthropic", r"\bsk-ant-[A-Za-z0-9_-]{20,}"),
    ("a token of GitHub", r"\b(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{40,})"),
    ("a token of GitLab", r"\bglpat-[A-Za-z0-9_-]{18,}"),
    ("a token of Slack", r"\bxox[abprs]-[A-Za-z0-9-]{12,}"),
    ("an address that posts to Slack", r"https://hooks\.slack\.com/services/[A-Za-z0-9/]{20,}"),
    ("a key of AWS", r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    ("a private key", r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----(?s:.*?-----END [A-Z0-9 ]*-----)?"),
    ("a password in an address", r"\b[a-z][a-z0-9+.-]*://[^\s/:@]{1,100}:[^\s/@]{3,200}@"),
)
# What each of them has: most texts have nothing of it, and are looked through once.
_HINT = re.compile(
    r"plane_api_|sk-ant-|gh[pousr]_|github_pat_|glpat-|xox[abprs]-|hooks\.slack|A[KS]IA|PRIVATE KEY|:[^\s/@]+@"
)
# What its name calls a secret, though it has no form of its own; a path or a variable only says where one is.
_NAMED = re.compile(
    r"((?:password|passwd|secret|token|api_?key|access_?key|private_?key)[\"']?\s*[:=]\s*[\"']?)(?![$/`<(])"
    r"[^\s\"',;}#]{8,}",
    re.I,
)
_FILES = re.compile(
    r"(?:^|[._/-])(?:credentials?|passwd|shadow|htpasswd|passwords?|secrets?|tokens?|netrc|id_(?:rsa|dsa|ecdsa|ed25519))"
    r"(?:$|[._/-])|\.(?:key|p12|pfx|jks|kdbx)$",
    re.I,
)


@dataclass(frozen=True)
class Leak:
    """A secret in a text: its kind, and the number of its line, from 1."""

    kind: str
    line: int


def masked(text: str, known: Iterable[tuple[str, str]] = ()) -> str:
    """The text with every secret replaced by what it is: `(a key of Anthropic)`."""
    text = credentials.masked(text, known)
    if _HINT.search(text):
        for kind, form in KINDS:
            text = re.sub(form, f"({kind})", text)
    return text


def masked_all(value: T) -> T:
    """A value of JSON with every text in it masked."""
    found: Any = value
    if isinstance(value, str):
        found = masked(value)
    elif isinstance(value, dict):
        found = {name: masked_all(one) for name, one in value.items()}
    elif isinstance(value, list | tuple):
        found = [masked_all(one) for one in value]
    return cast(T, found)


def stripped(text: str) -> str:
    """The text without secrets, and without what may well be one: for what leaves the machine."""
    return _NAMED.sub(r"\g<1>(masked)", masked(text))


def is_file(name: str) -> bool:
    """Whether a file of this name (or path) is for a secret."""
    return bool(_FILES.search(name))


def leaks(text: str, known: Iterable[tuple[str, str]] = ()) -> list[Leak]:
    """What looks like a secret, or is one of the `known`: (kind, value)."""
    values = [(kind, value) for kind, value in known if len(value) >= credentials.LEAST]
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        kinds = [kind for kind, value in values if value in line]
        kinds += [kind for kind, form in KINDS if re.search(form, line)] if not kinds else []
        found += [Leak(kind, number) for kind in kinds]
    return found
