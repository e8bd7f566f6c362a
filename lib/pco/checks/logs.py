"""Logs: bounded, at the right level, rotated, and without errors."""

import re
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from pco.checks import Finding, Site, checks, fail, logged, not_applicable, ok, warn, worst
from pco.checks.asked import ROTATOR, runs
from pco.checks.services import NO_SYSTEMD, deployed
from pco.ground import attested, text, times
from pco.ground.errors import PcoError
from pco.outside import process

WITHIN = timedelta(seconds=4)
MOST = 4 << 20
BACK = timedelta(days=7)
LIMITS = ("SystemMaxUse", "SystemKeepFree", "MaxRetentionSec")
CONF = "/etc/systemd/journald.conf.d/zz-pco.conf"
SET = f"printf '[Journal]\\nSystemMaxUse=1G\\nMaxRetentionSec=90day\\n' | sudo install -D -m 644 /dev/stdin {CONF}"
UNITS = ("/etc/systemd/system", "/run/systemd/system", "/etc/systemd/system.control", "/run/systemd/system.control")
RELOAD = "sudo systemctl daemon-reload"
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}
_LEVEL = re.compile(r"^\s*(?:Environment=.*\bPCO_LOG_LEVEL=|LogLevelMax=)[\"']?(\w+)", re.M)


@checks("7.1")
def limits(site: Site) -> Finding:
    """Whether the journal is bounded in size and age; pco writes no other log."""
    if not site.systemd:
        return not_applicable(NO_SYSTEMD)
    said = process.run(["systemd-analyze", "cat-config", "systemd/journald.conf"], _ENVIRONMENT, WITHIN)
    found = dict(re.findall(r"^\s*(\w+)=[ \t]*(.*?)\s*$", said.out.decode("utf-8", "replace"), re.M))
    usage = process.run(["journalctl", "--disk-usage"], _ENVIRONMENT, WITHIN).out.decode("utf-8", "replace")
    takes = "".join(re.findall(r"take up (\S+)", usage))
    shown = ", ".join(f"{name}={found[name]}" for name in LIMITS if found.get(name))
    taken = f"; it takes {takes}" if takes else ""
    if found.get("MaxRetentionSec", "0") in ("", "0"):
        told = f"the journal has a limit of size ({shown or 'by default'}), but none of age{taken}"
        return warn(told, f"{SET} && sudo systemctl restart systemd-journald")
    return ok(f"{shown}{taken}")


@checks("7.2")
def level(site: Site) -> Finding:
    """The level of the configuration, and drop-ins of units that go before it."""
    own = site.config.log.level
    found = [_judged(f"log.level is {own}", own, site.setting("log", "level", "info"))]
    for path in _drop_ins(site):
        for said in _LEVEL.findall(path.read_text(errors="replace")):
            mend = f"sudo sed -i -E '/PCO_LOG_LEVEL|LogLevelMax/d' {path} && {RELOAD}"
            found.append(_judged(f"{path} says {said}", said, mend))
    told = worst(found)
    return told if told.status != "ok" else ok(f"log.level is {own}; no unit has another")


@checks("7.3")
def rotated(site: Site) -> Finding:
    """Whether nginx's logs are rotated."""
    if not site.at("/etc/nginx/sites-enabled/pco").exists():
        return not_applicable("pco's pages are not served from here")
    rules = [
        path
        for path in sorted(site.at("/etc/logrotate.d").glob("*"))
        if path.is_file() and "/var/log/nginx" in path.read_text(errors="replace")
    ]
    if not rules:
        return fail("no rule of logrotate names /var/log/nginx", "sudo apt-get install --reinstall nginx-common")
    if site.program("logrotate") is None:
        return fail("logrotate is not installed", "sudo apt-get install logrotate")
    # Debian's job for cron leaves it to the timer wherever systemd runs.
    if site.systemd and not runs(site, ROTATOR):
        return fail("logrotate is not run", "sudo systemctl enable --now logrotate.timer")
    return ok(f"{rules[0].name} of logrotate")


@checks("18.2")
def errors(site: Site) -> Finding:
    """Records of priority err and above since the deployment, or since a person has dealt with them, by program."""
    if not site.systemd:
        return not_applicable(NO_SYSTEMD)
    since = max(deployed(), site.now - BACK)
    seen_to = ""
    try:
        word = attested.read(site.config.paths.audit, "18.2")
    except PcoError:
        word = None
    if word and word.at > since:
        since, seen_to = word.at, f"; those before: {word.by}: {word.note}"
    said = logged.records(site, since, "err", MOST)
    if not said.records:
        return ok(f"none {times.rough(site.now - since)} back{seen_to}")
    kinds = Counter(record.by for record in said.records)
    shown = ", ".join(f"{name} {n}" for name, n in kinds.most_common(5))
    told = f"{len(said.records)} ({shown}); the last: {text.line(said.records[-1].message, 160)}"
    look = f"journalctl -x -p err -S '{since:%Y-%m-%d %H:%M:%S} UTC' -u 'pco*'"
    return warn(told, f'{look}; once dealt with: pco-doctor attest 18.2 --note "…"')


def _judged(told: str, level: str, mend: str) -> Finding:
    if level in ("info", "notice", "6", "5"):
        return ok(told)
    if level in ("debug", "7"):
        return fail(f"{told}: every step is logged, and hides what matters", mend)
    return warn(f"{told}: what becomes of tickets is not logged", mend)


def _drop_ins(site: Site) -> Iterator[Path]:
    for folder in UNITS:
        for form in ("pco*.d/*.conf", "pco*.service"):
            yield from sorted(path for path in site.at(folder).glob(form) if path.is_file())
