"""The frozen classes behave like those of the standard library."""

import copy
import dataclasses
import pickle
from dataclasses import FrozenInstanceError, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pco.ground.frozen import dataclass


@dataclass(frozen=True)
class Ours:
    """A class with each kind of field."""

    a: int
    b: str = "x"
    c: list[int] = field(default_factory=list, repr=False)
    d: int = field(default=0, compare=False)


@dataclasses.dataclass(frozen=True)
class Theirs:
    """The same by the standard library."""

    a: int
    b: str = "x"
    c: list[int] = field(default_factory=list, repr=False)
    d: int = field(default=0, compare=False)


@dataclass(frozen=True)
class More(Ours):
    """One that inherits, and says itself how it is shown."""

    e: tuple[int, ...] = ()

    def __repr__(self) -> str:
        return "hidden"


ARGUMENTS = st.lists(st.integers(0, 2), max_size=5)
NAMED = st.dictionaries(st.sampled_from(["a", "b", "c", "d", "z"]), st.integers(0, 2))


def made(shape, values, named):
    """What comes of a call: all that can be seen of the instance, or that it is refused."""
    try:
        one = shape(*values, **named)
    except TypeError:
        return "refused"
    return vars(one), repr(one).replace("Theirs", "Ours"), dataclasses.asdict(one)


@given(ARGUMENTS, NAMED)
def test_what_is_made_is_what_the_standard_library_would_make(values, named):
    assert made(Ours, values, named) == made(Theirs, values, named)


@given(ARGUMENTS, NAMED, ARGUMENTS, NAMED)
def test_they_are_equal_where_those_of_the_standard_library_are(one, named, two, others):
    if "refused" in (made(Ours, one, named), made(Ours, two, others)):
        return
    ours, theirs = (Ours(*one, **named), Ours(*two, **others)), (Theirs(*one, **named), Theirs(*two, **others))

    assert (ours[0] == ours[1]) is (theirs[0] == theirs[1])
    assert ours[0] != theirs[0]


@pytest.mark.parametrize(
    ("values", "named", "says"),
    [
        ((), {}, r"Ours\(\): missing argument 'a'"),
        ((1, "b", [], 0, 5), {}, r"takes 4 values, not 5"),
        ((1,), {"z": 1}, r"unexpected argument 'z'"),
        ((1,), {"a": 1}, r"argument 'a' given twice"),
        ((), {"z": 1, "b": "b", "c": [], "d": 1}, r"unexpected argument 'z'"),
    ],
)
def test_a_wrong_call_is_named(values, named, says):
    with pytest.raises(TypeError, match=says):
        Ours(*values, **named)


def test_nothing_can_be_changed():
    one = Ours(1)

    with pytest.raises(FrozenInstanceError, match="a"):
        one.a = 2
    with pytest.raises(FrozenInstanceError, match="a"):
        del one.a
    with pytest.raises(FrozenInstanceError, match="new"):
        one.new = 2
    assert one == Ours(1)


def test_each_has_its_own_of_what_a_factory_makes():
    one, two = Ours(1), Ours(1)
    one.c.append(3)

    assert two.c == []
    assert replace(one, b="y") == Ours(1, "y", [3])


def test_equal_ones_have_one_hash_and_can_be_copied():
    one, two = More(1, c=(), e=(1,)), More(1, c=(), d=9, e=(1,))

    assert one == two and len({one, two}) == 1
    assert copy.deepcopy(one) == one and pickle.loads(pickle.dumps(one)) == one
    assert repr(one) == "hidden" and More.__doc__.startswith("One that inherits")


def test_what_it_does_not_know_is_refused():
    with pytest.raises(TypeError, match="Late asks for what frozen classes have not here"):

        @dataclass(frozen=True)
        class Late:
            a: int = field(init=False, default=1)

    with pytest.raises(TypeError, match="Named asks"):

        @dataclass(frozen=True)
        class Named:
            a: int = field(kw_only=True, default=1)


def test_others_are_the_standard_librarys():
    @dataclass
    class Changes:
        a: int = 1

    @dataclass(frozen=True, order=True)
    class Ordered:
        a: int = 1

    one = Changes()
    one.a = 2
    assert one == Changes(2) and Ordered(1) < Ordered(2)
