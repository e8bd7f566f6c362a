"""How much memory sessions take: proportional set sizes (PSS), in which what is shared is divided among its users."""

from pathlib import Path

MIB = 1 << 20
EACH = 450 * MIB  # what a session of the real CLI may take while it starts, generously
MOST, LEAST = 20, 4


def room() -> tuple[int, str]:
    """How many sessions this machine has room for, and why so many."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    free = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    fit = max(min(free * 3 // 4 // EACH, MOST), LEAST)
    return fit, f"{fit} sessions at once: {free // MIB} MiB of memory are available, a quarter stays free"


def pss(pid: int) -> int:
    """The proportional set size of a process, in bytes."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def family(pid: int) -> list[int]:
    """A process and all that descend from it."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:
        return []
    return [pid, *(one for child in children for one in family(int(child)))]


def parent(pid: int) -> int:
    """Who started a process."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
