#!/usr/bin/env python3
"""Install pco, or remove it: what `make install` and `make uninstall` do.

    install.py check     --prefix /usr/local                    what is missing here
    install.py install   --prefix /usr/local [--root DESTDIR] [--made build]
    install.py uninstall --prefix /usr/local [--root DESTDIR] [--purge]

With a DESTDIR only files are put there, by whoever calls; without one root does it, and the running machine is told.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import live
from put import Putter, installed, remove
from tree import Tree


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb", choices=["check", "install", "uninstall"])
    parser.add_argument("--prefix", default="/usr/local")
    parser.add_argument("--root", default="")
    parser.add_argument("--made", type=Path, default=Path("build"))
    parser.add_argument("--purge", action="store_true")
    given = parser.parse_args()
    os.umask(0o022)
    root, tree = Path(given.root or "/").absolute(), Tree(given.prefix.rstrip("/"), given.made)
    if root == Path("/") and os.geteuid():
        print("install: this needs root, or DESTDIR=FOLDER", file=sys.stderr)
        return 77
    if given.verb == "uninstall":
        uninstall(root, tree, given.purge)
        return 0
    if root == Path("/") and (absent := live.missing()):
        print(f"install: packages are missing: apt install {' '.join(absent)}", file=sys.stderr)
        return 69
    if given.verb == "install":
        install(root, tree)
    return 0


def install(root: Path, tree: Tree) -> None:
    """Put everything in place; say what that changed, and what to do next."""
    putter = put(root, tree)
    counts = ", ".join(f"{number} {what}" for what, number in putter.counts.items())
    units = {Path(path).name for path in putter.changed} & set(tree.unit_names())
    before, now = putter.library
    print(f"pco {tree.version} under {root / tree.prefix.lstrip('/')}: files: {counts}")
    if before and before != now:
        print(f"library: {before} -> {now}")
    if before and units:
        print(f"units changed: {' '.join(sorted(units))}")
    for kept in putter.edited:
        print(f"{kept.path} is yours and stays; as shipped: {kept.example}")
    if root != Path("/"):
        return
    if not live.systemd():
        print("no systemd runs here: the user pco and the folders in /var are made when one does")
        return
    live.settle(putter.changed, tree.share)
    fresh = sorted(units - putter.units_before)
    for row in live.advice(tree.unit_names(), sorted(units), fresh, before != now):
        print(row)


def put(root: Path, tree: Tree, *, bytecode: bool = True) -> Putter:
    """Put all files of `tree` below `root`."""
    putter = Putter(root)
    putter.units_before = {name for name in tree.unit_names() if putter.at(f"{tree.units}/{name}").exists()}
    putter.put_library(tree, bytecode=bytecode)
    files = tree.files()
    for file in files:
        putter.file(file)
    for kept in tree.kept():
        putter.kept(kept)
    putter.drop_old(tree, [*(file.path for file in files), *(kept.example for kept in tree.kept())])
    return putter


def uninstall(root: Path, tree: Tree, purge: bool) -> None:
    """Remove what install put there; with `purge` also what pco and its administrator made."""
    told = root == Path("/") and live.systemd()
    if told:
        live.stop(tree.unit_names())
    live.unlink_site(root, tree.share)
    gone = [path for path in installed(root, tree) if (root / path.lstrip("/")).exists()]
    for path in gone:
        (root / path.lstrip("/")).unlink()
    for folder in (tree.lib, tree.share):
        remove(root / folder.lstrip("/"))
    if told:
        live.reread(gone)
    print(f"pco removed from {root / tree.prefix.lstrip('/')}: {len(gone)} files and the library")
    if purge:
        for what in live.purge(root):
            print(f"removed {what}")
        return
    user = ", user and group pco" if root == Path("/") else ""
    user = ", user and group pco" if root == Path("/") else ""
    stays = [name for name in live.STATE if (root / name.lstrip("/")).exists() and not name.startswith("/run")]
    if stays:
        print(f"stays: {' '.join(stays)}{user}; make uninstall PURGE=1 removes that, too")


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except subprocess.CalledProcessError as error:
        raise SystemExit(f"install: {' '.join(error.cmd)}: exit {error.returncode}") from None
    except OSError as error:
        raise SystemExit(f"install: {error.filename}: {error.strerror}") from None
