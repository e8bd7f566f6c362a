"""Put your terminal before the session of a ticket: what pco-queue attach runs where sessions are units of systemd.

It speaks with the relay of that session, which runs tmux as the session's own user: none of it runs as you.  What you
type goes to the session, what it draws comes to you; in the end your terminal is as it was.  The session draws the
screen, all of it: believe what you see there as much as you believe the agent.  What is no drawing does not reach your
terminal: the session neither reads nor sets your clipboard, learns no title of your windows, and prints nothing.

Leave with Ctrl-B, then D.  The session's tmux may have been told otherwise: Ctrl-] three times within a second leaves,
too, and asks nobody.
"""

import os
import re
import select
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path

import click

from pco.command import command
from pco.ground import text
from pco.ground.errors import BadData, PcoError, TryLater, Unavailable
from pco.ground.ticket import KEY
from pco.outside import console
from pco.outside.relay import END, FOLDER, HELLO, KEYS, OUTPUT, SIZE, Frames, Hello, Why, connect, frame
from pco.rules.passing import Passing
from pco.run import Pco

WORDS = {
    Why.DETACHED: "detached; the session goes on",
    Why.ENDED: "the session has ended",
}
TROUBLE: dict[Why, PcoError] = {
    Why.FULL: TryLater("too many people look at it already", "try again when one of them has left"),
    Why.REFUSED: BadData("the relay does not understand this pco-attach", "is the session of an older pco?"),
    Why.BROKEN: Unavailable("tmux could not show the session", "is TERM the name of your terminal?"),
    Why.LOST: TryLater("the connection was lost; the session may go on", "try again"),
}
# Ctrl-], also as xterm and kitty send it when somebody asked them for more than control characters.
ESCAPE = re.compile(rb"\x1d|\x1b\[27;5;93~|\x1b\[93(?::\d*)*;5(?::1)?(?:;[\d:]*)?u")
TIMES, WITHIN = 3, 1.0
MOST_WAITING = 1 << 20


@command
@click.option("--read-only", is_flag=True, help="Only look: no key is passed on; q or Ctrl-C leaves.")
@click.option("--socket", "path", type=click.Path(path_type=Path), help=f"Default: {FOLDER}/KEY.sock.")
@click.argument("key", metavar="KEY")
def main(pco: Pco, key: str, read_only: bool, path: Path | None) -> None:
    """Put your terminal before the session of a ticket.

    Leave with Ctrl-B, then D, or with Ctrl-] three times within a second; the session goes on.

    \b
    Examples:
      pco-attach WEB-12
      pco-attach --read-only WEB-12     only look; q leaves
    """
    try:
        if not KEY.fullmatch(key):
            raise BadData("is no ticket key")
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise BadData("attaching needs a terminal", f"what the session did: pco-queue log {key}")
        why = look(connect(path or FOLDER / f"{key}.sock"), read_only)
        if why not in WORDS:
            raise TROUBLE[why]
        pco.say(f"{key}: {WORDS[why]}")
    except PcoError as error:
        pco.fail(error, text.line(key, 40))
    except console.Killed as killed:
        pco.trouble = 128 + int(killed.args[0])


def look(relay: socket.socket, read_only: bool) -> Why:
    """Lend the terminal to the session until one of both leaves."""
    keys, screen = sys.stdin.fileno(), sys.stdout.fileno()
    with relay, console.lent(keys, screen) as resized:
        hello = Hello(console.size(screen), os.environ.get("TERM", ""), read_only)
        waiting, frames, hands = bytearray(frame(HELLO, hello.to_bytes())), Frames(OUTPUT + END), Hands(read_only)
        passing = Passing()
        relay.setblocking(False)
        while True:
            # If the session takes nothing any more, what is typed stays with the terminal.
            sources = [relay, resized, *([keys] if len(waiting) < MOST_WAITING else [])]
            ready, _, _ = select.select(sources, [relay] if waiting else [], [])
            if resized in ready:
                os.read(resized, 100)
                waiting += frame(SIZE, console.size(screen).to_bytes())
            if keys in ready:
                typed = os.read(keys, 4096)
                if not typed or hands.leave(typed):
                    return Why.DETACHED
                waiting += b"" if read_only else frame(KEYS, typed)
            if why := exchange(relay, waiting, frames, passing, screen):
                return why


def exchange(relay: socket.socket, waiting: bytearray, frames: Frames, passing: Passing, screen: int) -> Why | None:
    """Send what waits and show what came, as far as that goes now; if it is over, why."""
    try:
        with suppress(BlockingIOError, ConnectionError):  # it may have said why before it closed
            del waiting[: relay.send(waiting)]
        with suppress(BlockingIOError):
            came = relay.recv(1 << 16)
            for kind, data in frames.feed(came):
                if kind == END:
                    return Why(data)
                console.write(screen, passing.feed(data))
            return None if came else Why.LOST
    except (ConnectionError, BadData, ValueError):
        return Why.LOST
    return None


class Hands:
    """What the keys mean to this program: whether the person leaves."""

    def __init__(self, read_only: bool) -> None:
        self._read_only = read_only
        self._escapes: list[float] = []
        self._before = b""

    def leave(self, typed: bytes) -> bool:
        """Whether the person wants to leave."""
        now = time.monotonic()
        self._escapes = [at for at in self._escapes if now - at < WITHIN] + [now] * len(ESCAPE.findall(typed))
        keys, self._before = self._before + typed, typed[-1:]
        # What the terminal answers to questions begins with an escape, and may hold any letter.
        leaves = b"\x1b" not in typed and (any(key in typed for key in b"qQ\x03") or b"\x02d" in keys)
        return len(self._escapes) >= TIMES or (self._read_only and leaves)
