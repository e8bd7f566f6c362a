"""An admin at pco-queue, with tickets in the spool: for its tests; also an admin at a real terminal."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

from pco.ground import yamlfile
from pco.ground.ticket import State
from pco.rules import prompt
from support import TOP, WEB, a_ticket, put

PROJECT = {"id": WEB, "repository": "/srv/git/web.git", "key": "WEB"}
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


class Desk:
    """What a test needs of one admin: run a verb, look at the spool."""

    def __init__(self, site):
        self.site = site
        self.spool = site.spool()
        site.configure(
            plane={"url": "https://plane.example.org", "workspace": "acme", "projects": [PROJECT]},
            display={"timezone": "UTC"},
        )

    def run(self, *args, code=0, **more):
        """Run pco-queue; its standard input is empty unless given."""
        given = {} if "input" in more else {"stdin": subprocess.DEVNULL}
        return self.site.run("pco-queue", *args, code=code, **given, **more)

    def out(self, *args, code=0, **more):
        """What it printed, as lines."""
        return self.run(*args, code=code, **more).stdout.splitlines()

    def json(self, *args, **more):
        """What it printed as JSON."""
        return json.loads(self.run(*args, "--format", "json", **more).stdout)

    def has(self, key, state=State.PENDING, **changes):
        """Put a ticket there; names of a round's fields change its round."""
        ticket = a_ticket(key)
        inner = {name: changes.pop(name) for name in list(changes) if hasattr(ticket.round, name)}
        ticket = a_ticket(key, **changes).with_round(**inner)
        return put(self.spool, ticket, state)

    def read(self, key):
        return self.spool.read(key)

    def hash(self, key):
        """What an approval would be bound to now."""
        ticket = self.read(key)
        return prompt.content_hash(ticket, prompt.target(ticket, yamlfile.load(self.site.config)))

    def flags(self):
        """The wake-up flags that are set."""
        return sorted(os.listdir(self.site.home / "spool" / "wake"))

    def audited(self):
        """The audit records, as (event, key)."""
        lines = [
            line for path in sorted((self.site.home / "audit").iterdir()) for line in path.read_text().splitlines()
        ]
        return [(value["event"], value["key"]) for value in map(json.loads, lines)]

    def terminal(self, *args, columns=100, **environment):
        """pco-queue at a terminal of its own."""
        env = {**self.site.environment(), "TERM": "xterm", "PAGER": "cat", "COLUMNS": str(columns), **environment}
        return at_terminal(["pco-queue", *args], env)


@contextmanager
def at_terminal(words, env):
    """A program at a terminal of its own."""
    master, slave = pty.openpty()
    command = [sys.executable, str(TOP / "bin" / words[0]), *words[1:]]
    ends = {"stdin": slave, "stdout": slave, "stderr": slave}
    # A test run in the background ignores Ctrl-C; a person's shell does not.
    child = subprocess.Popen(command, **ends, env=env, start_new_session=True, preexec_fn=_heed_interrupts)
    os.close(slave)
    try:
        yield Terminal(master, child)
    finally:
        if child.poll() is None:
            child.kill()
        child.wait()
        os.close(master)


def _heed_interrupts():
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Terminal:
    """What a person sees and types."""

    def __init__(self, master, child):
        self.master = master
        self.child = child
        self.seen = ""

    def until(self, words, seconds=20):
        """Read until `words` appear; returns what was printed up to there."""
        deadline = time.monotonic() + seconds
        while words not in self.seen:
            assert self._more(deadline), f"{words!r} never came, but:\n{self.seen}"
        before, _, self.seen = self.seen.partition(words)
        return before + words

    def type(self, words):
        os.write(self.master, words.encode())

    def interrupt(self):
        """Press Ctrl-C until it ends: one that comes just before a blocking read is not noticed until the next."""
        for _ in range(40):
            os.killpg(self.child.pid, signal.SIGINT)
            try:
                self.child.wait(0.5)
                return
            except subprocess.TimeoutExpired:
                pass

    def end(self, code=0, seconds=20):
        """Read to the end; the exit code must be `code`."""
        deadline = time.monotonic() + seconds
        while self._more(deadline):
            pass
        ended = self.child.wait(seconds)
        assert ended == code, f"exit {ended}\n{self.seen}"
        return self.seen

    def _more(self, deadline):
        if not select.select([self.master], [], [], max(deadline - time.monotonic(), 0))[0]:
            return False
        try:
            data = os.read(self.master, 65536)
        except OSError:  # the other side is closed
            return False
        self.seen += data.decode("utf-8", "replace").replace("\r\n", "\n")
        return bool(data)
