"""Bases of results and of parameters: equality, hash and repr; one line for a wrong parameter."""

from __future__ import annotations

import types
from collections.abc import Hashable, Mapping
from dataclasses import fields
from reprlib import repr as shortened
from typing import Annotated, Any, ClassVar, Literal, Union, get_args, get_origin

import numpy as np
from pydantic import (
    BaseModel,
    ConfigDict,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
)

from ccmusic.errors import ParameterError


class Parameters(BaseModel):
    """Base of parameters: frozen, validated, and refused in one line.

    Raises
    ------
    ParameterError
        If a parameter is unknown, missing, or has a value that it cannot have.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    written_if_changed: ClassVar[frozenset[str]] = frozenset()
    """Left out of cards and cache keys while they have their defaults."""

    def __init__(self, /, **parameters: Any) -> None:
        try:
            super().__init__(**parameters)
        except ValidationError as error:
            raise _refusal(type(self), error) from None

    @model_serializer(mode="wrap")
    def _written(self, handler: SerializerFunctionWrapHandler):  # type: ignore[no-untyped-def]
        # A type of what is returned would stand in the JSON Schema for the fields.
        fields = type(self).model_fields
        return {
            name: value
            for name, value in handler(self).items()
            if name not in self.written_if_changed or getattr(self, name) != fields[name].default
        }


def _refusal(cls: type[BaseModel], error: ValidationError) -> ParameterError:
    """The first thing that is wrong."""
    first = error.errors()[0]
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, ParameterError):
        return cause
    name = str(first["loc"][0])[:40]
    if name not in cls.model_fields:
        known = ", ".join(cls.model_fields)
        return ParameterError("parameter_unknown", owner=cls.__name__, name=name, known=known)
    field = cls.model_fields[name]
    expected = _expected(field.annotation, field.metadata)
    if first["type"] == "missing":
        return ParameterError("parameter_missing", owner=cls.__name__, name=name, expected=expected)
    value = shortened(first["input"])
    return ParameterError(
        "parameter_value", owner=cls.__name__, name=name, value=value, expected=expected
    )


def _expected(annotation: Any, metadata: list[Any]) -> str:
    """What a parameter may be, in the words of Python, that is, of every language."""
    kind, parts = get_origin(annotation), get_args(annotation)
    if kind is Annotated:
        inner = [m for part in parts[1:] for m in getattr(part, "metadata", [part])]
        return _expected(parts[0], [*inner, *metadata])
    if kind is Literal:
        return " | ".join(map(repr, parts))
    if kind in (Union, types.UnionType):
        return " | ".join(_expected(part, metadata) for part in parts)
    if kind is tuple:
        return f"({', '.join(_expected(part, []) for part in parts)})"
    if annotation is type(None):
        return "None"
    bounds = [
        f"{sign} {getattr(limit, key):g}"
        for limit in metadata
        for key, sign in (("gt", ">"), ("ge", ">="), ("lt", "<"), ("le", "<="))
        if hasattr(limit, key)
    ]
    name = getattr(annotation, "__name__", str(annotation))
    return f"{name} ({', '.join(bounds)})" if bounds else name


class Value:
    """Base of frozen dataclasses whose fields may be arrays, dictionaries or errors.

    Two are equal if their fields are; times that were measured are left out
    (``field(compare=False)``). The repr names arrays by type and shape.
    """

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(_same(getattr(self, name), getattr(other, name)) for name in _compared(self))

    def __hash__(self) -> int:
        return hash((type(self), *(_hashable(getattr(self, name)) for name in _compared(self))))

    def __repr__(self) -> str:
        told = (f"{f.name}={_brief(getattr(self, f.name))}" for f in fields(self) if f.repr)  # type: ignore[arg-type]
        return f"{type(self).__name__}({', '.join(told)})"


def _compared(value: Any) -> list[str]:
    return [f.name for f in fields(value) if f.compare]


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        if type(one) is not type(other):
            return False
        floats = one.dtype.kind == "f" and other.dtype.kind == "f"
        return one.dtype == other.dtype and np.array_equal(one, other, equal_nan=floats)
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, Exception) and isinstance(other, Exception):
        return type(one) is type(other) and str(one) == str(other)
    return bool(one == other)


def _hashable(value: Any) -> Hashable:
    """Something cheap that is equal for equal values."""
    if isinstance(value, np.ndarray):
        return tuple(value.shape)
    if isinstance(value, Mapping):
        return frozenset(value)
    if isinstance(value, tuple):
        return tuple(map(_hashable, value))
    if isinstance(value, Exception):
        return str(value)
    # A card is frozen, but holds dictionaries.
    return type(value) if isinstance(value, BaseModel) else hash(value)


def _brief(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{list(value.shape)}"
    if isinstance(value, Mapping):
        return f"{{{', '.join(map(_brief, value))}}}"
    if isinstance(value, tuple):
        return f"({', '.join(map(_brief, value[:3]))}{', ...' if len(value) > 3 else ''})"
    if isinstance(value, BaseModel | Value):
        name = getattr(value, "name", None) or getattr(value, "file", None)
        return f"{type(value).__name__}({repr(name) if name else '...'})"
    return repr(value)
