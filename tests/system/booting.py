"""The inner half of a test host: from a root shell to a systemd that is PID 1.

Run by host.py as `booting.py FOLDER`, and stays as the host's supervisor.  It has a mount namespace of its own, where
a tmpfs holds what the host writes: when the supervisor ends, however it ends, the host and its files are gone.
Signals: SIGUSR1 boots again after a power cut or power off, SIGTERM ends all.  FOLDER holds

    spec.json   name, lower (root folder, shown copy-on-write), source (bound copy-on-write at /src), layout, keep
    leader      pid and start time of the host's PID 1          log   what went wrong before systemd ran
    notify/     the socket at which whoever boots the host awaits READY=1
"""

import contextlib
import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import NoReturn

import machine

RDONLY, NOSUID, NODEV, NOEXEC, REMOUNT, BIND, REC, PRIVATE, SHARED = 1, 2, 4, 8, 32, 4096, 1 << 14, 1 << 18, 1 << 20
PLAIN = NOSUID | NODEV | NOEXEC
NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWPID, NEWNET = 0x20000, 0x2000000, 0x4000000, 0x8000000, 0x20000000, 0x40000000
PR_SET_PDEATHSIG = 1
MNT_DETACH = 2
COMMANDS = {signal.SIGCHLD, signal.SIGUSR1, signal.SIGTERM}
# The kernel is shared with the machine: no clock, no modules, no kernel log.
DROPPED = "sys_time sys_module sys_rawio syslog audit_control audit_read audit_write mac_admin mac_override wake_alarm"
# Of the lower root nothing of this is seen: its enabled services, its mounts, a pco that is installed there.
HIDDEN = ("etc/systemd", "etc/pco", "var/spool/pco", "var/lib/pco", *(f"etc/rc{n}.d" for n in "0123456S"))
UNWANTED = ("console-getty.service", "getty@tty1.service", "apt-daily.timer", "apt-daily-upgrade.timer")
# Each as major * 256 + minor.
DEVICES = {"null": 0x103, "zero": 0x105, "full": 0x107, "random": 0x108, "urandom": 0x109, "tty": 0x500, "fuse": 0xAE5}
LIBC = ctypes.CDLL(None, use_errno=True)


def check(result: int, what: str) -> None:
    """Raise OSError if a call of libc failed."""
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def mount(kind: str, target: Path, flags: int = 0, data: str = "", source: str = "") -> None:
    """mount(2)."""
    arguments = [(source or kind).encode(), str(target).encode(), kind.encode(), flags, data.encode()]
    check(LIBC.mount(*arguments), f"mount {source or kind} at {target}")


def bind(source: Path, target: Path, flags: int = 0) -> None:
    """Show `source` at `target`, with `flags` (RDONLY …) applied."""
    mount("none", target, BIND, source=str(source))
    if flags:
        mount("none", target, REMOUNT | BIND | flags)


def die_with_parent(number: int) -> None:
    """Have the kernel send this process a signal when the one that made it is gone."""
    check(LIBC.prctl(PR_SET_PDEATHSIG, number), "prctl")


# The supervisor.


