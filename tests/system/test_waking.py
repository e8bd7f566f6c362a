"""Nobody waits for a timer: work that arrives at the worst moment is done, with all timers set to ten minutes.

How often a thing is tried is bounded here; `make soak` tries it as often as the figures ask (PCO_SOAK=1).
"""

import json
import os
from collections.abc import Iterator
from itertools import pairwise

import pytest
from inside import REPOSITORY
from installed import CONFIG, RARE, TOKEN, WEB, Installed, booted

SOAK = "PCO_SOAK" in os.environ
ENDS = 300 if SOAK else 60  # arrivals at the end of a run of pco-post,
STARTS = 300 if SOAK else 25  # and of pco-launch, each of which starts a session
BURST = 200
CROWD = 200 if SOAK else 25  # tickets that wait for three slots
STARTING = "7d4958e842da4a758f6c1cdc7b36dcc5"  # SD_MESSAGE_UNIT_STARTING (sd-messages.h)
AGENT = "[sh, -c, \"pco-complete 'Nothing to be done.'\"]"
LIMITS = "  limit: 3\n  per_project: 3\n"
# Runs in the host: tickets whose turn it is lie aside; each arrives, with its flag, in the moment in which the one
# before was dealt with, or shortly after: while the run that did it is ending.
ARRIVE = """\
import json, os, random, sys, time
flag, folder, *keys = sys.argv[1:]
spool, aside, lost, random = "/var/spool/pco", "/var/tmp/aside", [], random.Random(7)
def arrive(key):
    os.rename(f"{aside}/{key}.json", f"{spool}/{folder}/{key}.json")
    os.close(os.open(f"{spool}/wake/{flag}", os.O_WRONLY | os.O_CREAT, 0o660))
def gone(key, seconds):
    deadline = time.monotonic() + seconds
    while os.path.exists(f"{spool}/{folder}/{key}.json"):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.001)
    return True
for key in keys:
    arrive(key)
    if not gone(key, 30):
        lost.append(key)
        os.close(os.open(f"{spool}/wake/{flag}", os.O_WRONLY | os.O_CREAT, 0o660))
        gone(key, 30)
    time.sleep(random.uniform(0, 0.12))
print(json.dumps(lost))
"""
# Makes completed tickets of pending ones, as a session would have.
COMPLETE = """\
import sys
from pathlib import Path
from pco.ground.ticket import Attempt, State
from pco.spool import Spool
from support import T0, put
spool = Spool(Path("/var/spool/pco"), "pco-watch")
with spool.lock():
    for key in sys.argv[1:]:
        ticket = spool.read(key, State.PENDING)
        spool.path(key, State.PENDING).unlink()
        attempt = Attempt(1, T0, end=T0, outcome="completed", born=True)
        put(spool, ticket.with_round(attempts=(attempt,), summary="Done.", summary_by="agent"), State.COMPLETED)
"""


@pytest.fixture(scope="module")
def pco(able: None) -> Iterator[Installed]:
    """A host of its own, beside a simulated Plane, where timers are of no use."""
    with booted("w") as pco:
        pco.host.exec("bash", "-c", REPOSITORY)
        pco.host.write(
            "/etc/pco/pco.yaml",
            CONFIG.replace("[/bin/true]", AGENT).replace("memory_free: 50M", "memory_free: 50M, stale_after: 1d")
            + LIMITS,
        )
        pco.host.write("/etc/pco/credentials/plane-token", TOKEN, "600")
        for name in ("poll", "launch", "post"):
            pco.host.write(f"/etc/systemd/system/pco-{name}.timer.d/rare.conf", RARE)
        pco.simulate()
        pco.host.systemctl("enable", "--now", "pco.target")
        pco.host.systemctl("start", "pco-poll.service")
        seen = f"/var/lib/pco/plane/{WEB}/head.json"
        pco.wait("the first poll", lambda: not pco.host.exec("test", "-e", seen, code=None).returncode)
        pco.host.exec("install", "-d", "-o", "pco", "-g", "pco", "-m", "2770", "/var/tmp/aside")
        yield pco


def items(pco: Installed, count: int) -> list[str]:
    """Pending tickets of new items in Plane."""
    created = f"' '.join(maria.key(maria.create(f'Item {{n}}', state='Todo')) for n in range({count}))"
    keys = pco.maria(created).split()
    pco.host.systemctl("start", "pco-poll.service")
    pco.wait("pending", lambda: all(pco.states().get(key) == "pending" for key in keys))
    return keys


def accepted(pco: Installed, count: int) -> list[str]:
    """Tickets whose summary was accepted, set aside before pco-post could see them."""
    keys = items(pco, count)
    pco.host.systemctl("stop", "pco-post.path")
    pco.wait("no run", lambda: pco.host.show("pco-post", "ActiveState")["ActiveState"] == "inactive")
    pco.python(COMPLETE, *keys, user="pco")
    pco.run("pco-queue", "post", "--yes", *keys)
    set_aside(pco, "outbox", keys, "post")
    return keys


