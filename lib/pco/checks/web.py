"""The dashboard as this machine serves it: its certificate, who may read it, who did.

Where it is served, and under which name, stands in nginx's configuration: sites-enabled/pco, and /etc/pco/nginx/*.inc.
"""

import ipaddress
import os
import re
import socket
from datetime import timedelta
from pathlib import Path

from pco.checks import Finding, Site, asked, checks, fail, not_applicable, ok, remote, unseen, warn
from pco.checks.remote import RELOAD
from pco.ground import times
from pco.ground.errors import BadData, TryLater
from pco.ground.frozen import dataclass
from pco.outside import accesslog, certificate, website
from pco.outside.certificate import Shown

BRIEFLY = 3.0
LOOPBACK = "127.0.0.1"
NOT_SERVED = "pco's pages are not served from here (/etc/nginx/sites-enabled/pco)"
OPEN = f"sudoedit /etc/pco/nginx/access.inc; {RELOAD}"
MONITORS = f"sudoedit /etc/pco/nginx/monitors.inc; {RELOAD}; and have your monitoring ask /health each minute"
SCRAPE = "have Prometheus ask /metrics each minute (see pco-runbook(7), Monitoring)"
RENEWED_BY_HAND = 60  # days


@dataclass(frozen=True)
class Served:
    """Under which name, and on which port of this machine, it is served."""

    name: str
    port: int


def served(site: Site) -> Served | None:
    """How it is served from here; None if it is not."""
    conf = site.at("/etc/nginx/sites-enabled/pco")
    try:
        ports = re.findall(r"^\s*listen\s+(?:[\w.*\[\]:]+:)?(\d+)\s+ssl", conf.read_text(errors="replace"), re.M)
        said = _directives(site, "names.inc")
    except OSError:
        return None
    names = [word for words in said.get("server_name", []) for word in words]
    mine = [word for word in names if word not in ("$hostname", "localhost", "_") and "*" not in word]
    return Served(mine[0] if mine else socket.gethostname(), int(ports[0]) if ports else 443)


@checks("3.1")
def signed(site: Site) -> Finding:
    """Who vouches for its certificate."""
    own = served(site)
    return remote.signed(shown(site, own), certbot(site, own)) if own else not_applicable(NOT_SERVED)


@checks("3.3")
def renewal(site: Site) -> Finding:
    """Whether something renews it, and tells nginx."""
    own = served(site)
    if own is None:
        return not_applicable(NOT_SERVED)
    left = (shown(site, own).ends - site.now).days
    conf = [path.read_text(errors="replace") for path in site.at("/etc/letsencrypt/renewal").glob("*.conf")]
    hooks = site.at("/etc/letsencrypt/renewal-hooks/deploy")
    hooked = any(re.search(r"hook.*pco", text) for text in conf) or any(hooks.glob("*pco*"))
    timer = _timer(site)
    if timer and hooked:
        return ok(f"{timer} is active, its hook tells nginx; {left} days left")
    if timer and conf:
        return warn(f"{timer} is active, but no hook tells nginx", certbot(site, own))
    if left > RENEWED_BY_HAND:
        return ok(f"nothing renews it, but {left} days are left")
    return fail(f"nothing renews it, and {left} days are left", certbot(site, own))


def _timer(site: Site) -> str:
    """The timer that renews certificates, if one is active."""
    return asked.runs(site, *asked.CERTIFIERS) if site.systemd else ""


def certbot(site: Site, own: Served) -> str:
    """The command that gets a certificate, has it renewed, and has nginx told."""
    hook = f"{_shipped(site).parent}/certbot-deploy-hook"
    return f"sudo certbot certonly --webroot -w /var/www/html -d {own.name} --deploy-hook {hook}"


def _shipped(site: Site) -> Path:
    """The configuration of nginx that sites-enabled/pco leads to."""
    return Path(os.path.realpath(site.at("/etc/nginx/sites-enabled/pco")))


def _restore(site: Site) -> str:
    return f"compare {_shipped(site)} with the shipped one (dpkg --verify pco), then: {RELOAD}"


@checks("3.4")
def encryption(site: Site) -> Finding:
    """Versions of TLS, and HSTS."""
    own = served(site)
    if own is None:
        return not_applicable(NOT_SERVED)
    return remote.versions(own.name, own.port, shown(site, own), BRIEFLY, LOOPBACK, _restore(site))


