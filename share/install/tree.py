"""What an installed pco consists of: each file with its place, content and mode.

    PREFIX/bin/pco*                     the programs
    PREFIX/lib/pco/VERSION-HASH/pco/    the library, in a folder named by its content, never changed afterwards
    PREFIX/lib/pco/current              a link to the folder in use
    PREFIX/share/pco/                   prompt, pages, what others need of pco; `files` lists all that was installed
    PREFIX/{lib/systemd, lib/sysusers.d, lib/tmpfiles.d, share/man, share/bash-completion, share/zsh}/…
    /etc/pco/                           the configuration; what is an administrator's is never overwritten

A program looks up where `current` leads once, when it starts: whatever an upgrade does meanwhile, it imports the
modules of one version.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
KINDS = ("target", "slice", "timer", "path", "socket", "service")
# Bytecode is made by who installs: a program that runs as root must not litter a library that is about to go.
FIND = 'sys.dont_write_bytecode = True\nsys.path.insert(0, os.path.realpath("{}/current"))'


@dataclass(frozen=True)
class File:
    """One file, at `path` below DESTDIR."""

    path: str
    content: bytes
    mode: int = 0o644


@dataclass(frozen=True)
class Kept:
    """A file that an administrator may have edited: `path` stays as it is then, `example` is what we would have put."""

    path: str
    example: str
    content: bytes


class Tree:
    """Everything that goes to PREFIX; `made` is where `make` put what it generated (man/, completion/)."""

    def __init__(self, prefix: str, made: Path) -> None:
        self.prefix = prefix
        self.made = made
        self.lib = f"{prefix}/lib/pco"
        self.share = f"{prefix}/share/pco"
        self.units = f"{prefix}/lib/systemd/system"
        # polkit 122 and dbus read no folder of /usr/local.
        self.policies = "/usr/share" if prefix == "/usr" else "/etc"
        about = (TOP / "lib/pco/__init__.py").read_text()
        self.version = re.findall(r'__version__ = "(.+)"', about)[0]

    def library(self) -> dict[str, bytes]:
        """The modules and what lies beside them, by their path below the library's folder."""
        found = sorted(path for kind in ("py", "conf") for path in (TOP / "lib/pco").rglob(f"*.{kind}"))
        names = {path.relative_to(TOP / "lib"): path for path in found}
        return {str(name): path.read_bytes() for name, path in names.items() if name.parts[1] != "sim"}

    def library_name(self) -> str:
        """VERSION-HASH."""
        sums = "".join(f"{name} {hashlib.sha256(data).hexdigest()}\n" for name, data in self.library().items())
        return f"{self.version}-{hashlib.sha256(sums.encode()).hexdigest()[:8]}"

    def files(self) -> list[File]:
        """Everything but the library and what an administrator edits."""
        return [*self._programs(), *self._shared(), *self._generated(), *self._systemd()]

    def kept(self) -> list[Kept]:
        """What an administrator edits."""
        found = [Kept("/etc/pco/pco.yaml", "/etc/pco/pco.yaml.example", (TOP / "etc/pco.yaml").read_bytes())]
        for path in sorted((TOP / "share/nginx/etc").glob("*")):
            found.append(Kept(f"/etc/pco/nginx/{path.name}", f"{self.share}/nginx/etc/{path.name}", self._filled(path)))
        return found

    def unit_names(self) -> list[str]:
        """The units, templates among them."""
        return sorted(path.name for kind in KINDS for path in (TOP / "systemd").glob(f"pco*.{kind}"))

    def _programs(self) -> Iterator[File]:
        for path in sorted((TOP / "bin").glob("pco*")):
            found = re.sub(r"^sys\.path\.insert.*", FIND.format(self.lib), path.read_text(), flags=re.M)
            yield File(f"{self.prefix}/bin/{path.name}", re.sub(r"^#!.*", "#!/usr/bin/python3", found).encode(), 0o755)

    def _shared(self) -> Iterator[File]:
        top = TOP / "share"
        nginx = [path for path in top.glob("nginx/*") if path.is_file()]
        hooks = [path for path in top.glob("hooks/*") if path.is_file()]
        template = [path for path in top.glob("claude/template/**/*") if path.is_file()]
        others = [*hooks, *top.glob("www/*"), *top.glob("prometheus/*.yml")]
        for path in sorted(
            [top / "prompt.md", top / "doc/walk-through.cast", top / "comment.md", *template, *others, *nginx]
        ):
            mode = 0o755 if path.read_bytes().startswith(b"#!") else 0o644
            yield File(f"{self.share}/{path.relative_to(top)}", self._filled(path), mode)

    def _generated(self) -> Iterator[File]:
        for path in sorted(self.made.glob("man/*.[157]")):
            yield File(f"{self.prefix}/share/man/man{path.suffix[1:]}/{path.name}", path.read_bytes())
        for path in sorted(self.made.glob("completion/pco*")):
            yield File(f"{self.prefix}/share/bash-completion/completions/{path.name}", path.read_bytes())
        for path in sorted(self.made.glob("completion/_pco")):
            folder = "vendor-completions" if self.prefix == "/usr" else "site-functions"
            yield File(f"{self.prefix}/share/zsh/{folder}/{path.name}", path.read_bytes())

    def _systemd(self) -> Iterator[File]:
        top = TOP / "systemd"
        for name in self.unit_names():
            yield File(f"{self.units}/{name}", self._filled(top / name))
        for name, path in (
            ("preset", f"{self.units}-preset/80-pco.preset"),
            ("catalog", f"{self.prefix}/lib/systemd/catalog/pco.catalog"),
            ("sysusers", f"{self.prefix}/lib/sysusers.d/pco.conf"),
            ("tmpfiles", f"{self.prefix}/lib/tmpfiles.d/pco.conf"),
            ("rules", f"{self.policies}/polkit-1/rules.d/50-pco.rules"),
        ):
            yield File(path, (top / f"pco.{name}").read_bytes())
        yield File(f"{self.policies}/dbus-1/system.d/pco.conf", (top / "pco-dbus.conf").read_bytes())

    def _filled(self, path: Path) -> bytes:
        """A file with its @WORDS@ replaced."""
        content = path.read_bytes()
        sandbox = (TOP / "systemd/sandbox.in").read_bytes() if b"@SANDBOX@" in content else b""
        content = content.replace(b"@SANDBOX@\n", sandbox).replace(b"@LIB@", f"{self.lib}/current".encode())
        return content.replace(b"@SHARE@", self.share.encode()).replace(b"@PREFIX@", self.prefix.encode())
