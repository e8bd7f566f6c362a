"""What of this machine can be reached: its firewall, and the ports on which somebody listens."""

import re
import socket
import struct
from collections.abc import Iterator
from datetime import timedelta

from pco.checks import Finding, Site, checks, fail, ok, unseen, warn
from pco.ground.errors import PcoError, Unavailable
from pco.outside import process

BRIEFLY = timedelta(seconds=3)
EXPECTED = {22: "ssh", 80: "http", 443: "https"}
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
_LISTENS = "0A"


@checks("5.2")
def firewall(site: Site) -> Finding:
    """Whether nftables, ufw or iptables drop what is not wanted."""
    if not site.root:
        return unseen("the firewall's rules are for root")
    for ask in (_nft, _ufw, _iptables):
        try:
            if found := ask():
                return found
        except Unavailable:
            continue
        except PcoError as error:
            return fail(str(error), error.hint)
    return fail("no rule drops anything: every port can be reached", "see pco-runbook(7), Firewall")


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


def _nft() -> Finding | None:
    rules = process.run(["nft", "list", "ruleset"], _ENVIRONMENT, BRIEFLY)
    said = rules.out.decode("utf-8", "replace")
    if rules.code or "hook input" not in said:
        return None
    chains = re.findall(r"type filter hook input[^}]*", said)
    closed = any(
        "policy drop" in chain or re.search(r"^\s*(?:counter.*)?(?:drop|reject)", chain, re.M) for chain in chains
    )
    return _judged("nftables", said) if closed else None


def _ufw() -> Finding | None:
    said = process.run(["ufw", "status", "verbose"], _ENVIRONMENT, BRIEFLY).out.decode("utf-8", "replace")
    if "Status: active" not in said or not re.search(r"Default: (?:deny|reject) \(incoming\)", said):
        return None
    return _judged("ufw", said)


def _iptables() -> Finding | None:
    said = process.run(["iptables", "-S", "INPUT"], _ENVIRONMENT, BRIEFLY).out.decode("utf-8", "replace")
    return _judged("iptables", said) if "-P INPUT DROP" in said or "-j DROP" in said or "-j REJECT" in said else None


def _judged(by: str, said: str) -> Finding:
    named = {int(port) for port in re.findall(r"(?:dport(?:s)?|--dport) (?:\{ )?(\d+)", said)}
    named |= {int(port) for port in re.findall(r"^(\d+)(?:/tcp)?\s+ALLOW", said, re.M)}
    return ok(f"{by} drops what is not let in" + (f"; let in: {', '.join(map(str, sorted(named)))}" if named else ""))


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
