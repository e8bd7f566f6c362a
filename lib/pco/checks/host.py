"""The machine: what it runs, its memory and disks, the way to Plane, and what certificates are shown there."""

import os
import re
import shutil
import socket
import sys
import time
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from pco.checks import Finding, Site, checks, fail, not_applicable, ok, remote, warn, web, worst
from pco.ground.errors import PcoError, TryLater
from pco.outside import certificate, process, website
from pco.outside.agents.claude import program

BRIEFLY = timedelta(seconds=3)
SYSTEMD, PYTHON = 252, (3, 11)
TOOLS = 512 << 20  # MemoryMax= of pco-tools.slice
INODES = 0.05
_ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C"}


@checks("1.1")
def versions(site: Site) -> Finding:
    """systemd, Python, git, tmux and the agent's program."""
    found = [_python(), _said("git", (2, 39)), _said("tmux", (3, 3)), _agent(site)]
    found.append(_systemd() if site.systemd else not_applicable("no systemd runs here, or paths.root is set"))
    told = worst(found)
    return told if told.status not in ("ok", "n/a") else ok("; ".join(f.evidence for f in found))


@checks("1.3")
def memory(site: Site) -> Finding:
    """What is available, beside what the tools and the sessions may take."""
    facts = dict(re.findall(r"^(\w+):\s+(\d+) kB", site.at("/proc/meminfo").read_text(), re.M))
    free, all_ = int(facts["MemAvailable"]) << 10, int(facts["MemTotal"]) << 10
    limit = site.config.sessions.limit
    each = 600 << 20  # what an agent at work takes; its MemoryMax= is far above
    need = TOOLS + limit * each
    said = f"{_size(free)} of {_size(all_)} available; {limit} sessions and the tools want about {_size(need)}"
    if all_ < need:
        return fail(said, "lower sessions.limit in the configuration, or give the machine more memory")
    return ok(said) if free >= need else warn(said, "lower sessions.limit, or see what else takes memory")


@checks("1.4")
def disk(site: Site) -> Finding:
    """Free space and inodes of each file system that pco writes to."""
    paths, wanted = site.config.paths, site.config.health.disk_free
    found, known = [], set()
    for path in (paths.spool, paths.sessions, paths.mirrors, paths.audit, paths.www, Path("/var/log/journal")):
        place = site.at(path)
        try:
            device, facts = os.stat(place).st_dev, os.statvfs(place)
        except FileNotFoundError:
            continue
        if device in known or not facts.f_blocks:
            continue
        known.add(device)
        found.append(_room(path, facts, wanted))
    return worst(found) if found else fail("none of pco's folders is there", "sudo systemd-tmpfiles --create")


@checks("1.5")
def way(site: Site) -> Finding:
    """Name, connection, TLS and an answer of Plane, with the time that each took."""
    url = site.config.plane.url
    if not url:
        return fail("plane.url is not configured", "sudo pco-setup")
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    took = []
    try:
        begun = time.monotonic()
        address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4][0]
        took.append(f"name {_ms(begun)} ({address})")
        begun = time.monotonic()
        socket.create_connection((host, port), BRIEFLY.total_seconds()).close()
        took.append(f"connection {_ms(begun)}")
        begun = time.monotonic()
        answer = website.get(f"{url}/", BRIEFLY.total_seconds())
    except OSError as error:
        said = "; ".join([*took, error.strerror or str(error)])
        return fail(f"{host}:{port}: {said}", f"curl -v {url}/ (name, firewall, proxy?)")
    except TryLater as error:
        return fail("; ".join([*took, str(error)]), f"curl -v {url}/")
    took.append(f"answer {answer.status} {_ms(begun)}")
    return ok("; ".join(took))


@checks("1.6")
def certificates(site: Site) -> Finding:
    """Plane's certificate, and the dashboard's if it is served from here."""
    parts = urlsplit(site.config.plane.url)
    found = []
    if parts.scheme == "https" and parts.hostname:
        found.append(_shown(parts.hostname, parts.port or 443, site))
    elif parts.hostname:
        found.append(warn("Plane is asked without TLS: everybody on the way can read the token", "use https"))
    if own := web.name(site):
        found.append(_shown(own, 443, site, "127.0.0.1"))
    return worst(found) if found else not_applicable("no address is configured")


