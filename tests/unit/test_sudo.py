"""What sudo says of those whom it refuses."""

import json
from datetime import UTC, datetime
from types import SimpleNamespace as Namespace

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


def test_those_of_the_time_asked_for_and_no_others(monkeypatch):
    """journalctl is asked in whole seconds: no half of one is left out, and none too many told."""
    asked = []
    since, until = datetime.fromtimestamp(1000.6, UTC), datetime.fromtimestamp(1003.4, UTC)
    at = [1000.5, 1000.7, 1003.3, 1003.5]
    said = b"\n".join(entry("bob : command not allowed ; TTY=pts/0", at=f"{moment * 1e6:.0f}") for moment in at)
    monkeypatch.setattr(sudo.process, "run", lambda argv, *_: asked.extend(argv) or Namespace(out=said))

    assert [one.at.timestamp() for one in sudo.refused(since, until)] == [1000.7, 1003.3]
    assert {"--since=@1000", "--until=@1004"} <= set(asked)
