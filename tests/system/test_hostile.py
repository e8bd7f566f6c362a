"""Sessions that mean harm: what they leave, how they cling to life, what they use up, and that pco goes on."""

import json
import os
from collections.abc import Iterator

import pytest
from inside import Inside, await_agent, begin, furnish, state
from installed import Installed, booted

OUT = "import glob, os, socket\nout = os.environ['HOME'] + '/out'\nattempt = glob.glob(out + '/1.1-*')[0]\n"
OUT += "def link(to, name): os.path.lexists(name) and os.unlink(name); os.symlink(to, name)\n"
BIRTH = "birth = open(attempt + '/birth').read()\n"
FORGED = '{"at": "2026-11-22T12:00:00Z", "code": 0, "schema": 1}'
# What the agent does to its out/ before it ends.
LEFT = {
    "out is a link to the spool": "os.rename(out, out + '.was'); os.symlink('/var/spool/pco', out)",
    "out is a FIFO": "os.rename(out, out + '.was'); os.mkfifo(out)",
    "the attempt's folder is a link": "os.rename(attempt, out + '.was'); os.symlink('/srv/bait', attempt)",
    "the attempt's folder is a file": "os.rename(attempt, out + '.was'); open(attempt, 'w')",
    "all files are FIFOs": "for name in ('birth', 'exit', 'life', 'screen', 'work.bundle'):\n"
    " path = attempt + '/' + name\n os.path.exists(path) and os.unlink(path)\n os.mkfifo(path)",
    "all files are links to what pco can read": "for name in ('birth', 'life', 'screen', 'exit', 'work.bundle'):\n"
    " link('/etc/pco/pco.yaml', attempt + '/' + name)\n"
    "link('/var/lib/pco/audit', attempt + '/stolen')",
    "events is a link": "os.rename(attempt + '/events', out + '.was'); os.symlink('/etc', attempt + '/events')",
    "events has 100,000 files": "for n in range(100_000): open(f'{attempt}/events/{n:020d}-1.json', 'w').close()",
    "events has 100,000 odd names": "for n in range(100_000): open(f'{attempt}/events/odd{n}', 'w').close()",
    "screen and bundle are 900 MB": "for name in ('screen', 'work.bundle'):\n"
    " link('/', attempt + '/' + name); os.unlink(attempt + '/' + name)\n"
    " os.truncate(os.open(attempt + '/' + name, os.O_WRONLY | os.O_CREAT), 900 << 20)",
    "there is a socket": "socket.socket(socket.AF_UNIX).bind(attempt + '/work.bundle')",
}
# A daemon that hears no signal, in a session and a process group of its own; it counts in the state folder.
DAEMON = """\
import os, signal, time
for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
    signal.signal(number, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.closerange(0, 3)
        while True:
            open(os.environ['HOME'] + '/beat', 'a').write('.')
            time.sleep(0.05)
    os._exit(0)
"""
STUBBORN = "#!\nfor number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT): signal.signal(number, signal.SIG_IGN)"
HOG = """\
import os, signal
child = os.fork()
if child == 0:
    os._exit(len(bytearray(400 << 20)) & 1)
print(signal.Signals(os.waitpid(child, 0)[1]).name)
"""
BOMB = """\
import os, time
forked = 0
try:
    while True:
        if os.fork() == 0:
            os.closerange(0, 3)
            time.sleep(60)
            os._exit(0)
        forked += 1
except BlockingIOError:
    print(forked)
"""
FLOOD = """\
import os, time
for n in range(3):
    if os.fork() == 0:
        handle, until = os.open('/run/pco/trigger', os.O_WRONLY | os.O_NONBLOCK), time.monotonic() + 25
        os.closerange(0, 3)
        while time.monotonic() < until:
            try:
                os.write(handle, b'x' * (1, 4096, 65536)[n])
            except BlockingIOError:
                pass
        os._exit(0)
"""
# How often a folder is opened.
COUNT = """\
import ctypes, os, select, sys, time
libc = ctypes.CDLL(None)
watch = libc.inotify_init()
assert libc.inotify_add_watch(watch, sys.argv[1].encode(), 0x20) > 0
opened, until = 0, time.monotonic() + float(sys.argv[2])
while (left := until - time.monotonic()) > 0:
    if select.select([watch], [], [], left)[0]:
        opened += len(os.read(watch, 1 << 16)) // 16
print(opened)
"""


@pytest.fixture(scope="module")
def pco(able: None) -> Iterator[Installed]:
    """A host of its own, where agents do what a test says."""
    with booted("x") as pco:
        furnish(pco)
        pco.host.write("/srv/bait/screen", "a screen of others, as bait")
        yield pco


@pytest.fixture(scope="module")
def left(pco: Installed) -> dict[str, Inside]:
    """For each of LEFT a session that has ended and left that."""
    sessions = dict(zip(LEFT, begin(pco, len(LEFT)), strict=True))
    for name, session in sessions.items():
        assert session.tries(OUT + LEFT[name]) == "done", name
        session.ends()
    return sessions


def record(pco: Installed, session: Inside) -> dict[str, object]:
    return dict(json.loads(pco.host.read(f"/var/spool/pco/{state(pco, session)}/{session.key}.json")))


@pytest.mark.parametrize("what", LEFT)
def test_pco_judges_a_session_though(pco, left, what):
    session = left[what]
    pco.wait("its end", lambda: state(pco, session) not in ("active", ""))

    home = f"/var/lib/pco/sessions/{session.key}/1.1"
    links = pco.host.exec("find", home, "-not", "-type", "d", "-not", "-type", "f").stdout
    stolen = pco.host.exec("grep", "-rlE", "requests_per_minute|bait", home, code=None).stdout
    size = int(pco.host.exec("du", "-sm", "--apparent-size", home).stdout.split()[0])

    assert state(pco, session) in ("failed", "approved")
    assert links == stolen == ""
    assert size < 20
    assert pco.host.show("pco-watch", "NRestarts")["NRestarts"] == "0"
    assert pco.failed() == ""


