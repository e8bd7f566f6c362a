"""Programs that hang: a stopped process, a folder that does not answer, a Plane that says nothing."""

import json
from collections.abc import Iterator

import pytest
from inside import Inside, begin, furnish, state
from installed import TOKEN, WEB, Installed, booted

from pco.ground import messages

pytestmark = pytest.mark.timeout(900)

QUICK = "/etc/systemd/system/pco-{}.service.d/quick.conf"
# As short as a run that is well can be on a busy machine: a poll asks Plane, a watcher looks at two tickets.
LIMITS = {
    "watch": "[Unit]\nStartLimitBurst=3\n[Service]\nTimeoutStartSec=15s\nWatchdogSec=8s\nTimeoutAbortSec=1s\n",
    "poll": "[Service]\nTimeoutStartSec=60s\nWatchdogSec=15s\nTimeoutAbortSec=1s\n",
}
# A file system (fuse(4)) that takes every request and answers none but the greeting.
MUTE = """\
import ctypes, os, struct, sys
fuse, folder = os.open("/dev/fuse", os.O_RDWR), sys.argv[1].encode()
options = f"fd={fuse},rootmode=40000,user_id=0,group_id=0,allow_other".encode()
if ctypes.CDLL(None).mount(b"mute", folder, b"fuse.mute", 0, options):
    sys.exit("no mount")
while True:
    size, kind, number = struct.unpack_from("<IIQ", os.read(fuse, 1 << 17))
    if kind == 26:
        greeting = struct.pack("<IIIIHHIIHHI28x", 7, 31, 65536, 0, 12, 9, 4096, 1, 0, 0, 0)
        os.write(fuse, struct.pack("<IiQ", 16 + len(greeting), 0, number) + greeting)
"""
ALERT = messages.message_id("unit failed")


@pytest.fixture(scope="module")
def pco(able: None) -> Iterator[Installed]:
    """A host of its own, where agents do what a test says and watchdogs are quick."""
    with booted("g") as pco:
        pco.host.write("/etc/pco/credentials/plane-token", TOKEN, "600")
        for name, limits in LIMITS.items():
            pco.host.write(QUICK.format(name), f"{limits}TimeoutStopSec=1s\n")
        pco.host.systemctl("daemon-reload")
        pco.simulate()
        furnish(pco, "  complete_grace: 1s\n")
        yield pco


def watcher(pco: Installed) -> dict[str, str]:
    """How the watcher is."""
    return pco.host.show("pco-watch", "MainPID", "NRestarts", "ActiveState", "Result")


def alerts(pco: Installed, unit: str) -> list[str]:
    """What was told of a unit."""
    return [entry["MESSAGE"] for entry in pco.host.journal(f"MESSAGE_ID={ALERT}", f"PCO_UNIT={unit}")]


def notices(pco: Installed) -> list[str]:
    """What is left for people about units."""
    names = pco.host.exec("ls", "/var/spool/pco/notify").stdout.split()
    return [name for name in names if name.startswith("failed-pco-")]


def summary(pco: Installed, session: Inside) -> str:
    """The summary in the record of a session's ticket."""
    path = f"/var/spool/pco/{state(pco, session)}/{session.key}.json"
    return str(json.loads(pco.host.exec("cat", path, code=None).stdout or "{}").get("rounds", [{}])[-1].get("summary"))


def test_a_stopped_watcher_is_replaced_and_what_was_handed_over_meanwhile_is_recorded(pco):
    (session,) = begin(pco)
    before = watcher(pco)
    pco.host.systemctl("kill", "--signal=STOP", "pco-watch.service")

    session.complete("Said while nobody listened.")

    pco.wait("another watcher", lambda: watcher(pco)["MainPID"] not in ("0", before["MainPID"]))
    pco.wait("the record", lambda: summary(pco, session) == "Said while nobody listened.")
    assert int(watcher(pco)["NRestarts"]) == int(before["NRestarts"]) + 1
    assert alerts(pco, "pco-watch.service") == []
    pco.wait("its end", lambda: state(pco, session) == "completed")


