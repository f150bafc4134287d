"""Read TensorFlow checkpoints without TensorFlow.

The index file is a LevelDB table: names in order, each with a protobuf record that says where in
the data file its values lie.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt


def tensors(index: bytes, data: bytes) -> Iterator[tuple[str, npt.NDArray[np.float32]]]:
    """Names and values of all float32 variables.

    Parameters
    ----------
    index, data
        Contents of ``*.index`` and ``*.data-00000-of-00001``.

    Raises
    ------
    ValueError
        If they are not a TensorFlow checkpoint.
    """
    try:
        yield from _tensors(index, data)
    except (IndexError, KeyError, struct.error) as error:
        raise ValueError(f"not a TensorFlow checkpoint: {error}") from None


def _tensors(index: bytes, data: bytes) -> Iterator[tuple[str, npt.NDArray[np.float32]]]:
    for key, record in _table(index):
        fields = _protobuf(record)
        # dtype 1 is float32; the table's first entry, without a name, is its header.
        if not key or fields.get(1) != 1:
            continue
        shape = [
            int(_protobuf(size).get(1, 0))
            for number, size in _fields(bytes(fields.get(2, b"")))
            if number == 2 and isinstance(size, bytes)
        ]
        start, length = int(fields.get(4, 0)), int(fields[5])
        values = np.frombuffer(data[start : start + length], "<f4").reshape(shape)
        yield key.decode(), values.copy()


def _table(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Entries of a LevelDB table: a footer leads to an index block, that to the data blocks."""
    position = len(content) - 48
    _, position = _varint(content, position)
    _, position = _varint(content, position)
    offset, position = _varint(content, position)
    size, _ = _varint(content, position)
    for _, handle in _block(content, offset, size):
        start, after = _varint(handle, 0)
        yield from _block(content, start, _varint(handle, after)[0])


def _block(content: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Entries of a block; a key shares a prefix with the one before it."""
    if content[offset + size] != 0:
        raise ValueError("a compressed table")
    block = content[offset : offset + size]
    restarts = struct.unpack("<I", block[-4:])[0]
    end = len(block) - 4 * (restarts + 1)
    position, key = 0, b""
    while position < end:
        shared, position = _varint(block, position)
        fresh, position = _varint(block, position)
        length, position = _varint(block, position)
        key = key[:shared] + block[position : position + fresh]
        position += fresh
        yield key, block[position : position + length]
        position += length


def _protobuf(message: bytes) -> dict[int, int | bytes]:
    return dict(_fields(message))


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    position = 0
    while position < len(message):
        tag_, position = _varint(message, position)
        number, kind = tag_ >> 3, tag_ & 7
        value: int | bytes
        if kind == 0:
            value, position = _varint(message, position)
        elif kind == 2:
            length, position = _varint(message, position)
            value, position = message[position : position + length], position + length
        elif kind == 5:
            value, position = message[position : position + 4], position + 4
        else:
            raise ValueError(f"field of kind {kind}")
        yield number, value


def _varint(content: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = content[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
