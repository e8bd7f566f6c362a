"""Plain JSON or YAML values ↔ frozen dataclasses, checked.

The dataclass is the schema: its fields, types and defaults.  A trailing underscore in a field name is not written
(`from_` ↔ `from`).  A field with `metadata={"state": True}` is not in the file.  Understood types: str, int, float,
bool, datetime, timedelta, enums, literals, dataclasses, `tuple[T, ...]`, `dict[str, T]`, `T | None`;
`metadata={"read": f}` gives a field its own reader, which raises ValueError.
"""

import dataclasses
import enum
import types
import typing
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache
from typing import Any, TypeVar

from pco.ground import text, times

T = TypeVar("T")
Reader = Callable[[Any, str], Any]


class ShapeError(ValueError):
    """A value is not what the dataclass says; `where` is its dotted path."""

    def __init__(self, where: str, message: str) -> None:
        super().__init__(f"{where}: {message}" if where else message)
        self.where = where
        self.message = message


def load(shape: type[T], value: Any, where: str = "") -> T:
    """Make a `shape` of a plain value.  Raises ShapeError with the path of what is wrong."""
    return typing.cast(T, _reader(typing.cast(Any, shape))(value, where))


def dump(value: Any) -> Any:
    """Make plain JSON values of a dataclass and all that is in it."""
    if value is None or (isinstance(value, str | int | float) and not isinstance(value, enum.Enum)):
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {outer: dump(getattr(value, inner)) for inner, outer in _written(type(value))}
    if isinstance(value, datetime):
        return times.iso(value)
    if isinstance(value, timedelta):
        return times.duration(value)
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, dict):
        return {key: dump(item) for key, item in value.items()}
    return [dump(item) for item in value]


@cache
def _written(shape: type) -> tuple[tuple[str, str], ...]:
    fields = dataclasses.fields(shape)
    return tuple((f.name, f.name.rstrip("_")) for f in fields if not f.metadata.get("state"))


@cache
def _reader(kind: Any) -> Reader:
    """The function that reads one type; made once for each."""
    origin = typing.get_origin(kind)
    if dataclasses.is_dataclass(kind):
        return _record_reader(typing.cast(type, kind))
    if origin in (typing.Union, types.UnionType):
        inner = _reader(next(a for a in typing.get_args(kind) if a is not type(None)))
        return lambda value, where: None if value is None else inner(value, where)
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
    hints = typing.get_type_hints(shape)
    fields = {f.name.rstrip("_"): f for f in dataclasses.fields(shape) if not f.metadata.get("state")}
    readers = {name: _field_reader(field, hints[field.name]) for name, field in fields.items()}
    inner = {name: field.name for name, field in fields.items()}
    required = frozenset(
        name
        for name, f in fields.items()
        if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    )

    def read(value: Any, where: str) -> Any:
        if type(value) is not dict:
            raise ShapeError(where, f"expected a mapping, not {_called(value)}")
        made = {}
        for name, item in value.items():
            reader = readers.get(name)
            if reader is None:
                raise ShapeError(_under(where, name), f"unknown key{text.meant(str(name), list(readers))}")
            made[inner[name]] = reader(item, f"{where}.{name}" if where else name)
        missing = required - value.keys()
        if missing:
            raise ShapeError(where, f"{min(missing)} is missing")
        return shape(**made)

    return read


def _field_reader(field: Any, kind: Any) -> Reader:
    own = field.metadata.get("read")
    if own is None:
        return _reader(kind)

    def read(value: Any, where: str) -> Any:
        try:
            return own(value)
        except ValueError as error:
            raise ShapeError(where, str(error)) from error

    return read


def _list_reader(kind: Any) -> Reader:
    inner = _reader(kind)

    def read(value: Any, where: str) -> Any:
        if type(value) is not list:
            raise ShapeError(where, f"expected a list, not {_called(value)}")
        return tuple([inner(item, f"{where}[{n}]") for n, item in enumerate(value)])

    return read


def _mapping_reader(kind: Any) -> Reader:
    inner = _reader(kind)

    def read(value: Any, where: str) -> Any:
        if type(value) is not dict:
            raise ShapeError(where, f"expected a mapping, not {_called(value)}")
        return {str(name): inner(item, _under(where, name)) for name, item in value.items()}

    return read


def _choice_reader(choices: dict[Any, Any]) -> Reader:
    def read(value: Any, where: str) -> Any:
        try:
            return choices[value]
        except (KeyError, TypeError):
            known = [str(c) for c in choices]
            raise ShapeError(
                where, f"{_called(value)} is none of {', '.join(known)}{text.meant(str(value), known)}"
            ) from None

    return read


def _exactly(kind: type, called: str) -> Reader:
    def read(value: Any, where: str) -> Any:
        if type(value) is not kind:
            raise ShapeError(where, f"expected {called}, not {_called(value)}")
        return value

    return read


def _number(value: Any, where: str) -> float:
    if type(value) not in (int, float):
        raise ShapeError(where, f"expected a number, not {_called(value)}")
    return float(value)


def _time(value: Any, where: str) -> datetime:
    try:
        return times.parse_time(value)
    except (ValueError, TypeError, AttributeError):
        raise ShapeError(where, f"expected an ISO 8601 time with offset, not {_called(value)}") from None


def _span(value: Any, where: str) -> timedelta:
    try:
        return times.parse_duration(value)
    except (ValueError, TypeError):
        raise ShapeError(where, f"expected a duration such as 50ms, 90s, 20m, 4h or 7d, not {_called(value)}") from None


_PLAIN: dict[Any, Reader] = {
    str: _exactly(str, "a text"),
    int: _exactly(int, "a whole number"),
    bool: _exactly(bool, "true or false"),
    float: _number,
    datetime: _time,
    timedelta: _span,
}


def _under(where: str, name: Any) -> str:
    return f"{where}.{name}" if where else str(name)


def _called(value: Any) -> str:
    """How a wrong value is named in a message: short, and clean."""
    if value is None:
        return "nothing"
    kinds = {dict: "a mapping", list: "a list", bool: "a truth value"}
    return kinds.get(type(value)) or repr(text.line(str(value), 40))
