"""What a session cannot reach: all of it is tried by the agent itself, in one of two sessions that run at once."""

import json
from collections.abc import Iterator

import pytest
from inside import Inside, begin, furnish
from installed import Installed, booted

TOKEN = "plane_api_5f2c61d0e9"
LOGIN = "sk-agent-81b2"
PUSH = "tok_5d03f6b1c4"
# Of these each is there, and the session sees nothing of it.  {pid} is the other session's tmux server.
HIDDEN = (
    "/proc/{pid}/environ",
    "/proc/{pid}/cmdline",
    "/proc/{pid}/root",
    "/proc/{pid}/cwd",
    "/proc/{pid}/fd",
    "/proc/{pid}/maps",
    "/run/pco-session/{other}/tmux.sock",
    "/run/pco-attach/{other}.sock",
    "/run/credentials/pco-session@{other}.service/agent",
    "/var/lib/pco/sessions/{other}",
    "/var/lib/pco-agent/{other}",
    "/var/lib/private/pco-agent/{other}",
    "/var/lib/private/pco-agent/{other}.tmp",
    "/etc/pco/pco.yaml",
    "/etc/pco/credentials",
    "/var/spool/pco",
    "/var/lib/pco/mirrors",
    "/var/lib/pco/audit",
    "/var/lib/pco/plane",
    "/var/lib/pco/www",
    "/var/log/journal",
    "/run/systemd/journal/socket",
    "/run/systemd/journal/stdout",
    "/run/systemd/journal/dev-log",
    "/run/systemd/private",
    "/run/systemd/notify",
    "/run/dbus/system_bus_socket",
    "/root/.bashrc",
)
OTHERS = ("the session of another ticket", "pco-watch", "the journal", "PID 1")
READ_ONLY = ("/", "/etc", "/usr/local/bin", "/run", "/run/pco", "/run/pco-session", "/var", "/var/lib", "/var/lib/pco")
READ_ONLY += (
    "/var/lib/pco/sessions/{own}",
    "/var/lib/pco/sessions/{own}/1.1",
    "/var/lib/pco-agent",
    "/var/lib/private",
)
READ_ONLY += ("/var/lib/private/pco-agent", "/var/spool", "/var/log", "/dev", "/dev/pts", "/proc/sys/kernel", "/sys")
READ_ONLY += ("/sys/fs/cgroup/systemd", "/srv", "/home")
VECTOR = "b = ctypes.create_string_buffer(8); v = (ctypes.c_void_p * 2)(ctypes.addressof(b), 8)"
PRIVILEGED = {
    "make a setuid program": ("open('s', 'w').close(); os.chmod('s', 0o4755)", "EPERM"),
    "make a setgid folder": ("os.mkdir('sg'); os.chmod('sg', 0o2755)", "EPERM"),
    "become root": ("os.setuid(0)", "EPERM"),
    "leave its groups": ("os.setgroups([0])", "EPERM"),
    "unshare a user namespace": ("call('unshare', 0x10000000)", "EPERM"),
    "unshare a mount namespace": ("call('unshare', 0x20000)", "EPERM"),
    "enter the namespaces of PID 1": ("os.open('/proc/1/ns/mnt', os.O_RDONLY)", "ENOENT"),
    "mount": ("call('mount', b'none', b'/tmp', b'tmpfs', 0, None)", "EPERM"),
    "unmount what hides the machine": ("call('umount2', b'/run', 2)", "EPERM"),
    "make a device": ("os.mknod('d', 0o20666, os.makedev(1, 3))", "EPERM"),
    "see raw packets": ("socket.socket(socket.AF_PACKET, socket.SOCK_RAW)", "EAFNOSUPPORT"),
    "forge raw packets": ("socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)", "EPERM"),
    "let itself be traced": ("call('ptrace', 0, 0, 0, 0)", "EPERM"),
    "trace another": ("call('ptrace', 16, {pid}, 0, 0)", "EPERM"),
    "read the memory of another": (f"{VECTOR}; call('process_vm_readv', {{pid}}, v, 1, v, 1, 0)", "EPERM"),
    "load a program into the kernel": ("call('syscall', 321, 0, None, 0)", "EPERM"),
    "watch the processor's events": ("call('syscall', 298, None, 0, -1, -1, 0)", "EPERM"),
    "set the clock": ("import time; time.clock_settime(time.CLOCK_REALTIME, 0)", "EPERM"),
    "run before all others": ("os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))", "EPERM"),
    "take more than its share of the processor": ("os.nice(-5)", "EPERM EACCES"),
}
TRIGGER = {
    "read it": ("os.open('/run/pco/trigger', os.O_RDONLY | os.O_NONBLOCK)", "EACCES"),
    "hold it open for reading": ("os.open('/run/pco/trigger', os.O_RDWR | os.O_NONBLOCK)", "EACCES"),
    "remove it": ("os.unlink('/run/pco/trigger')", "EBUSY EROFS"),
    "rename it": ("os.rename('/run/pco/trigger', '/run/pco/t')", "EBUSY EROFS"),
    "put another in its place": ("os.mkfifo('t'); os.rename('t', '/run/pco/trigger')", "EBUSY EROFS EXDEV"),
    "close it to others": ("os.chmod('/run/pco/trigger', 0)", "EPERM EROFS"),
}
# It listens before it forks.
LISTEN = """\
import os, socket, time
one, two = socket.socket(socket.AF_UNIX), socket.create_server(("127.0.0.1", 8099))
one.bind("\\0shared")
one.listen()
if os.fork() == 0:
    os.closerange(0, 3)
    time.sleep(60)
"""
ORDERS = (
    ("systemctl", "--no-ask-password", "start", "pco-session@WEB-99.service"),
    ("systemctl", "--no-ask-password", "stop", "pco-session@{other}.service"),
    ("systemctl", "--no-ask-password", "kill", "pco-watch.service"),
    ("systemd-run", "--no-ask-password", "--wait", "true"),
    ("systemd-run", "--user", "--wait", "true"),
    ("busctl", "list"),
    ("loginctl", "list-sessions"),
    ("systemd-cat", "echo", "said"),
    ("tmux", "-S", "/run/pco-session/{other}/tmux.sock", "kill-server"),
    ("pco-queue", "list"),
    ("pco-complete", "{other}", "Done by another."),
    ("env", "-u", "PCO_ATTEMPT_DIR", "pco-complete", "{other}", "Done by another."),
    ("env", "PCO_ATTEMPT_DIR=/var/lib/pco/sessions/{other}/1.1", "pco-complete", "{other}", "Done by another."),
    ("pco-hook", "{other}", "/var/lib/pco/sessions/{other}/1.1", "check"),
    ("pco-hook", "{other}", "/var/lib/pco/sessions/{own}/1.1", "check"),
)


