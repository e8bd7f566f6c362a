"""stop, attach, pause, resume: what a person can do about running sessions.  pco-watch does the rest."""

import os
from dataclasses import replace

import click

from pco.commands.queue import verb
from pco.commands.queue.change import Done, Refused, Told, change, each, expect, read
from pco.commands.queue.select import Chosen, bulk
from pco.commands.queue.terminal import when
from pco.ground import events, times
from pco.ground.errors import PcoError, Unavailable
from pco.ground.ticket import Note, State, Stop, Ticket
from pco.run import Pco
from pco.spool.control import UNKNOWN


@verb.verb
@bulk(State.ACTIVE)
@verb.note
def stop(pco: Pco, chosen: Chosen, note: str) -> None:
    """Ask that running sessions end; their tickets are rejected.

    pco-watch ends the session.  A summary that was handed over already wins: then the ticket is completed.

    \b
    Examples:
      pco-queue stop WEB-12 --note "wrong branch"
      pco-queue stop --all --project WEB --yes
    """
    each(pco, chosen, lambda key: ask_stop(pco, key, "rejected", note))
    events.ring(str(pco.config.paths.trigger))


def ask_stop(pco: Pco, key: str, to: str, note: str = "") -> None:
    """Note in the record that the session shall end.  Raises Refused, Done."""

    def judge(ticket: Ticket) -> tuple[Ticket, None]:
        expect(pco, ticket, "stopped", State.ACTIVE)
        # To reject weighs more than to pause.
        if ticket.stop and (ticket.stop.to == to or to == "approved"):
            raise Done(f"was asked to stop by {ticket.stop.by} {times.ago(ticket.stop.at, pco.now())}")
        return replace(ticket, stop=Stop(pco.now(), pco.who, note.strip(), to)), None

    told = Told("stop asked", f"stopping; it will be {to}", {"to": to, "why": note})
    change(pco, key, judge, note=note, told=told)


@verb.verb
@verb.note
@click.option("--stop", "stopping", is_flag=True, help="End running sessions too; their tickets stay approved.")
def pause(pco: Pco, note: str, stopping: bool) -> None:
    """Let no session be started until resume.

    Running sessions go on, unless --stop is given.  Polling and posting go on.

    \b
    Examples:
      pco-queue pause --note "deployment until noon"
      pco-queue pause --stop
    """
    before = pco.spool.control.paused()
    if before and before.by != UNKNOWN:  # one that cannot be read is written anew: it may not be there
        pco.say(f"already paused by {before.by}, {when(pco, before.at)}{f': {before.text}' if before.text else ''}")
    else:
        pco.spool.control.pause(Note(pco.now(), pco.who, note.strip()))
        pco.announce("paused", None, {"why": note})
        pco.spool.control.wake("dashboard")
        events.ring(str(pco.config.paths.trigger))  # pco-watch shows it
        pco.say("paused: no session will be started (pco-queue resume)")
    if stopping:
        each(pco, sorted(pco.spool.keys(State.ACTIVE)), lambda key: ask_stop(pco, key, "approved", note))
        events.ring(str(pco.config.paths.trigger))


@verb.verb
def resume(pco: Pco) -> None:
    """End the pause.

    \b
    Examples:
      pco-queue resume
    """
    if not pco.spool.control.resume():
        pco.say("nothing is paused")
        return
    pco.announce("resumed", None)
    for name in ("launch", "dashboard"):
        pco.spool.control.wake(name)
    events.ring(str(pco.config.paths.trigger))
    pco.say("resumed: approved tickets will be launched")


@verb.verb
@click.option("--read-only", is_flag=True, help="Only look: no key is passed on.")
@verb.key(State.ACTIVE)
def attach(pco: Pco, key: str, read_only: bool) -> None:
    """Watch a running session, and answer it.

    Leave with Ctrl-B, then D; the session goes on.  Under systemd q also leaves a read-only look, and Ctrl-] three
    times within a second leaves whatever the session does.  The agent draws the screen, all of it.

    \b
    Examples:
      pco-queue attach WEB-12
      pco-queue attach --read-only WEB-12
    """
    try:
        ticket, argv = attachable(pco, key, read_only)
    except PcoError as error:
        pco.fail(error, key)
        return
    pco.announce("attached", ticket, {"read_only": "yes" if read_only else ""})
    try:
        os.execvp(argv[0], argv)  # noqa: S606 (no shell is what we want)
    except FileNotFoundError:
        hint = f"apt install {argv[0]}" if argv[0] == "tmux" else f"is the folder of {pco.program} in PATH?"
        raise Unavailable(f"{argv[0]} is not installed", hint) from None


def attachable(pco: Pco, key: str, read_only: bool) -> tuple[Ticket, tuple[str, ...]]:
    """The ticket, and the command that shows its session.  Raises Refused if it has none."""
    from pco.outside.runners import Alive, choose

    ticket = read(pco, key)
    expect(pco, ticket, "attached to", State.ACTIVE)
    paths = pco.config.paths
    runner = choose(pco.config.sessions.runner, paths.run, paths.trigger)
    if runner.alive(key) is Alive.NO:
        hint = f"pco-watch notices that it is gone; pco-queue log {key}"
        raise Refused("cannot be attached to: its session is not running", hint)
    return ticket, runner.attach(key, read_only=read_only)
