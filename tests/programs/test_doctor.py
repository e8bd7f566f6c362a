"""pco-doctor as a program: what it prints, how it judges, whose word it takes."""

import json

import pytest

import checking
from pco.checks import ok, warn
from pco.checks.boxes import BY_ID
from pco.commands.doctoring import examination
from pco.commands.doctoring.examination import Row
from pco.ground import audit
from support import Site


@pytest.fixture
def site(site: Site) -> Site:
    """One with folders, and a Plane that nobody answers for."""
    for name in ("audit", "plane", "sessions", "mirrors", "metrics", "www"):
        (site.home / name).mkdir(exist_ok=True)
    site.configure(plane={"url": "http://127.0.0.1:9", "workspace": "acme"}, sessions={"command": ["/bin/true"]})
    return site


def rows(site: Site, *args: str, code: int | None = None) -> dict[str, dict[str, object]]:
    """What it found, by box."""
    done = site.run("pco-doctor", "--format", "json", *args, code=code)
    return {row["id"]: row for row in json.loads(done.stdout)}


def test_every_box_gets_a_row_with_evidence(site: Site) -> None:
    found = rows(site)

    assert len(found) == 93
    names = {"id", "section", "class", "asks", "status", "evidence", "mend", "explained"}
    assert all(row.keys() == names and row["evidence"] for row in found.values())
    assert found["1.5"]["status"] == "fail" and str(found["1.5"]["mend"]).startswith("curl -v http://127.0.0.1:9")


def test_what_only_people_know_is_open_until_somebody_says_so_and_is_audited(site: Site) -> None:
    assert rows(site, "--section", "26.2")["26.2"]["status"] == "warn"

    site.run("pco-doctor", "attest", "26.2", "--note", "Ann \x1b[2JExample", "--until", "90d")

    row = rows(site, "--section", "26.2")["26.2"]
    assert row["status"] == "ok" and "Ann [2JExample" in str(row["evidence"])
    (month,) = (site.home / "audit").glob("*.jsonl")
    record = json.loads(month.read_text().splitlines()[-1])
    assert (record["event"], record["fields"]["box"]) == ("attested", "26.2")
    assert record["prev"] == audit.BEGINNING


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["attest", "26.9", "--note", "x"], 65, "there is no box 26.9"),
        (["attest", "3.2", "--note", "x"], 65, "needs nobody's word"),
        (["attest", "26.2", "--note", " \n"], 65, "the note is empty"),
        (["attest", "26.2", "--note", "x", "--until", "2001-01-01"], 2, "is past"),
        (["attest", "26.2"], 2, "--note"),
        (["--section", "99"], 65, "there is no section or box 99"),
        (["--url", "ftp://x"], 65, "is no address"),
    ],
)
def test_a_wrong_word_changes_nothing_and_says_why(site: Site, args: list[str], code: int, said: str) -> None:
    assert said in site.run("pco-doctor", *args, code=code).stderr
    assert not (site.home / "audit" / "attested").exists()


def test_production_says_no_go_with_the_boxes_and_its_exit_code(site: Site) -> None:
    done = site.run("pco-doctor", "--production", "--section", "26", code=65)
    assert done.stdout.splitlines()[-1] == "no-go: 26.1, 26.2, 26.3"

    for id in ("26.1", "26.2", "26.3"):
        site.run("pco-doctor", "attest", id, "--note", "Ann")
    assert site.run("pco-doctor", "--production", "--section", "26").stdout.splitlines()[-1] == "go"


def test_a_word_that_is_torn_is_none(site: Site) -> None:
    (site.home / "audit" / "attested").mkdir()
    (site.home / "audit" / "attested" / "26.1.json").write_text("torn")

    assert rows(site, "--section", "26.1")["26.1"]["status"] == "warn"


@pytest.mark.box("23.1", "well")
def test_the_box_about_all_others_is_well_when_none_failed() -> None:
    rows = [Row(BY_ID["26.1"], ok("Ann")), Row(BY_ID["1.3"], warn("little", "more"))]

    found = examination._all(BY_ID["23.1"], rows).finding
    checking.note("23.1", found)

    assert found.evidence == "none of the 2 others failed"


def test_tap_is_counted_and_harmless(site: Site) -> None:
    site.run("pco-doctor", "attest", "26.1", "--note", "a # SKIP b")
    lines = site.run("pco-doctor", "--format", "tap", "--section", "26").stdout.splitlines()

    assert lines[:2] == ["TAP version 13", "1..3"]
    assert lines[2].startswith("ok 1 - 26.1 ") and "\\# SKIP" in lines[2]
    assert lines[3].startswith("not ok 2 - 26.2") and lines[3].endswith("# TODO see to it")


def test_without_a_configuration_it_says_what_to_do(site: Site) -> None:
    site.config.unlink()

    assert "pco-setup" in site.run("pco-doctor", code=78).stderr
