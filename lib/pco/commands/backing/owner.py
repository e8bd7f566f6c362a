"""Who writes: whatever root starts here goes on as the user whose spool it is, so that all files are that user's."""

import os

from pco.ground.errors import NotPermitted, SystemFault
from pco.ground.ticket import State
from pco.outside import accounts
from pco.run import Pco


def become(pco: Pco) -> None:
    """Be the owner of the spool.  Raises NotPermitted for anybody else, who cannot."""
    folder = pco.config.paths.spool / State.PENDING
    try:
        owner = folder.stat().st_uid
    except FileNotFoundError:
        return  # the spool is not there, which is said where it is needed
    except PermissionError:
        owner = -1
    except OSError as error:
        raise SystemFault(f"{folder}: {error.strerror}") from error
    if owner == os.geteuid():
        return
    if os.geteuid():
        raise NotPermitted("only root and pco's own user may do this", f"sudo {pco.program}")
    _ = pco.caller  # the person's name, as long as it can be told
    accounts.become(owner)
