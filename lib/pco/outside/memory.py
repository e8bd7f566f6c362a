"""The machine's memory, as the kernel tells it (proc(5), meminfo)."""

import re

_INFO = "/proc/meminfo"


def available() -> int | None:
    """Bytes that programs can still take without swapping; None if the kernel does not say."""
    try:
        with open(_INFO, encoding="ascii", errors="replace") as file:
            found = re.search(r"^MemAvailable:\s+([0-9]+) kB$", file.read(), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) << 10 if found else None
