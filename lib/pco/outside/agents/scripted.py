"""A small program in place of an agent, for tickets that only try pco: one commit, one summary, no cost.

It is a command like any other; only pco-doctor and "pco-queue add --test --scripted" make tickets for it.
"""

from dataclasses import replace

from pco.outside.agents import Prepared, Session, command
from pco.outside.agents.command import bill, enter, outcome

__all__ = ["FILE", "SUMMARY", "TELLS", "bill", "enter", "outcome", "prepare"]

TELLS = False
FILE = "PCO-TEST"
SUMMARY = "A test of pco: one file was added and committed, by a program in place of an agent."
SCRIPT = f"""\
set -e
cat >/dev/null
printf '%s\\n' "$PCO_KEY" >{FILE}
git add {FILE}
git commit -q -m "A test of pco: $PCO_KEY"
exec pco-complete "{SUMMARY}"
"""


def prepare(session: Session) -> Prepared:
    """How to run it."""
    return command.prepare(replace(session, command=("/bin/sh", "-c", SCRIPT)))
