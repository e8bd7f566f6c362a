"""What of this machine can be reached: its firewall, and the ports on which somebody listens."""

import re
import socket
import struct
from collections.abc import Iterator
from datetime import timedelta

from pco.checks import Finding, Site, checks, fail, ok, unseen, warn
from pco.ground.errors import Unavailable
from pco.outside import process

BRIEFLY = timedelta(seconds=3)
EXPECTED = {22: "ssh", 80: "http", 443: "https"}
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
_LISTENS = "0A"
UFW = "sudo apt-get install ufw && sudo ufw allow 22/tcp && sudo ufw allow 443/tcp && sudo ufw enable"


@checks("5.2")
def firewall(site: Site) -> Finding:
    """Whether nftables, ufw or iptables drop what is not wanted."""
    if not site.root:
        return unseen("the firewall's rules are for root")
    for ask in (_nft, _ufw, _iptables):
        try:
            if let_in := ask(site):
                return ok(let_in)
        except Unavailable:
            continue
    more = [port for port, local in sorted(set(_listening(site))) if not local and port not in EXPECTED]
    if more:
        return fail(f"no rule drops anything, and {', '.join(map(str, more))} can be reached", UFW)
    return warn("no rule drops anything; nobody listens but on ports that are wanted", UFW)


@checks("5.3")
def ports(site: Site) -> Finding:
    """Who listens where other machines can reach; pco itself never does."""
    found = sorted({port for port, local in _listening(site) if not local})
    more = [port for port in found if port not in EXPECTED]
    said = ", ".join(f"{port} ({EXPECTED[port]})" if port in EXPECTED else str(port) for port in found) or "none"
    if more:
        mend = f"sudo ss -tlnp 'sport = :{more[0]}' says whose it is; pco needs 443 only (80 for certbot, 22 for you)"
        return warn(f"open to others: {said}", mend)
    return ok(f"open to others: {said}; pco itself listens nowhere")


def _nft(site: Site) -> str:
    rules = _said(site, "nft", "list", "ruleset")
    chains = [chain for chain in re.findall(r"\bchain \S+ \{\n(.*?)\n\t\}", rules, re.S) if "hook input" in chain]
    # A policy, or a rule that drops whatever came as far as to it.
    closed = any(re.search(r"policy drop|^\s*(?:counter[^;]*? )?(?:drop|reject\b.*)$", chain, re.M) for chain in chains)
    return _let_in("nftables", "\n".join(chains)) if closed else ""


def _ufw(site: Site) -> str:
    said = _said(site, "ufw", "status", "verbose")
    closed = "Status: active" in said and re.search(r"Default: (?:deny|reject) \(incoming\)", said)
    return _let_in("ufw", said) if closed else ""


def _iptables(site: Site) -> str:
    said = _said(site, "iptables", "-S", "INPUT")
    closed = re.search(r"^-P INPUT DROP|^-A INPUT -j (?:DROP|REJECT)", said, re.M)
    return _let_in("iptables", said) if closed else ""


def _said(site: Site, name: str, *words: str) -> str:
    """What a program for root says.  Raises Unavailable."""
    path = site.program(name)
    if path is None:
        raise Unavailable(f"{name} is not installed")
    return process.run([path, *words], _ENVIRONMENT, BRIEFLY).out.decode("utf-8", "replace")


def _let_in(by: str, said: str) -> str:
    named = {port for ports in re.findall(r"dports? (?:\{ )?([\d, -]+)", said) for port in re.findall(r"\d+", ports)}
    named |= set(re.findall(r"^(\d+)(?:/tcp)?\s+ALLOW", said, re.M))
    shown = ", ".join(sorted(named, key=int))
    return f"{by} drops what is not let in{f'; let in: {shown}' if shown else ''}"


def _listening(site: Site) -> Iterator[tuple[int, bool]]:
    """Each listening TCP socket: its port, and whether only this machine reaches it."""
    for name in ("tcp", "tcp6"):
        try:
            lines = site.at(f"/proc/net/{name}").read_text().splitlines()[1:]
        except FileNotFoundError:
            continue
        for line in lines:
            words = line.split()
            if words[3] != _LISTENS:
                continue
            address, port = words[1].split(":")
            yield int(port, 16), _local(address)


def _local(address: str) -> bool:
    """As the kernel writes it: words of four bytes, in the machine's order."""
    raw = b"".join(struct.pack("=I", int(address[n : n + 8], 16)) for n in range(0, len(address), 8))
    if len(raw) == 4:
        return raw[0] == 127
    shown = socket.inet_ntop(socket.AF_INET6, raw)
    return shown == "::1" or shown.startswith("::ffff:127.")
