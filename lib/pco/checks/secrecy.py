"""Secrets: who can read them, and whether one stands where it should not.

What a secret is by its value is known only to who may read the credentials; by its form anybody sees one.
"""

import os
import stat
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from pco.checks import Finding, Site, checks, fail, logged, not_applicable, ok, unseen, warn, worst
from pco.ground import durable, text
from pco.ground.errors import BadData, PcoError, Unavailable
from pco.outside import accounts, process
from pco.rules import secrets

CREDENTIALS = "/etc/pco/credentials"
DROP_INS = "/etc/systemd/system"
MOST_FILE = 1 << 20
MOST_JOURNAL = 32 << 20
WITHIN = timedelta(seconds=4)
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "HOME": "/nonexistent"}
_READS = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null"}


@checks("6.1")
def private(site: Site) -> Finding:
    """Owner and mode of each credential, and of what must not be changed, or read, by others."""
    found = []
    folder = site.at(CREDENTIALS)
    paths = site.config.paths
    if folder.exists():
        found += [_mode(site, folder, 0o077, "chmod 700")]
        try:
            found += [_mode(site, path, 0o077, "chmod 600") for path in sorted(folder.iterdir())]
        except PermissionError:
            found.append(ok(f"{CREDENTIALS} is closed to this user"))
    for path in (site.config.plane.token_file, site.config.claude.key_file):
        if path and path.exists():
            found.append(_mode(site, path, 0o037, "chmod u=rw,g-wx,o="))
    for path in (site.config_path, site.config_path.parent / "pco.yaml.d", site.at("/etc/pco/hooks.d")):
        if path.exists():
            found.append(_mode(site, path, 0o022, "chmod go-w"))
    for path in (paths.spool, paths.sessions, paths.mirrors, paths.audit, paths.plane, paths.www):
        if path.exists():
            found.append(_mode(site, path, 0o007, "chmod o-rwx", private=False))
    return worst(found)


@checks("6.2")
def unversioned(site: Site) -> Finding:
    """Whether a repository tracks a credential, or a file with something like a secret."""
    tops = [top for top in (site.at("/etc/pco"), site.at("/etc")) if (top / ".git").exists()]
    if not tops:
        return ok("/etc/pco is under no version control")
    found = []
    for top in tops:
        own = ["."] if top.name == "pco" else ["pco", "systemd/system/pco*"]
        try:
            # A repository whose configuration others may write must not be read by root: nor is it.
            argv = ["git", "-C", str(top), "ls-files", "-z", "--", *own]
            said = process.run(argv, {**_ENVIRONMENT, **_READS}, WITHIN)
        except Unavailable:
            return unseen("git is not installed", "sudo apt-get install git")
        if said.code:
            found.append(unseen(f"{top}: {' '.join(said.error.split())[:200]}"))
            continue
        names = [os.fsdecode(name) for name in said.out.split(b"\0") if name]
        tracked = [name for name in names if "credentials/" in f"/{name}" or _leaky(top / name)]
        if tracked:
            mend = f"sudo git -C {top} rm --cached {tracked[0]}; then change that secret: it stands in the history"
            found.append(fail(f"{top} tracks {', '.join(tracked[:3])}", mend))
    return worst(found) if found else ok(f"{', '.join(map(str, tops))}: no credential, and nothing like a secret")


@checks("6.4")
def bare(site: Site) -> Finding:
    """Whether something like a secret stands in the configuration, in hooks or in drop-ins of units."""
    found, closed = [], []
    known = list(_known(site))
    paths = list(_written(site))
    for path in paths:
        try:
            words = durable.read(path.resolve(), MOST_FILE).decode("utf-8", "replace")
        except PermissionError:
            closed.append(path)
            continue
        except (BadData, OSError):
            continue
        for leak in secrets.leaks(words, known):
            mend = f"sudoedit {path} (put it into {CREDENTIALS}/, and change it: others have read it)"
            found.append(fail(f"{path}:{leak.line}: {leak.kind}", mend))
    if found or not closed:
        return worst(found) if found else ok(f"{len(paths)} files, nothing like a secret")
    return unseen(f"{closed[0]} may not be read by this user")


@checks("21.2")
def silent(site: Site) -> Finding:
    """Whether what pco logged in the last day has one of the known secrets, or something of their form."""
    if not site.systemd:
        return not_applicable("there is no journal of this pco")
    said = logged.records(site, site.now - timedelta(days=1), "debug", MOST_JOURNAL)
    leaks = secrets.leaks("\n".join(record.message for record in said.records), _known(site))
    if leaks:
        kinds = ", ".join(sorted({leak.kind for leak in leaks}))
        mend = "change it, then: sudo journalctl --rotate && sudo journalctl --vacuum-time=1s"
        return fail(f"{kinds}, in {text.count(len(leaks), 'record')}", mend)
    known = "and none of the known ones" if site.root else "(the known ones are for root to compare)"
    if said.cut:
        return warn("more was logged in a day than can be looked through", "journalctl -u 'pco*' -S -1d | wc -l")
    return ok(f"{text.count(len(said.records), 'record')}, nothing of the form of a secret {known}")


def _known(site: Site) -> Iterator[tuple[str, str]]:
    """The secrets that this user may read, by what they are for."""
    paths = {"the token of Plane": site.config.plane.token_file, "the agent's key": site.config.claude.key_file}
    named: list[tuple[str, Path]] = [(kind, path) for kind, path in paths.items() if path]
    try:
        named += [(f"the credential {path.name}", path) for path in site.at(CREDENTIALS).iterdir()]
    except OSError:
        pass  # others than root
    for kind, path in named:
        try:
            value = durable.read(path, 1 << 14).decode("utf-8", "replace").strip()
        except (OSError, BadData):
            continue
        if "\n" not in value:
            yield kind, value


def _written(site: Site) -> Iterator[Path]:
    yield site.config_path
    yield from sorted((site.config_path.parent / "pco.yaml.d").glob("*.yaml"))
    yield from (path for path in sorted(site.at("/etc/pco/hooks.d").rglob("*")) if path.is_file())
    for form in ("pco*.d/*.conf", "pco*.service"):
        yield from sorted(path for path in site.at(DROP_INS).glob(form) if path.is_file())


def _leaky(path: Path) -> bool:
    try:
        return bool(secrets.leaks(durable.read(path, MOST_FILE).decode("utf-8", "replace")))
    except (OSError, BadData, PcoError):
        return False


def _mode(site: Site, path: Path, others: int, mend: str, *, private: bool = True) -> Finding:
    """Its mode; of what is `private` also the owner: root, or in a checkout whose the configuration is."""
    facts = path.lstat()
    mode = stat.S_IMODE(facts.st_mode)
    if stat.S_ISLNK(facts.st_mode):
        return warn(f"{path} is a link", f"sudo cp --remove-destination {os.path.realpath(path)} {path}")
    if private and facts.st_uid not in (0, os.stat(site.config_path).st_uid if not site.systemd else 0):
        return fail(f"{path} belongs to {accounts.name(facts.st_uid)}", f"sudo chown root: {path}")
    if mode & others:
        return fail(f"{path} has mode {mode:04o}", f"sudo {mend} {path}")
    return ok(f"{path} {mode:04o}")
