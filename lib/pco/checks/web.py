"""The dashboard as this machine serves it: its certificate, who may read it, who did.

Where it is served, and under which name, stands in nginx's configuration: sites-enabled/pco, and /etc/pco/nginx/*.inc.
"""

import ipaddress
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from pco.checks import Finding, Site, checks, fail, not_applicable, ok, remote, unseen, warn
from pco.ground import times
from pco.ground.errors import TryLater
from pco.outside import certificate, units, website
from pco.outside.certificate import Shown

BRIEFLY = 3.0
LOOPBACK = "127.0.0.1"
NOT_SERVED = "pco's pages are not served from here (/etc/nginx/sites-enabled/pco)"
OPEN = "edit /etc/pco/nginx/access.inc, then: sudo nginx -t && sudo systemctl reload nginx"
MONITORS = "edit /etc/pco/nginx/monitors.inc, and have your monitoring ask /health each minute"
SCRAPE = "have Prometheus ask /metrics each minute (see pco-runbook(7), Monitoring)"
MOST_LOG = 8 << 20  # of its end
_LINE = re.compile(r'^(\S+) \S+ \S+ \[([^\]]+)\] "(?:GET|HEAD) (\S+) [^"]*" (\d+)')


@dataclass(frozen=True)
class Visit:
    """Somebody asked for something: a line of nginx's access log, in its usual form."""

    who: str
    at: datetime
    path: str
    status: int

    @property
    def foreign(self) -> bool:
        """Whether it came from another machine."""
        try:
            return not ipaddress.ip_address(self.who).is_loopback
        except ValueError:
            return True


def name(site: Site) -> str:
    """The name under which it is served from here; empty if it is not."""
    if not site.at("/etc/nginx/sites-enabled/pco").exists():
        return ""
    try:
        said = _directives(site, "names.inc")
    except OSError:
        return ""
    names = [word for words in said.get("server_name", []) for word in words]
    mine = [word for word in names if word not in ("$hostname", "localhost", "_") and "*" not in word]
    return mine[0] if mine else socket.gethostname()


@checks("3.1")
def signed(site: Site) -> Finding:
    """Who vouches for its certificate."""
    return remote.signed(_shown(site)) if name(site) else not_applicable(NOT_SERVED)


@checks("3.3")
def renewal(site: Site) -> Finding:
    """Whether something renews it, and tells nginx."""
    if not name(site):
        return not_applicable(NOT_SERVED)
    left = (_shown(site).ends - site.now).days
    hooks = site.at("/etc/letsencrypt/renewal-hooks/deploy")
    conf = [path.read_text(errors="replace") for path in site.at("/etc/letsencrypt/renewal").glob("*.conf")]
    hooked = any("pco" in text and "hook" in text for text in conf) or any(hooks.glob("*pco*"))
    timers = [timer for timer in ("certbot.timer", "acme.timer", "snap.certbot.renew.timer") if units.active(timer)]
    if timers and hooked:
        return ok(f"{timers[0]} is active, its hook tells nginx; {left} days left")
    if timers and conf:
        return warn(
            f"{timers[0]} is active, but no hook tells nginx", "see /etc/pco/nginx/certificate.inc: --deploy-hook"
        )
    if left > 60:
        return ok(f"nothing renews it, but {left} days are left")
    return fail(f"nothing renews it, and {left} days are left", "sudo certbot certonly …: see certificate.inc")


@checks("3.4")
def encryption(site: Site) -> Finding:
    """Versions of TLS, and HSTS."""
    own = name(site)
    return remote.versions(own, 443, _shown(site), BRIEFLY, LOOPBACK) if own else not_applicable(NOT_SERVED)


@checks("4.2")
def origins(site: Site) -> Finding:
    """Whether other sites' scripts may read it."""
    if not name(site):
        return not_applicable(NOT_SERVED)
    return remote.origins(website.get(f"https://{LOOPBACK}/", BRIEFLY, verify=False))


@checks("5.1")
def readers(site: Site) -> Finding:
    """Who may read it, from where."""
    if not name(site):
        return not_applicable(NOT_SERVED)
    said = _directives(site, "access.inc")
    allowed = [words[0] for words in said.get("allow", []) if words]
    foreign = [one for one in allowed if one not in ("127.0.0.1", "::1")]
    password = bool(said.get("auth_basic")) and said["auth_basic"] != [["off"]]
    locked = ["all"] in said.get("deny", [])
    how = "with a password" if password else "without a password"
    if "all" in allowed or not (locked or password):
        if password:
            return ok("from everywhere, with a password")
        return fail("everybody may read it, without a password", OPEN)
    if not foreign:
        return warn("closed, as shipped: this machine alone may read it", OPEN)
    wide = [one for one in foreign if _wide(one)]
    if wide and not password:
        return warn(f"{', '.join(wide)} is a large network, {how}", OPEN)
    return ok(f"{', '.join(foreign)} may read it, {how}")


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


def visits(site: Site) -> Iterator[Visit]:
    """What nginx logged, latest first.  Raises OSError."""
    path = site.at("/var/log/nginx/access.log")
    with open(path, "rb") as log:
        log.seek(max(path.stat().st_size - MOST_LOG, 0))
        lines = log.read(MOST_LOG).decode("utf-8", "replace").split("\n")
    for line in reversed(lines):
        if found := _LINE.match(line):
            try:
                at = datetime.strptime(found[2], "%d/%b/%Y:%H:%M:%S %z")
            except ValueError:
                continue
            yield Visit(found[1], at, urlsplit(found[3]).path, int(found[4]))


def _asked(site: Site, paths: tuple[str, ...], within: timedelta, mend: str, *, loopback: bool = False) -> Finding:
    if not name(site):
        return not_applicable(NOT_SERVED)
    try:
        for visit in visits(site):
            if site.now - visit.at > within:
                break
            if visit.path in paths and visit.status < 400 and (loopback or visit.foreign):
                return ok(f"{visit.who} asked {visit.path} {times.ago(visit.at, site.now)} ({visit.status})")
    except PermissionError:
        return unseen("nginx's log is for root and group adm")
    except FileNotFoundError:
        return warn("nginx has no access log", mend)
    return warn(f"nobody asked for {paths[0]} from outside within {times.rough(within)}", mend)


def _shown(site: Site) -> Shown:
    try:
        return site.once("shown", lambda: certificate.handshake(name(site), 443, BRIEFLY, LOOPBACK))
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
