"""What the polls keep on disk: a project's head, and what is known of its items."""

import json
from datetime import timedelta

import pytest

from pco.ground import polled
from pco.ground.errors import BadConfig, BadData
from pco.ground.known import Known, Seen
from pco.ground.polled import Head, Workflow
from support import T0, WEB

ONE = "00000000-0000-4000-8000-000000000001"
OTHER = "ff000000-0000-4000-8000-000000000002"


def test_a_project_that_was_never_polled_has_an_empty_head(tmp_path):
    assert polled.read(tmp_path, WEB) == Head(WEB)
    assert not Head(WEB).fresh(T0, timedelta(minutes=5))


def test_a_head_is_read_as_it_was_written(tmp_path):
    head = Head(
        WEB,
        key="WEB",
        identifier="WEB",
        polled_at=T0,
        watermark=T0,
        since=T0,
        states=(Workflow("s", "Todo", "unstarted", 1.5),),
        labels={"l": "bug"},
        noted=("WEB-1",),
        waiting={ONE: "WEB-2"},
        to_sweep=(ONE,),
        backfill=True,
    )

    polled.write(tmp_path, head)

    assert polled.read(tmp_path, WEB) == head


def test_a_head_of_an_earlier_version_is_read_with_defaults(tmp_path):
    (tmp_path / WEB).mkdir()
    (tmp_path / WEB / "head.json").write_text(json.dumps({"project": WEB, "key": "WEB"}))

    assert polled.read(tmp_path, WEB) == Head(WEB, key="WEB")


def test_a_torn_head_is_bad_data(tmp_path):
    (tmp_path / WEB).mkdir()
    (tmp_path / WEB / "head.json").write_text('{"project": "6f')

    with pytest.raises(BadData, match=r"head\.json"):
        polled.read(tmp_path, WEB)


def test_the_last_success_is_fresh_for_as_long_as_it_is_asked_to_be():
    head = Head(WEB, polled_at=T0)

    assert head.fresh(T0 + timedelta(minutes=5), timedelta(minutes=5))
    assert not head.fresh(T0 + timedelta(minutes=6), timedelta(minutes=5))


def test_a_poll_that_is_yet_to_come_was_told_by_a_wrong_clock():
    head = Head(WEB, polled_at=T0)

    assert head.fresh(T0 - timedelta(seconds=30), timedelta(minutes=5))
    assert not head.fresh(T0 - timedelta(hours=1), timedelta(minutes=5))


def test_what_is_known_of_an_item_is_kept(tmp_path):
    seen = Seen(ONE, T0, "WEB-1", ("c1", "c2"), new=True)
    known = Known(tmp_path / "known")
    known.put(ONE, seen)
    known.put(OTHER, Seen(ONE, T0))

    known.save()

    again = Known(tmp_path / "known")
    assert again.get(ONE) == seen
    assert again.get(OTHER) == Seen(ONE, T0)
    assert again.get(WEB) is None


def test_only_the_shards_of_items_that_changed_are_written(tmp_path):
    known = Known(tmp_path)
    known.put(ONE, Seen(ONE, T0))
    known.put(OTHER, Seen(ONE, T0))
    known.save()
    before = (tmp_path / "00.json").stat().st_ino

    known = Known(tmp_path)
    known.put(ONE, Seen(ONE, T0))
    known.put(OTHER, Seen(ONE, T0, "WEB-2"))
    known.save()

    assert (tmp_path / "00.json").stat().st_ino == before
    assert Known(tmp_path).get(OTHER).key == "WEB-2"


def test_nothing_is_on_disk_before_it_is_saved(tmp_path):
    Known(tmp_path / "known").put(ONE, Seen(ONE, T0))

    assert not (tmp_path / "known").exists()


def test_a_torn_shard_is_bad_data_with_a_way_out(tmp_path):
    (tmp_path / "00.json").write_text('{"schema": 1, "items"')

    with pytest.raises(BadData, match=r"00\.json") as caught:
        Known(tmp_path).get(ONE)

    assert "remove it" in caught.value.hint


def test_a_shard_of_a_newer_version_is_refused(tmp_path):
    (tmp_path / "00.json").write_text(json.dumps({"schema": 2, "items": {}}))

    with pytest.raises(BadConfig, match="newer"):
        Known(tmp_path).get(ONE)
