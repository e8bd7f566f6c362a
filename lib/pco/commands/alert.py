"""Tell of a unit of pco that has failed: in the journal, and to who notifies people.

Started by systemd, as OnFailure= of each unit of pco; what it says is in MONITOR_SERVICE_RESULT, MONITOR_EXIT_CODE and
MONITOR_EXIT_STATUS (systemd.exec(5)), which are absent when what failed is no service.  It leaves one record in the
journal, of priority 2, and one file in notify/ of the spool, and wakes pco-notify and pco-dashboard.  Where there is no
spool, or no configuration that can be read, the journal alone has to do.
"""

import os
import re
from collections.abc import Mapping

import click

from pco.command import command
from pco.ground import messages, text
from pco.ground.errors import BadData
from pco.ground.notice import Notice
from pco.run import Pco
from pco.spool.control import Control

PRIORITY = 2  # of syslog(3): critical; nothing else of pco is
WAKES = ("dashboard", "notify")
UNIT = re.compile(r"[A-Za-z0-9][A-Za-z0-9:_.@\\-]{0,180}\.(service|path|timer|socket|target|slice|mount)")
KEY = re.compile(r"@([A-Z0-9_]{1,12}-[0-9]{1,9})\.")
WHY = {
    "": "systemd gave up on it; what it waits for goes unnoticed until it is started again",
    "exec-condition": "its condition failed",
    "oom-kill": "the memory of the machine, or MemoryMax=, was used up",
    "protocol": "it ended before it said that it was ready",
    "resources": "the machine refused what it needs",
    "start-limit-hit": "it was started too often in a short time; systemd does not start it again by itself",
    "timeout": "it took longer than its time-out",
    "watchdog": "it made no progress and was ended",
}
EXITS = {"69": "something that must be installed is missing", "71": "the system refused", "77": "not permitted"}
EXITS |= {"78": "the configuration, or the layout of the spool", "226": "a folder it needs is missing"}
EXITS |= {"243": "a credential is missing"}


@command
@click.argument("unit")
def main(pco: Pco, unit: str) -> None:
    """Tell that UNIT has failed.

    \b
    Examples:
      pco-alert pco-poll.service         what OnFailure=pco-alert@%n.service does
      journalctl -t pco-alert            all that was told so
    """
    if not UNIT.fullmatch(unit):
        raise BadData(f"{text.line(unit, 40)!r} is no name of a unit", "systemctl list-units 'pco-*' shows them")
    key = "".join(KEY.findall(unit)[:1])
    fields = {"unit": unit, "result": text.line(os.environ.get("MONITOR_SERVICE_RESULT", ""), 40)}
    fields["why"] = why(fields["result"], os.environ)
    tell(pco, key, fields)
    leave_notice(pco, Notice("unit failed", pco.now(), key, fields))


def why(result: str, environ: Mapping[str, str]) -> str:
    """Why it failed, as far as systemd says, in words."""
    status = text.line(environ.get("MONITOR_EXIT_STATUS", ""), 20)
    if result == "exit-code":
        meaning = f" ({EXITS[status]})" if status in EXITS else ""
        return f"its program ended with exit code {status or '?'}{meaning}"
    if result in ("signal", "core-dump"):
        return f"its program was ended by signal {status or '?'}"
    return WHY.get(result, f"systemd calls it {result}")


def tell(pco: Pco, key: str, fields: Mapping[str, str]) -> None:
    """The record in the journal, with the commands to look closer."""
    unit = fields["unit"]
    record = {**messages.about(key), "MESSAGE_ID": messages.message_id("unit failed")}
    record |= {"PCO_UNIT": unit, "PCO_RESULT": fields["result"]}
    hint = f"look closer: systemctl status {unit}; journalctl -u {unit} -n 50"
    pco.voice.say(PRIORITY, f"{unit} has failed: {fields['why']}", record, hint)


def leave_notice(pco: Pco, notice: Notice) -> None:
    """The file for who notifies people, and the wake-ups.  Where that cannot be the journal has to do."""
    unit = notice.fields["unit"]
    if pco.leave(f"failed-{unit}", notice, wake="notify" in waken(unit)) and "dashboard" in waken(unit):
        Control(pco.config.paths.spool).wake("dashboard")


def waken(unit: str) -> tuple[str, ...]:
    """Whom the failure of `unit` wakes: who is awoken may fail, too, so there must be no circle of two that do."""
    failed = unit.removeprefix("pco-").partition(".")[0]
    return WAKES[WAKES.index(failed) + 1 :] if failed in WAKES else WAKES
