"""Sessions in a test host whose agent does what a test says: Python, run inside the session, as its user.

The agent makes two FIFOs in its state folder.  What is written into `ask` it runs in a process of its own; what that
printed comes out of `answer`; what begins with `#!` it does itself.
"""

import ast
import json
import re
from dataclasses import dataclass
from textwrap import indent
from typing import Any

from host import Host
from installed import CONFIG, Installed

STATES = "/var/lib/private/pco-agent"
AGENT = """\
#!/usr/bin/python3
import os, signal, subprocess, sys
ask, answer, said = (os.path.join(os.environ["HOME"], name) for name in ("ask", "answer", ".said"))
for fifo in (ask, answer):
    if not os.path.exists(fifo):
        os.mkfifo(fifo)
while True:
    with open(ask) as file:
        code = file.read()
    if code.startswith("#!"):
        exec(code)
        continue
    with open(said, "w+") as file:
        subprocess.run([sys.executable, "-c", code], stdin=subprocess.DEVNULL, stdout=file, stderr=file)
        file.seek(0)
        with open(answer, "w") as answered:
            answered.write(file.read())
"""
REPOSITORY = """\
git init -q -b main /tmp/shop && cd /tmp/shop && echo shop >README && git add README
git -c user.name=ada -c user.email=ada@example.org commit -qm first && git clone -q --bare . /srv/shop.git
"""
MANY = "  limit: 40\n  per_project: 40\n"
TRY = """\
import ctypes, errno, os, socket, subprocess
LIBC = ctypes.CDLL(None, use_errno=True)
def call(name, *words):
    if getattr(LIBC, name)(*words) == -1:
        raise OSError(ctypes.get_errno(), name)
try:
{}
except OSError as error:
    print(errno.errorcode.get(error.errno, error))
else:
    print("done")
"""


@dataclass(frozen=True)
class Inside:
    """The running session of ticket `key`."""

    host: Host
    key: str

    @property
    def unit(self) -> str:
        """Its unit."""
        return f"pco-session@{self.key}.service"

    @property
    def state(self) -> str:
        """Its state folder, as root sees it."""
        return f"{STATES}/{self.key}"

    @property
    def main(self) -> int:
        """Its tmux server; 0 if it does not run."""
        return int(self.host.show(self.unit, "MainPID")["MainPID"])

    @property
    def out(self) -> str:
        """The out/ of its latest attempt, as root sees it."""
        found = self.host.exec("sh", "-c", f"ls -td {self.state}/out/*/").stdout
        return found.split("\n", 1)[0].rstrip("/")

    def says(self, code: str) -> str:
        """Run Python as the agent; returns what it prints."""
        talk = f"cat >{self.state}/ask; cat {self.state}/answer"
        return str(self.host.exec("sh", "-c", talk, input=code).stdout)

    def tells(self, *command: str) -> tuple[int, str]:
        """Run a command as the agent; returns its exit code and all that it says."""
        done = f"import subprocess; d = subprocess.run({command!r}, capture_output=True, text=True, timeout=30)"
        code, said = ast.literal_eval(self.says(f"{done}; print((d.returncode, d.stdout + d.stderr))"))
        return int(code), str(said)

    def tries(self, code: str) -> str:
        """Run Python as the agent; returns `done`, or the name of the error that it ended with."""
        return self.says(TRY.format(indent(code, "    "))).strip()

    def does(self, code: str) -> None:
        """Have the agent run Python of which no answer is awaited: it may end the session."""
        self.host.exec("sh", "-c", f"cat >{self.state}/ask", input=code)

    def ends(self) -> None:
        """Have the agent end, with nothing handed over."""
        self.does("import os, signal; os.kill(os.getppid(), signal.SIGKILL)")

    def complete(self, summary: str = "All done.") -> None:
        """Hand over a summary, as an agent does."""
        code, said = self.tells("pco-complete", summary)
        assert code == 0, said


def furnish(pco: Installed, more: str = "") -> None:
    """Configure a pco for such sessions, with room for all; `more` are further lines of the section sessions."""
    host = pco.host
    host.exec("bash", "-c", REPOSITORY)
    host.write("/srv/agent", AGENT, "755")
    host.write("/etc/pco/pco.yaml", CONFIG.replace("[/bin/true]", "[/srv/agent]") + MANY + more)
    host.systemctl("enable", "--now", "pco.target")


def begin(pco: Installed, count: int = 1) -> list[Inside]:
    """Start sessions for new local tickets; all of them listen."""
    sessions = []
    for _ in range(count):
        added = re.match(r"(\S+): new", pco.run("pco-queue", "add", "--test", "--text", "Obey."))
        assert added
        sessions.append(Inside(pco.host, added[1]))
    pco.run("pco-queue", "approve", "--yes", *(session.key for session in sessions))
    for session in sessions:
        await_agent(pco, session)
    return sessions


def await_agent(pco: Installed, session: Inside) -> None:
    """Wait until the agent of a session listens."""
    asking = ("test", "-p", f"{session.state}/answer")
    pco.wait(f"the agent of {session.key}", lambda: not pco.host.exec(*asking, code=None).returncode)


def attempts(pco: Installed, session: Inside) -> list[dict[str, Any]]:
    """The attempts of its round, wherever its ticket is just now."""
    read = f"until cat /var/spool/pco/*/{session.key}.json 2>/dev/null; do :; done"
    found: list[dict[str, Any]] = json.loads(pco.host.exec("sh", "-c", read).stdout)["rounds"][-1]["attempts"]
    return found


def state(pco: Installed, session: Inside) -> str:
    """Where the ticket of a session is."""
    return pco.states().get(session.key, "")
