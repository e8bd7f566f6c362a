"""Boxes of the checklist in tests: a pco-doctor that looks below a folder, and a proof that each box was seen ill and well.

A test says `@pytest.mark.box("1.4", "ill")`, or "well", and looks by `look`; that it did see the box so is held by
conftest.py, and that each box has a test of both kinds by tests/unit/test_checks_all.py.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from pco.checks import Finding, Site, Status, all_checks
from pco.checks.boxes import BY_ID
from pco.commands.doctoring.examination import examined
from pco.ground import yamlfile

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
ILL = (Status.FAIL, Status.WARN)
seen: list[tuple[str, Status]] = []


def site(top: Path, now: datetime = NOW, client: Any = None, systemd: bool = False, **sections: Any) -> Site:
    """What is looked at, all of it below `top`; `client` makes a client of Plane, the rest are sections of pco.yaml."""
    path = top / "etc/pco/pco.yaml"
    paths = sections.pop("paths", {})
    configure(path, paths={"root": str(top / "pco"), **paths}, **sections)
    for name in ("spool", "sessions", "mirrors", "audit", "plane", "www", "metrics"):
        (top / "pco" / name).mkdir(parents=True, exist_ok=True)
    return Site(yamlfile.load(path), path, now, root=False, systemd=systemd, plane=client, top=top)


def configure(path: Path, **sections: Any) -> None:
    """Write a configuration."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(sections))


def put(top: Path, path: str, text: str, mode: int = 0o644) -> Path:
    """A file below `top`, with its folders."""
    place = top / path.lstrip("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)
    place.chmod(mode)
    return place


def look(site: Site, id: str, within: float = 10.0) -> Finding:
    """What a run of pco-doctor finds of a box; a bug of its check is raised."""
    anew = replace(site, _known={})  # what one run has asked is not asked again by it
    found, bugs = examined(all_checks(), [BY_ID[id]], anew, within)
    if bugs:
        raise bugs[0]
    note(id, found[id])
    return found[id]


def note(id: str, finding: Finding) -> None:
    """Remember what was found; whatever is wrong comes with a way to mend it."""
    assert finding.evidence
    assert finding.mend or finding.status not in ILL, f"{id}: {finding}"
    seen.append((id, finding.status))


def missed(claims: list[tuple[str, str]]) -> Iterator[str]:
    """The boxes that a test should have seen ill or well, and has not."""
    for id, how in claims:
        wanted = ILL if how == "ill" else (Status.OK,)
        if not any(one == id and status in wanted for one, status in seen):
            yield f"{id} was not seen {how}"