@checks("4.2")
def origins(site: Site) -> Finding:
    """Whether other sites' scripts may read it."""
    own = served(site)
    if own is None:
        return not_applicable(NOT_SERVED)
    page = website.get(f"https://{own.name}:{own.port}/", BRIEFLY, verify=False, at=LOOPBACK)
    return remote.origins(page, _restore(site))


@checks("5.1")
def readers(site: Site) -> Finding:
    """Who may read it, from where."""
    if served(site) is None:
        return not_applicable(NOT_SERVED)
    said = _directives(site, "access.inc")
    allowed = [words[0] for words in said.get("allow", []) if words]
    foreign = [one for one in allowed if one not in ("127.0.0.1", "::1")]
    password = bool(said.get("auth_basic")) and said["auth_basic"] != [["off"]]
    locked = ["all"] in said.get("deny", [])
    either = password and ["any"] in said.get("satisfy", [])
    how = "with a password" if password and not either else "without a password"
    if "all" in allowed or not locked:
        if password and not ("all" in allowed and either):
            return ok("from everywhere, with a password")
        return fail("everybody may read it, without a password", OPEN)
    if not foreign:
        return warn("closed, as shipped: this machine alone may read it", OPEN)
    wide = [one for one in foreign if _wide(one)]
    if wide and "without" in how:
        return warn(f"{', '.join(wide)} is a large network, {how}", OPEN)
    return ok(f"{', '.join(foreign)} may read it, {how}{'; others with one' if either else ''}")


@checks("8.1")
def monitored(site: Site) -> Finding:
    """Whether somebody asks from outside whether it is well."""
    return _asked(site, ("/health", "/health.json"), timedelta(hours=1), MONITORS)


@checks("18.3")
def seen_from_outside(site: Site) -> Finding:
    """Whether somebody has read the board from another machine."""
    return _asked(site, ("/", "/index.html"), timedelta(days=7), "from another machine: pco-doctor --url https://…")


@checks("23.5")
def scraped(site: Site) -> Finding:
    """Whether metrics are read."""
    textfile = list(site.at("/var/lib/prometheus/node-exporter").glob("pco*.prom"))
    if any(site.now.timestamp() - path.stat().st_mtime < 300 for path in textfile):
        return ok(f"{textfile[0].name} is written for node_exporter")
    return _asked(site, ("/metrics", "/metrics.txt"), timedelta(minutes=5), SCRAPE, loopback=True)


def _asked(site: Site, paths: tuple[str, ...], within: timedelta, mend: str, *, loopback: bool = False) -> Finding:
    if served(site) is None:
        return not_applicable(NOT_SERVED)
    try:
        for visit in accesslog.latest(site.at("/var/log/nginx")):
            if site.now - visit.at > within:
                break
            # 503 is an answer of /health and /metrics, too: somebody was told.
            if visit.path in paths and (visit.status < 400 or visit.status == 503) and (loopback or visit.foreign):
                return ok(f"{visit.who} asked {visit.path} {times.ago(visit.at, site.now)} ({visit.status})")
    except PermissionError:
        return unseen("nginx's log is for root and group adm")
    except FileNotFoundError:
        return warn("nginx has no access log", mend)
    except BadData as error:
        return unseen(str(error), "look yourself, and: pco-doctor attest ID")
    where = "" if loopback else " from outside"
    return warn(f"nobody asked for {paths[0]}{where} within {times.rough(within)}", mend)


def shown(site: Site, own: Served) -> Shown:
    """What it shows in a handshake, made once.  Raises TryLater."""
    try:
        return site.once("shown", lambda: certificate.handshake(own.name, own.port, BRIEFLY, LOOPBACK))
    except TryLater as error:
        raise TryLater(str(error), "sudo nginx -t && sudo systemctl restart nginx") from error


def _directives(site: Site, file: str) -> dict[str, list[list[str]]]:
    """The directives of a file of ours: name: the words of each.  Raises OSError."""
    said: dict[str, list[list[str]]] = {}
    bare = re.sub(r"#.*", "", site.at(f"/etc/pco/nginx/{file}").read_text(errors="replace"))
    for statement in bare.split(";"):
        words = [word.strip("\"'") for word in statement.split()]
        if words:
            said.setdefault(words[0], []).append(words[1:])
    return said


def _wide(network: str) -> bool:
    try:
        found = ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False
    return found.num_addresses > (1 << 16 if found.version == 4 else 1 << 64) and not found.is_private
