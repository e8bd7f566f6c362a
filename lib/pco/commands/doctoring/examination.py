"""Every box gets a row: what its check found, a person's word, or where it is built in or written down."""

import os
import re
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from pco.checks import GRAVITY, Check, Finding, Site, Status, all_checks, asked, fail, ok, unseen, warn
from pco.checks.boxes import BOXES, SECTIONS, Box
from pco.commands.doctoring import means
from pco.ground import attested, text, times
from pco.ground.attested import Word
from pco.ground.errors import BadData, NotPermitted, PcoError
from pco.ground.frozen import dataclass
from pco.outside import process
from pco.run import Pco

if TYPE_CHECKING:
    from pco.outside.plane import Plane

ALL = "23.1"  # the box that is about all others
_PROGRAM = re.compile(r"\b(pco-[a-z]+)\b")
_PAGE = re.compile(r"(pco[a-z-]*)\(([157])\)")  # as boxes name them


@dataclass(frozen=True)
class Row:
    """A box and what was found; `explained` is a person's word on one that could not be looked at."""

    box: Box
    finding: Finding
    explained: bool = False


def wanted(names: Sequence[str]) -> tuple[Box, ...]:
    """The boxes of these sections (2) or with these ids (2.1); all without a name.  Raises BadData."""
    known = [*SECTIONS, *(box.id for box in BOXES)]
    for name in names:
        if name not in known:
            raise BadData(f"there is no section or box {text.line(name, 20)}{text.meant(name, known)}")
    return tuple(box for box in BOXES if not names or box.id in names or box.section in names)


def inside(pco: Pco, boxes: Sequence[Box], within: float) -> tuple[list[Row], list[Exception]]:
    """Look from here; bugs of checks come beside the rows, so that one of them hides nothing of the rest.

    Raises BadConfig where there is no configuration that can be read.
    """
    site = site_of(pco, pco.now(), within)
    all_of_them = any(box.id == ALL for box in boxes)
    if all_of_them:
        asked.ahead(site)  # meanwhile the other checks are imported
    found, bugs = examined(all_checks(), BOXES if all_of_them else boxes, site, within)
    rows = [_row(pco, box, found) for box in (BOXES if all_of_them else boxes) if box.id != ALL]
    judged = [_all(box, rows) for box in boxes if box.id == ALL]
    shown = [row for row in (*rows, *judged) if row.box in boxes]
    return sorted(shown, key=lambda row: BOXES.index(row.box)), bugs


def site_of(pco: Pco, now: datetime, within: float = 5.0) -> Site:
    """What is looked at from here.  Raises BadConfig where there is no configuration that can be read."""
    patience = timedelta(seconds=within * 0.8)  # so that it is said what did not answer
    root = os.geteuid() == 0
    systemd = means.units_do_it(pco)

    def plane() -> "Plane":
        timeout = min(pco.config.plane.timeout, patience)
        return pco.plane(urgent=True, patience=timedelta(0), timeout=timeout, credentials=means.credentials(pco))

    def comment() -> str:
        from pco.commands import commenting

        return commenting.trouble(pco)

    path = pco.config_path
    return Site(pco.config, path, now, root=root, systemd=systemd, plane=plane, comment=comment)


def outside(pco: Pco, url: str, within: float) -> list[Row]:
    """Look at a dashboard as its readers do."""
    from pco.checks.remote import look

    found = look(url, pco.now(), within)
    return [Row(box, found[box.id]) for box in BOXES if box.id in found]


def examined(
    checks: Mapping[str, Check], boxes: Sequence[Box], site: Site, within: float
) -> tuple[dict[str, Finding], list[Exception]]:
    """What the checks of these boxes find, all at once, and bugs; one that takes longer than `within` s is given up."""
    found: dict[str, Finding] = {}
    bugs: list[Exception] = []
    due = time.monotonic() + within
    threads = []
    for box in boxes:
        check = checks.get(box.id)
        if check is not None:
            # A daemon: one that hangs in the network keeps nobody from ending.
            threads.append(threading.Thread(target=_examine, args=(box, check, site, found, bugs), daemon=True))
            threads[-1].start()
    for thread in threads:
        thread.join(max(due - time.monotonic(), 0.0))
    late = unseen(f"not seen within {within:g} s", "sudo pco-doctor (again)")
    return {box.id: found.get(box.id, late) for box in boxes if box.id in checks}, bugs