def supervise(folder: Path) -> None:
    """Boot, boot again after a reboot or at SIGUSR1, until SIGTERM."""
    spec = json.loads((folder / "spec.json").read_text())
    signal.pthread_sigmask(signal.SIG_BLOCK, COMMANDS)
    if not spec["keep"]:
        die_with_parent(signal.SIGTERM)
    check(LIBC.unshare(NEWNS), "unshare")
    mount("none", Path("/"), REC | PRIVATE)
    scratch = folder / "scratch"
    mount("tmpfs", scratch, NODEV, "mode=755,size=4g")
    trees = machine.wanted(spec["layout"], scratch)
    for tree in trees:
        if tree.folder.parent == scratch:
            tree.folder.mkdir()
            mount_tree(tree, tree.folder)
    lay_out(scratch, spec)
    booted = boot(folder, spec)
    while True:
        command = signal.sigwait(COMMANDS)
        if command == signal.SIGTERM:
            break
        status = over(booted, 0 if command == signal.SIGUSR1 else os.WNOHANG) if booted else 0
        if status is None:
            continue
        booted = 0
        if command == signal.SIGUSR1 or status == signal.SIGHUP:  # SIGHUP: reboot(2) inside a pid namespace
            booted = boot(folder, spec)
        elif status not in (signal.SIGINT, signal.SIGKILL):  # SIGINT: power off
            announce(folder, f"FAILED=status {status}")
    end(booted)
    remove_groups(spec["name"], trees)
    check(LIBC.umount2(str(scratch).encode(), MNT_DETACH), "umount")
    shutil.rmtree(folder)
    with contextlib.suppress(OSError):
        folder.parent.rmdir()


def over(booted: int, options: int) -> int | None:
    """How the host's middle process ended: with the signal that ended PID 1, or 128: no boot; None: it runs."""
    pid, status = os.waitpid(booted, options)
    return os.waitstatus_to_exitcode(status) if pid else None


def end(booted: int) -> None:
    """Kill the host's PID 1 through its parent, and with it every process of the host."""
    if booted:
        os.kill(booted, signal.SIGKILL)
        os.waitpid(booted, 0)


def announce(folder: Path, message: str) -> None:
    """Tell who waits for the boot."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as said:
        said.sendto(message.encode(), str(folder / "notify" / "socket"))


def remove_groups(name: str, trees: list[machine.Tree], patience: float = 30) -> None:
    """Remove the control groups of a host whose processes have ended; a moment passes until the kernel lets go."""
    until = time.monotonic() + patience
    for tree in trees:
        top = tree.folder / f"pco-host-{name}"
        for group in [*sorted(top.rglob("*/"), reverse=True), top] if top.exists() else []:
            while group.is_dir():
                try:
                    group.rmdir()
                except OSError:
                    if time.monotonic() > until:
                        raise
                    time.sleep(0.01)


def boot(folder: Path, spec: dict[str, str]) -> int:
    """Start the host.  Returns the pid of its middle process, which ends as PID 1 of the host ends."""
    middle = os.fork()
    if middle:
        return middle
    try:
        die_with_parent(signal.SIGKILL)
        check(LIBC.unshare(NEWNS | NEWUTS | NEWIPC | NEWPID | NEWNET), "unshare")
        await_, begin = os.pipe()
        leader = os.fork()
        if leader == 0:
            die_with_parent(signal.SIGKILL)
            os.close(begin)
            os.read(await_, 1)
            become_systemd(folder, spec)
        # Before it changes its root: that is this process's, too, and nothing of here is found there.
        write_new(folder / "leader", f"{leader} {start_time(leader)}")
        os.close(begin)
        os._exit(abs(os.waitstatus_to_exitcode(os.waitpid(leader, 0)[1])))
    except (OSError, subprocess.SubprocessError) as error:
        print(f"{error}", file=sys.stderr, flush=True)
    os._exit(128)


def write_new(path: Path, text: str) -> None:
    """Replace a file that others may be reading."""
    (path.parent / f"{path.name}.new").write_text(text)
    os.rename(path.parent / f"{path.name}.new", path)


def start_time(pid: int) -> str:
    """When a process was started, in clock ticks since boot: with the pid it names one process for good."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]


# What the host writes, before its first boot.


