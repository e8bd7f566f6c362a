"""What a program asks of the system, as strace(1) writes it down: which calls touch pco's files, and how to hit one."""

import re
from dataclasses import dataclass
from pathlib import Path

# A leading `?` lets strace pass over what this machine does not have.
TRACED = (
    "openat,?open,?creat,read,pread64,write,pwrite64,?writev,fsync,fdatasync,?rename,renameat,?renameat2,?link,linkat,"
    "?unlink,unlinkat,?mkdir,mkdirat,?rmdir,?symlink,symlinkat,?chmod,fchmod,fchmodat,?chown,fchown,fchownat,?lchown,"
    "utimensat,truncate,ftruncate,fallocate,?mknod,mknodat,?stat,?lstat,?newfstatat,?fstatat64,fstat,?statx,?readlink,"
    "readlinkat,?getdents64,flock,close,?access,faccessat,?faccessat2,lseek,statfs,fstatfs,?sendfile,?copy_file_range,"
    "?vfork,?fork,?clone,?clone3,connect,sendto,recvfrom,sync,syncfs"
)
KILL, EIO, ENOSPC, STOP, ORDER = "KILL", "EIO", "ENOSPC", "STOP", "ORDER"
CUT, LOST = "CUT", "LOST"  # on ext4; with .xfs or .btrfs on these
NETWORK = ("sendto", "recvfrom", "connect")
UNSEEN = ("fsync", "fdatasync", "flock")
CHILDREN = ("vfork", "fork", "clone", "clone3")
NEEDS_ROOM = [
    "creat",
    "write",
    "pwrite64",
    "writev",
    "fsync",
    "fdatasync",
    "rename",
    "renameat",
    "renameat2",
    "link",
    "linkat",
    "mkdir",
    "mkdirat",
    "symlink",
    "symlinkat",
    "ftruncate",
    "fallocate",
    "mknod",
    "mknodat",
    "sendfile",
    "copy_file_range",
]
CHANGES = [*NEEDS_ROOM, "unlink", "unlinkat", "rmdir", "chmod", "fchmod", "fchmodat", "truncate"]
_LINE = re.compile(r"(?P<name>\w+)\((?P<words>.*?)(?:\)\s+= (?P<result>.*))?(?: <unfinished \.\.\.>)?")
_RELATIVE = re.compile(r"at2?$|^statx$|^fstatat64$")  # calls that take a folder and a name in it


@dataclass(frozen=True)
class Call:
    """One call: it is the `nth` of its name that the program makes, and the `kth` with just this label.

    That and the label are the same in every run of a scene.
    """

    name: str
    nth: int
    kth: int
    label: str
    result: str
    paths: tuple[str, ...]
    tells: bool = False  # somebody who reads its output, or Plane
    anew: bool = True  # something is not as it was at the changing call before: another kill

    @property
    def id(self) -> tuple[str, int]:
        """What it is known by."""
        return self.label, self.kth

    @property
    def creates(self) -> bool:
        """Whether it opens a file that may be new, or is emptied."""
        return self.name in ("openat", "open") and ("O_CREAT" in self.label or "O_TRUNC" in self.label)

    @property
    def changes(self) -> bool:
        """Whether the disk, or the world, is another one after it."""
        return self.creates or self.name in CHANGES or self.name in ("sendto", "flock", *CHILDREN)

    @property
    def alters(self) -> bool:
        """Whether somebody can see that it was made, as long as the power stays."""
        return self.tells or (self.changes and self.name not in UNSEEN)

    def can(self, fault: str) -> bool:
        """Whether the system may answer so."""
        if fault == ENOSPC:
            return self.creates or self.name in NEEDS_ROOM
        if fault == EIO:
            return self.name not in (*NETWORK, *CHILDREN)
        return True


def read(trace: str, home: Path) -> list[Call]:
    """All calls of a trace; paths below `home` are written as `~/...`, what differs from run to run is left out."""
    counts, same, anew = dict[str, int](), dict[str, int](), True
    calls = list[Call]()
    for line in trace.splitlines():
        found = _LINE.fullmatch(line.rstrip())
        if found is None:
            continue
        name, words = found["name"], found["words"]
        counts[name] = counts.get(name, 0) + 1
        paths = _paths(words, str(home), relative=bool(_RELATIVE.search(name)))
        tells = name == "sendto" or (name == "write" and words.startswith("1<"))
        label = f"{name}({_told(words, paths)})"
        same[label] = same.get(label, 0) + 1
        call = Call(name, counts[name], same[label], label, found["result"] or "?", paths, tells, anew)
        calls.append(call)
        anew = call.alters or (anew and not (call.changes and paths))
    return calls


def points(calls: list[Call], fault: str) -> list[Call]:
    """The calls at which a fault is to be put: those that touch files below home, and for a kill what goes out."""
    chosen = []
    for call in calls:
        here = bool(call.paths) or (fault in (KILL, STOP) and call.name in (*NETWORK, *CHILDREN))
        if here and call.can(fault):
            chosen.append(call)
    return chosen


def _paths(words: str, home: str, *, relative: bool) -> tuple[str, ...]:
    """The paths below `home` that a call names, whole: `relative` ones are put together with their folder."""
    folder, found = "", []
    for part in re.finditer(r'<([^<>]*)>|"((?:[^"\\]|\\.)*)"', words):
        if part[1] is not None:
            folder = part[1]
            if not (relative and words[part.end() :].startswith(', "')):
                found.append(folder)
        elif part[2].startswith("/"):
            found.append(part[2])
        elif relative and folder.startswith("/"):
            found.append(f"{folder}/{part[2]}".rstrip("/"))
    return tuple(name(path.removeprefix(home)) for path in found if path == home or path.startswith(f"{home}/"))


def name(path: str) -> str:
    """A path without what is another one in each run: process ids, moments, random names."""
    path = re.sub(r"[0-9]{8}T[0-9]{12}-[0-9]{5}-[0-9a-f]{8}", "ID", path.removesuffix(" (deleted)"))
    path = re.sub(r"[0-9]{17,20}", "TIME", path)
    path = re.sub(r"\b[0-9]{8}T[0-9]{6}Z", "TIME", path)
    path = re.sub(r"(/known/\.?)[0-9a-f]{2}(?=\.json)", r"\1XX", path)
    path = re.sub("TIME-[0-9]+", "TIME-PID", path)
    return f"~{re.sub(r'(?<=[.])[0-9]{2,}(?=$|/|[.]json|[.]part)', 'PID', path)}"


def _told(words: str, paths: tuple[str, ...]) -> str:
    flags = " ".join(re.findall(r"\b(?:O_[A-Z|_O]+|LOCK_[A-Z|_]+)\b", words))
    return " ".join((*paths, flags)).strip()
