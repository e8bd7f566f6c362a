"""What pco adds to the memory of the real Claude Code, when many sessions idle."""

import os
import shutil
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from bench.measure import Figure, scratch
from claude import memory
from claude.agents import Desk
from pco.ground.ticket import State
from pco.sim.model import Model
from sessions import until
from support import a_ticket

MOST = 20  # MiB that pco may add to each
SETTLE = 10.0  # seconds
PATIENCE = 300.0
TMUX = str(shutil.which("tmux"))


def overhead(folder: Path) -> Iterator[Figure]:
    """All processes of so many idle sessions, less the same number of idle Claude Codes in a bare tmux."""
    count, why = memory.room()
    with scratch(folder) as home, Model() as model:
        desk = Desk.of(home / "desk" / "pco", model, {})
        desk.site.configure(sessions={"start_within": "5m"})
        desk.watch_anew()
        try:
            keys = began(desk, count)
            agents = [desk.pid(key) for key in keys]
            commands = [command(pid) for pid in agents]
            wrappers = [memory.parent(agent) for agent in agents]
            server = memory.parent(wrappers[0])
            time.sleep(SETTLE)
            whole = sum(map(memory.pss, memory.family(server)))
            wrapped = sum(map(memory.pss, wrappers))
            for key in keys:
                desk.tmux("kill-session", "-t", f"={key}")
            until(lambda: not desk.site.spool().keys(State.ACTIVE), PATIENCE)
            bare = alone(home / "bare", model, commands)
        finally:
            desk.close()
    value, floor = whole / count / memory.MIB, bare / count / memory.MIB
    parts = f"pco adds {value - floor:.1f} MiB, of it pco-session {wrapped / count / memory.MIB:.1f}"
    rule = f"<= claude in a bare tmux + {MOST} MiB"
    yield Figure(f"{count} idle sessions, each, PSS", value, "MiB", floor + MOST, floor, rule, f"{parts}; {why}")


def began(desk: Desk, count: int) -> list[str]:
    """So many sessions that have done one turn."""
    keys = [f"LOCAL-{n}" for n in range(1, count + 1)]
    desk.site.spool().create_all([a_ticket(key, local=True) for key in keys])
    desk.site.run("pco-queue", "approve", "--yes", *keys)
    desk.launch(*keys)
    for key in keys:
        until(lambda key=key: "turn_ended" in desk.kinds(key), PATIENCE)  # type: ignore[misc]
    return keys


def command(pid: int) -> tuple[list[str], dict[str, str], str]:
    """How an agent was started: its command without pco's settings and as a new conversation, environment, folder."""
    words = Path(f"/proc/{pid}/cmdline").read_text().rstrip("\0").split("\0")
    at = words.index("--settings")
    words[at : at + 2] = []
    words[words.index("--session-id") + 1] = str(uuid.uuid4())
    given = Path(f"/proc/{pid}/environ").read_bytes().decode().rstrip("\0").split("\0")
    return words, dict(line.partition("=")[::2] for line in given), os.readlink(f"/proc/{pid}/cwd")


def alone(socket: Path, model: Model, commands: list[tuple[list[str], dict[str, str], str]]) -> int:
    """The size of a tmux server with all these, once each has done its turn."""
    before = len(model.turns())
    server = [TMUX, "-S", str(socket), "-f", "/dev/null"]
    try:
        for words, variables, folder in commands:
            given = [f"-e{name}={value}" for name, value in variables.items()]
            start = [*server, "new-session", "-d", "-x", "200", "-y", "50", "-c", folder, *given, "--", *words]
            subprocess.run(start, check=True)
        until(lambda: len(model.turns()) >= before + len(commands), PATIENCE)
        time.sleep(SETTLE)
        shown = subprocess.run([*server, "display-message", "-p", "#{pid}"], capture_output=True, text=True, check=True)
        return sum(map(memory.pss, memory.family(int(shown.stdout))))
    finally:
        subprocess.run([*server, "kill-server"], capture_output=True, check=False)
