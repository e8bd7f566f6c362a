"""Who was refused by sudo, as the journal tells.

Lines of sudo(8): `bob : user NOT in sudoers ; TTY=pts/0 ; PWD=/home/bob ; USER=root ; COMMAND=/usr/bin/pco-doctor`,
`bob : command not allowed ; …`, `bob : 3 incorrect password attempts ; …`.
"""

import json
import math
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from pco.ground.frozen import dataclass
from pco.outside import process

WITHIN = timedelta(seconds=20)
MOST = 16 << 20
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}
_SAID = re.compile(r"\s*(\S{1,64}) : (?:\d{1,3} )?(user NOT in sudoers|command not allowed|incorrect password attempt)")


@dataclass(frozen=True)
class Refused:
    """sudo refused somebody."""

    who: str
    at: datetime
    what: str


def refused(since: datetime, until: datetime) -> Iterator[Refused]:
    """All that it refused in that time.  Raises PcoError where the journal does not answer."""
    argv = ["journalctl", "--quiet", "--no-pager", f"--since=@{math.floor(since.timestamp())}"]
    argv += [f"--until=@{math.ceil(until.timestamp())}", "--output=json", "--output-fields=MESSAGE", "-t", "sudo"]
    said = process.run(argv, _ENVIRONMENT, WITHIN, MOST)
    for line in said.out.splitlines():
        if (found := _of(line)) and since <= found.at < until:
            yield found


def _of(line: bytes) -> Refused | None:
    """What a record says."""
    try:
        entry = json.loads(line)
        match = _SAID.match(entry["MESSAGE"])
        at = datetime.fromtimestamp(int(entry["__REALTIME_TIMESTAMP"]) / 1e6, UTC)
        return Refused(match[1], at, match[2]) if match else None
    except (ValueError, KeyError, TypeError, OverflowError):
        return None
