"""The sessions' own off switch: `systemctl stop pco-sessions.slice` pauses pco, so that nothing restarts by itself.

Told by whether the slice runs, which pco.target started.  That a stop was heeded is remembered until the slice runs
again: after `pco-queue resume` the next session starts it.
"""

from pco.ground.ticket import Note
from pco.outside.runners import Runner
from pco.run import Pco

WHY = "all sessions were stopped at once (systemctl stop pco-sessions.slice)"


def heed(pco: Pco, runner: Runner) -> None:
    """Pause if all sessions were stopped since the last time.  Raises TryLater if the runner does not answer."""
    control, halted = pco.spool.control, runner.halted()
    if halted and not control.halted():
        if control.paused() is None:
            control.pause(Note(pco.now(), pco.who, WHY))
            pco.announce("paused", None, {"why": WHY})
            control.wake("dashboard")
        control.set_halted(True)
    elif not halted:
        begun(pco)


def begun(pco: Pco) -> None:
    """Sessions run again: the next stop of all of them is another one."""
    if pco.spool.control.halted():
        pco.spool.control.set_halted(False)