def _examine(box: Box, check: Check, site: Site, found: dict[str, Finding], bugs: list[Exception]) -> None:
    try:
        found[box.id] = check(site)
    except NotPermitted as error:
        found[box.id] = unseen(str(error), error.hint or "sudo pco-doctor")
    except process.TooSlow as error:
        found[box.id] = unseen(str(error), "sudo pco-doctor (again)")
    except PcoError as error:
        if isinstance(error.__cause__, PermissionError):
            found[box.id] = unseen(str(error))
        else:
            found[box.id] = fail(str(error), error.hint or "sudo pco-doctor -v --section " + box.section)
    except PermissionError as error:
        found[box.id] = unseen(f"{error.filename or 'it'} may not be read by this user")
    except OSError as error:
        said = f"{error.filename or 'system'}: {error.strerror or error}"
        found[box.id] = fail(said, f"ls -ld {error.filename}" if error.filename else "sudo dmesg | tail")
    except Exception as error:  # noqa: BLE001 - a bug: raised again once all rows are shown
        found[box.id] = fail(f"a bug of pco-doctor: {type(error).__name__}: {text.line(str(error), 200)}", "report it")
        bugs.append(error)


def against(rows: Sequence[Row], *, production: bool) -> list[Row]:
    """The rows that speak against all being well; for production also those that nobody has answered for."""
    return [row for row in rows if _is_against(row, production)]


def _is_against(row: Row, production: bool) -> bool:
    if row.finding.status is Status.FAIL:
        return True
    if not production:
        return False
    return (row.box.kind == "P" and row.finding.status is not Status.OK) or (
        row.finding.status is Status.UNSEEN and not row.explained
    )


# One row.


def _row(pco: Pco, box: Box, found: dict[str, Finding]) -> Row:
    if box.id in found:
        return _explained(pco, box, found[box.id])
    if box.kind == "P":
        return Row(box, _spoken(pco, box))
    if box.kind == "R":
        return Row(box, _written(box))
    if box.kind == "V":
        return Row(box, unseen("this version of pco has no check for it", "look yourself, and attest it"))
    return Row(box, _built_in(box))


def _explained(pco: Pco, box: Box, finding: Finding) -> Row:
    """What could not be looked at may be explained by a person."""
    word = _word(pco, box) if finding.status is Status.UNSEEN else None
    if word is None or not word.holds(pco.now()):
        return Row(box, finding)
    told = f"{finding.evidence}; {word.by}, {word.at:%Y-%m-%d}: {word.note}"
    return Row(box, Finding(Status.UNSEEN, told, finding.mend), explained=True)


def _spoken(pco: Pco, box: Box) -> Finding:
    word = _word(pco, box)
    mend = f'pco-doctor attest {box.id} --note "…"'
    if word is None:
        return warn(f"nobody has said so ({box.answer})", mend)
    said = f"{word.by}, {times.ago(word.at, pco.now())}: {word.note}"
    if not word.holds(pco.now()):
        return warn(f"no longer: {said}", mend)
    return ok(said)


def _word(pco: Pco, box: Box) -> Word | None:
    try:
        return attested.read(pco.config.paths.audit, box.id)
    except PcoError:
        return None


def _written(box: Box) -> Finding:
    pages = [f"{name}.{section}" for name, section in _PAGE.findall(box.answer)]
    missing = [page for page in pages if not any(path.exists() for path in _places(page))]
    if missing:
        return warn(f"not there: {', '.join(missing)}", "install pco again")
    return ok(f"see {box.answer}")


def _built_in(box: Box) -> Finding:
    missing = [name for name in _PROGRAM.findall(box.answer) if not (_home() / "bin" / name).exists()]
    if missing:
        return warn(f"not there: {', '.join(missing)}", "install pco again")
    return ok(f"built in: {box.answer}")


def _home() -> Path:
    """What the programs lie below: PREFIX, or a checkout."""
    return Path(sys.argv[0]).resolve().parent.parent


def _places(page: str) -> list[Path]:
    """Where a page of the manual may be; in a checkout, what it is made of."""
    name, _, section = page.rpartition(".")
    written = _home() / "share" / "man" / (f"{page}.md" if section == "7" else page)
    made = _home() / "lib" / "pco" / "commands" / f"{name.removeprefix('pco-')}.py"
    there = _home() / "share" / "man" / f"man{section}"
    # A package compresses its pages.
    return [there / page, there / f"{page}.gz", *([written, made] if section != "1" else [made])]


def _all(box: Box, rows: Sequence[Row]) -> Row:
    """The box about all others."""
    grave = [row.box.id for row in rows if row.finding.status is Status.FAIL]
    if grave:
        return Row(box, fail(f"{len(grave)} of the others failed: {', '.join(grave)}", "see there"))
    return Row(box, ok(f"none of the {len(rows)} others failed"))


def counted(rows: Sequence[Row]) -> dict[Status, int]:
    """How many rows are how grave."""
    counts = dict.fromkeys(sorted(Status, key=GRAVITY.__getitem__, reverse=True), 0)
    for row in rows:
        counts[row.finding.status] += 1
    return counts
