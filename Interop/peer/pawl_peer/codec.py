"""Dataclasses to JSON and back, for the store: bytes become hexadecimal, dictionaries lists of pairs."""

import dataclasses
import functools
import types
import typing
from enum import Enum
from typing import Any, TypeVar

T = TypeVar("T")


def dump(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {field.name: dump(getattr(value, field.name)) for field in dataclasses.fields(value)}
    match value:
        case bytes():
            return value.hex()
        case dict():
            return [[dump(key), dump(member)] for key, member in value.items()]
        case list() | tuple():
            return [dump(member) for member in value]
        case Enum():
            return value.value
    return value


def load(cls: type[T], data: Any) -> T:
    return typing.cast(T, _load(cls, data))


@functools.cache
def _fields(cls: type) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _load(kind: Any, data: Any) -> Any:
    if dataclasses.is_dataclass(kind):
        hints = _fields(typing.cast(type, kind))
        return typing.cast(Any, kind)(**{name: _load(hints[name], value) for name, value in data.items()})
    arguments = typing.get_args(kind)
    origin = typing.get_origin(kind)
    if origin in (types.UnionType, typing.Union):
        return None if data is None else _load(next(a for a in arguments if a is not type(None)), data)
    if origin is tuple:
        return tuple(_load(arguments[0], member) for member in data)
    if origin is list:
        return [_load(arguments[0], member) for member in data]
    if origin is dict:
        return {_load(arguments[0], key): _load(arguments[1], member) for key, member in data}
    if kind is bytes:
        return bytes.fromhex(data)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(data)
    return data
