#!/usr/bin/env python3
"""Make a Debian package: make.py FOLDER [VERSION] writes FOLDER/pco_VERSION_all.deb.

FOLDER has man/ and completion/.  The package is what `make install PREFIX=/usr` puts in place, without bytecode (the
package's scripts make that), plus the files that Debian's policy asks for.  The same source and SOURCE_DATE_EPOCH give
the same bytes.
"""

import gzip
import hashlib
import os
import re
import shutil
import subprocess
import sys
import textwrap
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOP = HERE.parents[1]
sys.path.insert(0, str(TOP / "share/install"))

from install import put  # noqa: E402
from live import STATE, STATE_GLOBS  # noqa: E402
from put import replace  # noqa: E402
from tree import Tree  # noqa: E402

DOC = "usr/share/doc/pco"
SCRIPTS = ("postinst", "prerm", "postrm")
VERSION = re.compile(r"[0-9][A-Za-z0-9.+~]*")


def main(made: Path, version: str) -> None:
    """Build the package."""
    os.umask(0o022)
    tree, root = Tree("/usr", made), made / "deb"
    version = version or tree.version
    if not VERSION.fullmatch(version):
        raise SystemExit(f"deb: {version} is no version of a Debian package")
    shutil.rmtree(root, ignore_errors=True)
    put(root, tree, bytecode=False)
    (root / "usr/share/pco/files").unlink()  # dpkg knows them
    (root / "usr/lib/pco/current").unlink()  # dpkg would set it before the files are there; postinst does after
    # Not the package's but the administrator's: postinst makes it of the example.
    (root / "etc/pco/pco.yaml").unlink()
    epoch = int(os.environ.get("SOURCE_DATE_EPOCH") or committed())
    document(root, version, datetime.fromtimestamp(epoch, UTC))
    control(root, tree, version)
    for path in [root, *root.rglob("*")]:
        os.utime(path, (epoch, epoch), follow_symlinks=False)
    package = made / f"pco_{version}_all.deb"
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch)}
    build = ["dpkg-deb", "--root-owner-group", "-Zxz", "--build", str(root), str(package)]
    subprocess.run(build, check=True, stdout=subprocess.DEVNULL, env=environment)
    print(f"{package}: pco {version}, {package.stat().st_size // 1024} KiB; apt install ./{package}")


def committed() -> str:
    """When the source was last changed, as far as can be told."""
    command = ["git", "-C", str(TOP), "log", "-1", "--format=%ct"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or str(int((TOP / "NEWS").stat().st_mtime))


def document(root: Path, version: str, at: datetime) -> None:
    """What lies in share/doc, and compressed manual pages."""
    terms = (TOP / "LICENSE").read_text().partition("\n\n")[2].partition("\n\n")[2].strip()
    terms = "\n".join(f" {line}" if line else " ." for line in terms.splitlines())
    replace(root / DOC / "copyright", ((HERE / "copyright").read_text() + terms + "\n").encode(), 0o644)
    replace(root / "usr/share/lintian/overrides/pco", (HERE / "lintian-overrides").read_bytes(), 0o644)
    news = (TOP / "NEWS").read_text()
    found = re.findall(r"^- (.+(?:\n  .+)*)$", news.partition("\n\npco ")[0], re.M)
    items = [" ".join(item.split()) for item in found]
    entry = f"pco ({version}) stable; urgency=medium\n\n"
    bullet = {"width": 78, "initial_indent": "  * ", "subsequent_indent": "    ", "break_on_hyphens": False}
    entry += "".join(f"{textwrap.fill(item, **bullet)}\n" for item in items)
    entry += f"\n -- The pco authors <maintainers@pco.invalid>  {at:%a, %d %b %Y %H:%M:%S +0000}\n"
    replace(root / DOC / "changelog.gz", gzip.compress(entry.encode(), 9, mtime=0), 0o644)
    for page in sorted((root / "usr/share/man").rglob("*.[157]")):
        replace(page.with_name(f"{page.name}.gz"), gzip.compress(page.read_bytes(), 9, mtime=0), 0o644)
        page.unlink()


def _md5(path: Path) -> str:
    """What deb-md5sums(5) wants of a file."""
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def control(root: Path, tree: Tree, version: str) -> None:
    """DEBIAN/: control, conffiles, md5sums, the scripts."""
    files = sorted(path for path in root.rglob("*") if path.is_file() and not path.is_symlink())
    size = sum(-(-path.stat().st_size // 1024) for path in files)
    plain = [unit for unit in tree.unit_names() if "@" not in unit and not unit.endswith(".slice")]
    words = {"VERSION": version, "SIZE": str(size), "LIBRARY": tree.library_name()}
    words |= {"PLAIN": " ".join(plain), "STATE": " ".join(STATE), "GLOBS": " ".join(STATE_GLOBS)}
    names = [str(path.relative_to(root)) for path in files]
    sums = [f"{_md5(path)}  {name}" for path, name in zip(files, names, strict=True)]
    written = {name: (HERE / name).read_text() for name in SCRIPTS}
    written |= {"control": (HERE / "control.in").read_text(), "md5sums": "".join(f"{line}\n" for line in sums)}
    written["conffiles"] = "".join(f"/{name}\n" for name in names if name.startswith("etc/"))
    for name, text in written.items():
        for word, value in words.items():
            text = text.replace(f"@{word}@", value)
        replace(root / "DEBIAN" / name, text.encode(), 0o755 if name in SCRIPTS else 0o644)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "")
