"""What a network makes of a picture on its way to the verdict: the strongest maps of four stages.

A file in ONNX gives the outputs that its graph lists. In Protocol Buffers, two messages written one
after the other are one message with the lists of both (protobuf.dev, "Encoding", "Last One Wins"):
the graph is opened with more outputs in its list, and the file stays as it is.

How much of the picture a place of a map depends on is computed layer by layer (A. Araujo,
W. Norris, J. Sim, "Computing receptive fields of convolutional neural networks", Distill, 2019).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ccmusic.errors import CheckpointError, reason_of
from ccmusic.picture import Picture
from ccmusic.values import Value
from ccmusic.zoo import Checkpoint

Floats = npt.NDArray[np.float32]

_STAGES = 4
_STRONGEST = 8
# Steps after which a map is worth looking at; between them stand sums that may be below 0.
_ACTIVATIONS = frozenset({"Relu", "HardSwish", "Mul", "LeakyRelu", "Gelu", "MaxPool"})
# What has been averaged over all places, or is a list of numbers, has no place any more.
_PLACELESS = frozenset(
    {"ReduceMean", "GlobalAveragePool", "GlobalMaxPool", "Flatten", "Reshape", "Gemm", "MatMul"}
)


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Stage(Value):
    """The strongest maps of one stage of a network.

    >>> from ccmusic import zoo
    >>> from ccmusic.prepare import prepare
    >>> checkpoint = zoo.find_one("mobilenet_v3_large_mel")
    >>> preprocessing = checkpoint.card.preprocessing
    >>> (picture,) = prepare("examples/rain.ogg", [preprocessing]).pictures[preprocessing]
    >>> [stage.maps.shape for stage in stages(checkpoint, picture)]
    [(8, 56, 56), (8, 28, 28), (8, 14, 14), (8, 7, 7)]
    """

    maps: Floats
    """float32 [n, height, width], the strongest first, as oriented for the model."""
    channels: tuple[int, ...]
    """Which maps of the stage these are."""
    of: int
    """How many maps the stage has."""
    step: int
    """Pixels of the picture from one place to the next."""
    receptive_field: int
    """Side of the square that a place depends on, pixels, as its convolutions have it: gates that
    average over all of the picture are left out."""
    first: float
    """Pixel at the middle of that square of the first place."""

    def square(self, place: int) -> tuple[float, float]:
        """First and last pixel that a place depends on along an axis; beyond the picture, too."""
        middle = self.first + place * self.step
        return middle - (self.receptive_field - 1) / 2, middle + (self.receptive_field - 1) / 2


def stages(checkpoint: Checkpoint, picture: Picture) -> list[Stage]:
    """Run a network once and keep the strongest maps of its stages.

    A stage is what has one resolution; the last four are given, each where it has seen most of the
    picture and has most maps. Strong is what has a large mean.

    Returns
    -------
    None of a model in memory, which has no graph.

    Raises
    ------
    CheckpointError
        If the file cannot be read or run.
    """
    from ccmusic.runtime import open_onnx

    if checkpoint.path.suffix != ".onnx":
        return []
    checkpoint.verify()
    try:
        content = checkpoint.path.read_bytes()
        found = _stages_of(memoryview(content))
        names = [name for _, candidates in found for name in candidates]
        session = open_onnx(content + _with_outputs(names))
        arrays = dict(zip(names, session.run(names, {"picture": picture.input[None]}), strict=True))
    except Exception as error:  # ONNX Runtime has no public base class for its errors
        reason = reason_of(error)
        raise CheckpointError("failed", file=checkpoint.path, reason=reason) from None
    return [_strongest(place, [arrays[name][0] for name in given]) for place, given in found]


@dataclass(frozen=True)
class _Place:
    """What a place of a map depends on."""

    step: int = 1
    receptive_field: int = 1
    first: float = 0.0

    def after(self, numbers: Mapping[str, Sequence[int]]) -> _Place:
        """The same after a convolution, or a maximum or mean of neighbours."""
        (kernel, *_), (stride, *_) = numbers["kernel_shape"], numbers.get("strides") or (1,)
        (dilation, *_), (pad, *_) = numbers.get("dilations") or (1,), numbers.get("pads") or (0,)
        reach = (kernel - 1) * dilation
        return _Place(
            self.step * stride,
            self.receptive_field + reach * self.step,
            self.first + (reach / 2 - pad) * self.step,
        )


def _strongest(place: _Place, candidates: Sequence[Floats]) -> Stage:
    maps = max(reversed(candidates), key=len)
    order = np.argsort(-maps.mean(axis=(1, 2)), kind="stable")[:_STRONGEST]
    return Stage(
        maps=np.ascontiguousarray(maps[order], np.float32),
        channels=tuple(order.tolist()),
        of=len(maps),
        step=place.step,
        receptive_field=place.receptive_field,
        first=place.first,
    )


def _stages_of(model: memoryview) -> list[tuple[_Place, list[str]]]:
    """The last resolutions of a graph, each with the activations that depend on most of it."""
    (graph,) = (value for number, value in _fields(model) if number == 7)
    places: dict[str, _Place] = {"picture": _Place()}
    found: dict[int, tuple[_Place, list[str]]] = {}
    for number, node in _fields(graph):
        if number != 1:
            continue
        parts = list(_fields(node))
        inputs, outputs = (_texts(parts, number) for number in (1, 2))
        (kind,) = _texts(parts, 4)
        before = [places[name] for name in inputs if name in places]
        if kind in _PLACELESS or not before:
            continue
        place = max(before, key=lambda known: known.receptive_field)
        numbers = dict(_integers(value) for number, value in parts if number == 5)
        if "kernel_shape" in numbers:
            place = place.after(numbers)
        places[outputs[0]] = place
        if kind in _ACTIVATIONS:
            known, names = found.get(place.step, (place, []))
            if place.receptive_field > known.receptive_field:
                names = []
            found[place.step] = place, [*names, outputs[0]]
    return [found[step] for step in sorted(found)[-_STAGES:]]


def _with_outputs(names: Sequence[str]) -> bytes:
    """A model that is nothing but a graph that is nothing but a list of outputs."""
    outputs = b"".join(
        _written(12, _written(1, name.encode())) for name in names
    )  # of GraphProto and ValueInfoProto
    return _written(7, outputs)  # of ModelProto


def _written(number: int, content: bytes) -> bytes:
    size, length = bytearray(), len(content)
    while length > 127:
        size.append(length & 127 | 128)
        length >>= 7
    return bytes([number << 3 | 2, *size, length]) + content


def _texts(parts: Sequence[tuple[int, Any]], number: int) -> list[str]:
    return [bytes(value).decode() for known, value in parts if known == number]


def _integers(attribute: memoryview) -> tuple[str, list[int]]:
    """Name and list of integers of an attribute."""
    parts = list(_fields(attribute))
    return _texts(parts, 1)[0], [value for number, value in parts if number == 8]


def _fields(message: memoryview) -> Iterator[tuple[int, Any]]:
    """Number and value of each field of a message; a value is an integer, or bytes."""
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(message):
        number, kind = divmod(varint(), 8)
        if kind == 2:
            size = varint()
            yield number, message[at : at + size]
            at += size
        elif kind == 0:
            yield number, varint()
        else:  # of fixed size: no field that is asked for
            at += 8 if kind == 1 else 4
