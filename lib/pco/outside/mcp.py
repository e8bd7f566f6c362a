"""A server of tools for agents, as the Model Context Protocol has them on standard input and output: which it lists.

https://modelcontextprotocol.io/specification/2025-06-18/basic/lifecycle
"""

import json
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from pco.ground import text
from pco.ground.errors import BadData, TryLater, Unavailable

VERSION = "2025-06-18"
MOST = 1 << 20
_HELLO = {"protocolVersion": VERSION, "capabilities": {}, "clientInfo": {"name": "pco-doctor", "version": "1"}}


def tools(argv: Sequence[str], environment: Mapping[str, str], within: timedelta) -> tuple[str, ...]:
    """Start a server, ask for its tools, and end it.  Raises Unavailable, TryLater after `within`, BadData."""
    try:
        # A session of its own: what it starts is ended with it.
        child = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=dict(environment),
            cwd=Path("/"),
            start_new_session=True,
        )
    except OSError as error:
        raise Unavailable(f"{argv[0]}: {error.strerror}") from error
    try:
        return _listed(child, time.monotonic() + within.total_seconds())
    except TimeoutError:
        raise TryLater(f"it did not list its tools within {within.total_seconds():g} s") from None
    except BrokenPipeError:
        raise BadData("it ended before it was asked") from None
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        for pipe in (child.stdin, child.stdout):
            if pipe:
                with suppress(BrokenPipeError):
                    pipe.close()


def _listed(child: "subprocess.Popen[bytes]", due: float) -> tuple[str, ...]:
    # Its input stays open until it has answered: many end when that is closed, and answer nothing more.
    answers = _Answers(child, due)
    _say(child, {"id": 1, "method": "initialize", "params": _HELLO})
    answers.to(1)
    _say(child, {"method": "notifications/initialized"})
    _say(child, {"id": 2, "method": "tools/list"})
    found = answers.to(2).get("tools")
    return tuple(text.line(str(tool.get("name")), 60) for tool in found or () if isinstance(tool, dict))


def _say(child: "subprocess.Popen[bytes]", message: dict[str, Any]) -> None:
    assert child.stdin
    child.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
    child.stdin.flush()


class _Answers:
    """What a server says, line by line."""

    def __init__(self, child: "subprocess.Popen[bytes]", due: float) -> None:
        assert child.stdout
        self._out = child.stdout.fileno()
        self._due = due
        self._said = b""
        self._read = 0

    def to(self, id: int) -> dict[str, Any]:
        """The result of a request.  Raises TimeoutError, BadData if it is an error, or the server ends."""
        while True:
            line, found, rest = self._said.partition(b"\n")
            if not found:
                self._more()
                continue
            self._said = rest
            try:
                value = json.loads(line)
            except (ValueError, RecursionError):
                continue  # it says something to a person
            if isinstance(value, dict) and value.get("id") == id and "method" not in value:
                if not isinstance(value.get("result"), dict):
                    raise BadData(f"it refuses: {text.line(json.dumps(value.get('error')), 200)}")
                result: dict[str, Any] = value["result"]
                return result

    def _more(self) -> None:
        with selectors.DefaultSelector() as waiting:
            waiting.register(self._out, selectors.EVENT_READ)
            left = self._due - time.monotonic()
            if left <= 0 or not waiting.select(left):
                raise TimeoutError
        part = os.read(self._out, 1 << 16)
        self._read += len(part)
        if not part:
            raise BadData("it ended before it had listed its tools")
        if self._read > MOST:
            raise BadData("it says more than any list of tools")
        self._said += part
