"""A pco that was installed into a test host as a user would, beside a simulated Plane."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from host import Host, HostError

TOP = Path(__file__).resolve().parents[2]
UNITS = TOP / "systemd"
WEB = "0d5a8a52-2b0b-4a51-9d1c-7f6d1f0a0001"
ADDRESS = "http://127.0.0.1:8480"
TOKEN = "plane_api_demo_bot"
# A drop-in for timers: all that is done is done without them.
RARE = "[Timer]\nOnCalendar=\nOnActiveSec=\nOnUnitInactiveSec=\nOnActiveSec=10min\nOnUnitInactiveSec=10min\n"
PATIENCE = 90.0  # seconds until something that must happen by itself counts as failed

CONFIG = f"""\
plane:
  url: {ADDRESS}
  workspace: acme
  settle: 1s
  requests_per_minute: 6000
  projects:
    - {{id: {WEB}, repository: /srv/shop.git}}
health: {{disk_free: 1%, memory_free: 50M}}
sessions:
  command: [/bin/true]
"""
# It has started once it answers, and pco does not ask before.  (Not Before=*.path: paths come before all services, and
# systemd would drop one of them to break the circle.)
PLANE = """\
[Unit]
Before=pco-poll.service pco-post.service
[Service]
Environment=PYTHONPATH=/src/lib
StateDirectory=plane
ExecStartPre=/bin/rm -f /var/lib/plane/url
ExecStart=/usr/bin/python3 -m pco.sim --port 8480 --data /var/lib/plane --seed /src/share/demo/workspace.json --rate 0
ExecStartPost=/bin/sh -c 'until [ -s /var/lib/plane/url ]; do sleep 0.05; done'
[Install]
WantedBy=multi-user.target
"""
PERSON = f"from pco.sim import Person; maria = Person({ADDRESS!r}, 'plane_api_maria', 'acme', 'WEB')\n"
# Puts a pending ticket where another program would have brought it.
PLACE = """\
import sys
from pathlib import Path
from pco.ground.ticket import Attempt, State
from pco.spool import Spool
from support import T0, put
key, state = sys.argv[1:]
spool = Spool(Path("/var/spool/pco"), "pco-watch")
with spool.lock():
    ticket = spool.read(key, State.PENDING)
    spool.path(key, State.PENDING).unlink()
    attempt = Attempt(1, T0, boot_id="of the boot before", boot_time=1.0)
    put(spool, ticket.with_round(attempts=(attempt,)), State(state))
"""


@contextmanager
def booted(letter: str) -> Iterator["Installed"]:
    """A host of its own, with pco installed and nothing configured; `letter` tells it from others of this run."""
    host = Host(f"{letter}{os.getpid()}").up()
    try:
        pco = Installed(host)
        pco.install()
        yield pco
    finally:
        host.down()


class Installed:
    """The installed pco of `host`; alice is a member of group pco."""

    def __init__(self, host: Host) -> None:
        self.host = host

    def install(self) -> None:
        """What an administrator does."""
        self.host.exec("make", "-C", "/src", "install")
        if self.host.exec("id", "alice", code=None).returncode:
            self.host.exec("useradd", "--groups", "pco", "alice")

    def configure(self) -> None:
        """A configuration, the token, and a poll every three seconds."""
        self.host.write("/etc/pco/pco.yaml", CONFIG)
        self.host.write("/etc/pco/credentials/plane-token", TOKEN, "600")
        often = "[Timer]\nOnCalendar=\nOnCalendar=*:*:0/3\nRandomizedDelaySec=0\n"
        self.host.write("/etc/systemd/system/pco-poll.timer.d/often.conf", often)
        self.host.systemctl("daemon-reload")

    def simulate(self) -> None:
        """Have a simulated Plane that survives reboots."""
        self.host.write("/etc/systemd/system/plane.service", PLANE)
        self.host.systemctl("daemon-reload")
        self.host.systemctl("enable", "--now", "plane.service")

    def python(self, program: str, *words: str, user: str = "root", **more: Any) -> Any:
        """Run Python in the host, with the checkout's library and tests."""
        path = "PYTHONPATH=/src/lib:/src/tests"
        return self.host.exec(
            "runuser", "-u", user, "--", "env", path, "/usr/bin/python3", "-c", program, *words, **more
        )

    def maria(self, deed: str) -> str:
        """Let somebody work in Plane: `deed` is an expression with `maria`; returns what it prints as."""
        return str(self.python(f"{PERSON}print({deed})").stdout.strip())

    def run(self, program: str, *words: str, user: str = "alice", **more: Any) -> str:
        """Run a program as a person with an unfriendly umask."""
        line = 'umask 077; cd /; exec "$@"'
        return str(self.host.exec("runuser", "-u", user, "--", "sh", "-c", line, "sh", program, *words, **more).stdout)

    def states(self) -> dict[str, str]:
        """Where each ticket is; looked at twice, for one may move from a folder not yet seen to one already seen."""
        look = "find /var/spool/pco -name '*.json' -printf '%f %h\\n'"
        found = self.host.exec("sh", "-c", f"{look}; {look}").stdout
        rows = (line.split() for line in found.splitlines() if "/index" not in line)
        return {name.removesuffix(".json"): Path(folder).name for name, folder in rows}

    def place(self, key: str, state: str) -> None:
        """Put a pending ticket into another state, with an attempt that began before the last boot."""
        self.python(PLACE, key, state, user="pco")

    def wait(self, what: str, done: Callable[[], bool], patience: float = PATIENCE) -> None:
        """Wait for what happens by itself.  Raises HostError with the journal's last words."""
        deadline = time.monotonic() + patience
        while not done():
            if time.monotonic() > deadline:
                said = self.host.exec("journalctl", "-n", "30", "-o", "short-precise").stdout
                raise HostError(f"{what}: nothing happened for {patience:.0f} seconds\n{said}")
            time.sleep(0.1)

    def failed(self) -> str:
        """The units that have failed."""
        return self.host.systemctl("list-units", "--failed", "--no-legend", "--plain")
