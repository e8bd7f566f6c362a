"""What sudo says of those whom it refuses."""

import json

import pytest

from pco.outside import sudo


def entry(message: object, at: str = "1763813700000000") -> bytes:
    return json.dumps({"__REALTIME_TIMESTAMP": at, "MESSAGE": message}).encode()


@pytest.mark.parametrize(
    ("message", "what"),
    [
        ("bob : user NOT in sudoers ; TTY=pts/0 ; PWD=/home/bob ; USER=root ; COMMAND=/bin/ls", "user NOT in sudoers"),
        ("  bob : command not allowed ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/ls", "command not allowed"),
        ("     bob : 3 incorrect password attempts ; TTY=pts/0", "incorrect password attempt"),
        ("bob : 1 incorrect password attempt ; TTY=pts/0", "incorrect password attempt"),
    ],
)
def test_a_refusal_says_who_and_what(message, what):
    found = sudo._of(entry(message))

    assert found is not None
    assert (found.who, found.what, f"{found.at:%Y}") == ("bob", what, "2025")


@pytest.mark.parametrize(
    "line",
    [
        entry("bob : TTY=pts/0 ; PWD=/home/bob ; USER=root ; COMMAND=/bin/ls"),
        entry([98, 111]),
        entry("bob : command not allowed", at="soon"),
        b"{",
        b"[]",
        b"\xff",
    ],
)
def test_what_is_no_refusal_is_none(line):
    assert sudo._of(line) is None