def lay_out(scratch: Path, spec: dict[str, str]) -> None:
    """Make a host of its own of the lower root: fresh machine id, nothing enabled, a journal that outlives reboots."""
    upper = scratch / "upper"
    for name in ("work", "src", "src-work"):
        (scratch / name).mkdir()
    for name in HIDDEN:
        if name != "etc/systemd" and not (Path(spec["lower"]) / name).exists():
            continue
        (upper / name).mkdir(parents=True)
        os.setxattr(upper / name, "trusted.overlay.opaque", b"y")
    (upper / "var/log/journal").mkdir(parents=True)
    (upper / "etc/machine-id").write_text(uuid.uuid4().hex + "\n")
    (upper / "etc/hostname").write_text(spec["name"] + "\n")
    (upper / "etc/hosts").write_text(f"127.0.0.1 localhost {spec['name']}\n::1 localhost ip6-localhost\n")
    (upper / "etc/fstab").write_text("")
    units = upper / "etc/systemd/system"
    units.mkdir()
    for unit in UNWANTED:
        (units / unit).symlink_to("/dev/null")
    (units / "default.target").symlink_to("/lib/systemd/system/multi-user.target")
    if spec["disk"]:
        with (scratch / "disk").open("wb") as disk:
            disk.truncate(int(spec["disk"]) << 20)
        subprocess.run(["mkfs.ext4", "-q", str(scratch / "disk")], check=True)
    (upper / "etc/systemd/journald.conf").write_text("[Journal]\nStorage=persistent\nRateLimitIntervalSec=0\n")


# From here on inside the host's namespaces.


def become_systemd(folder: Path, spec: dict[str, str]) -> NoReturn:
    """Mount the host's world, make it the root, and be its systemd."""
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, COMMANDS)
        trees = machine.wanted(spec["layout"], folder / "scratch")
        join_groups(trees, spec["name"])
        check(LIBC.unshare(NEWCGROUP), "unshare")
        root = folder / "root"
        mount_root(folder / "scratch", root, spec)
        mount_kernel(folder / "scratch", root)
        mount_groups(root / "sys/fs/cgroup", trees)
        mount_devices(root / "dev")
        mount("tmpfs", root / "run", NOSUID | NODEV, "mode=755")
        mount("tmpfs", root / "tmp", NOSUID | NODEV, "mode=1777")
        show_boot_id(root / "run/systemd/system")
        (root / "run/host").mkdir()
        bind(folder / "notify", root / "run/host")
        socket.sethostname(spec["name"])
        enter(root)
    except (OSError, subprocess.SubprocessError) as error:
        print(f"{error}", file=sys.stderr, flush=True)
    os._exit(128)


def join_groups(trees: list[machine.Tree], name: str) -> None:
    """Enter a control group of the host's own in each tree: nothing from outside its pid namespace may be in it."""
    for tree in trees:
        group = tree.folder / f"pco-host-{name}"
        group.mkdir(exist_ok=True)
        if tree.kind == "cgroup2":
            delegate(tree.folder)
        if (group / "cpuset.cpus").exists() and tree.kind == "cgroup":
            for file in ("cpuset.cpus", "cpuset.mems"):
                (group / file).write_text((tree.folder / file).read_text())
            (group / "cgroup.clone_children").write_text("1")
        (group / "cgroup.procs").write_text("0")


def delegate(folder: Path) -> None:
    """Let the groups below have the controllers; where the kernel refuses one, limits of its kind do not bite."""
    for controller in (folder / "cgroup.controllers").read_text().split():
        with contextlib.suppress(OSError):
            (folder / "cgroup.subtree_control").write_text(f"+{controller}")


def mount_root(scratch: Path, root: Path, spec: dict[str, str]) -> None:
    """The lower root and the checkout at /src, both copy-on-write; below the spool a disk of its own, if asked for."""
    layers = "lowerdir={},upperdir={},workdir={}"
    mount("overlay", root, data=layers.format(spec["lower"], scratch / "upper", scratch / "work"))
    if spec["source"]:
        (root / "src").mkdir(exist_ok=True)
        mount("overlay", root / "src", data=layers.format(spec["source"], scratch / "src", scratch / "src-work"))
    if spec["disk"]:
        (root / "var/spool/pco").mkdir(exist_ok=True)
        # mount(8) finds a loop device, which the kernel takes back with the mount.
        subprocess.run(["mount", "-o", "loop,nodev,nosuid", scratch / "disk", root / "var/spool/pco"], check=True)


