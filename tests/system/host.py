#!/usr/bin/env python3
"""A disposable host with a real systemd as PID 1, booted in about a second from a root shell.

No virtual machine and no container engine: a copy-on-write view of this machine's root (or of another one) in
namespaces and control groups of its own, without a network but its own loopback.  The checkout is at /src, also
copy-on-write.  Nothing it does reaches the machine, and `down`, or the end of the test run, leaves nothing of it.

    host.py up [--layout v1|hybrid|v2] [--lower FOLDER]      boot one that stays until `down`
    host.py run CMD...      run CMD in it as a unit          host.py exec CMD...   run CMD in it directly
    host.py cut | start     power cut; boot again            host.py reboot | status | down
"""

import argparse
import contextlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import machine
from booting import remove_groups, start_time, write_new

HERE = Path(__file__).resolve().parent
BASE = Path("/run/pco-test-hosts")
CLEAN = ["env", "-i", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]
CLEAN += ["HOME=/root", "LANG=C.UTF-8", "TERM=dumb", "SYSTEMD_PAGER=", "SYSTEMD_COLORS=0"]
BOOT_PATIENCE = 60.0
Done = subprocess.CompletedProcess[str]


class HostError(Exception):
    """The host did not do what it was asked to."""


@dataclass
class Host:
    """One test host.  `keep`: it outlives the process that booted it; `disk`: an ext4 of so many MiB is its spool."""

    name: str
    layout: str = ""
    lower: Path = Path("/")
    source: Path | None = HERE.parents[1]
    keep: bool = False
    disk: int = 0
    started: float = field(default=0.0, init=False)  # seconds the last boot took

    @property
    def folder(self) -> Path:
        """Where its supervisor keeps its files."""
        return BASE / self.name

    @property
    def leader(self) -> int:
        """The pid of its PID 1, as this machine counts; 0 if it is not running."""
        return alive(self.folder / "leader")

    @property
    def limits(self) -> bool:
        """Whether MemoryMax= can bite in it."""
        return machine.limits(self.layout or machine.layout())

    # Power.

    def up(self) -> "Host":
        """Make it and boot it.  Raises HostError."""
        sweep()
        if alive(self.folder / "supervisor"):
            raise HostError(f"host {self.name} is already up")
        for name in ("scratch", "root", "notify"):
            (self.folder / name).mkdir(parents=True)
        write_new(self.folder / "owner", "" if self.keep else f"{os.getpid()} {start_time(os.getpid())}")
        self.layout = self.layout or machine.layout()
        spec = {"name": self.name, "layout": self.layout, "lower": str(self.lower), "keep": self.keep}
        spec |= {"disk": self.disk}
        write_new(self.folder / "spec.json", json.dumps({**spec, "source": str(self.source or "")}))
        try:
            self._await_boot(self._supervise)
        except HostError:
            self.down()
            raise
        return self

    def start(self) -> None:
        """Boot it again after a power cut or a power off; its files are as they were.  Raises HostError."""
        if self.leader:
            raise HostError(f"host {self.name} is already running")
        self._await_boot(lambda: os.kill(self._supervisor(), signal.SIGUSR1))

    def reboot(self) -> None:
        """Shut it down in good order and boot it again.  Raises HostError."""
        # The connection may break before the answer comes.
        self._await_boot(lambda: self.exec("systemctl", "reboot", code=None))

    def cut(self) -> None:
        """Cut the power: every process of it is gone at once.  (The page cache is not: a missing fsync stays unseen.)"""
        end(self._inside(), signal.SIGKILL)

    def down(self) -> None:
        """End it and remove all that it left."""
        if supervisor := alive(self.folder / "supervisor"):
            end(supervisor, signal.SIGTERM)
        clear(self.folder)

    def _supervisor(self) -> int:
        if supervisor := alive(self.folder / "supervisor"):
            return supervisor
        raise HostError(f"there is no host {self.name}")

    def _inside(self) -> int:
        if leader := self.leader:
            return leader
        raise HostError(f"host {self.name} is not running")

    def _supervise(self) -> None:
        with (self.folder / "log").open("a") as log:
            command = [sys.executable, "-E", "-s", str(HERE / "booting.py"), str(self.folder)]
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        write_new(self.folder / "supervisor", f"{child.pid} {start_time(child.pid)}")

    def _await_boot(self, cause: Any) -> None:
        """Cause a boot and wait until systemd says that it is ready."""
        before = time.monotonic()
        path = self.folder / "notify" / "socket"
        path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
            heard.bind(str(path))
            cause()
            heard.settimeout(0.25)
            while time.monotonic() < before + BOOT_PATIENCE:
                if not alive(self.folder / "supervisor"):
                    break
                with contextlib.suppress(TimeoutError):
                    words = heard.recv(4096).decode().split("\n")
                    if "READY=1" in words:
                        self.started = time.monotonic() - before
                        return
                    if words[0].startswith("FAILED="):
                        break
        said = (self.folder / "log").read_text()[-2000:].strip()
        raise HostError(f"host {self.name} did not boot ({self.layout}): {said or 'no word of systemd'}")

    # Doing something in it.

    def exec(self, *command: str, code: int | None = 0, **more: Any) -> Done:
        """Run a command in it directly.  Its exit code must be `code` (None: any), else HostError."""
        enter = ["nsenter", "-t", str(self._inside()), "-m", "-u", "-i", "-n", "-p", "-C", "--"]
        more = {"capture_output": True, "text": True, "timeout": 60, **more}
        done: Done = subprocess.run([*enter, *CLEAN, *command], check=False, **more)
        if code is not None and done.returncode != code:
            raise HostError(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def run(self, *command: str, properties: dict[str, str] | None = None, code: int | None = 0, **more: Any) -> Done:
        """Run a command in it as a transient unit with these properties, to its end; as exec()."""
        given = [f"--property={name}={value}" for name, value in (properties or {}).items()]
        way = ["systemd-run", "--quiet", "--wait", "--pipe", "--collect", "--service-type=exec"]
        return self.exec(*way, *given, "--", *command, code=code, **more)

    def systemctl(self, *words: str, code: int | None = 0) -> str:
        """What systemctl answers, without the last newline."""
        return self.exec("systemctl", *words, code=code).stdout.rstrip("\n")

    def show(self, unit: str, *names: str) -> dict[str, str]:
        """Properties of a unit."""
        said = self.systemctl("show", unit, *(f"--property={name}" for name in names))
        return dict(line.partition("=")[::2] for line in said.splitlines())

    def journal(self, *matches: str) -> list[dict[str, Any]]:
        """The journal's records that match, oldest first."""
        self.exec("journalctl", "--sync")
        said = self.exec("journalctl", "-q", "-o", "json", "--all", *matches).stdout
        return [json.loads(line) for line in said.splitlines()]

    def write(self, path: str, text: str, mode: str = "644") -> None:
        """Make a file in it, with its folders."""
        self.exec("install", "-D", "-m", mode, "/dev/stdin", path, input=text)

    def read(self, path: str) -> str:
        """A file of it."""
        return self.exec("cat", path).stdout


def alive(file: Path) -> int:
    """The pid that `file` names together with its start time, if that very process still lives; else 0."""
    try:
        pid, started = file.read_text().split()
        return int(pid) if start_time(int(pid)) == started and _state(int(pid)) not in "ZX" else 0
    except (OSError, ValueError, IndexError):
        return 0


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def end(pid: int, number: signal.Signals, patience: float = 20) -> None:
    """Signal a process and wait for its end.  Raises HostError if it does not end."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        signal.pidfd_send_signal(descriptor, number)
        if not select.select([descriptor], [], [], patience)[0]:
            raise HostError(f"process {pid} does not end")
    finally:
        os.close(descriptor)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)


def clear(folder: Path) -> None:
    """Remove what a host without a supervisor left: control groups, and folders that are no longer mount points."""
    remove_groups(folder.name, machine.trees())
    shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(OSError):
        BASE.rmdir()


def sweep() -> None:
    """End and remove hosts whose test run is over, and what a killed one left."""
    for folder in BASE.glob("*"):
        # Its own test run may just be removing it; or a process of it is still dying: whoever comes next tries again.
        with contextlib.suppress(OSError, HostError):
            owner = folder / "owner"
            if not owner.exists() and time.time() - folder.stat().st_mtime < 60:
                continue  # it is being made right now
            supervisor = alive(folder / "supervisor")
            kept = owner.exists() and not owner.read_text()
            if not alive(owner) and not (kept and supervisor):
                Host(folder.name).down()


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--name", default="pco")
    parser.add_argument("--layout", default="", choices=["", "v1", "hybrid", "v2"])
    parser.add_argument("--lower", default="/", type=Path)
    parser.add_argument("verb", choices=["up", "run", "exec", "cut", "start", "reboot", "down", "status"])
    parser.add_argument("command", nargs=argparse.REMAINDER)
    given = parser.parse_args()
    spec = BASE / given.name / "spec.json"
    layout = given.layout or (json.loads(spec.read_text())["layout"] if spec.exists() else "")
    host = Host(given.name, layout, given.lower, keep=True)
    if given.verb in ("run", "exec"):
        return getattr(host, given.verb)(*given.command, code=None, capture_output=False, timeout=None).returncode
    if given.verb == "up" and (missing := machine.missing()):
        raise HostError(f"missing: {'; '.join(missing)}")
    if given.verb != "status":
        getattr(host, given.verb)()
    state = host.systemctl("is-system-running", code=None) if host.leader else "down"
    took = f" after {host.started:.1f} s" if host.started else ""
    limits = "" if host.limits else "; MemoryMax= and its like do not bite"
    print(f"host {host.name}: {state}{took}{f' ({host.layout}{limits})' if host.leader else ''}")
    return 0


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except HostError as error:
        raise SystemExit(f"host.py: {error}") from None
