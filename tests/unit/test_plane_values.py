"""What Plane says is read strictly."""

import math
from datetime import UTC, datetime

import pytest

from pco.ground.errors import BadData
from pco.ground.ticket import PlaneState
from pco.outside import plane_values as values

ID = "2398a73d-2bb9-4e60-ad7a-1839cdfde5e6"
OTHER = "f941cc45-9d28-4c07-8ce1-cdd067eb6913"
ITEM = {
    "id": ID,
    "project": OTHER,
    "sequence_id": 12,
    "name": "Mend the door",
    "description_html": "<p>It squeaks</p>",
    "priority": "high",
    "state": OTHER,
    "labels": [OTHER],
    "assignees": [],
    "created_at": "2026-11-22T20:36:57.505726Z",
    "updated_at": "2026-11-22T20:37:00Z",
    "a_key_of_a_newer_plane": {"any": "thing"},
}
REMARK = {
    "id": ID,
    "created_at": "2026-11-22T20:36:57Z",
    "actor": OTHER,
    "comment_html": "<script>x()</script>",
    "external_source": None,
    "external_id": None,
}


def item(**changes):
    return values.read_item(values.read_row({**ITEM, **changes}, "work-item"))


def remark(**changes):
    return values.read_remark(values.read_row({**REMARK, **changes}, "comment"))


def person(**names):
    given = {"id": ID, "first_name": "", "last_name": "", "email": "", "display_name": "", **names}
    return values.read_person(values.read_row(given, "me")).name


def test_an_item_is_read_and_unknown_keys_are_ignored():
    read = item()

    assert (read.id, read.project, read.sequence_id, read.title) == (ID, OTHER, 12, "Mend the door")
    assert (read.priority, read.state, read.labels, read.assignees) == ("high", OTHER, (OTHER,), ())


def test_times_are_read_with_and_without_microseconds_and_become_utc():
    read = item(created_at="2026-11-23T02:12:27.042547+05:30", updated_at="2026-11-22T20:37:00Z")

    assert read.created_at == datetime(2026, 11, 22, 20, 42, 27, 42547, tzinfo=UTC)
    assert read.created_at.tzinfo is UTC
    assert read.updated_at == datetime(2026, 11, 22, 20, 37, tzinfo=UTC)


def test_null_counts_as_empty_where_plane_gives_it():
    read = item(description_html=None, state=None, labels=None, assignees=None)

    assert (read.description_html, read.state, read.labels, read.assignees) == ("", "", (), ())
    assert (remark().external_source, remark().external_id, remark(actor=None).actor) == ("", "", "")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", "../../etc/passwd"),
        ("id", None),
        ("id", 5),
        ("project", ID + "\n"),
        ("sequence_id", "12"),
        ("sequence_id", True),
        ("sequence_id", -1),
        ("sequence_id", 1.5),
        ("name", 5),
        ("name", ["x"]),
        ("priority", "p1"),
        ("priority", []),
        ("state", {"id": ID}),
        ("labels", "bug"),
        ("labels", ["bug"]),
        ("labels", [{"id": ID}]),
        ("assignees", {}),
        ("created_at", "2026-11-22T20:36:57"),
        ("created_at", 1795379997),
        ("updated_at", None),
        ("updated_at", "0001-01-01T00:00:00+23:00"),
    ],
)
def test_a_wrong_value_is_refused_and_named(field, value):
    with pytest.raises(BadData, match=rf"work-item\.{field}"):
        item(**{field: value})


@pytest.mark.parametrize("field", ["id", "sequence_id", "name", "description_html", "priority", "updated_at"])
def test_a_missing_field_is_refused_and_named(field):
    with pytest.raises(BadData, match=rf"work-item\.{field}: .*nothing"):
        values.read_item(values.read_row({k: v for k, v in ITEM.items() if k != field}, "work-item"))


def test_nul_and_lone_surrogates_are_replaced_and_the_rest_of_a_hostile_text_is_kept():
    read = item(name="a\x00b\ud83dc\x1b[31m\u202ed")

    assert read.title == "a\ufffdb\ufffdc\x1b[31m\u202ed"
    read.title.encode()


def test_a_message_about_megabytes_of_rubbish_is_short_and_clean():
    with pytest.raises(BadData) as caught:
        item(priority="\x1b[2J" + "x" * 1_000_000)

    assert len(str(caught.value)) < 250
    assert "\x1b" not in str(caught.value)
    with pytest.raises(BadData, match="a huge number"):
        item(name=10**5000)


def test_a_comment_is_taken_as_it_is():
    assert remark().html == "<script>x()</script>"
    assert remark(external_source="pco", external_id="WEB-1:1:abc").external_id == "WEB-1:1:abc"
    with pytest.raises(BadData, match=r"comment\.comment_html"):
        remark(comment_html=5)


def test_a_person_has_the_best_name_there_is():
    assert person(display_name="ada", first_name="Ada", email="a@x.org") == "ada"
    assert person(display_name="  ", first_name="Ada", last_name="Lovelace") == "Ada Lovelace"
    assert person(last_name="Lovelace", email="a@x.org") == "Lovelace"
    assert person(email="a@x.org") == "a@x.org"
    assert person() == ID


def test_a_state_of_the_workflow_keeps_its_place():
    given = {"id": ID, "name": "In Review", "group": "started", "sequence": 35000, "default": False}

    read = values.read_workflow(values.read_row(given, "states"))

    assert read == values.Workflow(PlaneState(ID, "In Review", "started"), 35000.0, False)


@pytest.mark.parametrize("sequence", [True, "1", math.inf, math.nan, 10**400, None])
def test_a_place_that_cannot_be_ordered_is_refused(sequence):
    given = {"id": ID, "name": "Todo", "group": "started", "sequence": sequence, "default": False}
    with pytest.raises(BadData, match=r"states\.sequence"):
        values.read_workflow(values.read_row(given, "states"))


def test_a_project_tells_membership_and_archive_apart():
    given = {"id": ID, "identifier": "É_ 1/", "name": "x", "is_member": False, "member_role": None, "archived_at": None}

    read = values.read_project(values.read_row(given, "projects"))

    assert (read.identifier, read.is_member, read.role, read.archived) == ("É_ 1/", False, None, False)
    changed = {**given, "is_member": True, "member_role": 15, "archived_at": "2026-11-22T20:42:33Z"}
    read = values.read_project(values.read_row(changed, "projects"))
    assert (read.is_member, read.role, read.archived) == (True, 15, True)
    with pytest.raises(BadData, match=r"projects\.is_member"):
        values.read_project(values.read_row({**given, "is_member": "yes"}, "projects"))


@pytest.mark.parametrize(
    "page",
    [
        [],
        None,
        {},
        {"results": [], "total_count": 0},
        {"results": [], "total_count": "0", "next_page_results": False},
        {"results": [], "total_count": 0, "next_page_results": "100:1:0"},
        {"results": {}, "total_count": 0, "next_page_results": False},
        {"results": ["x"], "total_count": 1, "next_page_results": False},
    ],
)
def test_what_is_no_page_is_refused(page):
    with pytest.raises(BadData):
        values.read_envelope(page, "work-items")


def test_a_bare_list_is_read_where_plane_gives_one():
    assert [row.values for row in values.read_rows([{"a": 1}], "members")] == [{"a": 1}]
    with pytest.raises(BadData, match="members"):
        values.read_rows({"results": []}, "members")
