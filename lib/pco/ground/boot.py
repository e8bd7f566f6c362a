"""The boot of this machine: a clock that nobody sets, and the name of the boot."""

import time
from pathlib import Path


def clock() -> float:
    """CLOCK_BOOTTIME in seconds: it goes on while the machine sleeps, and no one can set it."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def boot_id() -> str:
    """The kernel's name for this boot; another one says that all processes of before are gone."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
