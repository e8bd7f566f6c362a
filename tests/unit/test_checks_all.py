"""Boxes, checks, tests, units and pages held against each other."""

import ast
import re
from collections.abc import Iterator

import pytest

from pco.checks import all_checks
from pco.checks.boxes import BOXES
from pco.commands.doctoring.examination import _PAGE, _PROGRAM, ALL, wanted
from support import TOP

VERIFIED = sorted(box.id for box in BOXES if box.kind == "V" or box.id in all_checks())


def claims() -> Iterator[tuple[str, str]]:
    """What tests say that they see, by `@pytest.mark.box(ID, HOW)`; tests/conftest.py holds them to it."""
    for path in sorted((TOP / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "box":
                given = [arg.value for arg in node.args if isinstance(arg, ast.Constant)]
                if len(given) == 2:
                    yield str(given[0]), str(given[1])


CLAIMS = set(claims())


@pytest.mark.parametrize("id", VERIFIED)
def test_every_box_that_is_verified_has_a_test_in_which_it_is_ill_and_one_in_which_it_is_well(id: str) -> None:
    assert id in all_checks() or id == ALL
    assert {how for one, how in CLAIMS if one == id} == {"ill", "well"}


def test_tests_claim_nothing_of_boxes_that_are_not_there() -> None:
    assert {id for id, _ in CLAIMS} <= set(VERIFIED)


def test_units_that_a_check_names_are_there() -> None:
    words = "".join(path.read_text() for path in (TOP / "lib/pco/checks").glob("*.py"))
    units = set(re.findall(r"\bpco-[a-z-]+@?\.(?:service|timer|path|slice)\b", words))
    there = {path.name for path in (TOP / "systemd").iterdir()}

    assert units and units <= there


def test_programs_that_boxes_and_checks_name_are_there() -> None:
    words = "".join(path.read_text() for path in (TOP / "lib/pco/checks").glob("*.py") if path.name != "boxes.py")
    named = set(re.findall(r"\b(pco-[a-z]+) (?:-|attest|approve)", words))
    there = {path.name for path in (TOP / "bin").iterdir()}

    assert named and named <= there


def test_pages_that_boxes_name_are_those_of_the_manual() -> None:
    for box in BOXES:
        assert box.kind != "R" or _PAGE.findall(box.answer), f"{box.id} names no page"
    assert all(name.startswith("pco") for box in BOXES for name in _PROGRAM.findall(box.answer))


def test_headings_of_the_runbook_that_mends_name_are_there() -> None:
    words = "".join(path.read_text() for path in (TOP / "lib/pco/checks").glob("*.py"))
    headings = set(re.findall(r"pco-runbook\(7\), ([A-Z][A-Za-z ]+)", words))
    there = re.findall(r"^#+ (.*)", (TOP / "share/man/pco-runbook.7.md").read_text(), re.M)

    assert headings and headings <= set(there)


def test_sections_and_boxes_that_pages_name_are_there() -> None:
    pages = [TOP / "README.md", *(TOP / "share/man").glob("*.md"), *(TOP / "lib/pco").rglob("*.py")]
    named = {name for page in pages for name in re.findall(r"--section ([0-9.]*[0-9])", page.read_text())}

    assert len(wanted(sorted(named))) >= len(named)  # which raises for one that is not
