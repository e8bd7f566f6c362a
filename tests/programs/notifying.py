"""For tests of pco-notify: programs as hooks, a mail server and a web server that write down what they get."""

import json
import os
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from pco.ground.delivered import Delivered, read
from pco.ground.notice import Notice
from pco.spool import notices
from support import Site

NOTE = 'cat >>"{heard}"; echo >>"{heard}"\n'


@dataclass
class Office:
    """A site with hooks."""

    site: Site
    heard: Path

    @property
    def spool(self) -> Path:
        """The spool's folder."""
        return self.site.home / "spool"

    @property
    def hooks(self) -> Path:
        """The folder of an administrator's programs."""
        return self.site.home / "hooks.d"

    def hook(self, name: str, script: str = NOTE, mode: int = 0o755) -> Path:
        """A program EVENT/NAME; by default it notes what it gets in `heard`."""
        path = self.hooks / name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        path.write_text("#!/bin/sh\n" + script.replace("{heard}", str(self.heard)))
        path.chmod(mode)
        return path

    def leave(self, name: str, event: str, key: str = "", at: datetime | None = None, **fields: str) -> None:
        """A notice, as another program leaves it."""
        notices.leave(self.spool, name, Notice(event, at or datetime.now(UTC), key, fields))

    def got(self) -> list[dict[str, Any]]:
        """What the hooks noted."""
        return [json.loads(line) for line in self.heard.read_text().splitlines()] if self.heard.exists() else []

    def run(self, *args: str, code: int | None = 0, **more: Any) -> str:
        """Run pco-notify; returns all that it says."""
        done = self.site.run("pco-notify", *args, code=code, **more)
        return done.stdout + done.stderr

    def waits(self) -> list[str]:
        """The notices that nobody has taken."""
        return sorted(os.listdir(self.spool / "notify"))

    def under_way(self) -> list[dict[str, Any]]:
        """The messages that are not done with."""
        return [json.loads(path.read_text()) for path in sorted((self.spool / "sending").glob("*.json"))]

    def soon(self) -> None:
        """Let the time pass until what failed is tried again."""
        for path in (self.spool / "sending").glob("*.json"):
            message = json.loads(path.read_text())
            for way in message["ways"].values():
                way["next"] = None
            path.write_text(json.dumps(message))

    def later(self) -> None:
        """Let the throttle's time pass."""
        path = self.site.home / "metrics" / "notify.json"
        if not path.exists():
            return
        known = json.loads(path.read_text())
        path.write_text(json.dumps({**known, "last": {}}))

    def delivered(self) -> Delivered:
        """What pco-notify remembers."""
        return read(self.site.home / "metrics")


@pytest.fixture
def office(site: Site, tmp_path: Path) -> Office:
    """A site where nobody is told of anything yet."""
    return Office(site, tmp_path / "heard")


@dataclass
class Seen:
    """What a server got; `answer` is what it says."""

    port: int = 0
    got: list[Any] = field(default_factory=list)
    answer: int = 200


@contextmanager
def web(answer: int = 200, more: dict[str, str] | None = None) -> Iterator[Seen]:
    """A web server that notes (path, headers, JSON) of each POST."""
    seen = Seen(answer=answer)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            seen.got.append((self.path, dict(self.headers), json.loads(body)))
            self.send_response(seen.answer)
            for name, value in (more or {}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(f"no: {self.path}".encode() if seen.answer != 200 else b"ok")

        def log_message(self, *_: Any) -> None:
            pass

    with _serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler), seen) as found:
        yield found


@contextmanager
def mail_server(greeting: str = "220 here") -> Iterator[Seen]:
    """A mail server that notes (from, to, text) of each mail."""
    seen = Seen()

    class Handler(socketserver.StreamRequestHandler):
        def say(self, line: str) -> None:
            self.wfile.write(line.encode() + b"\r\n")

        def handle(self) -> None:
            self.say(greeting)
            sender, to = "", []
            while line := self.rfile.readline().decode().strip():
                verb = line[:4].upper()
                if verb == "MAIL":
                    sender = line
                elif verb == "RCPT":
                    to.append(line)
                elif verb == "DATA":
                    self.say("354 go on")
                    rows = []
                    while (row := self.rfile.readline()) not in (b".\r\n", b""):
                        rows.append(row)
                    seen.got.append((sender, to, b"".join(rows)))
                elif verb == "QUIT":
                    self.say("221 bye")
                    return
                self.say("250 ok")

    with _serving(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler), seen) as found:
        yield found


@contextmanager
def _serving(server: Any, seen: Seen) -> Iterator[Seen]:
    seen.port = server.server_address[1]
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        server.shutdown()
        server.server_close()
