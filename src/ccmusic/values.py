"""Equality, hash and repr for results that hold arrays."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import fields
from typing import Any

import numpy as np
from pydantic import BaseModel


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
