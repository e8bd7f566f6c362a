"""What the tests of pco-backup and pco-restore share: a pco with something of everything, and what a backup holds."""

import gzip
import io
import json
import re
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

from pco.ground import audit, backups
from pco.ground.ticket import State
from support import T0, WEB, Site, a_ticket, put

GIT = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}


def git(*words: str, cwd: Path) -> str:
    """What git answers."""
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", **GIT}
    done = subprocess.run(["git", *words], cwd=cwd, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def furnish(site: Site) -> None:
    """A ticket in each state, an attempt, a mirror with a branch, what polls knew, audit records, money, a hook."""
    spool = site.spool()
    for number, state in enumerate(State, 1):
        if state is not State.CORRUPT:
            put(spool, a_ticket(f"WEB-{number}"), state)
    spool.path("WEB-9", State.CORRUPT).write_text("{torn")
    (site.home / "spool/corrupt/WEB-9.why").write_text(
        '{"reason": "torn", "from": "pending", "at": "2026-11-22T12:00:00Z", "by": "pco-poll"}'
    )
    attempt = site.home / "sessions/WEB-3/1.1"
    (attempt / "out/events").mkdir(parents=True)
    (attempt / "prompt.md").write_text("Do it.")
    (attempt / "out/events/1-1.json").write_text("{}")
    head = site.home / "plane" / WEB
    (head / "known").mkdir(parents=True)
    (head / "head.json").write_text(json.dumps({"project": WEB, "key": "WEB", "watermark": "2026-11-22T12:00:00Z"}))
    (head / "known/00.json").write_text('{"schema": 1, "items": {}}')
    for n in range(3):
        audit.append(site.home / "audit", T0, "note", "ann", f"WEB-{n + 1}", {})
    (site.home / "metrics/spend").mkdir()
    (site.home / "metrics/spend/2026-11-22.json").write_text("{}")
    mirror(site, "WEB-4")


def mirror(site: Site, *keys: str) -> dict[str, str]:
    """A mirror with a branch of each ticket; returns their commits."""
    made = site.home / "mirrors" / f"{WEB}.git"
    if not made.exists():
        git("init", "-q", "--bare", "-b", "main", str(made), cwd=site.home)
        work = site.home / "work"
        git("clone", "-q", str(made), str(work), cwd=site.home)
        git("commit", "-q", "--allow-empty", "-m", "first", cwd=work)
        git("push", "-q", "origin", "HEAD:main", cwd=work)
    for key in keys:
        git("commit", "-q", "--allow-empty", "-m", f"of {key}", cwd=site.home / "work")
        git("push", "-q", "origin", f"HEAD:pco/{key}", cwd=site.home / "work")
    return {key: git("rev-parse", f"pco/{key}", cwd=made) for key in keys}


def hook(site: Site, name: str, script: str, mode: int = 0o755) -> Path:
    """A program in hooks.d/backup."""
    folder = site.home / "hooks.d/backup"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(mode)
    return folder / name


def newest(site: Site) -> Path:
    """The folder of the newest backup."""
    home = site.home / "backups"
    return home / backups.names(home)[0]


def manifest(site: Site) -> dict[str, Any]:
    """The manifest of the newest backup."""
    found: dict[str, Any] = json.loads((newest(site) / "manifest.json").read_text())
    return found


def packed(backup: Path, member: str) -> dict[str, bytes]:
    """The files in a member."""
    data = gzip.decompress((backup / f"{member}.tar.gz").read_bytes())
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {m.name: tar.extractfile(m).read() for m in tar.getmembers() if m.isreg()}  # type: ignore[union-attr]


def lose(site: Site) -> None:
    """The machine is lost, and another one is laid out; the backups, and the configuration, have been brought there."""
    for name in ("spool", "sessions", "mirrors", "plane", "audit", "metrics", "work", "www"):
        shutil.rmtree(site.home / name, ignore_errors=True)
    for name in ("sessions", "mirrors", "plane", "audit", "metrics", "www"):
        (site.home / name).mkdir()
    site.spool().lay_out()


def everything(site: Site) -> dict[str, Any]:
    """All that a restore leaves: where each ticket is and what it says, and the other files; what was audited of whom."""
    spool, found = site.spool(), dict[str, Any]()
    for key, state in spool.places(*State).items():
        record = spool.data(key, state)
        found[key] = (state.value, record if state is State.CORRUPT else json.loads(record))
    for name in ("sessions", "plane", "metrics/spend", "spool/control", "spool/notify"):
        top = site.home / name
        files = [path for path in top.rglob("*") if path.is_file() and not path.name.startswith(".")]
        found |= {str(path.relative_to(site.home)): path.read_bytes() for path in files}
    found["branches"] = git("for-each-ref", "refs/heads/pco/", cwd=site.home / "mirrors" / f"{WEB}.git")
    months = sorted((site.home / "audit").glob("????-??.jsonl"))
    records = [json.loads(line) for month in months for line in month.read_text().splitlines()]
    for record in records:
        record["fields"].pop("measured", None)  # seconds, up to the restore
    found["audit"] = [[record["event"], record["key"], record["by"], record["fields"]] for record in records]
    return found


def without_times(found: dict[str, Any]) -> dict[str, Any]:
    """The same, without when the restore was."""
    text = json.dumps(found, default=repr, sort_keys=True)
    return dict(json.loads(re.sub(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z", "TIME", text)))