@pytest.fixture(scope="module")
def pco(able: None) -> Iterator[Installed]:
    """A host of its own, where agents do what a test says."""
    with booted("i") as pco:
        pco.host.write("/etc/pco/credentials/plane-token", TOKEN, "600")
        pco.host.write("/etc/pco/credentials/git-push", f"https://bot:{PUSH}@git.example.org", "600")
        pco.host.exec("install", "-m", "755", "/usr/bin/id", "/srv/id")
        pco.host.exec("chmod", "u+s", "/srv/id")
        furnish(pco)
        yield pco


@pytest.fixture(scope="module")
def one(pco: Installed) -> Inside:
    """The session that tries; there was no login for agents when it started."""
    return begin(pco)[0]


@pytest.fixture(scope="module")
def other(pco: Installed, one: Inside) -> Inside:
    """The session that is to be left alone; it was given a login."""
    pco.host.write("/etc/pco/credentials/agent", LOGIN, "600")
    return begin(pco)[0]


@pytest.mark.parametrize("path", HIDDEN)
def test_a_session_does_not_see(one, other, path):
    path = path.format(pid=other.main, other=other.key)

    assert one.host.exec("test", "-e", path)
    assert one.tries(f"os.lstat({path!r})") in ("ENOENT", "EACCES")


def test_of_other_processes_a_session_sees_none(one, other):
    seen = one.says("import os; print({os.stat(f'/proc/{p}').st_uid for p in os.listdir('/proc') if p.isdigit()})")

    assert seen.strip() == f"{{{one.says('import os; print(os.getuid())').strip()}}}"
    assert other.says("import os; print(os.getuid())") != one.says("import os; print(os.getuid())")


