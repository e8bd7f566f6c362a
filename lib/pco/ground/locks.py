"""Lock files that a group shares."""

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from filelock import BaseFileLock


def lock_file(path: Path, patience: timedelta) -> "BaseFileLock":
    """A lock that the group can take too, whichever release of filelock there is."""
    from filelock import FileLock

    try:
        # Releases between 3.12 and 4 set the mode each time they lock: 0644 if not told otherwise.
        return FileLock(str(path), timeout=patience.total_seconds(), mode=0o660)
    except TypeError:
        return FileLock(str(path), timeout=patience.total_seconds())  # 3.9.0 knows no mode and leaves it as it is
