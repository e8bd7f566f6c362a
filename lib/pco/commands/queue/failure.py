"""After a failure: what the end of the session means, what can be done, and what was last on its screen."""

import os
import re
from pathlib import Path

from pco.ground import attempt as attempts
from pco.ground import durable, leavings, sgr, text
from pco.ground.errors import BadData
from pco.ground.ticket import Attempt, State, Ticket
from pco.rules import retry
from pco.run import Pco

MEANING = {
    retry.COMPLETED: "a summary was handed over",
    retry.STOPPED: "somebody asked that it ends",
    retry.INTERRUPTED: "it was told to end, but not by pco: a shutdown, or a stopped slice",
    retry.REBOOT: "the machine went down under it",
    retry.RESTORED: "its ticket came back from a backup; what the session did is lost",
    retry.NEVER_STARTED: "the session did not come to life in time",
    retry.START_FAILED: "it began, but not its agent: no clone of the repository, or a program that ended at once",
    retry.DIED: "the session vanished without a word: killed, out of memory, or the machine was in trouble",
    retry.STALLED: "there was no sign of life for sessions.stall_after, so pco ended it",
    retry.PASSING: "the agent ended with an error that usually passes, such as its API being down",
    retry.FAILED: "the agent ended by itself and handed over no summary",
    retry.TOO_LONG: "sessions.max_duration was used up, so pco ended it",
    retry.CUT_OFF: "the answer of the model's API broke off in the middle, however often it was asked",
    retry.DENIED: "the agent was refused tools that it asked for, with nobody there to allow them",
    retry.MAX_TURNS: "its turns (claude.max_turns) were used up",
    retry.IDLE: "its turn had ended without a summary, and nobody spoke to it for sessions.idle_after",
    retry.OVER_BUDGET: "it had spent what it might (budget.ticket_usd, budget.daily_usd or claude.max_budget_usd)",
}
REMEDY = {
    retry.NEVER_STARTED: "see the log of pco-session; then pco-queue retry {key}",
    retry.START_FAILED: "see why above (the repository, the agent's program or its key); then pco-queue retry {key}",
    retry.FAILED: "read the screen; then pco-queue retry {key}, post {key} --edit with words of your own, or reject",
    retry.OVER_BUDGET: "more money (pco-queue release {key} gives it as much again), then pco-queue retry {key}",
    retry.TOO_LONG: "a smaller ticket, or more time (sessions.max_duration); then pco-queue retry {key}",
}
BAD = (*retry.AGAIN, *retry.FINAL, retry.RESTORED)
USUAL = "pco-queue retry {key}, post {key} --edit with words of your own, or reject {key}"
SIGNALS = {1: "HUP", 2: "INT", 6: "ABRT", 9: "KILL (often: out of memory)", 11: "SEGV", 15: "TERM"}
_SGR = re.compile(r"\x1b\[([0-9;:]{0,64})m")
# CSI, OSC, DCS and their like, and what is left of a torn one: a screen is drawn by an agent, and hostile.
_OTHER = re.compile(
    r"(\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?|(\x1b[]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*(\x07|\x1b\\|\x9c)?|\x1b.?"
)
_MOST_LINES = 200


def meaning(last: Attempt) -> str:
    """What the end of an attempt means, in words."""
    said = MEANING.get(last.outcome, text.line(last.outcome, 60) or "it has not ended")
    if last.exit is None:
        return said
    signal = SIGNALS.get(last.exit - 128)
    return f"{said}; exit {last.exit}{f', that is signal {signal}' if signal else ''}"


def remedy(ticket: Ticket) -> str:
    """What can be done about a failed ticket."""
    if ticket.gone:
        return f"the item is gone from Plane: restore it and poll, or pco-queue reject {ticket.key}"
    if unposted(ticket):
        return f"pco-queue post {ticket.key} sends the comment again, pco-queue reject {ticket.key} ends it"
    return REMEDY.get(ticket.attempt.outcome if ticket.attempt else "", USUAL).format(key=ticket.key)


def unposted(ticket: Ticket) -> bool:
    """Whether it failed because Plane refused its comment; the session was all right."""
    return bool(ticket.history) and ticket.history[-1].from_ == State.OUTBOX


def screen(pco: Pco, ticket: Ticket, colour: bool) -> str:
    """The last screen of the current attempt, harmless; empty if there is none.  With `colour` SGR colours stay."""
    last = ticket.attempt
    if last is None:
        return ""
    home = attempts.folder(pco.config.paths.sessions, ticket.key, ticket.round.n, last.n)
    try:
        drawn = _read(home)
    except (OSError, BadData) as error:
        return f"(the screen cannot be read: {text.line(str(error), 200)})"
    return harmless(drawn.decode("utf-8", "replace"), colour)


def harmless(drawn: str, colour: bool) -> str:
    """A drawn screen with nothing but text, newlines and, with `colour`, SGR colours that end with their line."""
    lines = drawn.replace("\r\n", "\n").rstrip().split("\n")[-_MOST_LINES:]
    return "\n".join(_line(line, colour) for line in lines)


def _line(line: str, colour: bool) -> str:
    parts = _SGR.split(line)
    out, tinted = [], False
    for at, part in enumerate(parts):
        if at % 2 == 0:
            out.append(text.lines(_OTHER.sub("", part)).replace("\n", " "))
        elif colour and (kept := _colours(part)) is not None:
            out.append(f"\x1b[{kept}m")
            tinted = True
    return "".join(out) + ("\x1b[0m" if tinted else "")


def _colours(codes: str) -> str | None:
    """The codes of an SGR sequence without blinking, concealing and colours of underlines; None if nothing is left."""
    kept = [str(code) for code in sgr.codes(codes) if code.number not in (5, 6, 8, 58)]
    return ";".join(kept) if kept else None


def _read(home: Path) -> bytes:
    """The screen as it was collected, else as the session left it.  Raises OSError, BadData."""
    try:
        return durable.read(home / "screen", leavings.MOST_SCREEN)
    except FileNotFoundError:
        pass
    try:
        out = leavings.open_out(home / "out")
    except FileNotFoundError:
        return b""
    try:
        return leavings.read_screen(out)
    finally:
        os.close(out)
