"""Lock files that a group shares."""

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from filelock import BaseFileLock


def lock_file(path: Path, patience: timedelta) -> "BaseFileLock":
    """A lock that the group can take too, whichever release of filelock there is."""
    from inspect import signature

    from filelock import FileLock

    # Asked, not tried: 3.9.0 knows no mode (and leaves it as it is), and what it half makes complains when it goes.
    if "mode" not in signature(FileLock.__init__).parameters:
        return FileLock(str(path), timeout=patience.total_seconds())
    # Releases between 3.12 and 4 set the mode each time they lock: 0644 if not told otherwise.
    return FileLock(str(path), timeout=patience.total_seconds(), mode=0o660)