def mount_kernel(scratch: Path, root: Path) -> None:
    """/proc and /sys; what belongs to the machine is read-only, and each boot has a boot id of its own."""
    mount("proc", root / "proc", PLAIN)
    for name in ("sys", "sysrq-trigger"):
        if (root / "proc" / name).exists():
            bind(root / "proc" / name, root / "proc" / name, PLAIN | RDONLY)
    (scratch / "boot_id").write_text(f"{uuid.uuid4()}\n")
    bind(scratch / "boot_id", root / "proc/sys/kernel/random/boot_id", RDONLY)
    mount("sysfs", root / "sys", PLAIN | RDONLY)


def show_boot_id(units: Path) -> None:
    """Show the host's boot id to those of pco's units that read it.

    A sandbox with a /proc of its own would show the machine's, which no power cut of the host changes.
    """
    for unit in ("pco-launch", "pco-watch", "pco-dashboard", "pco-session@"):
        folder = units / f"{unit}.service.d"
        folder.mkdir(parents=True)
        (folder / "boot-id.conf").write_text("[Service]\nBindReadOnlyPaths=/proc/sys/kernel/random/boot_id\n")


def mount_groups(top: Path, trees: list[machine.Tree]) -> None:
    """The control groups as the host sees them: its own group is their root."""
    if len(trees) == 1 and trees[0].kind == "cgroup2":
        mount_tree(trees[0], top)
        return
    mount("tmpfs", top, PLAIN, "mode=755")
    for tree in trees:
        (top / tree.folder.name).mkdir()
        mount_tree(tree, top / tree.folder.name)


def mount_tree(tree: machine.Tree, target: Path) -> None:
    """Mount one hierarchy."""
    mount(tree.kind, target, PLAIN, f"none,{tree.controllers}" if "name=" in tree.controllers else tree.controllers)


def mount_devices(dev: Path) -> None:
    """A /dev with what a container has."""
    mount("tmpfs", dev, NOSUID, "mode=755,size=1m")
    os.umask(0)
    for name, number in DEVICES.items():
        os.mknod(dev / name, 0o20666, number)
    for name in ("pts", "shm", "mqueue"):
        (dev / name).mkdir()
    mount("devpts", dev / "pts", NOSUID | NOEXEC, "newinstance,ptmxmode=0666,mode=620,gid=5")
    mount("tmpfs", dev / "shm", NOSUID | NODEV, "mode=1777")
    links = {"ptmx": "pts/ptmx", "fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"}
    for name, target in links.items():
        (dev / name).symlink_to(target)
    (dev / "console").touch()
    bind(dev / "null", dev / "console")
    os.umask(0o022)


def enter(root: Path) -> NoReturn:
    """Make `root` the root, drop capabilities, run systemd."""
    (root / ".old").mkdir(exist_ok=True)
    os.chdir(root)
    if os.spawnlp(os.P_WAIT, "pivot_root", "pivot_root", ".", ".old") != 0:
        raise OSError(0, "pivot_root failed")
    check(LIBC.umount2(b"/.old", MNT_DETACH), "umount of the old root")
    # systemd leaves this to who runs the container; without it LoadCredential= hands out empty folders.
    mount("none", Path("/"), REC | SHARED)
    null = os.open("/dev/null", os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    kept = {"container": "pco-test", "NOTIFY_SOCKET": "/run/host/socket", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    dropped = ",".join(f"-{name}" for name in DROPPED.split())
    os.execvpe("setpriv", ["setpriv", f"--bounding-set={dropped}", str(machine.SYSTEMD), "--show-status=no"], kept)


if __name__ == "__main__":
    supervise(Path(sys.argv[1]))
