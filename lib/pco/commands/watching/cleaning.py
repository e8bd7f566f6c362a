"""What sessions left and nobody needs any more: of dropped tickets at once, of finished ones after a while."""

import shutil
from datetime import datetime

from pco.command import Pco
from pco.ground.errors import PcoError, SystemFault
from pco.ground.ticket import State
from pco.outside.runners import Runner

FINISHED = (State.POSTED, State.REJECTED)


def of_dropped(pco: Pco, runner: Runner, later: frozenset[str] = frozenset()) -> frozenset[str]:
    """Remove all files of the sessions of tickets that a person dropped, once their sessions are gone.

    Returns the keys of which it could not be done; those in `later` are not tried.
    """
    asked = pco.spool.control.cleanings().keys() - later
    return later | {key for key in asked if not _done(pco, runner, key)}


def _done(pco: Pco, runner: Runner, key: str) -> bool:
    try:
        if pco.spool.find(key) is None:  # else it came back as a new ticket, and these are its files
            if not _clean(pco, runner, key):
                return False
            _remove(pco, key)
        pco.spool.control.cleaned(key)
    except PcoError as error:
        pco.fail(error, key)
        return False
    return True


def of_finished(pco: Pco, runner: Runner) -> None:
    """Remove what the agents of finished tickets wrote, `sessions.keep` after the end; prompts and screens stay."""
    edge = pco.now() - pco.config.sessions.keep
    for key in runner.kept():
        state = pco.spool.find(key)
        try:
            if state is None or (state in FINISHED and _ended_before(pco, key, state, edge)):
                _clean(pco, runner, key)
        except KeyError:
            pass  # it moved on
        except PcoError as error:
            pco.fail(error, key)


def _ended_before(pco: Pco, key: str, state: State, edge: datetime) -> bool:
    entered = pco.spool.read(key, state).entered()
    return entered is not None and entered < edge


def _clean(pco: Pco, runner: Runner, key: str) -> bool:
    """Remove what only the runner may; False as long as a session is there, or may be."""
    living = runner.list()
    if living is None or key in living:
        return False
    runner.clean(key)
    pco.log("info", "what its sessions wrote was removed", key)
    return True


def _remove(pco: Pco, key: str) -> None:
    folder = pco.config.paths.sessions / key
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise SystemFault(f"{folder}: {error.strerror}") from error
