"""File systems in files, mounted where no other process sees them: they go with the last process that does.

Loop devices and mounts by system calls: tools would be started thousands of times, and race for a free device.
"""

import ctypes
import errno
import fcntl
import os
import signal
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

_CLONE_NEWNS, _PR_SET_PDEATHSIG = 0x20000, 1
_MS_NOATIME, _MS_REC, _MS_PRIVATE = 1 << 10, 1 << 14, 1 << 18
_MNT_DETACH = 2
# linux/loop.h: struct loop_config is fd, block size, struct loop_info64, reserved words.
_LOOP_CTL_GET_FREE, _LOOP_CONFIGURE, _LO_FLAGS_AUTOCLEAR = 0x4C82, 0x4C0A, 4
_LOOP_CONFIG = struct.Struct("=II5Q4I64s64s32s2Q8Q")
_BTRFS_IOC_FORGET_DEV = 0x50009405
_libc = ctypes.CDLL(None, use_errno=True)


@cache
def allowed() -> bool:
    """Whether we may: root in a container often may not."""
    child = os.fork()
    if not child:
        try:
            alone()
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitpid(child, 0)[1] == 0


def alone() -> None:
    """From now on what this thread mounts is seen by it and its children only."""
    _done(_libc.unshare(_CLONE_NEWNS), "unshare")
    _done(_libc.mount(None, b"/", None, ctypes.c_ulong(_MS_REC | _MS_PRIVATE), None), "mount --make-rprivate /")


@contextmanager
def mounted(image: Path, where: Path, kind: str, options: str) -> Iterator[None]:
    """Have the file system in a file at a folder.  Who still uses it afterwards keeps it, unseen.  Raises OSError."""
    loop, device = _attached(image)
    try:
        if kind == "btrfs":
            _forget()
        mount(device.encode(), where, kind, options)
    finally:
        os.close(loop)  # the mount has it now, and frees it
    try:
        yield
    finally:
        unmount(where)


def mount(what: bytes, where: Path, kind: str, options: str) -> None:
    """mount(2).  Raises OSError."""
    words = (what, bytes(where), kind.encode(), ctypes.c_ulong(_MS_NOATIME), options.encode())
    _done(_libc.mount(*words), f"mount {where} as {kind}")


def unmount(where: Path) -> None:
    """Have it no longer seen there."""
    _done(_libc.umount2(bytes(where), _MNT_DETACH), f"umount {where}")


def die_with_parent() -> None:
    """This process is killed when the one that forked it ends."""
    _done(_libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL), "prctl")


def _forget() -> None:
    """Let btrfs take an older copy of a file system that it has seen before for what it is."""
    control = os.open("/dev/btrfs-control", os.O_RDWR)
    try:
        fcntl.ioctl(control, _BTRFS_IOC_FORGET_DEV, bytearray(4096))
    finally:
        os.close(control)


def _attached(image: Path) -> tuple[int, str]:
    """A loop device of the file, open; it is freed when nobody has it open any more."""
    file, control = os.open(image, os.O_RDWR), os.open("/dev/loop-control", os.O_RDWR)
    try:
        while True:
            device = f"/dev/loop{fcntl.ioctl(control, _LOOP_CTL_GET_FREE)}"
            loop = os.open(device, os.O_RDWR)
            try:
                zero = (b"", b"", b"")
                asked = _LOOP_CONFIG.pack(file, 0, *[0] * 5, 0, 0, 0, _LO_FLAGS_AUTOCLEAR, *zero, *[0] * 10)
                fcntl.ioctl(loop, _LOOP_CONFIGURE, asked)
                return loop, device
            except OSError as error:
                os.close(loop)
                if error.errno != errno.EBUSY:  # somebody else was given the same one
                    raise
    finally:
        os.close(file)
        os.close(control)


def _done(result: int, what: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
