"""What this machine must offer so that a systemd can be booted on it, and what of it is missing.

Knows the three ways a Linux mounts its control groups: `v2` (one tree), `v1` (a tree per controller) and `hybrid`
(v1, plus a v2 tree without controllers at /sys/fs/cgroup/unified).
"""

import ctypes
import os
from dataclasses import dataclass
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
SYSTEMD = Path("/lib/systemd/systemd")
# Debian package: a file that it brings.  The python3-* are for the installed pco, which runs on /usr/bin/python3.
PACKAGES = {
    "systemd": "/lib/systemd/systemd",
    "dbus": "/usr/bin/dbus-daemon",
    "libnss-systemd": "/lib/*/libnss_systemd.so.2",
    "polkitd": "/usr/bin/pkcheck",
    "bindfs": "/usr/bin/bindfs",
    "util-linux": "/usr/bin/nsenter",
    "procps": "/usr/bin/pgrep",
    "e2fsprogs": "/usr/sbin/mkfs.ext4",
    "man-db": "/usr/bin/man",
    "tmux": "/usr/bin/tmux",
    "git": "/usr/bin/git",
    "make": "/usr/bin/make",
    "lintian": "/usr/bin/lintian",
    "nginx-light": "/usr/sbin/nginx",
    "nftables": "/usr/sbin/nft",
    "logrotate": "/usr/sbin/logrotate",
    "openssl": "/usr/bin/openssl",
    "curl": "/usr/bin/curl",
    "iproute2": "/usr/sbin/ip",
    "sudo": "/usr/bin/sudo",
    "python3-click": "/usr/lib/python3/dist-packages/click",
    "python3-filelock": "/usr/lib/python3/dist-packages/filelock",
    "python3-markdown-it": "/usr/lib/python3/dist-packages/markdown_it",
    "python3-requests": "/usr/lib/python3/dist-packages/requests",
    "python3-sdnotify": "/usr/lib/python3/dist-packages/sdnotify",
    "python3-tabulate": "/usr/lib/python3/dist-packages/tabulate*",
    "python3-yaml": "/usr/lib/python3/dist-packages/yaml",
}
NAMESPACES = ("mnt", "pid", "uts", "ipc", "net", "cgroup")
CLONE_NEWNS = 0x20000


@dataclass(frozen=True)
class Tree:
    """One mounted control group hierarchy: its folder, `cgroup` or `cgroup2`, and v1's controllers or `name=…`."""

    folder: Path
    kind: str
    controllers: str = ""


def trees() -> list[Tree]:
    """The hierarchies that are mounted at or right below /sys/fs/cgroup."""
    known = {line.split()[0] for line in Path("/proc/cgroups").read_text().splitlines()[1:] if line.strip()}
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, after = line.split(" - ")
        folder, (kind, _, options) = Path(before.split()[4]), after.split(maxsplit=2)
        if kind in ("cgroup", "cgroup2") and CGROUPS in (folder, folder.parent):
            kept = [word for word in options.split(",") if word in known or word.startswith("name=")]
            found.append(Tree(folder, kind, ",".join(kept)))
    return found


def layout() -> str:
    """`v1`, `hybrid`, `v2`, or an empty string where no control groups are mounted."""
    kinds = {tree.folder: tree.kind for tree in trees()}
    if kinds.get(CGROUPS) == "cgroup2":
        return "v2"
    if "cgroup" not in kinds.values():
        return ""
    return "hybrid" if kinds.get(CGROUPS / "unified") == "cgroup2" else "v1"


def layouts() -> list[str]:
    """The layouts a host can be given here, this machine's own one first."""
    return {"v2": ["v2"], "v1": ["v1"], "hybrid": ["hybrid", "v1", "v2"]}.get(layout(), [])


def wanted(chosen: str, lent: Path) -> list[Tree]:
    """The hierarchies that a host of this layout uses.  Those the machine does not have mounted are to be in `lent`.

    systemd mounts what it misses by itself, but then sees the root of the machine's tree: it must miss nothing.
    """
    if chosen == "v2":
        return [tree for tree in trees() if tree.kind == "cgroup2"]
    found = [tree for tree in trees() if tree.kind == "cgroup" or chosen == "hybrid"]
    needed = (Tree(lent / "unified", "cgroup2"), Tree(lent / "systemd", "cgroup", "name=systemd"))
    have = {(tree.kind, tree.controllers) for tree in found}
    return found + [tree for tree in needed if (tree.kind, tree.controllers) not in have]


def limits(chosen: str) -> bool:
    """Whether MemoryMax= can bite in a host of this layout.  Where the kernel gave memory to a v1 tree, v2 has none."""
    if chosen == "v2":
        folders = [tree.folder for tree in trees() if tree.kind == "cgroup2"]
        return any("memory" in (folder / "cgroup.controllers").read_text().split() for folder in folders)
    return any("memory" in tree.controllers.split(",") for tree in trees())


def packages() -> list[str]:
    """The Debian packages that are not installed."""
    return [package for package, file in PACKAGES.items() if not any(Path("/").glob(file.lstrip("/")))]


def missing() -> list[str]:
    """What keeps a host from booting here, each with what would mend it; root is taken for granted."""
    found = [f"{PACKAGES[package]} (apt install {package})" for package in packages()]
    found += [f"kernel: namespaces of kind {name}" for name in NAMESPACES if not Path(f"/proc/self/ns/{name}").exists()]
    if "overlay" not in Path("/proc/filesystems").read_text().split():
        found.append("kernel: overlay file system (modprobe overlay)")
    if not layout():
        found.append("control groups mounted at /sys/fs/cgroup (mount -t cgroup2 cgroup2 /sys/fs/cgroup)")
    elif not _may_make_groups():
        found.append("write access to /sys/fs/cgroup (in a container: run it with --privileged)")
    if not _may_unshare():
        found.append("CAP_SYS_ADMIN (in a container: run it with --privileged)")
    return found


def _may_make_groups() -> bool:
    return all(os.access(tree.folder, os.W_OK) for tree in trees())


def _may_unshare() -> bool:
    child = os.fork()
    if child == 0:
        os._exit(0 if ctypes.CDLL(None).unshare(CLONE_NEWNS) == 0 else 1)
    return os.waitpid(child, 0)[1] == 0


if __name__ == "__main__":
    print(" ".join(packages()))
