"""Test tickets through an installed pco and Plane, interrupted or not, and a watch: nothing of it is left over.

`make soak` sends twenty of them, with as many requests to Plane as pco may send as shipped (PCO_SOAK=1).
"""

import ast
import json
import os
import re
from collections.abc import Iterator

import pytest
from inside import REPOSITORY
from installed import CONFIG, WEB, Installed, booted

pytestmark = pytest.mark.timeout(600)
SOAK = "PCO_SOAK" in os.environ
LIMITS = "  limit: 3\n  per_project: 3\n"
FIRE = "while sleep 0.3; do logger -t pco-poll -p user.err 'Plane is on fire'; done"
TRIAL = ("pco-doctor", "--end-to-end", "WEB", "--tickets")
WAY = ["pending", "approved", "active", "completed", "outbox", "posted"]
PLANE = """\
from pco.sim import Remote
rows = Remote("http://127.0.0.1:8480").rows("items")
print([(row["name"], bool(row["deleted_at"])) for row in rows if "pco-doctor" in row["name"]])
"""
# What there is of tickets outside of the audit record and the journal.
LEFT = """\
find /var/spool/pco /var/lib/pco /var/lib/private/pco-agent -name '*WEB-*' -o -name '*LOCAL-*' -o -path '*/control/trial'
find /var/spool/pco/control/import /var/spool/pco/control/purge -type f
for mirror in $(find /var/lib/pco/mirrors -maxdepth 1 -name '*.git')  # none, where a run ended before it needed one
do git -c safe.directory='*' -C $mirror for-each-ref --format='%(refname)' 'refs/heads/pco/*' 2>&1
done
systemctl list-units --all --no-legend --plain 'pco-session@*' 'pco-collect*@*'
"""


@pytest.fixture(scope="module")
def pco(able: None) -> Iterator[Installed]:
    """A host of its own, whose agent would fail: what completes was done by pco's own program."""
    with booted("v") as pco:
        pco.configure()
        pco.host.exec("bash", "-c", REPOSITORY)
        config = CONFIG.replace("[/bin/true]", "[/bin/false]") + LIMITS
        if SOAK:  # as shipped: so many requests, and a poll each minute
            config = config.replace("  requests_per_minute: 6000\n", "")
            pco.host.exec("rm", "-r", "/etc/systemd/system/pco-poll.timer.d")
            pco.host.systemctl("daemon-reload")
        pco.host.write("/etc/pco/pco.yaml", config)
        pco.simulate()
        pco.host.systemctl("enable", "--now", "pco.target")
        seen = f"/var/lib/pco/plane/{WEB}/head.json"
        pco.wait("the first poll", lambda: not pco.host.exec("test", "-e", seen, code=None).returncode, patience=130)
        yield pco


def items(pco: Installed) -> dict[str, bool]:
    """The test items that Plane has or had, and whether they were deleted."""
    return dict(ast.literal_eval(pco.python(PLANE).stdout))


def left(pco: Installed) -> list[str]:
    """What there still is of test tickets, here and in Plane, and what has failed."""
    here = pco.host.exec("bash", "-c", LEFT).stdout.split("\n")
    return [
        *filter(None, here),
        *(name for name, deleted in items(pco).items() if not deleted),
        *filter(None, [failed(pco)]),
    ]


def failed(pco: Installed) -> str:
    """The units of pco that have failed."""
    return pco.host.systemctl("list-units", "--failed", "--no-legend", "--plain", "pco-*")


def ways(pco: Installed, since: str) -> dict[str, list[str]]:
    """Where each ticket went, by the journal."""
    found: dict[str, list[str]] = {}
    for entry in pco.host.journal(f"--since={since}"):
        if move := re.match(r"((?:WEB|LOCAL)-\d+): \w+ -> (\w+)", str(entry["MESSAGE"])):
            found.setdefault(move[1], []).append(move[2])
    return found


def now(pco: Installed) -> str:
    """The clock of the host, for journalctl."""
    return f"@{pco.host.exec('date', '+%s.%N').stdout.strip()}"


def word(pco: Installed, id: str) -> dict[str, object]:
    """What pco-doctor has kept of a box."""
    return json.loads(pco.host.read(f"/var/lib/pco/audit/attested/{id}.json"))