def approved(pco: Installed, count: int) -> list[str]:
    """Approved tickets, set aside before pco-launch could see them."""
    keys = items(pco, count)
    pco.host.systemctl("stop", "pco-launch.path")
    pco.wait("no run", lambda: pco.host.show("pco-launch", "ActiveState")["ActiveState"] == "inactive")
    pco.run("pco-queue", "approve", "--yes", *keys)
    set_aside(pco, "approved", keys, "launch")
    return keys


def set_aside(pco: Installed, state: str, keys: list[str], flag: str) -> None:
    """Put tickets aside, and the wake-up back in order."""
    pco.host.exec("mv", *(f"/var/spool/pco/{state}/{key}.json" for key in keys), "/var/tmp/aside/")
    pco.host.exec("rm", "-f", f"/var/spool/pco/wake/{flag}")
    pco.host.systemctl("start", f"pco-{flag}.path")


def arrive(pco: Installed, flag: str, state: str, keys: list[str]) -> list[str]:
    """Let them arrive one by one; returns those that nobody woke up for."""
    done = pco.python(ARRIVE, flag, state, *keys, timeout=120 + 8 * len(keys))
    return list(json.loads(done.stdout))


def put_back(pco: Installed, state: str, keys: list[str], flag: str) -> None:
    """Let all arrive at once, each with its flag."""
    each = f'for key; do mv "/var/tmp/aside/$key.json" /var/spool/pco/{state}/; touch /var/spool/pco/wake/{flag}; done'
    pco.host.exec("runuser", "-u", "pco", "--", "sh", "-c", each, "sh", *keys)


def all_in(pco: Installed, keys: list[str], state: str, patience: float = 120.0) -> None:
    """Wait until all are in a state."""
    pco.wait(f"all {state}", lambda: all(pco.states().get(key) == state for key in keys), patience)


def test_no_summary_that_is_accepted_at_the_end_of_a_run_waits(pco):
    keys = accepted(pco, ENDS)

    lost = arrive(pco, "post", "outbox", keys)

    assert lost == []
    all_in(pco, keys, "posted")


def test_no_approval_at_the_end_of_a_run_waits(pco):
    keys = approved(pco, STARTS)

    lost = arrive(pco, "launch", "approved", keys)

    assert lost == []
    all_in(pco, keys, "completed")


def test_of_a_burst_of_accepted_summaries_none_is_left(pco):
    keys = accepted(pco, BURST)

    put_back(pco, "outbox", keys, "post")

    all_in(pco, keys, "posted", patience=240)
    comments = pco.maria(f"[len(maria.comments(key)) for key in {keys!r}]")
    assert set(json.loads(comments)) == {1}


def test_of_a_crowd_that_waits_for_slots_each_gets_one_as_soon_as_it_is_free(pco):
    keys = approved(pco, CROWD)

    put_back(pco, "approved", keys, "launch")

    all_in(pco, keys, "completed", patience=90 + 8 * CROWD)


def test_a_ticket_moved_by_hand_without_any_flag_is_noticed(pco):
    (key,) = approved(pco, 1)
    pco.wait("no run", lambda: pco.host.show("pco-launch", "ActiveState")["ActiveState"] == "inactive")

    pco.host.exec("runuser", "-u", "pco", "--", "mv", f"/var/tmp/aside/{key}.json", "/var/spool/pco/approved/")

    all_in(pco, [key], "completed")


def lately(pco: Installed) -> str:
    """The part of the board with what has finished."""
    return pco.host.read("/var/lib/pco/www/index.html").partition(' id="finished"')[2]


def test_a_move_while_the_pages_are_being_written_shows_on_them(pco):
    keys = items(pco, 3)

    for key in keys:
        pco.run("pco-queue", "reject", "--yes", key)
        written = ("grep", "-q", "rejected", f"/var/lib/pco/www/ticket/{key}.html")
        pco.wait("the page", lambda written=written: not pco.host.exec(*written, code=None).returncode)
        pco.wait("the board", lambda key=key: key in lately(pco))

    begun = pco.host.journal("UNIT=pco-dashboard.service", f"MESSAGE_ID={STARTING}")
    starts = [int(entry["__REALTIME_TIMESTAMP"]) for entry in begun]
    assert len(starts) >= 3
    assert min(later - earlier for earlier, later in pairwise(starts)) >= 3_000_000


def test_all_wake_ups_still_work_and_nothing_failed(pco):
    paths = [f"pco-{name}.path" for name in ("launch", "post", "dashboard")]

    states = pco.host.systemctl("is-active", *paths, code=None).split()

    assert states == ["active"] * 3
    assert pco.failed() == ""