def test_a_folder_that_does_not_answer_ends_the_watcher_again_and_again_and_then_one_alert_is_given(pco):
    stuck, other = begin(pco, 2)
    folder = f"/var/lib/pco/sessions/{stuck.key}"
    pco.host.systemctl("reset-failed", "pco-watch.service")
    pco.host.systemctl("start", "pco-watch.service")
    pco.host.exec("mkdir", "/srv/copy")
    pco.host.exec("cp", "-a", f"{folder}/.", "/srv/copy")
    mount = ("systemd-run", "--quiet", "--unit=slow", "bindfs", "-f", "-o", "nonempty", "/srv/copy", folder)
    pco.host.exec(*mount)
    pco.wait("the mount", lambda: not pco.host.exec("mountpoint", "-q", folder, code=None).returncode)
    pco.host.systemctl("kill", "--signal=STOP", "slow.service")

    # It hangs where it is, then at each start.
    other.complete("Said to nobody.")
    pco.wait("the end of all tries", lambda: watcher(pco)["ActiveState"] == "failed", patience=300)
    pco.wait("the alert", lambda: alerts(pco, "pco-watch.service") != [] and notices(pco) != [])

    assert len(alerts(pco, "pco-watch.service")) == 1
    assert notices(pco) == ["failed-pco-watch.service.json"]
    assert stuck.main
    assert other.main

    pco.host.systemctl("kill", "--signal=CONT", "slow.service")
    pco.host.systemctl("reset-failed", "pco-watch.service")
    pco.host.systemctl("start", "pco-watch.service")

    pco.wait("the record", lambda: summary(pco, other) == "Said to nobody.")
    assert state(pco, stuck) == "active"
    stuck.complete("All the same.")
    pco.wait("their ends", lambda: {state(pco, session) for session in (stuck, other)} == {"completed"})
    pco.host.systemctl("stop", "slow.service")
    pco.host.exec("rm", f"/var/spool/pco/notify/{notices(pco)[0]}")


def test_a_watcher_that_not_even_a_kill_ends_is_left_behind_and_one_alert_is_given(pco):
    stuck, other = begin(pco, 2)
    folder = f"/var/lib/pco/sessions/{stuck.key}"
    pco.host.systemctl("reset-failed", "pco-watch.service")
    pco.host.systemctl("start", "pco-watch.service")
    pco.host.exec("systemd-run", "--quiet", "--unit=mute", "/usr/bin/python3", "-c", MUTE, folder)
    pco.wait("the mount", lambda: folder in pco.host.read("/proc/self/mounts"))
    hung, before = watcher(pco)["MainPID"], len(alerts(pco, "pco-watch.service"))

    # The kernel waits for an answer to what was read, whatever signal comes; and the lock is held until then.
    other.complete("Said to nobody.")
    pco.wait("the end of all tries", lambda: watcher(pco)["ActiveState"] == "failed", patience=300)
    pco.wait("the alert", lambda: len(alerts(pco, "pco-watch.service")) > before and notices(pco) != [])

    assert pco.host.read(f"/proc/{hung}/stat").split()[2] == "D"
    assert len(alerts(pco, "pco-watch.service")) == before + 1
    assert notices(pco) == ["failed-pco-watch.service.json"]
    assert stuck.main
    assert other.main

    # Whoever waits for an answer gets an error now; until it has ended by that, the folder is in use.
    pco.host.systemctl("stop", "mute.service")
    pco.wait("its end", lambda: bool(pco.host.exec("test", "-e", f"/proc/{hung}", code=None).returncode))
    pco.wait("the unmount", lambda: not pco.host.exec("umount", folder, code=None).returncode)
    pco.host.exec("rm", QUICK.format("watch"))
    pco.host.systemctl("daemon-reload")
    pco.host.systemctl("reset-failed", "pco-watch.service")
    pco.host.systemctl("start", "pco-watch.service")

    pco.wait("the record", lambda: summary(pco, other) == "Said to nobody.")
    stuck.complete("All the same.")
    pco.wait("their ends", lambda: {state(pco, session) for session in (stuck, other)} == {"completed"})
    pco.host.exec("rm", f"/var/spool/pco/notify/{notices(pco)[0]}")


def test_a_poll_that_hangs_is_ended_and_the_timer_starts_the_next(pco):
    seen = f"/var/lib/pco/plane/{WEB}/head.json"
    pco.wait("a poll", lambda: not pco.host.exec("test", "-e", seen, code=None).returncode, patience=200)
    # A Plane that takes what is said to it and never answers.
    pco.host.systemctl("stop", "plane.service")
    deaf = "import socket, time; s = socket.create_server(('127.0.0.1', 8480)); time.sleep(1000)"
    pco.host.exec("systemd-run", "--quiet", "--unit=deaf", "/usr/bin/python3", "-c", deaf)
    often = "[Timer]\nOnCalendar=\nOnCalendar=*:*:0/5\nRandomizedDelaySec=0\n"
    pco.host.write("/etc/systemd/system/pco-poll.timer.d/often.conf", often)
    pco.host.systemctl("daemon-reload")
    pco.host.systemctl("restart", "pco-poll.timer")
    pco.wait("a poll that waits", lambda: pco.host.show("pco-poll", "ActiveState")["ActiveState"] == "active")

    pco.host.systemctl("kill", "--signal=STOP", "pco-poll.service")
    pco.host.systemctl("stop", "deaf.service")
    pco.host.systemctl("start", "plane.service")
    pco.wait("its end", lambda: alerts(pco, "pco-poll.service") != [] and notices(pco) != [])
    key = pco.maria("maria.key(maria.create('After the silence', state='Todo'))")

    pco.wait("the next poll", lambda: pco.states().get(key) == "pending")
    (told,) = alerts(pco, "pco-poll.service")
    assert "it made no progress and was ended" in told
    assert notices(pco) == ["failed-pco-poll.service.json"]
