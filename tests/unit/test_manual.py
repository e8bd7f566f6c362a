"""The pages of the manual that people read from beginning to end: whole, and clean to who formats them."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from support import TOP


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All pages, made."""
    folder = tmp_path_factory.mktemp("man")
    subprocess.run([sys.executable, TOP / "share/man/make.py", folder], check=True)
    return folder


def test_each_incident_says_what_you_see_why_what_to_do_and_when_it_is_over() -> None:
    text = (TOP / "share/man/pco-runbook.7.md").read_text().partition("# Incidents\n")[2]
    incidents = re.split(r"^## ", text, flags=re.M)[1:]

    assert len(incidents) >= 15
    for incident in incidents:
        found = re.findall(r"^(See|Why|Do|Over): ", incident, re.M)
        assert found == ["See", "Why", "Do", "Over"], incident.partition("\n")[0]
        assert re.search(r"^    [$#] ", incident, re.M), incident.partition("\n")[0]


def test_every_chapter_that_a_box_of_the_checklist_or_a_check_names_is_there() -> None:
    text = (TOP / "share/man/pco-runbook.7.md").read_text()
    chapters = set(re.findall(r"^## (.+)$", text, re.M))
    source = "".join(path.read_text() for path in (TOP / "lib/pco/checks").glob("*.py"))

    named = set(re.findall(r"pco-runbook\(7\), ([A-Z][a-z]+(?: [a-z]+)*)", source))
    assert named
    assert named - chapters == set()


def test_no_page_makes_mandoc_warn(pages: Path) -> None:
    names = sorted(map(str, pages.iterdir()))
    said = subprocess.run(
        ["mandoc", "-T", "lint", "-W", "warning", *names], capture_output=True, text=True, check=False
    )

    assert said.stdout + said.stderr == ""


@pytest.mark.parametrize("name", ["pco-runbook.7", "pco-doctor.1", "pco-config.1", "pco-queue.1"])
def test_a_page_is_formatted_without_a_warning(pages: Path, name: str) -> None:
    done = subprocess.run(
        ["man", "--warnings=all", "-l", str(pages / name)],
        capture_output=True,
        text=True,
        check=True,
        env={"MANWIDTH": "80", "PATH": "/usr/bin:/bin"},
    )

    assert done.stderr == ""
    assert name.partition(".")[0].upper() in done.stdout.upper()
