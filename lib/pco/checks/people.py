"""People: whether what goes wrong reaches them, whom to call, and where to say what is wrong."""

import os
from datetime import timedelta
from html import escape

from pco.checks import Finding, Site, checks, fail, ok, warn, worst
from pco.checks.asked import INSTANCE, installed, properties
from pco.ground import delivered, text, times
from pco.ground.delivered import Way
from pco.ground.notice import EVENTS
from pco.outside import hooks

LATELY = timedelta(days=30)
KINDS = (".service", ".timer", ".path", ".socket")
# How a session fails is its ticket's affair; an alert about an alert would never end.
OTHERWISE = {"pco-session@": "pco-collect-failed@", "pco-alert@.service": "", "pco-attach@.socket": ""}
TRY = "sudo pco-notify --test"
CONFIGURE = "the section {} of {}, then sudo systemctl start pco-dashboard"


@checks("8.3")
def told(site: Site) -> Finding:
    """Every unit tells when it fails, and what it tells has reached somebody lately, on each way."""
    return worst([*([_alarms(site)] if site.systemd else []), *_ways(site)])


@checks("19.3")
def reachable(site: Site) -> Finding:
    """Whom to call is in the configuration and on the board."""
    given = site.config.contacts.given()
    mend = CONFIGURE.format("contacts", site.config_path)
    missing = [name for name in ("owner", "on call", "tracker", "infrastructure") if name not in given]
    if {"owner", "on call"} & set(missing):
        return fail(f"contacts: {', '.join(missing)} are not filled in", mend)
    if missing:
        return warn(f"contacts: {', '.join(missing)} are not filled in", mend)
    return _shown(site, {name: value for name, value in given.items() if name != "feedback"})


@checks("20.4")
def heard(site: Site) -> Finding:
    """Where people say what is wrong is in the configuration and on the board."""
    given = site.config.contacts.given()
    if "feedback" not in given:
        return fail("contacts.feedback is not filled in", CONFIGURE.format("contacts", site.config_path))
    return _shown(site, {"feedback": given["feedback"]})


def _shown(site: Site, contacts: dict[str, str]) -> Finding:
    """Whether the board shows them."""
    said = ", ".join(f"{name}: {value}" for name, value in contacts.items())
    try:
        board = (site.config.paths.www / "index.html").read_text("utf-8", "replace")
    except FileNotFoundError:
        return warn(f"{said}; there is no board yet that shows them", "sudo systemctl start pco-dashboard")
    hidden = [name for name, value in contacts.items() if escape(value, quote=False) not in board]
    if hidden:
        return warn(f"{said}; the board does not show {', '.join(hidden)}", "sudo systemctl start pco-dashboard")
    return ok(said)


def _alarms(site: Site) -> Finding:
    """The OnFailure= of each unit, drop-ins included."""
    known = [unit for unit in installed(site) if unit.endswith(KINDS)]
    started = {unit.replace("@.", f"@{INSTANCE}."): unit for unit in known}
    shown = properties(site)
    mute = [unit for unit, template in started.items() if not _alarmed(template, shown.get(unit, {}))]
    if not known:
        return fail("systemd knows no unit of pco", "install pco again; then: sudo systemctl daemon-reload")
    if mute:
        first = started[mute[0]]
        return fail(
            f"nobody is told when {', '.join(started[unit] for unit in mute)} fails", f"sudo systemctl revert {first}"
        )
    return ok(f"{text.count(len(known), 'unit')} tell when they fail")


def _alarmed(template: str, shown: dict[str, str]) -> bool:
    wanted = next((found for name, found in OTHERWISE.items() if template.startswith(name)), "pco-alert@")
    return wanted in shown.get("OnFailure", "")


def _ways(site: Site) -> list[Finding]:
    """How messages fare on each way that is switched on."""
    names = [*_shipped(site), *_programs(site)]
    if not names:
        mend = f"switch on mail, webhook or ntfy in the section notify of {site.config_path}, then {TRY}"
        return [fail("nobody is told of anything", mend)]
    known = delivered.read(site.config.paths.metrics).ways
    return [_fares(site, name, known.get(name, Way())) for name in names]


def _fares(site: Site, name: str, way: Way) -> Finding:
    if way.failure and not (way.success and way.success > way.failure):
        return fail(f"{name}: failed {times.ago(way.failure, site.now)}: {text.line(way.said, 200)}", TRY)
    if way.success is None:
        # A program for one event may wait for it for long.
        return (warn if "/" in name else fail)(f"{name}: nothing has arrived yet", TRY)
    said = f"{name}: a message arrived {times.ago(way.success, site.now)}"
    return ok(said) if site.now - way.success <= LATELY else warn(said, TRY)


def _shipped(site: Site) -> list[str]:
    notify = site.config.notify
    on = {"mail": bool(notify.mail.to), "webhook": bool(notify.webhook.url_file), "ntfy": bool(notify.ntfy.topic)}
    return [name for name, wanted in on.items() if wanted]


def _programs(site: Site) -> list[str]:
    owners = {0} if site.config.paths.root is None else {0, os.geteuid()}
    folder = site.config_path.parent / "hooks.d"
    return [hook.name for event in (*EVENTS, "all") for hook in hooks.find(folder, event, owners)[0]]