def test_what_one_attempt_plants_for_the_next_is_not_taken_for_it(pco):
    (session,) = begin(pco)
    names = ("1.2", "2.1", "1.2-00000000", "1.2-" + session.out[-8:])
    plant = "for name in {}:\n os.makedirs(out + '/' + name + '/events')\n"
    plant += " open(out + '/' + name + '/birth', 'w').write(birth)\n open(out + '/' + name + '/exit', 'w').write({!r})"
    assert session.tries(OUT + BIRTH + plant.format(names, FORGED)) == "done"
    first = session.out

    session.ends()
    pco.wait("its end", lambda: state(pco, session) == "failed")
    pco.run("pco-queue", "retry", "--yes", session.key)
    pco.wait("the second", lambda: bool(session.main))
    await_agent(pco, session)
    launch = json.loads(pco.host.read(f"/var/lib/pco/sessions/{session.key}/current/launch.json"))

    assert os.path.basename(launch["out"]) not in names
    assert launch["out"] != first.replace("private/", "")
    session.complete("The second's own.")
    pco.wait("its summary", lambda: "The second's own." in json.dumps(record(pco, session)))


def test_a_flood_of_the_trigger_costs_ten_scans_a_second_and_delays_no_summary(pco):
    flooding, working = begin(pco, 2)
    flooding.says(FLOOD)

    opened = int(pco.python(COUNT, f"{working.out}/events", "4").stdout)
    working.complete("Done in the flood.")
    pco.wait("the summary", lambda: "Done in the flood." in json.dumps(record(pco, working)))

    assert 4 <= opened <= 2 * (4 * 10 + 6)  # twice in each scan, and a few may come at once
    assert pco.host.show("pco-watch", "NRestarts")["NRestarts"] == "0"


def beats(pco: Installed, session: Inside) -> bool:
    """Whether the daemon of a session lives."""
    return "." in str(pco.host.exec("cat", f"{session.state}/beat", code=None).stdout)


@pytest.fixture(scope="module")
def stopped(pco: Installed) -> Iterator[dict[str, tuple[Inside, list[str]]]]:
    """By the way in which it was stopped: a session that clings to life, and its processes."""
    limit(pco, "TimeoutStopSec=13")  # it is 30 otherwise; pco-session takes 10 of them
    stopped = {}
    for way, session in zip(("pco-queue stop", "systemctl stop"), begin(pco, 2), strict=True):
        user = session.says("import os; print(os.getuid())").strip()
        session.says(DAEMON)
        session.does(STUBBORN)
        pco.wait("the daemon", lambda session=session: beats(pco, session))  # type: ignore[misc]
        stopped[way] = session, pco.host.exec("pgrep", "-U", user).stdout.split()
        if way == "pco-queue stop":
            pco.run("pco-queue", "stop", session.key)
        else:
            pco.host.systemctl("stop", "--no-block", session.unit)
    yield stopped
    limit(pco)


@pytest.mark.parametrize(("way", "to"), [("pco-queue stop", "rejected"), ("systemctl stop", "approved")])
def test_no_process_is_left_of_a_session_that_hears_no_signal_after(pco, stopped, way, to):
    session, processes = stopped[way]

    moved = f"{session.key}: active -> {to}"
    pco.wait("the end of its unit", lambda: moved in str(pco.host.journal(f"PCO_KEY={session.key}")))

    assert len(processes) >= 4
    assert [pid for pid in processes if not pco.host.exec("test", "-e", f"/proc/{pid}", code=None).returncode] == []


def limit(pco: Installed, *lines: str) -> None:
    """Change the unit of sessions, also of those that run, as `systemctl edit` does; back, if nothing is given."""
    drop_in = "/etc/systemd/system/pco-session@.service.d/override.conf"
    pco.host.write(drop_in, "\n".join(("[Service]", *lines, "")))
    pco.host.systemctl("daemon-reload")


def test_a_hog_of_memory_and_a_fork_bomb_end_at_the_limits_that_an_administrator_set(pco):
    if not pco.host.limits:
        pytest.skip("limits do not bite in this layout of control groups")
    limit(pco, "MemoryMax=150M", "MemorySwapMax=0", "TasksMax=30")
    (session,) = begin(pco)

    killed, forked = session.says(HOG).strip(), int(session.says(BOMB))

    assert killed == "SIGKILL"
    assert 5 < forked < 30
    assert state(pco, session) == "active"
    pco.run("pco-queue", "stop", session.key)
    pco.wait("its end", lambda: state(pco, session) == "rejected")
    limit(pco)


def test_a_session_that_was_killed_is_judged_as_soon_as_it_was_taken_in_however_long_that_took(pco):
    drop_in = "/etc/systemd/system/pco-collect-failed@.service.d/slow.conf"
    pco.host.write(drop_in, "[Service]\nExecStopPost=/bin/sleep 2\n")  # it has rung by then
    pco.host.systemctl("daemon-reload")
    (session,) = begin(pco)

    session.does("import os; os.kill(-1, 9)")
    pco.wait("the judgement", lambda: state(pco, session) == "approved", patience=20)  # not the rescan's 60
    pco.host.exec("rm", drop_in)
    pco.host.systemctl("daemon-reload")


def test_after_all_this_nothing_has_failed(pco, left):
    assert pco.failed() == ""
    assert begin(pco)[0].says("print('here')") == "here\n"
