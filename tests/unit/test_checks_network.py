"""The boxes about what of this machine can be reached."""

from dataclasses import replace
from pathlib import Path

import pytest

from checking import Status, look, put, site

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
LISTENS = "   0: {} 00000000:0000 {} 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0\n"
EVERYWHERE, HERE = "00000000", "0100007F"
EVERYWHERE_6, HERE_6 = "0" * 32, "00000000000000000000000001000000"
HERE_4_IN_6 = "0000000000000000FFFF00000100007F"


def listening(top: Path, *sockets: tuple[str, int], state: str = "0A") -> None:
    """Who listens, as the kernel tells on a machine with small ends first."""
    for name, length in (("tcp", 8), ("tcp6", 32)):
        rows = [LISTENS.format(f"{host}:{port:04X}", state) for host, port in sockets if len(host) == length]
        put(top, f"/proc/net/{name}", HEAD + "".join(rows))


@pytest.mark.box("5.3", "well")
def test_ports_for_this_machine_alone_are_of_no_interest(tmp_path):
    listening(tmp_path, (EVERYWHERE, 22), (HERE, 5432), (HERE_6, 25), (HERE_4_IN_6, 8125), (EVERYWHERE_6, 443))

    found = look(site(tmp_path), "5.3")

    assert found.evidence == "open to others: 22 (ssh), 443 (https); pco itself listens nowhere"


@pytest.mark.parametrize("host", [EVERYWHERE, EVERYWHERE_6, "0C0D0B0A"])
@pytest.mark.box("5.3", "ill")
def test_a_port_that_others_reach_is_named_with_the_way_to_its_owner(tmp_path, host):
    listening(tmp_path, (EVERYWHERE, 443), (host, 5432))

    found = look(site(tmp_path), "5.3")

    assert (found.status, found.evidence) == (Status.WARN, "open to others: 443 (https), 5432")
    assert found.mend.startswith("sudo ss -tlnp 'sport = :5432'")


def test_connections_are_not_listening(tmp_path):
    listening(tmp_path, (EVERYWHERE, 5432), state="01")

    assert look(site(tmp_path), "5.3").status is Status.OK


# The firewall.

NFT = """\
table inet filter {{
	set blocked {{
		type ipv4_addr
	}}

	chain input {{
		type filter hook input priority filter; policy {};
		iif "lo" accept
		ct state {{ established, related }} accept
		ct state invalid drop
		tcp dport {{ 22, 443 }} accept
		{}
	}}

	chain forward {{
		type filter hook forward priority filter; policy drop;
	}}
}}
"""
UFW = "Status: active\nLogging: on (low)\nDefault: {} (incoming), allow (outgoing)\n\n22/tcp   ALLOW IN    Anywhere\n"
IPTABLES = "-P INPUT {}\n-A INPUT -i lo -j ACCEPT\n-A INPUT -p tcp -m tcp --dport 443 -j ACCEPT\n{}\n"
# What each of them says, and what is let in; empty: it is open.
SAYS = {
    "nft, by policy": ("nft", NFT.format("drop", ""), "nftables drops what is not let in; let in: 22, 443"),
    "nft, by a last rule": ("nft", NFT.format("accept", "counter packets 1 bytes 2 drop"), "nftables"),
    "nft, by a refusal": ("nft", NFT.format("accept", "reject with icmpx admin-prohibited"), "nftables"),
    "nft, of something only": ("nft", NFT.format("accept", "ip saddr @blocked drop"), ""),
    "ufw": ("ufw", UFW.format("deny"), "ufw drops what is not let in; let in: 22"),
    "ufw that lets all in": ("ufw", UFW.format("allow"), ""),
    "ufw that is off": ("ufw", "Status: inactive\n", ""),
    "iptables, by policy": ("iptables", IPTABLES.format("DROP", ""), "iptables drops what is not let in; let in: 443"),
    "iptables, by a last rule": ("iptables", IPTABLES.format("ACCEPT", "-A INPUT -j REJECT"), "iptables"),
    "iptables, of one address": ("iptables", IPTABLES.format("ACCEPT", "-A INPUT -s 192.0.2.1/32 -j DROP"), ""),
    "nothing": ("none", "", ""),
}


@pytest.mark.parametrize("kind", SAYS)
def test_a_firewall_is_one_that_drops_what_nobody_let_in(tmp_path, kind):
    program, said, words = SAYS[kind]
    put(tmp_path, f"/usr/sbin/{program}", f"#!/bin/sh\ncat <<'END'\n{said}END\n", 0o755)

    found = look(replace(site(tmp_path), root=True), "5.2")

    assert (found.status is Status.OK) == bool(words), found
    assert words in found.evidence


@pytest.mark.box("5.2", "ill")
def test_without_a_firewall_what_can_be_reached_decides_how_grave_it_is(tmp_path):
    where = replace(site(tmp_path), root=True)

    listening(tmp_path, (EVERYWHERE, 22))
    assert look(where, "5.2").status is Status.WARN
    listening(tmp_path, (EVERYWHERE, 22), (EVERYWHERE, 5432))
    found = look(where, "5.2")

    assert (found.status, found.evidence) == (Status.FAIL, "no rule drops anything, and 5432 can be reached")


@pytest.mark.box("5.2", "well")
def test_a_firewall_with_a_policy_is_well(tmp_path):
    put(tmp_path, "/usr/sbin/nft", f"#!/bin/sh\ncat <<'END'\n{NFT.format('drop', '')}END\n", 0o755)

    look(replace(site(tmp_path), root=True), "5.2")


def test_others_than_root_are_told_who_sees_the_firewall(tmp_path):
    assert look(site(tmp_path), "5.2").mend == "sudo pco-doctor"
