"""Plain JSON or YAML values ↔ frozen dataclasses, checked.

The dataclass is the schema: its fields, types and defaults.  A trailing underscore in a field name is not written
(`from_` ↔ `from`).  A field with `metadata={"state": True}` is not in the file.  Understood types: str, int, float,
bool, datetime, timedelta, enums, literals, dataclasses, `tuple[T, ...]`, `dict[str, T]`, `T | None`;
`metadata={"read": f}` gives a field its own reader, which raises ValueError, `{"write": f}` its own writer.
"""

import dataclasses
import enum
import types
import typing
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache
from pathlib import PurePath
from typing import Any, TypeVar

from pco.ground import text, times

T = TypeVar("T")
Reader = Callable[[Any], Any]  # raises ShapeError; who calls it puts its own place before the place in it


class ShapeError(ValueError):
    """A value is not what the dataclass says; `where` is its dotted path."""

    def __init__(self, where: str, message: str) -> None:
        super().__init__(f"{where}: {message}" if where else message)
        self.where = where
        self.message = message


def load(shape: type[T], value: Any, where: str = "") -> T:
    """Make a `shape` of a plain value.  Raises ShapeError with the path of what is wrong."""
    try:
        return typing.cast(T, _reader(typing.cast(Any, shape))(value))
    except ShapeError as error:
        raise ShapeError(_under(where, error.where), error.message) from error


def dump(value: Any) -> Any:
    """Make plain JSON values of a dataclass and all that is in it."""
    if value is None or (isinstance(value, str | int | float) and not isinstance(value, enum.Enum)):
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {outer: write(getattr(value, inner)) for inner, outer, write in _written(type(value))}
    if isinstance(value, datetime):
        return times.iso(value)
    if isinstance(value, timedelta):
        return times.duration(value)
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, dict):
        return {key: dump(item) for key, item in value.items()}
    return [dump(item) for item in value]


def brief(value: Any) -> dict[str, Any]:
    """As `dump`, of a dataclass, without the fields that are as they are by default: `load` makes the same of both."""
    fields = _usual(typing.cast(Any, type(value)))
    return {outer: write(it) for inner, outer, write, usual in fields if (it := getattr(value, inner)) != usual}


@cache
def _usual(shape: type) -> tuple[tuple[str, str, Callable[[Any], Any], Any], ...]:
    usual = {f.name: f.default for f in dataclasses.fields(shape)}
    return tuple((*names, usual[names[0]]) for names in _written(shape))


@cache
def _written(shape: type) -> tuple[tuple[str, str, Callable[[Any], Any]], ...]:
    fields = dataclasses.fields(shape)
    return tuple(
        (f.name, f.name.rstrip("_"), f.metadata.get("write", dump)) for f in fields if not f.metadata.get("state")
    )


@cache
def _reader(kind: Any) -> Reader:
    """The function that reads one type; made once for each."""
    origin = typing.get_origin(kind)
    if dataclasses.is_dataclass(kind):
        return _record_reader(typing.cast(type, kind))
    if origin in (typing.Union, types.UnionType):
        inner = _reader(next(a for a in typing.get_args(kind) if a is not type(None)))
        return lambda value: None if value is None else inner(value)
    if origin is tuple:
        return _list_reader(typing.get_args(kind)[0])
    if origin is dict:
        return _mapping_reader(typing.get_args(kind)[1])
    if origin is typing.Literal:
        return _choice_reader({name: name for name in typing.get_args(kind)})
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return _choice_reader({member.value: member for member in kind})
    return _PLAIN[kind]