@pytest.mark.parametrize("whom", OTHERS)
def test_a_session_cannot_signal(one, other, whom):
    units = {"pco-watch": "pco-watch", "the journal": "systemd-journald"}
    pids = {OTHERS[0]: other.main, "PID 1": 1}
    pid = pids.get(whom) or int(one.host.show(units[whom], "MainPID")["MainPID"])

    assert one.tries(f"os.kill({pid}, 0)") == "EPERM"
    assert one.tries(f"os.kill({pid}, 9)") == "EPERM"


def test_who_kills_all_that_it_can_ends_only_itself(pco, other):
    (raging,) = begin(pco)
    before = other.main, pco.host.show("pco-watch", "MainPID")

    raging.does("import os; os.kill(-1, 9)")
    pco.wait("its end", lambda: pco.states()[raging.key] != "active")

    assert (other.main, pco.host.show("pco-watch", "MainPID")) == before
    assert other.says("print('alive')") == "alive\n"


@pytest.mark.parametrize("deed", PRIVILEGED)
def test_a_session_cannot(one, other, deed):
    code, errors = PRIVILEGED[deed]

    assert one.tries(code.format(pid=other.main)) in errors.split()


def test_a_setuid_program_runs_as_the_sessions_own_user(one):
    assert one.host.exec("runuser", "-u", "alice", "--", "/srv/id", "-u").stdout == "0\n"  # it would work elsewhere
    assert one.tells("/srv/id", "-u") == one.tells("id", "-u")
    assert one.tells("su", "-c", "true")[0] != 0


@pytest.mark.parametrize("folder", READ_ONLY)
def test_a_session_makes_no_file_in(one, folder):
    made = one.tries(f"open({folder.format(own=one.key)!r} + '/x', 'w')")

    assert made in ("EROFS", "EACCES", "EPERM", "ENOENT")


@pytest.mark.parametrize("name", ["prompt.md", "launch.json"])
def test_a_session_cannot_change_its_own(one, name):
    path = f"/var/lib/pco/sessions/{one.key}/1.1/{name}"

    assert one.tries(f"open({path!r}).read()") == "done"
    assert one.tries(f"open({path!r}, 'r+')") in ("EACCES", "EROFS")
    assert one.tries(f"os.unlink({path!r})") == "EROFS"
    assert one.tries(f"os.rename('README', {path!r})") == "EXDEV"


@pytest.mark.parametrize("deed", TRIGGER)
def test_the_trigger_takes_bytes_and_a_session_cannot(one, deed):
    code, errors = TRIGGER[deed]

    assert one.tries(code) in errors.split()
    assert one.tries("os.write(os.open('/run/pco/trigger', os.O_WRONLY | os.O_NONBLOCK), b'e')") == "done"


@pytest.mark.parametrize("order", ORDERS, ids=" ".join)
def test_a_session_gives_no_orders(one, other, order):
    before = other.main

    code, _ = one.tells(*(word.format(other=other.key, own=one.key) for word in order))

    assert code != 0
    assert other.main == before
    assert "Done by another." not in one.host.read(f"/var/spool/pco/active/{other.key}.json")
    assert one.host.show("pco-session@WEB-99", "ActiveState")["ActiveState"] == "inactive"


def test_a_session_reads_nothing_of_the_journal_and_says_nothing_in_it(one):
    for order in (("logger", "said"), ("systemd-cat", "echo", "said")):
        one.tells(*order)
    said = [entry for entry in one.host.journal() if entry.get("MESSAGE") == "said"]

    assert one.tells("journalctl", "-q", "--no-pager")[1] == ""
    assert said == []


def test_a_session_reads_its_own_login_and_an_empty_line_where_there_is_none(one, other):
    read = "import os; print(repr(open(os.environ['CREDENTIALS_DIRECTORY'] + '/agent').read()))"

    assert one.says(read) == "'\\n'\n"
    assert other.says(read) == f"{LOGIN!r}\n"


def test_neither_a_session_nor_the_watcher_leaves_a_core_dump(one):
    watcher = one.host.show("pco-watch", "MainPID")["MainPID"]

    for limits in (one.says("print(open('/proc/self/limits').read())"), one.host.read(f"/proc/{watcher}/limits")):
        (line,) = (line.split() for line in limits.splitlines() if line.startswith("Max core file size"))
        assert line[-3:-1] == ["0", "0"], line


