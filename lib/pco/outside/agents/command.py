"""Any program as an agent: the prompt comes on its standard input, the summary goes out by pco-complete.

Environment: PCO_KEY, PCO_ATTEMPT_DIR (the attempt's folder), PCO_PROMPT (the prompt as a file).  It runs in the
workspace.  Exit 75 (EX_TEMPFAIL) is an error that passes: it is tried again while attempts are left.
"""

import json
from pathlib import Path

from pco.ground import shape
from pco.ground.attempt import Event, Exit, Outcome
from pco.ground.errors import BadConfig, BadData, TryLater
from pco.ground.events import SCHEMA
from pco.outside.agents import Prepared, Session

INTERACTIVE = False


def prepare(session: Session) -> Prepared:
    """How to run it.  Raises BadConfig if sessions.command is empty."""
    if not session.command:
        raise BadConfig("sessions.command is empty", "name the program that works on tickets, as a list")
    environment = {
        "PCO_KEY": session.key,
        "PCO_ATTEMPT_DIR": str(session.home),
        "PCO_PROMPT": str(session.prompt),
    }
    return Prepared(session.command, environment)


def read_event(data: bytes) -> Event:
    """Read an event file as `ground.events.write` makes it.  Raises BadData."""
    try:
        value = json.loads(data)
        if not isinstance(value, dict) or value.pop("schema", None) != SCHEMA:
            raise BadData("not an event")
        value["kind"] = value.pop("event", None)
        return shape.load(Event, value)
    except (ValueError, RecursionError) as error:
        raise BadData(f"not an event: {error}") from error


def outcome(exit: Exit, folder: Path) -> Outcome:  # noqa: ARG001
    """What the exit of a program means that handed over no summary; there is nothing more to find in `folder`."""
    if exit.code == TryLater.exit:
        return Outcome(True, "the agent reported a passing error (exit 75)")
    if exit.code > 128:
        return Outcome(False, f"the agent was ended by signal {exit.code - 128}")
    return Outcome(False, f"the agent ended without a summary (exit {exit.code})")
