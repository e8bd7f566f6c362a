#!/usr/bin/env python3
"""Record what the demo shows as an asciicast: record.py FILE [ARGUMENT of demo.py]...

The programs are the real ones; what they print is kept with its times, as asciinema(1) plays it (asciicast v2,
https://docs.asciinema.org/manual/asciicast/v2/).  Pauses are cut to a few seconds, and this machine's paths to /srv.
"""

import json
import os
import pty
import struct
import sys
import time
from fcntl import ioctl
from pathlib import Path
from termios import TIOCSWINSZ

HERE = Path(__file__).resolve().parent
COLUMNS, LINES = 110, 36
LONGEST = 2.0  # seconds of a pause


def main(target: Path, words: list[str]) -> int:
    """Run it in a terminal of its own; returns its exit code."""
    pid, terminal = pty.fork()
    if pid == 0:
        environ = {**os.environ, "TERM": "xterm-256color", "COLUMNS": str(COLUMNS), "LINES": str(LINES)}
        os.execve(sys.executable, [sys.executable, str(HERE / "demo.py"), *words], environ)
    ioctl(terminal, TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    at, before, events = 0.0, time.monotonic(), []
    while data := _read(terminal):
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
        now = time.monotonic()
        at, before = at + min(now - before, LONGEST), now
        shown = data.decode("utf-8", "replace").replace(str(HERE.parents[1]), "/srv/pco")
        events.append([round(at, 3), "o", shown])
    head = {"version": 2, "width": COLUMNS, "height": LINES, "title": "pco: the way of a ticket"}
    target.write_text("\n".join(json.dumps(line, ensure_ascii=False) for line in (head, *events)) + "\n")
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1 << 16)
    except OSError:  # nobody is on the other side any more
        return b""


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
