"""The boxes and their checks, held against each other; how findings add up."""

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pco.checks import Finding, Site, Status, all_checks, fail, ok, unseen, warn, worst
from pco.checks.boxes import BOXES, SECTIONS, Box
from pco.commands.doctoring import examination
from pco.commands.doctoring.examination import Row, against, examined, wanted
from pco.ground.config import Config
from pco.ground.errors import BadData, NotPermitted
from pco.outside.process import TooSlow

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SITE = Site(Config(), Path("/etc/pco/pco.yaml"), NOW, root=False)


def box(kind: str) -> Box:
    """One of a class."""
    return next(box for box in BOXES if box.kind == kind)


def test_there_are_93_boxes_in_26_sections_each_once() -> None:
    assert len({box.id for box in BOXES}) == len(BOXES) == 93
    assert {box.section for box in BOXES} == set(SECTIONS)
    assert [box.kind for box in BOXES].count("V") == 52


def test_no_box_that_people_or_pages_answer_has_a_check() -> None:
    kinds = {box.id: box.kind for box in BOXES}

    assert {kinds[id] for id in all_checks()} <= {"V", "B"}


def test_the_gravest_finding_counts_and_its_mend() -> None:
    assert worst([ok("a"), fail("b", "mend b"), warn("c", "mend c")]) == fail("b", "mend b")
    assert worst([ok("a"), ok("b")]) == ok("a; b")
    assert worst([]).status is Status.NOT_APPLICABLE


@pytest.mark.parametrize(
    ("raised", "status", "said"),
    [
        (NotPermitted("no", "ask"), Status.UNSEEN, "no"),
        (TooSlow("slow"), Status.UNSEEN, "slow"),
        (BadData("torn", "mend"), Status.FAIL, "torn"),
        (PermissionError(13, "Permission denied", "/x"), Status.UNSEEN, "/x may not be read by this user"),
        (OSError(5, "Input/output error", "/x"), Status.FAIL, "/x: Input/output error"),
    ],
)
def test_what_keeps_a_check_from_looking_is_a_finding(raised: Exception, status: Status, said: str) -> None:
    def check(site: Site) -> Finding:
        raise raised

    found = examined({"1.1": check}, BOXES[:1], SITE, 5.0)[0]["1.1"]

    assert (found.status, found.evidence) == (status, said)


def test_a_bug_of_a_check_is_not_hidden_and_hides_nothing() -> None:
    def check(site: Site) -> Finding:
        raise KeyError("bug")

    found, bugs = examined({"1.1": check, "1.2": lambda site: ok("fine")}, BOXES[:2], SITE, 5.0)

    assert (found["1.1"].status, found["1.2"]) == (Status.FAIL, ok("fine"))
    assert [type(bug) for bug in bugs] == [KeyError]


def test_a_check_that_hangs_is_given_up_and_said_so() -> None:
    ended = threading.Event()

    def check(site: Site) -> Finding:
        ended.wait(20)
        return ok("late")

    found, _ = examined({"1.1": check, "1.2": lambda site: ok("fine")}, BOXES[:2], SITE, 0.2)
    ended.set()

    assert found["1.1"].status is Status.UNSEEN and "0.2 s" in found["1.1"].evidence
    assert found["1.2"] == ok("fine")


def test_production_is_no_go_for_what_failed_what_nobody_said_and_what_nobody_saw() -> None:
    rows = [
        Row(box("V"), fail("x", "")),
        Row(box("V"), warn("x", "")),
        Row(box("V"), unseen("x")),
        Row(box("V"), unseen("x"), explained=True),
        Row(box("P"), warn("nobody", "")),
        Row(box("P"), ok("Ann")),
        Row(box("B"), ok("built in")),
    ]

    assert against(rows, production=False) == rows[:1]
    assert against(rows, production=True) == [rows[0], rows[2], rows[4]]


def test_sections_and_boxes_can_be_chosen_and_a_wrong_name_gets_the_nearest() -> None:
    assert {box.section for box in wanted(["2"])} == {"2"}
    assert [box.id for box in wanted(["2.1", "3.1"])] == ["2.1", "3.1"]
    assert wanted([]) == BOXES
    with pytest.raises(BadData, match=r"2\.9.*2\."):
        wanted(["2.9"])


def test_a_box_without_a_check_is_not_called_well() -> None:
    assert examination._row(None, box("V"), {}).finding.status is Status.UNSEEN  # type: ignore[arg-type]


def test_words_end_when_they_should() -> None:
    from pco.ground.attested import Word

    word = Word("17.1", "ann", NOW, "x", NOW + timedelta(days=1))
    assert word.holds(NOW)
    assert not word.holds(NOW + timedelta(days=1))


def test_what_several_checks_need_is_made_once_and_what_it_raises_is_raised_again() -> None:
    made = []

    def make() -> int:
        made.append(1)
        raise BadData("torn")

    for _ in range(2):
        with pytest.raises(BadData):
            SITE.once("torn", make)
    assert made == [1]


def test_one_slow_thing_keeps_nobody_from_another() -> None:
    ended, begun = threading.Event(), threading.Event()

    def slow() -> bool:
        begun.set()
        return ended.wait(20)

    waiting = threading.Thread(target=lambda: SITE.once("slow", slow))
    waiting.start()
    begun.wait(20)
    assert SITE.once("quick", lambda: 2) == 2
    ended.set()
    waiting.join()
