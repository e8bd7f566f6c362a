"""Under a booted systemd, with the installed units: how long a ticket waits at each step, what idling costs."""

import json
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.measure import Figure, in_turns
from support import TOP

sys.path.insert(0, str(TOP / "tests" / "system"))

import installed
from host import Host
from installed import ADDRESS, RARE, WEB, Installed, booted

TICKETS = 50
IDLE = 60.0  # seconds
DOCTORS = 7  # runs of pco-doctor
CONFIG = (
    installed.CONFIG.replace("[/bin/true]", "[sh, -c, \"pco-complete 'Nothing to be done.'\"]").replace(
        "health: {", "health: {stale_after: 1d, "
    )
    + "  complete_grace: 1s\n"
)
REPOSITORY = """\
git init -q -b main /srv/shop && cd /srv/shop && echo hello >README && git add . &&
git -c user.name=M -c user.email=m@localhost commit -qm first && git clone -q --bare . /srv/shop.git && chown -R pco /srv
"""


@contextmanager
def site() -> Iterator[Installed]:
    """An installed pco whose timers are all set to ten minutes."""
    with booted("b") as pco:
        pco.host.exec("sh", "-ec", REPOSITORY)
        pco.configure()
        pco.host.write("/etc/pco/pco.yaml", CONFIG)
        pco.host.exec("rm", "-r", "/etc/systemd/system/pco-poll.timer.d")
        for name in ("poll", "launch", "post"):
            pco.host.write(f"/etc/systemd/system/pco-{name}.timer.d/rare.conf", RARE)
        pco.host.systemctl("daemon-reload")
        pco.simulate()
        pco.host.systemctl("enable", "--now", "pco.target")
        pco.host.systemctl("start", "pco-poll.service")
        # It only takes stock: tickets come of what is new after it.
        seen = f"/var/lib/pco/plane/{WEB}/head.json"
        pco.wait("the first poll", lambda: not pco.host.exec("test", "-e", seen, code=None).returncode)
        yield pco


def latency(_folder: Path) -> Iterator[Figure]:
    """One ticket at a time, from approval to comment."""
    with site() as pco:
        keys = pco.maria(
            f"' '.join(maria.key(maria.create(f'Item {{n}}', state='Todo')) for n in range({TICKETS}))"
        ).split()
        pco.host.systemctl("start", "pco-poll.service")
        pco.wait("pending", lambda: sum(pco.states().get(key) == "pending" for key in keys) == TICKETS)
        program = Path(__file__).with_name("travel.py").read_text()
        told = json.loads(pco.python(program, ADDRESS, *keys, timeout=TICKETS * 20).stdout)
    yield median("approved -> agent runs, median", told, "approved", "started", 500)
    yield median("  of it: approved -> claimed", told, "approved", "claimed", 500)
    yield median("  of it: claimed -> born", told, "claimed", "born", 500)
    yield median("  of it: born -> agent runs", told, "born", "started", 500)
    longest = max(spent(told, "handed", "recorded"))
    yield Figure(f"handed over -> recorded, most of {TICKETS}", longest * 1000, "ms", 150, None, "<= 150 ms")
    yield median("accepted -> comment at Plane, median", told, "accepted", "commented", 800)


def median(name: str, told: dict[str, dict[str, float]], begin: str, end: str, most: float) -> Figure:
    """The median of what passed between two moments."""
    passed = spent(told, begin, end)
    note = f"{min(passed) * 1000:.0f} to {max(passed) * 1000:.0f} ms"
    return Figure(name, statistics.median(passed) * 1000, "ms", most, None, f"<= {most:g} ms", note)


def spent(told: dict[str, dict[str, float]], begin: str, end: str) -> list[float]:
    """The seconds between two moments, of each ticket."""
    return [moments[end] - moments[begin] for moments in told.values()]


def idle(_folder: Path) -> Iterator[Figure]:
    """What the tools cost while nothing happens, with the timers as they are shipped."""
    with site() as pco:
        host = pco.host
        for name in ("poll", "launch", "post"):
            host.exec("rm", f"/etc/systemd/system/pco-{name}.timer.d/rare.conf")
        host.systemctl("daemon-reload")
        host.systemctl("restart", "pco.target")
        key = pco.maria("maria.key(maria.create('One before', state='Todo'))")
        host.systemctl("start", "pco-poll.service")
        pco.wait("pending", lambda: pco.states().get(key) == "pending")
        pco.run("pco-queue", "approve", "--yes", key)
        pco.wait("completed", lambda: pco.states().get(key) == "completed")
        time.sleep(15)  # until what a start causes is over
        before = seconds(host)
        time.sleep(IDLE)
        spent = seconds(host) - before
        pid = host.show("pco-watch", "MainPID")["MainPID"]
        status = dict(line.split(":", 1) for line in host.read(f"/proc/{pid}/status").splitlines())
    resident = int(status["VmRSS"].split()[0]) / 1024
    yield Figure("pco-watch idle, VmRSS", resident, "MiB", 20, None, "<= 20 MiB")
    yield Figure("all tools, processor in 60 idle seconds", spent, "s", 3, None, "<= 5 % of one")


def board(_folder: Path) -> Iterator[Figure]:
    """How long until a decision made in the shell is seen on the board: alone, and while another has just been."""
    with site() as pco:
        keys = pco.maria("' '.join(maria.key(maria.create(f'Item {n}', state='Todo')) for n in range(12))").split()
        pco.host.systemctl("start", "pco-poll.service")
        pco.wait("pending", lambda: sum(pco.states().get(key) == "pending" for key in keys) == len(keys))
        pco.run("pco-queue", "pause")
        waited: dict[str, list[float]] = {"alone": [], "right after another": []}
        for first, second in zip(keys[::2], keys[1::2], strict=True):
            time.sleep(10)  # until what the one before caused is over
            waited["alone"].append(shown(pco, first))
            waited["right after another"].append(shown(pco, second))
    for name, passed in waited.items():
        yield Figure(f"approve -> on the board, {name}", max(passed), "s", 5, None, "<= 5 s", f"most of {len(passed)}")


def shown(pco: Installed, key: str) -> float:
    """The seconds from the command to the board that shows it."""
    begun = time.perf_counter()
    pco.run("pco-queue", "approve", "--yes", key)
    while time.perf_counter() < begun + 60:
        page = pco.host.read("/var/lib/pco/www/index.html")
        if f'"ticket/{key}.html"' in page.partition(' id="approved"')[2].partition("</section>")[0]:
            break
    return time.perf_counter() - begun


def doctor(_folder: Path) -> Iterator[Figure]:
    """How long a person waits for all that pco-doctor finds, beside a section that needs no look at anything."""
    with site() as pco:

        def look(*args: str) -> object:
            return pco.host.exec("pco-doctor", *args, code=None)

        floor, value = in_turns(DOCTORS, lambda: look("--section", "26"), look)
    yield Figure("pco-doctor, all boxes", value, "s", 5, floor, "<= 5 s")


def seconds(host: Host) -> float:
    """The processor time that the slice of the tools has used; every kernel counts it in the unified tree."""
    tree = "/sys/fs/cgroup" if host.layout == "v2" else "/sys/fs/cgroup/unified"
    stat = dict(line.split() for line in host.read(f"{tree}/pco.slice/pco-tools.slice/cpu.stat").splitlines())
    return int(stat["usage_usec"]) / 1e6
