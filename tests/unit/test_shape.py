from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

import pytest

from pco.ground import shape


@dataclass(frozen=True)
class Inner:
    from_: str
    size: int = 0


@dataclass(frozen=True)
class Outer:
    name: str
    at: datetime | None = None
    wait: timedelta = timedelta(seconds=1)
    inner: tuple[Inner, ...] = ()
    counts: dict[str, int] = field(default_factory=dict)
    kind: Literal["a", "b"] = "a"
    share: float = 0.0
    seen: bool = field(default=False, metadata={"state": True})


def test_what_is_dumped_loads_the_same():
    made = shape.load(Outer, {"name": "n", "at": "2026-11-22T12:00:00Z", "inner": [{"from": "x"}], "counts": {"a": 1}})
    assert made.inner == (Inner("x"),)
    assert shape.load(Outer, shape.dump(made)) == made
    assert "seen" not in shape.dump(made)
    assert shape.dump(made)["inner"][0] == {"from": "x", "size": 0}


def test_in_brief_only_what_is_not_as_usual_is_said_and_it_loads_the_same():
    made = shape.load(Outer, {"name": "n", "wait": "2s", "inner": [{"from": "x"}], "share": 0.0})

    assert shape.brief(made) == {"name": "n", "wait": "2s", "inner": [{"from": "x", "size": 0}], "counts": {}}
    assert shape.load(Outer, shape.brief(made)) == made


@pytest.mark.parametrize(
    ("value", "where"),
    [
        ({}, ""),
        ({"name": 5}, "name"),
        ({"name": "n", "at": "soon"}, "at"),
        ({"name": "n", "inner": [{"from": "x"}, {"from": 1}]}, "inner[1].from"),
        ({"name": "n", "inner": {}}, "inner"),
        ({"name": "n", "counts": {"a": "b"}}, "counts.a"),
        ({"name": "n", "counts": {"a": True}}, "counts.a"),
        ({"name": "n", "kind": "c"}, "kind"),
        ({"name": "n", "kind": []}, "kind"),
        ({"name": "n", "share": "x"}, "share"),
        ({"name": "n", "wait": 5}, "wait"),
        ({"name": "n", "seen": True}, "seen"),
        ([], ""),
        (None, ""),
    ],
)
def test_what_is_wrong_is_named_by_its_path(value, where):
    with pytest.raises(shape.ShapeError) as caught:
        shape.load(Outer, value)
    assert caught.value.where == where
