"""The people who may approve, and the units that start: what is missing of both, and the doing."""

import os
from collections.abc import Sequence

import click

from pco.commands.setting.talk import Talk
from pco.commands.setting.writing import Change
from pco.ground.errors import PcoError
from pco.ground.frozen import dataclass
from pco.outside import accounts, units

GROUP = "pco"
TARGET = "pco.target"
STALE = "pco-stale.timer"  # not part of the target: it must tell when the target is stopped
WATCHER = "pco-watch.service"  # the only program that has read the configuration long ago
SHOWN = (TARGET, "pco-poll.timer", WATCHER)


@dataclass(frozen=True)
class Steps:
    """What is to be done once the files are written: people to add to group pco, units to start, one to restart."""

    members: tuple[str, ...]
    units: tuple[str, ...]
    restart: bool = False

    def described(self) -> list[str]:
        """What a person reads before it is done."""
        lines = [f"group {GROUP}: {', '.join(self.members)} may approve"] if self.members else []
        lines += [f"systemd: {unit} is started, now and with the machine" for unit in self.units]
        return lines + ([f"systemd: {WATCHER} is restarted; sessions go on"] if self.restart else [])


def members(talk: Talk, wanted: Sequence[str]) -> tuple[str, ...]:
    """Who is to come into group pco: those named, or who called sudo.  Raises UsageError for nobody's name."""
    caller = os.environ.get("SUDO_USER", "")
    default = caller if caller not in ("", "root") and accounts.exists(caller) else ""
    if talk.asks and not wanted:
        click.echo(err=True)
        wanted = talk.ask(
            "Who may approve, besides root? (user names, with commas; - for nobody)", default or "-", _users
        )
    elif not wanted:
        wanted = [default] if default else []
        if not default:
            talk.note(f"nobody is added to group {GROUP}", "those in it may approve: --member NAME")
    unknown = [user for user in wanted if not accounts.exists(user)]
    if unknown:
        raise click.UsageError(f"--member: there is no user {', '.join(map(repr, unknown))}")
    return tuple(dict.fromkeys(user for user in wanted if not accounts.is_member(user, GROUP)))


def _users(said: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in said.split(",") if name.strip() not in ("", "-"))
    if unknown := [name for name in names if not accounts.exists(name)]:
        raise ValueError(f"there is no user {', '.join(map(repr, unknown))}")
    return names


def steps(talk: Talk, change: Change, people: tuple[str, ...], start: bool) -> Steps:
    """What is to be done on this machine."""
    if not units.running():
        talk.warn("no systemd here: nothing is started", "run pco-poll, pco-launch, pco-post by cron, pco-watch always")
        return Steps(people, ())
    if not start:
        return Steps(people, ())
    wanted = [TARGET, *([STALE] if units.exists(STALE) else [])]
    idle = tuple(unit for unit in wanted if not _runs(unit))
    # What an active target wants waits for both files (ConditionPathExists=) until the target is started again.
    anew = bool(change.config or change.token) and not units.active("pco-poll.timer")
    restart = change.config is not None and units.active(WATCHER)
    return Steps(people, (TARGET, *idle) if anew and TARGET not in idle else idle, restart)


def _runs(unit: str) -> bool:
    return units.active(unit) and units.enabled(unit)


def take(talk: Talk, steps: Steps) -> None:
    """Do it.  A user that cannot be added is a warning; raises what systemd says."""
    for user in steps.members:
        try:
            accounts.add(user, GROUP)
            talk.ok(f"{user} is in group {GROUP}, from the next login on")
        except PcoError as error:
            talk.warn(f"{user} is not in group {GROUP}: {error}", f"add {user} where your users are kept")
    if steps.restart:
        units.restart(WATCHER)
    for unit in steps.units:
        units.enable(unit)
        talk.ok(f"{unit} is started")