def test_no_secret_of_others_is_in_any_file_that_a_session_can_read(one, other):
    folders = ("/dev/shm", "/etc", "/proc/self/environ", "/run", "/srv", "/tmp", "/var")
    search = ("grep", "-rlsE", "--devices=skip", f"{TOKEN}|{LOGIN}|{PUSH}", *folders)

    assert one.host.exec(*search[:4], "/etc", "/run/credentials").stdout.count("\n") == 4
    assert one.tells(*search)[1] == ""


def test_tmp_lies_with_the_state_of_the_session_and_shared_memory_is_small(one, other):
    assert one.tries("open('/tmp/mine', 'w'); open('/var/tmp/mine-too', 'w')") == "done"
    assert one.tries("open('/dev/shm/much', 'wb').write(bytes(65 << 20))") == "ENOSPC"
    one.says("import os; os.unlink('/dev/shm/much')")

    assert one.host.exec("ls", f"{one.state}.tmp").stdout == "mine\nmine-too\n"
    assert one.host.exec("find", "/tmp", "/var/tmp", "/dev/shm", "-name", "mine*").stdout == ""
    assert other.says("import os; print(os.listdir('/tmp'))") == "[]\n"


def test_an_event_of_another_attempt_and_one_in_another_name_have_no_effect(pco, one):
    forge = f"""\
import glob, sys
sys.path.insert(0, '/src/lib')
from pco.ground import events
out = glob.glob('/var/lib/pco-agent/{one.key}/out/1.1-*')[0]
events.write(out, 1, 2, 'completed', {{'summary': 'forged'}})
events.write(out, 2, 1, 'completed', {{'summary': 'forged'}})
events.write(out, 1, 1, 'blocked', {{'what': 'a question'}})
events.ring('/run/pco/trigger')
print('forged')
"""
    assert one.says(forge) == "forged\n"

    record = f"/var/spool/pco/active/{one.key}.json"
    pco.wait("the true one", lambda: "a question" in pco.host.read(record))

    assert "forged" not in pco.host.read(record)


def test_a_summary_in_the_name_of_a_login_that_an_agent_chose_is_still_the_agents(pco, one):
    (session,) = begin(pco)

    session.tells("sh", "-c", "echo 0 >/proc/self/loginuid; exec env SUDO_USER=alice pco-complete 'In your name.'")

    pco.wait("its summary", lambda: "In your name." in read(session))
    assert json.loads(read(session))["rounds"][-1]["summary_by"] == "agent"


def read(session: Inside) -> str:
    """The record of its ticket."""
    return str(session.host.exec("sh", "-c", f"cat /var/spool/pco/*/{session.key}.json", code=None).stdout)


def test_the_terminal_of_a_session_is_closed_to_the_other(one, other):
    terminal = other.says("import os; print(os.readlink(f'/proc/{os.getppid()}/fd/1'))").strip()

    assert terminal.startswith("/dev/pts/")
    assert other.tries(f"os.open({terminal!r}, os.O_WRONLY)") == "done"
    assert one.tries(f"os.open({terminal!r}, os.O_WRONLY)") == "EACCES"
    assert one.tries(f"os.open({terminal!r}, os.O_RDONLY)") == "EACCES"


# The limits of it, which SECURITY.md names.


def test_sessions_see_each_others_keys(one, other):
    assert other.key in one.says("print(open('/proc/net/unix').read())")
    assert one.tells("getent", "passwd", f"pco-{other.key}")[0] == 0


def test_sessions_share_loopback_and_abstract_sockets_until_a_drop_in_closes_loopback(one, other):
    one.says(LISTEN)
    abstract = "socket.socket(socket.AF_UNIX).connect('\\0shared')"
    loopback = "socket.create_connection(('127.0.0.1', 8099), timeout=1)"
    before = other.tries(abstract), other.tries(loopback)
    drop_in = "/etc/systemd/system/pco-session@.service.d/override.conf"

    one.host.write(drop_in, "[Service]\nIPAddressDeny=localhost\n")
    one.host.systemctl("daemon-reload")
    after = other.tries(abstract), other.tries(loopback)
    one.host.exec("rm", drop_in)
    one.host.systemctl("daemon-reload")

    assert before == ("done", "done")
    assert after == ("done", "timed out")


def test_after_all_this_nothing_has_failed(pco, one, other):
    assert pco.failed() == ""
    assert pco.host.show("pco-watch", "NRestarts")["NRestarts"] == "0"
    assert one.says("print('here')") == other.says("print('here')") == "here\n"
