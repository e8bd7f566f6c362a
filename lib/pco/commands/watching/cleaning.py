"""What sessions of dropped tickets left: it goes at once; of finished ones pco-retention removes it."""

import shutil

from pco.ground.errors import PcoError, SystemFault
from pco.outside.runners import Runner
from pco.run import Pco


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
