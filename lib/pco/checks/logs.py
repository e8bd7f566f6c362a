"""Logs: bounded, at the right level, rotated, and without errors."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from pco.checks import Finding, Site, checks, fail, not_applicable, ok, warn
from pco.checks.services import NO_SYSTEMD, library
from pco.ground import text, times
from pco.outside import process, units

WITHIN = timedelta(seconds=4)
MOST = 4 << 20
LIMITS = ("SystemMaxUse", "MaxRetentionSec", "SystemKeepFree")
CONF = "/etc/systemd/journald.conf.d/pco.conf"
SET = f"printf '[Journal]\\nSystemMaxUse=1G\\nMaxRetentionSec=90d\\n' | sudo tee {CONF}"
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}


@checks("7.1")
def limits(site: Site) -> Finding:
    """Whether the journal is bounded in size and age; pco writes no other log."""
    if not site.systemd:
        return not_applicable(NO_SYSTEMD)
    said = process.run(["systemd-analyze", "cat-config", "systemd/journald.conf"], _ENVIRONMENT, WITHIN)
    found = dict(re.findall(r"^\s*(\w+)=(\S.*)$", said.out.decode("utf-8", "replace"), re.M))
    usage = process.run(["journalctl", "--disk-usage"], _ENVIRONMENT, WITHIN).out.decode("utf-8", "replace")
    takes = "".join(re.findall(r"take up (\S+)", usage))
    shown = ", ".join(f"{name}={found[name]}" for name in LIMITS if name in found)
    taken = f"; it takes {takes}" if takes else ""
    if "MaxRetentionSec" not in found:
        return warn(f"the journal has a limit of size ({shown or 'by default'}), but none of age{taken}", SET)
    return ok(f"{shown}{taken}")


@checks("7.2")
def level(site: Site) -> Finding:
    """The level of the configuration, and drop-ins that go before it."""
    found = [f"log.level is {site.config.log.level}"] if site.config.log.level not in ("info", "warning") else []
    if site.systemd:
        for unit, facts in units.show("pco*.service", properties=("Environment",)).items():
            said = re.search(r"PCO_LOG_LEVEL=(\w+)", facts.get("Environment", ""))
            if said and said[1] not in ("info", "warning"):
                found.append(f"{unit} has PCO_LOG_LEVEL={said[1]}")
    if found:
        return fail("; ".join(found), "set log.level: info; systemctl edit UNIT to take PCO_LOG_LEVEL out")
    return ok(f"log.level is {site.config.log.level}; no unit has another")


@checks("7.3")
def rotated(site: Site) -> Finding:
    """Whether nginx's logs are rotated."""
    if not site.at("/etc/nginx/sites-enabled/pco").exists():
        return not_applicable("pco's pages are not served from here")
    rules = [
        path for path in site.at("/etc/logrotate.d").glob("*") if "/var/log/nginx" in path.read_text(errors="replace")
    ]
    if not rules:
        return fail("no rule of logrotate names /var/log/nginx", "sudo apt-get install logrotate nginx-common")
    timer = not site.systemd or units.active("logrotate.timer") or site.at("/etc/cron.daily/logrotate").exists()
    if not timer:
        return fail("logrotate is not run", "sudo systemctl enable --now logrotate.timer")
    return ok(f"{rules[0].name} of logrotate")


@checks("18.2")
def errors(site: Site) -> Finding:
    """Records of priority err and above since the deployment, by kind."""
    if not site.systemd:
        return not_applicable(NO_SYSTEMD)
    since = max(datetime.fromtimestamp(library().stat().st_mtime, UTC), site.now - timedelta(days=7))
    entries = list(records(since, "err"))
    if not entries:
        return ok(f"none {times.ago(since, site.now).replace(' ago', '')} back")
    kinds = Counter(str(entry.get("SYSLOG_IDENTIFIER", "?")) for entry in entries)
    last = entries[-1]
    shown = ", ".join(f"{name} {n}" for name, n in kinds.most_common(5))
    named = text.line(str(last.get("MESSAGE", "")), 160)
    return warn(
        f"{len(entries)} ({shown}); the last: {named}", "journalctl -x -p err -t 'pco-*' (dealt with: attest 18.2)"
    )


def records(since: datetime, priority: str) -> Iterator[dict[str, object]]:
    """What pco's programs and units logged since then, of this priority and above.  Raises PcoError."""
    argv = ["journalctl", "--quiet", "--no-pager", f"--since=@{since.timestamp():.0f}", f"--priority={priority}"]
    argv += ["--output=json", "--output-fields=MESSAGE,MESSAGE_ID,SYSLOG_IDENTIFIER,_SYSTEMD_UNIT,UNIT", "--all"]
    said = process.run(argv, _ENVIRONMENT, WITHIN, MOST)
    for line in said.out.splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and _ours(entry):
            yield entry


def _ours(entry: dict[str, object]) -> bool:
    names = (entry.get("SYSLOG_IDENTIFIER"), entry.get("_SYSTEMD_UNIT"), entry.get("UNIT"))
    return any(isinstance(name, str) and name.startswith("pco") for name in names)
