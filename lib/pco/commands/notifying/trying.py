"""`pco-notify --test`: a message on all ways that an event has, and what became of it on each.

On an installed pco the unit sends it, with its credentials and in its sandbox: what works there works at night, too.
"""

import secrets
import time
from datetime import timedelta

from pco.commands import notify
from pco.commands.notifying.ways import Ways
from pco.ground import delivered, text
from pco.ground.delivered import Trial
from pco.ground.errors import BadConfig, BadData, PcoError, SystemFault, TryLater, Unavailable
from pco.ground.notice import EVENTS, Notice, slug
from pco.outside import units
from pco.run import Pco

UNIT = "pco-notify.service"
MORE = timedelta(seconds=20)  # for the unit to be started, and what it is at to end
LOOK = 0.1


def attempt(pco: Pco, event: str) -> None:
    """Send it, wait, tell.  Raises PcoError if it has not arrived everywhere."""
    event = slug(event)
    if event not in EVENTS:
        raise BadData(f"{text.line(event, 40)!r} is no event{text.meant(event, list(EVENTS))}", "pco-notify --list")
    ways = Ways(pco)
    wanted = ways.of(event)
    for refused in ways.refused:
        pco.log("warning", f"hooks.d/{refused.name} is not run: {refused.why}")
    if not wanted:
        hint = "set mail, webhook or ntfy in the section notify of pco.yaml, or put a program into hooks.d/"
        raise BadConfig(f"nobody is told of {event}", hint)
    pco.spool.check()
    name = f"test-{secrets.token_hex(6)}"
    notice = Notice("test", pco.now(), fields={"as": event, "by": pco.who})
    if not pco.leave(name, notice, wake=_by_unit(pco)):
        raise SystemFault("the trial could not be begun")
    if not _by_unit(pco):
        notify.work(pco)
    tell(pco, _result(pco, name))


def _by_unit(pco: Pco) -> bool:
    """Whether the unit is to do it."""
    return units.running() and pco.config.paths.root is None


def _result(pco: Pco, name: str) -> Trial:
    """What became of it, once that is known."""
    patience = pco.config.notify.timeout + MORE if _by_unit(pco) else timedelta()
    deadline = time.monotonic() + patience.total_seconds()
    while True:
        known = _known(pco)
        for trial in known:
            if trial.name == name:
                return trial
        if time.monotonic() > deadline:
            hint = f"systemctl status {UNIT} pco-notify.path; journalctl -u {UNIT} -n 20"
            raise TryLater(f"{UNIT} has not told within {patience.total_seconds():g} s what became of it", hint)
        time.sleep(LOOK)


def _known(pco: Pco) -> tuple[Trial, ...]:
    try:
        return delivered.read(pco.config.paths.metrics).trials
    except PermissionError as error:
        raise PcoError(f"{error.filename}: {error.strerror}", "root, and members of group pco, may read it") from error
    except OSError as error:
        raise SystemFault(f"{error.filename}: {error.strerror}") from error


def tell(pco: Pco, trial: Trial) -> None:
    """Say what became of it on each way.  Raises Unavailable if it has not arrived on one."""
    for name, trouble in sorted(trial.results.items()):
        pco.say(f"{name}: {trouble or 'ok'}")
    missed = [name for name, trouble in trial.results.items() if trouble]
    if missed:
        raise Unavailable(f"nothing arrives by {', '.join(sorted(missed))}", f"journalctl -u {UNIT} -n 20 says more")
