"""The configuration of a backup, put back where none is, or where nobody has edited what was installed.

What root's programs read (drop-ins of units, the web server's files) is only laid beside: whoever could write a backup
must not become root by it.
"""

from contextlib import suppress
from pathlib import Path

from pco.commands.backing.verifying import Opened
from pco.ground import durable
from pco.ground.errors import SystemFault

BESIDE = "restored"
ROOTS = ("units/", "nginx/")  # a person puts these in place


def put_back(found: Opened, config: Path) -> list[str]:
    """Put files back; returns a line for each that a person should know of.  Raises SystemFault."""
    told = []
    for name, data in found.small("config.tar.gz"):
        target = config if name == "pco.yaml" else config.parent / _renamed(name, config)
        beside = config.parent / BESIDE / name
        try:
            if _same(target, data):
                continue
            if name.startswith(ROOTS):
                _write(beside, data, 0o644)
                told.append(f"{beside}: put it in place yourself if it is still wanted")
            elif _unedited(target):
                _write(target, data, _mode(name))
                told.append(f"{target}: as in the backup")
            else:
                _write(beside, data, _mode(name))
                told.append(f"{target} is yours and stays; that of the backup: {beside}")
        except OSError as error:
            raise SystemFault(f"{error.filename or target}: {error.strerror}") from error
    return told


def _renamed(name: str, config: Path) -> str:
    return name.replace("pco.yaml", config.name, 1) if name.startswith("pco.yaml.d/") else name


def _mode(name: str) -> int:
    return 0o755 if name.startswith("hooks.d/") else 0o644


def _same(path: Path, data: bytes) -> bool:
    with suppress(OSError):
        return path.read_bytes() == data
    return False


def _unedited(path: Path) -> bool:
    """Whether it is not there, or just as installed."""
    if not path.exists():
        return True
    example = path.with_name(f"{path.name}.example")
    return example.exists() and path.read_bytes() == example.read_bytes()


def _write(path: Path, data: bytes, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    durable.replace(path, data, mode)
