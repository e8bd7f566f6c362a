"""What a running machine must be told: the user, the folders, systemd, the buses; and what it must have."""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from put import PYTHON
from tree import TOP

sys.path.insert(0, str(TOP / "lib"))
from pco.start import PACKAGES

NEEDED = {"tmux": "/usr/bin/tmux", "git": "/usr/bin/git", "polkitd": "/usr/lib/polkit-1/polkitd"}
NEEDED |= {"libnss-systemd": "/lib/*/libnss_systemd.so.2", "dbus": "/usr/bin/dbus-daemon"}
# The only program that goes on with the code it was started with; a session does, too, and is left alone.
RESIDENT = "pco-watch.service"
STATE = ("/etc/pco", "/var/spool/pco", "/var/lib/pco", "/var/lib/private/pco-agent", "/var/lib/pco-agent")
STATE += ("/var/backups/pco", "/run/pco", "/run/pco-attach", "/run/pco-session")
# What an administrator changed of units, and when systemd last ran a timer of pco.
STATE_GLOBS = ("/etc/systemd/system/pco.target.*", "/etc/systemd/system/pco-*.d")
STATE_GLOBS += ("/etc/systemd/system/multi-user.target.wants/pco.target", "/var/lib/systemd/timers/stamp-pco-*")
EXISTS = "import sys; from importlib.util import find_spec; print(*(n for n in sys.argv[1:] if not find_spec(n)))"
PATIENCE = 40.0  # seconds for what sessions left to be taken in; more than a session has to end


def missing() -> list[str]:
    """The Debian packages that pco needs to run and that are not there."""
    if not Path(PYTHON).exists():
        return ["python3"]
    said = subprocess.run([PYTHON, "-c", EXISTS, *PACKAGES], capture_output=True, text=True, check=True).stdout
    absent = [package for package, file in NEEDED.items() if not any(Path("/").glob(file.lstrip("/")))]
    return [*(PACKAGES[module] for module in said.split()), *absent]


def systemd() -> bool:
    """Whether a systemd runs here."""
    return Path("/run/systemd/system").is_dir()


def call(*command: str, check: bool = True) -> str:
    """Run a command; returns what it says.  What it complains of is seen."""
    more = None if check else subprocess.DEVNULL
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=more, text=True, check=check).stdout.strip()


def settle(changed: list[str], share: str) -> None:
    """Make user, folders and a certificate for the pages, and have everybody read what `changed`."""
    call("systemd-sysusers", "pco.conf")
    call("systemd-tmpfiles", "--create", "pco.conf")
    maker = f"{share}/nginx/make-certificate"
    if os.path.exists(maker) and subprocess.run([maker], check=False).returncode:
        print(f"the pages need a certificate: {maker}")
    reread(changed)


def reread(changed: list[str]) -> None:
    """Have systemd, the journal and the bus read their files again.  polkit notices by itself."""
    if any("catalog" in path for path in changed):
        call("journalctl", "--update-catalog")
    call("systemctl", "daemon-reload")
    if any("/dbus-1/" in path for path in changed):
        call("systemctl", "reload", "dbus.service", check=False)


def advice(units: list[str], changed: list[str], fresh: list[str], library: bool) -> list[str]:
    """What an administrator does next.  `units`: all; `changed` and `fresh`: those with another or a first text."""
    if call("systemctl", "is-enabled", "pco.target", check=False) != "enabled":
        return ["next: pco-setup" if (TOP / "bin/pco-setup").exists() else "next: systemctl enable --now pco.target"]
    rows = []
    # systemd arms timers and paths anew by itself; services and sockets go on as they were started.
    stale = [unit for unit in units if unit in changed and unit.endswith(".socket")]
    stale += [RESIDENT] if library or RESIDENT in changed else []
    running = [unit for unit in stale if call("systemctl", "is-active", unit, check=False) == "active"]
    if running:
        rows.append(f"running as before: systemctl restart {' '.join(running)}   (sessions go on)")
    # What is off as shipped is no part of the target.
    parts = " ".join(re.findall(r"^Also=(.*)", (TOP / "systemd/pco.target").read_text(), re.MULTILINE)).split()
    if joining := [unit for unit in fresh if unit in parts]:
        rows.append(f"new in this version: systemctl enable --now {' '.join(joining)}")
    return rows


def stop(units: list[str]) -> None:
    """End all of pco: first what starts sessions, then the sessions, then what takes in what they left."""
    plain = [unit for unit in units if "@" not in unit and not unit.endswith(".slice")]
    call("systemctl", "disable", "--now", *plain, check=False)
    call("systemctl", "stop", "pco-sessions.slice", check=False)
    deadline = time.monotonic() + PATIENCE
    while (
        call("systemctl", "list-units", "-q", "--plain", "--no-legend", "pco-collect*") and time.monotonic() < deadline
    ):
        time.sleep(0.2)
    call("systemctl", "stop", "pco.*", "pco-*", check=False)
    call("systemctl", "reset-failed", "pco.*", "pco-*", check=False)


def unlink_site(root: Path, share: str) -> None:
    """Take the pages out of nginx: a link to a file that is gone keeps it from starting."""
    for link in (root / "etc/nginx/sites-enabled").glob("*"):
        if link.is_symlink() and os.readlink(link) == f"{share}/nginx/pco.conf":
            link.unlink()


def purge(root: Path) -> list[str]:
    """Remove everything that pco and its administrator made; returns what was removed."""
    gone = []
    globbed = [path for pattern in STATE_GLOBS for path in sorted(root.glob(pattern.lstrip("/")))]
    for path in [*(root / name.lstrip("/") for name in STATE), *globbed]:
        if path.is_symlink() or path.exists():
            gone.append(str(path) if clear(path) else f"all in {path}, which is a mount point")
    if root == Path("/"):
        for kind, command in (("passwd", "userdel"), ("group", "groupdel")):
            if call("getent", kind, "pco", check=False):
                call(command, "pco")
                gone.append(f"{'user' if kind == 'passwd' else 'group'} pco")
    return gone


def clear(path: Path) -> bool:
    """Remove a path; of a mount point only what is in it: False."""
    if path.is_symlink() or not path.is_dir():
        path.unlink()
        return True
    if not path.is_mount():
        shutil.rmtree(path)
        return True
    for entry in os.scandir(path):
        shutil.rmtree(entry.path) if entry.is_dir(follow_symlinks=False) else os.unlink(entry.path)
    return False