def _shown(host: str, port: int, site: Site, at: str = "") -> Finding:
    try:
        return remote.expiry(certificate.handshake(host, port, BRIEFLY.total_seconds(), at), site.now)
    except TryLater as error:
        return fail(str(error), f"openssl s_client -connect {host}:{port} -servername {host}")


def _python() -> Finding:
    mine = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info >= PYTHON:
        return ok(f"Python {mine}")
    return fail(f"Python {mine} is too old", f"install Python {PYTHON[0]}.{PYTHON[1]} or newer")


def _systemd() -> Finding:
    said = process.run(["systemctl", "--version"], _ENVIRONMENT, BRIEFLY).out.decode("utf-8", "replace")
    number = int((re.findall(r"systemd (\d+)", said) or ["0"])[0])
    if number >= SYSTEMD:
        return ok(f"systemd {number}")
    return fail(f"systemd {number} is too old", f"pco needs systemd {SYSTEMD} or newer")


def _said(name: str, least: tuple[int, int]) -> Finding:
    """A program's own word of its version."""
    path = shutil.which(name, path=_ENVIRONMENT["PATH"])
    if path is None:
        return fail(f"{name} is not installed", f"sudo apt-get install {name}")
    option = "-V" if name == "tmux" else "--version"
    said = process.run([path, option], _ENVIRONMENT, BRIEFLY).out.decode("utf-8", "replace")
    found = re.search(r"(\d+)\.(\d+)", said)
    known = (int(found[1]), int(found[2])) if found else (0, 0)
    shown = f"{name} {known[0]}.{known[1]}"
    return ok(shown) if known >= least else fail(f"{shown} is too old", f"sudo apt-get install {name}")


def _agent(site: Site) -> Finding:
    if site.config.agent != "claude":
        command = site.config.sessions.command[0] if site.config.sessions.command else ""
        if command and (not command.startswith("/") or site.at(command).exists()):
            return ok(f"agent {command}")
        return fail(f"the agent's program {command or '(none)'} is not there", "sudo pco-setup")
    path = site.config.claude.program
    try:
        program.there(path)
        said = process.run([str(path), "--version"], {**_ENVIRONMENT, "HOME": "/nonexistent"}, BRIEFLY)
    except PcoError as error:
        return fail(str(error), error.hint or "sudo pco-setup")
    found = re.match(rb"\d+\.\d+\.\d+", said.out)
    if not found:
        return fail(f"{path} does not tell its version", f"{path} --version")
    version = found[0].decode()
    numbers = tuple(map(int, version.split(".")))
    if numbers < program.OLDEST:
        return fail(f"Claude Code {version} is too old", f"install {'.'.join(map(str, program.TESTED))}")
    if numbers > program.TESTED:
        return warn(f"Claude Code {version} is newer than what was tested", "try it with pco-doctor --end-to-end")
    return ok(f"Claude Code {version}")


def _room(path: Path, facts: os.statvfs_result, wanted: float) -> Finding:
    usable = facts.f_blocks - facts.f_bfree + facts.f_bavail
    free = facts.f_bavail / usable if usable else 0.0
    inodes = facts.f_favail / facts.f_files if facts.f_files else 1.0
    said = f"{path}: {_size(facts.f_bavail * facts.f_frsize)} free ({free:.0%}), {inodes:.0%} of inodes"
    if free < wanted or inodes < INODES:
        return fail(f"{said}; wanted {wanted:.0%}", f"sudo du -xh --max-depth=2 {path} | sort -h | tail")
    return ok(said)


def _size(amount: int) -> str:
    """`3.5 GiB`."""
    for unit, size in (("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20)):
        if amount >= size:
            return f"{amount / size:.1f} {unit}"
    return f"{amount >> 10} KiB"


def _ms(begun: float) -> str:
    return f"{(time.monotonic() - begun) * 1000:.0f} ms"