def whole_way(pco: Installed, count: int, timeout: float) -> str:
    since = now(pco)
    said = pco.run(*TRIAL, str(count), user="root", timeout=timeout).splitlines()[-1]

    assert said.startswith(f"{count} tickets of WEB in ") and said.endswith("; poll and comment in Plane, too")
    assert len(items(pco)) >= count and left(pco) == []
    assert list(ways(pco, since).values()) == [WAY] * count
    return said


def test_tickets_made_in_plane_go_the_whole_way_and_nothing_of_them_stays_anywhere(pco):
    said = whole_way(pco, 3, timeout=300)

    kept = word(pco, "17.2")
    assert (kept["good"], kept["note"]) == (True, said)


@pytest.mark.parametrize(
    ("number", "when"),
    [("INT", "made in Plane"), ("INT", "active"), ("KILL", "made in Plane"), ("KILL", "approved"), ("KILL", "posted")],
)
def test_what_an_interrupted_run_leaves_is_cleared_up_by_it_or_by_the_next_one(pco, number, when):
    unit = f"trial-{number}-{when.partition(' ')[0]}"
    more = ("--unit", unit, "--property=KillMode=process", "--property=SuccessExitStatus=130 KILL")
    pco.host.exec("systemd-run", "--quiet", *more, "--", *TRIAL, "3")

    def reached() -> bool:
        if when == "made in Plane":
            return not all(items(pco).values())
        later = WAY[WAY.index(when) :]
        return any(state in later for key, state in pco.states().items() if re.fullmatch(r"WEB-\d+", key))

    pco.wait(f"a ticket {when}", reached, patience=120)
    pco.host.systemctl("kill", "--signal", number, unit)
    pco.wait("its end", lambda: pco.host.show(unit, "ActiveState")["ActiveState"] != "active", patience=300)

    if number == "KILL":
        assert left(pco)
        done = pco.host.exec(*TRIAL[:-1], timeout=300)
        assert "of a run that was killed" in done.stderr
    assert left(pco) == []


def test_without_plane_local_tickets_go_the_whole_way_but_for_plane(pco):
    before = items(pco)
    said = pco.run(*TRIAL, "2", "--local", user="root", timeout=300).splitlines()[-1]

    assert said.endswith("; Plane was not asked (--local)")
    assert items(pco) == before and left(pco) == []


def test_while_plane_is_silent_nothing_begins_and_what_is_left_is_cleared_up_once_it_is_back(pco):
    pco.host.exec("systemd-run", "--quiet", "--unit", "mute", "--property=SuccessExitStatus=KILL", "--", *TRIAL, "3")
    pco.wait("approved", lambda: bool({"approved", "active"} & set(pco.states().values())), patience=120)
    pco.host.systemctl("kill", "--signal", "KILL", "mute")
    pco.host.systemctl("stop", "plane.service")

    done = pco.host.exec(*TRIAL[:-1], code=75, timeout=300)
    assert "no connection to Plane" in done.stderr
    pco.host.systemctl("start", "plane.service")

    assert not all(items(pco).values())
    pco.host.exec(*TRIAL[:-1], timeout=300)
    assert left(pco) == []


def test_a_watch_over_an_installed_pco_sees_what_is_logged_and_what_fails(pco):
    said_well = ("grep", "-q", '"status": *"ok"', "/var/lib/pco/www/health.json")
    pco.wait("it is well", lambda: not pco.host.exec(*said_well, code=None).returncode)
    done = pco.host.exec("pco-doctor", "--watch", "1s")
    assert done.stdout.startswith("1s watched: no error was logged, units and health were well")
    assert (word(pco, "24.3")["good"], word(pco, "24.3")["note"]) == (True, "1s watched: nothing seen")

    # It burns from before the watch until after it: how long each takes to begin plays no part.
    pco.host.exec("systemd-run", "--quiet", "--unit", "fire", "bash", "-c", FIRE)
    seen = pco.host.exec("pco-doctor", "--watch", "3s", code=65)
    pco.host.systemctl("stop", "fire")

    said = seen.stdout.splitlines()
    assert any(re.search(r" [1-9][0-9]*x  pco-poll: Plane is on fire$", line) for line in said), said
    assert word(pco, "24.3")["good"] is False


@pytest.mark.timeout(1800)
@pytest.mark.skipif(not SOAK, reason="twenty at once take minutes: make soak; test_production has three")
def test_many_at_once_go_the_whole_way_and_nothing_of_them_stays_anywhere(pco):
    said = whole_way(pco, 20, timeout=1500)

    assert (word(pco, "17.4")["good"], word(pco, "17.4")["note"]) == (True, said)
