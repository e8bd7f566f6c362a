"""The machine: what it runs, its memory and disks, the way to Plane, and what certificates are shown there."""

import os
import re
import socket
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from pco.checks import Finding, Site, checks, fail, not_applicable, ok, remote, tracker, warn, web, worst
from pco.ground.errors import TryLater
from pco.outside import certificate, process, reach, website
from pco.outside.agents.claude import program

BRIEFLY = timedelta(seconds=3)
SYSTEMD, PYTHON = 252, (3, 11)
TOOLS = 512 << 20  # MemoryMax= of pco-tools.slice
EACH = 600 << 20  # what an agent at work takes; its MemoryMax= is far above
INODES = 0.05
HERE = ("localhost", "127.0.0.1", "::1")
_ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C"}


@checks("1.1")
def versions(site: Site) -> Finding:
    """systemd, Python, git, tmux and the agent's program."""
    found = [_python(), _said(site, "git", (2, 39)), _said(site, "tmux", (3, 3)), _agent(site)]
    found.append(_systemd() if site.systemd else not_applicable("no systemd runs here, or paths.root is set"))
    told = worst(found)
    return told if told.status not in ("ok", "n/a") else ok("; ".join(f.evidence for f in found))


@checks("1.3")
def memory(site: Site) -> Finding:
    """What is available, beside what the tools and the sessions may take."""
    facts = dict(re.findall(r"^(\w+):\s+(\d+) kB", site.at("/proc/meminfo").read_text(), re.M))
    free, all_ = int(facts["MemAvailable"]) << 10, int(facts["MemTotal"]) << 10
    limit = site.config.sessions.limit
    need = TOOLS + limit * EACH
    said = f"{_size(free)} of {_size(all_)} available; {limit} sessions and the tools want about {_size(need)}"
    if all_ < need:
        return fail(said, site.setting("sessions", "limit", max((all_ - TOOLS) // EACH, 1)))
    return ok(said) if free >= need else warn(said, "ps -eo rss,user,args --sort=-rss | head")


@checks("1.4")
def disk(site: Site) -> Finding:
    """Free space and inodes of each file system that pco writes to."""
    wanted = site.config.health.disk_free
    found = [_room(path, facts, wanted) for path, facts in _disks(site, site.at("/var/log/journal"))]
    return worst(found) if found else fail("none of pco's folders is there", "sudo systemd-tmpfiles --create")


def free(site: Site) -> list[tuple[Path, float]]:
    """The free share, as df(1) counts, of each file system that pco and its sessions write to."""
    return [(path, _share(facts)) for path, facts in _disks(site)]


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
        return fail(f"{host}:{port}: {said}", f"curl -v {url}/")
    except TryLater as error:
        return fail("; ".join([*took, str(error)]), f"curl -v {url}/")
    took.append(f"answer {answer.status} {_ms(begun)}")
    if answer.status >= 500:
        return fail("; ".join(took), f"see to the server of {host}: it answers, but Plane behind it does not")
    return ok("; ".join(took))


@checks("1.6")
def certificates(site: Site) -> Finding:
    """Plane's certificate, and the dashboard's if it is served from here."""
    parts = urlsplit(site.config.plane.url)
    found = []
    if parts.scheme == "https" and parts.hostname:
        host, port = parts.hostname, parts.port or 443
        ask = f"openssl s_client -connect {host}:{port} -servername {host}"
        mend = f"have it renewed on {host}, or its signer made known here; {ask}"
        try:
            found.append(remote.expiry(certificate.handshake(host, port, BRIEFLY.total_seconds()), site.now, mend))
        except TryLater as error:
            found.append(fail(str(error), ask))
    elif parts.hostname in HERE:
        found.append(ok("Plane is asked without TLS, on this machine"))
    elif parts.hostname:
        told = "Plane is asked without TLS: everybody on the way can read the token"
        found.append(fail(told, f"sudo pco-setup --yes --url {parts._replace(scheme='https').geturl()}"))
    if own := web.served(site):
        try:
            found.append(remote.expiry(web.shown(site, own), site.now, web.certbot(site, own)))
        except TryLater as error:
            found.append(fail(str(error), error.hint))
    return worst(found) if found else not_applicable("no address is configured")


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


def _said(site: Site, name: str, least: tuple[int, int]) -> Finding:
    """A program's own word of its version."""
    path = site.program(name)
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
        path = site.at(command) if command.startswith("/") else Path(site.program(command) or "/nonexistent")
        if command and path.exists():
            seen = tracker.reachable(site, path)
            return ok(f"agent {command}") if seen.status == "ok" else seen
        return fail(f"the agent's program {command or '(none)'} is not there", "sudo pco-setup")
    path = site.config.claude.program
    program.there(path)
    seen = tracker.reachable(site, path)
    if seen.status != "ok":
        return seen
    said = program.asked(path, become=reach.NOBODY if site.root else (), patience=BRIEFLY)
    newer = program.judged(path, said)
    if newer:
        tested = ".".join(map(str, program.TESTED))
        return warn(newer, f"sudo npm install -g --prefix /opt/claude/{tested} @anthropic-ai/claude-code@{tested}")
    return ok(said)


def _disks(site: Site, *more: Path) -> Iterator[tuple[Path, os.statvfs_result]]:
    paths, known = site.config.paths, set()
    agents = site.at("/var/lib/private/pco-agent")
    for path in (paths.spool, paths.sessions, paths.mirrors, paths.audit, paths.www, agents, *more):
        try:
            device, facts = os.stat(path).st_dev, os.statvfs(path)
        except (FileNotFoundError, PermissionError):
            continue
        if device not in known and facts.f_blocks:
            known.add(device)
            yield path, facts


def _share(facts: os.statvfs_result) -> float:
    usable = facts.f_blocks - facts.f_bfree + facts.f_bavail
    return facts.f_bavail / usable if usable else 0.0


def _room(path: Path, facts: os.statvfs_result, wanted: float) -> Finding:
    share = _share(facts)
    inodes = facts.f_favail / facts.f_files if facts.f_files else 1.0
    said = f"{path}: {_size(facts.f_bavail * facts.f_frsize)} free ({share:.0%}), {inodes:.0%} of inodes"
    if share < wanted or inodes < INODES:
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
