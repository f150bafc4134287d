"""Values between processes as JSON and arrays: reading them executes nothing.

A frame is the length of a JSON text, the text, and the bytes of the arrays that it names. Objects
are built from the classes that :func:`carry` has admitted, and from no others.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, BinaryIO, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

from ccmusic import errors
from ccmusic.errors import CataloguedError, CCMusicError

T = TypeVar("T")
Array = npt.NDArray[Any]

_LENGTH = struct.Struct("<Q")
_LONGEST_TEXT = 64 << 20  # bytes
_MOST = 4 << 30  # bytes of all arrays of a frame
_KINDS = "biuf"  # of arrays: numbers only
_admitted: dict[str, type] = {}


def carry(*classes: type[T]) -> None:
    """Admit dataclasses, models and errors to frames."""
    _admitted.update({_name(cls): cls for cls in classes})


def write(file: BinaryIO, value: object) -> None:
    """Write a value: numbers, text, bytes, arrays, tuples, lists, dictionaries, what is carried.

    An object that occurs several times is written once, and is one object again when it is read.

    Raises
    ------
    TypeError
        If it holds something else.
    """
    out = _Writer()
    head = {"value": out.plain(value), "objects": out.objects}
    head["arrays"] = [(array.dtype.str, array.shape) for array in out.arrays]
    text = json.dumps(head).encode()
    file.write(_LENGTH.pack(len(text)) + text)
    for array in out.arrays:
        file.write(array.reshape(-1).view(np.uint8).data)
    file.flush()


def read(file: BinaryIO) -> Any:
    """Read a value.

    Raises
    ------
    EOFError
        If the file ends, or holds anything but a frame.
    """
    try:
        (length,) = _LENGTH.unpack(_exactly(file, _LENGTH.size))
        if length > _LONGEST_TEXT:
            raise EOFError
        head = json.loads(_exactly(file, length))
        arrays = _read_arrays(file, head["arrays"])
        objects: list[Any] = []
        for name, content in head["objects"]:
            objects.append(_built(_admitted[name], _restored(content, arrays, objects)))
        return _restored(head["value"], arrays, objects)
    except (EOFError, OSError):
        raise
    except Exception as error:  # whatever a process that was taken over may have sent
        raise EOFError("not a frame") from error


class _Writer:
    def __init__(self) -> None:
        self.objects: list[tuple[str, Any]] = []
        self.arrays: list[Array] = []
        self._written: dict[int, tuple[object, dict[str, int]]] = {}

    def plain(self, value: Any) -> Any:
        """What JSON can hold; arrays and objects become references."""
        if value is None or isinstance(value, bool | int | float | str):
            return value
        if isinstance(value, list):
            return [self.plain(each) for each in value]
        if isinstance(value, tuple):
            return {"tuple": [self.plain(each) for each in value]}
        if isinstance(value, Mapping):
            return {"map": [[self.plain(k), self.plain(v)] for k, v in value.items()]}
        if isinstance(value, np.generic):
            return self.plain(value.item())
        known = self._written.get(id(value))
        if known is None:
            # The value is kept, or another one could get its id.
            known = self._written[id(value)] = (value, self._reference(value))
        return known[1]

    def _reference(self, value: Any) -> dict[str, int]:
        if isinstance(value, bytes):
            self.arrays.append(np.frombuffer(value, np.uint8))
            return {"bytes": len(self.arrays) - 1}
        if isinstance(value, np.ndarray) and value.dtype.kind in _KINDS:
            self.arrays.append(np.ascontiguousarray(value))
            return {"array": len(self.arrays) - 1}
        name = _name(type(value))
        if name not in _admitted:
            raise TypeError(f"{name} cannot be sent between processes")
        content = self.plain(_parts(value))
        self.objects.append((name, content))
        return {"object": len(self.objects) - 1}


def _name(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def _parts(value: Any) -> dict[str, Any]:
    if isinstance(value, CataloguedError):
        return {"key": value.key, "values": value.plain_values}
    if isinstance(value, CCMusicError):
        return {"text": str(value)}
    if isinstance(value, BaseModel):
        return {name: getattr(value, name) for name in type(value).model_fields}
    assert is_dataclass(value)
    return {field.name: getattr(value, field.name) for field in fields(value)}


def _built(cls: type, parts: Mapping[str, Any]) -> Any:
    if issubclass(cls, CataloguedError):
        return cls(parts["key"], **parts["values"])
    if issubclass(cls, CCMusicError):
        error = cls.__new__(cls)
        Exception.__init__(error, parts["text"])
        return error
    return cls(**parts)


def _restored(plain: Any, arrays: list[Array], objects: list[Any]) -> Any:
    if isinstance(plain, list):
        return [_restored(each, arrays, objects) for each in plain]
    if not isinstance(plain, dict):
        return plain
    ((kind, content),) = plain.items()
    if kind == "map":
        return {_restored(k, arrays, objects): _restored(v, arrays, objects) for k, v in content}
    if kind == "tuple":
        return tuple(_restored(each, arrays, objects) for each in content)
    if kind == "bytes":
        return arrays[content].tobytes()
    return (arrays if kind == "array" else objects)[content]


def _read_arrays(file: BinaryIO, described: list[tuple[str, list[int]]]) -> list[Array]:
    arrays, left = [], _MOST
    for name, shape in described:
        dtype = np.dtype(name)
        left -= int(np.prod(shape, dtype=float)) * dtype.itemsize
        if dtype.kind not in _KINDS or left < 0:
            raise EOFError("not a frame")
        array = np.empty(shape, dtype)
        _fill(file, array.reshape(-1).view(np.uint8).data)
        arrays.append(array)
    return arrays


def _exactly(file: BinaryIO, length: int) -> bytes:
    content = bytearray(length)
    _fill(file, memoryview(content))
    return bytes(content)


def _fill(file: BinaryIO, room: memoryview) -> None:
    while len(room):
        taken = file.readinto(room)  # type: ignore[attr-defined]
        if not taken:
            raise EOFError("the process has ended")
        room = room[taken:]


carry(*(e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, CCMusicError)))
