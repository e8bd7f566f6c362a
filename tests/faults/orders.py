"""What must be on the disk before what: read off the trace of a run to which nothing happens.

A kill shows no missing flush, for the system still has what was written; a power cut would.  So the order of the calls
is looked at: a file's data is flushed before it gets its name, and the folder of that name before anybody is told.
"""

import re
from collections.abc import Iterator

from faults.calls import Call

# Only helps: what is lost of them is made again.
HELPS = re.compile(
    r"^~/pco/(www/|spool/(index|wake)/|metrics/|plane/rate\.json|.*/out/(life|account|usd|screen)$|.*/screen$|spool/tmp/snapshot|.*/workspace$)"
)
# As long as this is there nobody uses what pco-restore puts back, and all of it is put back again after a crash.
UNDER_WAY = "~/pco/spool/control/restoring"
# Made at once under their own name, and read by others as a sign.
SIGNS = re.compile(r"/(birth|fence)$")


def wrong(calls: list[Call]) -> Iterator[str]:
    """Each name that was given too early, and each word that was."""
    dirty: set[str] = set()  # files with data that was not flushed
    named: dict[str, str] = {}  # folders with a name that was not flushed: that name
    guarded = False
    for call in calls:
        path = call.paths[-1] if call.paths else ""
        if call.name == "sync":
            dirty.clear()
            named.clear()
        elif path == UNDER_WAY and call.name.startswith(("rename", "unlink")):
            guarded = call.name.startswith("rename")
            if not guarded:
                yield from (
                    f"order: {name} is not flushed when the restore is said to be over" for name in named.values()
                )
        elif call.name in ("write", "pwrite64", "writev", "ftruncate") and path:
            dirty.add(path)
        elif call.name in ("fsync", "fdatasync"):
            dirty.discard(path)
            named.pop(path, None)
        elif call.name == "openat" and "O_EXCL" in call.label and SIGNS.search(path):
            dirty.add(path)
            named[_folder(path)] = path
        elif call.name.startswith(("rename", "link")) and len(call.paths) == 2 and not HELPS.search(path):
            if call.paths[0] in dirty and not guarded:
                yield f"order: {path} has its name before its data is flushed"
            named[_folder(path)] = path
        if call.tells and not guarded:
            yield from (
                f"order: {name} is not flushed with its folder when somebody is told" for name in named.values()
            )
            yield from (f"order: {name} is not flushed when somebody is told" for name in dirty if SIGNS.search(name))
            named.clear()
    yield from (f"order: {name} is not flushed with its folder at the end" for name in named.values())


def _folder(path: str) -> str:
    return path.rpartition("/")[0]
