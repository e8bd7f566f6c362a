"""Put files in place so that nobody ever sees half of one, and count what that changed."""

import os
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

from tree import File, Kept, Tree

PYTHON = "/usr/bin/python3"


class Putter:
    """Puts a tree below `root` (DESTDIR, or /)."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.counts = Counter({"new": 0, "updated": 0, "unchanged": 0, "removed": 0})
        self.changed: list[str] = []  # paths of what is new or updated, the library's files not among them
        self.edited: list[Kept] = []
        self.units_before: set[str] = set()
        self.library = ("", "")  # the folders that were and are in use

    def at(self, path: str) -> Path:
        """Where a path of the installed system lies."""
        return self.root / path.lstrip("/")

    def file(self, file: File) -> None:
        """One file, replaced by a rename."""
        target = self.at(file.path)
        kind = compare(target, file.content)
        if kind != "unchanged" or target.stat().st_mode & 0o7777 != file.mode:
            replace(target, file.content, file.mode)
        self.counts[kind] += 1
        if kind != "unchanged":
            self.changed.append(file.path)

    def kept(self, kept: Kept) -> None:
        """A file of the administrator's: made if there is none, updated if it was never edited."""
        target, example = self.at(kept.path), self.at(kept.example)
        before = example.read_bytes() if example.exists() else kept.content
        if not target.exists() or target.read_bytes() in (before, kept.content):
            self.file(File(kept.path, kept.content))
        else:
            self.edited.append(kept)
        self.file(File(kept.example, kept.content))

    def put_library(self, tree: Tree, *, bytecode: bool) -> None:
        """The library: a folder made whole under another name, then the link; the one before stays until next time."""
        top, name, modules = self.at(tree.lib), tree.library_name(), tree.library()
        link = top / "current"
        before = os.readlink(link) if link.is_symlink() else ""
        for path, content in modules.items():
            old = top / before / path
            kind = (
                "new" if not before or not old.exists() else "updated" if old.read_bytes() != content else "unchanged"
            )
            self.counts[kind] += 1
        if not whole(top / name, modules):
            fresh = top / f".{name}.new"
            shutil.rmtree(fresh, ignore_errors=True)
            for path, content in modules.items():
                replace(fresh / path, content, 0o644)
            if bytecode:
                # As root, now: nobody else may write there.
                shown = ["-s", str(fresh), "-p", f"{tree.lib}/{name}"]
                subprocess.run([PYTHON, "-m", "compileall", "-q", *shown, str(fresh)], check=True)
            # Only a damaged one is there: a program that runs from it is worse off with it than without.
            shutil.rmtree(top / name, ignore_errors=True)
            os.sync()
            fresh.rename(top / name)
        self.library = (before, name)
        if before != name:
            spare = top / ".current.new"
            spare.unlink(missing_ok=True)
            spare.symlink_to(name)
            spare.rename(link)
            for folder in set(top.iterdir()) - {top / before, top / name, link}:
                remove(folder)

    def drop_old(self, tree: Tree, files: list[str]) -> None:
        """Remove what an earlier version installed and this one does not; `files` is what this one installed."""
        for path in set(installed(self.root, tree)) - set(files):
            if self.at(path).exists():
                self.at(path).unlink()
                self.counts["removed"] += 1
        replace(self.at(f"{tree.share}/files"), "".join(f"{path}\n" for path in files).encode(), 0o644)


def installed(root: Path, tree: Tree) -> list[str]:
    """The files that the last install put there, as it noted them; nothing it did not mean to is among them."""
    noted = root / f"{tree.share}/files".lstrip("/")
    listed = noted.read_text().splitlines() if noted.exists() else [file.path for file in tree.files()]
    return [path for path in listed if re.fullmatch(r"/[^\n]*pco[^\n]*", path) and ".." not in Path(path).parts]


def compare(target: Path | None, content: bytes) -> str:
    """`new`, `updated` or `unchanged`: what `content` would be at `target`."""
    if target is None or target.is_symlink() or not target.is_file():
        return "new"
    return "unchanged" if target.read_bytes() == content else "updated"


def whole(folder: Path, modules: dict[str, bytes]) -> bool:
    """Whether the library in `folder` is complete and just this."""
    there = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.suffix in (".py", ".conf")}
    return there == set(modules) and all((folder / path).read_bytes() == data for path, data in modules.items())


def replace(target: Path, content: bytes, mode: int) -> None:
    """Write a file under another name, then rename it into place."""
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(f".{target.name}.new")
    fresh.unlink(missing_ok=True)
    fresh.write_bytes(content)
    fresh.chmod(mode)
    fresh.rename(target)


def remove(path: Path) -> None:
    """Remove a file, a link or a folder with all that is in it."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
