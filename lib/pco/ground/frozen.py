"""`dataclass` of the standard library, made in a tenth of the time where it is frozen.

Every program waits at its start until its classes are there.  The standard library writes six methods for each frozen
one as text and compiles them, about a millisecond a class on Python 3.11; here all share methods that look up the names
of the fields.  Only what pco uses is there: fields with defaults and factories, `field(repr=, compare=)`; what is asked
for beyond that, order or a class that can be changed, is the standard library's.  <https://docs.python.org/3/library/dataclasses.html>
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:

    def dataclass(shape: type | None = None, /, *, frozen: bool = False, order: bool = False) -> Any:
        """Make a dataclass of a class."""
        if shape is None:
            return lambda shape: dataclass(shape, frozen=frozen, order=order)
        if order or not frozen:
            return dataclasses.dataclass(shape, frozen=frozen, order=order)
        return _frozen(shape)


def _frozen(shape: type) -> type:
    own = {name for name, value in shape.__dict__.items() if value is not None}  # before `dataclass` adds to it
    shape.__doc__ = shape.__doc__ or shape.__name__  # else it would make one of the signature, which takes as long
    dataclasses.dataclass(init=False, repr=False, eq=False)(shape)
    fields = dataclasses.fields(shape)
    if any(not f.init or f.kw_only for f in fields) or hasattr(shape, "__post_init__"):
        raise TypeError(f"{shape.__name__} asks for what frozen classes have not here")
    compared = tuple(f.name for f in fields if f.compare)
    methods: dict[str, Callable[..., Any]] = {
        "__init__": _init(shape, fields),
        "__repr__": _repr(tuple(f.name for f in fields if f.repr)),
        "__eq__": _eq(compared),
        "__hash__": _hash(compared),
        "__setattr__": _Frozen.__setattr__,
        "__delattr__": _Frozen.__delattr__,
    }
    for name, method in methods.items():
        if name not in own:
            setattr(shape, name, method)
    return shape


def _init(shape: type, fields: tuple[dataclasses.Field[Any], ...]) -> Callable[..., None]:
    names = tuple(f.name for f in fields)
    every = frozenset(names)
    defaults = {f.name: f.default for f in fields if f.default is not dataclasses.MISSING}
    factories = [(f.name, f.default_factory) for f in fields if f.default_factory is not dataclasses.MISSING]

    def __init__(self: Any, *values: Any, **named: Any) -> None:
        made = self.__dict__
        if len(values) == len(names) and not named:
            made.update(zip(names, values, strict=True))
            return
        made.update(defaults)
        for name, factory in factories:
            if name not in named:
                made[name] = factory()
        made.update(zip(names, values, strict=False))
        made.update(named)
        twice = values and named and not named.keys().isdisjoint(names[: len(values)])
        if made.keys() != every or twice or len(values) > len(names):
            raise TypeError(f"{shape.__name__}(): {_wrong(names, made, values, named)}")

    return __init__


def _wrong(names: tuple[str, ...], made: Mapping[str, Any], values: tuple[Any, ...], named: Mapping[str, Any]) -> str:
    """What is wrong with the arguments."""
    if len(values) > len(names):
        return f"takes {len(names)} values, not {len(values)}"
    if unknown := [name for name in named if name not in names]:
        return f"unexpected argument {unknown[0]!r}"
    if missing := [name for name in names if name not in made]:
        return f"missing argument {missing[0]!r}"
    return f"argument {next(name for name in names[: len(values)] if name in named)!r} given twice"


def _repr(names: tuple[str, ...]) -> Callable[[Any], str]:
    def __repr__(self: Any) -> str:
        return f"{type(self).__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in names)})"

    return __repr__


def _eq(names: tuple[str, ...]) -> Callable[[Any, object], bool]:
    def __eq__(self: Any, other: object) -> bool:
        if other.__class__ is not self.__class__:
            return NotImplemented
        mine, others = self.__dict__, other.__dict__
        return mine == others or all(mine[name] == others[name] for name in names)  # what is cached there counts not

    return __eq__


def _hash(names: tuple[str, ...]) -> Callable[[Any], int]:
    def __hash__(self: Any) -> int:
        made = self.__dict__
        return hash(tuple([made[name] for name in names]))

    return __hash__


class _Frozen:
    def __setattr__(self, name: str, value: object) -> None:
        raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> None:
        raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")
