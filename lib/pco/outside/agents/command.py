"""Any program as an agent: the prompt comes on its standard input, the summary goes out by pco-complete.

Environment: PCO_KEY, PCO_ATTEMPT_DIR (the attempt's folder), PCO_PROMPT (the prompt as a file).  It runs in the
workspace.  Exit 75 (EX_TEMPFAIL) is an error that passes: it is tried again while attempts are left.
"""

from pathlib import Path

from pco.ground.attempt import Launch
from pco.ground.errors import BadConfig, TryLater
from pco.ground.leavings import Exit, Outcome
from pco.outside.agents import Bill, Prepared, Session, Way

TELLS = False


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


def enter(launch: Launch) -> Way:
    """The prompt on its standard input, the terminal for the rest."""
    return Way(launch.argv, launch.environment, stdin=Path(launch.prompt))


def bill(launch: Launch) -> Bill | None:  # noqa: ARG001
    """Nobody knows what a command costs."""
    return None


def outcome(exit: Exit, out: int) -> Outcome:  # noqa: ARG001
    """What the exit of a program means that handed over no summary; there is nothing more to find in `out`."""
    if exit.code == TryLater.exit:
        return Outcome("passing-error", "the agent reported a passing error (exit 75)")
    if exit.code > 128:
        return Outcome("failed", f"the agent was ended by signal {exit.code - 128}")
    return Outcome("failed", f"the agent ended without a summary (exit {exit.code})")