def _record_reader(shape: type) -> Reader:
    every = dataclasses.fields(shape)
    written = [f for f in every if not f.metadata.get("state")]
    known = {f.name.rstrip("_"): (f.name, *_field_reader(f)) for f in written}
    defaults = {f.name: f.default for f in every if f.default is not dataclasses.MISSING}
    factories = {f.name: f.default_factory for f in every if f.default_factory is not dataclasses.MISSING}
    required = frozenset(f.name.rstrip("_") for f in written if f.name not in defaults and f.name not in factories)

    def read(value: Any) -> Any:
        if type(value) is not dict:
            raise ShapeError("", f"expected a mapping, not {_called(value)}")
        made = {**defaults, **{name: factory() for name, factory in factories.items()}} if factories else {**defaults}
        for name, item in value.items():
            field = known.get(name)
            if field is None:
                raise ShapeError(str(name), f"unknown key{text.meant(str(name), list(known))}")
            inner, kind, reader = field
            try:
                made[inner] = item if type(item) is kind else reader(item)
            except ShapeError as error:
                raise ShapeError(_under(name, error.where), error.message) from error
        if missing := required - value.keys():
            raise ShapeError("", f"{min(missing)} is missing")
        # Past the __init__ of a frozen dataclass, which sets its fields one by one: lists of tickets are read much
        # faster so.  All fields are there, and none of these classes has a __post_init__.
        instance: Any = object.__new__(shape)
        object.__setattr__(instance, "__dict__", made)
        return instance

    return read


def _field_reader(field: Any) -> tuple[Any, Reader]:
    """The type whose values are taken as they are (None: no type), and the reader of all others."""
    kind, own = field.type, field.metadata.get("read")
    if own is None:
        return (kind if kind in (str, int, bool) else None), _reader(kind)

    def read(value: Any) -> Any:
        if type(value) is type(field.default) and value == field.default:
            return value  # what it is anyhow may be said, too
        try:
            return own(value)
        except ValueError as error:
            raise ShapeError("", str(error)) from error

    return None, read


def _list_reader(kind: Any) -> Reader:
    inner = _reader(kind)

    def read(value: Any) -> Any:
        if type(value) is not list:
            raise ShapeError("", f"expected a list, not {_called(value)}")
        return tuple([_placed(inner, item, f"[{n}]") for n, item in enumerate(value)]) if value else ()

    return read


def _mapping_reader(kind: Any) -> Reader:
    inner = _reader(kind)

    def read(value: Any) -> Any:
        if type(value) is not dict:
            raise ShapeError("", f"expected a mapping, not {_called(value)}")
        return {str(name): _placed(inner, item, str(name)) for name, item in value.items()}

    return read


def _placed(reader: Reader, item: Any, place: str) -> Any:
    try:
        return reader(item)
    except ShapeError as error:
        raise ShapeError(_under(place, error.where), error.message) from error


def _choice_reader(choices: dict[Any, Any]) -> Reader:
    def read(value: Any) -> Any:
        try:
            return choices[value]
        except (KeyError, TypeError):
            known = [str(c) for c in choices]
            said = f"{_called(value)} is none of {', '.join(known)}{text.meant(str(value), known)}"
            raise ShapeError("", said) from None

    return read


def _exactly(kind: type, called: str) -> Reader:
    def read(value: Any) -> Any:
        if type(value) is not kind:
            raise ShapeError("", f"expected {called}, not {_called(value)}")
        return value

    return read


def _number(value: Any) -> float:
    if type(value) not in (int, float):
        raise ShapeError("", f"expected a number, not {_called(value)}")
    return float(value)


def _time(value: Any) -> datetime:
    try:
        return times.parse_time(value)
    except (ValueError, TypeError, AttributeError):
        raise ShapeError("", f"expected an ISO 8601 time with offset, not {_called(value)}") from None


def _span(value: Any) -> timedelta:
    try:
        return times.parse_duration(value)
    except (ValueError, TypeError):
        raise ShapeError("", f"expected a duration such as 50ms, 90s, 20m, 4h or 7d, not {_called(value)}") from None


_PLAIN: dict[Any, Reader] = {
    str: _exactly(str, "a text"),
    int: _exactly(int, "a whole number"),
    bool: _exactly(bool, "true or false"),
    float: _number,
    datetime: _time,
    timedelta: _span,
}


def _under(where: str, inner: str) -> str:
    """The place `inner` in the place `where`, either of which may be empty."""
    return f"{where}.{inner}" if where and inner and not inner.startswith("[") else f"{where}{inner}"


def _called(value: Any) -> str:
    """How a wrong value is named in a message: short, and clean."""
    if value is None:
        return "nothing"
    kinds = {dict: "a mapping", list: "a list", bool: "a truth value"}
    return kinds.get(type(value)) or repr(text.line(str(value), 40))
